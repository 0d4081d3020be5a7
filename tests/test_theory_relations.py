"""The closed forms agree with one another: limits, laws and directions, at any load."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim import theory
from eda_sim.theory import (
    availability_in_parallel,
    availability_in_series,
    caller_holding_time,
    dead_letter_probability,
    erlang_b,
    erlang_c,
    expected_attempts,
    jackson,
    jackson_tandem,
    kingman,
    littles_law,
    mm1,
    mmc,
    mmck,
    offered_load,
    pollaczek_khinchine,
    utilisation,
)

loads = st.floats(0.01, 0.98)
services = st.floats(1e-3, 10.0)
servers_ = st.integers(1, 40)
fractions = st.floats(0.0, 1.0)


@given(load=loads, mean_service=services)
def test_one_server_is_mm1(load: float, mean_service: float) -> None:
    """With one server C = rho, and the response is exponential with mean S / (1 - rho)."""
    queue = mm1(load / mean_service, mean_service)
    mean = mean_service / (1 - load)
    assert queue.probability_of_waiting == pytest.approx(load, rel=1e-9)
    assert queue.mean_response == pytest.approx(mean, rel=1e-9)
    assert queue.response_exceeds(mean) == pytest.approx(math.exp(-1), rel=1e-9)
    assert queue.response_quantile(0.99) == pytest.approx(mean * math.log(100), rel=1e-9)


@given(load=loads, mean_service=services, cv=st.floats(0, 5), servers=servers_)
def test_kingman_is_exact_where_it_should_be(
    load: float, mean_service: float, cv: float, servers: int
) -> None:
    """Kingman's formula meets P-K for M/G/1 and Erlang C for M/M/c; P-K at cv 1 is M/M/1."""
    rate = load / mean_service
    exact = pollaczek_khinchine(rate, mean_service, cv)
    assert kingman(rate, mean_service, 1, cv).mean_wait == pytest.approx(exact.mean_wait, rel=1e-9)
    several = mmc(rate * servers, mean_service, servers)
    approximated = kingman(rate * servers, mean_service, 1, 1, servers)
    assert approximated.mean_wait == pytest.approx(several.mean_wait, rel=1e-9)
    memoryless = pollaczek_khinchine(rate, mean_service, 1)
    assert memoryless.mean_wait == pytest.approx(mm1(rate, mean_service).mean_wait, rel=1e-9)


@given(offered=st.floats(0.01, 60), servers=servers_)
def test_no_waiting_room_is_erlang_b(offered: float, servers: int) -> None:
    """M/M/c/c loses what Erlang B says and makes nobody wait."""
    queue = mmck(offered, 1.0, servers, capacity=servers)
    assert queue.blocking_probability == pytest.approx(erlang_b(offered, servers), rel=1e-9)
    assert queue.mean_wait == 0


@given(load=st.floats(0.01, 0.9), servers=st.integers(1, 10))
def test_endless_waiting_room_is_mmc(load: float, servers: int) -> None:
    """M/M/c/K with room for everybody is M/M/c (0.9 to the 400th is 5e-19)."""
    limited, unlimited = mmck(load * servers, 1, servers, 400), mmc(load * servers, 1, servers)
    assert limited.mean_wait == pytest.approx(unlimited.mean_wait, rel=1e-9, abs=1e-15)


def test_hugely_overloaded_losses_do_not_overflow() -> None:
    """5000 servers at 1000 times their load lose all but what they can do."""
    assert erlang_b(5e6, 5000) == pytest.approx(1 - 1e-3, abs=1e-6)
    assert mmck(5e6, 1.0, 5000, 6000).throughput == pytest.approx(5000, rel=1e-9)


@given(load=loads, servers=servers_, p=st.floats(0.0, 0.9999))
def test_quantiles_invert_the_tails(load: float, servers: int, p: float) -> None:
    """Exactly 1 - p are slower than the quantile p; nobody waits below it where it is 0."""
    queue = mmc(load * servers, 1.0, servers)
    response, wait = queue.response_quantile(p), queue.wait_quantile(p)
    assert queue.response_exceeds(response) == pytest.approx(1 - p, rel=1e-9)
    if wait > 0:
        assert queue.wait_exceeds(wait) == pytest.approx(1 - p, rel=1e-9)
    else:
        assert queue.probability_of_waiting <= 1 - p
    assert wait <= response * (1 + 1e-12)


@given(load=st.floats(0.05, 0.9), servers=st.integers(1, 20), cv=st.floats(0, 3))
def test_more_load_waits_longer_and_more_servers_shorter(
    load: float, servers: int, cv: float
) -> None:
    """Every mean moves the way common sense says, strictly."""
    rate = load * servers
    queue = mmc(rate, 1.0, servers)
    assert mmc(rate * 1.05, 1.0, servers).mean_wait > queue.mean_wait
    assert mmc(rate, 1.0, servers + 1).mean_wait < queue.mean_wait
    assert mmc(rate * 2, 0.5, servers).mean_response < queue.mean_response
    assert (
        pollaczek_khinchine(load, 1, cv + 0.1).mean_wait
        > pollaczek_khinchine(load, 1, cv).mean_wait
    )
    assert erlang_b(rate, servers + 1) < erlang_b(rate, servers) < erlang_c(rate, servers)


@given(load=loads, servers=servers_, factor=st.sampled_from([0.001, 2.0, 60.0]))
def test_slower_clock_same_queue(load: float, servers: int, factor: float) -> None:
    """All times longer by a factor: probabilities stay, times grow by that factor."""
    fast, slow = mmc(load * servers, 1.0, servers), mmc(load * servers / factor, factor, servers)
    assert slow.probability_of_waiting == pytest.approx(fast.probability_of_waiting, rel=1e-9)
    assert slow.mean_wait == pytest.approx(factor * fast.mean_wait, rel=1e-9)
    assert slow.response_quantile(0.9) == pytest.approx(
        factor * fast.response_quantile(0.9), rel=1e-9
    )


@given(load=loads, servers=servers_, capacity=st.integers(0, 30))
def test_every_queue_obeys_little(load: float, servers: int, capacity: int) -> None:
    """Number = rate x time for each queue, counting only the accepted where some are lost."""
    rate = load * servers
    for queue in (
        mmc(rate, 1.0, servers),
        mmck(rate, 1.0, servers, servers + capacity),
        kingman(rate, 1.0, 0.5, 2.0, servers),
    ):
        served, response = queue.throughput, queue.mean_response
        assert queue.mean_number == pytest.approx(
            littles_law(arrival_rate=served, mean_time=response)
        )
        busy = queue.mean_number - queue.mean_queue
        assert busy == pytest.approx(queue.utilisation * servers, rel=1e-6)


@given(rate=st.floats(0.1, 50), time=st.floats(0.001, 10))
def test_littles_law_gives_the_missing_one(rate: float, time: float) -> None:
    """Any two of rate, time and number give the third back."""
    inside = littles_law(arrival_rate=rate, mean_time=time)
    assert littles_law(mean_number=inside, mean_time=time) == pytest.approx(rate)
    assert littles_law(mean_number=inside, arrival_rate=rate) == pytest.approx(time)


@given(failure=fractions, max_attempts=st.integers(1, 30))
def test_attempts_and_dead_letters_close_the_account(failure: float, max_attempts: int) -> None:
    """Each message succeeds once or dies: attempts x (1 - q) = 1 - dead letters."""
    successes = expected_attempts(failure, max_attempts) * (1 - failure)
    dead = dead_letter_probability(failure, max_attempts)
    assert successes == pytest.approx(1 - dead, abs=1e-12)


@given(parts=st.lists(fractions, min_size=1, max_size=6))
def test_a_chain_is_no_better_than_its_worst_link(parts: list[float]) -> None:
    """Series <= the worst, parallel >= the best, and each is the other's mirror image."""
    series, parallel = availability_in_series(*parts), availability_in_parallel(*parts)
    assert series <= min(parts)
    assert parallel >= max(parts) - 1e-12
    assert availability_in_series(*(1 - a for a in parts)) == pytest.approx(1 - parallel)


def test_a_tandem_is_the_sum_of_its_queues_in_any_order() -> None:
    """Burke: each station sees Poisson arrivals, so the means add up."""
    stations = [(0.010, 1), (0.030, 3), (0.020, 2)]
    apart = sum(mmc(80, mean_service, servers).mean_response for mean_service, servers in stations)
    for order in itertools.permutations(stations):
        assert jackson_tandem(80, order).mean_response == pytest.approx(apart, rel=1e-12)


def test_an_unvisited_station_changes_nothing() -> None:
    """A station that nobody is routed to is empty and adds no time."""
    network = jackson([50, 0], [[0.2, 0], [0, 0]], [(0.010, 1), (9.0, 1)])
    alone = jackson([50], [[0.2]], [(0.010, 1)])
    assert network.stations[1].mean_number == 0
    assert network.mean_response == pytest.approx(alone.mean_response)


def test_a_caller_that_holds_its_worker_is_busy_while_it_waits() -> None:
    """5 ms of own work and 115 ms of calls at 40/s hold 4.8 of 32 workers, not 0.2."""
    held = caller_holding_time(0.005, 0.060, 0.030, 0.025)
    assert offered_load(40, held) == pytest.approx(4.8)
    assert utilisation(40, held, servers=32) == pytest.approx(0.15)
    assert utilisation(40, caller_holding_time(0.005), servers=32) == pytest.approx(0.2 / 32)


def test_every_public_formula_shows_an_example() -> None:
    """What the package exports is documented, and every function's docstring can be run."""
    for name in theory.__all__:
        exported = getattr(theory, name)
        assert exported.__doc__, name
        assert isinstance(exported, type) or ">>> " in exported.__doc__, name
