"""Failure: retries and dead letters, availability, what an outage leaves behind.

Every formula takes failures as independent: of attempts from one another, of services
from one another. A shared cause (one broker, one rack) makes the truth worse than the
product says, and a simulation is how to find out by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from eda_sim.theory.checks import count, number, probability, refuse


def expected_attempts(failure: float, max_attempts: int) -> float:
    """Mean attempts at a message whose attempts fail independently: (1 - q^n) / (1 - q).

    Summed as 1 + q + ... + q^(n-1), attempt k+1 being made if the k before it failed;
    the geometric distribution, cut off (W. Feller, *An Introduction to Probability Theory
    and Its Applications*, vol. 1, 3rd edition, 1968, ch. VI).

    >>> round(expected_attempts(0.2, max_attempts=3), 6)
    1.24
    """
    q = probability("failure", failure)
    return math.fsum(q**k for k in range(count("max_attempts", max_attempts)))


def dead_letter_probability(failure: float, max_attempts: int) -> float:
    """The probability q^n that all n attempts fail, each independently with q.

    >>> round(dead_letter_probability(0.2, max_attempts=3), 6)
    0.008
    """
    return probability("failure", failure) ** count("max_attempts", max_attempts)


def visibility_timeout_duplicates(timeout: float, mean_service: float) -> float:
    """The probability exp(-V/S) that an exponential service outlasts the timeout V.

    That message then becomes visible again, and is handled twice, though nothing failed.

    >>> round(visibility_timeout_duplicates(0.060, 0.015), 6)
    0.018316
    """
    service = number("mean_service", mean_service, positive=True)
    return math.exp(-number("timeout", timeout) / service)


def availability(mtbf: float, mttr: float) -> float:
    """The fraction of time that a service is up: mtbf / (mtbf + mttr), in seconds both.

    `mtbf` is the mean time up from a repair to the next failure, `mttr` the mean time
    down. Alternating renewal: R. Barlow, F. Proschan, *Statistical Theory of Reliability
    and Life Testing*, 1975.

    >>> availability(mtbf=999, mttr=1)
    0.999
    """
    up = number("mtbf", mtbf, positive=True)
    return up / (up + number("mttr", mttr))


def availability_in_series(*availabilities: float) -> float:
    """All are needed (a chain of calls): the product, if they fail independently.

    Barlow and Proschan, as above.

    >>> round(availability_in_series(0.99, 0.99, 0.99), 6)
    0.970299
    """
    return math.prod(_checked_availabilities(availabilities))


def availability_in_parallel(*availabilities: float) -> float:
    """Any one suffices (redundant copies): 1 - the product of the unavailabilities.

    If they fail independently. Barlow and Proschan, as above.

    >>> round(availability_in_parallel(0.9, 0.9), 6)
    0.99
    """
    return 1 - math.prod(1 - a for a in _checked_availabilities(availabilities))


def backlog_after_outage(arrival_rate: float, remaining_capacity: float, downtime: float) -> float:
    """Messages waiting when an outage ends: (arrivals - remaining capacity) x downtime.

    Attempts count, so multiply a rate of messages by `expected_attempts`. A fluid
    approximation (G. Newell, *Applications of Queueing Theory*, 2nd edition, 1982):
    randomness is left out. 0 where the remaining capacity, per second, suffices.

    >>> backlog_after_outage(40, remaining_capacity=0, downtime=60)
    2400.0
    """
    missing = number("arrival_rate", arrival_rate) - number(
        "remaining_capacity", remaining_capacity
    )
    return max(missing, 0.0) * number("downtime", downtime)


def drain_time(backlog: float, arrival_rate: float, capacity: float) -> float:
    """Seconds until a backlog is gone: backlog / (capacity - arrival rate), fluid as above.

    `capacity` is what the repaired service can do, per second; it must exceed the
    arrivals.

    >>> drain_time(2400, arrival_rate=40, capacity=60)
    120.0
    """
    waiting, rate = number("backlog", backlog), number("arrival_rate", arrival_rate)
    room = number("capacity", capacity) - rate
    if room <= 0:
        remedy = "raise capacity or lower arrival_rate, or the backlog never drains"
        refuse("capacity", f"be > arrival_rate = {rate:g} per second", capacity, remedy)
    return waiting / room


def _checked_availabilities(values: Sequence[float]) -> list[float]:
    if not values:
        refuse("availabilities", "have at least 1 entry", 0, "give one for each service")
    return [probability(f"availabilities[{i}]", value) for i, value in enumerate(values)]
