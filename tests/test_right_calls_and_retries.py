"""Calls: held workers, timeouts, retries and rejections, in worlds computed by hand."""

import pytest

from eda_sim import (
    Backoff,
    Broker,
    Call,
    Constant,
    Outage,
    Parallel,
    Publish,
    Retry,
    Service,
    Trace,
    Traffic,
    Work,
    simulate,
)
from tests.worlds import answers, beside, done, rows, takes, tried, world

# -- held workers ----------------------------------------------------------------------


def test_each_way_of_a_call_takes_the_network_latency() -> None:
    """There 1/4 s, work 1 s, back 1/4 s."""
    run = simulate(world(Call("M0"), [0], {"a": [takes(1)]}, network=Constant(0.25)))
    assert tried(run, "a") == [(0, 1, 0.25, 0.25, 1.25, "ok")]
    assert answers(run) == [(1.5, "ok")]
    assert rows(run.calls, "caller", "service", "started_at", "ended_at", "attempts") == [
        ("clients", "a", 0, 1.5, 1)
    ]


def test_a_caller_holds_its_worker_until_the_reply() -> None:
    """One worker who works 1 s and waits 2.5 s for a reply takes the next request after 3.5 s."""
    services = {"a": [takes(1), Call("M1")], "b": [takes(2)]}
    run = simulate(world(Call("M0"), [0, 0], services, network=Constant(0.25)))
    assert tried(run, "a") == [
        (0, 1, 0.25, 0.25, 3.75, "ok"),
        (1, 1, 0.25, 3.75, 7.25, "ok"),
    ]
    assert tried(run, "b") == [(0, 1, 1.5, 1.5, 3.5, "ok"), (1, 1, 5.0, 5.0, 7.0, "ok")]
    assert answers(run) == [(4.0, "ok"), (7.5, "ok")]
    holding = run.timeline("busy", "a")
    assert holding.integral(0, 10) == 7.0


def test_two_slow_callers_exhaust_a_pool() -> None:
    """Two workers wait 10 s each for a slow service: quick requests wait for them all that time.

    Held are 0 to 10 s and 1 to 11 s, so that the quick ones of 2 and 3 s start at 10 s and,
    after it, at 10.25 s. A third worker serves both at once.
    """
    services = [
        Service("shop", workers=2, on={"Slow": [Call("Think")], "Quick": [takes(0.25, "quick")]}),
        Service("thinker", workers=2, on={"Think": [takes(10, "think")]}),
    ]
    quick = Traffic(Call("Quick"), Trace([2, 3]), name="in a hurry")
    both = beside(world(Call("Slow"), [0, 1], services), quick)
    run = simulate(both)
    assert answers(run) == [(10.0, "ok"), (11.0, "ok"), (10.25, "ok"), (10.5, "ok")]
    assert run.timeline("queue", "shop").integral(0, 20) == (10 - 2) + (10.25 - 3)
    roomy = simulate(both.replace("shop.workers", 3))
    assert answers(roomy) == [(10.0, "ok"), (11.0, "ok"), (2.25, "ok"), (3.25, "ok")]
    impatient = simulate(both.replace("shop.Slow.Think.timeout", 3.0))
    assert answers(impatient)[2:] == [(3.25, "ok"), (3.5, "ok")]


def test_a_call_that_fails_in_the_end_fails_its_caller_and_what_was_done_stays() -> None:
    """The step before the failing call is an effect; the step after it never happens."""
    steps = [takes(0.25, "before"), Call("M1"), takes(0.25, "after")]
    run = simulate(world(Call("M0"), [0], {"a": steps, "b": [takes(1, transient=1.0)]}))
    assert answers(run) == [(1.25, "failed")]
    assert done(run) == [(0, "before", 0.25)]
    assert rows(run.calls, "caller", "outcome") == [("clients", "failed"), ("a", "failed")]


# -- timeouts --------------------------------------------------------------------------


def test_after_a_timeout_the_callee_still_does_the_work() -> None:
    """Two callers give up after 1 s; one worker does both works of 3 s, as if nothing happened."""
    run = simulate(world(Call("M0", timeout=1.0), [0, 2], {"a": [takes(3)]}))
    assert answers(run) == [(1.0, "timed_out"), (3.0, "timed_out")]
    assert tried(run, "a") == [(0, 1, 0, 0, 3.0, "ok"), (1, 1, 2.0, 3.0, 6.0, "ok")]
    assert done(run) == [(0, "work", 3.0), (1, "work", 6.0)]
    assert run.ledger()["completed_at"].tolist() == [3.0, 6.0]


def test_work_that_waits_for_a_caller_who_has_gone_is_done_too() -> None:
    """The caller gives up before its call has even reached a worker."""
    run = simulate(world(Call("M0", timeout=0.5), [0, 0], {"a": [takes(1)]}))
    assert [row[1] for row in answers(run)] == ["timed_out", "timed_out"]
    assert done(run) == [(0, "work", 1.0), (1, "work", 2.0)]


def test_a_call_on_its_way_arrives_though_its_caller_has_gone() -> None:
    """The network takes 1 s, the caller's patience ends after 0.5 s: worked on all the same."""
    slow = Constant(1.0)
    run = simulate(world(Call("M0", timeout=0.5), [0], {"a": [takes(1)]}, network=slow))
    assert answers(run) == [(0.5, "timed_out")]
    assert tried(run, "a") == [(0, 1, 1.0, 1.0, 2.0, "ok")]


def test_a_late_reply_finds_nobody() -> None:
    """The first reply comes at 2 s, while the caller waits for the second until 2.5 s.

    It gives up then: a reply belongs to the try that asked for it.
    """
    call = Call("M0", timeout=1.0, retry=Retry(max_attempts=2, backoff=Backoff(0.5)))
    run = simulate(world(call, [0], [Service("a", workers=2, on={"M0": [takes(2)]})]))
    assert tried(run, "a") == [(0, 1, 0, 0, 2.0, "ok"), (0, 2, 1.5, 1.5, 3.5, "ok")]
    assert answers(run) == [(2.5, "timed_out")]
    assert rows(run.calls, "attempts", "outcome") == [(2, "timed_out")]


def test_a_reply_at_the_very_timeout_is_in_time() -> None:
    """What ends comes before what times out, at one instant."""
    run = simulate(world(Call("M0", timeout=1.0), [0], {"a": [takes(1)]}))
    assert answers(run) == [(1.0, "ok")]


@pytest.mark.parametrize(("timeout", "outcome"), [(1.25, "timed_out"), (1.5, "ok")])
def test_a_timeout_counts_the_network_and_the_queue(timeout: float, outcome: str) -> None:
    """1/4 s there, 3/4 s until the worker is free, 1/4 s of work, 1/4 s back: 1.5 s in all."""
    services = [Service("a", on={"First": [takes(0.75)], "M0": [takes(0.25)]})]
    second = Traffic(Call("M0", timeout=timeout), Trace([0.0]), name="others")
    first = world(Call("First"), [0.0], services, network=Constant(0.25))
    run = simulate(beside(first, second))
    assert answers(run) == [(1.25, "ok"), (timeout, outcome)]


def test_a_timeout_shorter_than_the_queue_makes_a_retry_storm() -> None:
    """Five calls of 1 s work at once, patience 1.5 s, three tries: 13 works instead of 5.

    The first is served in time. The others give up at 1.5, 3.5 and 5.5 s and try again at 2
    and 4 s, behind their own former tries, all of which are worked off: at 1, 2, ... 13 s.
    """
    call = Call("M0", timeout=1.5, retry=Retry(max_attempts=3, backoff=Backoff(0.5, factor=1.0)))
    run = simulate(world(call, [0] * 5, {"a": [takes(1)]}))
    assert answers(run) == [(1.0, "ok")] + [(5.5, "timed_out")] * 4
    assert run.calls["attempts"].tolist() == [1, 3, 3, 3, 3]
    queued = [0.0] * 5 + [2.0] * 4 + [4.0] * 4
    tries = [1] * 5 + [2] * 4 + [3] * 4
    requests = [0, *([1, 2, 3, 4] * 3)]
    expected = [
        (request, number, at, float(n), n + 1.0, "ok")
        for n, (request, number, at) in enumerate(zip(requests, tries, queued, strict=True))
    ]
    assert tried(run, "a") == expected
    assert run.verdicts()["duplicated"] == 4
    patient = simulate(world(Call("M0"), [0] * 5, {"a": [takes(1)]}))
    assert answers(patient) == [(float(n), "ok") for n in range(1, 6)]


# -- retries ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backoff", "starts"),
    [
        (Backoff(1.0), [0, 1.25, 3.5, 7.75]),  # waits 1, 2, 4 after works of 1/4 s
        (Backoff(1.0, factor=3.0), [0, 1.25, 4.5, 13.75]),  # 1, 3, 9
        (Backoff(1.0, factor=1.0), [0, 1.25, 2.5, 3.75]),
        (Backoff(1.0, maximum=1.5), [0, 1.25, 3.0, 4.75]),  # 1, 1.5, 1.5
        (Backoff(0.0), [0, 0.25, 0.5, 0.75]),
    ],
)
def test_failed_calls_are_repeated_after_their_backoff(
    backoff: Backoff, starts: list[float]
) -> None:
    """Waits of base * factor**(n-1) after try n, up to the maximum; then the call has failed."""
    call = Call("M0", retry=Retry(max_attempts=4, backoff=backoff))
    run = simulate(world(call, [0], {"a": [takes(0.25, transient=1.0)]}))
    assert [row[3] for row in tried(run, "a")] == starts
    assert [row[1] for row in tried(run, "a")] == [1, 2, 3, 4]
    assert answers(run) == [(starts[-1] + 0.25, "failed")]
    assert len(run.effects) == 0


def test_a_retry_ends_with_the_first_success() -> None:
    """Refused at 0 and 1 s by a service that is down until 2.5 s; served at 3 s."""
    call = Call("M0", retry=Retry(max_attempts=4, backoff=Backoff(1.0)))
    scenario = world(call, [0], {"a": [takes(1)]}, faults=[Outage("a", at=0, lasts=2.5)])
    run = simulate(scenario)
    assert tried(run, "a") == [
        (0, 1, 0.0, None, 0.0, "refused"),
        (0, 2, 1.0, None, 1.0, "refused"),
        (0, 3, 3.0, 3.0, 4.0, "ok"),
    ]
    assert answers(run) == [(4.0, "ok")]
    assert rows(run.calls, "attempts", "outcome") == [(3, "ok")]


def test_permanent_failures_of_calls_are_not_repeated() -> None:
    """A poison request fails in every try, so there is only one."""
    call = Call("M0", retry=Retry(max_attempts=4, backoff=Backoff(1.0)))
    run = simulate(world(call, [0], {"a": [takes(1, permanent=1.0)]}))
    assert tried(run, "a") == [(0, 1, 0, 0, 1.0, "failed_permanently")]
    assert answers(run) == [(1.0, "failed")]
    assert rows(run.calls, "attempts", "outcome") == [(1, "failed_permanently")]


def test_retries_multiply_along_a_chain() -> None:
    """Three tries at each of two calls are nine at the last service."""
    again = Retry(max_attempts=3, backoff=Backoff(0.0))
    steps = {"a": [Call("M1", retry=again)], "b": [takes(0.25, transient=1.0)]}
    run = simulate(world(Call("M0", retry=again), [0], steps))
    assert len(tried(run, "a")) == 3
    assert len(tried(run, "b")) == 9
    assert rows(run.calls[run.calls["caller"] == "a"], "attempts") == [(3,)] * 3
    assert answers(run) == [(9 * 0.25, "failed")]


# -- turned away -----------------------------------------------------------------------


def test_beyond_the_inbox_calls_are_rejected_at_once() -> None:
    """One is served, one waits, the third learns after the network's way that there is no room."""
    services = [Service("a", inbox=1, on={"M0": [takes(1)]})]
    run = simulate(world(Call("M0"), [0, 0, 0, 1.5], services, network=Constant(0.25)))
    assert tried(run, "a") == [
        (0, 1, 0.25, 0.25, 1.25, "ok"),
        (1, 1, 0.25, 1.25, 2.25, "ok"),
        (2, 1, 0.25, None, 0.25, "rejected"),
        (3, 1, 1.75, 2.25, 3.25, "ok"),
    ]
    assert answers(run) == [(1.5, "ok"), (2.5, "ok"), (0.5, "rejected"), (3.5, "ok")]


def test_without_room_to_wait_a_free_worker_still_takes_a_call() -> None:
    """An inbox of 0 rejects those who would wait, and no others."""
    services = [Service("a", workers=2, inbox=0, on={"M0": [takes(1)]})]
    run = simulate(world(Call("M0"), [0, 0, 0.5, 1.0], services))
    assert [outcome for _, outcome in answers(run)] == ["ok", "ok", "rejected", "ok"]


def test_deliveries_are_never_rejected_and_take_no_room_from_calls() -> None:
    """Three deliveries wait before an inbox of 1; a call still fits behind them."""
    services = [Service("a", inbox=1, on={"E": [takes(1)], "M0": [takes(1, "call")]})]
    calls = Traffic(Call("M0"), Trace([0.5, 0.5]), name="callers")
    run = simulate(beside(world(Publish("E"), [0] * 4, services), calls))
    outcomes = [outcome for _, outcome in answers(run)]
    assert outcomes == ["ok"] * 4 + ["ok", "rejected"]
    assert run.deliveries["ended_at"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert run.requests["answered_at"].tolist()[4] == 5.0


def test_an_inner_call_turned_away_fails_the_outer_one() -> None:
    """Why a call failed is for its caller to know: the client learns that its request failed."""
    services = [
        Service("a", workers=2, on={"M0": [Call("M1")]}),
        Service("b", inbox=0, on={"M1": [takes(1)]}),
    ]
    run = simulate(world(Call("M0"), [0, 0], services))
    assert answers(run) == [(1.0, "ok"), (0.0, "failed")]
    assert rows(run.calls, "caller", "outcome") == [
        ("clients", "ok"),
        ("a", "ok"),
        ("clients", "failed"),
        ("a", "rejected"),
    ]


# -- side by side ----------------------------------------------------------------------


def test_parallel_steps_take_as_long_as_the_slowest() -> None:
    """1 s of work beside a call of 2 s: done after 2 s, and only then goes on."""
    steps = [Parallel([takes(1, "own"), Call("M1")]), takes(0.5, "then")]
    run = simulate(world(Call("M0"), [0], {"a": steps, "b": [takes(2, "other")]}))
    assert done(run) == [(0, "own", 1.0), (0, "other", 2.0), (0, "then", 2.5)]
    assert answers(run) == [(2.5, "ok")]


def test_parallel_calls_reach_their_services_at_once() -> None:
    """Side by side they take the longest, one after the other the sum."""
    callees = {"b": [takes(1)], "c": [takes(2)], "d": [takes(3)]}
    calls = [Call("M1"), Call("M2"), Call("M3")]
    at_once = simulate(world(Call("M0"), [0], {"a": [Parallel(calls)], **callees}))
    in_turn = simulate(world(Call("M0"), [0], {"a": calls, **callees}))
    assert answers(at_once) == [(3.0, "ok")]
    assert answers(in_turn) == [(6.0, "ok")]


@pytest.mark.parametrize(
    ("failing", "outcome"),
    [
        ({"transient": 1.0}, "failed"),
        ({"permanent": 1.0}, "failed_permanently"),
    ],
)
def test_one_failure_is_a_failure_of_the_whole(failing: dict[str, float], outcome: str) -> None:
    """The others are still waited for, their effects stay, and what follows does not happen."""
    both = Parallel([takes(1, "fails", **failing), takes(2, "stays")])
    run = simulate(world(Call("M0"), [0], {"a": [both, takes(1, "never")]}))
    assert done(run) == [(0, "stays", 2.0)]
    assert rows(run.calls, "ended_at", "outcome") == [(2.0, outcome)]


def test_of_two_failures_the_permanent_one_counts() -> None:
    """A retry could not help, whatever happened beside."""
    both = Parallel([takes(2, "may pass", transient=1.0), takes(1, "never", permanent=1.0)])
    run = simulate(world(Call("M0", retry=Retry(max_attempts=3)), [0], {"a": [both]}))
    assert rows(run.calls, "ended_at", "attempts", "outcome") == [(2.0, 1, "failed_permanently")]


def test_a_worker_waits_for_the_broker_to_accept() -> None:
    """Publishing takes 1/2 s of the worker's time, handling it none of it."""
    steps = {"a": [takes(1), Publish("Done")]}
    services = [
        Service("a", on={"M0": steps["a"]}),
        Service("b", on={"Done": [takes(5, "hear")]}),
    ]
    broker = Broker(publish=Constant(0.5), deliver=Constant(0.25))
    run = simulate(world(Call("M0"), [0, 0], services, broker=broker))
    assert answers(run) == [(1.5, "ok"), (3.0, "ok")]
    made = run.messages[run.messages["name"] == "Done"]
    assert rows(made, "kind", "sender", "published_at", "accepted_at") == [
        ("event", "a", 1.0, 1.5),
        ("event", "a", 2.5, 3.0),
    ]
    assert rows(run.deliveries, "published_at", "available_at", "ended_at") == [
        (1.0, 1.75, 6.75),
        (2.5, 3.25, 11.75),
    ]


def test_work_can_take_no_time() -> None:
    """A world in which nothing takes any time is over at once, with all its effects."""
    again = Call("M1", timeout=1.0, retry=Retry(max_attempts=2, backoff=Backoff(0.0)))
    run = simulate(world(Call("M0"), [1.0], {"a": [again], "b": [Work(Constant(0), "w")]}))
    assert done(run) == [(0, "w", 1.0)]
    assert answers(run) == [(1.0, "ok")]
