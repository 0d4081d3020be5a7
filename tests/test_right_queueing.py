"""The queues of the textbooks: what closed forms say, a run must say too.

Tolerance: independent replications give a 99 % t interval of the mean; the closed form
must lie in it, and it must be narrow enough (the stated share of the truth) to mean
something. A right engine misses one such interval in a hundred; the seeds are fixed, so a
test that is green stays green.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from eda_sim import (
    Backoff,
    Call,
    Constant,
    DeliveryPolicy,
    Exponential,
    Gamma,
    Poisson,
    Publish,
    Regular,
    Retry,
    Run,
    Scenario,
    Service,
    Work,
    simulate,
    theory,
)
from tests.worlds import estimate, handled, queue, within, world

Measure = Callable[[Run], float]


def replicated(scenario: Scenario, seeds: int, *measures: Measure) -> list[list[float]]:
    """What each measure says of independent runs: a list for each measure."""
    found = []
    for seed in range(seeds):
        run = simulate(scenario, seed)
        found.append([measure(run) for measure in measures])
    return [list(values) for values in zip(*found, strict=True)]


def agrees(values: Sequence[float], truth: float, share: float) -> None:
    """Assert that the 99 % interval covers the truth and is narrower than a share of it."""
    interval = estimate(values)
    assert interval.covers(truth), f"{interval} does not cover {truth}"
    assert interval.half_width < share * truth, f"{interval} is too wide for {truth}"


def mean_response(run: Run) -> float:
    """Mean response time after the warm-up, seconds."""
    return float(run.summary()["response_time_mean"])


def mean_wait(run: Run) -> float:
    """Mean time between queueing and start after the warm-up, seconds."""
    return float(run.services()["wait_mean"].iloc[0])


# -- M/M/c -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mm1() -> list[list[float]]:
    """M/M/1 at 80/s and 10 ms: mean, p95, p99, utilisation, mean number in system."""
    scenario = queue(80, Exponential(0.010), requests=20_000, warmup=20)
    return replicated(
        scenario,
        12,
        mean_response,
        lambda run: run.summary()["response_time_p95"],
        lambda run: run.summary()["response_time_p99"],
        lambda run: run.services().loc["server", "utilisation"],
        lambda run: run.timeline("requests").mean(20, run.scenario.duration),
    )


def test_mm1_mean_is_50_ms(mm1: list[list[float]]) -> None:
    """1 / (100/s - 80/s); within 8 %."""
    assert theory.mm1(80, 0.010).mean_response == pytest.approx(0.050)
    agrees(mm1[0], 0.050, 0.08)


def test_mm1_quantiles_are_those_of_an_exponential(mm1: list[list[float]]) -> None:
    """95 % are answered within 149.8 ms, 99 % within 230.3 ms; within 10 and 14 %."""
    response = theory.mm1(80, 0.010)
    assert response.response_quantile(0.95) == pytest.approx(0.1498, abs=5e-5)
    assert response.response_quantile(0.99) == pytest.approx(0.2303, abs=5e-5)
    agrees(mm1[1], 0.1498, 0.10)
    agrees(mm1[2], 0.2303, 0.14)


def test_mm1_utilisation_and_number_in_system(mm1: list[list[float]]) -> None:
    """Busy 80 % of the time, and 4 requests inside on average."""
    agrees(mm1[3], 0.8, 0.02)
    agrees(mm1[4], 4.0, 0.10)


def test_an_overloaded_mm1_has_the_throughput_of_its_server() -> None:
    """Twice as many come as can be served, 100 a second: whatever is left for the drain."""
    scenario = queue(200, Exponential(0.010), requests=10_000, warmup=5)
    (served,) = replicated(scenario, 8, lambda run: run.summary()["throughput"])
    agrees(served, 100.0, 0.03)


@pytest.mark.parametrize(
    ("rate", "response", "waiting", "share"),
    [(100, 0.034286, 0.642857, 0.08), (120, 0.078947, 0.852632, 0.25)],
)
def test_mm2(rate: float, response: float, waiting: float, share: float) -> None:
    """Two workers, 15 ms: 34.286 ms at 100/s, 78.947 ms at 120/s (load 0.9, so 25 % wide).

    Poisson arrivals see time averages: the fraction that must wait is Erlang C.
    """
    known = theory.mmc(rate, 0.015, servers=2)
    assert known.mean_response == pytest.approx(response, abs=5e-7)
    assert known.probability_of_waiting == pytest.approx(waiting, abs=5e-7)

    def waited(run: Run) -> float:
        late = run.attempts[run.attempts["queued_at"] >= 20]
        return float((late["started_at"] > late["queued_at"]).mean())

    scenario = queue(rate, Exponential(0.015), workers=2, requests=18_000, warmup=20)
    means, fractions = replicated(scenario, 10, mean_response, waited)
    agrees(means, response, share)
    agrees(fractions, waiting, 0.04)


def test_workers_of_two_instances_are_as_good_as_of_one() -> None:
    """Two copies with one worker are served by one queue: to the digit the same waiting."""
    two_workers = queue(100, Exponential(0.015), workers=2, requests=2000)
    two_copies = two_workers.replace("server.workers", 1).replace("server.instances", 2)
    one, other = simulate(two_workers, 1), simulate(two_copies, 1)
    assert one.requests["answered_at"].equals(other.requests["answered_at"])


# -- M/G/1 -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "wait", "share"),
    [(Constant(0.010), 0.020, 0.08), (Gamma(0.010, cv=2.0), 0.100, 0.20)],
    ids=["cv 0", "cv 2"],
)
def test_mg1_waits_as_pollaczek_and_khinchine_say(
    service: Constant | Gamma, wait: float, share: float
) -> None:
    """Load 0.8, 10 ms: constant service waits 20 ms, cv 2 waits 100 ms (rarer and longer)."""
    known = theory.pollaczek_khinchine(80, 0.010, service.cv)
    assert known.mean_wait == pytest.approx(wait)
    scenario = queue(80, service, requests=15_000, warmup=20)
    (waits,) = replicated(scenario, 10, mean_wait)
    agrees(waits, wait, share)


# -- loss ------------------------------------------------------------------------------


def rejected(run: Run) -> float:
    """The fraction of requests that were turned away after the warm-up."""
    counted = run.requests[run.requests["started_at"] >= run.scenario.warmup]
    return float((counted["outcome"] == "rejected").mean())


def test_mm1_with_room_for_five_rejects_8_88_percent() -> None:
    """M/M/1/5: five inside are one in service and an inbox of four; within 10 %."""
    known = theory.mmck(80, 0.010, servers=1, capacity=5)
    assert known.blocking_probability == pytest.approx(0.088819, abs=5e-7)
    scenario = queue(80, Exponential(0.010), requests=10_000, inbox=4, warmup=5)
    losses, waits = replicated(scenario, 10, rejected, mean_wait)
    agrees(losses, 0.088819, 0.10)
    agrees(waits, known.mean_wait, 0.06)


def test_nobody_waits_where_erlang_b_rejects() -> None:
    """3 erlang on 5 workers without an inbox lose 0.110054, whatever the service time's shape."""
    assert theory.erlang_b(3, 5) == pytest.approx(0.110054, abs=5e-7)
    for service in (Exponential(0.010), Constant(0.010)):
        scenario = queue(300, service, requests=10_000, workers=5, inbox=0, warmup=1)
        losses, waits = replicated(scenario, 6, rejected, mean_wait)
        agrees(losses, 0.110054, 0.08)
        assert set(waits) == {0.0}


def test_mm2_with_room_for_ten() -> None:
    """M/M/2/10 at 1.8 erlang: an inbox of eight rejects 0.054807; within 20 %."""
    assert theory.mmck(120, 0.015, 2, 10).blocking_probability == pytest.approx(0.054807, abs=5e-7)
    scenario = queue(120, Exponential(0.015), requests=10_000, workers=2, inbox=8, warmup=5)
    (losses,) = replicated(scenario, 8, rejected)
    agrees(losses, 0.054807, 0.20)


# -- networks --------------------------------------------------------------------------


def test_tandem_by_events_takes_72_ms() -> None:
    """80/s through 100/s and 125/s: 50 + 22.22 ms from publication to the last effect.

    By Burke's theorem the departures of the first are Poisson, so the sum is exact.
    """
    services = [
        Service("first", on={"E": [Work(Exponential(1 / 100), "one"), Publish("F")]}),
        Service("second", on={"F": [Work(Exponential(1 / 125), "two")]}),
    ]
    known = theory.jackson_tandem(80, [(1 / 100, 1), (1 / 125, 1)]).mean_response
    assert known == pytest.approx(0.07222, abs=5e-6)
    duration = 20 + 15_000 / 80
    scenario = world(Publish("E"), Poisson(80), services, duration=duration, warmup=20.0)
    means, second = replicated(
        scenario,
        10,
        lambda run: run.summary()["completion_time_mean"],
        lambda run: run.services().loc["second", "utilisation"],
    )
    agrees(means, known, 0.08)
    agrees(second, 0.64, 0.04)


def test_a_caller_that_holds_its_worker_is_busy_with_waiting() -> None:
    """Utilisation = rate × (own work + network there and back + the callee's response) / workers.

    The callee is M/M/2, since the callers have workers enough not to queue.
    """
    callee = theory.mmc(40, 0.030, servers=2).mean_response
    holding = theory.caller_holding_time(0.005, 2 * 0.001, callee)
    known = theory.utilisation(40, holding, servers=32)
    services = [
        Service("caller", workers=32, on={"M0": [Work(Exponential(0.005), "own"), Call("M1")]}),
        Service("callee", workers=2, on={"M1": [Work(Exponential(0.030), "called")]}),
    ]
    scenario = world(
        Call("M0"), Poisson(40), services, network=Constant(0.001), duration=210.0, warmup=10.0
    )
    measured, own, responses = replicated(
        scenario,
        6,
        lambda run: run.services().loc["caller", "utilisation"],
        lambda run: run.services().loc["callee", "utilisation"],
        mean_response,
    )
    agrees(measured, known, 0.08)
    agrees(own, 0.6, 0.04)
    agrees(responses, holding + 2 * 0.001, 0.08)


def test_with_workers_enough_the_number_inside_is_poisson() -> None:
    """M/G/infinity: mean and variance of the number in system are the load of 4 erlang."""
    known = theory.mg_infinity_number(80, 0.050)
    for service in (Constant(0.050), Exponential(0.050)):
        run = simulate(queue(80, service, requests=16_000, workers=100, warmup=2), seed=1)
        # Looked at every 0.4 s, eight mean stays apart, the numbers are nearly independent.
        moments = np.arange(2, run.scenario.duration, 0.4)
        inside = run.timeline("requests").sampled(moments)
        assert within(inside, known, known**0.5)
        error = known * (2 / len(inside) + 1 / (known * len(inside))) ** 0.5
        assert abs(inside.var() - known) < 4 * error


def test_departures_of_a_queue_are_poisson() -> None:
    """Burke: the gaps between answers of M/M/2 have the mean and spread of an exponential."""
    run = simulate(queue(100, Exponential(0.015), workers=2, requests=20_000, warmup=10), seed=1)
    leaving = np.sort(run.requests["answered_at"].to_numpy())
    gaps = np.diff(leaving[leaving > 10])
    assert within(gaps, 0.01, 0.01)
    assert gaps.std() == pytest.approx(0.01, rel=4 * (2 / len(gaps)) ** 0.5)
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / len(gaps) ** 0.5


# -- retries ---------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["delivery", "call"])
def test_retries_take_the_expected_attempts_and_leave_the_expected_dead(way: str) -> None:
    """Failure 0.2, three tries: 1.24 attempts, and 0.008 fail in all of them.

    Over 20,000 messages, within 4 standard errors: attempts are 1, 2 or 3 with probability
    0.8, 0.16 and 0.04, variance 0.2624; failing in the end is a coin with 0.008.
    """
    mean, dead = theory.expected_attempts(0.2, 3), theory.dead_letter_probability(0.2, 3)
    assert (mean, dead) == (pytest.approx(1.24), pytest.approx(0.008))
    again = Retry(max_attempts=3, backoff=Backoff(0.001))
    work = [Work(Constant(0.0001), "w", transient=0.2)]
    services = [Service("a", workers=9, on={"M": handled(DeliveryPolicy(retry=again), *work)})]
    message = Publish("M") if way == "delivery" else Call("M", retry=again)
    run = simulate(world(message, Regular(200), services), seed=1)
    table, given_up = (
        (run.deliveries, "dead_lettered") if way == "delivery" else (run.calls, "failed")
    )
    assert len(table) == 20_000
    assert within(table["attempts"].to_numpy(), mean, 0.2624**0.5)
    assert within((table["outcome"] == given_up).to_numpy(), dead, (dead * (1 - dead)) ** 0.5)
    assert table["attempts"].sum() == len(run.attempts)
    assert run.summary()["dlq_rate"] == pytest.approx(
        (table["outcome"] == given_up).mean() if way == "delivery" else np.nan, nan_ok=True
    )
