"""One event, one subscriber, and the policy between them: worlds for what delivery means.

Times are sums of quarters, which floats hold exactly, so that what is computed by hand
can be compared with ``==``. Requests are numbered in the order of their arrival, and so
are their messages: ``n`` names both, and without keys it is the key as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eda_sim.results.run import Run
from eda_sim.rules.luck import Luck, fold
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Constant, Recorded
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import AnyStep, Publish, Work
from eda_sim.scenario.traffic import Arrivals, Trace, Traffic
from tests.worlds import rows

SUBSCRIBER = "worker"
HALF = 0.5  # the chance of a failure that ``seed_where`` deals


def world(
    at: Sequence[float] | Arrivals,
    steps: AnyStep | Sequence[AnyStep],
    policy: DeliveryPolicy | None = None,
    *,
    instances: int = 1,
    workers: int = 1,
    keys: Any = None,
    broker: Mapping[str, Any] | None = None,
    services: Sequence[Service] = (),
    **settings: Any,
) -> Scenario:
    """Messages at the given moments for the one subscriber, and for the other ``services``."""
    handler = Handler(list(steps) if isinstance(steps, Sequence) else [steps], delivery=policy)
    subscriber = Service(SUBSCRIBER, instances=instances, workers=workers, on={"Placed": handler})
    arrivals = Trace(at) if isinstance(at, Sequence) else at
    return Scenario(
        "one subscriber",
        traffic=[Traffic(Publish("Placed"), arrivals, keys=keys)],
        services=[subscriber, *services],
        broker=Broker(**(broker or {})),
        **({"duration": 100.0} | settings),
    )


def takes(seconds: float | Sequence[float], label: str = "work", transient: float = 0.0) -> Work:
    """Work of a constant time, or of a time for each request."""
    lasting = Recorded(seconds) if isinstance(seconds, Sequence) else Constant(seconds)
    return Work(lasting, label, transient=transient)


def retry(max_attempts: int = 10, wait: float = 0.0) -> Retry:
    """Tries with the same wait after each."""
    return Retry(max_attempts=max_attempts, backoff=Backoff(wait, factor=1.0))


def seed_where(fails: Mapping[int, Sequence[bool]], requests: int, label: str = "work") -> int:
    """Return a seed with whose luck attempts at half-failing work go as given.

    ``fails`` says for a request whether its first attempt fails, its second, and so on; the
    first attempts of the other requests succeed.
    """
    dealt = {n: list(fails.get(n, [False])) for n in range(requests)}
    for seed in range(100_000):
        stream = Luck(seed).stream(f"{SUBSCRIBER}/{label}/transient", "clients", 0)
        if all(
            (stream.uniform(n, fold(0, attempt)) < HALF) == failing
            for n, tries in dealt.items()
            for attempt, failing in enumerate(tries, start=1)
        ):
            return seed
    raise AssertionError(f"no seed deals {fails}")


def handling(run: Run, service: str = SUBSCRIBER) -> list[tuple[int, float]]:
    """What the subscriber's workers took, and when, in the order of taking."""
    attempts = run.attempts[run.attempts["service"] == service]
    taken = attempts[attempts["started_at"].notna()]
    return sorted(rows(taken, "request", "started_at"), key=lambda row: row[::-1])


def effects(run: Run) -> list[tuple[int, float]]:
    """Which request's work was complete when, in the order of completion."""
    return rows(run.effects, "request", "at")


def ends(run: Run) -> list[tuple[str, float, int]]:
    """How, when and after how many attempts each delivery ended, in the order of publication."""
    return rows(run.deliveries, "outcome", "ended_at", "attempts")


def same_tables(one: Run, other: Run, but: Sequence[str] = (), without: Sequence[str] = ()) -> bool:
    """Say whether two runs wrote down the same, digit for digit.

    ``but`` are columns and ``without`` tables that are not looked at.
    """

    def same(name: str) -> bool:
        a, b = (run.tables[name].drop(columns=[*but], errors="ignore") for run in (one, other))
        return bool(a.equals(b))

    return all(same(name) for name in one.tables if name not in without)
