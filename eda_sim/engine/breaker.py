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

    def lets_through(self, call: object) -> bool:
        """Say whether ``call`` may be tried now; in the half-open state only one may."""
        if self.state is OPEN and self._has_waited():
            self.state = self.state["waited"]
        if self.state is HALF_OPEN and self._trial is None:
            self._trial = call
            return True
        return self.state is CLOSED

    def _has_waited(self) -> bool:
        return self._clock.now >= self._opened_at + self._description.open_for

    def succeeded(self, call: object) -> None:
        """A call that was let through went well."""
        if call is self._trial:
            self._trial = None
            self.state = self.state["trial succeeded"]

    def failed(self, call: object) -> None:
        """A call that was let through failed, was rejected or timed out."""
        if call is self._trial:
            self._trial = None
            self._open("trial failed")
        elif self.state is CLOSED:
            now = self._clock.now
            self._failures.append(now)
            while now - self._failures[0] >= self._description.window:
                self._failures.popleft()
            if len(self._failures) >= self._description.failures:
                self._open("tripped")

    def abandoned(self, call: object) -> None:
        """The caller died while it waited: nothing was learned, another may try."""
        if call is self._trial:
            self._trial = None

    def _open(self, event: str) -> None:
        self.state = self.state[event]
        self._opened_at = self._clock.now
        self._failures.clear()
