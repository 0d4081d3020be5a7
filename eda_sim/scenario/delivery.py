"""What happens when handling fails: backoff, retry, breaker, delivery policy."""

from typing import Annotated, Literal

from pydantic import Field

from eda_sim.scenario.description import Count, PositiveSeconds, Seconds, description


@description
class Backoff:
    """How long to wait before try n + 1: ``base * factor**(n - 1)`` seconds, after try n.

    ``jitter="full"`` draws the wait uniformly between 0 and that; ``maximum``
    (seconds) caps it.

    >>> [Backoff(1.0, factor=2.0).after(n) for n in (1, 2, 3)]
    [1.0, 2.0, 4.0]
    """

    base: Seconds
    factor: Annotated[float, Field(ge=1)] = 2.0
    jitter: Literal["none", "full"] = "none"
    maximum: PositiveSeconds | None = None

    def after(self, attempt: int) -> float:
        """Return the wait, in seconds and before any jitter, after try ``attempt`` (from 1)."""
        try:
            wait = self.base * self.factor ** (attempt - 1)
        except OverflowError:
            wait = float("inf")
        return wait if self.maximum is None else min(wait, self.maximum)


@description
class Retry:
    """Try up to ``max_attempts`` times in all, with a ``backoff`` in between.

    >>> Retry(max_attempts=3).backoff.after(1)
    1.0
    """

    max_attempts: Annotated[Count, Field(le=1000)] = 4
    backoff: Backoff = Backoff(1.0)


@description
class CircuitBreaker:
    """Stop calling who keeps failing.

    Opens after ``failures`` failed calls within ``window`` seconds, short-circuits
    every call for ``open_for`` seconds, then lets one trial through: its success
    closes the breaker, its failure opens it again. All workers of a caller share
    it (Nygard, *Release It!*, 2nd ed. 2018, chapter 5).

    >>> CircuitBreaker(failures=3).open_for
    30.0
    """

    failures: Count = 5
    window: PositiveSeconds = 10.0
    open_for: PositiveSeconds = 30.0


@description
class Delivery:
    """How the broker delivers to a handler: at least once.

    A delivery is acknowledged after handling, so a crash brings it again. A
    transient failure is tried again as ``retry`` says, rejoining its queue at
    the tail; a permanent one, or the last failed try, ends in the dead-letter
    queue, or is lost with ``dead_letter=False``.

    >>> Delivery(Retry(max_attempts=1), dead_letter=False)
    Delivery(retry=Retry(max_attempts=1), dead_letter=False)
    """

    retry: Retry = Retry()
    dead_letter: bool = True
