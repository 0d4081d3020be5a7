"""A journey tells all that the tables keep of one request, causes before effects."""

from math import isnan

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_sim import (
    Backoff,
    Broker,
    Call,
    CircuitBreaker,
    DeliveryPolicy,
    InvalidInput,
    Loss,
    Outage,
    Publish,
    Retry,
    Run,
    Scenario,
    Service,
    simulate,
)
from eda_sim.results.journey import Journey
from eda_sim.results.journey.story import Arrow
from eda_sim.scenario.distributions import Constant
from eda_sim.scenario.steps import Send
from tests.strategies import scenarios
from tests.worlds import takes, world

# Of what is odd in random worlds is warned.
pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")


def story(journey: Journey) -> list[tuple[float, str, str]]:
    """When, who and what, in the order of the steps."""
    steps = journey.steps
    return list(zip(steps["after"], steps["who"], steps["what"], strict=True))


def of(table: pd.DataFrame, request: int) -> pd.DataFrame:
    """The rows of one request."""
    return table[table["request"] == request]


def check_causality(run: Run, journey: Journey) -> None:
    """Every step but the first comes from one before it, and time never runs backwards."""
    steps = journey.steps
    assert (steps["because"].iloc[1:] >= 0).all()
    assert (steps["because"] < steps.index).all()
    assert steps["at"].is_monotonic_increasing
    (start,) = of(run.requests, journey.request)["started_at"]
    first = steps.iloc[0]
    assert (first["because"], first["at"], first["after"]) == (-1, start, 0.0)
    assert first["who"] == journey.source
    for arrow in journey.arrows:
        assert not arrow.departs > arrow.arrives


def check_completeness(run: Run, journey: Journey) -> None:
    """Nothing of the request is left out, and nothing is told that no table holds."""
    request, steps = journey.request, journey.steps
    effects = of(run.effects, request)
    worked = steps[steps["what"] == "worked"]
    assert sorted(zip(worked["at"], worked["who"], worked["note"], strict=True)) == sorted(
        zip(effects["at"], effects["service"], effects["label"], strict=True)
    )
    attempts = of(run.attempts, request)
    taken = attempts[attempts["started_at"].notna()]
    assert sorted((a.who, a.begins) for a in journey.activities) == sorted(
        zip(taken["service"], taken["started_at"], strict=True)
    )
    answered = steps.loc[steps["what"] == "answered", "at"].tolist()
    expected = of(run.requests, request)["answered_at"].dropna().tolist()
    assert answered == expected
    assert len(journey.arrows) == (steps["to"] != "").sum()
    assert set(journey.participants) == set(steps["who"]) | (set(steps["to"]) - {""})


# -- laws ------------------------------------------------------------------------


@settings(max_examples=25)
@given(scenarios(), st.integers(0, 1000))
def test_every_journey_is_causal_and_complete(scenario: Scenario, seed: int) -> None:
    """Whatever the system, its faults and its luck: causes first, all told, nothing invented."""
    run = simulate(scenario, seed=seed)
    for request in run.requests["request"].iloc[:: max(len(run.requests) // 6, 1)]:
        journey = run.journey(int(request))
        check_causality(run, journey)
        check_completeness(run, journey)


def test_where_everything_takes_no_time_causes_still_come_first() -> None:
    """With no latency and no work all happens at one instant, and is told in its order."""
    services = {"a": [Call("M1"), Call("M2")], "b": [takes(0)], "c": [takes(0)]}
    journey = simulate(world(Call("M0"), [1.0], services)).journey(0)
    assert [(who, what) for _, who, what in story(journey)] == [
        ("clients", "sent"), ("a", "received"), ("a", "started"),
        ("a", "sent"), ("b", "received"), ("b", "started"), ("b", "worked"), ("b", "ended"),
        ("b", "replied"),
        ("a", "sent"), ("c", "received"), ("c", "started"), ("c", "worked"), ("c", "ended"),
        ("c", "replied"),
        ("a", "ended"), ("a", "replied"), ("clients", "answered"),
    ]  # fmt: skip


# -- stories told by hand --------------------------------------------------------


def test_a_call_waits_while_its_message_travels_and_is_worked_on() -> None:
    """There 0.25 s, work 1 s, back 0.25 s: answered after 1.5 s."""
    scenario = world(Call("M0"), [2.0], {"a": [takes(1, "bake")]}, network=Constant(0.25))
    journey = simulate(scenario).journey(0)
    assert story(journey) == [
        (0, "clients", "sent"),
        (0.25, "a", "received"),
        (0.25, "a", "started"),
        (1.25, "a", "worked"),
        (1.25, "a", "ended"),
        (1.5, "a", "replied"),
        (1.5, "clients", "answered"),
    ]
    assert journey.arrows == (
        Arrow("call", "M0", "clients", "a", 2.0, 2.25, 1, ""),
        Arrow("reply", "M0", "a", "clients", 3.25, 3.5, 1, "ok"),
    )
    assert journey.title == (
        "request 0 of clients: ok after 1.5 s; all applied: after 1.25 s (consistent)"
    )


def slow_service() -> Run:
    """Calls of a service that takes 2 s, given up after 1 s, tried again 0.5 s later."""
    call = Call("M0", timeout=1.0, retry=Retry(max_attempts=2, backoff=Backoff(0.5)))
    services = [Service("a", workers=2, on={"M0": [takes(2)]})]
    return simulate(world(call, [0.0], services, network=Constant(0.25)))


def test_each_timeout_and_each_late_reply_is_told_when_it_happened() -> None:
    """The second try leaves at 1.5 s, the timeout and the backoff after the first."""
    assert story(slow_service().journey(0)) == [
        (0, "clients", "sent"),
        (0.25, "a", "received"),
        (0.25, "a", "started"),
        (1.0, "clients", "timed out"),
        (1.5, "clients", "sent"),
        (1.75, "a", "received"),
        (1.75, "a", "started"),
        (2.25, "a", "worked"),
        (2.25, "a", "ended"),
        (2.5, "a", "replied too late"),
        (2.5, "clients", "timed out"),
        (2.5, "clients", "answered"),
        (3.75, "a", "worked"),
        (3.75, "a", "ended"),
        (4.0, "a", "replied too late"),
    ]


def test_a_reply_that_came_too_late_finds_nobody() -> None:
    """Both replies reached a caller who had given up."""
    replies = [arrow for arrow in slow_service().journey(0).arrows if arrow.kind == "reply"]
    assert [(arrow.departs, arrow.arrives) for arrow in replies] == [(2.25, 2.5), (3.75, 4.0)]
    assert all(arrow.too_late for arrow in replies)


def test_a_backoff_with_jitter_is_told_as_it_was() -> None:
    """The second try left the network's quarter of a second before it arrived."""
    call = Call("M0", timeout=1.0, retry=Retry(max_attempts=2, backoff=Backoff(0.5, jitter="full")))
    services = [Service("a", workers=2, on={"M0": [takes(2)]})]
    run = simulate(world(call, [0.0], services, network=Constant(0.25)))
    first, second = (arrow for arrow in run.journey(0).arrows if arrow.kind == "call")
    assert (first.departs, first.attempt) == (0.0, 1)
    assert 1.0 < second.departs < 1.5
    assert (second.arrives, second.attempt) == (second.departs + 0.25, 2)


def test_a_call_that_gets_lost_is_told_though_nobody_ever_saw_it() -> None:
    """Both tries get lost; the caller gives each up after a second, and waits half a second."""
    call = Call("M0", timeout=1.0, retry=Retry(max_attempts=2, backoff=Backoff(0.5)))
    scenario = world(call, [0.0], {"a": [takes(1)]}, faults=[Loss(1.0)])
    journey = simulate(scenario).journey(0)
    assert story(journey) == [
        (0, "clients", "sent"),
        (1.0, "clients", "timed out"),
        (1.5, "clients", "sent"),
        (2.5, "clients", "timed out"),
        (2.5, "clients", "answered"),
    ]
    assert [arrow.departs for arrow in journey.arrows] == [0, 1.5]
    assert all(isnan(arrow.arrives) for arrow in journey.arrows)


def test_a_reply_that_gets_lost_never_arrives() -> None:
    """The work is done, and its caller learns nothing of it."""
    fault = Loss(1.0, at=0.5, lasts=1.0)
    journey = simulate(
        world(Call("M0", timeout=3.0), [0.0], {"a": [takes(1)]}, faults=[fault])
    ).journey(0)
    assert story(journey)[-3:] == [
        (1.0, "a", "replied"), (3.0, "clients", "timed out"), (3.0, "clients", "answered"),
    ]  # fmt: skip
    assert journey.steps["note"].iloc[-3] == "never arrived"


def test_an_acknowledgement_that_gets_lost_is_not_told() -> None:
    """The broker never hears of it: the message is handled again."""
    scenario = world(
        Send("M0"), [0.0], {"a": [takes(1)]}, broker=Broker(turnaround=Constant(0.5)),
        faults=[Loss(1.0, between=["a", "broker"], at=0.5, lasts=1.5)],
    )  # fmt: skip
    told = story(simulate(scenario).journey(0))
    assert [(at, what) for at, who, what in told if who == "a"] == [
        (0, "started"), (1.0, "worked"), (1.5, "ended"), (1.5, "queued again"),
        (1.5, "started"), (2.5, "worked"), (2.5, "ended"), (3.0, "acknowledged"),
    ]  # fmt: skip


def test_a_dead_letter_is_told_attempt_by_attempt() -> None:
    """Two tries of 1 s each, 0.5 s apart, both in vain: dead-lettered after 2.5 s."""
    scenario = world(
        Publish("M0"), [0.0], {"a": [takes(1, transient=1.0)]},
        broker=Broker(delivery=DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(0.5)))),
    )  # fmt: skip
    journey = simulate(scenario).journey(0)
    assert [step for step in story(journey) if step[1] == "a"] == [
        (0, "a", "started"),
        (1.0, "a", "failed"),
        (1.5, "a", "queued again"),
        (1.5, "a", "started"),
        (2.5, "a", "failed"),
        (2.5, "a", "dead-lettered"),
    ]
    assert isnan(journey.completed_at)
    assert journey.title.endswith("all applied: never (half done)") or journey.verdict == "lost"


def test_an_acknowledgement_takes_its_own_time() -> None:
    """The work is over after 1 s; the worker is held until the broker has answered."""
    scenario = world(Send("M0"), [0.0], {"a": [takes(1)]}, broker=Broker(turnaround=Constant(0.5)))
    journey = simulate(scenario).journey(0)
    assert story(journey)[-2:] == [(1.0, "a", "ended"), (1.5, "a", "acknowledged")]
    assert [activity.ends for activity in journey.activities] == [1.5]


def test_a_crash_hands_the_message_to_the_next_worker() -> None:
    """The instance dies at 0.5 s and is back at 1 s: the same message is handled again."""
    scenario = world(
        Publish("M0"), [0.0], {"a": [takes(1)]}, broker=Broker(),
        faults=[Outage("a", at=0.5, lasts=0.5)],
    )  # fmt: skip
    at_a = [step for step in story(simulate(scenario).journey(0)) if step[1] == "a"]
    assert at_a == [
        (0, "a", "started"),
        (0.5, "a", "crashed"),
        (0.5, "a", "queued again"),
        (1.0, "a", "started"),
        (2.0, "a", "worked"),
        (2.0, "a", "ended"),
    ]


def test_a_breaker_holds_a_call_back_and_nothing_travels() -> None:
    """After one failure the breaker is open: the second request's call leaves nobody."""
    breaker = CircuitBreaker(failures=1, window=10, open_for=10)
    scenario = world(Call("M0", breaker=breaker), [0.0, 5.0], {"a": [takes(1, transient=1.0)]})
    journey = simulate(scenario).journey(1)
    assert story(journey) == [(0, "clients", "short-circuited"), (0, "clients", "answered")]
    assert journey.arrows == ()
    assert journey.participants == ("clients",)


def test_work_belongs_to_the_attempt_that_did_it() -> None:
    """One worker does both tries of a call in a row: the first work is the first try's."""
    call = Call("M0", timeout=1.0, retry=Retry(max_attempts=2, backoff=Backoff(0)))
    run = simulate(world(call, [0.0], {"a": [takes(2)]}))
    assert [activity.works for activity in run.journey(0).activities] == [("work",), ("work",)]


# -- what it says, and what it refuses -------------------------------------------


def test_a_journey_reads_as_a_story() -> None:
    """Its text has a line for each step, with the time since the request started."""
    journey = simulate(world(Call("M0"), [2.0], {"a": [takes(1, "bake")]})).journey(0)
    lines = str(journey).splitlines()
    assert len(lines) == 1 + len(journey.steps)
    assert lines[1].split() == ["0", "s", "clients", "sent", "M0", "to", "a"]
    assert lines[4].split() == ["1", "s", "a", "worked", "M0", "(bake)"]
    assert "<td>worked M0 (bake)</td>" in journey._repr_html_()


@pytest.mark.parametrize("request_id", [7, -1, True, "first", None])
def test_an_unknown_request_is_refused_with_a_remedy(request_id: object) -> None:
    """The error says which request was asked for, and where to find one."""
    run = simulate(world(Call("M0"), [0.0], {"a": [takes(1)]}))
    with pytest.raises(InvalidInput, match=r"got .*: take one from run.requests, such as 0"):
        run.journey(request_id)  # type: ignore[arg-type]


def test_a_run_without_requests_says_so() -> None:
    """Nothing started, so there is no journey to tell."""
    run = simulate(world(Call("M0"), [99.0], {"a": [takes(1)]}, duration=1.0))
    with pytest.raises(InvalidInput, match="the run has none, let it last longer"):
        run.journey(0)
