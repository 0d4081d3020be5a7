"""One queue: Erlang, M/M/c, M/M/c/K, M/G/1, G/G/c, M/G/infinity.

`mmc`, `mmck`, `pollaczek_khinchine` and `kingman` return a `Queue`, which stores one
mean, the wait, and derives the others from it by Little's law: they cannot disagree.
Probabilities grow by one place at a time instead of by powers and factorials, so that
thousands of servers are no harder than two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from eda_sim.theory.checks import count, number, refuse, stable, tail_of
from eda_sim.theory.laws import offered_load


def erlang_b(offered: float, servers: int) -> float:
    """The probability that a request is lost where nobody waits (M/G/c/c).

    From one server to the next, B(n) = a B(n-1) / (n + a B(n-1)) with B(0) = 1, which
    neither overflows nor cancels. `offered` in erlang. Gross 2.6.

    >>> round(erlang_b(3, 5), 6)
    0.110054
    """
    load, blocked = number("offered", offered), 1.0
    for n in range(1, count("servers", servers) + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(offered: float, servers: int) -> float:
    """The probability that a request must wait in M/M/c.

    C = c B / (c - a (1 - B)), B from `erlang_b`. `offered` in erlang, below `servers`.
    Gross 2.3.

    >>> round(erlang_c(1.5, 2), 6)
    0.642857
    """
    blocked = erlang_b(offered, servers)
    load = stable(offered, servers, "add servers, or lower offered")
    return servers * blocked / (servers - load * (1 - blocked))


@dataclass(frozen=True)
class Queue:
    """The means of one queue in steady state; all follow from `mean_wait` by Little.

    `arrival_rate` per second, `mean_service` and `mean_wait` in seconds.
    """

    arrival_rate: float
    mean_service: float
    servers: int
    mean_wait: float

    @property
    def throughput(self) -> float:
        """Requests served, per second."""
        return self.arrival_rate

    @property
    def utilisation(self) -> float:
        """The fraction of time that a server is busy."""
        return self.throughput * self.mean_service / self.servers

    @property
    def mean_response(self) -> float:
        """Mean wait and service, seconds."""
        return self.mean_wait + self.mean_service

    @property
    def mean_queue(self) -> float:
        """Mean number waiting."""
        return self.throughput * self.mean_wait

    @property
    def mean_number(self) -> float:
        """Mean number waiting or being served."""
        return self.throughput * self.mean_response


@dataclass(frozen=True)
class MMc(Queue):
    """M/M/c: Poisson arrivals, exponential service, c servers, first come first served."""

    probability_of_waiting: float

    @property
    def _drain(self) -> float:
        """c / S - lambda: how fast a queue is worked off while all servers are busy."""
        return self.servers / self.mean_service - self.arrival_rate

    def wait_exceeds(self, seconds: float) -> float:
        """P(wait > t) = C exp(-(c/S - lambda) t), t in seconds. Gross 2.3.

        >>> round(mmc(100, 0.015, servers=2).wait_exceeds(0.020), 3)
        0.33
        """
        waited = number("seconds", seconds)
        return self.probability_of_waiting * math.exp(-self._drain * waited)

    def wait_quantile(self, p: float) -> float:
        """The wait in seconds that the fraction p in [0, 1) does not exceed.

        The inverse of `wait_exceeds`; 0 where at least p do not wait at all.

        >>> round(mmc(120, 0.015, servers=2).wait_quantile(0.95), 4)
        0.2127
        """
        tail = tail_of(p)
        if self.probability_of_waiting <= tail:
            return 0.0
        return math.log(self.probability_of_waiting / tail) / self._drain

    def response_exceeds(self, seconds: float) -> float:
        """P(response > t), exact: the wait and the service are independent. Gross 2.3.

        With m = 1/S and d = c/S - lambda: exp(-m t) + C m (exp(-m t) - exp(-d t)) / (d - m),
        whose limit at d = m is exp(-m t) (1 + C m t); t in seconds.

        >>> round(mm1(80, 0.010).response_exceeds(0.050), 4)
        0.3679
        """
        t, served = number("seconds", seconds), 1 / self.mean_service
        slow, gap = min(served, self._drain), abs(served - self._drain)
        # The slower exponential is taken out and expm1 used, so that nothing cancels
        # where the two rates are close, and nothing overflows where they are far apart.
        spread = -math.expm1(-gap * t) / gap if gap else t
        queued = self.probability_of_waiting * served * math.exp(-slow * t) * spread
        return math.exp(-served * t) + queued

    def response_quantile(self, p: float) -> float:
        """The response time in seconds that the fraction p in [0, 1) does not exceed.

        The inverse of `response_exceeds`, which is no closed form: bisected to the last digit.

        >>> round(mmc(100, 0.015, servers=2).response_quantile(0.95), 4)
        0.0971
        """
        tail, low, high = tail_of(p), 0.0, self.mean_response
        if tail == 1:
            return 0.0
        while self.response_exceeds(high) > tail:
            low, high = high, 2 * high
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if self.response_exceeds(middle) > tail else (low, middle)
        return high


def mmc(arrival_rate: float, mean_service: float, servers: int) -> MMc:
    """M/M/c, with probability of waiting C and mean wait C / (c/S - lambda). Gross 2.3.

    `arrival_rate` per second, `mean_service` in seconds. Refuses a load that the servers
    cannot carry.

    >>> queue = mmc(100, 0.015, servers=2)
    >>> round(1000 * queue.mean_wait, 3), round(1000 * queue.wait_quantile(0.95), 1)
    (19.286, 76.6)
    """
    load = offered_load(arrival_rate, mean_service)
    servers = count("servers", servers)
    stable(load, servers, "add servers, lower arrival_rate or mean_service")
    waiting = erlang_c(load, servers)
    mean_wait = waiting * mean_service / (servers - load)
    return MMc(arrival_rate, mean_service, servers, mean_wait, waiting)


def mm1(arrival_rate: float, mean_service: float) -> MMc:
    """M/M/1, whose response time is exponential with mean S / (1 - rho). Gross 2.2.

    >>> queue = mm1(80, 0.010)
    >>> [round(queue.response_quantile(p), 4) for p in (0.5, 0.95, 0.99)]
    [0.0347, 0.1498, 0.2303]
    """
    return mmc(arrival_rate, mean_service, servers=1)


@dataclass(frozen=True)
class MMcK(Queue):
    """M/M/c/K: as M/M/c, but whoever finds `capacity` requests inside is rejected.

    `mean_wait` and `mean_response` are those of the accepted.
    """

    capacity: int
    blocking_probability: float

    @property
    def throughput(self) -> float:
        """Requests accepted and served, per second."""
        return self.arrival_rate * (1 - self.blocking_probability)


def mmck(arrival_rate: float, mean_service: float, servers: int, capacity: int) -> MMcK:
    """M/M/c/K; stable at any load. `capacity` counts waiting and being served. Gross 2.5.

    `arrival_rate` per second, `mean_service` in seconds. Refuses a capacity below `servers`.

    Room is added one place at a time: with k places, P(k) = x / (1 + x) where
    x = a P(k-1) / min(k, c), the probabilities of fewer shrink by 1 - P(k). The same
    walk as Erlang B, and as safe from overflow.

    >>> round(mmck(80, 0.010, servers=1, capacity=5).blocking_probability, 6)
    0.088819
    """
    load = offered_load(arrival_rate, mean_service)
    servers, capacity = count("servers", servers), count("capacity", capacity)
    if capacity < servers:
        remedy = "capacity counts those being served too"
        refuse("capacity", f"be >= servers = {servers}", capacity, remedy)
    full, mean_queue = 1.0, 0.0
    for k in range(1, capacity + 1):
        odds = load * full / min(k, servers)
        full = odds / (1 + odds)
        mean_queue += full * (max(k - servers, 0) - mean_queue)
    accepted = arrival_rate * (1 - full)
    mean_wait = mean_queue / accepted if accepted else 0.0
    return MMcK(arrival_rate, mean_service, servers, mean_wait, capacity, full)


def pollaczek_khinchine(arrival_rate: float, mean_service: float, cv: float) -> Queue:
    """M/G/1, exact means: mean wait = rho S (1 + cv^2) / (2 (1 - rho)). Gross 5.1.

    Poisson arrivals per second, any service time with mean `mean_service` in seconds and
    coefficient of variation `cv`. Refuses a load of 1 erlang or more.

    >>> [round(pollaczek_khinchine(80, 0.010, cv).mean_wait, 3) for cv in (0, 1, 2)]
    [0.02, 0.04, 0.1]
    """
    load = offered_load(arrival_rate, mean_service)
    rho = stable(load, 1, "lower arrival_rate or mean_service")
    variability = (1 + number("cv", cv) ** 2) / 2
    return Queue(arrival_rate, mean_service, 1, variability * mean_service * rho / (1 - rho))


def kingman(
    arrival_rate: float, mean_service: float, cv_arrival: float, cv_service: float, servers: int = 1
) -> Queue:
    """G/G/c, approximate: mean wait ~ that of M/M/c x (cv_arrival^2 + cv_service^2) / 2.

    Rate per second, mean in seconds, `cv_arrival` of the times between arrivals. Exact for
    M/M/c and M/G/1; otherwise best near saturation and poor at low load. Refuses a load
    that the servers cannot carry.
    One server: J. Kingman, "The Single Server Queue in Heavy Traffic", Proceedings of
    the Cambridge Philosophical Society 57 (1961). More: the Allen-Cunneen formula,
    A. Allen, *Probability, Statistics, and Queueing Theory*, 2nd edition, 1990.

    >>> round(kingman(80, 0.010, cv_arrival=0, cv_service=1).mean_wait, 3)
    0.02
    """
    arrivals, services = number("cv_arrival", cv_arrival), number("cv_service", cv_service)
    exponential = mmc(arrival_rate, mean_service, servers)
    mean_wait = exponential.mean_wait * (arrivals**2 + services**2) / 2
    return Queue(arrival_rate, mean_service, servers, mean_wait)


def mg_infinity_number(arrival_rate: float, mean_service: float) -> float:
    """M/G/infinity: the number in system is Poisson with this mean (and variance), lambda S.

    Nobody waits, so only the mean of the service time matters. Gross 5.2.

    >>> mg_infinity_number(80, 0.050)
    4.0
    """
    return offered_load(arrival_rate, mean_service)
