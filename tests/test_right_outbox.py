"""The outbox and its relay: when it looks, what it publishes, and what a death in between means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim import BrokerOutage, Outage, Outbox, Publish, Run, Service, simulate
from tests.brokered import SUBSCRIBER, world
from tests.worlds import rows

# Of many of these some k * poll, divided by the poll again, is a little less than k.
POLLS = [0.05, 0.1, 0.2, 0.3, 0.7, 1 / 3, 0.001, 0.013, 1e-4, 1.1, 1e6 / 7]


def announced(at: list[float], outbox: Outbox, **more: Any) -> Run:
    """Messages that a worker announces through an outbox to somebody who only listens."""
    listener = Service("listener", on={"Announced": []})
    announce = Publish("Announced", outbox=outbox)
    return simulate(world(at, announce, services=[listener], **more))


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
