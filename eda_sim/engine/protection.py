"""What protects a caller from its callee, and a service from its callers.

A *guard* stands before each try of a call: a circuit breaker (in ``breaker``), a
bulkhead. All workers of a caller share the guards of a command. A retry budget
says whether a failed call may be repeated. A service protects itself with a
token bucket.
"""

from typing import Final, Protocol

from eda_sim.engine.clock import Clock
from eda_sim.scenario.delivery import RetryBudget
from eda_sim.scenario.service import RateLimit

# A whole token, but for what sums of fractions lose by rounding.
_WHOLE: Final = 1 - 1e-9


class Guard(Protocol):
    """Who decides whether a call may be tried, and wants to know how it went."""

    def refuses(self, call: object) -> str | None:
        """Return why ``call`` may not be tried now, or None if it may."""

    def ended(self, call: object, well: bool | None) -> None:
        """A call that was let through went well, or did not, or its caller died (``None``)."""


class Bulkhead:
    """At most so many calls at a time from one caller to one callee."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = 0

    def refuses(self, call: object) -> str | None:
        """Reject a call while all compartments are taken."""
        if self._under_way == self._limit:
            return "rejected"
        self._under_way += 1
        return None

    def ended(self, call: object, well: bool | None) -> None:
        """The caller waits no longer, whatever the callee still does."""
        self._under_way -= 1


class Bucket:
    """Tokens that come at a rate, and are taken one by one."""

    def __init__(self, clock: Clock, rate: float, size: float) -> None:
        self._clock = clock
        self._rate = rate
        self._size = size
        self._tokens = size
        self._counted_at = 0.0

    def take(self) -> bool:
        """Take a token, if there is one."""
        now = self._clock.now
        self._tokens = min(self._size, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._tokens < _WHOLE:
            return False
        self._tokens -= 1
        return True


def limiter(clock: Clock, limit: RateLimit | None) -> Bucket | None:
    """Return the token bucket of a service, if its rate is limited."""
    return None if limit is None else Bucket(clock, limit.rate, limit.burst)


class Budget:
    """Repetitions are paid for by calls: ``ratio`` of one for each call, saved up to ``burst``."""

    def __init__(self, description: RetryBudget) -> None:
        self._ratio = description.ratio
        self._burst = float(description.burst)
        self._saved = self._burst

    def called(self) -> None:
        """A call was made for the first time."""
        self._saved = min(self._burst, self._saved + self._ratio)

    def allows(self) -> bool:
        """Pay for a repetition, if that is possible."""
        if self._saved < _WHOLE:
            return False
        self._saved -= 1
        return True
