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
        # When something was last noted for a message, and its steps; the latest stands last.
        self._done: OrderedDict[int, tuple[float, set[object]]] = OrderedDict()

    def knows(self, message: int, step: object) -> bool:
        """Say whether ``step`` is remembered as done for the ``message`` id."""
        noted = self._done.get(message)
        return noted is not None and step in noted[1] and self._remembers(noted[0])

    def note(self, message: int, step: object) -> None:
        """Remember from now on that ``step`` is done for the ``message`` id."""
        done = self._done
        noted = done.pop(message, None)
        steps = set() if noted is None or not self._remembers(noted[0]) else noted[1]
        steps.add(step)
        done[message] = (self._clock._now, steps)
        if self._is_bounded:
            self._forget()

    def _forget(self) -> None:
        """Forget from the front, where nothing has been noted for longest."""
        done = self._done
        while done:
            noted_at, _ = next(iter(done.values()))
            if self._remembers(noted_at, len(done) - 1):
                return
            done.popitem(last=False)

    def _remembers(self, noted_at: float, noted_since: int = 0) -> bool:
        """Apply the bounds; what too many others have followed is no longer here to be asked."""
        return remembers(noted_at, self._clock._now, self._window, noted_since, self._size)
