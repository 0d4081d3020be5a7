"""The outbox of a service: events written with the work, and the relay that publishes them.

The relay looks at its own regular times, the k-th at ``k * poll`` seconds, and only while
something waits for it, so that an empty outbox does not keep a run alive. Looks are counted: the
next is the first that is later than now, and each publishes one batch at most.

It belongs to its service and dies when no instance is up any more. What it has published and
not yet noted, because the confirmation was still on its way, it publishes again at the first look
after the repair: an event leaves the outbox once at least, not once.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import floor

from simpy import Interrupt
from simpy import Process as Relay

from eda_sim.engine.clock import Clock, kill
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.instances import Instances
from eda_sim.engine.job import Performance, Process
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.outcomes import OK
from eda_sim.scenario.steps import Outbox

Publication = Callable[[], Performance]
_LOOKS = turn(Rank.OUTBOX_LOOKS)


class OutboxActor:
    """One service's outbox for one event, and its relay."""

    def __init__(self, clock: Clock, description: Outbox, instances: Instances) -> None:
        self._clock = clock
        self._poll = description.poll
        self._batch = description.batch
        self._instances = instances
        self._written: deque[Publication] = deque()
        self._process: Relay | None = None  # while something is written
        self._publishes = False
        self.killed_by = NO_FAULT

    def write(self, publication: Publication) -> None:
        """Write an event down; from now on no crash can lose it."""
        self._written.append(publication)
        if self._process is None:
            self._process = self._clock.process(self._relay())

    def die(self, fault: int) -> None:
        """No instance is up any more: the batch ends here."""
        self.killed_by = fault
        if self._process is not None and self._publishes:
            kill(self._process)

    def _relay(self) -> Process:
        while self._written:
            yield self._clock.wait_until(self._next_look(), _LOOKS)
            if not self._instances.are_down:
                yield from self._look()
        self._process = None

    def _next_look(self) -> float:
        """Return when the relay looks next; what falls on now has been, however it is rounded."""
        now, poll = self._clock.now, self._poll
        look = floor(now / poll)
        while look * poll <= now:
            look += 1
        return look * poll

    def _look(self) -> Process:
        """Publish a batch, or as much of it as a death leaves time for."""
        self._publishes = True
        with suppress(Interrupt):
            yield from self._publish_a_batch()
        self._publishes = False

    def _publish_a_batch(self) -> Process:
        for _ in range(min(self._batch, len(self._written))):
            outcome = yield from self._written[0]()
            if outcome is not OK:  # the broker is out of reach: it stays written
                return
            self._written.popleft()
