"""The outbox and its relay: when it looks, what it publishes, and what a death in between means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim import BrokerOutage, Constant, Loss, Outage, Outbox, Publish, Run, Service, simulate
from eda_sim.scenario.faults import Fault
from tests.brokered import SUBSCRIBER, world
from tests.worlds import rows

# Of many of these some k * poll, divided by the poll again, is a little less than k.
POLLS = [0.05, 0.1, 0.2, 0.3, 0.7, 1 / 3, 0.001, 0.013, 1e-4, 1.1, 1e6 / 7]


def announced(at: list[float], outbox: Outbox, seed: int = 0, **more: Any) -> Run:
    """Messages that a worker announces through an outbox to somebody who only listens."""
    listener = Service("listener", on={"Announced": []})
    announce = Publish("Announced", outbox=outbox)
    return simulate(world(at, announce, services=[listener], **more), seed)


def accepted(run: Run) -> list[float]:
    """When each announcement was accepted."""
    return [at for name, at in rows(run.messages, "name", "accepted_at") if name == "Announced"]


def between_looks(poll: float, near: float) -> float:
    """A time near the given one, a quarter of a poll after a look."""
    return (near // poll + 0.25) * poll


@pytest.mark.parametrize("near", [0.0, 16.2, 1e6])
@pytest.mark.parametrize("poll", POLLS)
def test_a_relay_goes_on_looking_while_its_service_is_down(poll: float, near: float) -> None:
    """Whatever the poll and however late: the first look after the repair publishes."""
    start = between_looks(poll, near)
    down = Outage(SUBSCRIBER, at=start + poll / 8, lasts=40 * poll)
    times = {"duration": start + poll, "drain": 50 * poll}
    (at,) = accepted(announced([start], Outbox(poll=poll), faults=[down], **times))
    assert start + 40 * poll < at < start + 41.2 * poll


@pytest.mark.parametrize("near", [0.0, 16.2, 1e6])
@pytest.mark.parametrize("poll", POLLS)
def test_a_relay_goes_on_looking_while_the_broker_is_away(poll: float, near: float) -> None:
    """What fails at one look is tried at the next, and none of them is the last."""
    start = between_looks(poll, near)
    away = BrokerOutage(at=start + poll / 8, lasts=40 * poll)
    times = {"duration": start + poll, "drain": 50 * poll}
    refusing = {"when_unreachable": "fail"}
    (at,) = accepted(announced([start], Outbox(poll=poll), broker=refusing, faults=[away], **times))
    assert start + 40 * poll < at < start + 41.2 * poll


@given(poll=st.floats(1e-3, 1e3), start=st.floats(0, 1e6), batch=st.integers(1, 3))
def test_each_look_publishes_one_batch_at_most(poll: float, start: float, batch: int) -> None:
    """The k-th look is at k times the poll, no two are at one instant, and none is left out."""
    times = {"duration": start + poll, "drain": 9 * poll}
    at = accepted(announced([start] * 7, Outbox(poll=poll, batch=batch), **times))
    looks = [k * poll for k in range(int(start / poll) - 1, int(start / poll) + 10)]
    looks = [look for look in looks if look > start]
    assert at == [looks[n // batch] for n in range(7)]


def crashing(death: float, until: float, events: int = 3, **more: Any) -> Run:
    """Events written at 0 s, published from 1 s on, each in half a second; then a death."""
    down = Outage(SUBSCRIBER, at=death, lasts=until - death)
    slow = {"publish": Constant(0.5)} | more.pop("broker", {})
    outbox = Outbox(poll=1.0)
    return announced([0.0] * events, outbox, broker=slow, faults=[down], duration=9.0, **more)


def came(run: Run) -> list[tuple[float, int]]:
    """When each announcement reached its listener, and of which request it was."""
    heard = run.deliveries[run.deliveries["subscriber"] == "listener"]
    return sorted(rows(heard, "available_at", "request"))


def test_a_relay_publishes_nothing_after_its_service_has_died() -> None:
    """Dead at 1.75 s, up at 3.25 s: the third event waits for the look at 4 s.

    The first is noted at 1.5 s. The second was on its way: it arrives at 2 s, and the relay, which
    never knew, begins with it again at 4 s. So the outbox is at least once.
    """
    run = crashing(1.75, 3.25)
    assert came(run) == [(1.5, 0), (2.0, 1), (4.5, 1), (5.0, 2)]
    assert accepted(run) == [1.5, 2.0, 5.0]


def test_what_a_relay_has_noted_is_not_published_again() -> None:
    """Dead at 1.5 s, just after the first was noted and the second handed over: only that again."""
    run = crashing(1.5, 3.25)
    assert came(run) == [(1.5, 0), (2.0, 1), (4.5, 1), (5.0, 2)]


def test_a_relay_lives_as_long_as_one_instance_does() -> None:
    """One instance of two dies in the middle of a batch: the relay goes on."""
    one = Outage(SUBSCRIBER, instances=1, at=1.75, lasts=5.0)
    slow = {"publish": Constant(0.5)}
    run = announced([0.0] * 3, Outbox(poll=1.0), broker=slow, instances=2, faults=[one])
    assert accepted(run) == [1.5, 2.0, 2.5]


@pytest.mark.parametrize("policy", ["wait", "fail", "lose"])
def test_what_a_dead_relay_had_under_way_needs_a_broker_to_arrive_at(policy: str) -> None:
    """Under way as the relay died, and the broker is away when it arrives: it is not accepted."""
    down = Outage(SUBSCRIBER, at=1.25, lasts=1.0)
    away = BrokerOutage(at=1.375, lasts=1.0)
    slow = {"publish": Constant(0.5), "when_unreachable": policy}
    run = announced([0.0], Outbox(poll=1.0), broker=slow, faults=[down, away])
    assert accepted(run) == [3.5]


def test_a_dead_relay_does_not_wait_for_the_broker_nor_for_room() -> None:
    """It waits for the broker from 1 s on and dies at 2 s; at 3 s it is back, the relay at 5 s."""
    down = Outage(SUBSCRIBER, at=2.0, lasts=2.5)
    away = BrokerOutage(at=0.5, lasts=2.5)
    run = announced([0.0], Outbox(poll=1.0), faults=[down, away])
    assert accepted(run) == [5.0]


@pytest.mark.parametrize("seed", range(5))
def test_each_event_of_an_outbox_begins_its_tries_anew(seed: int) -> None:
    """How often the first had to be tried changes nothing for the second: its luck is its own.

    The second is sent on a link that loses half of what it carries; the first met a broker that
    was away for twenty looks, or did not.
    """
    lossy = Loss(0.5, between=[SUBSCRIBER, "broker"], at=30.0, lasts=60.0)
    away = BrokerOutage(at=0.25, lasts=20.0)
    refusing = {"when_unreachable": "fail"}

    def second(*faults: Fault) -> list[tuple[Any, ...]]:
        run = announced(
            [0.0, 40.0], Outbox(poll=1.0), broker=refusing, faults=[lossy, *faults], seed=seed
        )
        mine = run.messages[run.messages["request"] == run.requests["request"].iloc[1]]
        return rows(mine, "name", "accepted_at")

    assert second(away) == second()
