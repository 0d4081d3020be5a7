"""How settings are given: what has no default may be positional, what has one is named."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any

import pytest

import eda_sim
from eda_sim import (
    Call,
    Constant,
    DeliveryPolicy,
    Handler,
    InvalidInput,
    Outage,
    Retry,
    Spike,
    Work,
)
from eda_sim.scenario.plain import to_plain

PUBLIC = [getattr(eda_sim, name) for name in eda_sim.__all__]
DESCRIPTIONS = [each for each in PUBLIC if hasattr(each, "__pydantic_validator__")]


def has_default(field: Field[Any]) -> bool:
    """Whether a setting may be left out."""
    return field.default is not MISSING or field.default_factory is not MISSING


@pytest.mark.parametrize("cls", DESCRIPTIONS)
def test_what_has_a_default_is_named_and_nothing_else_is(cls: Any) -> None:
    """In every description the settings that may be left out are those that need their name."""
    assert {f.name for f in fields(cls) if f.kw_only} == {
        f.name for f in fields(cls) if has_default(f)
    }


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Retry(4),
            "Retry takes no positional values, got 4: write max_attempts=4 (or backoff=, budget=)",
        ),
        (
            lambda: Outage("payment", 300),
            "Outage takes only service by position, got 300: "
            "write instances=300 (or at=, lasts=, mtbf=, mttr=)",
        ),
        (
            lambda: Handler([], DeliveryPolicy()),
            "Handler takes only steps by position, got DeliveryPolicy(): "
            "write delivery=DeliveryPolicy()",
        ),
        (
            lambda: Spike(10, 30, 20, 5, 7),
            "Spike takes only rate, at, lasts, factor by position, got 7: leave it out",
        ),
        (
            lambda: Call("Pay", "call"),
            "Call takes only command by position, got 'call': write timeout='call' "
            "(or retry=, breaker=, bulkhead=, propagate_deadline=)",
        ),
    ],
)
def test_a_value_without_its_name_is_refused(build: Callable[[], Any], message: str) -> None:
    """One line says what goes by position, what was given beyond it, and what to write."""
    with pytest.raises(InvalidInput) as refused:
        build()
    assert str(refused.value) == message


def test_a_fault_shows_its_own_settings_before_its_times() -> None:
    """Written as a call or as plain data, what a fault does comes before when it does so."""
    outage = Outage("payment", lasts=60, at=300, instances=1)
    assert repr(outage) == "Outage('payment', instances=1, at=300.0, lasts=60.0)"
    assert list(to_plain(outage)) == ["kind", "service", "instances", "at", "lasts"]


def test_a_repr_names_what_was_decided() -> None:
    """What needs no name comes first, without it, though it may equal another's default."""
    assert repr(Work(Constant(1), "work", permanent=0.5)) == (
        "Work(Constant(1.0), 'work', permanent=0.5)"
    )
