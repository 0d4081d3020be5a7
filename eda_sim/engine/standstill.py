"""A run goes on, or says why it does not: what is tried again and again while time stands still.

Trying again without waiting is no event, so a retry without end and without wait, of what fails
at once, would be a loop that the clock never sees. Whoever tries again says so here. A single
retry with a limit never reaches the limit here: only what is without end does.

Time may also creep: by less than a float can hold, by a timeout of a nanosecond, or not at all
while retries with limits multiply, one inside the other. So what one request has tried again is
counted too, and must not be so much in so little time that the run could never get to its end.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Final

from eda_sim.engine.clock import Clock
from eda_sim.engine.recorder import Names
from eda_sim.engine.request import Request
from eda_sim.errors import SimulationError
from eda_sim.scenario.delivery import MOST_ATTEMPTS
from eda_sim.scenario.scenario import Scenario

MOST_AT_ONE_INSTANT: Final = MOST_ATTEMPTS
# Of one request: more than so many tries in less than the thousandth part of the run's time.
MOST_OF_A_REQUEST: Final = 2 * MOST_ATTEMPTS
_PART: Final = 1000


class Standstill:
    """How often each thing has been tried again since time last went on."""

    def __init__(self, clock: Clock, names: Names, scenario: Scenario) -> None:
        self._clock = clock
        self._least = (scenario.duration + scenario.drain) / _PART  # seconds
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
        request.tried_again += 1
        if request.tried_again > MOST_OF_A_REQUEST and now - request.started_at < self._least:
            raise SimulationError(
                f"at {now:.12g} s the run hardly goes on: request {request.id} has tried again "
                f"{request.tried_again:,} times within {now - request.started_at:.3g} s, at last "
                f"{self._names.all[message]!r} by {self._names.all[service]!r}: {remedy}"
            )
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
