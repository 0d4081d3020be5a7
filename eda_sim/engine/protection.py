"""What protects a caller from its callee, and a service from its callers, at work.

What each of them decides is ``rules.protection``; here is whose it is. A *guard*
stands before each try of a call: a circuit breaker, a bulkhead. All workers of a
caller share the guards of a command. A retry budget says whether a failed call
may be repeated. A service protects itself with a token bucket.
"""

from collections import deque
from math import inf
from typing import Protocol

from eda_sim.engine.clock import Clock
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.protection import (
    CLOSED,
    NEW_BREAKER,
    ON_TRIAL,
    OPEN,
    REFUSED,
    answer,
    failed,
    has_room,
    on_trial,
    take,
    trial_abandoned,
    trial_ended,
)
from eda_sim.scenario.delivery import CircuitBreaker, RetryBudget
from eda_sim.scenario.service import RateLimit


class Guard(Protocol):
    """Who decides whether a call may be tried, and wants to know how it went."""

    def refuses(self, call: object) -> Outcome | None:
        """Return why ``call`` may not be tried now, or None if it may."""

    def ended(self, call: object, well: bool | None) -> None:
        """A call that was let through went well, or did not, or its caller died (``None``)."""


class Breaker:
    """One caller's breaker for one command, shared by all its workers."""

    def __init__(self, clock: Clock, description: CircuitBreaker) -> None:
        self._clock = clock
        self._window = description.window
        self._open_for = description.open_for
        self._enough = description.failures
        self._failures: deque[float] = deque(maxlen=self._enough)  # the latest, since it closed
        self._trial: object = None
        self._state = NEW_BREAKER

    def refuses(self, call: object) -> Outcome | None:
        """Short-circuit a call while open, and while another one is the trial."""
        found = answer(self._state, self._clock._now, self._open_for)
        if found == ON_TRIAL:
            self._trial = call
            self._state = on_trial(self._state)
        return Outcome.SHORT_CIRCUITED if found == REFUSED else None

    def ended(self, call: object, well: bool | None) -> None:
        """Learn from the trial how the callee is, and from others that it keeps failing."""
        if call is self._trial:
            self._trial = None
            self._trial_ended(well)
        elif well is False and self._state.phase == CLOSED:
            self._count_failure()

    def _trial_ended(self, well: bool | None) -> None:
        if well is None:
            self._state = trial_abandoned(self._state)
        else:
            self._state = trial_ended(self._state, self._clock._now, well)

    def _count_failure(self) -> None:
        now, failures = self._clock._now, self._failures
        failures.append(now)
        earliest = failures[0] if len(failures) == self._enough else -inf
        self._state = failed(self._state, now, earliest, self._window)
        if self._state.phase == OPEN:
            failures.clear()


class Bulkhead:
    """At most so many calls at a time from one caller to one callee."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = 0

    def refuses(self, call: object) -> Outcome | None:
        """Reject a call while all compartments are taken."""
        if not has_room(self._under_way, self._limit):
            return Outcome.REJECTED
        self._under_way += 1
        return None

    def ended(self, call: object, well: bool | None) -> None:
        """The caller waits no longer, whatever the callee still does."""
        self._under_way -= 1


class Bucket:
    """The token bucket of a service."""

    def __init__(self, clock: Clock, rate: float, size: int) -> None:
        self._clock = clock
        self._rate = rate
        self._size = size
        self._full_at = 0.0
        self._taken = 0

    def take(self) -> bool:
        """Take a token, if there is one."""
        passes, self._full_at, self._taken = take(
            self._full_at, self._taken, self._clock._now, self._rate, self._size
        )
        return passes


def limiter(clock: Clock, limit: RateLimit | None) -> Bucket | None:
    """Return the token bucket of a service, if its rate is limited."""
    return None if limit is None else Bucket(clock, limit.rate, limit.burst)


class Budget:
    """The retry budget of one caller for one command, which calls fill."""

    def __init__(self, description: RetryBudget) -> None:
        self._ratio = description.ratio
        self._burst = description.burst
        self._calls = 0.0
        self._full_at = 0.0
        self._paid = 0

    def called(self) -> None:
        """A call was made for the first time."""
        self._calls += 1

    def allows(self) -> bool:
        """Pay for a repetition, if that is possible."""
        allowed, self._full_at, self._paid = take(
            self._full_at, self._paid, self._calls, self._ratio, self._burst
        )
        return allowed
