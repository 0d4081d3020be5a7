"""eda_sim: a laboratory for event-driven architecture.

Describe a system as plain data, then draw it, run it, compare it with another
architecture on the same orders and the same luck, and ask what became of each
order:

>>> from eda_sim import order_chain, simulate
>>> run = simulate(order_chain(duration=20, warmup=0), seed=7)
>>> int(run.summary()["requests"]) == len(run.requests)
True

Everything public is listed in ``__all__``. Names are imported when they are
first used, so that ``import eda_sim`` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eda_sim.simulate import simulate
from eda_sim.units import day, hour, minute, ms, second

if TYPE_CHECKING:
    import eda_sim.catalog as catalog
    from eda_sim.catalog import (
        consumer_group,
        event_bus,
        event_flow,
        fan_out,
        order_chain,
        order_crash,
        order_pubsub,
        retry_ladder,
        retry_storm,
        service_chain,
        town_announcement,
        town_conversation,
    )
    from eda_sim.errors import EdaSimError, EdaSimWarning, InvalidInput, SimulationError
    from eda_sim.experiments.compare import Comparison, compare
    from eda_sim.results.run import Run
    from eda_sim.scenario.alerts import Alert
    from eda_sim.scenario.broker import Broker, Topic
    from eda_sim.scenario.delivery import (
        Backoff,
        CircuitBreaker,
        Deduplication,
        DeliveryPolicy,
        Retry,
        RetryBudget,
    )
    from eda_sim.scenario.distributions import (
        Constant,
        Empirical,
        Exponential,
        Gamma,
        LogNormal,
        Pareto,
        Recorded,
        Uniform,
    )
    from eda_sim.scenario.faults import (
        BadDeployment,
        BrokerOutage,
        Duplicates,
        Loss,
        NetworkPartition,
        Outage,
        PoisonMessages,
        Reordering,
        Slowdown,
    )
    from eda_sim.scenario.redrive import Redrive
    from eda_sim.scenario.scenario import Scenario
    from eda_sim.scenario.service import Autoscale, Handler, RateLimit, Service
    from eda_sim.scenario.steps import Branch, Call, Outbox, Parallel, Publish, Send, Work
    from eda_sim.scenario.traffic import (
        Bursts,
        Diurnal,
        Poisson,
        Regular,
        Spike,
        Trace,
        Traffic,
        UniformKeys,
        ZipfKeys,
    )
    from eda_sim.views.comparison import draw_comparison
    from eda_sim.views.curve import draw_curve
    from eda_sim.views.description import describe
    from eda_sim.views.distributions import draw_distribution
    from eda_sim.views.headline import draw_headline
    from eda_sim.views.journey import draw_journey
    from eda_sim.views.ledger import draw_ledger
    from eda_sim.views.lifecycle import draw_lifecycle
    from eda_sim.views.system import draw_system
    from eda_sim.views.timelines import draw_timeline

__version__ = "0.1.0"

_HOMES = {
    "catalog": (
        "consumer_group event_bus event_flow fan_out order_chain order_crash order_pubsub "
        "retry_ladder retry_storm service_chain town_announcement town_conversation"
    ),
    "errors": "EdaSimError EdaSimWarning InvalidInput SimulationError",
    "experiments.compare": "Comparison compare",
    "results.run": "Run",
    "scenario.alerts": "Alert",
    "scenario.broker": "Broker Topic",
    "scenario.delivery": "Backoff CircuitBreaker Deduplication DeliveryPolicy Retry RetryBudget",
    "scenario.distributions": (
        "Constant Empirical Exponential Gamma LogNormal Pareto Recorded Uniform"
    ),
    "scenario.faults": (
        "BadDeployment BrokerOutage Duplicates Loss NetworkPartition Outage PoisonMessages "
        "Reordering Slowdown"
    ),
    "scenario.redrive": "Redrive",
    "scenario.scenario": "Scenario",
    "scenario.service": "Autoscale Handler RateLimit Service",
    "scenario.steps": "Branch Call Outbox Parallel Publish Send Work",
    "scenario.traffic": ("Bursts Diurnal Poisson Regular Spike Trace Traffic UniformKeys ZipfKeys"),
    "views.comparison": "draw_comparison",
    "views.curve": "draw_curve",
    "views.description": "describe",
    "views.distributions": "draw_distribution",
    "views.headline": "draw_headline",
    "views.journey": "draw_journey",
    "views.ledger": "draw_ledger",
    "views.lifecycle": "draw_lifecycle",
    "views.system": "draw_system",
    "views.timelines": "draw_timeline",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Alert",
    "Autoscale",
    "Backoff",
    "BadDeployment",
    "Branch",
    "Broker",
    "BrokerOutage",
    "Bursts",
    "Call",
    "CircuitBreaker",
    "Comparison",
    "Constant",
    "Deduplication",
    "DeliveryPolicy",
    "Diurnal",
    "Duplicates",
    "EdaSimError",
    "EdaSimWarning",
    "Empirical",
    "Exponential",
    "Gamma",
    "Handler",
    "InvalidInput",
    "LogNormal",
    "Loss",
    "NetworkPartition",
    "Outage",
    "Outbox",
    "Parallel",
    "Pareto",
    "PoisonMessages",
    "Poisson",
    "Publish",
    "RateLimit",
    "Recorded",
    "Redrive",
    "Regular",
    "Reordering",
    "Retry",
    "RetryBudget",
    "Run",
    "Scenario",
    "Send",
    "Service",
    "SimulationError",
    "Slowdown",
    "Spike",
    "Topic",
    "Trace",
    "Traffic",
    "Uniform",
    "UniformKeys",
    "Work",
    "ZipfKeys",
    "catalog",
    "compare",
    "consumer_group",
    "day",
    "describe",
    "draw_comparison",
    "draw_curve",
    "draw_distribution",
    "draw_headline",
    "draw_journey",
    "draw_ledger",
    "draw_lifecycle",
    "draw_system",
    "draw_timeline",
    "event_bus",
    "event_flow",
    "fan_out",
    "hour",
    "minute",
    "ms",
    "order_chain",
    "order_crash",
    "order_pubsub",
    "retry_ladder",
    "retry_storm",
    "second",
    "service_chain",
    "simulate",
    "town_announcement",
    "town_conversation",
]


def __getattr__(name: str) -> Any:
    if name == "catalog":
        return import_module("eda_sim.catalog")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'eda_sim' has no attribute {name!r}")
    value = getattr(import_module(f"eda_sim.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
