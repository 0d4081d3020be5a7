"""The outbox of a service: events written with the work, and the relay that publishes them.

The relay looks at its own regular times, the k-th at ``k * poll`` seconds, and only while
something waits for it, so that an empty outbox does not keep a run alive. Looks are counted: the
next is the first that is later than now, and each publishes one batch at most.
"""

from collections import deque
from collections.abc import Callable
from math import floor

from eda_sim.engine.clock import Clock
from eda_sim.engine.instances import Instances
from eda_sim.engine.job import Performance, Process
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.outcomes import OK
from eda_sim.scenario.steps import Outbox

Publication = Callable[[int], Performance]  # takes the number of its try, from 1
_LOOKS = turn(Rank.OUTBOX_LOOKS)


class OutboxRelay:
    """One service's outbox for one event, and its relay."""

    def __init__(self, clock: Clock, description: Outbox, instances: Instances) -> None:
        self._clock = clock
        self._poll = description.poll
        self._batch = description.batch
        self._instances = instances
        self._written: deque[Publication] = deque()
        self._at_work = False
        self._tries = 0  # of the first that is written

    def write(self, publication: Publication) -> None:
        """Write an event down; from now on no crash can lose it."""
        self._written.append(publication)
        if not self._at_work:
            self._at_work = True
            self._clock.process(self._relay())

    def _relay(self) -> Process:
        while self._written:
            yield self._clock.wait_until(self._next_look(), _LOOKS)
            if not self._instances.are_down:
                yield from self._publish_a_batch()
        self._at_work = False

    def _next_look(self) -> float:
        """Return when the relay looks next; what falls on now has been, however it is rounded."""
        now, poll = self._clock.now, self._poll
        look = floor(now / poll)
        while look * poll <= now:
            look += 1
        return look * poll

    def _publish_a_batch(self) -> Process:
        for _ in range(min(self._batch, len(self._written))):
            self._tries += 1
            outcome = yield from self._written[0](self._tries)
            if outcome is not OK:  # the broker is out of reach: it stays written
                return
            self._written.popleft()
            self._tries = 0
