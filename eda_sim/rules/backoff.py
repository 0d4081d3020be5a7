"""How long a try waits for the next one, jitter included.

Without jitter ``base * factor**(n - 1)``; with full jitter a uniform fraction of
that; with decorrelated jitter a uniform time between the base and three times
the wait before. All capped at ``maximum``.

Source of the jitters: Brooker, "Exponential backoff and jitter", AWS
Architecture Blog (2015).
"""

from collections.abc import Callable

from eda_sim.scenario.delivery import Backoff


def wait(backoff: Backoff, attempt: int, uniform: Callable[[int], float]) -> float:
    """Return the wait, in seconds, after try ``attempt`` (from 1).

    ``uniform`` gives the uniform number of each try, so that what the wait before was
    can be looked up again and need not be remembered.

    >>> wait(Backoff(1.0), 3, lambda attempt: 0.5)
    4.0
    >>> wait(Backoff(1.0, jitter="full"), 3, lambda attempt: 0.5)
    2.0
    >>> wait(Backoff(1.0, jitter="decorrelated"), 2, lambda attempt: 0.5)
    3.5
    """
    if backoff.jitter == "none":
        return backoff.after(attempt)
    if backoff.jitter == "full":
        return backoff.after(attempt) * uniform(attempt)
    current = backoff.base
    for number in range(1, attempt + 1):
        current = backoff.base + uniform(number) * (3 * current - backoff.base)
        if backoff.maximum is not None:
            current = min(current, backoff.maximum)
    return current
