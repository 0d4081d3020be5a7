"""SimPy's clock, with a written order for what falls on the same instant.

SimPy takes events of one instant by priority, then by insertion. Here the order is that of
``rules.order``: what follows at once from something stands in one queue, what is due later in
the agenda, by time, turn and attempt. So a tie is decided by whose it is and what it is, not by
which line of code happened to run first.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from simpy import Environment, Event, Interrupt, Process

from eda_sim.errors import SimulationError
from eda_sim.rules.order import parts

Callback = Callable[[Event], Any]

MOST_AT_ONE_INSTANT: Final = 30_000_000

_A_FEW: Final = 64
_TAKEN: Any = None  # the callbacks of what has been noticed
_NORMAL: Any = 1  # SimPy's priority, which nobody asks for here


class Due(Event):
    """An event that happens at ``time``, in its ``turn`` among those of the same instant."""

    def __init__(self, clock: "Clock", time: float, turn: int, attempt: int = 0) -> None:
        self.env = clock
        self.callbacks = []
        self._ok = True
        self._value = None
        heappush(clock.agenda, (time, turn, attempt, next(clock._eid), self))


class Clock(Environment):
    """The agenda of a run: what is due when, in which order, and what follows at once."""

    _eid: Any

    def __init__(self) -> None:
        super().__init__()
        self.agenda: list[tuple[float, int, int, int, Due]] = []
        self._at_once: deque[Event] = deque()

    def schedule(self, event: Event, priority: Any = _NORMAL, delay: float = 0) -> None:
        """Let an event that has come about be noticed, after those that came about before."""
        self._at_once.append(event)

    def wake(self, event: Event, value: object) -> None:
        """Let an event come about that somebody waits for: ``succeed``, for the commonest one."""
        event._ok, event._value = True, value
        self._at_once.append(event)

    def wait(self, delay: float, turn: int, attempt: int = 0) -> Event:
        """Return an event that happens ``delay`` seconds from now, in its ``turn``."""
        return Due(self, self._now + delay, turn, attempt)

    def wait_until(self, time: float, turn: int, attempt: int = 0) -> Event:
        """Return an event that happens at ``time``, exactly, in its ``turn``."""
        return Due(self, time, turn, attempt)

    def after(self, delay: float, turn: int, attempt: int, callback: Callback) -> None:
        """Call ``callback`` ``delay`` seconds from now, in its ``turn``: no process is needed."""
        Due(self, self._now + delay, turn, attempt).callbacks.append(callback)

    def at(self, time: float, turn: int, attempt: int, callback: Callback) -> None:
        """Call ``callback`` at ``time``, exactly, in its ``turn``."""
        Due(self, time, turn, attempt).callbacks.append(callback)

    def travel(self, delay: float, turn: int, attempt: int, arrive: Callback) -> None:
        """Let something arrive after a latency or a backoff; one of zero seconds is no event."""
        if delay == 0:
            arrive(None)  # type: ignore[arg-type]  # nobody looks at the event
        else:
            Due(self, self._now + delay, turn, attempt).callbacks.append(arrive)

    def run_to_end(self, horizon: float, now_and_then: Callable[[], None]) -> None:
        """Let everything happen that is due up to and including ``horizon`` seconds.

        ``now_and_then`` is called after every hundred events or so.

        Raises:
            SimulationError: if so much happens at one instant that time may never go on.
        """
        at_once, agenda = self._at_once, self.agenda
        instant, looks = -1.0, 0
        while at_once or (agenda and agenda[0][0] <= horizon):
            for _ in range(_A_FEW):
                if at_once:
                    event = at_once.popleft()
                elif agenda and agenda[0][0] <= horizon:
                    self._now, _, _, _, event = heappop(agenda)
                else:
                    break
                callbacks: Any = event.callbacks
                event.callbacks = _TAKEN
                for callback in callbacks:
                    callback(event)
                if not event._ok and not hasattr(event, "_defused"):
                    raise event._value
            now_and_then()
            looks = looks + 1 if self._now == instant else 0
            instant = self._now
            if looks * _A_FEW > MOST_AT_ONE_INSTANT:
                raise SimulationError(self._why_not())

    def _why_not(self) -> str:
        """Say what keeps time from going on, as far as one can see it from here."""
        found = (
            f"at {self._now:.12g} s the run stands still: more than {MOST_AT_ONE_INSTANT:,} things "
            "have happened while no time passed"
        )
        if not self.agenda or self.agenda[0][0] > self._now:
            return found
        rank, request, node = parts(self.agenda[0][1])
        return f"{found}; next is {rank.name} of request {request} at node {node} of its plan"


class _Death(Event):
    """What a process learns that dies."""

    def __init__(self, process: Process) -> None:
        self.env = process.env
        self.callbacks = []
        self._ok = False
        self._value = Interrupt(None)
        self._defused = True


def kill(process: Process) -> None:
    """Let a process die within what happens just now: no event comes between."""
    if process.is_alive:
        assert process.target.callbacks is not None
        process.target.callbacks.remove(process._resume)
        process._resume(_Death(process))
