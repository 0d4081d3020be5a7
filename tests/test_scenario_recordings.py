"""What was recorded elsewhere: traces that are cut and values that two sources take."""

import warnings
from collections.abc import Callable, Sequence

import pytest

from eda_sim import (
    Broker,
    Call,
    Constant,
    EdaSimWarning,
    Poisson,
    Publish,
    Recorded,
    Reordering,
    Scenario,
    Service,
    Trace,
    Traffic,
    Work,
    simulate,
)
from eda_sim.scenario.distributions import Distribution
from tests.worlds import beside, takes, world


def warned(build: Callable[[], Scenario]) -> list[str]:
    """What is warned of while something is built, a line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build()
    assert all(entry.category is EdaSimWarning for entry in caught)
    return [str(entry.message) for entry in caught]


@pytest.mark.parametrize(
    ("times", "line"),
    [
        (
            [1, 9, 10, 11.5],
            "traffic['clients'].arrivals has 2 of its 4 times too late: what comes at or after 10 "
            "s, where traffic ends, is left out; make duration longer than 11.5, or cut the trace",
        ),
        (
            [10],
            "traffic['clients'].arrivals has 1 of its 1 times too late: what comes at or after 10 "
            "s, where traffic ends, is left out; make duration longer than 10, or cut the trace",
        ),
    ],
)
def test_a_trace_that_is_cut(times: Sequence[float], line: str) -> None:
    """How many requests never come is said; those before the end come."""
    assert warned(lambda: world(Call("M0"), times, {"a": []}, duration=10.0)) == [line]
    with pytest.warns(EdaSimWarning):
        scenario = world(Call("M0"), times, {"a": []}, duration=10.0)
    assert simulate(scenario).requests["started_at"].tolist() == [at for at in times if at < 10]


@pytest.mark.parametrize("times", [[], [0, 9.999]])
def test_a_trace_that_is_whole(times: Sequence[float]) -> None:
    """Nothing is left out, and nothing said."""
    assert warned(lambda: world(Call("M0"), times, {"a": []}, duration=10.0)) == []


RECORDED = Recorded([1.0, 2.0])
NO_TIME = Constant(0.0)


def shop(
    call: Distribution = NO_TIME, told: Distribution = NO_TIME, **settings: object
) -> Scenario:
    """Two sources that come to one service, one of them by way of another."""
    services = [
        Service("front", on={"Order": [takes(0), Call("Pay")]}),
        Service("till", on={"Pay": [Work(call, "charge"), Publish("Paid")]}),
        Service("mail", on={"Paid": [Work(told, "thank")], "Order mail": [takes(0)]}),
    ]
    scenario = world(Call("Order"), [0.0, 5.0], services, **settings)
    return beside(scenario, Traffic(Call("Pay"), Trace([1.0]), name="clerks"))


@pytest.mark.parametrize(
    ("build", "where"),
    [
        (lambda: shop(call=RECORDED), "services['till'].on['Pay']: the time of 'charge'"),
        (lambda: shop(told=RECORDED), "services['mail'].on['Paid']: the time of 'thank'"),
        (lambda: shop(network=RECORDED), "network"),
        (lambda: shop(broker=Broker(publish=RECORDED)), "broker.publish"),
        (lambda: shop(broker=Broker(deliver=RECORDED)), "broker.deliver"),
        (lambda: shop(broker=Broker(turnaround=RECORDED)), "broker.turnaround"),
        (lambda: shop(faults=[Reordering(1.0, delay=RECORDED)]), "faults[0].delay"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recording_that_two_sources_take(build: Callable[[], Scenario], where: str) -> None:
    """Directly or through others, it is said where it is, and whose requests take it."""
    assert warned(build) == [
        f"{where} is Recorded and reached by requests of 'clients' and 'clerks': request n of each "
        "takes the n-th value; give each source its own, or draw from Empirical"
    ]


def test_requests_of_two_sources_take_the_same_values() -> None:
    """The first of each takes a second, the second of either two."""
    with pytest.warns(EdaSimWarning):
        run = simulate(shop(call=RECORDED))
    mine = run.attempts[run.attempts["service"] == "till"]
    assert (mine["ended_at"] - mine["started_at"]).tolist() == [1.0, 1.0, 2.0]


def test_a_recording_of_one_source() -> None:
    """Each has its own, or only one comes here: nothing is said."""
    services = [
        Service("a", on={"A": [Work(RECORDED, "w")]}),
        Service("b", on={"B": [Work(RECORDED, "w")]}),
    ]
    one = world(Call("A"), [0.0], services)
    assert warned(lambda: beside(one, Traffic(Call("B"), Poisson(1), name="others"))) == []
