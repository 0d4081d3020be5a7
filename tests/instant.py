"""Worlds on a grid, in which many things fall on ten o'clock, and a desk that tells their order.

Whoever does something at ten knocks at the desk, and takes no time for that. The desk serves
first come, first served; so the order of serving is the order of what happened at ten.
"""

from collections.abc import Sequence
from typing import Any

from eda_sim.results.run import Run
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import AnyStep, Call, Publish, Send
from eda_sim.scenario.traffic import Trace, Traffic
from eda_sim.simulate import simulate
from tests.worlds import takes

TEN = 10.0
KNOCK = Publish("Knock")
CALL_DESK = Call("KnockAndWait")
_BRIEFLY = takes(1 / 64, "serve")
_DESK = Service(
    "desk",
    on={
        "Knock": Handler([_BRIEFLY], delivery=DeliveryPolicy(guarantee="at_most_once")),
        "KnockAndWait": [_BRIEFLY],
    },
)


def grid(
    traffic: Sequence[Traffic],
    services: Sequence[Service],
    broker: Broker | None = None,
    **settings: Any,
) -> Scenario:
    """A world with a desk, by default one in which nothing takes time but work."""
    return Scenario(
        "ten o'clock",
        traffic=traffic,
        services=[*services, _DESK],
        broker=broker or Broker(),
        **{"duration": 20.0, "drain": 50.0, **settings},
    )


def client(
    message: Call | Send | Publish, *at: float, name: str = "clients", **more: Any
) -> Traffic:
    """A source with requests at the given moments."""
    return Traffic(message, Trace(list(at)), name=name, **more)


def does(name: str, message: str, *steps: AnyStep, policy: Any = None, **more: Any) -> Service:
    """A service with one handler."""
    return Service(name, on={message: Handler(list(steps), delivery=policy)}, **more)


def waits(seconds: float, max_attempts: int = 2) -> Retry:
    """Tries with the same wait after each."""
    return Retry(max_attempts=max_attempts, backoff=Backoff(seconds, factor=1.0))


def knocked(scenario: Scenario, seed: int = 0, at: float = TEN) -> list[str]:
    """Who knocked at ten, in this order."""
    return [sender for sender, _ in _served(simulate(scenario, seed=seed), at)]


def requests_that_knocked(scenario: Scenario, at: float = TEN) -> list[int]:
    """Whose requests knocked at ten, in this order."""
    return [request for _, request in _served(simulate(scenario, seed=0), at)]


def _served(run: Run, at: float) -> list[tuple[str, int]]:
    served = run.attempts[(run.attempts["service"] == "desk") & (run.attempts["queued_at"] == at)]
    served = served.sort_values("started_at").merge(
        run.messages[["message", "sender"]], on="message"
    )
    return list(zip(served["sender"], served["request"], strict=True))
