"""A broker that is down does nothing: what falls due meanwhile it does when it is back."""

from typing import Any

from eda_sim import (
    BrokerOutage,
    DeliveryPolicy,
    NetworkPartition,
    Outage,
    Redrive,
    Run,
    Service,
    Trace,
    Traffic,
    Work,
    simulate,
)
from eda_sim.scenario.broker import Topic
from eda_sim.scenario.distributions import Constant
from eda_sim.scenario.steps import Publish
from tests.brokered import SUBSCRIBER, retry, takes, world
from tests.worlds import beside, rows

ONE = {"topics": {"Placed": Topic(capacity=1)}}
ONCE = DeliveryPolicy(guarantee="at_most_once")
AWAY = BrokerOutage(at=1.0, lasts=4.0)


def accepted(run: Run) -> list[float | None]:
    """When each message was accepted, in the order of publication."""
    return [at for (at,) in rows(run.messages, "accepted_at")]


def what_when(run: Run, what: str) -> list[float]:
    """When something went wrong."""
    return [at for said, at in rows(run.incidents, "what", "at") if said == what]


def test_nobody_is_admitted_to_a_full_topic_by_a_broker_that_is_down() -> None:
    """Handled at most once, the first message ends at 2 s; the second enters at 5 s, not before."""
    run = simulate(world([0.0, 0.5], takes(2.0), ONCE, broker=ONE, faults=[AWAY]))
    assert accepted(run) == [0.0, 5.0]
    run = simulate(world([0.0, 0.5], takes(2.0), ONCE, broker=ONE))
    assert accepted(run) == [0.0, 2.0]


def test_the_one_who_waited_for_room_is_admitted_before_who_waited_for_the_broker() -> None:
    """One waits for room since 0.5 s, another comes at 1.5 s: in that order, when it is back."""
    run = simulate(world([0.0, 0.5, 1.5], takes(2.0), ONCE, broker=ONE, faults=[AWAY]))
    assert accepted(run) == [0.0, 5.0, 7.0]


def test_a_broker_admits_those_who_can_reach_it() -> None:
    """The clients are cut off from 1 to 5 s; other clients are not, and need not wait for them."""
    cut = NetworkPartition(["clients"], ["broker"], at=1.0, lasts=4.0)
    others = Traffic(Publish("Placed"), Trace([0.75, 2.5]), name="others")
    scenario = world([0.0, 0.5], takes(2.0), ONCE, workers=4, broker=ONE, faults=[cut])
    run = simulate(beside(scenario, others))
    found = sorted(rows(run.messages, "sender", "published_at", "accepted_at"))
    assert found == [
        ("clients", 0.0, 0.0),
        ("clients", 0.5, 6.0),
        ("others", 0.75, 2.0),
        ("others", 2.5, 4.0),
    ]


def test_who_dies_waiting_for_room_takes_no_room() -> None:
    """A worker that waits for room dies while the broker is down: nothing is admitted for it."""
    first = Service("first", workers=2, on={"Begin": [Publish("Placed")]})
    dies = Outage("first", at=2.5, lasts=0.25)
    scenario = world(
        [0.0], takes(2.0), ONCE, broker=ONE, services=[first], faults=[AWAY, dies], duration=4.0
    )
    told = Traffic(Publish("Begin"), Trace([0.5]), name="others")
    run = simulate(beside(scenario, told))
    placed = [row for row in rows(run.messages, "name", "accepted_at") if row[0] == "Placed"]
    assert [at for _, at in placed] == [0.0, None, 5.0]


def dead_lettering(*faults: Any, **more: Any) -> Run:
    """Work of ten seconds, given up after one: the broker waits a second for it."""
    policy = DeliveryPolicy(ack_timeout=1.5, retry=retry(1))
    return simulate(world([0.0], takes(10.0), policy, faults=faults, **more))


def test_nothing_is_dead_lettered_by_a_broker_that_is_down() -> None:
    """The acknowledgement is due at 1.5 s; the broker is back at 5 s and gives it up then."""
    assert what_when(dead_lettering(), "dead_lettered") == [1.5]
    run = dead_lettering(AWAY)
    assert what_when(run, "dead_lettered") == [5.0]
    assert what_when(run, "acknowledgement_timed_out") == [5.0]
    assert rows(run.deliveries, "outcome", "ended_at") == [("dead_lettered", 5.0)]


def test_a_broker_waits_for_the_last_of_its_outages() -> None:
    """Two that overlap: at the end of the first it is still down."""
    run = dead_lettering(AWAY, BrokerOutage(at=3.0, lasts=4.0))
    assert what_when(run, "dead_lettered") == [7.0]


def test_a_broker_that_is_up_gives_up_whom_it_cannot_reach() -> None:
    """Cut off from its subscriber the broker is well: its timeout is over at 1.5 s."""
    run = dead_lettering(NetworkPartition([SUBSCRIBER], ["broker"], at=1.0, lasts=4.0))
    assert what_when(run, "dead_lettered") == [1.5]


def test_nobody_is_admitted_for_what_a_broker_that_is_down_has_not_given_up() -> None:
    """A full topic whose only message times out meanwhile: the next one enters with its end."""
    policy = DeliveryPolicy(ack_timeout=1.5, retry=retry(1))
    run = simulate(world([0.0, 0.5], takes(10.0), policy, broker=ONE, faults=[AWAY]))
    assert accepted(run) == [0.0, 5.0]


def redriven(*faults: Any, rate: float | None = None) -> list[float]:
    """Four messages that fail for good, redriven from 2 s on: when each goes back."""
    poison = Work(Constant(0.0), "work", permanent=1.0)
    redrive = Redrive(SUBSCRIBER, 2.0, rate=rate)
    run = simulate(world([0.0] * 4, poison, faults=faults, redrives=[redrive]))
    return what_when(run, "redriven")


def test_nothing_is_redriven_by_a_broker_that_is_down() -> None:
    """A redrive at 2 s happens at 5 s; of one with a rate, what was due meanwhile goes at once."""
    assert redriven() == [2.0] * 4
    assert redriven(AWAY) == [5.0] * 4
    assert redriven(rate=0.5) == [2.0, 4.0, 6.0, 8.0]
    assert redriven(AWAY, rate=0.5) == [5.0, 5.0, 6.0, 8.0]
    assert redriven(BrokerOutage(at=3.0, lasts=4.0), rate=0.5) == [2.0, 7.0, 7.0, 8.0]
