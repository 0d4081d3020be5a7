"""Brute-force twins: the same luck, put through a few lines of arithmetic instead.

A twin knows nothing of processes, events or workers. It takes the very numbers that the
engine draws and must come to the very same times, digit for digit.
"""

from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Any

import ciw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_sim import (
    Backoff,
    Exponential,
    Gamma,
    LogNormal,
    Poisson,
    Publish,
    Retry,
    Service,
    Uniform,
    Work,
    fan_out,
    simulate,
)
from eda_sim.rules import quantiles
from eda_sim.rules.luck import Luck, fold
from eda_sim.scenario.distributions import Distribution
from tests.worlds import queue, world

shapes = st.sampled_from(
    [Exponential(0.01), Uniform(0.0, 0.02), LogNormal(0.01, cv=2.0), Gamma(0.01, cv=0.5)]
)
seeds = st.integers(0, 2**32)


def drawn(seed: int, address: str, shape: Distribution, n: int, place: int = 0) -> list[float]:
    """The times of an address for requests 0 to n - 1, drawn one by one."""
    stream = Luck(seed).stream(address, "clients", place)
    quantile = quantiles.of(shape)
    return [quantile(stream.uniform(request)) for request in range(n)]


def arrivals(seed: int, rate: float, duration: float) -> list[float]:
    """The moments of a Poisson source: the sum of its gaps, by its rate."""
    moments: list[float] = []
    total = 0.0
    for gap in Luck(seed).unit_gaps("clients"):
        total += gap
        if total / rate >= duration:
            return moments
        moments.append(total / rate)
    raise AssertionError("gaps never end")


# -- one queue -------------------------------------------------------------------------


@given(st.sampled_from([20.0, 80.0, 150.0]), shapes, seeds)
@settings(max_examples=25)
def test_lindley(rate: float, shape: Distribution, seed: int) -> None:
    """One worker: a request starts when it comes or when the one before has ended (Lindley)."""
    scenario = queue(rate, shape, requests=300)
    run = simulate(scenario, seed)
    moments = arrivals(seed, rate, scenario.duration)
    ends, end = [], 0.0
    for moment, took in zip(moments, drawn(seed, "server/serve", shape, len(moments)), strict=True):
        end = max(moment, end) + took
        ends.append(end)
    assert run.requests["started_at"].tolist() == moments
    assert run.requests["answered_at"].tolist() == ends


@given(st.integers(1, 5), shapes, seeds)
@settings(max_examples=25)
def test_kiefer_and_wolfowitz(workers: int, shape: Distribution, seed: int) -> None:
    """Several workers: a request starts when it comes or when the first of them is free."""
    rate = 90.0 * workers
    scenario = queue(rate, shape, requests=300, workers=workers)
    run = simulate(scenario, seed)
    moments = arrivals(seed, rate, scenario.duration)
    free = [0.0] * workers
    ends = []
    for moment, took in zip(moments, drawn(seed, "server/serve", shape, len(moments)), strict=True):
        ends.append(max(moment, free[0]) + took)
        heapreplace(free, ends[-1])
    assert run.requests["answered_at"].tolist() == ends


@given(st.integers(1, 3), st.integers(0, 4), shapes, seeds)
@settings(max_examples=25)
def test_a_queue_with_little_room(workers: int, inbox: int, shape: Distribution, seed: int) -> None:
    """Whoever finds all workers busy and the inbox full is rejected, and no one else."""
    rate = 150.0 * workers
    scenario = queue(rate, shape, requests=300, workers=workers, inbox=inbox)
    run = simulate(scenario, seed)
    moments = arrivals(seed, rate, scenario.duration)
    inside: list[float] = []  # when each request that is inside will leave
    ends: list[float] = []
    for moment, took in zip(moments, drawn(seed, "server/serve", shape, len(moments)), strict=True):
        while inside and inside[0] <= moment:
            heappop(inside)
        if len(inside) == workers + inbox:
            ends.append(-1.0)
            continue
        before = sorted(inside)[max(0, len(inside) - workers) :]
        begin = moment if len(inside) < workers else before[0]
        ends.append(begin + took)
        heappush(inside, ends[-1])
    rejected = (run.requests["outcome"] == "rejected").to_numpy()
    answered = np.where(rejected, -1.0, run.requests["answered_at"])
    assert answered.tolist() == ends


# -- retries ---------------------------------------------------------------------------


def retried(
    seed: int,
    published: list[float],
    subscriber: str,
    workers: int,
    service: Distribution,
    transient: float,
    retry: Retry,
    deliver: Distribution,
) -> dict[int, tuple[float, int, bool]]:
    """One subscriber by hand: for each request when it ended, in which try, and whether well."""
    luck = Luck(seed)
    travel = luck.stream(f"publishers -> MessagePublished/{subscriber}/deliver", "publishers")
    work = luck.stream(f"{subscriber}/handle", "publishers")
    coin = luck.stream(f"{subscriber}/handle/transient", "publishers")
    order = count()
    due: list[Any] = [
        (at + quantiles.of(deliver)(travel.uniform(request)), next(order), request, 1)
        for request, at in enumerate(published)
    ]
    heapify(due)
    free = [0.0] * workers
    ends: dict[int, tuple[float, int, bool]] = {}
    while due:
        at, _, request, attempt = heappop(due)
        tries = fold(0, attempt)
        end = max(at, free[0]) + quantiles.of(service)(work.uniform(request, tries))
        heapreplace(free, end)
        failed = coin.uniform(request, tries) < transient
        if failed and attempt < retry.max_attempts:
            again = end + retry.backoff.base * retry.backoff.factor ** (attempt - 1)
            heappush(due, (again, next(order), request, attempt + 1))
        else:
            ends[request] = (end, attempt, not failed)
    return ends


@pytest.mark.parametrize("seed", [1, 2])
def test_fan_out_with_retries(seed: int) -> None:
    """The benchmark's workload, each subscriber a queue of its own with things coming back."""
    thrice = Retry(max_attempts=3)
    scenario = fan_out(messages=4000, transient=0.2, retry=thrice, rate=400, workers=5)
    run = simulate(scenario, seed)
    published = run.requests["started_at"].tolist()
    retry = Retry(max_attempts=3, backoff=Backoff(1.0))
    for n in (1, 2, 3):
        name = f"subscriber-{n}"
        twin = retried(seed, published, name, 5, Exponential(0.008), 0.2, retry, Exponential(0.005))
        mine = run.deliveries[run.deliveries["subscriber"] == name]
        found = {
            row.request: (row.ended_at, row.attempts, row.outcome == "handled")
            for row in mine.itertuples()
        }
        assert found == twin
    assert set(run.deliveries["outcome"]) == {"handled", "dead_lettered"}


# -- a network, and another simulator --------------------------------------------------


def test_ciw_agrees_on_a_network_of_queues() -> None:
    """M/M/2 then M/M/1, fed to Ciw with the same times: every stay is the same.

    Ciw adds up gaps where we have moments, so the last digits differ: to a nanosecond.
    """
    rate, n = 80.0, 3000
    services = [
        Service("first", workers=2, on={"E": [Work(Exponential(0.020), "one"), Publish("F")]}),
        Service("second", on={"F": [Work(Exponential(0.010), "two")]}),
    ]
    scenario = world(Publish("E"), Poisson(rate), services, duration=n / rate)
    run = simulate(scenario, seed=5)
    moments = run.requests["started_at"].to_numpy()
    first, second = (run.attempts[run.attempts["service"] == name] for name in ("first", "second"))
    one = np.array(drawn(5, "first/one", Exponential(0.020), len(moments)))
    two = np.array(drawn(5, "second/two", Exponential(0.010), len(moments)))
    sequential = ciw.dists.Sequential
    network = ciw.create_network(
        arrival_distributions=[sequential([*np.diff(moments, prepend=0.0), np.inf]), None],
        service_distributions=[sequential(list(one)), sequential(list(two[second["request"]]))],
        routing=[[0.0, 1.0], [0.0, 0.0]],
        number_of_servers=[2, 1],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(run.scenario.duration + 600)
    records = simulation.get_all_records()
    for node, attempts in ((1, first), (2, second)):
        stays = sorted(
            (r.arrival_date, r.service_start_date, r.service_end_date)
            for r in records
            if r.node == node
        )
        mine = attempts[["queued_at", "started_at", "ended_at"]].sort_values("queued_at")
        assert len(stays) == len(moments)
        assert np.allclose(mine.to_numpy(), stays, rtol=0, atol=1e-9)
