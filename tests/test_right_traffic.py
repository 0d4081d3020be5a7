"""Traffic in a run: when requests come, what they are about, and times taken from a record."""

import numpy as np
import pytest

from eda_sim import (
    Backoff,
    Broker,
    Bursts,
    Call,
    Diurnal,
    Parallel,
    Poisson,
    Publish,
    Recorded,
    Regular,
    Retry,
    Run,
    Scenario,
    Send,
    Service,
    SimulationError,
    Spike,
    Trace,
    Traffic,
    UniformKeys,
    Work,
    ZipfKeys,
    simulate,
)
from eda_sim.scenario.traffic import Arrivals
from tests.worlds import answers, beside, durations, rows, takes, within, world

# -- arrivals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrivals", "expected", "deviation"),
    [
        (Poisson(50), 5000, 5000**0.5),
        (Regular(50), 5000, 0),
        (Bursts(50, size=5), 5000, 5 * 1000**0.5),
        (Diurnal(50, 80, period=20), 5000, 5000**0.5),
        (Spike(40, at=20, lasts=25, factor=2), 5000, 5000**0.5),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_arrivals_come_at_their_rate(arrivals: Arrivals, expected: int, deviation: float) -> None:
    """As many requests as expected in 100 s, within 4 standard deviations of their number."""
    run = simulate(world(Call("M0"), arrivals, {"a": []}), seed=3)
    assert abs(len(run.requests) - expected) <= 4 * deviation
    assert run.requests["started_at"].is_monotonic_increasing


def test_a_spike_and_a_daily_rhythm_come_when_they_say() -> None:
    """Half of the requests come in the spike; the trough half of each day has fewer."""
    spike = simulate(world(Call("M0"), Spike(40, 20, 25, 3), {"a": []}), seed=1).requests
    inside = spike["started_at"].between(20, 45)
    assert abs(inside.sum() - 3000) < 4 * 3000**0.5
    assert abs((~inside).sum() - 3000) < 4 * 3000**0.5
    day = simulate(world(Call("M0"), Diurnal(50, 100, 100), {"a": []}), seed=1).requests
    night = (day["started_at"] < 25) | (day["started_at"] > 75)
    expected = 50 * 50 - 50 * 100 / np.pi  # the integral of 50 - 50 cos over the outer quarters
    assert abs(night.sum() - expected) < 4 * expected**0.5


# -- recorded times --------------------------------------------------------------------


def test_recorded_times_are_those_of_the_requests_in_every_try() -> None:
    """Request n takes the n-th value, in whichever order they are served."""
    call = Call("M0", retry=Retry(max_attempts=2, backoff=Backoff(8.0)))
    work = Work(Recorded([4.0, 1.0, 2.0]), "w", transient=1.0)
    services = [Service("a", workers=3, on={"M0": [work]})]
    run = simulate(world(call, [0, 0, 0], services))
    expected = {(r, t): v for r, v in enumerate((4.0, 1.0, 2.0)) for t in (1, 2)}
    assert durations(run, "a") == expected


def test_recorded_latencies_drive_the_network() -> None:
    """A trace of latencies, a trace of arrivals: a whole run without any luck."""
    scenario = world(Call("M0"), [0, 1], {"a": [takes(1)]}, network=Recorded([0.25, 0.5]))
    assert answers(simulate(scenario, seed=1)) == [(1.5, "ok"), (3.0, "ok")]
    assert answers(simulate(scenario, seed=2)) == answers(simulate(scenario, seed=1))


def test_a_recording_that_is_too_short_stops_the_run() -> None:
    """The error names the work, the number of values and the request, and what to do."""
    scenario = world(Call("M0"), Regular(1), {"a": [Work(Recorded([0.5, 0.5]), "scan")]})
    with pytest.raises(SimulationError, match=r"^a/scan: Recorded has 2 values.*number 2: record"):
        simulate(scenario)


def test_a_recording_that_is_too_short_stops_the_run_from_within() -> None:
    """Also from steps side by side, behind a call, in a handler of an event."""
    short = Work(Recorded([0.5]), "scan")
    services = [
        Service("a", on={"E": [Parallel([Call("C"), takes(1)])]}),
        Service("c", on={"C": [Parallel([short, takes(1)])]}),
    ]
    with pytest.raises(SimulationError, match=r"^c/scan: Recorded has 1 values"):
        simulate(world(Publish("E"), Regular(1), services))


# -- keys and sources ------------------------------------------------------------------


def keyed(keys: UniformKeys | ZipfKeys | None, requests: int = 2000) -> Run:
    """Requests about keys, with an event each."""
    source = Traffic(Call("M0"), Regular(100), keys=keys)
    services = [Service("a", on={"M0": [Publish("E")]}), Service("b", on={"E": []})]
    duration = requests / 100
    return simulate(
        Scenario("keys", traffic=[source], services=services, broker=Broker(), duration=duration)
    )


@pytest.mark.parametrize(
    ("keys", "weights"),
    [
        (UniformKeys(4), [1, 1, 1, 1]),
        (ZipfKeys(4, s=1.0), [1, 1 / 2, 1 / 3, 1 / 4]),
        (ZipfKeys(4, s=2.0), [1, 1 / 4, 1 / 9, 1 / 16]),
    ],
)
def test_keys_are_as_popular_as_they_should_be(
    keys: UniformKeys | ZipfKeys, weights: list[float]
) -> None:
    """Each key's share is its weight, within 4 standard errors over 2000 requests."""
    found = keyed(keys).requests["key"]
    for key, weight in enumerate(weights):
        share = weight / sum(weights)
        assert within((found == key).to_numpy(), share, (share * (1 - share)) ** 0.5)
    assert set(found) <= set(range(4))


def test_messages_carry_the_key_of_their_request() -> None:
    """All that a request causes is about the same thing."""
    run = keyed(ZipfKeys(5), 200)
    of_request = run.requests.set_index("request")["key"]
    assert run.messages["key"].tolist() == of_request[run.messages["request"]].tolist()
    assert len(run.messages) == 400


def test_without_keys_each_request_is_its_own() -> None:
    """The key is the request's id."""
    run = keyed(None, 50)
    assert run.requests["key"].tolist() == run.requests["request"].tolist() == list(range(50))


def test_several_sources_go_side_by_side() -> None:
    """Each at its own times with its own messages, told apart by name and id."""
    services = {"a": [takes(1)], "b": [takes(2)]}
    run = simulate(
        beside(
            world(Call("M0"), [0, 5], services),
            Traffic(Send("M1"), Trace([1, 5]), name="senders"),
            Traffic(Call("M1"), Trace([0.5]), name="late"),
        )
    )
    assert rows(run.requests, "request", "source", "started_at", "answered_at") == [
        (0, "clients", 0.0, 1.0),
        (2 * 10**9, "late", 0.5, 2.5),
        (10**9, "senders", 1.0, 1.0),
        (1, "clients", 5.0, 6.0),
        (10**9 + 1, "senders", 5.0, 5.0),
    ]
    assert run.deliveries["ended_at"].tolist() == [4.5, 7.0]
