"""What is derived from the tables: laws that hold on every path, and numbers by hand."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from eda_sim import (
    Alert,
    Autoscale,
    Backoff,
    Branch,
    Call,
    Constant,
    DeliveryPolicy,
    Exponential,
    InvalidInput,
    Outage,
    Publish,
    Retry,
    Run,
    Service,
    simulate,
    theory,
)
from eda_sim.results.statistics import batch_means, student_t
from eda_sim.results.step_function import StepFunction
from tests.worlds import everything, fingerprint, handled, queue, takes, world

# -- Little's law ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy() -> Run:
    """A run in which everything happens."""
    return simulate(everything(), seed=1)


def test_littles_law_holds_on_the_path_of_a_queue() -> None:
    """From the first arrival to the last departure, L T is the sum of all times, to 12 digits.

    Both are sums of the same 20,000 floats in different orders, so not to the last digit. L
    over the whole run is then the rate of arrival times the mean response time.
    """
    run = simulate(queue(80, Exponential(0.010), requests=20_000), seed=1)
    end = run.requests["answered_at"].max()
    times = run.requests["answered_at"] - run.requests["started_at"]
    inside = run.timeline("requests")
    assert inside.integral(0, end) == pytest.approx(math.fsum(times), rel=1e-12)
    assert inside.values[-1] == 0
    number = theory.littles_law(arrival_rate=len(times) / end, mean_time=times.mean())
    assert inside.mean(0, end) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize("subject", [None, "shop", "bank", "store", "post", "log", "audit"])
def test_littles_law_holds_for_all_that_waits(busy: Run, subject: str | None) -> None:
    """Requests, queues, busy workers and backlogs, also where much is still open at the end."""
    end = busy.scenario.duration + busy.scenario.drain
    attempts, deliveries = busy.attempts, busy.deliveries
    if subject is not None:
        attempts = attempts[attempts["service"] == subject]
        deliveries = deliveries[deliveries["subscriber"] == subject]
    left = attempts["started_at"].fillna(attempts["ended_at"])
    spans = {
        "queue": (attempts["queued_at"], left),
        "busy": (attempts["started_at"].dropna(), attempts["ended_at"][attempts["worker"] >= 0]),
        "backlog": (deliveries["published_at"], deliveries["ended_at"]),
    }
    if subject is None:
        spans["requests"] = busy.requests["started_at"], busy.requests["answered_at"]
    for what, (begins, ends) in spans.items():
        total = math.fsum(ends.fillna(end) - begins)
        found = busy.timeline(what, subject).integral(0, end)
        assert found == pytest.approx(total, rel=1e-9, abs=1e-9), what


# -- how sure a run can be -------------------------------------------------------------


def test_95_percent_intervals_cover_the_truth_95_times_in_100() -> None:
    """Of 200 independent runs of M/M/1 at half load, 179 to 198 intervals hold the true 20 ms.

    190 are expected; 179 to 198 is what a binomial gives in 998 of 1000 cases. Each run is
    cut into 20 batches of 125 requests, long against the memory of a queue at that load,
    after a warm-up of 50.
    """
    scenario = queue(50, Exponential(0.010), requests=2500, warmup=1)
    truth = theory.mm1(50, 0.010).mean_response
    intervals = [simulate(scenario, seed).interval("response_time") for seed in range(200)]
    covered = sum(interval.covers(truth) for interval in intervals)
    assert 179 <= covered <= 198
    assert stats.binom(200, 0.95).cdf(198) - stats.binom(200, 0.95).cdf(178) > 0.998
    assert {interval.n for interval in intervals} == {20}


def test_batch_means_by_hand() -> None:
    """Seven values in three batches: the first is left out, the batches are 2, 4 and 6.

    Mean 4, s = 2, t = 4.302653 with 2 degrees of freedom: 4.302653 * 2 / √3.
    """
    values = np.array([99.0, 1, 3, 4, 4, 5, 7])
    found = batch_means(values, batches=3, confidence=0.95)
    assert (found.mean, found.n) == (4.0, 3)
    assert found.half_width == pytest.approx(4.302652729911275 * 2 / math.sqrt(3))
    assert found.covers(4 + 4.9)
    assert not found.covers(4 + 5.0)
    assert (found.low, found.high) == (4 - found.half_width, 4 + found.half_width)


def test_one_value_has_no_interval() -> None:
    """Nothing is known of the spread of one, and nothing at all of none."""
    assert math.isnan(student_t(np.array([1.0])).half_width)
    assert math.isnan(student_t(np.array([])).mean)


def test_an_interval_needs_batches_of_two(busy: Run) -> None:
    """Too many batches, one batch, or a metric that is none are refused in one line."""
    with pytest.raises(InvalidInput, match="batches must be between 2 and half the number"):
        busy.interval(batches=10**6)
    with pytest.raises(InvalidInput, match="batches must be between 2"):
        busy.interval(batches=1)
    with pytest.raises(InvalidInput, match="metric must be one of response_time, completion"):
        busy.interval("speed")


# -- the summary by hand ---------------------------------------------------------------


@pytest.fixture(scope="module")
def by_hand() -> Run:
    """Ten seconds, of which two are warm-up; an order is worked on for 1 s and announced.

    The mailer takes 2 s (3 s where it has to wait); the books fail twice and give up.
    """
    gives_up = handled(
        DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0))),
        takes(0.5, "book", transient=1.0),
    )
    services = [
        Service("orders", on={"Order": [takes(1, "accept"), Publish("Ordered")]}),
        Service("mail", on={"Ordered": [takes(2, "send")]}),
        Service("books", on={"Ordered": gives_up}),
    ]
    return simulate(world(Call("Order"), [0, 4, 5], services, duration=10.0, warmup=2.0, drain=5.0))


def test_the_summary_leaves_out_the_warm_up_and_all_that_it_caused(by_hand: Run) -> None:
    """Two requests count. Answers after 1 s; mails at 7 and 9 s, published at 5 and 6 s."""
    summary = by_hand.summary()
    assert summary["requests"] == 2
    assert summary["throughput"] == 2 / (10 - 2)
    assert summary["ok_rate"] == 1
    assert summary["response_time_mean"] == 1
    assert summary["delivery_lag_mean"] == (2 + 3) / 2
    assert summary["delivery_lag_p50"] == 2.5
    assert summary["delivery_lag_p99"] == pytest.approx(2 + 0.99)  # between the two
    assert summary["dlq_rate"] == 0.5
    assert summary["lost_rate"] == 0
    assert summary["half_done_rate"] == summary["inconsistent_rate"] == 1
    assert math.isnan(summary["consistency_lag_mean"])
    everybody = simulate(by_hand.scenario.replace(warmup=0.0)).summary()
    assert everybody["requests"] == 3
    assert everybody["throughput"] == 3 / 10
    assert everybody["delivery_lag_mean"] == pytest.approx((2 + 2 + 3) / 3)


def test_each_subscriber_has_its_own_delivery_lag(by_hand: Run) -> None:
    """The mails come after 2 and 3 s; the books handle nothing, and nobody publishes to orders."""
    lags = by_hand.services()[[f"delivery_lag_{each}" for each in ("mean", "p50", "p95", "p99")]]
    assert lags.loc["mail"].tolist() == pytest.approx([2.5, 2.5, 2.95, 2.99])
    assert lags.loc[["books", "orders"]].isna().all(axis=None)


@pytest.mark.parametrize("warmup", [0.0, 5.0])
def test_an_overloaded_server_answers_as_much_as_it_can(warmup: float) -> None:
    """Three calls a second, one of them answered: what the drain answers is no throughput.

    The first answer comes after 1 s, of what began in the warm-up nine in the ten seconds.
    """
    calls = [n / 3 for n in range(30)]
    run = simulate(world(Call("M0"), calls, {"a": [takes(1)]}, duration=10.0, warmup=warmup))
    assert (run.requests["outcome"] == "ok").all()
    assert run.summary()["throughput"] == (9 / 10 if warmup == 0 else 1.0)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_instance_that_finishes_what_it_does_counts_until_it_is_gone(workers: int) -> None:
    """Two instances, busy for 9 s; from 4 s on only one is wanted, and the other finishes."""
    scale = Autoscale(most=2, target=100.0, by="backlog", every=4.0)
    service = Service("a", instances=2, workers=workers, autoscale=scale, on={"M0": [takes(9)]})
    run = simulate(world(Call("M0"), [0] * 2 * workers, [service], duration=10.0))
    found = run.services().loc["a"]
    assert found["instances"] == pytest.approx((2 * 4 + 6) / 10)
    assert found["utilisation"] == pytest.approx(2 * 9 / (10 + 9))
    late = Alert("utilisation > 1.0", window=2.0)
    assert run.alerts(late).empty


def test_a_warm_up_begins_at_its_instant() -> None:
    """A request that starts at the very end of the warm-up counts."""
    run = simulate(world(Call("M0"), [1.75, 2.0, 2.25], {"a": [takes(1)]}, warmup=2.0))
    assert run.summary()["requests"] == 2


def test_consistency_lag_is_from_the_answer_to_the_last_effect() -> None:
    """Answered at 1 s, the last of two subscribers is done at 4 s: 3 s. Synchronously: 0."""
    services = [
        Service("a", on={"M0": [takes(1, "x"), Publish("E")]}),
        Service("b", on={"E": [takes(2, "y")]}),
        Service("c", on={"E": [takes(3, "z")]}),
    ]
    summary = simulate(world(Call("M0"), [0], services)).summary()
    assert summary["response_time_mean"] == 1
    assert summary["completion_time_mean"] == 4
    assert summary["consistency_lag_mean"] == 3
    slow_way = world(Call("M0"), [0], {"a": [takes(1)]}, network=Constant(0.5))
    summary = simulate(slow_way).summary()
    assert summary["completion_time_mean"] == 1.5
    assert summary["consistency_lag_mean"] == 0


def test_response_times_are_those_of_good_answers() -> None:
    """A refusal at once does not make the mean better; it shows in the rate of good answers."""
    services = [Service("a", inbox=0, on={"M0": [takes(1)]})]
    summary = simulate(world(Call("M0"), [0, 0, 0, 0], services)).summary()
    assert summary["response_time_mean"] == 1
    assert summary["ok_rate"] == 0.25
    assert summary["inconsistent_rate"] == 0


def test_what_never_happened_is_not_a_number() -> None:
    """No answers, no deliveries: NaN, not 0, and no warning."""
    services = [Service("a", on={"M0": [takes(1, transient=1.0)]})]
    summary = simulate(world(Call("M0"), [0], services)).summary()
    assert math.isnan(summary["response_time_p99"])
    assert math.isnan(summary["dlq_rate"])
    assert summary["ok_rate"] == 0


def test_a_run_without_any_request_has_tables_and_a_summary(busy: Run) -> None:
    """All tables are there, empty, with the columns and types of any other run."""
    empty = simulate(world(Call("M0"), [], {"a": [Branch(0.5, [takes(1)])]}))
    for name, table in empty.tables.items():
        assert len(table) == 0
        assert list(table.columns) == list(busy.tables[name].columns)
        kinds = [isinstance(t, pd.CategoricalDtype) or t for t in table.dtypes]
        assert kinds == [isinstance(t, pd.CategoricalDtype) or t for t in busy.tables[name].dtypes]
    assert empty.summary()["requests"] == 0
    assert math.isnan(empty.summary()["ok_rate"])
    assert empty.verdicts().sum() == 0
    assert empty.services().loc["a", "utilisation"] == 0


def test_pending_and_duplicated_are_rates_of_requests() -> None:
    """One of two is repeated after its client's timeout, one is not done when the run ends."""
    call = Call("M0", timeout=1.5, retry=Retry(max_attempts=2, backoff=Backoff(0.0)))
    services = [Service("a", workers=2, on={"M0": [takes(2)]})]
    scenario = world(call, [0, 9.0], services, duration=10.0, drain=0.5)
    summary = simulate(scenario).summary()
    assert summary["duplicate_rate"] == 0.5
    assert summary["pending_rate"] == 0.5
    assert summary["inconsistent_rate"] == 1
    assert summary["half_done_rate"] == 0


# -- services and timelines by hand ----------------------------------------------------


@pytest.fixture(scope="module")
def two_workers() -> Run:
    """A worker in each of two copies, works of 2 s at 0, 0, 1, 3 s; both down from 4.5 to 5 s.

    They run 0-2, 0-2, 2-4 and 3-4.5 s; the last call fails.
    """
    services = [Service("a", instances=2, on={"M0": [takes(2)]})]
    faults = [Outage("a", at=4.5, lasts=0.5)]
    return simulate(world(Call("M0"), [0, 0, 1, 3], services, duration=8.0, faults=faults))


def test_services_are_measured_between_warm_up_and_the_end_of_traffic(two_workers: Run) -> None:
    """7.5 s of work by two workers in 8 s, downtime included; one waited 1 s of them."""
    found = two_workers.services().loc["a"]
    assert found["utilisation"] == 7.5 / 16
    assert math.isnan(found["delivery_lag_mean"])  # calls are not delivered
    assert found["queue_mean"] == 1 / 8
    assert found["queue_max"] == 1
    assert found["wait_mean"] == 0.25
    assert (found["attempts"], found["workers"], found["instances"]) == (4, 1, 2)
    assert (found["ok_rate"], found["crashed_rate"], found["refused_rate"]) == (0.75, 0.25, 0)
    later = simulate(two_workers.scenario.replace(warmup=3.0)).services().loc["a"]
    assert later["utilisation"] == 2.5 / 10
    assert later["attempts"] == 1


def steps(run: Run, what: str, subject: str | None = None) -> list[tuple[float, float]]:
    """The changes of a timeline."""
    found = run.timeline(what, subject, window=2.0)
    return list(zip(found.times.tolist(), found.values.tolist(), strict=True))


def test_timelines_by_hand(two_workers: Run, by_hand: Run) -> None:
    """Each kind, change by change; what goes up and down at one instant does not change."""
    assert steps(two_workers, "queue") == [(1, 1), (2, 0)]
    assert steps(two_workers, "busy", "a") == [(0, 2), (2, 1), (3, 2), (4, 1), (4.5, 0)]
    assert steps(two_workers, "requests") == [(0, 2), (1, 3), (2, 1), (3, 2), (4, 1), (4.5, 0)]
    assert steps(two_workers, "throughput") == [(2, 1), (4, 0.5), (6, 0)]
    assert steps(two_workers, "response_time") == [(2, 2), (2, 2), (4, 3)]
    assert steps(by_hand, "backlog", "mail") == [(1, 1), (3, 0), (5, 1), (6, 2), (7, 1), (9, 0)]
    assert steps(by_hand, "lag") == [(3, 2), (7, 2), (9, 3)]
    assert steps(by_hand, "dead_letters") == [(3, 1), (7, 2), (8, 3)]
    assert steps(by_hand, "dead_letters", "mail") == []
    assert by_hand.timeline("response_time").max() == 1
    assert math.isnan(by_hand.timeline("response_time").at(0.5))


def test_step_functions_are_exact() -> None:
    """Up by 2 at 1 s, down by 1 at 3 s: values, areas and extremes wherever one looks."""
    found = StepFunction.of_intervals("n", np.array([1.0, 1.0]), np.array([3.0, np.nan]))
    assert [found.at(t) for t in (0.5, 1.0, 2.9, 3.0, 99.0)] == [0, 2, 2, 1, 1]
    assert found.sampled(np.array([0.5, 1.0, 3.0])).tolist() == [0, 2, 1]
    assert found.integral(0, 4) == 5
    assert found.integral(2, 3.5) == 2.5
    assert found.integral(1.5, 1.5) == 0
    assert found.mean(0, 4) == 1.25
    assert (found.max(), found.max(3, 9), found.max(0, 1)) == (2, 1, 0)
    assert found.to_series().to_dict() == {1.0: 2.0, 3.0: 1.0}
    nothing = StepFunction.of_intervals("n", np.array([]), np.array([]))
    assert (nothing.at(1.0), nothing.integral(0, 5), nothing.max()) == (0, 0, 0)


def test_unknown_timelines_are_refused(two_workers: Run) -> None:
    """In one line, with the nearest that there is."""
    with pytest.raises(InvalidInput, match="got 'que': did you mean 'queue'"):
        two_workers.timeline("que")
    with pytest.raises(InvalidInput, match="subject must be a service of the scenario, got 'b'"):
        two_workers.timeline("queue", "b")
    with pytest.raises(InvalidInput, match="window must be > 0 seconds, got 0"):
        two_workers.timeline("throughput", window=0)


# -- from disk -------------------------------------------------------------------------


def test_a_stored_run_is_the_same_run(busy: Run, tmp_path: Path) -> None:
    """All tables, the scenario, the seed, and whatever is derived from them."""
    again = Run.from_parquet(busy.to_parquet(tmp_path / "run"))
    assert fingerprint(again) == fingerprint(busy)
    assert (again.scenario, again.seed) == (busy.scenario, busy.seed)
    pd.testing.assert_series_equal(again.summary(), busy.summary())
    pd.testing.assert_frame_equal(again.ledger(), busy.ledger())
    with pytest.raises(InvalidInput, match="must be a new or empty directory"):
        busy.to_parquet(tmp_path / "run")
    with pytest.raises(InvalidInput, match="must hold a stored run"):
        Run.from_parquet(tmp_path / "nothing")


# -- what is refused -------------------------------------------------------------------


def test_only_scenarios_and_whole_seeds_can_be_run() -> None:
    """One line says what is wrong and what to give."""
    scenario = world(Call("M0"), [0], {"a": []})
    with pytest.raises(InvalidInput, match="scenario must be a Scenario, got str"):
        simulate("scenario")  # type: ignore[arg-type]
    for seed in (1.5, True, "1", None):
        with pytest.raises(InvalidInput, match="seed must be a whole number"):
            simulate(scenario, seed)  # type: ignore[arg-type]
    assert len(simulate(scenario, seed=-(10**30)).requests) == 1
