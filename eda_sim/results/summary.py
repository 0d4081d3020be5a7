"""The metrics of one run, each with its definition.

Statistics leave out requests that started before the warm-up, with all that
they caused. A mean or quantile of nothing is NaN, never 0.

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

MEANINGS: Final = {
    "requests": "requests that started",
    "throughput": "requests answered ok, for each second of traffic",
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
    seconds = scenario.duration - scenario.warmup
    counted = (requests["started_at"] >= scenario.warmup).to_numpy()
    deliveries = deliveries[deliveries["request"].isin(requests["request"][counted])]
    ok = (requests["outcome"][counted] == "ok").sum()
    verdicts = ledger["verdict"][counted]
    values: dict[str, float] = {
        "requests": int(counted.sum()),
        "throughput": ok / seconds,
        "ok_rate": _rate(requests["outcome"][counted] == "ok"),
    }
    for name, sample in times.items():
        values.update(_distribution(name, sample))
    values |= {
        "dlq_rate": _rate(deliveries["outcome"] == "dead_lettered"),
        "lost_rate": _rate(deliveries["outcome"] == "lost"),
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
    requests, deliveries = record.requests, record.deliveries
    counted = requests["started_at"] >= record.scenario.warmup
    completed = ledger["completed_at"]
    answered = requests["answered_at"]
    lag = (completed - answered).clip(lower=0)
    of_counted = deliveries["request"].isin(requests["request"][counted])
    handled = deliveries[of_counted & (deliveries["outcome"] == "handled")]
    ok = counted & (requests["outcome"] == "ok")
    return {
        "response_time": (answered - requests["started_at"])[ok],
        "completion_time": (completed - requests["started_at"])[counted].dropna(),
        "consistency_lag": lag[counted].dropna(),
        "delivery_lag": handled["ended_at"] - handled["published_at"],
    }


def _distribution(name: str, sample: pd.Series) -> Iterator[tuple[str, float]]:
    values = sample.to_numpy(dtype=float)
    yield f"{name}_mean", float(values.mean()) if len(values) else np.nan
    for label, q in _QUANTILES.items():
        yield f"{name}_{label}", float(np.quantile(values, q)) if len(values) else np.nan


def _rate(happened: pd.Series) -> float:
    return float(happened.mean()) if len(happened) else np.nan
