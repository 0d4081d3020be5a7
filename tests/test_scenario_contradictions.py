"""Policies and faults that contradict each other are refused; what is only odd is a warning."""

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eda_sim import (
    Autoscale,
    Backoff,
    Broker,
    Call,
    Constant,
    Deduplication,
    DeliveryPolicy,
    EdaSimError,
    EdaSimWarning,
    Handler,
    InvalidInput,
    Outage,
    Poisson,
    Publish,
    Redrive,
    Retry,
    RetryBudget,
    Scenario,
    Send,
    Service,
    Slowdown,
    Topic,
    Traffic,
    Work,
    compare,
    simulate,
)
from eda_sim.catalog import CATALOG

WORK = Work(Constant(0.1), "charge card")
ORDERED = DeliveryPolicy(ordered=True)


def payments(
    policy: DeliveryPolicy | None = None,
    *,
    on: dict[str, Any] | None = None,
    traffic: tuple[Traffic, ...] = (),
    broker: Broker | None = None,
    rate: float = 1.0,
    instances: int = 1,
    workers: int = 1,
    autoscale: Autoscale | None = None,
    **settings: Any,
) -> Scenario:
    """Orders are placed, and one service, ``payment``, hears of them."""
    handlers: dict[str, Any] = {"OrderPlaced": Handler([WORK], delivery=policy), **(on or {})}
    return Scenario(
        "payments",
        traffic=[Traffic(Publish("OrderPlaced"), Poisson(rate)), *traffic],
        services=[
            Service(
                "payment", instances=instances, workers=workers, autoscale=autoscale, on=handlers
            )
        ],
        broker=broker or Broker(),
        duration=10.0,
        **settings,
    )


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (
            lambda: DeliveryPolicy(guarantee="at_most_once", idempotent=True),
            "DeliveryPolicy: idempotent needs guarantee='at_least_once', got 'at_most_once': "
            "what comes once at most needs no deduplication; leave idempotent out",
        ),
        (
            lambda: DeliveryPolicy(guarantee="at_most_once", idempotent=Deduplication(size=3)),
            "DeliveryPolicy: idempotent needs guarantee='at_least_once', got 'at_most_once': "
            "what comes once at most needs no deduplication; leave idempotent out",
        ),
        (
            lambda: DeliveryPolicy(guarantee="at_most_once", ack_timeout=30),
            "DeliveryPolicy: ack_timeout=30.0 needs guarantee='at_least_once', got 'at_most_once', "
            "which acknowledges before handling: leave ack_timeout out",
        ),
        (
            lambda: DeliveryPolicy(retry=Retry(max_attempts=None), dead_letter=False),
            "DeliveryPolicy: retry.max_attempts must be a number where dead_letter=False, got "
            "None: a message that always fails would be tried for ever; limit it, or allow "
            "dead letters",
        ),
        (
            lambda: DeliveryPolicy(retry=Retry(budget=RetryBudget())),
            "DeliveryPolicy: retry.budget=RetryBudget() is for calls, and a delivery has none: "
            "leave budget out, and limit max_attempts",
        ),
        (
            lambda: DeliveryPolicy(retry_topic=True),
            "DeliveryPolicy: retry_topic needs ordered=True, got False: unordered deliveries "
            "are tried again without keeping others; leave retry_topic out",
        ),
        (
            lambda: DeliveryPolicy(ordered=True, prefetch=10),
            "DeliveryPolicy: prefetch=10 needs ordered=False, got True: a partition is handled one "
            "message at a time; leave prefetch out",
        ),
        (
            lambda: Backoff(1.0, jitter="some"),
            "Backoff.jitter must be 'none', 'full' or 'decorrelated', got 'some'",
        ),
        (
            lambda: Autoscale(most=1, least=2, target=0.5),
            "Autoscale: most must be >= least (2), got 1",
        ),
        (
            lambda: Autoscale(most=3, target=5),
            "Autoscale: target must be <= 1 by utilisation, got 5.0: give a fraction",
        ),
        (
            lambda: Service("payment", instances=9, autoscale=Autoscale(most=4, target=0.5)),
            "Service('payment'): instances must be between autoscale's least (1) and most (4), "
            "got 9",
        ),
        (
            lambda: Broker.rabbitmq(prefetch_cont=3),
            "Broker.rabbitmq: prefetch_cont is not a known setting, got 3: did you mean "
            "'prefetch_count'?",
        ),
    ],
)
def test_a_policy_that_contradicts_itself(build: Callable[[], Any], line: str) -> None:
    """What one part says cannot go with what another part of it says."""
    with pytest.raises(InvalidInput) as caught:
        build()
    assert str(caught.value) == line


NO_DEAD_LETTERS = (
    "redrives[0] must redrive from a queue that can have dead letters, got 'payment', whose "
    "deliveries are at most once, without dead letters, or none at all: set dead_letter=True, or "
    "leave the redrive out"
)


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (
            lambda: payments(DeliveryPolicy(dead_letter=False), redrives=[Redrive("payment", 5)]),
            NO_DEAD_LETTERS,
        ),
        (
            lambda: payments(
                DeliveryPolicy(guarantee="at_most_once"), redrives=[Redrive("payment", 5)]
            ),
            NO_DEAD_LETTERS,
        ),
        (
            lambda: payments(redrives=[Redrive("paymnt", 5)]),
            "redrives[0].service must name a service, got 'paymnt': did you mean 'payment'?",
        ),
        (
            lambda: payments(redrives=[Redrive("payment", 5, message="OrderPlacd")]),
            "redrives[0].message must name a message delivered to 'payment', got 'OrderPlacd': did "
            "you mean 'OrderPlaced'?",
        ),
        (
            lambda: payments(
                faults=[Outage("payment", at=10, lasts=20), Outage("payment", at=15, lasts=5)]
            ),
            "faults[1] must not overlap faults[0], which has copies of 'payment' down from 10 to "
            "30 s, got 15 to 20 s: together they hit 2 copies of 1, and what is down cannot go "
            "down again; let it begin later, or make one outage of both",
        ),
        (
            lambda: payments(
                instances=3,
                faults=[
                    Outage("payment", at=10, lasts=20, instances=1),
                    Outage("payment", at=15, lasts=5, instances=2),
                    Outage("payment", at=12, lasts=9, instances=1),
                ],
            ),
            "faults[2] must not overlap faults[0] and faults[1], which have copies of 'payment' "
            "down from 10 to 30 s, got 12 to 21 s: together they hit 4 copies of 3, and what is "
            "down cannot go down again; let it begin later, or make one outage of both",
        ),
    ],
)
def test_parts_that_contradict_each_other(build: Callable[[], Any], line: str) -> None:
    """The whole says which of its parts cannot go together, and what would help."""
    with pytest.raises(InvalidInput) as caught:
        build()
    assert str(caught.value) == f"Scenario('payments'): {line}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Outage("payment", at=10, lasts=20), Outage("payment", at=15, lasts=100)),
        (Outage("payment", at=15, lasts=100), Outage("payment", at=10, lasts=20)),
        (
            Outage("payment", at=10, lasts=20, instances=2),
            Outage("payment", at=29, lasts=5, instances=2),
        ),
        (Outage("payment", at=10, lasts=20), Outage("payment", at=12, lasts=1, instances=1)),
        (Outage("payment", at=10, lasts=20), Outage("payment", at=10, lasts=20)),
    ],
)
def test_outages_of_one_copy_at_one_time(one: Outage, other: Outage) -> None:
    """Together they need more copies than there are, so one would go down twice."""
    with pytest.raises(InvalidInput, match="must not overlap"):
        payments(instances=3, faults=[one, Slowdown("payment", 2, at=1, lasts=50), other])


@pytest.mark.parametrize(
    "other",
    [
        Outage("payment", at=30, lasts=5),
        Outage("payment", at=5, lasts=5),
        Outage("email", at=15, lasts=5),
        Outage("payment", mtbf=100, mttr=10),
        Outage("payment", at=15, lasts=5, instances=1),
    ],
    ids=["after", "before", "another", "random", "other copies"],
)
def test_outages_that_do_not_meet(other: Outage) -> None:
    """One after the other, of two services, by chance, or of different copies: these can all be."""
    faults = [Outage("payment", at=10, lasts=20, instances=2), other]
    services = [*payments(instances=3).services, Service("email")]
    scenario = payments().replace(services=services, faults=faults)
    assert scenario.faults == tuple(faults)


def test_a_rounding_is_no_overlap() -> None:
    """0.1 + 0.2 is a little more than 0.3, and an outage may begin at 0.3 all the same."""
    assert 0.1 + 0.2 > 0.3
    assert payments(
        faults=[Outage("payment", at=0.1, lasts=0.2), Outage("payment", at=0.3, lasts=0.2)]
    )


def test_a_file_says_which_outages_overlap() -> None:
    """In a file the path and the remedy are the same."""
    plain = payments().to_dict()
    outage = {"kind": "outage", "service": "payment", "at": 1, "lasts": 5}
    with pytest.raises(InvalidInput, match=r"^faults\[1\] must not overlap faults\[0\]"):
        Scenario.from_dict({**plain, "faults": [outage, outage]})


# -- warned of ---------------------------------------------------------------------------------


def warned(build: Callable[[], Any]) -> list[str]:
    """What is warned of while something is built, a line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build()
    assert all(entry.category is EdaSimWarning for entry in caught)
    return [str(entry.message) for entry in caught]


FOUR_IDLE = (
    "'payment' has 12 workers for the 8 partitions of OrderPlaced: 4 stay idle; add partitions, or "
    "take workers away"
)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"instances": 3, "workers": 4}, FOUR_IDLE),
        ({"workers": 12}, FOUR_IDLE),
        (
            {"workers": 2, "broker": Broker(partitions=1)},
            "'payment' has 2 workers for the 1 partition of OrderPlaced: 1 stays idle; add "
            "partitions, or take workers away",
        ),
        (
            {"workers": 4, "broker": Broker(topics={"OrderPlaced": Topic(partitions=2)})},
            "'payment' has 4 workers for the 2 partitions of OrderPlaced: 2 stay idle; add "
            "partitions, or take workers away",
        ),
        (
            {"workers": 5, "autoscale": Autoscale(most=2, target=0.5)},
            "'payment' can have 10 workers for the 8 partitions of OrderPlaced: 2 stay idle; add "
            "partitions, or take workers away",
        ),
        (
            {
                "workers": 20,
                "on": {"OrderPaid": Handler([WORK], delivery=ORDERED)},
                "traffic": (Traffic(Publish("OrderPaid"), Poisson(1), name="banks"),),
            },
            "'payment' has 20 workers for the 16 partitions of OrderPlaced and OrderPaid: 4 stay "
            "idle; add partitions, or take workers away",
        ),
        (
            {"workers": 12, "on": {"NobodySaysThis": [WORK]}},
            FOUR_IDLE,
        ),
    ],
)
def test_more_workers_than_partitions(settings: dict[str, Any], line: str) -> None:
    """Who stays idle is said, and what would help."""
    assert warned(lambda: payments(ORDERED, **settings)) == [line]


@pytest.mark.parametrize(
    "settings",
    [
        {"instances": 2, "workers": 4},
        {"workers": 12, "on": {"Refund": [WORK]},
         "traffic": (Traffic(Call("Refund"), Poisson(1), name="clerks"),)},
        {"workers": 12, "on": {"Refund": Handler([WORK], delivery=DeliveryPolicy())},
         "traffic": (Traffic(Send("Refund"), Poisson(1), name="clerks"),)},
        {"workers": 12, "policy": DeliveryPolicy(ordered=True, retry_topic=True)},
        {"workers": 12, "policy": DeliveryPolicy()},
    ],
    ids=["enough partitions", "calls", "unordered deliveries", "a retry topic", "unordered"],
)  # fmt: skip
def test_workers_that_have_something_to_do(settings: dict[str, Any]) -> None:
    """Nobody is called idle for whom there is other work."""
    assert warned(lambda: payments(**{"policy": ORDERED, **settings})) == []


def test_workers_that_are_called_idle_are() -> None:
    """With 12 workers, 8 partitions and all busy, never more than 8 handle anything."""
    with pytest.warns(EdaSimWarning, match="4 stay idle"):
        scenario = payments(ORDERED, rate=500, instances=3, workers=4)
    run = simulate(scenario, seed=1)
    assert run.timeline("busy", "payment").max() == 8


def test_the_policy_of_the_broker_counts_too() -> None:
    """Ordered by the broker's default is ordered."""
    broker = Broker(delivery=ORDERED)
    assert warned(lambda: payments(workers=12, broker=broker)) == [FOUR_IDLE]


def test_the_warning_points_to_the_users_line() -> None:
    """Whoever reads it sees the own line, also of a changed copy and of a file that was read."""
    builds: list[Callable[[], Any]] = [
        lambda: payments(ORDERED, workers=12),
        lambda: payments(ORDERED).replace("payment.workers", 12),
        lambda: Scenario.from_yaml(payments(ORDERED).to_yaml() + "warmup: 1\n"),
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for build in builds:
            build()
    assert len(caught) >= 2
    assert {entry.filename for entry in caught} == {__file__}


def test_one_warning_is_enough() -> None:
    """Who has a scenario is not warned again by running, comparing, sending or storing it."""
    with pytest.warns(EdaSimWarning):
        scenario = payments(ORDERED, workers=12)
    assert warned(lambda: simulate(scenario)) == []
    assert warned(lambda: pickle.loads(pickle.dumps(scenario))) == []
    assert warned(lambda: compare({"it": scenario}, replications=2, progress=False)) == []
    assert warned(lambda: (str(scenario), scenario.to_yaml(), repr(scenario))) == []


def test_a_warning_is_no_error() -> None:
    """It is a UserWarning, and not of the tree of what goes wrong."""
    assert issubclass(EdaSimWarning, UserWarning)
    assert not issubclass(EdaSimWarning, EdaSimError)


@pytest.mark.parametrize("name", CATALOG)
def test_no_ready_scenario_is_odd(name: str) -> None:
    """What the catalogue builds gives rise to no warning."""
    assert warned(CATALOG[name]) == []


def test_python_shows_the_users_line(tmp_path: Path) -> None:
    """In a program of one's own, the warning is shown at the line that built the scenario."""
    program = tmp_path / "mine.py"
    program.write_text(
        "from eda_sim import *\n"
        "scenario = Scenario('mine', traffic=[Traffic(Publish('Placed'), Poisson(1))],\n"
        "    services=[Service('one', workers=9, on={'Placed': []})],\n"
        "    broker=Broker(delivery=DeliveryPolicy(ordered=True)))\n"
        "simulate(scenario.replace(duration=5))\n",
        "utf-8",
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    shown = [line for line in done.stderr.splitlines() if "EdaSimWarning" in line]
    assert [line.split(" ")[0] for line in shown] == [f"{program}:2:", f"{program}:5:"]
