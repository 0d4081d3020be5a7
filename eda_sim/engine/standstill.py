"""A run goes on, or says why it does not: what is tried again and again while no time passes.

Trying again without waiting is no event, so a retry without end and without wait, of what fails
at once, would be a loop that the clock never sees. Whoever tries again says so here. A retry with
a limit can never reach the limit here: only what is without end does.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Final

from eda_sim.engine.clock import Clock
from eda_sim.engine.recorder import Names
from eda_sim.engine.request import Request
from eda_sim.errors import SimulationError
from eda_sim.scenario.delivery import MOST_ATTEMPTS

MOST_AT_ONE_INSTANT: Final = MOST_ATTEMPTS


class Standstill:
    """How often each thing has been tried again since time last went on."""

    def __init__(self, clock: Clock, names: Names) -> None:
        self._clock = clock
        self._names = names
        self._at = clock.now
        self._again: Counter[Hashable] = Counter()

    def again(
        self, what: Hashable, message: int, service: int, request: Request, remedy: str
    ) -> None:
        """``what`` is tried again: a message of a request, by a service, both given as codes.

        Raises:
            SimulationError: if that has been so too often for time to go on.
        """
        now = self._clock.now
        if now != self._at:
            self._at = now
            self._again.clear()
        self._again[what] += 1
        if self._again[what] > MOST_AT_ONE_INSTANT:
            names = self._names.all
            raise SimulationError(
                f"at {now:.12g} s the run stands still: {names[message]!r} of request "
                f"{request.id} was tried {self._again[what]:,} times by {names[service]!r} while "
                f"no time passed: {remedy}"
            )
