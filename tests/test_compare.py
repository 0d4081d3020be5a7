"""Comparisons: the intervals are the textbook's, the runs are paired, whoever runs them."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from math import inf, isnan, nan, sqrt
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from eda_sim import (
    Call,
    Comparison,
    Constant,
    Exponential,
    InvalidInput,
    Poisson,
    Recorded,
    Scenario,
    Service,
    SimulationError,
    Traffic,
    Work,
    compare,
    ms,
    order_chain,
    order_pubsub,
    simulate,
)
from eda_sim.experiments.intervals import mean_interval, paired_difference, welch_half_width
from eda_sim.experiments.replications import replication_seed

CONFIDENCES = [0.5, 0.95, 0.999]


def queue(workers: int = 1, rate: float = 60.0, duration: float = 20.0) -> Scenario:
    """M/M/c: 100 customers a second can be served by each worker."""
    return Scenario(
        f"{workers} workers",
        traffic=[Traffic(Call("Serve"), Poisson(rate))],
        services=[
            Service("desk", workers=workers, on={"Serve": [Work(Exponential(10 * ms), "serve")]})
        ],
        duration=duration,
    )


def quietly(*args: Any, **settings: Any) -> Comparison:
    """Compare without a progress bar."""
    return compare(*args, progress=False, **settings)


def faked(monkeypatch: pytest.MonkeyPatch, summary: Callable[[Scenario, int], Any]) -> None:
    """Let every run have the summary of ``summary(scenario, seed)``, for runs in this process."""

    def fake(scenario: Scenario, seed: int) -> SimpleNamespace:
        numbers = summary(scenario, seed)
        return SimpleNamespace(summary=lambda: pd.Series(numbers))

    monkeypatch.setattr("eda_sim.experiments.replications.simulate", fake)


@pytest.fixture
def here() -> Any:
    """An executor in this process, where a test can replace what is run."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


# -- intervals ---------------------------------------------------------------------


def test_half_width_by_hand() -> None:
    """1, 2, 3, 4: s = sqrt(5/3), t(3) = 3.182446 at 97.5 %, so 3.182446 * s / 2."""
    estimate = mean_interval([1, 2, 3, 4])
    assert estimate.mean == 2.5
    assert estimate.half_width == pytest.approx(3.182446305284263 * sqrt(5 / 3) / 2, rel=1e-12)
    assert estimate.replications == 4


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_intervals_are_those_of_scipy(n: int, confidence: float) -> None:
    """Mean, paired and Welch intervals agree with scipy's independent implementation."""
    rng = np.random.default_rng(n)
    y = rng.lognormal(size=n)
    x = y + rng.normal(3, 0.1, size=n)
    both = paired_difference(x, y, confidence)
    one = mean_interval(x, confidence)
    pairs = [
        (one.mean, one.half_width, stats.ttest_1samp(x, 0)),
        (both.difference, both.half_width, stats.ttest_rel(x, y)),
    ]
    for center, half_width, theirs in pairs:
        low, high = theirs.confidence_interval(confidence)
        assert center == pytest.approx((low + high) / 2)
        assert half_width == pytest.approx((high - low) / 2)
    low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(confidence)
    assert both.unpaired_half_width == pytest.approx((high - low) / 2)


def test_welch_takes_samples_of_different_sizes() -> None:
    """Welch's interval needs neither equal sizes nor equal variances."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, 5), rng.normal(0, 9, 30)
    low, high = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    assert welch_half_width(x, y) == pytest.approx((high - low) / 2)


def test_what_is_undefined_is_left_out_and_counted() -> None:
    """A NaN has no say in an estimate, and the number of replications shows that it is missing."""
    assert mean_interval([1, nan, 2, 4]) == mean_interval([1, 2, 4])
    assert mean_interval([1, nan, 2, 4]).replications == 3
    x, y = [5.0, nan, 7.0, 9.0, 2.0], [1.0, 2.0, nan, 4.0, 5.0]
    assert paired_difference(x, y) == paired_difference([5.0, 9.0, 2.0], [1.0, 4.0, 5.0])


def test_an_interval_needs_two_replications() -> None:
    """One replication gives an estimate without an interval, none gives no estimate."""
    one, none = mean_interval([3.0]), mean_interval([nan])
    assert one.mean == 3.0
    assert isnan(one.half_width)
    assert one.replications == 1
    assert isnan(none.mean)
    assert isnan(none.half_width)
    assert none.replications == 0
    assert not paired_difference([3.0], [1.0]).excludes_zero


def test_what_never_varies_is_certain() -> None:
    """Equal numbers have an interval of width 0, exactly, whatever their binary digits."""
    same = paired_difference([0.1] * 7, [0.1] * 7)
    assert (same.difference, same.half_width, same.excludes_zero) == (0, 0, False)
    assert isnan(same.narrower)
    assert mean_interval([0.1] * 7).half_width == 0
    moved = paired_difference([1.5, 2.5, 3.5], [1.0, 2.0, 3.0])
    assert (moved.difference, moved.half_width, moved.excludes_zero) == (0.5, 0, True)
    assert moved.narrower == inf


def test_intervals_cover_the_truth() -> None:
    """200 paired 95 % intervals cover the truth 179 to 198 times.

    That is Binomial(200, 0.95), of which at least 99.8 % lies in this range.
    """
    assert stats.binom.cdf(198, 200, 0.95) - stats.binom.cdf(178, 200, 0.95) > 0.998
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        shared = rng.exponential(5, size=10)
        x, y = shared + rng.normal(2, 1, 10), shared + rng.normal(0, 1, 10)
        estimate = paired_difference(x, y)
        covered += abs(estimate.difference - 2) <= estimate.half_width
    assert 179 <= covered <= 198


def test_pairing_saves_what_is_shared() -> None:
    """With shared noise of variance 99 and own noise of 1, pairing is sqrt(100) times narrower.

    The tolerance, 10 %, is over four standard errors of a ratio of standard
    deviations over 4000 replications, which is about 1/sqrt(2 * 4000) for each.
    """
    rng = np.random.default_rng(3)
    shared = rng.normal(0, sqrt(99), 4000)
    x, y = shared + rng.normal(0, 1, 4000), shared + rng.normal(0, 1, 4000)
    assert paired_difference(x, y).narrower == pytest.approx(10, rel=0.1)


def test_pairs_must_match() -> None:
    """Samples of different lengths have no pairs."""
    with pytest.raises(InvalidInput, match="equally long"):
        paired_difference([1.0, 2.0], [1.0])


# -- replications --------------------------------------------------------------------


def test_two_seeds_share_no_replications() -> None:
    """The replications of seeds 0 to 19, fifty each, are all different, 32-bit numbers."""
    seeds = {replication_seed(seed, r) for seed in range(20) for r in range(50)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_longer_comparison_begins_with_the_shorter_one() -> None:
    """More replications are added to those that were there."""
    short, long = (quietly({"q": queue()}, n, seed=5) for n in (2, 3))
    assert long.seeds[:2] == short.seeds
    first_two = long.metrics[long.metrics["replication"] < 2].reset_index(drop=True)
    assert_frame_equal(first_two, short.metrics)


def test_every_number_is_that_of_one_run() -> None:
    """Replication r of an architecture is simulate(scenario, seed=seeds[r]), found again alone."""
    comparison = quietly({"one": queue(1), "two": queue(2)}, replications=3, seed=1)
    assert list(comparison.metrics.columns) == [
        "architecture", "replication", "seed", "metric", "value",
    ]  # fmt: skip
    for (name, r, seed), rows in comparison.metrics.groupby(
        ["architecture", "replication", "seed"]
    ):
        assert seed == comparison.seeds[r]
        summary = simulate(comparison.scenarios[name], seed=seed).summary()
        expected = summary.astype(float).rename_axis("metric")
        pd.testing.assert_series_equal(
            rows.set_index("metric")["value"], expected, check_names=False, check_index_type=False
        )


class Backwards(Executor):
    """Runs what was submitted last first, once ``expected`` tasks are there."""

    def __init__(self, expected: int) -> None:
        self.expected, self.waiting = expected, []

    def submit(self, function: Any, /, *args: Any, **settings: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, function, args, settings))
        if len(self.waiting) == self.expected:
            for future_, function_, args_, settings_ in reversed(self.waiting):
                future_.set_result(function_(*args_, **settings_))
        return future


def test_who_runs_the_replications_is_no_matter() -> None:
    """Processes, threads, one after the other or backwards: the same numbers in the same order."""
    scenarios = {
        "chain": order_chain(duration=8, warmup=1),
        "events": order_pubsub(duration=8, warmup=1),
    }

    def measured(executor: Executor | None) -> pd.DataFrame:
        return quietly(scenarios, replications=2, seed=4, executor=executor).metrics

    with ThreadPoolExecutor(max_workers=1) as alone, ThreadPoolExecutor(max_workers=3) as several:
        expected = measured(alone)
        for executor in (None, several, Backwards(expected=4)):
            assert_frame_equal(measured(executor), expected)


def test_architectures_get_the_same_orders() -> None:
    """The chain and publish/subscribe differ in everything but the number of requests."""
    scenarios = {
        "chain": order_chain(duration=20, warmup=2),
        "events": order_pubsub(duration=20, warmup=2),
    }
    comparison = quietly(scenarios, replications=3)
    assert comparison.same_orders
    row = comparison.differences().loc[("events", "requests")]
    assert (row["difference"], row["half_width"]) == (0, 0)
    faster = comparison.differences().loc[("events", "response_time_mean")]
    assert faster["difference"] < 0
    assert faster["excludes_zero"]


def test_other_orders_are_not_called_the_same() -> None:
    """Twice the traffic is not the same orders, and the comparison says so."""
    comparison = quietly({"calm": queue(rate=20), "busy": queue(rate=40)}, replications=2)
    assert not comparison.same_orders
    assert "on different orders" in repr(comparison)


def test_an_engine_that_loses_orders_is_found_out(
    monkeypatch: pytest.MonkeyPatch, here: Executor
) -> None:
    """Equal traffic with unequal numbers of requests is an error, not a comparison."""
    faked(monkeypatch, lambda scenario, seed: {"requests": scenario.services[0].workers})
    with pytest.raises(SimulationError, match="'b' got other requests than 'a'"):
        quietly({"a": queue(1), "b": queue(2)}, executor=here)


# -- when it goes wrong ----------------------------------------------------------------


class Scripted(Executor):
    """The first task ends with the given error; all others wait for ever."""

    def __init__(self, error: BaseException) -> None:
        self.error, self.futures = error, []

    def submit(self, function: Any, /, *args: Any, **settings: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if not self.futures:
            future.set_exception(self.error)
        self.futures.append(future)
        return future


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (SimulationError("at 3 s"), SimulationError),
        (InvalidInput("no"), InvalidInput),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (BrokenProcessPool("gone"), SimulationError),
    ],
)
def test_an_end_before_time_cancels_what_is_pending(
    raised: BaseException, seen: type[BaseException]
) -> None:
    """An error, an interruption or a dead worker is passed on, and nothing more is started."""
    executor = Scripted(raised)
    with pytest.raises(seen):
        quietly({"a": queue(), "b": queue()}, replications=5, executor=executor)
    assert len(executor.futures) == 10
    assert all(future.cancelled() for future in executor.futures[1:])


@pytest.mark.parametrize("in_threads", [True, False])
def test_errors_come_home(in_threads: bool, here: Executor) -> None:
    """A run that cannot go on, here or in another process, is the same error, with its line."""
    trace = queue().replace("desk.Serve[serve].duration", Recorded([0.01, 0.02]))
    with pytest.raises(SimulationError, match="Recorded has 2 values"):
        quietly({"trace": trace}, replications=2, executor=here if in_threads else None)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"scenarios": {}}, "scenarios must have at least 1 item, got {}"),
        ({"scenarios": [queue()]}, "scenarios must map a name to each architecture, got list"),
        (
            {"scenarios": {"a": order_chain}},
            "scenarios['a'] must be a Scenario, got function: call",
        ),
        ({"scenarios": {"a": "order_chain"}}, "scenarios['a'] must be a Scenario, got str"),
        ({"scenarios": {3: queue()}}, "scenarios must be named by texts, got 3"),
        ({"replications": 0}, "replications must be >= 1, got 0"),
        ({"replications": -3}, "replications must be >= 1, got -3"),
        ({"replications": 2.5}, "replications must be a whole number, got 2.5"),
        ({"replications": True}, "replications must be a whole number, got True"),
        ({"seed": "x"}, "seed must be a whole number, got 'x'"),
        ({"confidence": 95}, "confidence must be > 0 and < 1, got 95"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments: dict[str, Any], line: str) -> None:
    """What cannot be right is refused before anything runs: place, rule, value, remedy."""
    with pytest.raises(InvalidInput) as refused:
        quietly(**{"scenarios": {"a": queue()}, **arguments})
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


# -- what it shows -------------------------------------------------------------------

A, B = [4.0, 6.0, 8.0], [1.0, 2.0, nan]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, here: Executor) -> Comparison:
    """Two architectures, three replications, known numbers; b is undefined in the third."""
    known = {1: iter(A), 2: iter(B)}
    faked(monkeypatch, lambda s, seed: {"requests": 9, "lag": next(known[s.services[0].workers])})
    return quietly({"a": queue(1), "b": queue(2)}, replications=3, executor=here)


def test_table_estimates_each_metric_of_each_architecture(small: Comparison) -> None:
    """Each cell is the mean and interval of that architecture's defined values."""
    table = small.table()
    assert list(table.index) == ["requests", "lag"]
    assert list(table.columns) == [
        (name, part) for name in "ab" for part in ("mean", "half_width", "replications")
    ]
    for name, values in (("a", A), ("b", B)):
        expected = mean_interval(values)
        row = table.loc["lag", name]
        assert tuple(row) == (expected.mean, expected.half_width, expected.replications)
    assert table["b", "replications"].to_dict() == {"requests": 3, "lag": 2}
    assert list(small.table("lag").index) == ["lag"]


def test_differences_are_from_the_baseline(small: Comparison) -> None:
    """b - a pairs the two replications where both are defined; a - b is its mirror image."""
    row = small.differences().loc[("b", "lag")]
    assert row["difference"] == ((1 - 4) + (2 - 6)) / 2
    assert row["replications"] == 2
    low, high = stats.ttest_rel(B[:2], A[:2]).confidence_interval(0.95)
    assert row["half_width"] == pytest.approx((high - low) / 2)
    mirrored = small.differences(baseline="b").loc[("a", "lag")]
    assert mirrored["difference"] == -row["difference"]
    assert mirrored["half_width"] == row["half_width"]


def test_unknown_names_are_answered_with_the_nearest(small: Comparison) -> None:
    """A misspelt metric or baseline names what was probably meant."""
    with pytest.raises(InvalidInput, match="did you mean 'requests'"):
        small.table("request")
    with pytest.raises(InvalidInput, match="known: a, b"):
        small.differences(baseline="sync")


def test_one_architecture_has_no_differences() -> None:
    """A single architecture is estimated; with nothing to compare, the differences are empty."""
    comparison = quietly({"only": queue(duration=5)}, replications=1)
    assert comparison.differences().empty
    assert "only" in repr(comparison)
    assert "no intervals" in comparison.title()


def test_a_comparison_reads_as_estimates_with_intervals(small: Comparison) -> None:
    """Terminal and notebook show means to the digit that the interval supports, and gaps."""
    assert small.title() == "3 replications of each, 95% intervals, on the same orders"
    expected = mean_interval(A)
    cell = f"{expected.mean:.1f} ± {expected.half_width:.1f}"
    for shown in (repr(small), small._repr_html_()):
        assert small.title() in shown
        assert cell in shown
        assert "(n=2)" in shown
        assert "b - a" in shown


def test_names_cannot_break_the_page() -> None:
    """An architecture called like a tag is shown as it is written."""
    html = quietly({"<b>": queue(duration=2)}, replications=1)._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_plain_data_is_all_there(small: Comparison) -> None:
    """to_dict has the same numbers as the tables."""
    data = small.to_dict()
    assert data["estimates"]["a"]["lag"]["mean"] == 6.0
    assert data["differences"]["b"]["lag"]["difference"] == -3.5
    assert data["seeds"] == list(small.seeds)


def test_progress_stays_out_of_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar is drawn on stderr, only if wanted, and never on stdout."""
    scenarios = {"q": queue(duration=2)}
    compare(scenarios, replications=1, progress=False)
    assert capsys.readouterr() == ("", "")
    compare(scenarios, replications=1, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "0/1" in err


def test_constant_worlds_have_no_noise() -> None:
    """Twice the constant service time, arrivals far apart: 10 ms more, with certainty."""
    fast = Scenario(
        "fast",
        traffic=[Traffic(Call("Serve"), Poisson(0.5))],
        services=[Service("desk", workers=50, on={"Serve": [Work(Constant(10 * ms), "serve")]})],
        duration=60,
    )
    slow = fast.replace("desk.Serve[serve].duration.value", 20 * ms)
    row = quietly({"fast": fast, "slow": slow}, replications=3).differences()
    difference = row.loc[("slow", "response_time_mean")]
    assert difference["difference"] == pytest.approx(10 * ms, rel=1e-9)
    assert difference["half_width"] < 1e-9


def test_pairing_pays_in_real_runs() -> None:
    """A network slower by 1 ms costs ten crossings of it, which pairing finds at once.

    The client's call and four more cross it twice each: 10 ms, and almost the
    same in every replication, while the runs themselves differ far more. How the
    queues answer to the shifted arrivals is the rest: less than a tenth.
    """
    settings: dict[str, float] = {"duration": 30, "warmup": 5, "payment_transient": 0}
    near, far = (order_chain(network_mean=mean * ms, **settings) for mean in (1, 2))
    differences = quietly({"near": near, "far": far}, replications=5).differences()
    row = differences.loc[("far", "response_time_mean")]
    assert row["difference"] == pytest.approx(10 * ms, rel=0.1)
    assert row["excludes_zero"]
    assert row["narrower"] > 5
