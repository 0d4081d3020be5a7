"""SimPy's clock, with a written order for what falls on the same instant.

SimPy takes events of one instant by priority, then by insertion. Here the
priority is a turn (``rules.order``), so a tie is decided by whose it is and what
it is, not by which line of code happened to run first. SimPy's own priorities
(0 and 1, for a process that starts or an event that succeeds) are smaller than
every turn: what follows at once follows first.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from simpy import Environment, Event

Callback = Callable[[Event], Any]

_A_FEW = 64


class Due(Event):
    """An event that happens at ``time``, in its ``turn`` among those of the same instant."""

    def __init__(self, clock: "Clock", time: float, turn: int) -> None:
        self.env = clock
        self.callbacks = []
        self._ok = True
        self._value = None
        heappush(clock._queue, (time, turn, next(clock._eid), self))


class Clock(Environment):
    """The agenda of a run: what is due when, in which order."""

    _queue: list[Any]
    _eid: Any

    def wait(self, delay: float, turn: int) -> Event:
        """Return an event that happens ``delay`` seconds from now, in its ``turn``."""
        return Due(self, self._now + delay, turn)

    def wait_until(self, time: float, turn: int) -> Event:
        """Return an event that happens at ``time``, exactly, in its ``turn``."""
        return Due(self, time, turn)

    def then(self, delay: float, turn: int, callback: Callback) -> None:
        """Call ``callback`` ``delay`` seconds from now; a delay of 0 is no delay at all.

        For what needs no process of its own, such as a message on its way.
        """
        if delay == 0:
            callback(None)  # type: ignore[arg-type]  # nobody looks at the event
        else:
            Due(self, self._now + delay, turn).callbacks.append(callback)

    def run_to_end(self, horizon: float, now_and_then: Callable[[], None]) -> None:
        """Let everything happen that is due up to and including ``horizon`` seconds.

        ``now_and_then`` is called after every hundred events or so.
        """
        queue = self._queue
        while queue and queue[0][0] <= horizon:
            for _ in range(_A_FEW):
                if not queue or queue[0][0] > horizon:
                    break
                self._now, _, _, event = heappop(queue)
                callbacks, event.callbacks = event.callbacks, None
                for callback in callbacks:
                    callback(event)
                if not event._ok and not hasattr(event, "_defused"):
                    raise event._value
            now_and_then()
