"""The closed forms agree with hand-computed numbers and with brute force.

The twins here know no queueing formula: a Markov chain is written down state by state
and its stationary equations are solved, an integral is added up numerically, outcomes
are enumerated. They are slow and small; the formulas must give the same to many digits.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from eda_sim.theory import (
    availability,
    availability_in_parallel,
    availability_in_series,
    backlog_after_outage,
    dead_letter_probability,
    drain_time,
    erlang_b,
    erlang_c,
    expected_attempts,
    jackson,
    jackson_tandem,
    mg_infinity_number,
    mm1,
    mmc,
    mmck,
    pollaczek_khinchine,
    visibility_timeout_duplicates,
)

Vector = NDArray[np.float64]
Jumps = list[tuple[int, int, float]]  # from state, to state, rate

STABLE_MMC = [  # arrival rate, mean service, servers; in the third, c/S - lambda equals 1/S
    (80.0, 0.010, 1),
    (120.0, 0.015, 2),
    (100.0, 0.010, 2),
    (40.0, 0.060, 4),
    (5.0, 0.100, 3),
]


def stationary(states: int, jumps: Jumps) -> Vector:
    """The distribution that the jumps of a Markov chain leave unchanged."""
    balance = np.zeros((states, states))
    for here, there, rate in jumps:
        balance[there, here] += rate
        balance[here, here] -= rate
    balance[-1] = 1.0  # one equation follows from the others: say instead that all sum to 1
    return np.linalg.solve(balance, np.eye(states)[-1])


def birth_death(rate: float, mean_service: float, servers: int, capacity: int) -> Vector:
    """Probabilities of 0..capacity in a queue with exponential arrivals and services."""
    up = [(n, n + 1, rate) for n in range(capacity)]
    down = [(n, n - 1, min(n, servers) / mean_service) for n in range(1, capacity + 1)]
    return stationary(capacity + 1, up + down)


def mean_of(probabilities: Vector) -> float:
    """The mean of a distribution over 0, 1, 2, ..."""
    return float(probabilities @ np.arange(len(probabilities)))


# --- the numbers that anyone can look up ---------------------------------------------


def test_mm1_at_80_and_100_per_second() -> None:
    """80/s on 100/s: 50 ms on average, p95 149.8 ms, p99 230.3 ms."""
    queue = mm1(80, 0.010)
    assert queue.mean_response == pytest.approx(0.050, rel=1e-12)
    assert queue.response_quantile(0.95) == pytest.approx(0.1498, abs=5e-5)
    assert queue.response_quantile(0.99) == pytest.approx(0.2303, abs=5e-5)


@pytest.mark.parametrize(
    ("rate", "waiting", "mean_wait", "mean_response", "wait_p95"),
    [(100, 0.642857, 0.019286, 0.034286, 0.0766), (120, 0.852632, 0.063947, 0.078947, 0.2127)],
)
def test_mm2_of_15_ms(
    rate: float, waiting: float, mean_wait: float, mean_response: float, wait_p95: float
) -> None:
    """Two servers of 15 ms, at 100/s and 120/s."""
    queue = mmc(rate, 0.015, servers=2)
    assert queue.probability_of_waiting == pytest.approx(waiting, abs=5e-7)
    assert queue.mean_wait == pytest.approx(mean_wait, abs=5e-7)
    assert queue.mean_response == pytest.approx(mean_response, abs=5e-7)
    assert queue.wait_quantile(0.95) == pytest.approx(wait_p95, abs=5e-5)


@pytest.mark.parametrize(("cv", "mean_wait"), [(0.0, 0.020), (1.0, 0.040), (2.0, 0.100)])
def test_variability_costs_waiting(cv: float, mean_wait: float) -> None:
    """Load 0.8, S = 10 ms: 20 ms of waiting if constant, 100 ms at cv 2."""
    queue = pollaczek_khinchine(80, 0.010, cv)
    assert queue.mean_wait == pytest.approx(mean_wait, rel=1e-12)


def test_losses() -> None:
    """Erlang B, M/M/1/5 and M/M/2/10 as tabulated."""
    assert erlang_b(3, 5) == pytest.approx(0.110054, abs=5e-7)
    assert mmck(80, 0.010, 1, 5).blocking_probability == pytest.approx(0.088819, abs=5e-7)
    assert mmck(120, 0.015, 2, 10).blocking_probability == pytest.approx(0.054807, abs=5e-7)


def test_jackson_numbers() -> None:
    """The tandem takes 72.22 ms; the feedback queue 33.33 ms with 1.6667 inside."""
    tandem = jackson_tandem(80, [(1 / 100, 1), (1 / 125, 1)])
    assert tandem.mean_response == pytest.approx(0.05 + 1 / 45, rel=1e-12)
    feedback = jackson([50], [[0.2]], [(0.010, 1)])
    assert feedback.mean_response == pytest.approx(1 / 30, rel=1e-12)
    assert feedback.mean_number == pytest.approx(5 / 3, rel=1e-12)


def test_retries_timeouts_and_unlimited_servers() -> None:
    """Three attempts at q = 0.2; a visibility timeout of four services; 80/s for 50 ms."""
    assert expected_attempts(0.2, 3) == pytest.approx(1.24, rel=1e-12)
    assert dead_letter_probability(0.2, 3) == pytest.approx(0.008, rel=1e-12)
    assert visibility_timeout_duplicates(0.060, 0.015) == pytest.approx(0.018316, abs=5e-7)
    assert mg_infinity_number(80, 0.050) == pytest.approx(4.0, rel=1e-12)


# --- brute-force twins ---------------------------------------------------------------


@pytest.mark.parametrize(("rate", "mean_service", "servers"), STABLE_MMC)
def test_mmc_is_its_markov_chain(rate: float, mean_service: float, servers: int) -> None:
    """M/M/c gives what the chain of all its states gives; at 400 places the rest is 1e-17."""
    chain, queue = birth_death(rate, mean_service, servers, 400), mmc(rate, mean_service, servers)
    numbers = np.arange(401)
    assert queue.mean_number == pytest.approx(mean_of(chain), rel=1e-9)
    assert queue.mean_queue == pytest.approx(chain @ np.maximum(numbers - servers, 0), rel=1e-9)
    assert queue.utilisation * servers == pytest.approx(chain @ np.minimum(numbers, servers))
    assert queue.probability_of_waiting == pytest.approx(chain[servers:].sum(), rel=1e-9)


@pytest.mark.parametrize(("rate", "mean_service", "servers"), STABLE_MMC)
@pytest.mark.parametrize("services_long", [0.3, 1.0, 4.0])
def test_mmc_times_are_those_of_who_is_ahead(
    rate: float, mean_service: float, servers: int, services_long: float
) -> None:
    """P(wait > t) adds up over how many are ahead; P(response > t) is its convolution."""
    t, queue = services_long * mean_service, mmc(rate, mean_service, servers)
    found = birth_death(rate, mean_service, servers, 400)[servers:]
    departures = np.arange(1, len(found) + 1)  # a server is free after that many

    def waits(seconds: float) -> float:
        tail = stats.gamma.sf(seconds, departures, scale=mean_service / servers)
        return float(found @ tail)

    def served_for(seconds: float) -> float:
        return math.exp(-seconds / mean_service) / mean_service * waits(t - seconds)

    convolved, _ = integrate.quad(served_for, 0, t, epsabs=1e-11)
    assert queue.wait_exceeds(t) == pytest.approx(waits(t), rel=1e-8)
    responds = convolved + math.exp(-t / mean_service)
    assert queue.response_exceeds(t) == pytest.approx(responds, rel=1e-8)


@pytest.mark.parametrize(("rate", "mean_service", "servers"), STABLE_MMC)
def test_tails_add_up_to_means(rate: float, mean_service: float, servers: int) -> None:
    """The area under P(time > t) is the mean time."""
    queue = mmc(rate, mean_service, servers)
    horizon = queue.response_quantile(1 - 1e-13)
    wait, _ = integrate.quad(queue.wait_exceeds, 0, horizon, epsabs=1e-11)
    response, _ = integrate.quad(queue.response_exceeds, 0, horizon, epsabs=1e-11)
    assert wait == pytest.approx(queue.mean_wait, rel=1e-7)
    assert response == pytest.approx(queue.mean_response, rel=1e-7)


@pytest.mark.parametrize("nudge", [-1e-3, -1e-9, -1e-13, 1e-13, 1e-9, 1e-3])
def test_nothing_cancels_near_the_special_case(nudge: float) -> None:
    """Close to c/S - lambda = 1/S the tail moves no more than the load did."""
    exact, near = mmc(100, 0.010, 2), mmc(100 * (1 + nudge), 0.010, 2)
    difference = near.response_exceeds(0.03) / exact.response_exceeds(0.03) - 1
    assert abs(difference) <= 5 * abs(nudge) + 1e-13


@pytest.mark.parametrize("capacity", [3, 4, 12])
@pytest.mark.parametrize("rate", [10.0, 60.0, 300.0])
def test_mmck_is_its_markov_chain(rate: float, capacity: int) -> None:
    """M/M/3/K, also overloaded: losses, numbers and the times of the accepted."""
    chain, queue = birth_death(rate, 0.05, 3, capacity), mmck(rate, 0.05, 3, capacity)
    numbers = np.arange(capacity + 1)
    accepted = rate * chain[:-1].sum()
    assert queue.blocking_probability == pytest.approx(chain[-1], rel=1e-9)
    assert queue.throughput == pytest.approx(accepted, rel=1e-9)
    assert queue.mean_number == pytest.approx(mean_of(chain), rel=1e-9)
    assert queue.mean_queue == pytest.approx(chain @ np.maximum(numbers - 3, 0), abs=1e-12)
    assert queue.mean_response == pytest.approx(mean_of(chain) / accepted, rel=1e-9)


@pytest.mark.parametrize(("offered", "servers"), [(1, 1), (3, 5), (17, 20), (90, 100)])
def test_erlang_is_its_definition(offered: int, servers: int) -> None:
    """The recursions give the quotients of factorials and powers, done in exact fractions."""
    terms = [Fraction(offered**n, math.factorial(n)) for n in range(servers + 1)]
    assert erlang_b(offered, servers) == pytest.approx(float(terms[-1] / sum(terms)), rel=1e-12)
    if offered < servers:
        queued = terms[-1] * Fraction(servers, servers - offered)
        exact = queued / (sum(terms[:-1]) + queued)
        assert erlang_c(offered, servers) == pytest.approx(float(exact), rel=1e-12)


def test_constant_service_is_its_chain_of_departures() -> None:
    """M/D/1: what a departure leaves behind, one Poisson crowd later, has P-K's mean."""
    size, load = 250, 0.7
    crowd = stats.poisson.pmf(np.arange(size), load)
    jumps = [
        (n, max(n - 1, 0) + k, float(crowd[k]))
        for n in range(size)
        for k in range(size - max(n - 1, 0))
    ]
    left_behind = mean_of(stationary(size, jumps))
    assert pollaczek_khinchine(70, 0.010, cv=0).mean_number == pytest.approx(left_behind, rel=1e-9)


def test_mixed_service_is_its_markov_chain() -> None:
    """M/H2/1, fast and slow requests mixed to cv 2.3: P-K's mean number is the chain's."""
    share, means, rate, size = np.array([0.9, 0.1]), np.array([0.5, 5.5]), 0.6, 300
    mean = share @ means
    cv = math.sqrt(2 * share @ means**2 / mean**2 - 1)
    assert 2.3 < cv < 2.4

    def state(n: int, kind: int) -> int:  # 0 is empty; then n inside, this kind in service
        return 0 if n == 0 else 1 + 2 * (n - 1) + kind

    jumps: Jumps = []
    for n, kind, following in itertools.product(range(size + 1), (0, 1), (0, 1)):
        here, part = state(n, kind), float(share[following])
        if n == 0 and kind == 0:
            jumps.append((0, state(1, following), rate * part))
        if n > 0:
            jumps.append((here, state(n - 1, following), part / means[kind]))
        if 0 < n < size and kind == following:
            jumps.append((here, state(n + 1, kind), rate))
    chain = stationary(1 + 2 * size, jumps)
    inside = chain @ np.array([0, *(n for n in range(1, size + 1) for _ in (0, 1))])
    assert pollaczek_khinchine(rate, float(mean), cv).mean_number == pytest.approx(inside, rel=1e-6)


def test_unlimited_servers_hold_a_poisson_number() -> None:
    """M/M/infinity as a chain: mean and variance are both lambda S."""
    chain = birth_death(80, 0.050, servers=60, capacity=60)
    square = float(chain @ np.arange(61) ** 2)
    assert mean_of(chain) == pytest.approx(mg_infinity_number(80, 0.050), rel=1e-9)
    assert square - mean_of(chain) ** 2 == pytest.approx(mg_infinity_number(80, 0.050), rel=1e-9)


def test_jackson_is_its_markov_chain() -> None:
    """Two stations that feed each other and themselves: as the chain of both numbers says."""
    external, routing = (2.0, 1.0), ((0.1, 0.5), (0.3, 0.0))
    stations, size = ((0.08, 1), (0.15, 2)), 24
    jumps: Jumps = []
    for both in itertools.product(range(size), repeat=2):
        here = both[0] * size + both[1]
        for i, step in enumerate((size, 1)):
            if both[i] < size - 1:
                jumps.append((here, here + step, external[i]))
            if both[i] > 0:
                mean_service, servers = stations[i]
                leaving, other = min(both[i], servers) / mean_service, 1 - i
                jumps.append((here, here - step, leaving * (1 - sum(routing[i]))))
                if both[other] < size - 1:
                    moved = here - step + (1, size)[i]
                    jumps.append((here, moved, leaving * routing[i][other]))
    chain = stationary(size * size, jumps).reshape(size, size)
    network = jackson(external, routing, stations)
    assert network.stations[0].mean_number == pytest.approx(mean_of(chain.sum(axis=1)), rel=1e-5)
    assert network.stations[1].mean_number == pytest.approx(mean_of(chain.sum(axis=0)), rel=1e-5)
    assert network.mean_response == pytest.approx(network.mean_number / 3.0, rel=1e-12)


@pytest.mark.parametrize("max_attempts", [1, 3, 5])
@pytest.mark.parametrize("failure", [0.0, 0.2, 0.9, 1.0])
def test_retries_enumerated(failure: float, max_attempts: int) -> None:
    """Every way the attempts can go, weighed by its probability."""
    expected = dead = 0.0
    for fails in itertools.product((True, False), repeat=max_attempts):
        weight = math.prod(failure if fail else 1 - failure for fail in fails)
        made = max_attempts if all(fails) else fails.index(False) + 1
        expected, dead = expected + weight * made, dead + weight * all(fails)
    assert expected_attempts(failure, max_attempts) == pytest.approx(expected, abs=1e-12)
    assert dead_letter_probability(failure, max_attempts) == pytest.approx(dead, abs=1e-12)


def test_availability_enumerated() -> None:
    """Every combination of up and down: all up is the series, any up the parallel."""
    parts = (0.9, 0.5, 0.99)
    series = parallel = 0.0
    for ups in itertools.product((True, False), repeat=3):
        weight = math.prod(a if up else 1 - a for a, up in zip(parts, ups, strict=True))
        series, parallel = series + weight * all(ups), parallel + weight * any(ups)
    assert availability_in_series(*parts) == pytest.approx(series, abs=1e-12)
    assert availability_in_parallel(*parts) == pytest.approx(parallel, abs=1e-12)


def test_availability_is_the_long_run_of_a_two_state_chain() -> None:
    """Up for 600 s, down for 60 s, on average: the chain is up 10/11 of the time."""
    up, _ = stationary(2, [(0, 1, 1 / 600), (1, 0, 1 / 60)])
    assert availability(600, 60) == pytest.approx(up, rel=1e-12)


def test_backlog_stepped_second_by_second() -> None:
    """An outage leaves what a ledger kept each second leaves, and drains when that is 0."""
    backlog = 0.0
    for _ in range(60):
        backlog += 40 - 15
    assert backlog_after_outage(40, remaining_capacity=15, downtime=60) == backlog
    seconds = 0
    while backlog > 0:
        backlog, seconds = backlog + 40 - 65, seconds + 1
    assert drain_time(25 * 60, arrival_rate=40, capacity=65) == seconds
    assert backlog_after_outage(40, remaining_capacity=50, downtime=60) == 0


def test_visibility_timeout_integrated() -> None:
    """The share of exponential services longer than the timeout, as an area."""
    area, _ = integrate.quad(lambda t: math.exp(-t / 0.015) / 0.015, 0, 0.060, epsabs=1e-12)
    assert visibility_timeout_duplicates(0.060, 0.015) == pytest.approx(1 - area, abs=1e-9)
