"""Prefetch: deliveries pushed to an instance ahead of its workers, and what that spoils.

Two instances of one worker each, a second of work, all messages at once: the even ones are
pushed to instance 0 and the odd ones to instance 1, as far as the prefetch count allows.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_sim import (
    Autoscale,
    Backoff,
    Broker,
    BrokerOutage,
    Constant,
    Exponential,
    Handler,
    Outage,
    Poisson,
    Publish,
    Redrive,
    Retry,
    Scenario,
    Service,
    Trace,
    Traffic,
    Work,
    simulate,
)
from eda_sim.results.run import Run
from eda_sim.scenario.delivery import DeliveryPolicy
from tests.brokered import HALF, ends, handling, retry, rows, same_tables, seed_where, takes, world

WHERE = ["instance", "worker"]
AFTERWARDS = BrokerOutage(at=50.0, lasts=1.0)  # when all is done: a fault to be told apart


def who_did_what(run: Run) -> list[tuple[int, int, float]]:
    """Instance, request and moment of each attempt that a worker took, in the order of taking."""
    taken = run.attempts[run.attempts["started_at"].notna()]
    found = rows(taken, "instance", "request", "started_at")
    return sorted(found, key=lambda row: (row[2], row[0]))


def dies(at: float, lasts: float = 50.0) -> list[Outage]:
    """Instance 0 is down for a while."""
    return [Outage("worker", at=at, lasts=lasts, instances=1)]


def policy(prefetch: int, **others: Any) -> DeliveryPolicy:
    """A prefetch count, and what else."""
    return DeliveryPolicy(prefetch=prefetch, **others)


# -- fairness --------------------------------------------------------------------------------


def test_what_is_held_behind_a_slow_message_waits_while_another_instance_is_idle() -> None:
    """Message 0 takes 4 s; 2 was pushed to the same instance and starts at 4, with 1 idle from 2.

    Taken one by one from the broker, message 2 starts at 1.
    """
    messages = [0, 0, 0, 0], takes([4.0, 1.0, 1.0, 1.0])
    pushed = simulate(world(*messages, policy(2), instances=2))
    assert who_did_what(pushed) == [(0, 0, 0.0), (1, 1, 0.0), (1, 3, 1.0), (0, 2, 4.0)]
    taken = simulate(world(*messages, policy(1), instances=2))
    assert who_did_what(taken) == [(0, 0, 0.0), (1, 1, 0.0), (1, 2, 1.0), (1, 3, 2.0)]


def test_a_full_instance_is_passed_over() -> None:
    """Instance 0 holds its two until 4, so 4, 5 and 6 go to instance 1 as it has room."""
    work = takes([4.0] + [1.0] * 6)
    run = simulate(world([0] * 7, work, policy(2), instances=2))
    assert who_did_what(run) == [
        (0, 0, 0.0),
        (1, 1, 0.0),
        (1, 3, 1.0),
        (1, 4, 2.0),
        (1, 5, 3.0),
        (0, 2, 4.0),
        (1, 6, 4.0),
    ]


def test_instances_are_served_in_turn_even_if_the_next_one_is_busy() -> None:
    """Message 2 comes at 2 and is instance 0's, which is at work; instance 1 has been idle since 1.

    Message 3 comes later and is done earlier.
    """
    run = simulate(world([0, 0, 2, 2.25], takes([4.0, 1.0, 1.0, 1.0]), policy(2), instances=2))
    assert who_did_what(run) == [(0, 0, 0.0), (1, 1, 0.0), (1, 3, 2.25), (0, 2, 4.0)]


def test_workers_beyond_the_prefetch_count_stay_idle() -> None:
    """Three workers and two unacknowledged messages at most: the third waits with the broker."""
    run = simulate(world([0, 0, 0], takes([3.0, 1.0, 1.0]), policy(2), workers=3))
    assert handling(run) == [(0, 0.0), (1, 0.0), (2, 1.0)]


def test_a_message_that_is_tried_again_makes_room_meanwhile() -> None:
    """Message 0 fails at 1 and is due at 6: it counts no longer, and 1 and 2 are handled."""
    seed = seed_where({0: [True, False]}, requests=3)
    limited = policy(1, retry=retry(wait=5.0))
    run = simulate(world([0, 0, 0], takes(1.0, transient=HALF), limited), seed)
    assert handling(run) == [(0, 0.0), (1, 1.0), (2, 2.0), (0, 6.0)]


@pytest.mark.parametrize(("requeue", "order"), [("tail", [0, 1, 2, 0]), ("head", [0, 1, 0, 2])])
def test_a_failed_message_rejoins_the_broker_s_queue(requeue: Any, order: list[int]) -> None:
    """Due at 1.5 while message 1 is at work: behind message 2, or before it."""
    seed = seed_where({0: [True, False]}, requests=3)
    limited = policy(1, retry=retry(wait=0.5), requeue=requeue)
    run = simulate(world([0, 0, 0], takes(1.0, transient=HALF), limited), seed)
    assert handling(run) == [(n, float(moment)) for moment, n in enumerate(order)]


# -- several message names -------------------------------------------------------------------


def two_names(of_one: DeliveryPolicy, of_other: DeliveryPolicy, **settings: Any) -> Scenario:
    """Events of two names for one service, each with three messages at 0 and a second of work."""
    names = {"E": of_one, "F": of_other}
    work = [Work(Constant(1.0), "work")]
    on = {name: Handler(work, delivery=each) for name, each in names.items()}
    return Scenario(
        "two names",
        traffic=[Traffic(Publish(name), Trace([0.0] * 3), name=f"{name} source") for name in names],
        services=[Service("worker", on=on, **settings)],
        broker=Broker(),
        duration=100.0,
    )


def most_at_once(run: Run, instance: int, names: str = "EF") -> int:
    """How many attempts at messages of these names were at work on an instance at a time."""
    taken = run.attempts[run.attempts["name"].isin(list(names))]
    begins = taken.loc[taken["instance"] == instance, "started_at"].tolist()
    return max(sum(begin <= other < begin + 1.0 for other in begins) for begin in begins)


@pytest.mark.parametrize("prefetch", [1, 2, 3])
def test_what_an_instance_holds_is_counted_for_all_names_together(prefetch: int) -> None:
    """Three messages of each of two names, two instances with workers for all: the limit is one."""
    limited = two_names(policy(prefetch), policy(prefetch), instances=2, workers=6)
    run = simulate(limited)
    assert [most_at_once(run, instance) for instance in (0, 1)] == [prefetch, prefetch]


def test_of_two_limits_each_holds_for_its_own_messages() -> None:
    """E is pushed where nothing is held, F where fewer than three are.

    The second E has come before any F and does not keep them; it begins when all three are done.
    """
    run = simulate(two_names(policy(1), policy(3), workers=6))
    begun = sorted(rows(run.attempts, "started_at", "name"))
    assert begun == [(0.0, "E"), (0.0, "F"), (0.0, "F"), (1.0, "F"), (2.0, "E"), (3.0, "E")]


def test_what_is_taken_from_the_broker_does_not_count() -> None:
    """F has no limit: its three are at work beside the one E that is held."""
    run = simulate(two_names(policy(1), DeliveryPolicy(), workers=6))
    assert most_at_once(run, 0, "E") == 1
    assert most_at_once(run, 0, "F") == 3


# -- crashes ---------------------------------------------------------------------------------


def test_a_crash_returns_all_that_the_instance_held_to_the_front() -> None:
    """Three each; instance 0 dies at 0.5 with 0 at work, 2 and 4 held; 6 and 7 had no place yet.

    Instance 1 finishes its own three, then come those of the dead, then the others.
    """
    run = simulate(world([0] * 8, takes(1.0), policy(3), instances=2, faults=dies(0.5)))
    order = [1, 3, 5, 0, 2, 4, 6, 7]
    assert who_did_what(run) == [
        (0, 0, 0.0),
        *((1, n, float(moment)) for moment, n in enumerate(order)),
    ]
    assert run.deliveries["attempts"].tolist() == [2] + [1] * 7


def test_what_comes_back_unbegun_leaves_a_trace() -> None:
    """Instance 0 dies at 0.5 with 0 at work and 2 and 4 held: both are said to be returned.

    Their one attempt shows that it was redelivered, as the second attempt at 0 does.
    """
    late = world([0] * 6, takes(1.0), policy(3), instances=2, faults=[AFTERWARDS, *dies(0.5)])
    run = simulate(late)
    returned = run.incidents[run.incidents["what"] == "returned"]
    assert rows(returned, "request", "attempt", "fault", "at") == [(2, 1, 1, 0.5), (4, 1, 1, 0.5)]
    assert rows(run.attempts, "request", "attempt", "redelivered") == [
        *((n, 1, int(n in (2, 4))) for n in range(6)),
        (0, 2, 1),
    ]
    assert set(returned["service"]) == {"worker"}


def one_of_two_is_not_wanted(of: DeliveryPolicy) -> Scenario:
    """Two instances, one from 4 s on; the second is at work until 9 and holds message 3."""
    scaled = Service(
        "worker",
        instances=2,
        autoscale=Autoscale(most=2, target=100.0, by="backlog", every=4.0),
        on={"Placed": Handler([takes([1.0, 9.0, 9.0, 1.0])], delivery=of)},
    )
    return world([0] * 4, takes(1.0)).replace(services=[scaled])


def test_what_an_unwanted_instance_held_comes_back_by_no_fault() -> None:
    """At 4 the second instance gives back what it holds."""
    run = simulate(one_of_two_is_not_wanted(policy(2)))
    returned = run.incidents[run.incidents["what"] == "returned"]
    assert rows(returned, "request", "fault", "at") == [(3, -1, 4.0)]
    assert run.attempts.set_index("request")["redelivered"].tolist() == [0, 0, 0, 1]


def test_what_was_only_held_counts_as_crashed_where_crashes_count() -> None:
    """One try each; instance 0 dies with 0 at work and 2 held: both are given up at once.

    Until somebody has held it, a message has lost nothing: 4 and 5 are handled.
    """
    policy_ = policy(2, retry=retry(1), counts_crashes=True)
    run = simulate(world([0] * 6, takes(1.0), policy_, instances=2, faults=dies(0.5)))
    assert ends(run) == [
        ("dead_lettered", 0.5, 1),
        ("handled", 1.0, 1),
        ("dead_lettered", 0.5, 0),
        ("handled", 2.0, 1),
        ("handled", 3.0, 1),
        ("handled", 4.0, 1),
    ]
    (held,) = run.attempts[run.attempts["request"] == 2].itertuples()
    assert (held.outcome, held.ended_at, held.instance) == ("withdrawn", 0.5, -1)


def test_what_an_unwanted_instance_gives_back_has_not_crashed() -> None:
    """Whatever crashes count: nobody has died."""
    policy_ = policy(2, retry=retry(1), counts_crashes=True)
    run = simulate(one_of_two_is_not_wanted(policy_))
    assert {outcome for outcome, _, _ in ends(run)} == {"handled"}


def test_a_redriven_message_is_not_redelivered() -> None:
    """It is published anew: 0 fails twice and is given up, and its third attempt is a first."""
    seed = seed_where({0: [True, True, False]}, requests=1)
    limited = policy(1, retry=retry(2))
    redrives = [Redrive("worker", at=10.0)]
    run = simulate(world([0], takes(1.0, transient=HALF), limited, redrives=redrives), seed)
    assert run.attempts["redelivered"].tolist() == [0, 1, 0]


def test_what_was_at_work_returns_before_what_was_held() -> None:
    """The survivor has room for both at once: 0, which had begun, is still before 2."""
    run = simulate(world([0, 0, 0], takes(1.0), policy(3), instances=2, faults=dies(0.5)))
    assert who_did_what(run) == [(0, 0, 0.0), (1, 1, 0.0), (1, 0, 1.0), (1, 2, 2.0)]


def test_what_was_at_work_returns_in_its_order() -> None:
    """Two workers each: 0 and 2 die together, and 0 gets the one place that is left, at once."""
    scenario = world([0, 0, 0], takes(1.0), policy(2), instances=2, workers=2, faults=dies(0.5))
    run = simulate(scenario)
    assert who_did_what(run) == [
        (0, 0, 0.0),
        (0, 2, 0.0),
        (1, 1, 0.0),
        (1, 0, 0.5),
        (1, 2, 1.0),
    ]


@pytest.mark.parametrize("requeue", ["tail", "head"])
def test_what_was_at_work_returns_before_all_that_was_held(requeue: Any) -> None:
    """Two workers each: 0 and 2 die at work, 4 in the hands of the dead; there is room for two.

    What was held has none before all that was at work has come back: 0, 2, and then 4.
    """
    scenario = world(
        [0] * 5, takes(1.0), policy(4, requeue=requeue), instances=2, workers=2, faults=dies(0.5)
    )
    survivor = [row for row in who_did_what(simulate(scenario)) if row[0] == 1]
    assert survivor == [(1, 1, 0.0), (1, 3, 0.0), (1, 0, 1.0), (1, 2, 1.0), (1, 4, 2.0)]


@pytest.mark.parametrize("requeue", ["tail", "head"])
def test_what_several_dead_instances_held_returns_in_its_order(requeue: Any) -> None:
    """Three each; both die at 0.5 and are back at 1: the six are pushed as they were published.

    Instance 0 is asked first and takes its three.
    """
    faults = [Outage("worker", at=0.5, lasts=0.5)]
    scenario = world([0] * 6, takes(1.0), policy(3, requeue=requeue), instances=2, faults=faults)
    after = [row for row in who_did_what(simulate(scenario)) if row[2] >= 1.0]
    assert sorted(after) == [(n // 3, n, 1.0 + n % 3) for n in range(6)]


def test_an_instance_that_is_back_takes_its_share() -> None:
    """Instance 0 is down from 0.5 to 1.5; from then on there are two again."""
    run = simulate(world([0] * 6, takes(1.0), policy(1), instances=2, faults=dies(0.5, 1.0)))
    assert who_did_what(run) == [
        (0, 0, 0.0),
        (1, 1, 0.0),
        (1, 0, 1.0),
        (0, 2, 1.5),
        (1, 3, 2.0),
        (0, 4, 2.5),
        (1, 5, 3.0),
    ]


# -- acknowledgement timeouts ------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("prefetch", [1, 2])
def test_a_late_acknowledgement_withdraws_what_is_held(workers: int, prefetch: int) -> None:
    """Work of 3 s, timeout of 2 s: the copy of 2 s is handled only by a second, free worker.

    It needs a place as well; otherwise it is withdrawn at 3, be it held or with the broker,
    and the next message starts then.
    """
    limited = policy(prefetch, ack_timeout=2.0, retry=retry())
    run = simulate(world([0, 2.5], takes([3.0, 1.0]), limited, workers=workers))
    if (workers, prefetch) == (2, 2):
        assert handling(run) == [(0, 0.0), (0, 2.0), (1, 3.0)]
        assert ends(run) == [("handled", 3.0, 2), ("handled", 4.0, 1)]
        assert len(run.effects) == 3
    else:
        assert handling(run) == [(0, 0.0), (1, 3.0)]
        assert ends(run) == [("handled", 3.0, 1), ("handled", 4.0, 1)]
        assert rows(run.attempts, "queued_at", "ended_at", "outcome")[1] == (2.0, 3.0, "withdrawn")


# -- the same as without -------------------------------------------------------------------------

requeues = st.sampled_from(["head", "tail"])
RETRY = Retry(max_attempts=3, backoff=Backoff(0.25, jitter="full"))


def anywhere(run: Run) -> Any:
    """The attempts, without who did them."""
    return run.attempts.drop(columns=WHERE)


@given(st.integers(0, 2**32), st.integers(1, 4), requeues)
@settings(max_examples=40)
def test_a_prefetch_of_one_is_a_worker_that_takes_the_next(
    seed: int, instances: int, requeue: Any
) -> None:
    """With one worker an instance, nothing is held ahead of it: all but the names are the same."""
    work = Work(Exponential(0.1), "work", transient=0.2)
    others: dict[str, Any] = {"retry": RETRY, "requeue": requeue}
    one, none = (
        simulate(world(Poisson(20), work, each, instances=instances, duration=3.0), seed)
        for each in (policy(1, **others), DeliveryPolicy(**others))
    )
    assert one.deliveries.equals(none.deliveries)
    assert one.effects.equals(none.effects)
    assert anywhere(one).equals(anywhere(none))


@given(st.integers(0, 2**32), st.integers(1, 3), st.booleans())
@settings(max_examples=40)
def test_one_instance_with_room_for_all_is_as_if_it_had_no_prefetch(
    seed: int, workers: int, crashes: bool
) -> None:
    """Nobody else could have handled what it holds: every table is the same, crashes included.

    At the tail, that is: a head that the broker puts first comes after all that is held. And but
    for what dead instances give back, which they do not hold without.
    """
    work = Work(Exponential(0.1), "work", transient=0.2)
    others: dict[str, Any] = {"retry": RETRY}
    faults = [Outage("worker", mtbf=0.5, mttr=0.2)] if crashes else []
    all_, none = (
        simulate(world(Poisson(20), work, each, workers=workers, duration=3.0, faults=faults), seed)
        for each in (policy(1000, **others), DeliveryPolicy(**others))
    )
    others_too = [row for row in rows(all_.incidents, *none.incidents) if "returned" not in row]
    assert others_too == rows(none.incidents, *none.incidents)
    assert same_tables(all_, none, but=["redelivered"], without=["incidents"])


@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 2))
@settings(max_examples=40)
def test_on_one_instance_the_prefetch_count_is_the_number_of_workers_that_count(
    seed: int, prefetch: int, more: int
) -> None:
    """More workers than the prefetch count change nothing."""
    work = Work(Exponential(0.1), "work", transient=0.2)
    limited = world(
        Poisson(20), work, policy(prefetch, retry=RETRY), workers=prefetch + more, duration=3.0
    )
    plain = world(Poisson(20), work, DeliveryPolicy(retry=RETRY), workers=prefetch, duration=3.0)
    one, other = simulate(limited, seed), simulate(plain, seed)
    assert one.deliveries.equals(other.deliveries)
    assert anywhere(one).equals(anywhere(other))


def test_prefetch_makes_the_slowest_wait_longer() -> None:
    """The price as a number: with the same luck, the 99th percentile of the lag goes up.

    Both handle the same messages with the same work; holding them ahead can only put work
    where it waits, and for 4 instances at 80 % load it does so for thousands of messages.
    """
    scenario = world(Poisson(32), Work(Exponential(0.1), "work"), instances=4, duration=200.0)
    lags = []
    for prefetch in (1, 20):
        changed = scenario.replace("worker.on.Placed.delivery", policy(prefetch))
        deliveries = simulate(changed, seed=2).deliveries
        lags.append(np.quantile(deliveries["ended_at"] - deliveries["published_at"], 0.99))
    assert lags[1] > 1.5 * lags[0]
