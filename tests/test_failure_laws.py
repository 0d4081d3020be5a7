"""Every law in random worlds with everything at once: all policies, protections and faults.

``pytest --hypothesis-profile=nightly`` tries five hundred others. Beneath are the smallest
worlds in which a law was once broken.
"""

import pickle
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as repeatable
from hypothesis import strategies as st

from eda_sim import (
    Autoscale,
    Backoff,
    Broker,
    BrokerOutage,
    Call,
    Constant,
    DeliveryPolicy,
    Handler,
    Loss,
    NetworkPartition,
    Outage,
    Outbox,
    Publish,
    RateLimit,
    Redrive,
    Retry,
    RetryBudget,
    Run,
    Scenario,
    Service,
    Trace,
    Traffic,
    simulate,
)
from eda_sim.rules.incidents import INCIDENTS
from eda_sim.rules.tables import (
    ATTEMPT_OUTCOMES,
    CALL_OUTCOMES,
    DELIVERY_OUTCOMES,
    REQUEST_OUTCOMES,
)
from eda_sim.scenario.broker import Topic
from eda_sim.scenario.delivery import CircuitBreaker, Deduplication
from eda_sim.scenario.steps import Branch, Parallel, Send, Work
from tests.brokered import same_tables, takes, world
from tests.everything import KINDS, everything
from tests.laws import LAWS, Facts
from tests.laws_of_protection import a_breaker_lets_through_whom_its_twin_lets_through
from tests.worlds import rows

# Workers beyond the partitions of an ordered topic deserve a warning; here it is a case like any.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# Every setting of these is varied. What an event carries is nobody's business here.
DRAWN: tuple[Any, ...] = (
    *(DeliveryPolicy, Retry, Backoff, RetryBudget, CircuitBreaker, Deduplication, Broker, Topic),
    *(Call, Send, Publish, Outbox, Work, Parallel, Branch, Service, RateLimit, Autoscale, Redrive),
    *KINDS,
)
LEFT_ALONE = {"kind", "data", "version"}

BREAKER = "a breaker that refuses calls, beside its twin"
EVERYTHING = {
    *(
        *REQUEST_OUTCOMES,
        *CALL_OUTCOMES,
        *ATTEMPT_OUTCOMES,
        *DELIVERY_OUTCOMES,
        *INCIDENTS,
        BREAKER,
    ),
    *(kind.kind for kind in KINDS),
}

seeds = st.integers(0, 2**32)


def settings_of(part: Any) -> Iterable[tuple[type, str, Any]]:
    """Yield each setting of a description with its value, down to the smallest part."""
    if isinstance(part, dict):
        part = tuple(part.values())
    if isinstance(part, tuple):
        for item in part:
            yield from settings_of(item)
    elif is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            value = getattr(part, field.name)
            yield type(part), field.name, value
            yield from settings_of(value)


def never_drawn(drawn: dict[tuple[type, str], set[str]]) -> list[str]:
    """Name the settings that have not been at their default and elsewhere, or had every choice."""
    found = []
    for cls in DRAWN:
        hints = get_type_hints(cls)
        for field in fields(cls):
            if field.name in LEFT_ALONE:
                continue
            values = drawn[cls, field.name]
            choices = (
                get_args(hints[field.name]) if get_origin(hints[field.name]) is Literal else ()
            )
            needed = {repr(choice) for choice in choices}
            if field.default is None or isinstance(field.default, bool):
                needed.add(repr(field.default))
            if len(values) < 2 or not needed <= values:
                found.append(f"{cls.__name__}.{field.name}")
    return found


def test_random_worlds_have_all_that_can_be_described_and_all_that_can_happen() -> None:
    """Every setting of every policy, protection and fault is drawn both ways; each has its effect.

    So the laws below are tried on worlds in which they could be broken. A few hundred worlds are
    enough as a rule; a thousand must be.
    """
    drawn: dict[tuple[type, str], set[str]] = defaultdict(set)
    seen: set[str] = set()

    def look(scenario: Scenario, seed: int) -> None:
        for cls, name, value in settings_of(scenario):
            drawn[cls, name].add(repr(value))
        run = simulate(scenario, seed)
        seen.update(happened(run))
        if BREAKER not in seen:
            facts = Facts(run)
            a_breaker_lets_through_whom_its_twin_lets_through(facts)
            seen.update([BREAKER] if facts.replayed else [])

    for number in range(10):
        few = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
        repeatable(number)(few(given(everything(), seeds)(look)))()
        missing = [*never_drawn(drawn), *sorted(EVERYTHING - seen)]
        if not missing:
            break
    assert missing == []


def happened(run: Run) -> Counter[str]:
    """How often each outcome, incident and fault came up in a run."""
    columns = [run.incidents["what"], run.faults["kind"]]
    columns += [
        table["outcome"] for table in (run.requests, run.calls, run.attempts, run.deliveries)
    ]
    return sum((Counter(column) for column in columns), Counter())


def test_every_law_holds_whatever_is_switched_on() -> None:
    """Every law of every world; and a run leaves its scenario alone and repeats itself.

    As many worlds as the profile says: a hundred, or five hundred by night.
    """
    found: Counter[str] = Counter()

    @given(everything(), seeds)
    @settings(suppress_health_check=[HealthCheck.too_slow])  # nothing is timed here
    def check(scenario: Scenario, seed: int) -> None:
        before = pickle.dumps(scenario)
        run = simulate(scenario, seed)
        assert same_tables(run, simulate(pickle.loads(before), seed))
        assert pickle.dumps(scenario) == before
        facts = Facts(run)
        for check_law in LAWS:
            check_law(facts)
        found.update(happened(run))
        found.update({name: len(table) for name, table in run.tables.items()})
        found.update(worlds=1, breakers_beside_their_twins=facts.replayed)

    check()
    print(f"\n{dict(found.most_common())}")  # to be seen with pytest -s
    assert found["worlds"] >= settings().max_examples


# -- the smallest worlds in which a law was once broken ----------------------------------------


def publisher(
    rules: DeliveryPolicy | None = None, outbox: Outbox | None = None, **more: Any
) -> Run:
    """Messages that a worker announces to a subscriber, through a broker that may be troubled."""
    at, broker = more.pop("at", [0.0]), more.pop("broker", {})
    listener = Service("listener", on={"Announced": [takes(0.25, "listen")]})
    announce = Publish("Announced", outbox=outbox)
    return simulate(world(at, announce, rules, broker=broker, services=[listener], **more))


def test_an_idempotent_handler_publishes_again_what_was_not_accepted() -> None:
    """At 1 s the broker is away; the message comes again at 1.5 s, and what failed is done."""
    broker = {"when_unreachable": "fail", "publish": Constant(0.5)}
    cut = [BrokerOutage(at=0.75, lasts=0.75)]
    run = publisher(DeliveryPolicy(idempotent=True), broker=broker, faults=cut)
    accepted = run.messages[run.messages["name"] == "Announced"]["accepted_at"]
    assert list(accepted.dropna()) == [2.0]
    assert list(run.effects["at"]) == [2.25]


@pytest.mark.parametrize("when_unreachable", ["wait", "fail", "lose"])
def test_an_outbox_keeps_what_the_broker_has_not_confirmed(when_unreachable: Any) -> None:
    """While the broker is away every look is in vain; nothing is lost, whatever publishers do."""
    broker = {"when_unreachable": when_unreachable}
    run = publisher(
        outbox=Outbox(poll=1.0), broker=broker, faults=[BrokerOutage(at=0.5, lasts=3.0)]
    )
    waited = {"wait": 3.5, "fail": 4.0, "lose": 4.0}[when_unreachable]
    assert list(run.messages["accepted_at"]) == [0.0, waited]
    assert set(run.deliveries["outcome"]) == {"handled"}


def test_each_look_of_an_outbox_has_luck_of_its_own() -> None:
    """On a link that loses every other message all are accepted in the end, one after the other."""
    broker = {"when_unreachable": "fail"}
    link = Loss(0.5, between=["worker", "broker"], at=0.5, lasts=1000.0)
    run = publisher(outbox=Outbox(poll=1.0), at=[0.0] * 20, broker=broker, faults=[link])
    announced = run.messages[run.messages["name"] == "Announced"]["accepted_at"]
    assert announced.notna().all()
    assert announced.nunique() > 5


def dead(redrives: list[Redrive], drain: float) -> Run:
    """Four messages that fail for good; dead letters from 0 s on."""
    poison = Work(Constant(0.0), "work", permanent=1.0)
    return simulate(world([0.0] * 4, poison, duration=1.0, drain=drain, redrives=redrives))


def test_a_redrive_that_the_end_interrupts_leaves_the_others_dead() -> None:
    """Redriven one a second from 1 s on: at the end, 2.5 s, two have been tried again."""
    run = dead([Redrive("worker", at=1.0, rate=1.0)], drain=1.5)
    assert rows(run.deliveries, "outcome", "attempts") == [
        *[("dead_lettered", 2)] * 2,
        *[("dead_lettered", 1)] * 2,
    ]


def test_two_redrives_at_a_time_redrive_each_letter_once() -> None:
    """The slow one finds gone what the quick one has taken, but for what has died anew."""
    slow, quick = Redrive("worker", at=1.0, rate=0.5), Redrive("worker", at=2.0)
    run = dead([slow, quick], drain=1.5)
    assert list(run.deliveries["attempts"]) == [3, 2, 2, 2]


def scaled(works: list[float], rules: DeliveryPolicy, **more: Any) -> Run:
    """Messages at 0 s for two instances of two threads; at 1 s those busy could fill one."""
    scale = Autoscale(most=2, target=1.0, every=1.0, start_delay=0.0)
    on = {"Placed": Handler([takes(works)], delivery=rules)}
    return simulate(
        Scenario(
            "scaled",
            traffic=[Traffic(Publish("Placed"), Trace([0.0] * len(works)))],
            services=[Service("worker", instances=2, workers=2, autoscale=scale, on=on)],
            broker=Broker(),
            duration=2.0,
            **more,
        )
    )


def test_an_instance_that_is_not_wanted_any_more_hands_back_what_it_holds() -> None:
    """Each has three of six messages, one of them waiting; the second instance's take longer.

    At 1 s it is not wanted any more, and the first, long idle, takes the sixth at once.
    """
    run = scaled([0.25, 5.0] * 3, DeliveryPolicy(prefetch=3))
    assert rows(run.scaling, "instances", "at") == [(1, 1.0)]
    assert list(run.attempts["started_at"]) == [0.0, 0.0, 0.0, 0.0, 0.25, 1.0]


def test_what_an_instance_still_does_counts_when_it_is_wanted_again() -> None:
    """Two may be unacknowledged. At 1 s one is at work there till 10 s, and it is not wanted.

    At 2 s it is, and takes one more though three threads could; the last waits until 10 s.
    """
    scale = Autoscale(most=2, target=0.5, every=1.0, start_delay=0.0)
    on = {
        "Placed": Handler(
            [takes([0.25, 10.0, 20.0, 20.0, 20.0, 20.0])], delivery=DeliveryPolicy(prefetch=2)
        )
    }
    service = Service("worker", instances=2, workers=3, autoscale=scale, on=on)
    traffic = [Traffic(Publish("Placed"), Trace([0.0, 0.0, 1.5, 1.5, 1.5, 1.5]))]
    run = simulate(
        Scenario("again", traffic=traffic, services=[service], broker=Broker(), duration=2.5)
    )
    assert list(run.scaling["at"]) == [1.0, 2.0]
    second = run.attempts[run.attempts["instance"] == 1]
    assert sorted(second["started_at"]) == [0.0, 2.0, 10.0]


def test_an_instance_that_finishes_its_last_job_dies_like_any_other() -> None:
    """One is not wanted from 1 s on but at work until 5 s; at 2 s all go down, and it with them."""
    run = scaled([5.0, 5.0], DeliveryPolicy(), faults=[Outage("worker", at=2.0, lasts=1.0)])
    assert rows(run.scaling, "instances", "at") == [(1, 1.0)]
    first = run.attempts[run.attempts["attempt"] == 1]
    assert rows(first, "instance", "ended_at", "outcome") == [
        (0, 2.0, "crashed"),
        (1, 2.0, "crashed"),
    ]


def test_a_start_that_was_cancelled_does_not_count() -> None:
    """Wanted at 1 s, not at 2 s, wanted again at 3 s: it comes up at 5.5 s, not at 3.5 s."""
    scale = Autoscale(most=2, target=1.0, by="backlog", every=1.0, start_delay=2.5)
    desk = Service("desk", autoscale=scale, on={"Ask": [takes([0.75, 0.75, 0.5, 9.0, 9.0, 9.0])]})
    times = [0.5, 0.5, 0.5, 2.5, 2.5, 2.5]
    traffic = [Traffic(Call("Ask"), Trace(times))]
    run = simulate(Scenario("cancelled", traffic=traffic, services=[desk], duration=6.0))
    assert rows(run.scaling, "instances", "at") == [(2, 5.5)]


def test_tokens_that_come_at_the_rate_of_the_calls_are_enough_for_all() -> None:
    """Ten tokens and ten calls a second: none is rejected because a tenth is no binary number."""
    desk = Service("desk", workers=9, rate_limit=RateLimit(10.0), on={"Ask": [takes(0.01)]})
    times = [n / 10 for n in range(100)]
    traffic = [Traffic(Call("Ask"), Trace(times))]
    run = simulate(Scenario("metronome", traffic=traffic, services=[desk], duration=20.0))
    assert (run.requests["outcome"] == "ok").all()


def test_a_budget_of_a_tenth_pays_one_repetition_for_ten_calls() -> None:
    """All calls fail; the first repeats what was saved, and then every tenth call repeats once."""
    call = Call(
        "Ask",
        retry=Retry(max_attempts=2, backoff=Backoff(0.0), budget=RetryBudget(ratio=0.1, burst=1)),
    )
    desk = Service("desk", on={"Ask": [Work(Constant(0.0), "work", transient=1.0)]})
    traffic = [Traffic(call, Trace([float(n) for n in range(31)]))]
    run = simulate(Scenario("budget", traffic=traffic, services=[desk], duration=40.0))
    repeated = run.calls[run.calls["attempts"] == 2]["started_at"]
    assert list(repeated) == [0.0, 10.0, 20.0, 30.0]


def test_nobody_backs_off_beyond_the_deadline() -> None:
    """Answered with a failure at 1 s it would try again at 5 s, but its caller leaves at 2 s."""
    patient = Call("Look", retry=Retry(max_attempts=2, backoff=Backoff(4.0)))
    front = Service("front", on={"Ask": [patient]})
    back = Service("back", on={"Look": [Work(Constant(1.0), "look", transient=1.0)]})
    traffic = [Traffic(Call("Ask", timeout=2.0, propagate_deadline=True), Trace([0.0]))]
    run = simulate(Scenario("deadline", traffic=traffic, services=[front, back], duration=1.0))
    assert list(run.calls["ended_at"]) == [2.0, 2.0]
    assert list(run.attempts["ended_at"]) == [2.0, 1.0]


@pytest.mark.parametrize("waits", [{}, {"prefetch": 2}, {"ordered": True}])
def test_what_a_worker_has_been_handed_cannot_be_withdrawn(waits: dict[str, Any]) -> None:
    """At 3.25 s the broker can be reached: the first attempt is done, the second is with a worker.

    The first was worked on from 0 to 0.5 s and could not publish; its timeout was at 1 s.
    """
    steps = [takes(0.5), Publish("Announced")]
    listener = Service("listener", on={"Announced": [takes(0.25, "listen")]})
    away = [NetworkPartition(["worker"], ["broker"], at=0.25, lasts=3.0)]
    rules = DeliveryPolicy(ack_timeout=1.0, **waits)
    run = simulate(world([0.0], steps, rules, workers=2, services=[listener], faults=away))
    first = run.attempts[run.attempts["service"] == "worker"]
    assert rows(first, "started_at", "ended_at", "outcome") == [
        (0.0, 3.25, "ok"),
        (3.25, 3.75, "ok"),
    ]
    assert run.deliveries["ended_at"].iloc[0] == 3.25


def test_whoever_expires_at_the_deadline_itself_says_nothing() -> None:
    """The worker is free at 1 s, the very moment at which the second caller has waited enough."""
    desk = Service("desk", on={"Ask": [takes(1.0)]})
    call = Call("Ask", timeout=1.0, propagate_deadline=True)
    traffic = [Traffic(Call("Ask"), Trace([0.0])), Traffic(call, Trace([0.0]), name="hasty")]
    run = simulate(Scenario("expired", traffic=traffic, services=[desk], duration=1.0))
    assert rows(run.requests, "answered_at", "outcome") == [(1.0, "ok"), (1.0, "timed_out")]
    assert list(run.attempts["outcome"]) == ["ok", "expired"]


def test_a_lost_acknowledgement_of_what_takes_no_time_does_not_stop_the_clock() -> None:
    """The link loses all from 0.5 to 2 s: what was done at 1 s is done again at 2 s, and heard."""
    link = Loss(1.0, between=["worker", "broker"], at=0.5, lasts=1.5)
    broker = {"deliver": Constant(1.0), "republish_after": 1.0}
    run = simulate(world([0.0], takes(0.0), broker=broker, faults=[link]))
    assert list(run.effects["at"]) == [1.0, 2.0]
    assert rows(run.deliveries, "outcome", "attempts") == [("handled", 2)]
