"""What every delivery policy keeps, whatever happens: in random worlds with outages.

Every handler draws a policy of its own: guarantee, deduplication, retries, where to rejoin
the queue, acknowledgement timeout, order or prefetch. Every service goes down and comes
back. Each law is read off the tables and the policies alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise, product
from math import isnan
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eda_sim import Broker, Constant, Outage, Poisson, Run, Scenario, Service, Traffic, simulate
from eda_sim.rules.partitioning import partition_of
from eda_sim.scenario.delivery import Deduplication, DeliveryPolicy
from eda_sim.scenario.messages import flatten, handlers_of, name_of
from eda_sim.scenario.service import Handler
from eda_sim.scenario.steps import Publish, Send, Work
from tests.brokered import effects, same_tables, takes, world
from tests.strategies import (
    arrivals,
    build,
    distributions,
    keys,
    maybe,
    retries,
    scenarios,
    steps,
    times,
)

POLICIES = ("ordered", "retry_topic", "prefetch", "ack_timeout", "idempotent")

# Workers beyond the partitions of an ordered topic deserve a warning; here it is a case like any.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

seeds = st.integers(0, 2**32)

# -- random policies and outages ---------------------------------------------------------------

deduplications = build(
    Deduplication, window=maybe(times(1, 500)), size=maybe(st.sampled_from([1, 5]))
)
how_they_wait = st.sampled_from(
    [
        {},
        {"ordered": True},
        {"ordered": True, "retry_topic": True},
        {"prefetch": 1},
        {"prefetch": 3},
    ]
)


def policy(guarantee: str, waits: dict[str, object], **others: object) -> DeliveryPolicy:
    """A policy without contradictions: at most once knows neither duplicates nor timeouts."""
    if guarantee == "at_most_once":
        others = {**others, "idempotent": False, "ack_timeout": None, "counts_crashes": False}
    return DeliveryPolicy(guarantee=guarantee, **waits, **others)  # type: ignore[arg-type]


policies = build(
    policy,
    st.sampled_from(["at_least_once", "at_least_once", "at_most_once"]),
    how_they_wait,
    retry=retries,
    requeue=st.sampled_from(["tail", "head"]),
    dead_letter=st.booleans(),
    idempotent=st.booleans() | deduplications,
    ack_timeout=maybe(times(5, 100)),
    counts_crashes=st.booleans(),
)


@st.composite
def _outage(draw: st.DrawFn, service: Service, duration: float) -> Outage:
    hit = draw(maybe(st.integers(1, service.instances)))
    if draw(st.booleans()):
        return Outage(
            service.name,
            at=draw(times(1, int(duration * 800))),
            lasts=draw(times(1, 500)),
            instances=hit,
        )
    return Outage(service.name, instances=hit, mtbf=draw(times(50, 500)), mttr=draw(times(1, 200)))


@st.composite
def _service(draw: st.DrawFn, name: str, makes: dict[str, list[str]]) -> Service:
    """A service that handles some messages, each by making some of others."""
    return Service(
        name,
        instances=draw(st.integers(1, 3)),
        workers=draw(st.integers(1, 2)),
        on={
            each: Handler(draw(steps(made)), delivery=draw(policies))
            for each, made in makes.items()
        },
    )


@st.composite
def broken_worlds(draw: st.DrawFn) -> Scenario:
    """An event with subscribers that call, send and publish; every service has an outage."""
    duration = draw(st.sampled_from([1.0, 2.0]))
    others = ["Do-it", "Done-too"]
    services = [
        draw(_service("first", {"Done": others, "Done-too": []})),
        *draw(st.lists(_service("second", {"Done": others}), max_size=1)),
        draw(_service("last", {"Do-it": ["Done-too"], "Done-too": []})),
    ]
    return Scenario(
        "a broken world",
        traffic=[
            Traffic(Publish("Done"), draw(arrivals(100, duration)), keys=draw(maybe(keys))),
            Traffic(Send("Do-it"), Poisson(20), name="others"),
        ],
        services=services,
        broker=Broker(
            publish=draw(distributions(5)),
            deliver=draw(distributions(10)),
            turnaround=draw(distributions(10)),
            partitions=draw(st.integers(1, 4)),
            rebalance=draw(times(0, 200)),
        ),
        faults=[draw(_outage(service, duration)) for service in services],
        duration=duration,
        drain=draw(st.sampled_from([0.5, 60.0])),
    )


# -- reading the tables ------------------------------------------------------------------------


class Told(NamedTuple):
    """All that a run tells of one delivery: its row, its attempts in their order, its policy."""

    row: Any
    attempts: list[Any]
    rules: DeliveryPolicy
    handler: Handler
    name: str
    returned: int  # how often an instance died that only held it

    @property
    def taken(self) -> list[Any]:
        """The attempts that a worker took."""
        return [attempt for attempt in self.attempts if attempt.instance >= 0]

    @property
    def outcomes(self) -> list[str]:
        """How the attempts ended."""
        return [attempt.outcome for attempt in self.attempts]

    @property
    def used(self) -> int:
        """How many of its tries are used up, where no acknowledgement is lost or timed."""
        crashed = self.outcomes.count("crashed") + self.returned
        return self.outcomes.count("failed") + (crashed if self.rules.counts_crashes else 0)


def policy_of(scenario: Scenario, service: str, name: str) -> DeliveryPolicy:
    """The policy by which a message is delivered to a service."""
    assert scenario.broker is not None
    return scenario.service(service).handlers[name].delivery or scenario.broker.delivery


def told(run: Run) -> list[Told]:
    """Return what the run tells of each delivery; of one accepted again all attempts at both."""
    tried: dict[tuple[int, str], list[Any]] = {}
    attempts = run.attempts[~run.attempts["message"].isin(run.calls["message"])]
    for attempt in attempts.sort_values("attempt").itertuples():
        tried.setdefault((attempt.message, attempt.service), []).append(attempt)
    names = dict(zip(run.messages["message"], run.messages["name"], strict=True))
    died = run.incidents[(run.incidents["what"] == "returned") & (run.incidents["fault"] >= 0)]
    returned = Counter(zip(died["message"], died["service"], strict=True))
    found = []
    for row in run.deliveries.itertuples():
        name, service = names[row.message], row.subscriber
        rules, handler = (
            policy_of(run.scenario, service, name),
            run.scenario.service(service).handlers[name],
        )
        mine = tried.get((row.message, service), [])
        found.append(Told(row, mine, rules, handler, name, returned[row.message, service]))
    of_deliveries = {(each.row.message, each.row.subscriber) for each in found}
    assert tried.keys() <= of_deliveries  # no attempt without its delivery
    return found


def one_after_the_other(attempts: list[Any]) -> bool:
    """Say whether none of these attempts, in the order of starting, overlaps with the next."""
    return all(next_.started_at >= end_of(one) for one, next_ in pairwise(attempts))


def end_of(attempt: Any) -> float:
    """When a worker was free of an attempt; infinity if never."""
    return float("inf") if isnan(attempt.ended_at) else attempt.ended_at


def by_start(attempts: Iterable[Any]) -> list[Any]:
    """Attempts in the order of starting."""
    return sorted(attempts, key=lambda each: (each.started_at, end_of(each)))


# -- the laws ----------------------------------------------------------------------------------

Law = Callable[[Run, list[Told]], None]
LAWS: list[Law] = []


def law(check: Law) -> Law:
    """Note a law that holds in every world."""
    LAWS.append(check)
    return check


@law
def deliveries_are_conserved(run: Run, all_told: list[Told]) -> None:
    """For each subscriber: one delivery for each accepted message, with one of four outcomes."""
    accepted = run.messages[run.messages["accepted_at"].notna()]
    published = Counter(
        (message, service.name)
        for message, name in zip(accepted["message"], accepted["name"], strict=True)
        for service in handlers_of(name, run.scenario.services)
    )
    assert Counter((each.row.message, each.row.subscriber) for each in all_told) == published
    for each in all_told:
        assert each.row.outcome in ("handled", "dead_lettered", "lost", "pending")
        assert isnan(each.row.ended_at) == (each.row.outcome == "pending")


@law
def a_worker_is_never_in_two_places(run: Run, all_told: list[Told]) -> None:
    """The attempts that one worker took do not overlap."""
    workers: dict[tuple[str, int, int], list[Any]] = {}
    for attempt in run.attempts.itertuples():
        if attempt.instance >= 0:
            where = attempt.service, attempt.instance, attempt.worker
            workers.setdefault(where, []).append(attempt)
    assert all(one_after_the_other(by_start(attempts)) for attempts in workers.values())


@law
def at_most_once_tries_once(run: Run, all_told: list[Told]) -> None:
    """One attempt; what it was decides between handled and lost, and nothing is dead-lettered."""
    follows = {"ok": "handled", "unfinished": "pending"}
    for each in all_told:
        if each.rules.guarantee == "at_most_once":
            expected = [follows.get(outcome, "lost") for outcome in each.outcomes]
            assert (expected or ["pending"]) == [each.row.outcome]


@law
def at_least_once_loses_nothing(run: Run, all_told: list[Told]) -> None:
    """Given up is only what failed for good or has used its attempts, and kept if there is a DLQ.

    With an acknowledgement timeout every attempt counts; otherwise those that crashed count if the
    policy says so, and else do not end anything, however many there are.
    """
    for each in all_told:
        rules, outcome = each.rules, each.row.outcome
        if rules.guarantee == "at_most_once":
            continue
        if outcome in ("dead_lettered", "lost"):
            assert outcome == ("dead_lettered" if rules.dead_letter else "lost")
            if "failed_permanently" not in each.outcomes:
                assert len(each.taken) + each.returned >= rules.retry.max_attempts
                assert rules.ack_timeout is not None or each.used == rules.retry.max_attempts
        if outcome == "handled":
            assert "ok" in each.outcomes
        elif rules.ack_timeout is None:
            assert "ok" not in each.outcomes


@law
def attempts_end_as_their_policy_allows(run: Run, all_told: list[Told]) -> None:
    """Several at once, late ones and withdrawn ones: only with an acknowledgement timeout."""
    for each in all_told:
        assert each.row.attempts == len(each.taken)
        assert [attempt.attempt for attempt in each.attempts] == list(
            range(1, len(each.attempts) + 1)
        )
        if each.rules.ack_timeout is not None:
            continue
        assert set(each.outcomes[:-1]) <= {"failed", "crashed"}
        assert each.outcomes[-1:] != ["withdrawn"] or each.rules.counts_crashes
        for one, next_ in pairwise(each.attempts):
            assert next_.queued_at >= end_of(one)
        assert each.used <= each.rules.retry.max_attempts


@law
def an_idempotent_handler_has_each_effect_once(run: Run, all_told: list[Told]) -> None:
    """With a memory that is never full, no work is done twice for one message.

    Without a timeout, which would let two attempts work side by side, no message is made twice
    either.
    """
    effects = run.effects
    done = Counter(zip(effects["message"], effects["service"], effects["label"], strict=True))
    accepted = run.messages[run.messages["accepted_at"].notna()]
    made = Counter(zip(accepted["cause"], accepted["sender"], accepted["name"], strict=True))
    for each in all_told:
        if each.rules.deduplication != Deduplication():
            continue
        message, service = each.row.message, each.row.subscriber
        steps = list(flatten(each.handler.steps))
        meant = Counter(step.label for step in steps if isinstance(step, Work))
        for label, times_meant in meant.items():
            assert done[message, service, label] <= times_meant
        if each.rules.ack_timeout is None:
            said = Counter(name_of(step) for step in steps if isinstance(step, (Send, Publish)))
            for name, times_said in said.items():
                assert made[message, service, name] <= times_said


@law
def a_partition_keeps_the_order_of_acceptance(run: Run, all_told: list[Told]) -> None:
    """Its messages are handled one after the other, each with all its attempts before the next.

    A retry topic keeps that up to the first failure. Impatient timeouts spoil it: the worker
    of an attempt that was given up goes on.
    """
    broker, messages = run.scenario.broker, run.messages.set_index("message")
    assert broker is not None
    keys, accepted_at = messages["key"].to_dict(), messages["accepted_at"].to_dict()
    lanes: dict[tuple[str, str, int], list[Any]] = {}
    for each in all_told:
        if each.rules.ordered and each.rules.ack_timeout is None:
            partition = partition_of(keys[each.row.message], broker.partitions_of(each.name))
            lane = lanes.setdefault((each.row.subscriber, each.name, partition), [])
            failed = [n for n, outcome in enumerate(each.outcomes) if outcome == "failed"]
            in_order = failed[0] + 1 if each.rules.retry_topic and failed else None
            lane += [attempt for attempt in each.attempts[:in_order] if attempt.instance >= 0]
    for lane in lanes.values():
        # Handlers without work take no time: at one instant, what was accepted first counts first.
        lane.sort(key=lambda attempt: (accepted_at[attempt.message], attempt.message))
        attempts = by_start(lane)
        assert one_after_the_other(attempts)
        moments = [accepted_at[attempt.message] for attempt in attempts]
        assert moments == sorted(moments)
        changes = sum(one.message != next_.message for one, next_ in pairwise(attempts))
        assert changes == max(0, len({attempt.message for attempt in attempts}) - 1)


@law
def the_prefetch_count_bounds_what_an_instance_has(run: Run, all_told: list[Told]) -> None:
    """Of all message names together: whoever is pushed last found fewer than his limit there.

    So of the attempts with a limit or a lower one, never more than that are on one instance.
    """
    instances: dict[tuple[str, int], list[tuple[int, Any]]] = {}
    for each in all_told:
        if each.rules.prefetch is not None:
            for attempt in each.taken:
                where = attempt.service, attempt.instance
                instances.setdefault(where, []).append((each.rules.prefetch, attempt))
    for limited in instances.values():
        for limit in {limit for limit, _ in limited}:
            no_higher = [attempt for other, attempt in limited if other <= limit]
            begins = sorted(attempt.started_at for attempt in no_higher)
            ends = sorted(map(end_of, no_higher))
            # When one begins, all of those before it have ended but for limit - 1.
            assert all(begin >= end for begin, end in zip(begins[limit:], ends, strict=False))


@law
def what_comes_back_to_the_head_keeps_its_order(run: Run, all_told: list[Told]) -> None:
    """Of two that wait there in the common queue, the one that came back first is taken first."""
    redriven = set(run.incidents.loc[run.incidents["what"] == "redriven", "message"])
    waited: dict[str, list[Any]] = {}
    for each in all_told:
        rules = each.rules
        is_common = not rules.ordered and rules.prefetch is None
        if is_common and rules.requeue == "head" and each.row.message not in redriven:
            again = (attempt for attempt in each.attempts if attempt.attempt > 1)
            waited.setdefault(each.row.subscriber, []).extend(again)
    for attempts in waited.values():
        for one, other in product(attempts, attempts):
            left = end_of(one) if isnan(one.started_at) else one.started_at
            assert not (one.queued_at < other.queued_at and other.started_at < left)


def test_every_law_holds_whatever_the_policies_and_outages() -> None:
    """Every law above, in worlds that between them have every policy and every end."""
    seen: set[str] = set()

    @given(broken_worlds(), seeds)
    @settings(suppress_health_check=[HealthCheck.too_slow])  # nothing is timed here
    def check(scenario: Scenario, seed: int) -> None:
        run = simulate(scenario, seed)
        all_told = told(run)
        for check_law in LAWS:
            check_law(run, all_told)
        seen.update(run.deliveries["outcome"], run.attempts["outcome"])
        for each in all_told:
            if each.row.attempts > 1:
                seen.update(name for name in POLICIES if getattr(each.rules, name))

    check()
    assert seen >= {"handled", "dead_lettered", "lost", "pending", "crashed", "withdrawn"}
    assert seen >= set(POLICIES)


@given(broken_worlds(), seeds)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_seed_gives_the_same_tables(scenario: Scenario, seed: int) -> None:
    """Whatever the policies: nothing depends on what another run has left behind."""
    assert same_tables(simulate(scenario, seed), simulate(scenario, seed))


@given(scenarios(), seeds)
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_the_default_policy_is_no_policy(scenario: Scenario, seed: int) -> None:
    """A handler that spells the broker's policy out has the same tables as one that has none."""
    assert scenario.broker is not None
    services = [
        replace(
            service,
            on={
                name: Handler(handler.steps, delivery=handler.delivery or scenario.broker.delivery)
                for name, handler in service.handlers.items()
            },
        )
        for service in scenario.services
    ]
    spelt_out = scenario.replace(services=services)
    assert same_tables(simulate(scenario, seed), simulate(spelt_out, seed))


# -- one message beside its twin ---------------------------------------------------------------


def effects_of_one(
    outages: list[tuple[float, float]], window: float, guarantee: str = "at_least_once"
) -> list[float]:
    """When one message has its effects, computed step by step beside the engine.

    Work takes a second and its acknowledgement another. A handler that finds its work done
    less than ``window`` seconds ago skips it.
    """
    done: list[float] = []
    now = 0.0
    for begin, lasts in outages:
        if begin <= now < begin + lasts:
            now = begin + lasts  # not up yet when it would have started
    while True:
        knows = bool(done) and now - done[-1] < window
        worked = now if knows else now + 1
        crash = min((outage for outage in outages if outage[0] >= now), default=None)
        if crash is not None and crash[0] < worked:
            if guarantee == "at_most_once":
                return done
            now = sum(crash)
            continue
        if not knows:
            done.append(worked)
        if guarantee == "at_most_once" or crash is None or crash[0] >= worked + 1:
            return done
        now = sum(crash)


@st.composite
def _outages(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Outages one after the other with pauses, in quarters of a second."""
    quarters = st.integers(1, 8)
    end, outages = 0.0, []
    for _ in range(draw(st.integers(0, 4))):
        begin, lasts = end + draw(quarters) / 4, draw(quarters) / 4
        outages.append((begin, lasts))
        end = begin + lasts
    return outages


windows = st.integers(1, 20).map(lambda n: n / 4)
ACKNOWLEDGED_IN_A_SECOND = {"turnaround": Constant(1.0)}


def after(outages: list[tuple[float, float]], rules: DeliveryPolicy) -> list[float]:
    """When the one message has its effects in a run with these outages."""
    faults = [Outage("worker", at=begin, lasts=lasts) for begin, lasts in outages]
    broker = ACKNOWLEDGED_IN_A_SECOND
    run = simulate(world([0], takes(1.0), rules, broker=broker, faults=faults))
    return [at for _, at in effects(run)]


@given(_outages(), windows)
@example([(1.5, 1.0)], 2.0)  # back at 2.5, known until 3
@example([(1.5, 1.5)], 2.0)  # back at 3: known no more
def test_duplicates_come_exactly_when_the_memory_is_too_short(
    outages: list[tuple[float, float]], window: float
) -> None:
    """Inside the window an effect comes once; after it, exactly as a step-by-step twin says."""
    rules = DeliveryPolicy(idempotent=Deduplication(window=window))
    assert after(outages, rules) == effects_of_one(outages, window)
    assert len(after(outages, DeliveryPolicy(idempotent=True))) == 1


@given(_outages())
def test_each_crash_between_effect_and_acknowledgement_doubles_the_effect(
    outages: list[tuple[float, float]],
) -> None:
    """At least once, with no memory: never less than once, and as often as the twin says.

    At most once: as often as the twin says, and never more than once.
    """
    once_at_least = after(outages, DeliveryPolicy())
    assert once_at_least == effects_of_one(outages, window=0.0)
    assert len(once_at_least) >= 1
    once_at_most = after(outages, DeliveryPolicy(guarantee="at_most_once"))
    assert once_at_most == effects_of_one(outages, 0.0, "at_most_once")
    assert len(once_at_most) <= 1
