"""The memory of an idempotent handler at work: which steps are complete for which message.

How long it remembers is ``rules.memory``.
"""

from collections import OrderedDict

from eda_sim.engine.clock import Clock
from eda_sim.rules.memory import UNBOUNDED, remembers
from eda_sim.scenario.delivery import Deduplication


class Memory:
    """The memory of one handler of one service, shared by all its workers."""

    def __init__(self, clock: Clock, bounds: Deduplication) -> None:
        self._clock = clock
        self._window = UNBOUNDED if bounds.window is None else bounds.window
        self._size = UNBOUNDED if bounds.size is None else bounds.size
        self._is_bounded = bounds != Deduplication()
        self._done: OrderedDict[int, tuple[float, set[object]]] = OrderedDict()

    def knows(self, message: int, step: object) -> bool:
        """Say whether ``step`` is remembered as done for the ``message`` id."""
        if self._is_bounded:
            self._forget()
        noted = self._done.get(message)
        return noted is not None and step in noted[1]

    def note(self, message: int, step: object) -> None:
        """Remember from now on that ``step`` is done for the ``message`` id."""
        if self._is_bounded:
            self._forget()
        _, steps = self._done.pop(message, (0.0, set()))
        steps.add(step)
        self._done[message] = (self._clock.now, steps)
        if self._is_bounded:
            self._forget()

    def _forget(self) -> None:
        """Forget from the front, where nothing has been noted for longest."""
        now, done = self._clock.now, self._done
        while done:
            message, (noted_at, _) = next(iter(done.items()))
            if remembers(noted_at, now, self._window, len(done) - 1, self._size):
                return
            del done[message]
