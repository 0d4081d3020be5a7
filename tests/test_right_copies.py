"""What a link has doubled: the copy is the same try, handled with luck of its own."""

from typing import Any

import pytest

from eda_sim import (
    Backoff,
    Broker,
    Call,
    DeliveryPolicy,
    Duplicates,
    Publish,
    Regular,
    Retry,
    Run,
    Service,
    Uniform,
    Work,
    simulate,
)
from tests.worlds import handled, rows, takes, world

THRICE = Retry(max_attempts=3, backoff=Backoff(20.0, factor=1.0))
SHAKY = Work(Uniform(0, 1), "w", transient=1.0)
TWICE = [Duplicates(1.0)]


def took(run: Run, service: str) -> Any:
    """How long each attempt at a service took, by request."""
    mine = run.attempts[run.attempts["service"] == service]
    return (mine["ended_at"] - mine["started_at"]).round(9).groupby(mine["request"])


def test_every_copy_of_a_call_has_luck_of_its_own() -> None:
    """Three tries and a copy of each: six different times for every request."""
    services = [Service("a", workers=50, on={"C": [SHAKY]})]
    run = simulate(world(Call("C", retry=THRICE), Regular(1), services, faults=TWICE, drain=99.0))
    assert len(run.attempts) == 600
    assert (took(run, "a").nunique() == 6).all()


def test_a_copy_of_a_call_goes_by_the_number_of_its_try() -> None:
    """The second try is doubled, so there are two attempts with number 2, and none else."""
    services = [Service("a", workers=9, on={"C": [takes(1, transient=1.0)]})]
    faults = [Duplicates(1.0, at=20.0, lasts=10.0)]
    run = simulate(world(Call("C", retry=THRICE), [0.0], services, faults=faults))
    assert rows(run.attempts, "attempt", "started_at") == [(1, 0), (2, 21), (2, 21), (3, 42)]
    assert rows(run.incidents[run.incidents["what"] == "doubled"], "attempt") == [(2,)]
    assert run.calls["attempts"].tolist() == [3]


def test_every_copy_of_a_delivery_has_luck_of_its_own() -> None:
    """Accepted twice, delivered twice each time, tried three times: twelve different times."""
    services = [Service("a", workers=50, on={"E": handled(DeliveryPolicy(retry=THRICE), SHAKY)})]
    run = simulate(world(Publish("E"), Regular(1), services, faults=TWICE, drain=99.0))
    assert len(run.attempts) == 1200
    assert (took(run, "a").nunique() == 12).all()


@pytest.mark.parametrize("inner", [Call("C"), Publish("C")], ids=["call", "publish"])
@pytest.mark.parametrize("outer", [Call("B"), Publish("B")], ids=["call", "publish"])
def test_a_copy_of_what_a_copy_makes_has_luck_of_its_own(
    outer: Call | Publish, inner: Call | Publish
) -> None:
    """Each time that B is handled it makes a C, and each C comes again: all different times.

    A call comes twice; a publication is accepted twice, and each time delivered twice.
    """
    services = [
        Service("b", workers=50, on={"B": [inner]}),
        Service("c", workers=50, on={"C": [Work(Uniform(0, 1), "w")]}),
    ]
    run = simulate(world(outer, Regular(1), services, faults=TWICE, broker=Broker(), drain=99.0))
    comes = {"Call": 2, "Publish": 4}
    times = comes[type(outer).__name__] * comes[type(inner).__name__]
    assert (took(run, "c").size() == times).all()
    assert (took(run, "c").nunique() == times).all()
