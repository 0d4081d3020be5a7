"""Deliveries: queues, acknowledgements, backoff and dead letters, in worlds computed by hand."""

import pytest
from scipy import stats

from eda_sim import (
    Backoff,
    Broker,
    Call,
    Constant,
    DeliveryPolicy,
    Outage,
    Publish,
    Redrive,
    Retry,
    Run,
    Send,
    Service,
    Trace,
    Traffic,
    simulate,
)
from tests.worlds import answers, beside, done, handled, rows, takes, tried, world


def heard(policy: DeliveryPolicy, **failures: float) -> Run:
    """One event, published to one subscriber, whose work of 1/4 s fails as said."""
    services = [Service("b", on={"E": handled(policy, takes(0.25, **failures))})]
    return simulate(world(Publish("E"), [0.0], services))


# -- one queue -------------------------------------------------------------------------


def test_publishers_go_on_and_subscribers_work_side_by_side() -> None:
    """The client is answered when the broker has accepted; each subscriber takes its own time."""
    services = [Service("a", on={"E": [takes(1)]}), Service("b", on={"E": [takes(2)]})]
    broker = Broker(publish=Constant(0.5), deliver=Constant(0.25))
    run = simulate(world(Publish("E"), [0, 1], services, broker=broker))
    assert answers(run) == [(0.5, "ok"), (1.5, "ok")]
    columns = ("request", "subscriber", "published_at", "available_at", "ended_at", "outcome")
    assert rows(run.deliveries, *columns) == [
        (0, "a", 0.0, 0.75, 1.75, "handled"),
        (0, "b", 0.0, 0.75, 2.75, "handled"),
        (1, "a", 1.0, 1.75, 2.75, "handled"),
        (1, "b", 1.0, 1.75, 4.75, "handled"),
    ]


def test_calls_and_deliveries_wait_in_one_queue() -> None:
    """First come, first served, whoever sent it."""
    services = [Service("a", on={"E": [takes(1, "event")], "M0": [takes(1, "call")]})]
    events = world(Publish("E"), [0.0, 0.5], services)
    run = simulate(beside(events, Traffic(Call("M0"), Trace([0.25, 0.75]), name="callers")))
    assert [(label, at) for _, label, at in done(run)] == [
        ("event", 1.0),
        ("call", 2.0),
        ("event", 3.0),
        ("call", 4.0),
    ]


def test_a_command_sent_is_handled_by_one_and_nobody_waits() -> None:
    """The sender's worker is free again at once; the command waits for its handler."""
    run = simulate(world(Call("M0"), [0, 0], {"a": [Send("M1"), takes(1)], "b": [takes(4, "c")]}))
    assert answers(run) == [(1.0, "ok"), (2.0, "ok")]
    assert rows(run.deliveries, "subscriber", "published_at", "ended_at") == [
        ("b", 0.0, 4.0),
        ("b", 1.0, 8.0),
    ]
    assert rows(run.messages, "name", "kind", "sender") == [
        ("M0", "command", "clients"),
        ("M1", "command", "a"),
        ("M0", "command", "clients"),
        ("M1", "command", "a"),
    ]


def test_the_longest_idle_worker_takes_what_comes() -> None:
    """Four workers of two copies take turns, copies first; the one free the longest is next."""
    services = [Service("a", instances=2, workers=2, on={"E": [takes(0.5)]})]
    run = simulate(world(Publish("E"), [0, 1, 2, 3, 4], services))
    taken = rows(run.attempts, "instance", "worker")
    assert taken == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 0)]


# -- acknowledgements ------------------------------------------------------------------


def test_a_worker_is_occupied_until_its_acknowledgement_is_back() -> None:
    """Handled at 1 s, acknowledged at 1.5 s; the next starts then, and is handled at 2.5 s."""
    broker = Broker(turnaround=Constant(0.5))
    services = [Service("b", on={"E": [takes(1)]})]
    run = simulate(world(Publish("E"), [0, 0], services, broker=broker))
    assert tried(run, "b") == [(0, 1, 0, 0, 1.5, "ok"), (1, 1, 0, 1.5, 3.0, "ok")]
    assert run.deliveries["ended_at"].tolist() == [1.0, 2.5]
    assert [at for *_, at in done(run)] == [1.0, 2.5]
    assert run.timeline("busy", "b").integral(0, 5) == 3.0


def test_a_negative_acknowledgement_takes_its_turnaround_too() -> None:
    """Fails at 1 s, known to the broker at 1.5 s, due again 1 s later."""
    broker = Broker(
        turnaround=Constant(0.5),
        delivery=DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0))),
    )
    services = [Service("b", on={"E": [takes(1, transient=1.0)]})]
    run = simulate(world(Publish("E"), [0], services, broker=broker))
    assert tried(run, "b") == [(0, 1, 0, 0, 1.5, "failed"), (0, 2, 2.5, 2.5, 4.0, "failed")]
    assert rows(run.deliveries, "ended_at", "outcome") == [(3.5, "dead_lettered")]


def test_calls_know_no_acknowledgement() -> None:
    """The broker's turnaround is no cost of a call."""
    broker = Broker(turnaround=Constant(0.5))
    run = simulate(world(Call("M0"), [0, 0], {"a": [takes(1)]}, broker=broker))
    assert answers(run) == [(1.0, "ok"), (2.0, "ok")]


# -- tried again -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backoff", "starts"),
    [
        (Backoff(1.0), [0, 1.25, 3.5, 7.75]),  # waits 1, 2, 4 after works of 1/4 s
        (Backoff(1.0, factor=3.0), [0, 1.25, 4.5, 13.75]),  # 1, 3, 9
        (Backoff(1.0, maximum=1.5), [0, 1.25, 3.0, 4.75]),  # 1, 1.5, 1.5
        (Backoff(0.0), [0, 0.25, 0.5, 0.75]),
    ],
)
def test_failed_deliveries_come_again_after_their_backoff(
    backoff: Backoff, starts: list[float]
) -> None:
    """Waits of base * factor**(n-1) after try n, up to the maximum; then a dead letter."""
    run = heard(DeliveryPolicy(retry=Retry(max_attempts=4, backoff=backoff)), transient=1.0)
    assert [row[3] for row in tried(run, "b")] == starts
    assert {row[5] for row in tried(run, "b")} == {"failed"}
    end = starts[-1] + 0.25
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(4, end, "dead_lettered")]
    assert len(run.effects) == 0


JITTERED = Retry(max_attempts=4, backoff=Backoff(1.0, jitter="full", maximum=1.5))


@pytest.mark.parametrize("step", [Publish("M"), Call("M", retry=JITTERED)], ids=["event", "call"])
def test_full_jitter_draws_each_wait_between_nothing_and_all_of_it(step: Publish | Call) -> None:
    """Waits divided by 1, 1.5 and 1.5 s are uniform, and independent from try to try.

    Kolmogorov-Smirnov and rank correlation over 1000 requests; p above 0.001, seed fixed.
    """
    services = [Service("b", workers=1000, on={"M": [takes(0.25, transient=1.0)]})]
    broker = Broker(delivery=DeliveryPolicy(retry=JITTERED))
    at = [n / 1024 for n in range(1000)]
    run = simulate(world(step, at, services, broker=broker), seed=3)
    tries = run.attempts.pivot(index="request", columns="attempt", values="queued_at")
    waits = tries.diff(axis=1).dropna(axis=1).to_numpy() - 0.25
    shares = waits / [1.0, 1.5, 1.5]
    assert shares.shape == (1000, 3)
    assert ((shares > 0) & (shares < 1)).all()
    for column in shares.T:
        assert stats.kstest(column, "uniform").pvalue > 0.001
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert stats.spearmanr(shares[:, one], shares[:, other]).pvalue > 0.001


def test_what_is_tried_again_rejoins_its_queue_at_the_tail() -> None:
    """The failed one is due at 1.25 s, behind two that came meanwhile."""
    retry = DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(0.25)))
    services = [
        Service("b", on={"Bad": handled(retry, takes(1, transient=1.0)), "E": [takes(1, "good")]})
    ]
    bad = world(Publish("Bad"), [0], services)
    run = simulate(beside(bad, Traffic(Publish("E"), Trace([0.25, 1.0]), name="good")))
    by_start = run.attempts.sort_values("started_at")
    assert rows(by_start, "name", "attempt", "queued_at", "started_at") == [
        ("Bad", 1, 0, 0),
        ("E", 1, 0.25, 1.0),
        ("E", 1, 1.0, 2.0),
        ("Bad", 2, 1.25, 3.0),
    ]


def test_nobody_is_held_while_a_delivery_backs_off() -> None:
    """In the second between two tries, the only worker handles something else."""
    retry = DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0)))
    services = [
        Service("b", on={"Bad": handled(retry, takes(1, transient=1.0)), "E": [takes(1, "good")]})
    ]
    bad = world(Publish("Bad"), [0], services)
    run = simulate(beside(bad, Traffic(Publish("E"), Trace([1.0]), name="good")))
    assert done(run) == [(10**9, "good", 2.0)]
    assert [row[3] for row in tried(run, "b")] == [0, 1.0, 2.0]


def test_a_handler_that_fails_late_does_its_first_steps_again() -> None:
    """Each try makes the effect of the first step, and publishes a new message."""
    steps = [takes(0.25, "first"), Publish("Heard"), takes(0.25, "last", transient=1.0)]
    services = [
        Service(
            "b",
            on={
                "E": handled(
                    DeliveryPolicy(retry=Retry(max_attempts=3, backoff=Backoff(1.0))), *steps
                )
            },
        ),
        Service("c", on={"Heard": [takes(0.125, "hear")]}),
    ]
    run = simulate(world(Publish("E"), [0], services))
    firsts = [at for _, label, at in done(run) if label == "first"]
    assert firsts == [0.25, 1.75, 4.25]
    made = run.messages[run.messages["name"] == "Heard"]
    assert made["published_at"].tolist() == firsts
    assert made["message"].is_unique
    assert (run.deliveries["outcome"] == "handled").sum() == 3


# -- given up --------------------------------------------------------------------------


@pytest.mark.parametrize(("kept", "outcome"), [(True, "dead_lettered"), (False, "lost")])
def test_permanent_failures_are_given_up_at_once(kept: bool, outcome: str) -> None:
    """No second try; the message goes to the dead-letter queue, or is lost without one."""
    run = heard(
        DeliveryPolicy(retry=Retry(max_attempts=4, backoff=Backoff(1.0)), dead_letter=kept),
        permanent=1.0,
    )
    assert tried(run, "b") == [(0, 1, 0, 0, 0.25, "failed_permanently")]
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(1, 0.25, outcome)]


def test_without_a_dead_letter_queue_the_last_failure_is_a_loss() -> None:
    """After as many tries as with one."""
    run = heard(
        DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0)), dead_letter=False),
        transient=1.0,
    )
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(2, 1.5, "lost")]


def test_one_attempt_is_no_retry() -> None:
    """max_attempts counts the first."""
    run = heard(DeliveryPolicy(retry=Retry(max_attempts=1)), transient=1.0)
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(1, 0.25, "dead_lettered")]


def test_a_poison_message_behind_a_call_is_poison_for_the_caller() -> None:
    """A delivery whose handler calls someone who can never answer is given up at once."""
    services = [
        Service("b", on={"E": [Call("C", retry=Retry(max_attempts=3))]}),
        Service("c", on={"C": [takes(1, permanent=1.0)]}),
    ]
    run = simulate(world(Publish("E"), [0], services))
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(1, 1.0, "dead_lettered")]


def test_a_handlers_own_policy_overrides_the_brokers() -> None:
    """Of two subscribers, one has the broker's two tries, the other one of its own."""
    fails = takes(0.25, transient=1.0)
    services = [
        Service("b", on={"E": [fails]}),
        Service(
            "c",
            on={
                "E": handled(DeliveryPolicy(retry=Retry(max_attempts=1), dead_letter=False), fails)
            },
        ),
    ]
    broker = Broker(delivery=DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0))))
    run = simulate(world(Publish("E"), [0], services, broker=broker))
    assert rows(run.deliveries, "subscriber", "attempts", "outcome") == [
        ("b", 2, "dead_lettered"),
        ("c", 1, "lost"),
    ]


def test_one_subscriber_in_trouble_is_no_trouble_for_the_others() -> None:
    """One fails four times; the other has handled the same message long before."""
    services = [
        Service("b", on={"E": [takes(0.25, transient=1.0)]}),
        Service("c", on={"E": [takes(0.25)]}),
    ]
    run = simulate(world(Publish("E"), [0], services))
    assert rows(run.deliveries, "subscriber", "ended_at", "outcome") == [
        ("b", 8.0, "dead_lettered"),
        ("c", 0.25, "handled"),
    ]


@pytest.mark.filterwarnings("ignore:.*too late:eda_sim.EdaSimWarning")
def test_a_run_drains_and_then_says_what_is_open() -> None:
    """Traffic until 2 s, one second more: what ends at 3 s is in, the rest open."""
    services = [Service("b", on={"E": [takes(1.5)], "C": [takes(1)]})]
    events = world(Publish("E"), [0, 0, 0], services, duration=2.0, drain=1.0)
    run = simulate(beside(events, Traffic(Call("C"), Trace([1.5, 2.0]), name="callers")))
    assert rows(run.deliveries, "ended_at", "outcome") == [
        (1.5, "handled"),
        (3.0, "handled"),
        (None, "pending"),
    ]
    assert answers(run) == [(0.0, "ok")] * 3 + [(None, "unfinished")]
    assert [row[3:] for row in tried(run, "b")] == [
        (0.0, 1.5, "ok"),
        (1.5, 3.0, "ok"),
        (3.0, None, "unfinished"),
        (None, None, "unfinished"),
    ]
    assert rows(run.calls, "ended_at", "outcome") == [(None, "unfinished")]


@pytest.mark.filterwarnings("ignore:.*too late:eda_sim.EdaSimWarning")
def test_without_a_drain_a_run_ends_with_its_traffic() -> None:
    """What ends at the last instant counts; arrivals fill the time up to it, without it."""
    services = [Service("b", workers=9, on={"E": [takes(0.5)]})]
    run = simulate(world(Publish("E"), [0, 1.5, 1.75, 2.0], services, duration=2.0, drain=0.0))
    assert run.deliveries["outcome"].tolist() == ["handled", "handled", "pending"]


def test_a_delivery_that_backs_off_or_travels_is_pending() -> None:
    """Not a dead letter, not lost: it would have been tried again."""
    services = [
        Service(
            "b",
            on={
                "E": handled(
                    DeliveryPolicy(retry=Retry(max_attempts=4, backoff=Backoff(50.0))),
                    takes(1, transient=1.0),
                )
            },
        )
    ]
    run = simulate(world(Publish("E"), [0], services, duration=2.0, drain=10.0))
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(1, None, "pending")]
    far = Broker(deliver=Constant(60))
    run = simulate(world(Publish("E"), [0], services, duration=2.0, drain=10.0, broker=far))
    columns = ("attempts", "available_at", "ended_at", "outcome")
    assert rows(run.deliveries, *columns) == [(0, None, None, "pending")]
    assert len(run.attempts) == 0


# -- once on the way, and when a retry's wait begins ----------------------------------


def test_a_retry_waits_from_the_end_of_the_turnaround_and_does_not_travel_again() -> None:
    """Half a second on the way; work to 1.5 s, turnaround to 1.75 s, and a second later again."""
    policy = DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0)))
    services = [Service("a", on={"E": handled(policy, takes(1, transient=1.0))})]
    broker = Broker(deliver=Constant(0.5), turnaround=Constant(0.25))
    run = simulate(world(Publish("E"), [0], services, broker=broker))
    assert tried(run, "a") == [
        (0, 1, 0.5, 0.5, 1.75, "failed"),
        (0, 2, 2.75, 2.75, 4.0, "failed"),
    ]


def test_what_comes_back_after_a_crash_or_a_redrive_does_not_travel_again() -> None:
    """It is queued again the moment the instance dies, and the moment it is redriven."""
    policy = DeliveryPolicy(retry=Retry(max_attempts=1))
    services = [Service("a", on={"E": handled(policy, takes(1, transient=1.0))})]
    faults, broker = [Outage("a", at=1, lasts=2)], Broker(deliver=Constant(0.5))
    redrives = [Redrive("a", at=8)]
    scenario = world(
        Publish("E"), [0], services, broker=broker, faults=faults, redrives=redrives, drain=50.0
    )
    assert [row[2] for row in tried(simulate(scenario), "a")] == [0.5, 1.0, 8.0]
