"""What is timed: the engine and, for the same work, SimPy written by hand.

Each workload takes a size and returns how many units (deliveries, requests) it
has handled, so that nobody can be fast by doing less.
"""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks import hand_written
from benchmarks.everything_on import everything_on
from eda_sim import (
    Call,
    Exponential,
    Poisson,
    Run,
    Scenario,
    Service,
    Traffic,
    Work,
    fan_out,
    simulate,
)
from eda_sim.results.record import RecordedTables


def rows(run: Run, table: str) -> int:
    """Count the rows of a table without building it: that is no work of the engine's."""
    assert isinstance(run.tables, RecordedTables)
    return run.tables.size(table)


class Workload(NamedTuple):
    """The same work done twice: by the engine, and by hand.

    Nobody writes everything by hand: without a twin it is compared with ``fan_out`` by the engine.
    """

    name: str
    unit: str
    size: int
    engine: Callable[[int], int]
    by_hand: Callable[[int], int] | None = None


def _fan_out(messages: int) -> int:
    run = simulate(fan_out(messages=messages), seed=1)
    return rows(run, "deliveries")


def _single_server(requests: int) -> int:
    scenario = Scenario(
        "M/M/1",
        traffic=[Traffic(Call("Ask"), Poisson(rate=80))],
        services=[Service("server", on={"Ask": [Work(Exponential(0.010), "serve")]})],
        duration=requests / 80,
    )
    run = simulate(scenario, seed=1)
    return rows(run, "requests")


def _everything(orders: int) -> int:
    run = simulate(everything_on(orders), seed=1)
    return rows(run, "deliveries")


WORKLOADS = {
    "fan_out": Workload(
        "fan_out: 400 messages/s, 3 subscribers x 4 workers, retries, dead letters",
        "delivery",
        100_000,
        _fan_out,
        lambda messages: len(hand_written.fan_out(messages)),
    ),
    "single_server": Workload(
        "M/M/1: 80 calls/s, 10 ms of service",
        "request",
        100_000,
        _single_server,
        lambda requests: len(hand_written.single_server(requests)),
    ),
    "everything_on": Workload(
        "everything on: every policy, protection and fault, 8 services",
        "delivery",
        20_000,
        _everything,
    ),
}
