"""`order_crash`: the same crashes under three guarantees, and what is lost or done twice."""

import inspect
from typing import Any

import pytest

from eda_sim import (
    Deduplication,
    InvalidInput,
    Retry,
    Run,
    Scenario,
    compare,
    order_crash,
    order_pubsub,
    simulate,
)
from eda_sim.catalog.crash import GUARANTEES, MOST_CRASHES

LEAK: dict[str, Any] = {"crash_at": 2, "crash_every": 2, "crash_lasts": 0.2, "duration": 120}

OTHERS: dict[str, Any] = {
    "guarantee": "effectively_once",
    "instances": 7,
    "crash_at": 7.0,
    "crash_lasts": 0.7,
    "crash_every": 7.0,
    "crash_instances": 1,
    "prefetch": 7,
    "ack_timeout": 7.0,
    "retry": Retry(max_attempts=7),
    "memory": Deduplication(window=7.0),
    "duration": 700.0,
    "warmup": 7.0,
}


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Two minutes under each guarantee, payment crashing every two seconds."""
    return {name: simulate(order_crash(guarantee=name, **LEAK), seed=1) for name in GUARANTEES}  # type: ignore[arg-type]


def test_each_guarantee_makes_its_own_mistake_and_no_other(runs: dict[str, Run]) -> None:
    """At most once loses, at least once doubles; effectively once has clean books."""
    wrong = {name: set(run.audit()["problem"]) for name, run in runs.items()}
    assert wrong == {
        "at_most_once": {"missing"},
        "at_least_once": {"repeated"},
        "effectively_once": set(),
    }


def test_every_customer_is_told_ok_whatever_becomes_of_the_order(runs: dict[str, Run]) -> None:
    """Payment is not part of the answer."""
    for run in runs.values():
        assert set(run.requests["outcome"]) == {"ok"}


def test_a_crash_finds_as_many_as_little_says(runs: dict[str, Run]) -> None:
    """Rate times work are lost, rate times turnaround are doubled: 2.4 and 0.8 for each crash.

    Each is a Poisson count, nearly: four standard deviations.
    """
    crashes = len(runs["at_most_once"].faults)
    assert crashes == 59
    for name, verdict, mean in (
        ("at_most_once", "half_done", 40 * 0.060),
        ("at_least_once", "duplicated", 40 * 0.020),
    ):
        found = runs[name].verdicts()[verdict]
        assert abs(found - mean * crashes) < 4 * (mean * crashes) ** 0.5


def test_the_orders_are_the_same_under_each_guarantee(runs: dict[str, Run]) -> None:
    """Same customers, same times, and the same luck at every work of the first attempt."""
    starts = [run.requests["started_at"].tolist() for run in runs.values()]
    assert starts[0] == starts[1] == starts[2]
    mails = []
    for run in runs.values():
        sent = run.effects[run.effects["label"] == "accept order"]
        mails.append(sent["at"].tolist())
    assert mails[0] == mails[1] == mails[2]


def test_without_a_crash_nothing_is_lost_and_nothing_comes_twice() -> None:
    """The guarantees differ only where something breaks."""
    for name in GUARANTEES:
        run = simulate(order_crash(guarantee=name, crash_at=None, duration=30), seed=2)  # type: ignore[arg-type]
        assert run.faults.empty
        assert run.verdicts()["consistent"] == len(run.requests)


def test_a_memory_shorter_than_the_restart_is_no_memory() -> None:
    """What comes back a second later is unknown to a handler that remembers half a second."""
    forgetful = order_crash(guarantee="effectively_once", memory=Deduplication(window=0.5))
    careful = order_crash(guarantee="effectively_once", memory=Deduplication(window=5.0))
    plain = order_crash(guarantee="at_least_once")
    doubled = [simulate(each, seed=1).verdicts()["duplicated"] for each in (forgetful, plain)]
    assert doubled[0] == doubled[1] > 0
    assert simulate(careful, seed=1).verdicts()["duplicated"] == 0


def test_half_of_the_copies_lose_half_as_much() -> None:
    """A crash of one of two copies finds half of the work: 1.2 orders instead of 2.4."""
    half = order_crash(guarantee="at_most_once", crash_instances=1, **LEAK)
    lost = simulate(half, seed=1).verdicts()["half_done"]
    assert abs(lost - 1.2 * 59) < 4 * (1.2 * 59) ** 0.5


def test_differences_between_guarantees_are_told_from_chance() -> None:
    """In four replications, with their intervals."""
    shops = {name: order_crash(guarantee=name, **(LEAK | {"duration": 30})) for name in GUARANTEES}  # type: ignore[arg-type]
    found = compare(shops, replications=4, seed=1, progress=False).differences(
        metrics=["half_done_rate", "duplicate_rate"]
    )
    assert found.loc[("at_least_once", ["half_done_rate", "duplicate_rate"]), "excludes_zero"].all()
    assert found.loc[("effectively_once", "half_done_rate"), "excludes_zero"]


def built(**settings: Any) -> Scenario:
    """The scenario with other settings."""
    return order_crash(**settings)


@pytest.mark.parametrize("name", list(inspect.signature(order_crash).parameters))
def test_every_setting_changes_the_scenario(name: str) -> None:
    """No keyword argument is without effect; a memory is for who has one."""
    base = {"guarantee": "effectively_once"} if name == "memory" else {}
    if name == "crash_instances":
        base["instances"] = 7
    default = inspect.signature(order_crash).parameters[name].default
    other = OTHERS.get(name, 7 if isinstance(default, int) or default is None else 0.7)
    assert built(**base, **{name: other}) != built(**base)


def test_whatever_is_not_about_the_crash_is_the_shop_of_order_pubsub() -> None:
    """Traffic and services are those of ``order_pubsub``, copies of payment apart."""
    crash = order_crash(instances=1, turnaround_mean=0.0, duration=60)
    shop = order_pubsub(payment_transient=0.0, duration=60, warmup=0)
    assert (crash.traffic, crash.services) == (shop.traffic, shop.services)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guarantee": "exactly_once"}, "guarantee must be one of at_most_once, at_least_once, "),
        ({"crash_every": 1.0}, "crash_every must be > crash_lasts = 1, got 1.0: "),
        (
            {"duration": 1e6, "crash_every": 2.0},
            f"crash_every must leave at most {MOST_CRASHES} crashes until 1e+06 s, got 2.0, ",
        ),
        ({"crash_instances": 3}, "faults[0].instances must be <= 2, the instances of 'payment'"),
    ],
)
def test_what_cannot_be_right_is_refused(settings: dict[str, Any], message: str) -> None:
    """One line, with the rule, the value and the remedy."""
    with pytest.raises(InvalidInput) as refused:
        order_crash(**settings)
    assert message in str(refused.value)


def test_the_p99_of_the_customers_does_not_know_the_guarantee(runs: dict[str, Run]) -> None:
    """Latency alone cannot tell which guarantee it was: response times are equal."""
    p99 = [run.summary()["response_time_p99"] for run in runs.values()]
    assert p99[0] == p99[1] == p99[2]
