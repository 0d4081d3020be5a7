"""At most once, at least once, effectively once: what each promises, and what it costs.

Work takes a second and the broker's answer to an acknowledgement another, where that
matters. So an attempt has two parts: before its effect, and between the effect and the
moment at which the broker knows of it. What a crash does depends on the part it hits.
"""

from typing import Any

import numpy as np
import pytest

from eda_sim import (
    Backoff,
    BrokerOutage,
    Call,
    Constant,
    Exponential,
    Handler,
    NetworkPartition,
    Outage,
    Poisson,
    Redrive,
    Retry,
    Send,
    Service,
    Slowdown,
    Work,
    simulate,
)
from eda_sim.scenario.delivery import Deduplication, DeliveryPolicy
from eda_sim.scenario.faults import BROKER, Fault
from eda_sim.units import ms
from tests.brokered import (
    HALF,
    effects,
    ends,
    handling,
    retry,
    rows,
    same_tables,
    seed_where,
    takes,
    world,
)

AT_MOST_ONCE = DeliveryPolicy(guarantee="at_most_once")
AT_LEAST_ONCE = DeliveryPolicy()
EFFECTIVELY_ONCE = DeliveryPolicy(idempotent=True)
ACKNOWLEDGED_IN_A_SECOND = {"turnaround": Constant(1.0)}

# When a crash comes, in quarters: before, at and after each of the attempt's turning points.
CRASHES = [0.25, 0.75, 1.0, 1.25, 1.75, 2.0, 2.25]


def crash(at: float, lasts: float = 0.5) -> list[Outage]:
    """The subscriber is down for a while, all of it."""
    return [Outage("worker", at=at, lasts=lasts)]


# -- at most once ------------------------------------------------------------------------


def test_at_most_once_a_crash_loses_what_was_in_progress_and_nothing_else() -> None:
    """Acknowledged before handling, so nobody knows that it was not done; the next one waits."""
    run = simulate(world([0, 0.25], takes(1.0), AT_MOST_ONCE, faults=crash(0.5)))
    assert ends(run) == [("lost", 0.5, 1), ("handled", 2.0, 1)]
    assert effects(run) == [(1, 2.0)]
    assert run.ledger()["verdict"].tolist() == ["lost", "consistent"]


def test_at_most_once_a_failure_is_the_end() -> None:
    """Neither a retry policy nor a dead-letter queue sees what was acknowledged before."""
    policy = DeliveryPolicy(guarantee="at_most_once", retry=retry(5), dead_letter=True)
    run = simulate(world([0], takes(1.0, transient=1.0), policy))
    assert ends(run) == [("lost", 1.0, 1)]
    assert len(run.attempts) == 1
    assert len(run.effects) == 0


def test_at_most_once_keeps_what_was_done_before_the_crash() -> None:
    """A crash between two pieces of work leaves the request half done, for ever."""
    steps = [takes(1.0, "charge"), takes(1.0, "ship")]
    run = simulate(world([0], steps, AT_MOST_ONCE, faults=crash(1.5)))
    assert rows(run.effects, "label", "at") == [("charge", 1.0)]
    assert ends(run) == [("lost", 1.5, 1)]
    assert run.ledger()["verdict"].tolist() == ["half_done"]


def test_at_most_once_a_worker_need_not_wait_for_the_broker() -> None:
    """The acknowledgement came before the work, so the next message starts right after it."""
    acknowledged_before = world([0, 0], takes(1.0), AT_MOST_ONCE, broker=ACKNOWLEDGED_IN_A_SECOND)
    acknowledged_after = acknowledged_before.replace("worker.on.Placed.delivery", AT_LEAST_ONCE)
    assert handling(simulate(acknowledged_before)) == [(0, 0.0), (1, 1.0)]
    assert handling(simulate(acknowledged_after)) == [(0, 0.0), (1, 2.0)]


# -- at least once -----------------------------------------------------------------------


@pytest.mark.parametrize("at", CRASHES)
def test_at_least_once_doubles_what_a_crash_finds_done_and_not_acknowledged(at: float) -> None:
    """Done at 1, acknowledged at 2: from 1 on, and before 2, a crash makes the effect come twice.

    At 1 itself the work ends first; at 2 itself the acknowledgement comes first.
    """
    scenario = world([0], takes(1.0), broker=ACKNOWLEDGED_IN_A_SECOND, faults=crash(at))
    run = simulate(scenario)
    back = at + 0.5
    if at < 1:
        assert effects(run) == [(0, back + 1)]
        assert ends(run) == [("handled", back + 1, 2)]
    elif at < 2:
        assert effects(run) == [(0, 1.0), (0, back + 1)]
        assert ends(run) == [("handled", back + 1, 2)]
        assert run.ledger()["verdict"].tolist() == ["duplicated"]
    else:
        assert effects(run) == [(0, 1.0)]
        assert ends(run) == [("handled", 1.0, 1)]


def test_at_least_once_repeats_all_the_steps_of_a_crashed_attempt() -> None:
    """A crash between two pieces of work: the first is done again with the second."""
    steps = [takes(1.0, "charge"), takes(1.0, "ship")]
    run = simulate(world([0], steps, faults=crash(1.5)))
    assert rows(run.effects, "label", "at") == [("charge", 1.0), ("charge", 3.0), ("ship", 4.0)]
    assert rows(run.ledger(), "repeated", "verdict") == [(1, "duplicated")]


def test_at_least_once_a_failed_attempt_repeats_what_it_had_done() -> None:
    """A retry is a duplicate too, of all that came before the failure."""
    steps = [takes(1.0, "charge"), takes(1.0, "work", transient=HALF)]
    seed = seed_where({0: [True, False]}, requests=1)
    run = simulate(world([0], steps, DeliveryPolicy(retry=retry(wait=1.0))), seed)
    assert rows(run.effects, "label", "at") == [("charge", 1.0), ("charge", 4.0), ("work", 5.0)]


def test_at_least_once_survives_crash_after_crash() -> None:
    """Crashes do not count as failures: not the tenth either, of a message with one attempt."""
    faults = [Outage("worker", at=n + 0.5, lasts=0.25) for n in range(10)]
    run = simulate(world([0], takes(1.0), DeliveryPolicy(retry=retry(1)), faults=faults))
    assert ends(run) == [("handled", 10.75, 11)]
    assert effects(run) == [(0, 10.75)]


@pytest.mark.parametrize(("dead_letter", "end"), [(True, "dead_lettered"), (False, "lost")])
def test_what_at_least_once_gives_up(dead_letter: bool, end: str) -> None:
    """Only retries that run out end a delivery unhandled, and only without a DLQ is it lost."""
    policy = DeliveryPolicy(retry=retry(3, wait=1.0), dead_letter=dead_letter)
    run = simulate(world([0], takes(1.0, transient=1.0), policy))
    assert ends(run) == [(end, 5.0, 3)]


# -- effectively once --------------------------------------------------------------------


@pytest.mark.parametrize("at", CRASHES)
def test_an_idempotent_handler_has_each_effect_once_whenever_it_crashes(at: float) -> None:
    """What was done before the crash is known, and takes no time the second time."""
    scenario = world(
        [0], takes(1.0), EFFECTIVELY_ONCE, broker=ACKNOWLEDGED_IN_A_SECOND, faults=crash(at)
    )
    run = simulate(scenario)
    back = at + 0.5
    done = back + 1 if at < 1 else 1.0
    assert effects(run) == [(0, done)]
    handled = back if 1 <= at < 2 else done
    assert [(outcome, end) for outcome, end, _ in ends(run)] == [("handled", handled)]
    assert run.ledger()["verdict"].tolist() == ["consistent"]


def test_an_idempotent_handler_resumes_in_the_middle() -> None:
    """A crash between two pieces of work: the first is known, only the second is done."""
    steps = [takes(1.0, "charge"), takes(1.0, "ship")]
    run = simulate(world([0], steps, EFFECTIVELY_ONCE, faults=crash(1.5)))
    assert rows(run.effects, "label", "at") == [("charge", 1.0), ("ship", 3.0)]


def test_an_idempotent_handler_does_failed_work_again() -> None:
    """What failed is not remembered as done; what came before it is."""
    steps = [takes(1.0, "charge"), takes(1.0, "work", transient=HALF)]
    seed = seed_where({0: [True, True, False]}, requests=1)
    run = simulate(world([0], steps, DeliveryPolicy(retry=retry(), idempotent=True)), seed)
    assert rows(run.effects, "label", "at") == [("charge", 1.0), ("work", 4.0)]


@pytest.mark.parametrize("step", [Send("Ship"), Call("Ship")])
def test_an_idempotent_handler_asks_others_once(step: Send | Call) -> None:
    """A message that was made, or a call that was answered, is not made again."""
    shipping = Service("shipping", on={"Ship": [takes(0.0, "ship")]})
    steps = [step, takes(1.0, "note")]
    asked = {}
    for policy in (AT_LEAST_ONCE, EFFECTIVELY_ONCE):
        run = simulate(world([0], steps, policy, services=[shipping], faults=crash(0.5)))
        asked[policy.idempotent] = int((run.messages["name"] == "Ship").sum())
    assert asked == {False: 2, True: 1}


def test_each_subscriber_remembers_for_itself() -> None:
    """What another subscriber has handled meanwhile pushes nothing out of this one's memory.

    The other has done message 1 by 1.5, when the crash hits the acknowledgement of message 0:
    its subscriber, which remembers one message, still knows it at 2.
    """
    policy = DeliveryPolicy(idempotent=Deduplication(size=1))
    other = Service("other", on={"Placed": Handler([takes(0.25)], delivery=policy)})
    scenario = world(
        [0, 1.25],
        takes(1.0),
        policy,
        services=[other],
        broker=ACKNOWLEDGED_IN_A_SECOND,
        faults=crash(1.5),
    )
    assert rows(simulate(scenario).effects, "service", "request", "at") == [
        ("other", 0, 0.25),
        ("worker", 0, 1.0),
        ("other", 1, 1.5),
        ("worker", 1, 4.0),
    ]


def test_each_message_is_remembered_for_itself() -> None:
    """Two messages about one thing are two: deduplication goes by the message's id."""
    run = simulate(world([0, 0], takes(1.0), EFFECTIVELY_ONCE))
    assert effects(run) == [(0, 1.0), (1, 2.0)]


@pytest.mark.parametrize(("lasts", "again"), [(1.0, False), (1.5, True), (2.0, True)])
def test_a_duplicate_that_comes_after_the_window_is_done_again(lasts: float, again: bool) -> None:
    """Done at 1, down from 1.5 on, remembered for less than 2 seconds: known until 3."""
    policy = DeliveryPolicy(idempotent=Deduplication(window=2.0))
    broker, faults = ACKNOWLEDGED_IN_A_SECOND, crash(1.5, lasts)
    run = simulate(world([0], takes(1.0), policy, broker=broker, faults=faults))
    assert effects(run) == [(0, 1.0), *([(0, 1.5 + lasts + 1)] if again else [])]


@pytest.mark.parametrize(("size", "again"), [(1, True), (2, False)])
def test_a_duplicate_of_a_message_that_others_have_pushed_out_is_done_again(
    size: int, again: bool
) -> None:
    """Two messages are done at 1; one crashes then, and comes back at 2, when the other is through.

    Of the latest one handled it is not, of the latest two it is.
    """
    policy = DeliveryPolicy(idempotent=Deduplication(size=size))
    faults = [Outage("worker", at=1.5, lasts=10, instances=1)]
    scenario = world(
        [0, 0], takes(1.0), policy, instances=2, broker=ACKNOWLEDGED_IN_A_SECOND, faults=faults
    )
    run = simulate(scenario)
    assert effects(run) == [(0, 1.0), (1, 1.0), *([(0, 3.0)] if again else [])]
    assert ends(run) == [("handled", 3.0 if again else 2.0, 2), ("handled", 1.0, 1)]


# -- acknowledgement timeout ---------------------------------------------------------------


def visible_after(seconds: float, max_attempts: int = 10, **policy: object) -> DeliveryPolicy:
    """Not acknowledged within this time: again."""
    return DeliveryPolicy(ack_timeout=seconds, retry=retry(max_attempts), **policy)  # type: ignore[arg-type]


def test_duplicates_of_an_acknowledgement_timeout_come_as_often_as_work_takes_longer() -> None:
    """Exponential work of mean S with timeout V: a message comes twice with chance exp(-V/S).

    And three times if the first takes 2 V and the second V: exp(-3 V/S). 60 ms and 15 ms;
    60,000 messages whose workers never keep each other waiting, so they are independent, and
    four standard deviations of a binomial fraction are the tolerance.
    """
    n, patience, mean = 60_000, 60 * ms, 15 * ms
    scenario = world(
        Poisson(100),
        Work(Exponential(mean), "work"),
        visible_after(patience),
        workers=40,
        duration=n / 100,
    )
    run = simulate(scenario, seed=3)
    attempts = run.deliveries["attempts"].to_numpy()
    assert (run.attempts["started_at"] == run.attempts["queued_at"]).all()  # nobody waited
    for least, chance in ((2, np.exp(-patience / mean)), (3, np.exp(-3 * patience / mean))):
        tolerance = 4 * np.sqrt(chance * (1 - chance) / len(attempts))
        assert abs((attempts >= least).mean() - chance) < tolerance
    # Whoever began also came to an end: each attempt but the first is one duplicate effect.
    assert len(run.effects) == attempts.sum()
    assert (run.deliveries["outcome"] == "handled").all()


def test_a_timeout_brings_a_message_again_while_its_first_worker_is_busy() -> None:
    """Work of 3 s, a timeout of 2 s, two workers: the second starts at 2, the first ends at 3."""
    run = simulate(world([0], takes(3.0), visible_after(2.0), workers=2))
    assert rows(run.attempts, "worker", "queued_at", "started_at", "ended_at", "outcome") == [
        (0, 0.0, 0.0, 3.0, "ok"),
        (1, 2.0, 2.0, 5.0, "ok"),
    ]
    assert effects(run) == [(0, 3.0), (0, 5.0)]
    assert ends(run) == [("handled", 3.0, 2)]


def test_idempotent_handlers_side_by_side_have_one_effect() -> None:
    """The same with an idempotent handler: the second works too, and finds it done."""
    run = simulate(world([0], takes(3.0), visible_after(2.0, idempotent=True), workers=2))
    assert effects(run) == [(0, 3.0)]
    assert run.attempts["ended_at"].tolist() == [3.0, 5.0]


def test_a_late_acknowledgement_withdraws_what_still_waits() -> None:
    """One worker only: at 3 it acknowledges, so the copy queued at 2 is not handled any more."""
    run = simulate(world([0, 0.5], takes(3.0), visible_after(2.0)))
    assert rows(run.attempts, "request", "queued_at", "started_at", "ended_at", "outcome") == [
        (0, 0.0, 0.0, 3.0, "ok"),
        (1, 0.5, 3.0, 6.0, "ok"),
        (0, 2.0, None, 3.0, "withdrawn"),
        (1, 5.0, None, 6.0, "withdrawn"),
    ]
    assert ends(run) == [("handled", 3.0, 1), ("handled", 6.0, 1)]
    assert len(run.effects) == 2


def test_a_redelivery_goes_before_those_that_came_later() -> None:
    """Of two free workers' worth of messages, the one that timed out is the oldest."""
    run = simulate(world([0, 0.5, 0.75], takes([4.0, 2.0, 1.0]), visible_after(2.25), workers=2))
    # Message 0 times out at 2.25; at 2.5 the second worker has done message 1 and takes what is
    # first: message 2, if it had not started; the copy of 0, as 0 came before 2.
    assert handling(run)[:3] == [(0, 0.0), (1, 0.5), (0, 2.5)]


def test_with_an_acknowledgement_timeout_a_crash_is_learnt_by_it_alone() -> None:
    """Down from 0.5 to 1: without a timeout it is handled at 1, with one of 4 s not before 4."""
    seen = simulate(world([0], takes(1.0), faults=crash(0.5)))
    unseen = simulate(world([0], takes(1.0), visible_after(4.0), faults=crash(0.5)))
    assert handling(seen) == [(0, 0.0), (0, 1.0)]
    assert handling(unseen) == [(0, 0.0), (0, 4.0)]
    assert ends(unseen) == [("handled", 5.0, 2)]


def test_redeliveries_count_as_attempts() -> None:
    """Three attempts at 0, 1 and 2, none acknowledged by 3: a dead letter, and yet three effects.

    The workers do not know that they were given up.
    """
    run = simulate(world([0], takes(10.0), visible_after(1.0, max_attempts=3), workers=5))
    assert ends(run) == [("dead_lettered", 3.0, 3)]
    assert effects(run) == [(0, 10.0), (0, 11.0), (0, 12.0)]
    assert run.ledger()["verdict"].tolist() == ["duplicated"]


# For one second work takes four times as long: an attempt that starts then is overtaken.
SLOW_AT_FIRST = [Slowdown("worker", 4.0, at=0.0, lasts=1.0)]


def test_a_late_acknowledgement_ends_a_backoff() -> None:
    """The second attempt (2 to 3) fails and would be tried again at 8; the first is done at 4."""
    policy = DeliveryPolicy(ack_timeout=2.0, retry=retry(wait=5.0))
    seed = seed_where({0: [False, True]}, requests=1)
    steps = takes(1.0, transient=HALF)
    run = simulate(world([0], steps, policy, workers=2, faults=SLOW_AT_FIRST), seed)
    assert rows(run.attempts, "started_at", "ended_at", "outcome") == [
        (0.0, 4.0, "ok"),
        (2.0, 3.0, "failed"),
    ]
    assert ends(run) == [("handled", 4.0, 2)]


def test_a_failure_of_an_attempt_that_timed_out_is_nobodys_business() -> None:
    """The first attempt fails at 4, but the broker has long ceased to ask: nothing is due at 4.25.

    The second one counts, which is at work from 3.5 to 4.5.
    """
    policy = DeliveryPolicy(ack_timeout=3.5, retry=retry(wait=0.25))
    seed = seed_where({0: [True, False]}, requests=1)
    steps = takes(1.0, transient=HALF)
    run = simulate(world([0], steps, policy, workers=3, faults=SLOW_AT_FIRST), seed)
    assert rows(run.attempts, "started_at", "ended_at", "outcome") == [
        (0.0, 4.0, "failed"),
        (3.5, 4.5, "ok"),
    ]
    assert ends(run) == [("handled", 4.5, 2)]


@pytest.mark.parametrize(("timeout", "attempts"), [(1.5, 2), (1.75, 2), (2.0, 1), (2.25, 1)])
def test_work_that_is_done_but_not_acknowledged_in_time_is_done_again(
    timeout: float, attempts: int
) -> None:
    """Done at 1, acknowledged at 2: a shorter timeout doubles it; at 2 itself it is in time."""
    broker = ACKNOWLEDGED_IN_A_SECOND
    run = simulate(world([0], takes(1.0), visible_after(timeout), workers=2, broker=broker))
    assert len(run.effects) == attempts
    assert ends(run) == [("handled", 1.0, attempts)]


# -- requeue -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requeue", "wait", "order"),
    [
        ("tail", 0.5, [(0, 0.0), (1, 1.0), (2, 2.0), (0, 3.0)]),
        ("head", 0.5, [(0, 0.0), (1, 1.0), (0, 2.0), (2, 3.0)]),
        ("tail", 0.0, [(0, 0.0), (1, 1.0), (2, 2.0), (0, 3.0)]),
        ("head", 0.0, [(0, 0.0), (0, 1.0), (1, 2.0), (2, 3.0)]),
    ],
)
def test_a_failed_message_rejoins_its_queue_at_the_end_that_the_policy_says(
    requeue: str, wait: float, order: list[tuple[int, float]]
) -> None:
    """Three messages at once, a second each; the first fails once and is due again after a wait."""
    policy = DeliveryPolicy(retry=retry(wait=wait), requeue=requeue)  # type: ignore[arg-type]
    seed = seed_where({0: [True, False]}, requests=3)
    assert handling(simulate(world([0, 0, 0], takes(1.0, transient=HALF), policy), seed)) == order


@pytest.mark.parametrize("prefetch", [None, 3])
@pytest.mark.parametrize("faults", [[], [BrokerOutage(at=1.25, lasts=0.5)]])
def test_several_that_come_back_to_the_head_keep_their_order(
    prefetch: int | None, faults: list[Fault]
) -> None:
    """0, 1 and 2 fail at 1 and are due at 1.5; workers are free for them at 2, 3 and 4, before 6.

    Pushed or not, and also if the broker is unreachable just then and they are held back.
    """
    work = takes([1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 1.0], transient=HALF)
    policy = DeliveryPolicy(retry=retry(wait=0.5), requeue="head", prefetch=prefetch)
    seed = seed_where({n: [True, False] for n in (0, 1, 2)}, requests=7)
    run = simulate(world([0] * 7, work, policy, workers=3, faults=faults), seed)
    assert handling(run)[6:] == [(0, 2.0), (1, 3.0), (2, 3.0), (6, 4.0)]


def test_what_nobody_has_answered_comes_back_behind_what_came_back_before() -> None:
    """0 fails at 1 and is back at 1.5; 1, which was at work before, dies at 2: 0 still goes first.

    With the tail, 0 goes behind 2 and 3, and 1 to the place that it had, in front of them.
    """
    seed = seed_where({0: [True, False]}, requests=4)
    orders = {"head": [0, 1, 2, 3], "tail": [1, 2, 3, 0]}
    for requeue, order in orders.items():
        policy = DeliveryPolicy(retry=retry(wait=0.5), requeue=requeue)  # type: ignore[arg-type]
        faults = [Outage("worker", at=2.0, lasts=1.0)]
        work = takes([1.0, 4.0, 4.0, 4.0], transient=HALF)
        run = simulate(world([0, 1.0, 1.25, 1.25], work, policy, faults=faults), seed)
        assert [n for n, at in handling(run) if at >= 3.0] == order


def test_a_crash_puts_a_message_back_where_it_was() -> None:
    """At the tail or not, what was in progress is the first to be handled after the crash."""
    run = simulate(world([0, 0, 0], takes(1.0), AT_LEAST_ONCE, faults=crash(1.5)))
    assert handling(run) == [(0, 0.0), (1, 1.0), (1, 2.0), (2, 3.0)]


def test_crashes_one_after_the_other_keep_the_order_of_the_queue() -> None:
    """The first copy dies twice, the second with it the second time: 0 still goes before 1.

    The copy that is asked first has the number 0.
    """
    faults = [
        Outage("worker", at=0.5, lasts=0.125, instances=1),
        Outage("worker", at=0.75, lasts=0.25),
    ]
    run = simulate(world([0, 0, 0], takes(1.0), AT_LEAST_ONCE, instances=2, faults=faults))
    after = run.attempts[run.attempts["started_at"] >= 1.0]
    assert sorted(rows(after, "request", "instance", "started_at")) == [
        (0, 0, 1.0),
        (1, 1, 1.0),
        (2, 0, 2.0),
    ]


# -- what a crash counts ---------------------------------------------------------------------


def crashing(**others: Any) -> DeliveryPolicy:
    """Two tries, a second apart at first and then longer."""
    return DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0, factor=4.0)), **others)


@pytest.mark.parametrize(
    ("counts", "end"),
    [(False, ("handled", 4.0, 3)), (True, ("dead_lettered", 2.0, 2))],
)
def test_a_crash_uses_up_a_try_where_the_policy_says_so(
    counts: bool, end: tuple[str, float, int]
) -> None:
    """Dead at 0.5, begun again at 1, failed at 2: the first failure of all, or the last of two.

    As the first it waits for a second, not for four.
    """
    seed = seed_where({0: [False, True, False]}, requests=1)
    work, policy = takes(1.0, transient=HALF), crashing(counts_crashes=counts)
    faults = [Outage("worker", at=0.5, lasts=0.5)]
    assert ends(simulate(world([0], work, policy, faults=faults), seed)) == [end]


@pytest.mark.parametrize("dead_letter", [True, False])
def test_a_crash_that_counts_can_end_a_delivery(dead_letter: bool) -> None:
    """Two tries, both die: given up with the second, and its place is another's."""
    policy = crashing(counts_crashes=True, dead_letter=dead_letter)
    faults = [Outage("worker", at=at, lasts=0.5) for at in (0.5, 1.5)]
    run = simulate(world([0, 0], takes(1.0), policy, faults=faults))
    given_up = "dead_lettered" if dead_letter else "lost"
    assert ends(run) == [(given_up, 1.5, 2), ("handled", 3.0, 1)]


def test_a_connection_that_breaks_counts_like_a_crash() -> None:
    """The work is done at 1 and cannot be acknowledged, twice: it is given up, with its effects."""
    policy = crashing(counts_crashes=True)
    faults = [NetworkPartition(["worker"], [BROKER], at=at, lasts=0.5) for at in (0.75, 2.0)]
    run = simulate(world([0], takes(1.0), policy, faults=faults))
    assert ends(run) == [("dead_lettered", 2.25, 2)]
    assert effects(run) == [(0, 1.0), (0, 2.25)]


@pytest.mark.parametrize("ordered", [False, True])
def test_a_redriven_message_has_all_its_tries_again(ordered: bool) -> None:
    """Two crashes and it is dead; redriven, it dies once more and is handled."""
    policy = crashing(counts_crashes=True, ordered=ordered)
    faults = [Outage("worker", at=at, lasts=0.5) for at in (0.5, 1.5, 10.5)]
    settings = {"redrives": [Redrive("worker", at=10.0)], "broker": {"rebalance": 0.0}}
    run = simulate(world([0], takes(1.0), policy, faults=faults, **settings))
    assert ends(run) == [("handled", 12.0, 4)]


# -- policies that are off -----------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [
        DeliveryPolicy(),
        DeliveryPolicy(idempotent=True),
        DeliveryPolicy(idempotent=Deduplication(window=0.25, size=1)),
        DeliveryPolicy(ack_timeout=1000.0),
        DeliveryPolicy(guarantee="at_most_once"),
        DeliveryPolicy(requeue="head"),
        DeliveryPolicy(dead_letter=False),
        DeliveryPolicy(retry=Retry(max_attempts=1, backoff=Backoff(7.0, jitter="full"))),
    ],
)
def test_a_policy_for_what_does_not_happen_changes_nothing(policy: DeliveryPolicy) -> None:
    """Without failures and crashes every guarantee gives the same tables as no policy at all.

    Only when the broker has heard of it differs: at most once, that is before the work.
    """
    work = Work(Exponential(0.1), "work")
    plain = world(Poisson(20), work, instances=2, duration=20.0)
    run = simulate(plain.replace("worker.on.Placed.delivery", policy), seed=5)
    assert len(run.effects) > 300
    heard_later = ["heard_at"] if policy.guarantee == "at_most_once" else []
    assert same_tables(run, simulate(plain, seed=5), but=heard_later)
