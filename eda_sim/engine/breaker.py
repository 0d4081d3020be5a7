"""A circuit breaker at work: who is let through.

The states and what moves between them are ``rules.lifecycle.BREAKER``.
"""

from collections import deque

from eda_sim.engine.clock import Clock
from eda_sim.rules.lifecycle import CLOSED, HALF_OPEN, OPEN
from eda_sim.scenario.delivery import CircuitBreaker


class Breaker:
    """One caller's breaker for one command, shared by all its workers."""

    def __init__(self, clock: Clock, description: CircuitBreaker) -> None:
        self._clock = clock
        self._description = description
        self._failures: deque[float] = deque()
        self._opened_at = 0.0
        self._trial: object = None
        self.state = CLOSED

    def refuses(self, call: object) -> str | None:
        """Say why ``call`` may not be tried now; in the half-open state only one may."""
        if self.state is OPEN and self._has_waited():
            self.state = self.state["waited"]
        if self.state is HALF_OPEN and self._trial is None:
            self._trial = call
            return None
        return None if self.state is CLOSED else "short_circuited"

    def ended(self, call: object, well: bool | None) -> None:
        """A call that was let through went well, or did not, or its caller died (``None``)."""
        if call is self._trial:
            self._trial = None
            if well is not None:
                self._decide(well)
        elif well is False and self.state is CLOSED:
            self._count_failure()

    def _decide(self, well: bool) -> None:
        """The trial is over: it says how the callee is."""
        if well:
            self.state = self.state["trial succeeded"]
        else:
            self._open("trial failed")

    def _count_failure(self) -> None:
        now = self._clock.now
        self._failures.append(now)
        while now - self._failures[0] >= self._description.window:
            self._failures.popleft()
        if len(self._failures) >= self._description.failures:
            self._open("tripped")

    def _has_waited(self) -> bool:
        return self._clock.now >= self._opened_at + self._description.open_for

    def _open(self, event: str) -> None:
        self.state = self.state[event]
        self._opened_at = self._clock.now
        self._failures.clear()
