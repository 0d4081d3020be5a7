"""When alert rules fire in a run.

A rule is watched from second 0 until all that the run wrote down is over, warm-up
included: whoever is on call knows no warm-up.

Where a metric has no value, no alert fires, and one that fires resolves: a quantile or
a fraction of nothing is nothing, however long the silence. ``throughput``,
``utilisation`` and averages need a whole window first; ``throughput`` and
``utilisation`` are not watched after the traffic has ended, when there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite, nan

import numpy as np

from eda_sim.errors import InvalidInput, nearest
from eda_sim.later.pandas import pd
from eda_sim.results.capacity import workers_of
from eda_sim.results.record import Record
from eda_sim.results.sliding import (
    Curve,
    Floats,
    Span,
    as_it_is,
    averaged,
    mean,
    quantile,
    share_of,
    summed,
)
from eda_sim.results.step_function import StepFunction
from eda_sim.results.timelines import timeline
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.rounding import before
from eda_sim.scenario.alerts import DEFAULT_WINDOW, GAUGES, Alert

Rules = Alert | str | Sequence[Alert | str]
COLUMNS = ("alert", "metric", "fired_at", "resolved_at", "worst")

_QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
_TIMELINES = {"response_time": "response_time", "delivery_lag": "lag"}


def alerts(record: Record, rules: Rules) -> pd.DataFrame:
    """See ``Run.alerts``."""
    rows = [row for alert in checked(record, rules) for row in _firings(record, alert)]
    rows.sort(key=lambda row: row[2])
    return pd.DataFrame(
        {
            name: pd.Series([row[i] for row in rows], dtype="str" if i < 2 else "float64")
            for i, name in enumerate(COLUMNS)
        }
    )


def checked(record: Record, rules: Rules) -> list[Alert]:
    """Return the rules, each an ``Alert`` with a name of its own about something in the run."""
    several = [rules] if isinstance(rules, (Alert, str)) else rules
    if not isinstance(several, Sequence):
        raise InvalidInput(
            f"rules must be an Alert or a list of them, got {type(rules).__name__}: "
            "write run.alerts('response_time_p99 > 1.0')"
        )
    for rule in several:
        if not isinstance(rule, (Alert, str)):
            raise InvalidInput(f"rules must be Alerts or texts, got {rule!r}: write Alert(...)")
    found = [rule if isinstance(rule, Alert) else Alert(rule) for rule in several]
    titles = [alert.title for alert in found]
    services = [service.name for service in record.scenario.services]
    for alert in found:
        if titles.count(alert.title) > 1:
            raise InvalidInput(
                f"alerts must have different names, got {alert.title!r} "
                f"{titles.count(alert.title)} times: give one another name="
            )
        if alert.subject is not None and alert.subject not in services:
            raise InvalidInput(
                f"Alert({alert.title!r}).subject must be a service of the scenario, got "
                f"{alert.subject!r}: {nearest(alert.subject, services)}"
            )
    return found


def _firings(record: Record, alert: Alert) -> Iterator[tuple[str, str, float, float, float]]:
    """Yield a row for each time that the alert fires, in the order of time."""
    curve, until = _watched(record, alert)
    above = alert.direction == "above"
    for span in curve.spans(alert.threshold, above):
        fired_at = span.begin + alert.lasting
        if before(fired_at, span.end):
            worst = curve.extreme(Span(fired_at, span.end), above)
            resolved_at = span.end if span.end < until and isfinite(span.end) else nan
            yield alert.title, alert.metric, fired_at, resolved_at, worst


def _watched(record: Record, alert: Alert) -> tuple[Curve, float]:
    """Return the metric over time, and when it is watched no longer (seconds)."""
    window = DEFAULT_WINDOW if alert.window is None else alert.window
    metric, subject = alert.metric, alert.subject
    if metric in GAUGES:
        line = timeline(record, metric, subject)
        if alert.window is None:
            return as_it_is(line), inf
        return averaged(line, window).only(window, inf), inf
    if metric in _WHILE_TRAFFIC:
        until = record.scenario.duration
        return _WHILE_TRAFFIC[metric](record, subject, window).only(window, until), until
    if metric in _OF_ENDED:
        return mean(*_OF_ENDED[metric](record, subject), window), inf
    if metric == "dead_letters":
        line = timeline(record, "dead_letters", subject)
        return summed(line.times, np.diff(line.values, prepend=0.0), window), inf
    time, _, statistic = metric.rpartition("_")
    measured = timeline(record, _TIMELINES[time], subject)
    if statistic == "mean":
        return mean(measured.times, measured.values, window), inf
    return quantile(measured.times, measured.values, window, _QUANTILES[statistic]), inf


# -- while there is traffic ------------------------------------------------------------


def _throughput(record: Record, subject: str | None, window: float) -> Curve:
    return as_it_is(timeline(record, "throughput", subject, window=window))


def _utilisation(record: Record, subject: str | None, window: float) -> Curve:
    return share_of(timeline(record, "busy", subject), _threads(record, subject), window)


def _threads(record: Record, subject: str | None) -> StepFunction:
    """Return how many workers there are, those included that are down or finish what they do."""
    times, changes = [], []
    for service in record.scenario.services:
        if subject in (None, service.name):
            workers = workers_of(record, service)
            times.append(workers.times)
            changes.append(np.diff(workers.values, prepend=0.0))
    return StepFunction.of_changes("workers", np.concatenate(times), np.concatenate(changes))


_WHILE_TRAFFIC: dict[str, Callable[[Record, str | None, float], Curve]] = {
    "throughput": _throughput,
    "utilisation": _utilisation,
}

# -- fractions of what has ended -------------------------------------------------------


def _in_order(at: pd.Series, happened: pd.Series) -> tuple[Floats, Floats]:
    """Return when things ended, ascending, and for each 1 if it ended that way, else 0."""
    ended = at.notna().to_numpy()
    times = at.to_numpy(dtype=float)[ended]
    order = np.argsort(times, kind="stable")
    return times[order], happened.to_numpy(dtype=float)[ended][order]


def _answers(record: Record, subject: str | None) -> tuple[pd.Series, pd.Series]:
    """Return when requests were answered and how; of a service, when its attempts ended."""
    if subject is None:
        return record.requests["answered_at"], record.requests["outcome"]
    # Nobody failed where a delivery was handled by another attempt, and this one called off.
    attempts = record.attempts.query("service == @subject and outcome != 'withdrawn'")
    return attempts["ended_at"], attempts["outcome"]


def _ok(record: Record, subject: str | None) -> tuple[Floats, Floats]:
    at, outcome = _answers(record, subject)
    return _in_order(at, outcome == Outcome.OK)


def _error(record: Record, subject: str | None) -> tuple[Floats, Floats]:
    at, outcome = _answers(record, subject)
    return _in_order(at, outcome != Outcome.OK)


def _delivered(record: Record, subject: str | None, outcome: str) -> tuple[Floats, Floats]:
    deliveries = record.deliveries
    if subject is not None:
        deliveries = deliveries[deliveries["subscriber"] == subject]
    return _in_order(deliveries["ended_at"], deliveries["outcome"] == outcome)


_OF_ENDED: dict[str, Callable[[Record, str | None], tuple[Floats, Floats]]] = {
    "ok_rate": _ok,
    "error_rate": _error,
    "dlq_rate": lambda record, subject: _delivered(record, subject, Outcome.DEAD_LETTERED),
    "lost_rate": lambda record, subject: _delivered(record, subject, Outcome.LOST),
}
