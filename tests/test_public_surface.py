"""What is exported is a promise; what is not is free to change. Here is the promise."""

import importlib
from types import ModuleType

import pytest

import eda_sim

SURFACE = [
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
    "StepFunction",
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
    "lifecycle",
    "minute",
    "ms",
    "order_chain",
    "order_crash",
    "order_pubsub",
    "partition_of",
    "preset_settings",
    "retry_ladder",
    "retry_storm",
    "second",
    "service_chain",
    "simulate",
    "student_t",
    "style",
    "theory",
    "town_announcement",
    "town_conversation",
]


def test_the_surface_is_pinned() -> None:
    """Exactly these names are public: to add one is a decision, to lose one breaks users."""
    assert eda_sim.__all__ == SURFACE


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_imports(name: str) -> None:
    """Each name can be had, is known to ``dir`` and says what it is for."""
    value = getattr(eda_sim, name)
    assert name in dir(eda_sim)
    assert isinstance(value, float) or (value.__doc__ or "").strip()


def test_a_star_import_brings_the_surface() -> None:
    """``from eda_sim import *``, a notebook's one import, brings all of it and nothing else."""
    names: dict[str, object] = {}
    exec("from eda_sim import *", names)
    assert sorted(names.keys() - {"__builtins__"}) == SURFACE


def test_names_keep_their_identity() -> None:
    """A name is the same object at the front door and at home, also when asked for again."""
    for name in SURFACE:
        value = getattr(eda_sim, name)
        assert getattr(eda_sim, name) is value
        if isinstance(value, ModuleType):
            assert importlib.import_module(value.__name__) is value
        elif not isinstance(value, float):
            assert getattr(importlib.import_module(value.__module__), name) is value


def test_the_public_modules_are_known() -> None:
    """These four are modules, whose names stand for all they hold; everything else is a name."""
    modules = [name for name in SURFACE if isinstance(getattr(eda_sim, name), ModuleType)]
    assert modules == ["catalog", "lifecycle", "style", "theory"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    """What is not there raises as Python's own modules do."""
    with pytest.raises(AttributeError, match="module 'eda_sim' has no attribute 'simulat'"):
        _ = eda_sim.simulat
    with pytest.raises(ImportError):
        exec("from eda_sim import simulat")


def test_the_units_multiply() -> None:
    """Units are seconds: a day has 24 hours of 60 minutes of 60 seconds of 1000 ms."""
    from eda_sim import day, hour, minute, ms, second

    assert (day / hour, hour / minute, minute / second, second / ms) == (24, 60, 60, 1000)


def test_the_version_is_that_of_the_project() -> None:
    """The package says the version it was released as."""
    import tomllib
    from pathlib import Path

    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text("utf-8"))["project"]["version"] == eda_sim.__version__
