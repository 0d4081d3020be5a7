"""How many workers a service had at every instant: what its utilisation is measured by.

An instance that nobody wants any more is counted for as long as it finishes what it does.
"""

from __future__ import annotations

import numpy as np

from eda_sim.results.record import Record
from eda_sim.results.step_function import StepFunction
from eda_sim.results.timelines import timeline
from eda_sim.scenario.service import Service


def workers_of(record: Record, service: Service) -> StepFunction:
    """Return the number of a service's workers: in instances that are up, down or stopping.

    An autoscaler takes away who came last: of n instances that it wants, the numbers are below n.
    """
    wanted = timeline(record, "instances", service.name)
    busy = {} if service.autoscale is None else _busy_by_instance(record, service)
    times = np.unique(np.concatenate([wanted.times, *(line.times for line in busy.values())]))
    instances = wanted.sampled(times)
    stopping = [
        (line.sampled(times) > 0) & (wanted.sampled(times) <= number)
        for number, line in busy.items()
    ]
    workers = service.workers * (instances + np.sum(stopping, axis=0))
    return StepFunction(f"workers of {service.name}", times, workers)


def _busy_by_instance(record: Record, service: Service) -> dict[int, StepFunction]:
    """Return how many workers of each instance were busy, by its number."""
    attempts = record.attempts[record.attempts["service"] == service.name]
    taken = attempts[attempts["started_at"].notna()]
    found = {}
    for number in range(service.most_instances):
        mine = taken[taken["instance"] == number]
        begins, ends = mine["started_at"].to_numpy(), mine["ended_at"].to_numpy()
        found[number] = StepFunction.of_intervals(f"busy in instance {number}", begins, ends)
    return found
