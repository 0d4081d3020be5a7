"""The metrics of one run, each with its definition.

Statistics leave out requests that started before the warm-up, with all that
they caused. A mean or quantile of nothing is NaN, never 0.

The throughput is a rate, and so it is counted by time instead: all answers of a second count,
also those to requests of the warm-up, and those of the drain do not. A server that is overloaded
has the throughput that it can give, however many requests it is left with.

Response times are those of requests that were answered ``ok``: a refusal is fast,
and counting it would make a system that refuses everybody look best. Read them
beside ``ok_rate``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from eda_sim.later.pandas import pd
from eda_sim.results.record import Record
from eda_sim.rules.outcomes import Outcome

MEANINGS: Final = {
    "requests": "requests that started",
    "throughput": "answers ok a second while requests arrive: between the warm-up and the end of "
    "traffic, whenever their requests started",
    "ok_rate": "fraction of requests answered ok",
    "response_time": "request started -> client has its ok, in seconds",
    "completion_time": "request started -> all that it caused is applied, in seconds",
    "consistency_lag": "answer -> all applied, in seconds; only where that happened",
    "delivery_lag": "message published -> handled by the subscriber, in seconds",
    "dlq_rate": "fraction of deliveries that were dead-lettered",
    "lost_rate": "fraction of deliveries that were lost",
    "duplicate_rate": "fraction of requests of which some effect happened too often",
    "out_of_order_rate": "fraction of requests of which some work was done after a later one's",
    "half_done_rate": "fraction of requests that stay half done",
    "pending_rate": "fraction of requests still under way when the run ended",
    "inconsistent_rate": "fraction of requests that are not consistent when the run ends",
}

_QUANTILES: Final = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def summarise(record: Record, ledger: pd.DataFrame) -> pd.Series:
    """Return the metrics of a run, in the order of ``MEANINGS``."""
    scenario, requests, deliveries = record.scenario, record.requests, record.deliveries
    times = measured(record, ledger)
    counted = _is_counted(record).to_numpy()
    deliveries = deliveries[deliveries["request"].isin(requests["request"][counted])]
    verdicts = ledger["verdict"][counted]
    values: dict[str, float] = {
        "requests": int(counted.sum()),
        "throughput": _throughput(record),
        "ok_rate": _rate(requests["outcome"][counted] == Outcome.OK),
    }
    for name, sample in times.items():
        values.update(distribution(name, sample))
    values |= {
        "dlq_rate": _rate(deliveries["outcome"] == Outcome.DEAD_LETTERED),
        "lost_rate": _rate(deliveries["outcome"] == Outcome.LOST),
        "duplicate_rate": _rate(ledger["repeated"][counted] > 0),
        "out_of_order_rate": _rate(ledger["out_of_order"][counted] > 0),
        "half_done_rate": _rate(verdicts == "half_done"),
        "pending_rate": _rate(verdicts == "pending"),
        "inconsistent_rate": _rate(verdicts != "consistent"),
    }
    return pd.Series(values, name=scenario.name, dtype="float64")


def measured(record: Record, ledger: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each measured time (seconds) after the warm-up, in the order of starting.

    Undefined ones are left out: a request that was never answered has no response time.
    """
    requests, counted = record.requests, _is_counted(record)
    completed = ledger["completed_at"]
    answered = requests["answered_at"]
    lag = (completed - answered).clip(lower=0)
    ok = counted & (requests["outcome"] == Outcome.OK)
    return {
        "response_time": (answered - requests["started_at"])[ok],
        "completion_time": (completed - requests["started_at"])[counted].dropna(),
        "consistency_lag": lag[counted].dropna(),
        "delivery_lag": delivery_lags(record),
    }


def delivery_lags(record: Record) -> pd.Series:
    """Return the lag of what was handled after the warm-up (seconds), by row of deliveries."""
    deliveries = record.deliveries
    of_counted = deliveries["request"].isin(record.requests["request"][_is_counted(record)])
    handled = deliveries[of_counted & (deliveries["outcome"] == Outcome.HANDLED)]
    return handled["ended_at"] - handled["published_at"]


def _is_counted(record: Record) -> pd.Series:
    return record.requests["started_at"] >= record.scenario.warmup


def _throughput(record: Record) -> float:
    begin, end = record.scenario.warmup, record.scenario.duration
    ok = record.requests["answered_at"][record.requests["outcome"] == Outcome.OK]
    return float(((ok >= begin) & (ok < end)).sum()) / (end - begin)


def distribution(name: str, sample: pd.Series) -> Iterator[tuple[str, float]]:
    """Yield the mean and the quantiles of a sample, each with its name."""
    values = sample.to_numpy(dtype=float)
    yield f"{name}_mean", float(values.mean()) if len(values) else np.nan
    for label, q in _QUANTILES.items():
        yield f"{name}_{label}", float(np.quantile(values, q)) if len(values) else np.nan


def _rate(happened: pd.Series) -> float:
    return float(happened.mean()) if len(happened) else np.nan
