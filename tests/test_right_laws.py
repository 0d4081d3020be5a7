"""What is always true, for every scenario and seed.

Random worlds (``tests.strategies``) with everything at once: calls, sends, events,
branches, steps side by side, retries, breakers, full inboxes, outages and slowdowns.
Each law is read off the tables alone.
"""

import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eda_sim import Outage, Run, Scenario, Slowdown, simulate
from eda_sim.results.ledger import VERDICTS
from eda_sim.rules.identity import request_id
from eda_sim.rules.luck import Luck
from eda_sim.rules.plan import Plan
from eda_sim.rules.tables import (
    ATTEMPT_OUTCOMES,
    CALL_OUTCOMES,
    DELIVERY_OUTCOMES,
    REQUEST_OUTCOMES,
)
from eda_sim.scenario.traffic import Traffic
from tests.strategies import apart, scenarios
from tests.worlds import everything, fingerprint

# Of what is odd in random worlds is warned.
pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")

seeds = st.integers(0, 2**32)

Law = Callable[[Run], None]
ALWAYS: list[Law] = []  # laws of every world
WITHOUT_FAULTS: list[Law] = []  # laws of worlds in which nothing goes down


def always(law: Law) -> Law:
    """Note a law that holds in every world."""
    ALWAYS.append(law)
    return law


def without_faults(law: Law) -> Law:
    """Note a law that holds where nothing goes down."""
    WITHOUT_FAULTS.append(law)
    return law


def horizon(run: Run) -> float:
    """When the run stopped at the latest."""
    return run.scenario.duration + run.scenario.drain


def or_never(times: pd.Series) -> np.ndarray:
    """Times, with what never came after everything else."""
    return times.fillna(np.inf).to_numpy()


def subscribers(scenario: Scenario, name: str) -> list[str]:
    """The services that handle a message."""
    return [service.name for service in scenario.services if name in service.handlers]


# -- nothing is lost from the books ----------------------------------------------------


@always
def every_accepted_message_becomes_one_delivery_for_each_subscriber(run: Run) -> None:
    """Deliveries published = handled + dead-lettered + lost + pending, for each subscriber."""
    accepted = run.messages[run.messages["accepted_at"].notna()]
    published = Counter(
        subscriber for name in accepted["name"] for subscriber in subscribers(run.scenario, name)
    )
    ended = Counter(run.deliveries["subscriber"])
    assert published == ended
    outcomes = ["handled", "dead_lettered", "lost", "pending"]
    assert set(run.deliveries["outcome"]) <= set(outcomes)
    pairs = run.deliveries[["message", "subscriber"]]
    assert not pairs.duplicated().any()
    assert set(pairs["message"]) <= set(accepted["message"])


@always
def a_delivery_ends_as_its_attempts_say(run: Run) -> None:
    """Handled: the last attempt was ok and no other. Given up: none was. Pending: none yet."""
    calls = set(run.calls["message"])
    tried = run.attempts[~run.attempts["message"].isin(calls)]
    by_delivery = tried.sort_values("attempt").groupby(["message", "service"], observed=True)
    outcomes: dict[tuple[int, str], list[str]] = by_delivery["outcome"].agg(list).to_dict()
    taken = {key: int(group["started_at"].notna().sum()) for key, group in by_delivery}
    for row in run.deliveries.itertuples():
        key = row.message, row.subscriber
        ends = outcomes.get(key, [])
        assert row.attempts == taken.get(key, 0)
        assert ends.count("ok") == (row.outcome == "handled")
        if row.outcome == "handled":
            assert ends[-1] == "ok"
        elif row.outcome != "pending":
            assert ends[-1] in ("failed", "failed_permanently")
        assert set(ends[:-1]) <= {"failed", "crashed"}
        assert np.isnan(row.ended_at) == (row.outcome == "pending")
    assert set(outcomes) <= set(zip(run.deliveries.message, run.deliveries.subscriber, strict=True))


@always
def dead_letters_and_losses_are_as_the_policy_says(run: Run) -> None:
    """Given up at once when permanent, else at the last attempt; kept or lost as it says."""
    names = run.messages.set_index("message")["name"]
    last = run.attempts.sort_values("attempt").groupby(["message", "service"], observed=True).last()
    for row in run.deliveries[
        run.deliveries["outcome"].isin(["dead_lettered", "lost"])
    ].itertuples():
        assert run.scenario.broker is not None
        handler = run.scenario.service(row.subscriber).handlers[names[row.message]]
        policy = handler.delivery or run.scenario.broker.delivery
        assert row.outcome == ("dead_lettered" if policy.dead_letter else "lost")
        end = last.loc[(row.message, row.subscriber), "outcome"]
        assert end == "failed_permanently" or row.attempts >= policy.retry.max_attempts


def arrivals(source: Traffic, seed: int, duration: float) -> list[float]:
    """The moments at which a source's requests start, computed beside the engine."""
    moments = []
    for moment in source.arrivals.moments(Luck(seed).unit_gaps(source.name)):
        if moment >= duration:
            break
        moments.append(moment)
    return moments


@always
def requests_are_those_of_the_traffic_and_each_has_one_outcome(run: Run) -> None:
    """Requests started = the sum of their outcomes; they start when their source says."""
    for position, source in enumerate(run.scenario.traffic):
        moments = arrivals(source, run.seed, run.scenario.duration)
        mine = run.requests[run.requests["source"] == source.name]
        assert mine["started_at"].tolist() == moments
        assert mine["request"].tolist() == [request_id(position, n) for n in range(len(moments))]
    outcomes = {"ok", "failed", "timed_out", "rejected", "short_circuited", "unfinished"}
    assert set(run.requests["outcome"]) <= outcomes
    never = run.requests["answered_at"].isna()
    assert (never == (run.requests["outcome"] == "unfinished")).all()


@always
def what_has_not_ended_is_said_to_be_open(run: Run) -> None:
    """No end, no outcome: unfinished calls and attempts, and those alone, have no end."""
    for table in (run.calls, run.attempts):
        assert (table["ended_at"].isna() == (table["outcome"] == "unfinished")).all()
    turned_away = run.attempts["outcome"].isin(["refused", "rejected"])
    assert run.attempts.loc[turned_away, "started_at"].isna().all()
    taken = run.attempts["started_at"].notna()
    assert ((run.attempts["worker"] >= 0) == taken).all()
    assert ((run.attempts["instance"] >= 0) == taken).all()


@always
def the_ledger_counts_every_effect_once(run: Run) -> None:
    """Meant and done add up; a verdict of consistent is never given to what is half done."""
    ledger = run.ledger()
    assert ledger["done"].sum() == len(run.effects)
    assert (ledger["done"] - ledger["meant"] == ledger["repeated"] - ledger["missing"]).all()
    consistent = ledger[ledger["verdict"] == "consistent"]
    assert ((consistent["missing"] == 0) | (consistent["done"] == 0)).all()
    assert (consistent["repeated"] == 0).all()
    complete = ledger["missing"] == 0
    assert (ledger["completed_at"].notna() == complete).all()
    assert run.verdicts().sum() == len(run.requests)


# -- workers ---------------------------------------------------------------------------


@always
def a_worker_is_never_in_two_places(run: Run) -> None:
    """The attempts that one worker took do not overlap, and the worker exists."""
    taken = run.attempts[run.attempts["started_at"].notna()]
    for name, group in taken.groupby("service", observed=True):
        service = run.scenario.service(str(name))
        assert group["instance"].max() < service.instances
        assert group["worker"].max() < service.workers
    for _, group in taken.groupby(["service", "instance", "worker"], observed=True):
        ordered = group.sort_values(["started_at", "ended_at"])
        begins, ends = ordered["started_at"].to_numpy(), or_never(ordered["ended_at"])
        assert (begins[1:] >= ends[:-1]).all()


@always
def the_inbox_bounds_the_calls_that_wait(run: Run) -> None:
    """Never more calls wait than the inbox holds; none is rejected without an inbox."""
    calls = run.attempts[run.attempts["message"].isin(run.calls["message"])]
    for service in run.scenario.services:
        mine = calls[calls["service"] == service.name]
        if service.inbox is None:
            assert "rejected" not in set(mine["outcome"])
            continue
        left = mine["started_at"].fillna(mine["ended_at"])
        for moment in mine["queued_at"]:
            waiting = ((mine["queued_at"] <= moment) & (or_never(left) > moment)).sum()
            assert waiting <= service.inbox
    deliveries = run.attempts[~run.attempts["message"].isin(run.calls["message"])]
    assert not set(deliveries["outcome"]) & {"refused", "rejected"}


@without_faults
def first_come_first_served(run: Run) -> None:
    """Where nothing crashes, a service starts what it is given in the order of arrival."""
    for _, group in run.attempts.groupby("service", observed=True):
        waited = group[~group["outcome"].isin(["refused", "rejected"])]
        begins = or_never(waited.sort_values("queued_at", kind="stable")["started_at"])
        queued = np.sort(waited["queued_at"].to_numpy())
        for moment in np.unique(queued):  # those of one instant may go in any order
            before, after = begins[queued < moment], begins[queued == moment]
            assert not len(before) or before.max() <= after.min()


@without_faults
def nobody_waits_while_a_worker_is_free(run: Run) -> None:
    """Where nothing crashes, whoever waits before a service finds all its workers busy."""
    for service in run.scenario.services:
        mine = run.attempts[run.attempts["service"] == service.name]
        waited = mine[or_never(mine["started_at"].fillna(mine["ended_at"])) > mine["queued_at"]]
        busy = run.timeline("busy", service.name)
        queue = run.timeline("queue", service.name)
        for moment in waited["queued_at"]:
            assert queue.at(moment) >= 1
        waits = queue.values > 0
        threads = service.instances * service.workers
        assert (busy.sampled(queue.times[waits]) == threads).all()
        assert (queue.sampled(busy.times[busy.values < threads]) == 0).all()


def downtimes(run: Run) -> Iterator[tuple[str, Sequence[int], float, float]]:
    """Service, copies down, begin and end of every outage that began."""
    planned = Plan(run.scenario).faults
    outages = run.faults[run.faults["kind"] == "outage"]
    for row in outages.itertuples():
        copies = planned[row.fault].copies
        assert len(copies) == row.instances
        end = np.inf if np.isnan(row.ended_at) else row.ended_at
        yield str(row.target), copies, row.started_at, end


@always
def nothing_is_handled_where_nobody_is_up(run: Run) -> None:
    """While copies are down no worker of theirs has an attempt; what they had has crashed."""
    for service, copies, begin, end in downtimes(run):
        mine = run.attempts[(run.attempts["service"] == service) & (run.attempts["instance"] >= 0)]
        down = mine[mine["instance"].isin(copies)]
        meanwhile = (down["started_at"] < end) & (or_never(down["ended_at"]) > begin)
        assert not meanwhile.any()
        crashed = down[down["ended_at"] == begin]
        assert set(crashed["outcome"]) <= {"crashed", "ok", "failed", "failed_permanently"}
    moments = {begin for _, _, begin, _ in downtimes(run)}
    crashes = run.attempts[run.attempts["outcome"] == "crashed"]
    assert set(crashes["ended_at"]) <= moments


@always
def calls_are_refused_only_where_nobody_is_up(run: Run) -> None:
    """A refused attempt ends while every copy of the service is down."""
    outages = list(downtimes(run))
    for row in run.attempts[run.attempts["outcome"] == "refused"].itertuples():
        down = {
            copy
            for service, copies, begin, end in outages
            if service == row.service and begin <= row.ended_at <= end
            for copy in copies
        }
        assert len(down) == run.scenario.service(str(row.service)).instances


@always
def faults_happen_as_described(run: Run) -> None:
    """A scheduled fault comes once, when it says; random ones take turns being up and down."""
    for number, fault in enumerate(run.scenario.faults):
        mine = run.faults[run.faults["fault"] == number]
        assert set(mine["target"]) <= {fault.service}
        factor = fault.factor if isinstance(fault, Slowdown) else np.nan
        assert np.array_equal(mine["factor"], np.full(len(mine), factor), equal_nan=True)
        if isinstance(fault, Outage):
            hit = fault.instances or run.scenario.service(fault.service).instances
            assert set(mine["instances"]) <= {hit}
        if fault.at is not None and fault.lasts is not None:
            begins = [fault.at] if fault.at <= horizon(run) else []
            assert mine["started_at"].tolist() == begins
            ends = [fault.at + fault.lasts] if fault.at + fault.lasts <= horizon(run) else []
            assert mine["ended_at"].dropna().tolist() == ends
        else:
            assert (mine["started_at"] < run.scenario.duration).all()
            begins, ends = mine["started_at"].to_numpy(), or_never(mine["ended_at"])
            assert (begins[1:] >= ends[:-1]).all()
            assert (begins < ends).all()


# -- causes precede effects ------------------------------------------------------------


def ascending(*columns: Sequence[float] | pd.Series) -> None:
    """Times go up from column to column; what never came may only be followed by the same."""
    times = [or_never(pd.Series(column)) for column in columns]
    for earlier, later in pairwise(times):
        assert (earlier <= later).all()


@always
def causes_precede_effects(run: Run) -> None:
    """Requests start before their messages, those before their attempts, those before effects."""
    requests, messages = run.requests, run.messages
    ascending(requests["started_at"], requests["answered_at"])
    ascending(messages["published_at"], messages["accepted_at"].fillna(np.inf))
    ascending(run.calls["started_at"], run.calls["ended_at"])
    deliveries = run.deliveries
    ascending(deliveries["published_at"], deliveries["available_at"], deliveries["ended_at"])
    tried = run.attempts["started_at"].fillna(run.attempts["ended_at"])
    ascending(run.attempts["queued_at"], tried, run.attempts["ended_at"])

    known = messages.set_index("message")
    assert known.index.is_unique
    started = requests.set_index("request")["started_at"]
    ascending(messages["request"].map(started), messages["published_at"])
    ascending(run.attempts["message"].map(known["published_at"]), run.attempts["queued_at"])
    accepted = deliveries["message"].map(known["accepted_at"])
    ascending(accepted, deliveries["available_at"])


@always
def messages_come_from_handlers_that_were_at_work(run: Run) -> None:
    """A message with a cause was made by its sender while an attempt at the cause was under way."""
    made = run.messages[run.messages["cause"] >= 0].reset_index(drop=True)
    pairs = made.merge(
        run.attempts, left_on=["cause", "sender"], right_on=["message", "service"], how="left"
    )
    during = (pairs["started_at"] <= pairs["published_at"]) & (
        pairs["published_at"] <= or_never(pairs["ended_at"])
    )
    assert set(pairs["message_x"][during]) == set(made["message"])
    clients = run.messages[run.messages["cause"] < 0]
    assert set(clients["sender"]) <= {source.name for source in run.scenario.traffic}


@always
def effects_come_from_attempts_that_were_under_way(run: Run) -> None:
    """Each effect is that of work of its service, within an attempt at its message."""
    effects = run.effects.reset_index()
    pairs = effects.merge(run.attempts, on=["message", "service"])
    during = (pairs["started_at"] <= pairs["at"]) & (pairs["at"] <= or_never(pairs["ended_at"]))
    assert set(pairs["index"][during]) == set(effects["index"])


@always
def calls_wait_no_longer_than_they_say(run: Run) -> None:
    """A call that is not retried ends by its timeout."""
    for source in run.scenario.traffic:
        step = source.message
        timeout = getattr(step, "timeout", None)
        if timeout is None or step.retry is not None:
            continue
        mine = run.requests[run.requests["source"] == source.name]
        latest = mine["started_at"] + timeout
        assert (mine["answered_at"].fillna(0) <= latest).all()
        late = mine["outcome"] == "timed_out"
        assert (mine["answered_at"] == latest)[late].all()


@always
def nothing_happens_after_the_end(run: Run) -> None:
    """No time in any table lies beyond the end of traffic plus the drain, or before 0."""
    for table in run.tables.values():
        for name, column in table.items():
            if column.dtype == np.float64 and name != "factor":
                known = column.dropna()
                assert known.between(0, horizon(run)).all(), name


# -- random worlds ---------------------------------------------------------------------


def crowded(scenario: Scenario) -> Scenario:
    """The same world with one worker a copy and no room to wait for calls."""
    services = [replace(service, workers=1, inbox=0) for service in scenario.services]
    return scenario.replace(services=services)


def troubled(scenario: Scenario) -> Scenario:
    """The same world in which every service is slow, and then down, in the midst of its work."""
    at, lasts = 0.4 * scenario.duration, 0.1 * scenario.duration
    slow = [Slowdown(service.name, 10.0, at=at / 2, lasts=at) for service in scenario.services]
    down = [Outage(service.name, at=at, lasts=lasts) for service in scenario.services]
    return scenario.replace(faults=apart([*down, *slow, *scenario.faults]))


worlds = scenarios() | scenarios().map(crowded) | scenarios().map(troubled)


def test_every_law_holds_in_random_worlds() -> None:
    """Every law above, in worlds that between them have everything that can happen."""
    seen: set[str] = set()

    @example(everything(), 1)
    @given(worlds, seeds)
    @settings(max_examples=120)
    def check(scenario: Scenario, seed: int) -> None:
        run = simulate(scenario, seed)
        for law in ALWAYS:
            law(run)
        for table in (run.requests, run.calls, run.attempts, run.deliveries):
            seen.update(table["outcome"])
        seen.update(run.faults["kind"], run.ledger()["verdict"])

    check()
    all_outcomes = {*REQUEST_OUTCOMES, *CALL_OUTCOMES, *ATTEMPT_OUTCOMES, *DELIVERY_OUTCOMES}
    # These worlds have neither acknowledgement timeouts nor deadlines.
    all_outcomes -= {"withdrawn", "expired"}
    assert seen >= all_outcomes | {*VERDICTS, "outage", "slowdown"}


@given(scenarios(faults=False), seeds)
@settings(max_examples=50)
def test_where_nothing_goes_down_queues_are_fair_and_busy(scenario: Scenario, seed: int) -> None:
    """First come, first served, and nobody waits while a worker is free."""
    run = simulate(scenario, seed)
    for law in WITHOUT_FAULTS:
        law(run)


@given(scenarios(), seeds)
@settings(max_examples=25)
def test_a_run_changes_nothing_and_repeats_itself(scenario: Scenario, seed: int) -> None:
    """The scenario stays what it was; the same seed gives the same tables, digit for digit."""
    before, twin = pickle.dumps(scenario), pickle.loads(pickle.dumps(scenario))
    first = fingerprint(simulate(scenario, seed))
    assert pickle.dumps(scenario) == before
    assert scenario == twin
    assert fingerprint(simulate(twin, seed)) == first
