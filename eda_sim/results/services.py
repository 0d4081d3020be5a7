"""How busy each service was, and who waited before it."""

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from eda_sim.results.run import Run


def service_table(run: "Run") -> pd.DataFrame:
    """Return one row a service, measured between the warm-up and the end of traffic.

    ``utilisation`` is busy worker time over what all workers of all instances could
    have given, downtime included; a worker that waits for a reply is busy. ``instances``
    is the time average where an autoscaler changes it.
    ``queue_mean`` and ``queue_max`` count waiting calls and deliveries, ``wait_mean`` is
    in seconds, over the attempts that a worker took.
    """
    begin, end = run.scenario.warmup, run.scenario.duration
    rows = {}
    for service in run.scenario.services:
        attempts = run.attempts[run.attempts["service"] == service.name]
        attempts = attempts[(attempts["queued_at"] >= begin) & (attempts["queued_at"] < end)]
        queue = run.timeline("queue", service.name)
        instances = run.timeline("instances", service.name).mean(begin, end)
        threads = instances * service.workers
        wait = attempts["started_at"] - attempts["queued_at"]
        rows[service.name] = {
            "instances": instances,
            "workers": service.workers,
            "utilisation": run.timeline("busy", service.name).mean(begin, end) / threads,
            "queue_mean": queue.mean(begin, end),
            "queue_max": int(queue.max(begin, end)),
            "wait_mean": float(wait.mean()),
            "attempts": len(attempts),
            **{
                f"{outcome}_rate": float((attempts["outcome"] == outcome).mean())
                for outcome in ("ok", "failed", "crashed", "refused", "rejected")
            },
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("service")
