"""What follows at once stands in one queue, and some waits of zero seconds are events: on paper.

Each test quotes the line of ``rules.order`` from which its order is predicted.
"""

from collections.abc import Sequence

import pytest

from eda_sim.scenario.broker import Broker, Topic
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.distributions import Constant, Recorded
from eda_sim.scenario.faults import NetworkPartition, Outage
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Autoscale, Handler, Service
from eda_sim.scenario.steps import AnyStep, Call, Parallel, Publish
from eda_sim.scenario.traffic import UniformKeys
from eda_sim.simulate import simulate
from tests.instant import (
    CALL_DESK,
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

TEN_SECONDS = takes(TEN, "ten seconds")
LONG = takes(20.0, "long")


def rivals(first: Sequence[AnyStep], second: Sequence[AnyStep], *more: Service) -> Scenario:
    """Two services that work from 0 to 10; the first one's work ends first, being whose it is."""
    services = [
        does("first", "First", TEN_SECONDS, *first),
        does("second", "Second", TEN_SECONDS, *second),
        *more,
    ]
    sources = [
        client(Publish("First"), 0.0, name="client of first"),
        client(Publish("Second"), 0.0, name="client of second"),
    ]
    return grid(sources, services)


# -- one queue, before what is due -------------------------------------------------------


def test_what_follows_at_once_is_done_before_what_is_due() -> None:
    """'All of it is done before anything else that is due', and what it causes at once, too.

    The first work that ends has an idle worker called, who has another one called, who knocks;
    only then ends the second work.
    """
    far = [does("relay", "Relay", Call("Further")), does("end", "Further", KNOCK)]
    assert knocked(rivals([Call("Relay")], [KNOCK], *far)) == ["end", "second"]


@pytest.mark.parametrize("calls", ["AB", "BA"])
def test_what_is_caused_at_once_stands_behind_what_was_caused_before(calls: str) -> None:
    """'They stand in one queue, first caused first': b has been called before a calls further."""
    sides = Parallel([Call(name) for name in calls])
    services = [
        does("start", "Go", TEN_SECONDS, sides),
        does("a", "A", Call("Further")),
        does("b", "B", KNOCK),
        does("end", "Further", KNOCK),
    ]
    assert knocked(grid([client(Publish("Go"), 0.0)], services)) == ["b", "end"]


def test_a_worker_goes_on_before_the_caller_whose_reply_is_there() -> None:
    """'Somebody ... a caller whose reply is there': he stands in the queue, the worker does not.

    A worker whose work has ended replies and takes the next job as part of that.
    """
    services = [
        does("caller", "Go", Call("Slow"), KNOCK),
        Service("server", on={"Slow": [TEN_SECONDS], "Quick": [KNOCK]}),
    ]
    sources = [
        client(Publish("Go"), 0.0, name="client of caller"),
        client(Publish("Quick"), 5.0, name="client of server"),
    ]
    assert knocked(grid(sources, services)) == ["server", "caller"]


def test_a_publisher_for_whom_there_is_room_stands_in_the_queue() -> None:
    """'A publisher for whom there is room': the worker who made the room goes on first."""
    services = [
        does("publisher", "Go", Publish("Full"), KNOCK),
        Service("subscriber", on={"Full": [TEN_SECONDS], "Quick": [KNOCK]}),
    ]
    sources = [
        client(Publish("Go"), 0.0, 5.0, name="client of publisher"),
        client(Publish("Quick"), 6.0, name="client of subscriber"),
    ]
    world = grid(sources, services, Broker(topics={"Full": Topic(capacity=1)}))
    assert knocked(world) == ["subscriber", "publisher"]


def test_whoever_waits_for_a_repair_goes_on_as_he_began_to_wait() -> None:
    """'Everybody who waits for a repair': in the order in which they began to wait."""
    names = ["a", "b", "c"]
    cut = NetworkPartition(side=names, other=["broker"], at=5, lasts=5)
    world = grid(
        [
            client(Call(f"{name} asked"), at, name=f"client of {name}")
            for name, at in zip(names, [8.0, 7.0, 6.0], strict=True)
        ],
        [does(name, f"{name} asked", KNOCK) for name in names],
        faults=[cut],
    )
    assert knocked(world) == ["c", "b", "a"]


def test_a_step_beside_others_begins_behind_what_was_caused_before() -> None:
    """'A process that begins (... that of a step beside others ...)': it stands in the queue."""
    services = [
        does("start", "Go", TEN_SECONDS, Publish("Ping"), Parallel([KNOCK])),
        does("pinged", "Ping", KNOCK),
    ]
    assert knocked(grid([client(Publish("Go"), 0.0)], services)) == ["pinged", "start"]


# -- zero seconds: no event --------------------------------------------------------------


@pytest.mark.parametrize("step", [CALL_DESK, KNOCK], ids=["call", "publication"])
def test_what_takes_no_time_to_travel_arrives_as_it_is_sent(step: AnyStep) -> None:
    """'A latency ... of zero is no event': a call, a publication and a delivery are there.

    Work ends, and then a fault. Were their messages due in their turn, that of the repaired
    service would come first, being of the first source.
    """
    services = [does("repaired", "Wait", step), does("worker", "Work", TEN_SECONDS, step)]
    sources = [
        client(Publish("Wait"), 6.0, name="first"),
        client(Publish("Work"), 0.0, name="second"),
    ]
    world = grid(sources, services, faults=[Outage("repaired", at=5, lasts=5)])
    assert knocked(world) == ["worker", "repaired"]


def test_a_reply_that_takes_no_time_has_arrived() -> None:
    """'A latency ... of zero is no event': the caller goes on before the other work ends."""
    services = [does("server", "Slow", TEN_SECONDS), does("first", "First", Call("Slow"), KNOCK)]
    world = grid(
        [
            client(Publish("First"), 0.0, name="client of first"),
            client(Publish("Second"), 0.0, name="client of second"),
        ],
        [*services, does("second", "Second", TEN_SECONDS, KNOCK)],
    )
    assert knocked(world) == ["first", "second"]


def test_a_call_tried_again_without_waiting_is_tried_as_part_of_failing() -> None:
    """'What is tried again without waiting is tried again as part of failing': of a call.

    Request 0 fails at 10 and is called again; then the other caller's work ends, who calls too.
    """
    fails = takes(TEN, "fail", transient=1.0)
    services = [
        does("server", "Ask", fails, workers=9),
        does("other", "Second", TEN_SECONDS, Call("Ask")),
    ]
    sources = [
        client(Call("Ask", retry=waits(0.0)), 0.0, name="first"),
        client(Publish("Second"), 0.0, name="second"),
    ]
    run = simulate(grid(sources, services))
    asked = run.attempts[(run.attempts["service"] == "server") & (run.attempts["queued_at"] == TEN)]
    taken = sorted(rows(asked, "worker", "request", "attempt"))
    assert [row[1:] for row in taken] == [(0, 2), (1_000_000_000, 1)]


def test_a_delivery_tried_again_without_waiting_is_tried_as_part_of_failing() -> None:
    """'What is tried again without waiting is tried again as part of failing': of a delivery.

    It stands in the queue when its worker looks for the next job, and nobody came between.
    """
    fails = takes(TEN, "fail", transient=1.0)
    services = [
        does("server", "Ask", fails, policy=DeliveryPolicy(retry=waits(0.0))),
        does("other", "Second", TEN_SECONDS, Publish("Ask")),
    ]
    sources = [
        client(Publish("Ask"), 0.0, name="first"),
        client(Publish("Second"), 0.0, name="second"),
    ]
    run = simulate(grid(sources, services))
    asked = run.attempts[run.attempts["service"] == "server"]
    taken = sorted(rows(asked, "started_at", "request", "attempt"))[:3]
    assert taken == [(0.0, 0, 1), (TEN, 0, 2), (2 * TEN, 1_000_000_000, 1)]


# -- zero seconds: an event in its turn --------------------------------------------------


def test_work_of_no_time_ends_in_its_turn() -> None:
    """'Every other wait is an event in its turn, one of zero seconds as well': work.

    Two workers are called back by a repair; the first has work of no time before he knocks.
    """
    service = Service("s", workers=2, on={"Slow": [takes(0.0), KNOCK], "Quick": [KNOCK]})
    sources = [client(Publish("Slow"), 6.0, name="slow"), client(Publish("Quick"), 7.0, name="q")]
    world = grid(sources, [service], faults=[Outage("s", at=5, lasts=5)])
    assert requests_that_knocked(world) == [1_000_000_000, 0]


@pytest.mark.parametrize(
    ("turnaround", "order"),
    [
        (Recorded([0.0, 1.0]), ["second", "first"]),
        (Constant(0.0), ["first", "second"]),
    ],
    ids=["drawn zero", "needs no time"],
)
def test_an_acknowledgement_is_back_in_its_turn_where_the_broker_needs_time(
    turnaround: Recorded | Constant, order: list[str]
) -> None:
    """'... An acknowledgement where the broker needs time for it': of zero seconds as well.

    The first worker takes his next job when his acknowledgement is back. That is an event, and
    the second work ends before it; where the broker never needs time, it is none.
    """
    services = [
        Service("first", on={"First": [TEN_SECONDS], "Next": [KNOCK]}),
        does("second", "Second", TEN_SECONDS, KNOCK),
    ]
    sources = [
        client(Publish("First"), 0.0, name="client of first"),
        client(Publish("Second"), 0.0, name="client of second"),
        client(Publish("Next"), 5.0, name="next client of first"),
    ]
    assert knocked(grid(sources, services, Broker(turnaround=turnaround))) == order


def test_a_group_that_needs_no_time_rebalances_in_its_turn() -> None:
    """'... A group that rebalances': of zero seconds as well.

    The first instance dies with a delivery of an ordered topic and with a call. The caller, who
    hears of it at once and tries again, comes before the other instance, which gets the lane.
    """
    group = Service(
        "group",
        instances=2,
        workers=3,
        on={"Placed": Handler([KNOCK, LONG], delivery=DeliveryPolicy(ordered=True)), "Ask": [LONG]},
    )
    caller = does("caller", "Go", KNOCK, Call("Ask"), policy=DeliveryPolicy(retry=waits(0.0)))
    sources = [
        client(Publish("Placed"), 1.0, name="orders", keys=UniformKeys(1)),
        client(Call("Ask"), 7.0, name="who keeps the other instance busy"),
        client(Publish("Go"), 8.0, name="client of caller"),
    ]
    outage = Outage("group", instances=1, at=TEN, lasts=20)
    broker = Broker(partitions=3, rebalance=0.0)
    world = grid(sources, [group, caller], broker, faults=[outage])
    assert knocked(world) == ["caller", "group"]


def test_an_instance_that_needs_no_time_starts_in_its_turn() -> None:
    """'... An instance that starts': of zero seconds as well; and the lower number first.

    Two are ordered at once. All that the first one sets going is done before the second is up.
    """
    scale = Autoscale(3, 1.0, by="backlog", every=10, start_delay=0)
    handlers = {"Long": [LONG], "First": [Call("Further")], "Second": [KNOCK]}
    services = [Service("s", autoscale=scale, on=handlers), does("end", "Further", KNOCK)]
    sources = [
        client(Publish(name), at, name=f"{name} at {at:g}")
        for name, at in [("Long", 0.0), ("First", 1.0), ("Second", 2.0), ("Long", 3.0)]
    ]
    assert knocked(grid(sources, services)) == ["end", "s"]
