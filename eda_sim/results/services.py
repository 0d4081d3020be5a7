"""How busy each service was, who waited before it, and how far behind its publishers it was."""

from __future__ import annotations

from typing import Final

from eda_sim.later.pandas import pd
from eda_sim.results.capacity import workers_of
from eda_sim.results.record import Record
from eda_sim.results.summary import delivery_lags, distribution
from eda_sim.results.timelines import timeline
from eda_sim.rules.outcomes import Outcome

_RATES: Final = (
    Outcome.OK,
    Outcome.FAILED,
    Outcome.CRASHED,
    Outcome.REFUSED,
    Outcome.REJECTED,
)


def service_table(record: Record) -> pd.DataFrame:
    """Return one row a service, measured between the warm-up and the end of traffic.

    ``utilisation`` is busy worker time over what all workers of all instances could
    have given, downtime included, and those that are not wanted any more for as long as they
    finish what they do: at most 1. A worker that waits for a reply is busy. ``instances``
    is the time average of those that are wanted, where an autoscaler changes it.
    ``queue_mean`` and ``queue_max`` count waiting calls and deliveries, ``wait_mean`` is
    in seconds, over the attempts that a worker took. ``delivery_lag_…`` is that of the summary,
    of what was delivered to this service; NaN where nothing was.
    """
    begin, end = record.scenario.warmup, record.scenario.duration
    lags = delivery_lags(record)
    delivered_to = record.deliveries["subscriber"][lags.index]
    rows = {}
    for service in record.scenario.services:
        attempts = record.attempts[record.attempts["service"] == service.name]
        attempts = attempts[(attempts["queued_at"] >= begin) & (attempts["queued_at"] < end)]
        queue = timeline(record, "queue", service.name)
        instances = timeline(record, "instances", service.name).mean(begin, end)
        workers = workers_of(record, service).mean(begin, end)
        wait = attempts["started_at"] - attempts["queued_at"]
        rows[service.name] = {
            "instances": instances,
            "workers": service.workers,
            "utilisation": timeline(record, "busy", service.name).mean(begin, end) / workers,
            "queue_mean": queue.mean(begin, end),
            "queue_max": int(queue.max(begin, end)),
            "wait_mean": float(wait.mean()),
            **dict(distribution("delivery_lag", lags[delivered_to == service.name])),
            "attempts": len(attempts),
            **{
                f"{outcome}_rate": float((attempts["outcome"] == outcome).mean())
                for outcome in _RATES
            },
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("service")
