"""What is due at one instant comes by rank, request, node, attempt and sequence: on paper first.

Each test quotes the line of ``rules.order`` from which its order is predicted.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from eda_sim.rules.order import Rank
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.distributions import Constant, Recorded
from eda_sim.scenario.faults import Duplicates, Fault, Loss, Outage, Slowdown
from eda_sim.scenario.redrive import Redrive
from eda_sim.scenario.service import Autoscale, Service
from eda_sim.scenario.steps import Call, Outbox, Parallel, Publish, Work
from eda_sim.scenario.traffic import Traffic, UniformKeys
from eda_sim.simulate import simulate
from tests.instant import (
    KNOCK,
    TEN,
    client,
    does,
    grid,
    knocked,
    requests_that_knocked,
    waits,
)
from tests.worlds import rows, takes

# Here the n-th request of every source is meant to take the n-th value.
pytestmark = pytest.mark.filterwarnings("ignore:.* is Recorded and reached:eda_sim.EdaSimWarning")

LONG = takes(20.0, "long")
FAILS = takes(0.0, "fail", transient=1.0)


class Way(NamedTuple):
    """How somebody comes to knock at ten: who asks whom, and what goes wrong."""

    traffic: Traffic
    services: Sequence[Service] = ()
    faults: Sequence[Fault] = ()
    redrives: Sequence[Redrive] = ()


def asked(
    name: str, at: float, *steps: Any, requests: int = 1, keys: Any = None, **more: Any
) -> Way:
    """A service that handles events; whatever it does, it is the one that knocks."""
    message, times = Publish(f"{name} asked"), [at] * requests
    source = client(message, *times, name=f"client of {name}", keys=keys)
    return Way(source, [does(name, f"{name} asked", *steps, **more)])


def _work_ends(name: str) -> Way:
    """Work of ten seconds, begun at 0."""
    return asked(name, 0.0, takes(10.0), KNOCK)


def _reply_arrives(name: str) -> Way:
    """Called at 8, there at 9, the reply is back at 10."""
    way = asked(name, 8.0, Call("Answer"), KNOCK)
    return way._replace(services=[*way.services, Service("far away", on={"Answer": []})])


def _acknowledged(name: str) -> Way:
    """The only worker waits for the acknowledgement from 9 to 10; then he takes the second."""
    return asked(name, 9.0, KNOCK, requests=2)


def _accepted(name: str) -> Way:
    """The broker needs a second for the fourth publication, made at 9."""
    return Way(client(KNOCK, 0.0, 0.0, 0.0, 9.0, name=name))


def _fault_ends(name: str) -> Way:
    """What comes while all are down is handled when they are back."""
    return asked(name, 6.0, KNOCK)._replace(faults=[Outage(name, at=5, lasts=5)])


def _instance_starts(name: str) -> Way:
    """A look at 5 finds two waiting and orders a second instance; it needs five seconds."""
    scale = Autoscale(2, 1.0, by="backlog", every=5, start_delay=5)
    return asked(name, 0.0, KNOCK, LONG, requests=3, autoscale=scale)


def _rebalanced(name: str) -> Way:
    """The owner of the lane dies at 9; a second later the other instance has it."""
    policy = DeliveryPolicy(ordered=True)
    way = asked(name, 8.0, KNOCK, LONG, keys=UniformKeys(1), instances=2, policy=policy)
    return way._replace(faults=[Outage(name, instances=1, at=9, lasts=20)])


def _fault_begins(name: str) -> Way:
    """An instance dies at 10; what it did goes to the other, which is idle."""
    way = asked(name, 8.0, KNOCK, LONG, instances=2)
    return way._replace(faults=[Outage(name, instances=1, at=TEN, lasts=20)])


def _timeout(name: str) -> Way:
    """The broker takes the first attempt for dead at 10; a second worker is idle."""
    return asked(name, 5.0, KNOCK, LONG, workers=2, policy=DeliveryPolicy(ack_timeout=5))


def _message_arrives(name: str) -> Way:
    """Called at 9, there at 10."""
    return Way(client(Call("Come"), 9.0, name="caller"), [does(name, "Come", KNOCK)])


def _retry_due(name: str) -> Way:
    """Failed at 5, heard at 6, and tried again four seconds later."""
    return asked(name, 5.0, KNOCK, FAILS, policy=DeliveryPolicy(retry=waits(4.0)))


def _republished(name: str) -> Way:
    """Lost at 9; without an answer for a second it is published again."""
    loss = Loss(1.0, between=(name, "broker"), at=8.5, lasts=1.0)
    return Way(client(KNOCK, 9.0, name=name), faults=[loss])


def _outbox_looks(name: str) -> Way:
    """Written at 7; the relay looks every five seconds."""
    return asked(name, 7.0, Publish("Knock", outbox=Outbox(poll=5)))


def _redriven(name: str) -> Way:
    """Given up at 5, redriven at 10."""
    way = asked(name, 5.0, KNOCK, FAILS, policy=DeliveryPolicy(retry=waits(0.0, 1)))
    return way._replace(redrives=[Redrive(name, at=TEN)])


def _autoscaler_looks(name: str) -> Way:
    """A look at 10 finds two waiting, and a second instance takes no time to come up."""
    scale = Autoscale(2, 1.0, by="backlog", every=10, start_delay=0)
    return asked(name, 5.0, KNOCK, LONG, requests=3, autoscale=scale)


def _request_starts(name: str) -> Way:
    """A request at 10."""
    return Way(client(KNOCK, TEN, name=name))


# From first to last, as the enumeration says.
WAYS: dict[Rank, Callable[[str], Way]] = {
    Rank.WORK_ENDS: _work_ends,
    Rank.REPLY_ARRIVES: _reply_arrives,
    Rank.ACKNOWLEDGED: _acknowledged,
    Rank.ACCEPTED: _accepted,
    Rank.FAULT_ENDS: _fault_ends,
    Rank.INSTANCE_STARTS: _instance_starts,
    Rank.REBALANCED: _rebalanced,
    Rank.FAULT_BEGINS: _fault_begins,
    Rank.TIMEOUT: _timeout,
    Rank.MESSAGE_ARRIVES: _message_arrives,
    Rank.RETRY_DUE: _retry_due,
    Rank.REPUBLISHED: _republished,
    Rank.OUTBOX_LOOKS: _outbox_looks,
    Rank.REDRIVEN: _redriven,
    Rank.AUTOSCALER_LOOKS: _autoscaler_looks,
    Rank.REQUEST_STARTS: _request_starts,
}


def ten_o_clock(ranks: Sequence[Rank]) -> list[str]:
    """Let everything of these ranks happen at ten, declared in this order; say who knocked when."""
    ways = [WAYS[rank](rank.name) for rank in ranks]
    broker = Broker(
        publish=Recorded([0.0, 0.0, 0.0, 1.0]),
        turnaround=Constant(1.0),
        partitions=3,
        rebalance=1.0,
    )
    world = grid(
        [way.traffic for way in ways],
        [service for way in ways for service in way.services],
        broker,
        network=Constant(1.0),
        faults=[fault for way in ways for fault in way.faults],
        redrives=[redrive for way in ways for redrive in way.redrives],
    )
    return knocked(world)


@pytest.mark.parametrize(
    "pair", list(pairwise(WAYS)), ids=lambda pair: f"{pair[0].name}, {pair[1].name}"
)
@pytest.mark.parametrize("turned", [False, True], ids=["declared so", "declared the other way"])
def test_what_ends_comes_before_faults_and_faults_before_what_begins(
    pair: tuple[Rank, Rank], turned: bool
) -> None:
    """'First by its ``Rank``', whoever's it is: each rank comes before the next one."""
    assert ten_o_clock(pair[::-1] if turned else pair) == [rank.name for rank in pair]


def test_all_ranks_at_once() -> None:
    """'First by its ``Rank``': everything that there is falls on ten, declared backwards."""
    assert WAYS.keys() == set(Rank)
    assert ten_o_clock(list(WAYS)[::-1]) == [rank.name for rank in WAYS]


# -- request, node, attempt, sequence ----------------------------------------------------


def two_works(name: str, first: Sequence[float], second: Sequence[float]) -> Service:
    """Request n works for the n-th of the first times, then of the second, and knocks."""
    works = Work(Recorded(first), "one"), Work(Recorded(second), "two")
    return does(name, f"{name} asked", *works, KNOCK, workers=9)


def test_a_request_comes_before_those_with_a_higher_number() -> None:
    """'Then by request (source, then number)': though its last work was set going later."""
    service = two_works("a", [9.0, 2.0, 5.0], [1.0, 7.0, 3.0])
    world = grid([client(Publish("a asked"), 0.0, 1.0, 2.0)], [service])
    assert requests_that_knocked(world) == [0, 1, 2]


def test_the_requests_of_a_source_come_before_those_of_the_next() -> None:
    """'Then by request (source, then number)': the third of the first, the first of the second."""
    service = two_works("a", [2.0, 3.0, 9.0], [8.0, 7.0, 1.0])
    sources = [
        client(Publish("a asked"), 0.0, 0.0, 0.0, name="first"),
        client(Publish("a asked"), 0.0, 0.0, 0.0, name="second"),
    ]
    found = requests_that_knocked(grid(sources, [service]))
    assert found == [0, 1, 2, 1_000_000_000, 1_000_000_001, 1_000_000_002]


def test_a_fault_comes_before_those_that_stand_behind_it() -> None:
    """'Of a fault, its position': the first ends first, though it began last."""
    services = [does(name, f"{name} asked", KNOCK) for name in "abc"]
    world = grid(
        [client(Publish(f"{name} asked"), 9.0, name=f"client of {name}") for name in "abc"],
        services,
        faults=[
            Outage("c", at=8, lasts=2),
            Outage("a", at=7, lasts=3),
            Outage("b", at=6, lasts=4),
        ],
    )
    assert knocked(world) == ["c", "a", "b"]


def test_a_node_comes_before_those_that_the_plan_numbers_higher() -> None:
    """'Then by its node of the plan': calls side by side, the first one's last work begun last."""
    sides = {"a": (9.0, 1.0), "b": (3.0, 7.0), "c": (5.0, 5.0)}
    calls = Parallel([Call(f"{name} asked") for name in "abc"])
    services = [two_works(name, [one], [two]) for name, (one, two) in sides.items()]
    world = grid([client(Publish("Go"), 0.0)], [does("start", "Go", calls), *services])
    assert knocked(world) == ["a", "b", "c"]


def test_an_attempt_comes_before_those_with_a_higher_number() -> None:
    """'Within a turn it goes by the number of the attempt': the first ends its work first.

    The second attempt does the second work from 2 to 10, the first from 8 to 10, so the second
    was set going first. Whoever ends first takes what waits: the first attempt's worker, 0.
    """
    works = takes(1.0, "one"), takes(2.0, "two")
    service = does("a", "Go", *works, workers=2, policy=DeliveryPolicy(ack_timeout=1.0))
    slow = [Slowdown("a", 8, at=0, lasts=0.5), Slowdown("a", 4, at=1.5, lasts=2)]
    run = simulate(grid([client(Publish("Go"), 0.0, 9.5)], [service], faults=slow))
    taken = rows(run.attempts, "request", "attempt", "worker", "started_at", "ended_at")
    assert taken[:2] == [(0, 1, 0, 0.0, TEN), (0, 2, 1, 1.0, TEN)]
    assert [worker for request, _, worker, start, _ in taken if start == TEN] == [0]


def test_redrives_come_in_the_order_of_the_scenario() -> None:
    """'At 0 everything is set going in the order of the scenario': so are redrives at one time."""
    services = [
        Service(name, on={f"{what} for {name}": [KNOCK, FAILS] for what in ("this", "that")})
        for name in "ab"
    ]
    names = [f"{what} for {name}" for name in "ab" for what in ("this", "that")]
    redrives = [
        Redrive("b", at=TEN, message="that for b"),
        Redrive("a", at=TEN),
        Redrive("b", at=TEN, message="this for b"),
    ]
    sources = [client(Publish(name), 5.0, name=f"client with {name}") for name in names]
    broker = Broker(delivery=DeliveryPolicy(retry=waits(0.0, 1)))
    assert knocked(grid(sources, services, broker, redrives=redrives)) == ["b", "a", "a", "b"]


def test_an_autoscaler_that_was_set_going_first_looks_first() -> None:
    """'At last by what was set going first': who looks seldom waits for ten since 0.

    The other one has looked at 5, so it is second, though its service stands first.
    """
    looks = {"often": 5.0, "seldom": 10.0}
    services = [
        does(
            name,
            f"{name} asked",
            KNOCK,
            LONG,
            autoscale=Autoscale(2, 1.0, by="backlog", every=every, start_delay=0),
        )
        for name, every in looks.items()
    ]
    sources = [client(Publish(f"{name} asked"), 6.0, 6.0, 6.0, name=f"of {name}") for name in looks]
    assert knocked(grid(sources, services)) == ["seldom", "often"]


def test_what_the_broker_sends_again_is_republished() -> None:
    """'First by its ``Rank``': what was lost on its way to a subscriber goes again, in its turn.

    It got lost at 9, and is sent again at 10, after an attempt that is due again.
    """
    failing = does("failing", "Fail", KNOCK, FAILS, policy=DeliveryPolicy(retry=waits(5.0)))
    sources = [
        client(Publish("Get"), 9.0, name="first"),
        client(Publish("Fail"), 5.0, name="second"),
    ]
    loss = Loss(1.0, between=("broker", "getter"), at=8.5, lasts=1.0)
    world = grid(sources, [does("getter", "Get", KNOCK), failing], faults=[loss])
    assert knocked(world) == ["failing", "getter"]


def test_what_was_set_going_first_comes_first() -> None:
    """'At last by what was set going first': a copy on the way arrives after what it doubles.

    Nobody may wait, so the second to arrive is rejected; the caller hears of the first alone.
    """
    service = does("a", "Ask", takes(1.0), inbox=0)
    double = [Duplicates(1.0, between=("clients", "a"))]
    world = grid([client(Call("Ask"), 9.0)], [service], network=Constant(1.0), faults=double)
    run = simulate(world)
    assert rows(run.attempts, "queued_at", "outcome", "heard_at") == [
        (TEN, "rejected", 11.0),
        (TEN, "ok", 12.0),
    ]
    assert rows(run.requests, "answered_at", "outcome") == [(12.0, "ok")]
