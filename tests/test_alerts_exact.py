"""Alerts against twins that look everything up: what a window holds, and when it is beyond."""

from collections.abc import Iterable
from itertools import pairwise
from math import inf

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim import Alert, Run, simulate
from eda_sim.results import sliding
from eda_sim.results.sliding import Curve, Span
from eda_sim.results.step_function import StepFunction
from eda_sim.scenario.alerts import METRICS
from eda_sim.scenario.delivery import DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.service import Autoscale, Service
from eda_sim.scenario.steps import Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from tests.worlds import beside, everything, handled, rows

Floats = sliding.Floats


def quarters(low: int, high: int) -> st.SearchStrategy[float]:
    """Quarters of a second, which floats hold exactly."""
    return st.integers(low, high).map(lambda n: n / 4)


events = st.lists(st.tuples(quarters(0, 40), quarters(0, 8)), max_size=12).map(
    lambda pairs: np.array(sorted(pairs), dtype=float).reshape(-1, 2).T
)


def values_of(curve: Curve, times: Iterable[float]) -> list[float]:
    """What a curve is at some times."""
    at = np.array(list(times))
    stretch = np.searchsorted(curve.edges, at, side="right") - 1
    under = curve._line(curve.under, stretch, at)
    over = curve._line(curve.over, stretch, at)
    return [float(o / u) if u > 0 else float("nan") for o, u in zip(over, under, strict=True)]


@given(events, quarters(1, 20))
def test_events_in_the_window_are_those_that_a_list_would_keep(
    found: Floats, window: float
) -> None:
    """Mean, sum and quantile at every eighth of a second are those of the events since then."""
    times, values = found
    grid = np.arange(0, 20, 0.125)
    for curve, of in [
        (sliding.mean(times, values, window), np.mean),
        (sliding.quantile(times, values, window, 0.95), lambda v: np.quantile(v, 0.95)),
    ]:
        for t, value in zip(grid, values_of(curve, grid), strict=True):
            inside = values[(times > t - window) & (times <= t)]
            assert value == pytest.approx(of(inside) if len(inside) else np.nan, nan_ok=True)
    sums = sliding.summed(times, values, window)
    expected = [values[(times > t - window) & (times <= t)].sum() for t in grid]
    assert values_of(sums, grid) == expected


@given(events, quarters(1, 20), quarters(1, 8))
def test_an_average_is_the_area_under_the_steps(
    found: Floats, window: float, length: float
) -> None:
    """At every eighth of a second the average is that of ``StepFunction.mean``, up to the end."""
    times, _ = found
    line = StepFunction.of_intervals("open", times, times + length)
    grid = np.arange(window, 25, 0.125)
    average = sliding.averaged(line, window).only(window, 20.0)
    for t, value in zip(grid, values_of(average, grid), strict=True):
        expected = line.mean(t - window, t) if t < 20.0 else np.nan
        assert value == pytest.approx(expected, nan_ok=True)


@given(events, quarters(1, 20), st.integers(0, 16).map(lambda n: n / 8), st.booleans())
def test_spans_are_where_the_value_is_beyond(
    found: Floats, window: float, threshold: float, above: bool
) -> None:
    """At every 16th of a second a span is open if and only if the value is beyond the threshold.

    Spans do not touch, but where a straight line touches the threshold for an instant.
    """
    times, values = found
    line = StepFunction.of_intervals("open", times, times + 1.0)
    for curve in (sliding.as_it_is(line), sliding.averaged(line, window),
                  sliding.mean(times, values, window)):  # fmt: skip
        spans = curve.spans(threshold, above)
        grid = np.arange(0, 25, 0.0625) + 1 / 64  # where quarters neither come nor go
        for t, value in zip(grid, values_of(curve, grid), strict=True):
            beyond = value - threshold if above else threshold - value
            if np.isnan(beyond) or abs(beyond) > 1e-9:
                assert any(begin <= t < end for begin, end in spans) == (beyond > 0), t
        assert all(one.end <= other.begin for one, other in pairwise(spans))
        for span in spans:
            inside = [t for t in grid if span.begin <= t < span.end]
            worst = curve.extreme(span, above)
            best = max if above else min
            assert best([worst, *values_of(curve, inside)]) == pytest.approx(worst)


def test_touching_the_threshold_is_not_crossing_it() -> None:
    """A line that comes down to the threshold and rises again fires twice, steps that jump once."""
    edges, over = np.array([0.0, 1.0, 2.0]), np.array([[2.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    line = Curve(edges, over, np.ones((3, 2)))
    assert line.spans(1.0, above=True) == [Span(0.0, 1.0), Span(1.0, 2.0)]
    assert line.spans(0.5, above=True) == [Span(0.0, 2.0)]
    assert line.spans(0.5, above=False) == [Span(2.0, inf)]


# -- every metric of a busy run --------------------------------------------------------------


@pytest.fixture(scope="module")
def busy() -> Run:
    """All that can go wrong does, one service follows its load, and one loses deliveries."""
    scale = Autoscale(most=4, target=0.5, every=1.0, start_delay=0.5)
    guide = {"Guide": [Work(Exponential(0.3), "guide")]}
    once = DeliveryPolicy(retry=Retry(max_attempts=1), guarantee="at_most_once")
    listen = {"Heard": handled(once, Work(Exponential(0.05), "listen", transient=0.3))}
    scenario = everything(20.0)
    services = [Service("tour", autoscale=scale, on=guide), Service("radio", on=listen)]
    grown = beside(
        scenario.replace(services=[*scenario.services, *services]),
        Traffic(Call("Guide", timeout=2.0), Poisson(6), name="guests"),
        Traffic(Publish("Heard"), Poisson(6), name="senders"),
    )
    return simulate(grown, seed=5)


def overlap(begin: pd.Series, end: pd.Series, low: float, high: float) -> float:
    """How many seconds of the intervals are between two times."""
    ends = end.fillna(np.inf).clip(upper=high)
    return float((ends - begin.clip(lower=low)).clip(lower=0).sum())


def direct(run: Run, metric: str, subject: str | None, window: float, t: float) -> float:
    """A metric at one time, looked up in the tables as its definition says."""

    def mine(table: pd.DataFrame, column: str) -> pd.DataFrame:
        return table if subject is None else table[table[column] == subject]

    def inside(at: pd.Series) -> pd.Series:
        return (at > t - window) & (at <= t)

    def is_open(begin: pd.Series, end: pd.Series) -> float:
        return float(((begin <= t) & ~(end <= t)).sum())

    def fraction(happened: pd.Series) -> float:
        return float(happened.mean()) if len(happened) else np.nan

    attempts, requests = mine(run.attempts, "service"), run.requests
    deliveries = mine(run.deliveries, "subscriber")
    taken = attempts[attempts["started_at"].notna()]
    if metric == "queue":
        return is_open(attempts["queued_at"], attempts["started_at"].fillna(attempts["ended_at"]))
    if metric == "busy":
        return is_open(taken["started_at"], taken["ended_at"])
    if metric == "backlog":
        return is_open(deliveries["published_at"], deliveries["ended_at"])
    if metric == "requests":
        return is_open(requests["started_at"], requests["answered_at"])
    if metric in ("instances", "utilisation"):
        services = [s for s in run.scenario.services if subject in (None, s.name)]
        known = {s.name: run.scaling[run.scaling["service"] == s.name] for s in services}
        if metric == "instances":
            changes = {s.name: known[s.name][known[s.name]["at"] <= t] for s in services}
            return float(sum([s.instances, *changes[s.name]["instances"]][-1] for s in services))
        capacity = 0.0
        for s in services:
            at = [-np.inf, *known[s.name]["at"], np.inf]
            instances = [s.instances, *known[s.name]["instances"]]
            here = taken[taken["service"] == s.name]
            for n, (begin, end) in zip(instances, pairwise(at), strict=True):
                low, high = max(begin, t - window), min(end, t)
                capacity += s.workers * n * max(0.0, high - low)
                # Whoever is not wanted any more and finishes what he does; he has one worker.
                last = here[here["instance"] >= n]
                capacity += overlap(last["started_at"], last["ended_at"], low, high)
        return overlap(taken["started_at"], taken["ended_at"], t - window, t) / capacity
    if metric == "throughput":
        ok = (requests if subject is None else attempts).query("outcome == 'ok'")
        return inside(ok["answered_at" if subject is None else "ended_at"]).sum() / window
    if metric in ("ok_rate", "error_rate"):
        ended = requests if subject is None else attempts[attempts["outcome"] != "withdrawn"]
        at = ended["answered_at" if subject is None else "ended_at"]
        good = ended.loc[inside(at), "outcome"] == "ok"
        return fraction(good if metric == "ok_rate" else ~good)
    now = deliveries[inside(deliveries["ended_at"])]
    if metric == "dead_letters":
        return float((now["outcome"] == "dead_lettered").sum())
    if metric in ("dlq_rate", "lost_rate"):
        outcome = "dead_lettered" if metric == "dlq_rate" else "lost"
        return fraction(now["outcome"] == outcome)
    if metric.startswith("response_time"):
        ok = requests[inside(requests["answered_at"]) & (requests["outcome"] == "ok")]
        took = ok["answered_at"] - ok["started_at"]
    else:
        handled = now[now["outcome"] == "handled"]
        took = handled["ended_at"] - handled["published_at"]
    if not len(took):
        return np.nan
    statistic = metric.rpartition("_")[2]
    return float(took.mean() if statistic == "mean" else took.quantile(int(statistic[1:]) / 100))


SUBJECTS: dict[str | None, list[str]] = {
    None: list(METRICS),
    "post": ["backlog", "queue", "busy", "utilisation", "throughput", "ok_rate", "error_rate",
             "dlq_rate", "dead_letters", "delivery_lag_mean", "delivery_lag_p99"],
    "tour": ["utilisation", "instances", "queue", "throughput"],
    "radio": ["lost_rate", "delivery_lag_p95"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "subject"), [(metric, s) for s, known in SUBJECTS.items() for metric in known]
)
def test_every_metric_fires_when_its_definition_says_so(
    busy: Run, metric: str, subject: str | None
) -> None:
    """At random times a rule is firing if and only if the metric, looked up, is beyond.

    The threshold is a value that the metric has in the midst, so that both happen.
    """
    window, duration = 3.0, busy.scenario.duration
    gauge = metric in ("queue", "busy", "backlog", "requests", "instances")
    grid = np.sort(np.random.default_rng(1).uniform(0, duration + 2, 150))
    values = np.array([direct(busy, metric, subject, window, float(t)) for t in grid])
    if metric in ("throughput", "utilisation"):
        values[(grid < window) | (grid >= duration)] = np.nan
    ordered = np.sort(values[~np.isnan(values)])
    threshold = float(ordered[len(ordered) // 2])
    if threshold == ordered[-1]:
        threshold = float(ordered[ordered < threshold].max(initial=0.0))
    fires = 0
    for direction in ("above", "below"):
        alert = Alert(
            metric,
            threshold=threshold,
            direction=direction,
            subject=subject,
            window=None if gauge else window,
            name="it",
        )
        found = rows(busy.alerts(alert), "fired_at", "resolved_at", "worst")
        fires += len(found)
        for t, value in zip(grid, values, strict=True):
            beyond = value - threshold if direction == "above" else threshold - value
            firing = any(begin <= t < (inf if end is None else end) for begin, end, _ in found)
            if metric in ("throughput", "utilisation") and t >= duration:
                continue
            if np.isnan(beyond) or abs(beyond) > 1e-9:
                assert firing == (beyond > 0), (t, value, threshold)
        for begin, end, worst in found:
            inside = (grid >= begin) & (grid < (inf if end is None else end))
            least, most = np.nanmin([worst, *values[inside]]), np.nanmax([worst, *values[inside]])
            assert worst == pytest.approx(most if direction == "above" else least)
    assert fires > 0


def test_the_busy_world_has_everything(busy: Run) -> None:
    """The twin above sees lost and dead-lettered deliveries, errors and a changing number."""
    assert {"handled", "dead_lettered", "lost"} <= set(busy.deliveries["outcome"])
    assert len(set(busy.scaling["instances"])) > 1
    assert (busy.requests["outcome"] != "ok").any()
