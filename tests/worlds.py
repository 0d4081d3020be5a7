"""Tiny worlds and ways to read them, for the tests that prove what a run means.

Times in the deterministic worlds are sums of quarters, which floats hold exactly, so
that a test computed by hand can compare with ``==``.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eda_sim.catalog import order_chain, order_pubsub
from eda_sim.results.run import Run
from eda_sim.results.statistics import Interval, student_t
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, CircuitBreaker, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import (
    Constant,
    Distribution,
    Exponential,
    Gamma,
    LogNormal,
    Uniform,
)
from eda_sim.scenario.faults import Outage, Slowdown
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Parallel, Publish, Send, Work
from eda_sim.scenario.traffic import (
    Arrivals,
    Bursts,
    Poisson,
    Regular,
    Spike,
    Trace,
    Traffic,
    UniformKeys,
    ZipfKeys,
)

Floats = npt.NDArray[np.float64]


def takes(seconds: float, label: str = "work", **failures: float) -> Work:
    """Work of a constant time."""
    return Work(Constant(seconds), label, **failures)


def world(
    message: Any,
    at: Sequence[float] | Arrivals,
    services: Sequence[Service] | Mapping[str, Sequence[AnyStep]],
    **settings: Any,
) -> Scenario:
    """Requests at the given moments, or as the given process says, for at most 100 seconds.

    Services given as a mapping have one worker and one handler each: the n-th handles ``M<n>``.
    """
    if isinstance(services, Mapping):
        services = [
            Service(name, on={f"M{n}": steps}) for n, (name, steps) in enumerate(services.items())
        ]
    arrivals = Trace(at) if isinstance(at, Sequence) else at
    settings = {"broker": Broker(), "duration": 100.0} | settings
    return Scenario("world", traffic=[Traffic(message, arrivals)], services=services, **settings)


def beside(scenario: Scenario, *more: Traffic) -> Scenario:
    """The same world with more sources of traffic."""
    return scenario.replace(traffic=[*scenario.traffic, *more])


def queue(
    rate: float,
    service_time: Distribution,
    requests: int,
    *,
    workers: int = 1,
    inbox: int | None = None,
    warmup: float = 0.0,
) -> Scenario:
    """The queue of the textbooks: Poisson calls, one service, no latency anywhere."""
    work = Work(service_time, "serve")
    service = Service("server", workers=workers, inbox=inbox, on={"Serve": [work]})
    return Scenario(
        "queue",
        traffic=[Traffic(Call("Serve"), Poisson(rate))],
        services=[service],
        duration=warmup + requests / rate,
        warmup=warmup,
    )


def handled(policy: Any, *steps: AnyStep) -> Handler:
    """A handler with a delivery policy of its own."""
    return Handler(steps, delivery=policy)


def rows(table: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """The rows of a table as tuples of the named columns; what never came is None."""
    found = table[list(columns)].astype(object)
    return list(found.where(found.notna(), None).itertuples(index=False, name=None))


def tried(run: Run, service: str) -> list[tuple[Any, ...]]:
    """Every attempt at a service: request, attempt, when queued, started and ended, outcome."""
    mine = run.attempts[run.attempts["service"] == service]
    columns = ("request", "attempt", "queued_at", "started_at", "ended_at", "outcome")
    return sorted(rows(mine, *columns), key=lambda row: (row[2], row[0], row[1]))


def durations(run: Run, service: str) -> dict[tuple[int, int], float]:
    """How long each attempt at a service took, by request and number of the try."""
    mine = run.attempts[run.attempts["service"] == service]
    took = (mine["ended_at"] - mine["started_at"]).round(9)
    return dict(zip(zip(mine["request"], mine["attempt"], strict=True), took, strict=True))


def answers(run: Run) -> list[tuple[Any, ...]]:
    """When each request was answered, and how."""
    return rows(run.requests, "answered_at", "outcome")


def done(run: Run) -> list[tuple[Any, ...]]:
    """Every effect: request, label and when."""
    return rows(run.effects, "request", "label", "at")


def fingerprint(run: Run) -> dict[str, str]:
    """A digest of every table: equal if and only if the tables are, digit for digit."""
    return {name: digest(run.tables[name]) for name in run.tables}


def digest(table: pd.DataFrame) -> str:
    """A digest of a table's values, whatever its index and its unused categories."""
    found = sha256()
    for name, column in table.items():
        found.update(str(name).encode())
        if isinstance(column.dtype, pd.CategoricalDtype):
            found.update("\x1f".join(column.astype(str)).encode())
        else:
            found.update(column.to_numpy().tobytes())
    return found.hexdigest()


def estimate(values: Sequence[float], confidence: float = 0.99) -> Interval:
    """The t interval of what independent replications found."""
    return student_t(np.array(values, dtype=float), confidence)


def within(sample: Floats, mean: float, deviation: float, sigmas: float = 4.0) -> bool:
    """Say whether the mean of independent values is within ``sigmas`` of its truth.

    Four standard errors: a right program misses one in 15,000 times.
    """
    return bool(abs(sample.mean() - mean) <= sigmas * deviation / np.sqrt(len(sample)))


def everything(duration: float = 60.0) -> Scenario:
    """One busy world in which all that can happen does: every outcome, verdict and fault."""
    retry = Retry(max_attempts=3, backoff=Backoff(0.25, jitter="full", maximum=1.0))
    breaker = CircuitBreaker(failures=3, window=5.0, open_for=2.0)
    shop = [
        takes(0.01, "accept"),
        Parallel(
            [Call("Pay", timeout=0.5, retry=retry, breaker=breaker), Call("Reserve", timeout=1.0)]
        ),
        Branch(
            0.3,
            [Send("Wrap")],
            otherwise=[Call("Stamp", retry=Retry(max_attempts=2))],
            label="is a gift",
        ),
        Publish("Placed", version=2),
        Work(Exponential(0.01), "tidy", transient=0.2),
    ]
    paying = [Work(LogNormal(0.06), "charge", transient=0.1, permanent=0.02)]
    lossy = Handler(
        [Work(Gamma(0.02), "count", transient=0.3)],
        delivery=DeliveryPolicy(retry=Retry(max_attempts=2), dead_letter=False),
    )
    return Scenario(
        "everything",
        traffic=[
            Traffic(
                Call("Place", timeout=0.75, retry=Retry(max_attempts=2)),
                Poisson(10),
                keys=UniformKeys(5),
                name="customers",
            ),
            Traffic(Publish("Placed"), Bursts(5, 10), keys=ZipfKeys(5), name="importers"),
            Traffic(Call("Pay", timeout=1.0, breaker=breaker), Spike(2, 20, 10, 10), name="tills"),
            Traffic(Call("Stamp"), Regular(4), name="clerks"),
            Traffic(Call("Audit", timeout=5.0), Poisson(0.5), name="auditors"),
        ],
        services=[
            Service("shop", instances=2, workers=6, on={"Place": shop}),
            Service("bank", instances=2, inbox=4, on={"Pay": paying}),
            Service(
                "store", workers=2, on={"Reserve": [takes(0.03)], "Wrap": [takes(0.1, "wrap")]}
            ),
            Service("post", inbox=0, on={"Stamp": [takes(0.02, "stamp")], "Placed": paying}),
            Service("log", workers=2, on={"Placed": lossy}),
            Service("audit", workers=4, on={"Audit": [Work(Uniform(1, 9), "audit")]}),
        ],
        broker=Broker(
            publish=Exponential(0.002),
            deliver=Exponential(0.005),
            turnaround=Exponential(0.001),
            delivery=DeliveryPolicy(retry=retry),
        ),
        network=Uniform(0.001, 0.002),
        faults=[
            Outage("shop", mtbf=20, mttr=0.5, instances=1),
            Outage("bank", at=10, lasts=1),
            Slowdown("store", factor=20, at=25, lasts=5),
            Outage("post", mtbf=20, mttr=1),
            Outage("log", at=duration - 1, lasts=5),
        ],
        duration=duration,
        warmup=5.0,
        drain=1.0,
    )


def busy_worlds() -> tuple[Scenario, ...]:
    """Three worlds in which much happens."""
    faults = [Outage("payment", at=5, lasts=60)]
    shops = (make(duration=20, warmup=0, faults=faults) for make in (order_chain, order_pubsub))
    return everything(20.0), *shops
