"""What is always true, read off the tables and the description alone, in any world at all.

The laws of ``tests.test_right_laws`` and ``tests.test_delivery_laws`` that hold without any
precondition are used as they are; here are those that need one, and those of protections.
Times that are sums of others are compared with a tolerance of a nanosecond.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from math import inf, isnan
from typing import Any, NamedTuple

from eda_sim import Run
from eda_sim.engine.links import touches
from eda_sim.scenario.delivery import Deduplication
from eda_sim.scenario.faults import BROKER, BrokerOutage, Duplicates, NetworkPartition, Outage
from eda_sim.scenario.messages import flatten, handlers_of, mentions, name_of
from eda_sim.scenario.steps import AnyStep, Call, Parallel, Publish, Send, Work
from tests import test_delivery_laws, test_right_laws
from tests.test_delivery_laws import Told, told

NANOSECOND = 1e-9


class Call_(NamedTuple):
    """A call as its caller sees it."""

    message: int
    sender: str
    name: str
    cause: int
    started_at: float
    ended_at: float
    outcome: str


class Facts:
    """A run, and what several laws ask about it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.scenario = run.scenario
        self.horizon = run.scenario.duration + run.scenario.drain
        self.told = told(run)
        self.replayed = 0  # how many breakers were
        self.messages = {row.message: row for row in run.messages.itertuples()}

    @cached_property
    def effects(self) -> Counter[tuple[int, str, str]]:
        """How often each work was done for each message at each service."""
        table = self.run.effects
        return Counter(zip(table["message"], table["service"], table["label"], strict=True))

    @cached_property
    def made(self) -> dict[tuple[int, str, str], list[Any]]:
        """What a service sent or published of each name while it handled a message."""
        found: dict[tuple[int, str, str], list[Any]] = defaultdict(list)
        for row in self.messages.values():
            if row.message not in self.called:
                found[row.cause, row.sender, row.name].append(row)
        return found

    @cached_property
    def calls(self) -> list[Call_]:
        """Every call."""
        found = []
        for row in self.run.calls.itertuples():
            said = self.messages[row.message]
            ended_at = inf if isnan(row.ended_at) else row.ended_at
            times = row.started_at, ended_at, row.outcome
            found.append(Call_(row.message, said.sender, said.name, said.cause, *times))
        return found

    @cached_property
    def called(self) -> set[int]:
        """The messages that are calls."""
        return set(self.run.calls["message"])

    @cached_property
    def steps(self) -> dict[tuple[str, str], list[Any]]:
        """The steps by which a sender makes messages of a name."""
        found: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for said in mentions(self.scenario.traffic, self.scenario.services):
            found[said.sender, name_of(said.step)].append(said.step)
        return found

    @cached_property
    def attempts(self) -> dict[int, list[Any]]:
        """The attempts at each message, of whichever subscriber."""
        found: dict[int, list[Any]] = defaultdict(list)
        for row in self.run.attempts.itertuples():
            found[row.message].append(row)
        return found

    def copies(self, service: str) -> int:
        """How often a message may arrive at a service each time it is sent there."""
        doubling = (fault for fault in self.scenario.faults if isinstance(fault, Duplicates))
        return 2 if any(touches(fault, service, BROKER) for fault in doubling) else 1

    @cached_property
    def accepted(self) -> Counter[tuple[int, str]]:
        """How often each message was accepted (or lost) for each subscriber."""
        table = self.run.deliveries
        return Counter(zip(table["message"], table["subscriber"], strict=True))

    def comes(self, row: Any) -> int:
        """How often the message of a delivery may arrive at its subscriber."""
        return self.copies(row.subscriber) * self.accepted[row.message, row.subscriber]

    def may_vanish(self, sender: str, name: str) -> bool:
        """Say whether a message may be lost before the broker has accepted it."""
        broker = self.scenario.broker
        assert broker is not None
        topic = broker.topics.get(name)
        if topic is not None and topic.capacity is not None and topic.when_full == "drop":
            return True
        return broker.when_unreachable == "lose" and any(
            getattr(step, "outbox", None) is None for step in self.steps[sender, name]
        )

    def waits_in_an_outbox(self, sender: str, name: str) -> bool:
        """Say whether a message may still wait in an outbox."""
        return any(getattr(step, "outbox", None) for step in self.steps[sender, name])


Law = Callable[[Facts], None]
LAWS: list[Law] = []


def law(check: Law) -> Law:
    """Note a law of every world."""
    LAWS.append(check)
    return check


for of_every_run in (
    test_right_laws.requests_are_those_of_the_traffic_and_each_has_one_outcome,
    test_right_laws.what_has_not_ended_is_said_to_be_open,
    test_right_laws.the_ledger_counts_every_effect_once,
    test_right_laws.messages_come_from_handlers_that_were_at_work,
    test_right_laws.effects_come_from_attempts_that_were_under_way,
    test_right_laws.nothing_is_handled_where_nobody_is_up,
    test_right_laws.calls_wait_no_longer_than_they_say,
    test_right_laws.nothing_happens_after_the_end,
):
    LAWS.append(lambda facts, check=of_every_run: check(facts.run))  # type: ignore[misc]

for of_deliveries in (
    test_delivery_laws.a_worker_is_never_in_two_places,
    test_delivery_laws.the_prefetch_count_bounds_what_an_instance_has,
    test_delivery_laws.what_comes_back_to_the_head_keeps_its_order,
):
    LAWS.append(lambda facts, check=of_deliveries: check(facts.run, facts.told))  # type: ignore[misc]


# -- nothing is lost from the books ------------------------------------------------------------


@law
def deliveries_are_conserved(facts: Facts) -> None:
    """Each time that a message is accepted it has one delivery for each subscriber.

    Each has one of four outcomes. A message is accepted again only where its publisher may publish
    it again, and by a broker that does not know it. What the broker has not accepted has no
    delivery, or lost ones where its publisher does not ask.
    """
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    again = Counter(facts.run.incidents.query("what == 'accepted_again'")["message"])
    for each in facts.told:
        row = each.row
        found[row.message][row.subscriber] = row
        assert row.outcome in ("handled", "dead_lettered", "lost", "pending")
        assert isnan(row.ended_at) == (row.outcome == "pending")
    for message, row in facts.messages.items():
        if message in facts.called:
            continue
        subscribers = {each.name for each in handlers_of(row.name, facts.scenario.services)}
        for subscriber in subscribers:
            times = facts.accepted[message, subscriber]
            assert times <= 1 or again[message] == (times - 1) * len(subscribers)
        outcomes = {each.outcome for each in found[message].values()}
        if not isnan(row.accepted_at):
            assert set(found[message]) == subscribers
        elif outcomes:
            assert set(found[message]) == subscribers
            assert outcomes == {"lost"}
            assert facts.may_vanish(row.sender, row.name)


@law
def at_least_once_with_dead_letters_loses_nothing(facts: Facts) -> None:
    """Whatever breaks, the broker loses nothing that it has accepted, and gives up for a reason.

    The reason is a permanent failure, or as many tries as the policy allows.
    """
    for each in facts.told:
        rules, accepted_at = each.rules, facts.messages[each.row.message].accepted_at
        if rules.guarantee == "at_most_once" or isnan(accepted_at):
            continue
        assert not (rules.dead_letter and each.row.outcome == "lost")
        if each.row.outcome in ("dead_lettered", "lost") and (
            "failed_permanently" not in each.outcomes
        ):
            assert rules.retry.max_attempts is not None
            assert len(each.taken) + each.returned >= rules.retry.max_attempts


@law
def causes_precede_effects(facts: Facts) -> None:
    """Started, published, accepted, available, ended: never the other way round."""
    test_right_laws.ascending(facts.run.requests["started_at"], facts.run.requests["answered_at"])
    test_right_laws.ascending(facts.run.calls["started_at"], facts.run.calls["ended_at"])
    started = facts.run.requests.set_index("request")["started_at"].to_dict()
    for row in facts.messages.values():
        assert started[row.request] <= row.published_at
        assert not row.accepted_at < row.published_at
    for each in facts.told:
        row, said = each.row, facts.messages[each.row.message]
        assert row.published_at == said.published_at
        assert not row.available_at < said.accepted_at
        assert not row.ended_at < row.available_at
    for message, attempts in facts.attempts.items():
        for attempt in attempts:
            said = facts.messages[message]
            assert attempt.queued_at >= said.published_at
            assert not attempt.queued_at < said.accepted_at
            begun = attempt.ended_at if isnan(attempt.started_at) else attempt.started_at
            assert not begun < attempt.queued_at
            assert not attempt.ended_at < begun


@law
def nobody_is_busier_than_always(facts: Facts) -> None:
    """Utilisation is a fraction, whoever comes, goes, dies or finishes what he does."""
    utilisation = facts.run.services()["utilisation"]
    assert utilisation.between(0, 1 + NANOSECOND).all()


@law
def a_broker_that_is_down_does_nothing(facts: Facts) -> None:
    """It accepts nothing, gives nothing up and redrives nothing before it is back."""
    table = facts.run.faults
    outages = table[table["kind"] == BrokerOutage.kind]
    acts = facts.run.incidents[facts.run.incidents["what"].isin(["dead_lettered", "redriven"])]
    for outage in outages.itertuples():
        over = inf if isnan(outage.ended_at) else outage.ended_at
        for moments in (facts.run.messages["accepted_at"], acts["at"]):
            assert not ((outage.started_at < moments) & (moments < over)).any()


# -- what is done, and how often ---------------------------------------------------------------


def _certain(steps: Sequence[AnyStep]) -> Iterator[AnyStep]:
    """Yield the steps that every request takes: those of no branch."""
    for step in steps:
        if isinstance(step, Parallel):
            yield from _certain(step.steps)
        else:
            yield step


def works(steps: Iterable[AnyStep]) -> Counter[str]:
    """How often each work stands among the steps."""
    return Counter(step.label for step in steps if isinstance(step, Work))


def sayings(steps: Iterable[AnyStep], *kinds: type) -> Counter[str]:
    """How often each message is made by the steps of these kinds."""
    return Counter(name_of(step) for step in steps if isinstance(step, kinds))  # type: ignore[arg-type]


@law
def what_is_handled_is_done(facts: Facts) -> None:
    """A handled delivery and an attempt that went well have all the effects of their steps.

    Also those of an idempotent handler: what it skipped had been done. Messages were accepted,
    where publishers wait for that, and calls had their reply.
    """
    answered = Counter(
        (each.cause, each.sender, each.name) for each in facts.calls if each.outcome == "ok"
    )
    for each in facts.told:
        assert each.row.outcome != "handled" or "ok" in each.outcomes
    for attempts in facts.attempts.values():
        for service, message, name in {
            (a.service, a.message, a.name) for a in attempts if a.outcome == "ok"
        }:
            steps = list(_certain(facts.scenario.service(service).handlers[name].steps))
            for label, times in works(steps).items():
                assert facts.effects[message, service, label] >= times
            for command, times in sayings(steps, Call).items():
                assert answered[message, service, command] >= times
            for said, times in sayings(steps, Send, Publish).items():
                made = facts.made[message, service, said]
                lenient = facts.may_vanish(service, said) or facts.waits_in_an_outbox(service, said)
                assert sum(lenient or not isnan(row.accepted_at) for row in made) >= times


@law
def at_most_once_is_once_at_most(facts: Facts) -> None:
    """One attempt, every work at most once and every message made at most once.

    Twice, where the network may let a message arrive twice.
    """
    for each in facts.told:
        if each.rules.guarantee != "at_most_once":
            continue
        most = facts.comes(each.row)
        assert len(each.attempts) <= most
        assert each.row.attempts <= 1
        assert each.row.outcome != "dead_lettered"
        _at_most(facts, each, most, facts.made)


@law
def an_idempotent_handler_does_each_work_once(facts: Facts) -> None:
    """With a memory that is never full, whatever comes again, late or twice.

    Messages are made once as well, where no two attempts at a message are side by side.
    """
    accepted = {
        key: [row for row in rows if not isnan(row.accepted_at)] for key, rows in facts.made.items()
    }
    for each in facts.told:
        if each.rules.deduplication == Deduplication():
            alone = each.rules.ack_timeout is None and facts.comes(each.row) == 1
            _at_most(facts, each, 1, accepted if alone else {})


def _at_most(facts: Facts, each: Told, most: int, made: dict[Any, list[Any]]) -> None:
    message, service = each.row.message, each.row.subscriber
    steps = list(flatten(each.handler.steps))
    for label, times in works(steps).items():
        assert facts.effects[message, service, label] <= most * times
    for said, times in sayings(steps, Send, Publish).items():
        assert len(made.get((message, service, said), ())) <= most * times


@law
def an_ordered_topic_keeps_its_order(facts: Facts) -> None:
    """Each partition in the order of acceptance, through crashes, rebalances and lost messages.

    But not what comes twice or is redriven, which has lost its place.
    """
    redriven = {redrive.service for redrive in facts.scenario.redrives}
    in_order = [
        each
        for each in facts.told
        if each.row.subscriber not in redriven and facts.comes(each.row) == 1
    ]
    test_delivery_laws.a_partition_keeps_the_order_of_acceptance(facts.run, in_order)


@law
def nobody_waits_for_a_worker_that_is_free(facts: Facts) -> None:
    """Where something waits when the run ends, a worker is busy, or something is down or cut off.

    Ordered topics are left out: their heads may be waiting for their next try.
    """
    ordered = {(each.row.message, each.row.subscriber) for each in facts.told if each.rules.ordered}
    open_ = facts.run.attempts[facts.run.attempts["outcome"] == "unfinished"]
    busy = set(open_.loc[open_["started_at"].notna(), "service"])
    still = facts.run.faults[facts.run.faults["ended_at"].isna()]["fault"]
    for row in open_[open_["started_at"].isna()].itertuples():
        if (row.message, row.service) in ordered:
            continue
        here = (facts.scenario.faults[number] for number in still)
        excuses = [
            fault
            for fault in here
            if (isinstance(fault, Outage) and fault.service == row.service)
            or (
                isinstance(fault, (BrokerOutage, NetworkPartition))
                and touches(fault, row.service, BROKER)
            )
        ]
        assert excuses or row.service in busy
