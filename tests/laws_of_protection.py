"""What protections always keep to: limits, in any world at all.

Where two things fall on one instant, what ends counts before what begins: a limit may then be
a little less tight than the engine's, and never tighter.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from math import inf, isnan

from eda_sim.scenario.delivery import CircuitBreaker
from eda_sim.scenario.steps import Call
from tests.laws import NANOSECOND, Call_, Facts, law


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """How many of these spans of time there are at once, at most."""
    changes = [change for begin, end in spans for change in ((begin, 1), (end, -1))]
    level = most = 0
    for _, change in sorted(changes):
        level += change
        most = max(most, level)
    return most


def never_as_nan(time: float) -> float:
    """A time, or infinity if it never came."""
    return inf if isnan(time) else time


def single_calls(facts: Facts) -> dict[tuple[str, str], tuple[Call, list[Call_]]]:
    """The calls of each sender and command that are made in one way and never repeated."""
    ways = {key: steps for key, steps in facts.steps.items() if isinstance(steps[0], Call)}
    found: dict[tuple[str, str], tuple[Call, list[Call_]]] = {
        key: (steps[0], [])
        for key, steps in ways.items()
        if steps[0].retry is None and all(step == steps[0] for step in steps)
    }
    for call in facts.calls:
        if (call.sender, call.name) in found:
            found[call.sender, call.name][1].append(call)
    return found


@law
def a_bulkhead_bounds_the_calls_under_way(facts: Facts) -> None:
    """Of one caller's calls of one command no more than its compartments."""
    for step, calls in single_calls(facts).values():
        if step.bulkhead is not None:
            assert most_at_once((each.started_at, each.ended_at) for each in calls) <= step.bulkhead


@law
def a_breaker_lets_through_whom_its_twin_lets_through(facts: Facts) -> None:
    """A breaker written down in a few lines refuses the same calls.

    What falls on one instant has an order that the tables do not tell: where it matters, and
    where a call takes no time at all, nothing is compared.
    """
    for step, calls in single_calls(facts).values():
        if step.breaker is None or step.bulkhead is not None:
            continue
        found = [each.outcome == "short_circuited" for each in calls]
        if any(each.started_at == each.ended_at for each in calls if not is_short(each)):
            continue
        twins = [
            short_circuited(step.breaker, calls, ends_first, turn)
            for ends_first in (False, True)
            for turn in (1, -1)
        ]
        if all(twin == twins[0] for twin in twins):
            facts.replayed += any(found)
            assert found == twins[0]


def is_short(call: Call_) -> bool:
    """Say whether a call was short-circuited."""
    return call.outcome == "short_circuited"


def short_circuited(
    breaker: CircuitBreaker, calls: list[Call_], ends_first: bool, turn: int
) -> list[bool]:
    """Which of these calls a breaker refuses, if those that pass end as they did."""
    moments = [(each.started_at, ends_first, turn * n) for n, each in enumerate(calls)]
    moments += [(each.ended_at, not ends_first, turn * n) for n, each in enumerate(calls)]
    refused: dict[int, bool] = {}
    failures: list[float] = []
    opened_at, trial = None, None  # the time, the number of the call
    for now, _, signed in sorted(moments):
        n = turn * signed
        if n not in refused:
            waited = opened_at is not None and now >= opened_at + breaker.open_for
            refused[n] = opened_at is not None and not (waited and trial is None)
            if waited and trial is None:
                trial = n
            continue
        well = calls[n].outcome in ("ok", "failed_permanently")
        died = calls[n].outcome in ("abandoned", "unfinished")
        if n == trial:
            trial = None
            if not died:
                opened_at = None if well else now
        elif not (refused[n] or well or died or opened_at is not None):
            failures = [at for at in failures if now - at < breaker.window] + [now]
            if len(failures) >= breaker.failures:
                opened_at, failures = now, []
    return [refused[n] for n in range(len(calls))]


@law
def a_token_bucket_bounds_what_is_accepted(facts: Facts) -> None:
    """Between any two moments no more calls than the burst and what came in at the rate."""
    for service in facts.scenario.services:
        limit = service.rate_limit
        if limit is None:
            continue
        accepted = sorted(
            attempt.queued_at
            for message in facts.called
            for attempt in facts.attempts[message]
            if attempt.service == service.name and attempt.outcome not in ("rejected", "refused")
        )
        for first, begin in enumerate(accepted):
            for last, end in enumerate(accepted[first:], start=1):
                assert last <= limit.burst + limit.rate * (end - begin) + NANOSECOND


@law
def only_who_protects_itself_rejects(facts: Facts) -> None:
    """Calls are turned away for a full inbox, an empty bucket or a long wait, and only calls."""
    for message, attempts in facts.attempts.items():
        for attempt in attempts:
            if attempt.outcome in ("refused", "rejected"):
                assert message in facts.called
            if attempt.outcome == "rejected":
                service = facts.scenario.service(attempt.service)
                means = (service.inbox, service.rate_limit, service.shed_after)
                assert means != (None, None, None)


@law
def the_inbox_bounds_the_calls_that_wait(facts: Facts) -> None:
    """Never more calls wait than the inbox holds."""
    for service in facts.scenario.services:
        if service.inbox is None:
            continue
        waits = [
            (
                each.queued_at,
                never_as_nan(each.ended_at if isnan(each.started_at) else each.started_at),
            )
            for message in facts.called
            for each in facts.attempts[message]
            if each.service == service.name
        ]
        assert most_at_once(waits) <= service.inbox


@law
def the_capacity_bounds_what_the_broker_holds(facts: Facts) -> None:
    """Accepted and not ended for every subscriber: never more of a topic than it has room for.

    A redriven message has left the topic before: its subscribers are left out.
    """
    broker = facts.scenario.broker
    assert broker is not None
    redriven = {redrive.service for redrive in facts.scenario.redrives}
    ends: dict[int, list[float]] = defaultdict(list)
    left_out: set[str] = set()
    for each in facts.told:
        ends[each.row.message].append(never_as_nan(each.row.ended_at))
        if each.row.subscriber in redriven:
            left_out.add(each.name)
    for name, topic in broker.topics.items():
        if topic.capacity is None or name in left_out:
            continue
        held = [
            (row.accepted_at, max(ends[row.message], default=row.accepted_at))
            for row in facts.messages.values()
            if row.name == name and not isnan(row.accepted_at)
        ]
        assert most_at_once(held) <= topic.capacity


@law
def an_autoscaler_keeps_to_its_bounds(facts: Facts) -> None:
    """Between the least and the most instances, and always one more or as many less as it says."""
    for service in facts.scenario.services:
        scaling = facts.run.scaling[facts.run.scaling["service"] == service.name]
        sizes = [service.instances, *scaling["instances"]]
        scale = service.autoscale
        if scale is None:
            assert len(sizes) == 1
            continue
        assert all(scale.least <= size <= scale.most for size in sizes)
        changes = [next_ - one for one, next_ in itertools.pairwise(sizes)]
        assert changes == [-retired or 1 for retired in scaling["retired"]]
        moments = [round(at / scale.every, 6) for at in scaling["at"]]
        assert not moments or min(moments) >= 1


@law
def a_deadline_travels(facts: Facts) -> None:
    """After the deadline no attempt begins, and calls on its behalf are over, new ones at once."""
    until: dict[int, float] = {}
    for step, calls in single_calls(facts).values():
        if step.propagate_deadline and step.timeout is not None:
            until |= {each.message: each.started_at + step.timeout for each in calls}
    for message, deadline in until.items():
        for attempt in facts.attempts[message]:
            if attempt.started_at > deadline + NANOSECOND:
                assert attempt.outcome == "expired"
                assert attempt.ended_at >= attempt.started_at
    for call in facts.calls:
        deadline = until.get(call.cause, inf)
        if deadline + NANOSECOND < facts.horizon:
            assert call.ended_at <= max(deadline, call.started_at) + NANOSECOND


@law
def what_is_not_begun_does_nothing(facts: Facts) -> None:
    """Of a call whose attempts have all expired, nothing is done and nothing said."""
    for message in facts.called:
        attempts = facts.attempts[message]
        if attempts and all(attempt.outcome == "expired" for attempt in attempts):
            assert not any(key[0] == message for key in (*facts.effects, *facts.made))
