"""What an idempotent handler remembers, so that a duplicate finds its work done.

Remembered is which steps are complete for which message id. A memory bounded in
time or size forgets, and then a late duplicate is done again.
"""

from collections import OrderedDict

from eda_sim.engine.clock import Clock
from eda_sim.scenario.delivery import Deduplication


class Memory:
    """The memory of one handler of one service, shared by all its workers."""

    def __init__(self, clock: Clock, bounds: Deduplication) -> None:
        self._clock = clock
        self._window = bounds.window
        self._size = bounds.size
        self._done: OrderedDict[int, tuple[float, set[object]]] = OrderedDict()

    def knows(self, message: int, step: object) -> bool:
        """Say whether ``step`` is remembered as done for the ``message`` id."""
        self._forget()
        return message in self._done and step in self._done[message][1]

    def note(self, message: int, step: object) -> None:
        """Remember from now on that ``step`` is done for the ``message`` id."""
        self._forget()
        _, steps = self._done.pop(message, (0.0, set()))
        steps.add(step)
        self._done[message] = (self._clock.now, steps)
        if self._size is not None and len(self._done) > self._size:
            self._done.popitem(last=False)

    def _forget(self) -> None:
        if self._window is None:
            return
        oldest = self._clock.now - self._window
        while self._done:
            message, (noted_at, _) = next(iter(self._done.items()))
            if noted_at > oldest:
                return
            del self._done[message]
