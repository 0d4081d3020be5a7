"""Every transition of a circuit breaker, in worlds computed by hand."""

import pytest

from eda_sim import (
    Backoff,
    Call,
    CircuitBreaker,
    Outage,
    Publish,
    Retry,
    Run,
    Scenario,
    Service,
    Trace,
    Traffic,
    simulate,
)
from tests.worlds import answers, beside, rows, takes, tried, world

TWO = CircuitBreaker(failures=2, window=10.0, open_for=5.0)


def protected(at: list[float], down: list[Outage], breaker: CircuitBreaker = TWO) -> Run:
    """Clients who call ``a`` (1 s of work, nine workers) through a breaker."""
    services = [Service("a", workers=9, on={"M0": [takes(1)]})]
    return simulate(world(Call("M0", breaker=breaker), at, services, faults=down))


def test_a_breaker_trips_waits_tries_and_closes() -> None:
    """Two failures at 0 and 1 s open it until 6 s; the trial is through at 7 s; then all may.

    While it is open, and while the trial is under way, calls are short-circuited at once and
    never reach the service.
    """
    run = protected([0, 1, 2, 5.75, 6, 6.5, 7.5, 7.5], [Outage("a", at=0, lasts=3.5)])
    assert answers(run) == [
        (0.0, "failed"),
        (1.0, "failed"),
        (2.0, "short_circuited"),
        (5.75, "short_circuited"),
        (7.0, "ok"),
        (6.5, "short_circuited"),
        (8.5, "ok"),
        (8.5, "ok"),
    ]
    assert [row[0] for row in tried(run, "a")] == [0, 1, 4, 6, 7]
    short = run.calls[run.calls["outcome"] == "short_circuited"]
    assert (short["started_at"] == short["ended_at"]).all()


def test_a_failed_trial_opens_it_again_for_as_long() -> None:
    """Down until 7 s: the trial of 6 s fails, and the next may come at 11 s."""
    run = protected([0, 1, 6, 10.75, 11, 12], [Outage("a", at=0, lasts=7)])
    outcomes = [outcome for _, outcome in answers(run)]
    assert outcomes == ["failed", "failed", "failed", "short_circuited", "ok", "ok"]


def test_one_failed_trial_is_enough() -> None:
    """Half open, it does not count to two again; closed by a trial, it does."""
    down = [Outage("a", at=0, lasts=1.5), Outage("a", at=7.25, lasts=0.5)]
    run = protected([0, 1, 6, 7.5, 8], down)
    assert [outcome for _, outcome in answers(run)] == ["failed", "failed", "ok", "failed", "ok"]


@pytest.mark.parametrize(
    ("second", "outcome"), [(9.75, "short_circuited"), (10.0, "ok"), (10.5, "ok")]
)
def test_failures_count_within_the_window(second: float, outcome: str) -> None:
    """The failure of 0 s still counts at 9.75 s, and no longer at 10 s."""
    down = [Outage("a", at=0, lasts=0.5), Outage("a", at=second, lasts=0.5)]
    run = protected([0, second, 11.0], down)
    assert [found for _, found in answers(run)] == ["failed", "failed", outcome]


def test_a_window_shorter_than_any_rounding_still_counts_one() -> None:
    """With one failure allowed, the first opens it, however small the window."""
    breaker = CircuitBreaker(failures=1, window=1e-300, open_for=5.0)
    run = protected([50, 51], [Outage("a", at=50, lasts=0.5)], breaker)
    assert [found for _, found in answers(run)] == ["failed", "short_circuited"]
    breaker = CircuitBreaker(failures=2, window=1e-300, open_for=5.0)
    run = protected([50, 50.25, 51], [Outage("a", at=50, lasts=0.5)], breaker)
    assert [found for _, found in answers(run)] == ["failed", "failed", "ok"]


def test_successes_do_not_wipe_out_failures() -> None:
    """Failures at 0 and 4 s with successes in between: still two in the window."""
    down = [Outage("a", at=0, lasts=0.5), Outage("a", at=4, lasts=0.5)]
    run = protected([0, 1, 2, 4, 4.75], down)
    outcomes = ["failed", "ok", "ok", "failed", "short_circuited"]
    assert [found for _, found in answers(run)] == outcomes


def test_after_closing_the_count_starts_anew() -> None:
    """Failures from before the opening are forgotten: one more does not trip it."""
    down = [Outage("a", at=0, lasts=2), Outage("a", at=8, lasts=0.5)]
    run = protected([0, 1, 6, 8, 9], down)
    assert [found for _, found in answers(run)] == ["failed", "failed", "ok", "failed", "ok"]


def test_calls_already_under_way_neither_reopen_nor_prolong() -> None:
    """Four give up at 1, 2, 2.5 and 2.75 s; the second opens it until 7 s, two change nothing.

    The call of 7 s is the trial, which gives up at 8 s and opens it until 13 s.
    """
    services = [Service("a", workers=9, on={"M0": [takes(6)]})]
    call = Call("M0", timeout=1.0, breaker=TWO)
    run = simulate(world(call, [0, 1, 1.5, 1.75, 6.75, 7, 7.5, 12.75, 13], services))
    found = [outcome for _, outcome in answers(run)]
    late = ["short_circuited", "timed_out", "short_circuited", "short_circuited", "timed_out"]
    assert found == ["timed_out"] * 4 + late


@pytest.mark.parametrize("why", ["timed_out", "rejected", "failed"])
def test_whatever_may_pass_counts_as_a_failure(why: str) -> None:
    """Timeouts and rejections open a breaker as failures do."""
    call = Call("M0", timeout=0.5 if why == "timed_out" else None, breaker=TWO)
    work = takes(1, transient=1.0 if why == "failed" else 0.0)
    services = [Service("a", inbox=0 if why == "rejected" else None, on={"M0": [work]})]
    at = [0, 0, 0, 4.5] if why == "rejected" else [0, 0, 4.5]
    run = simulate(world(call, at, services))
    found = [outcome for _, outcome in answers(run)]
    first = ["ok"] if why == "rejected" else []
    assert found == [*first, why, why, "short_circuited"]


def test_a_permanent_failure_is_an_answer_of_a_healthy_service() -> None:
    """Poison requests do not open a breaker, and as a trial they close it."""
    services = [Service("a", on={"M0": [takes(0.25, permanent=1.0)]})]
    scenario = world(Call("M0", breaker=TWO), [0, 1, 2, 3], services)
    assert [found for _, found in answers(simulate(scenario))] == ["failed"] * 4
    down = scenario.replace(faults=[Outage("a", at=0, lasts=1.5)])
    later = down.replace("traffic[0].arrivals", Trace([0, 1, 2, 6, 6.5, 6.75]))
    run = simulate(later)
    outcomes = ["failed", "failed", "short_circuited", "failed", "failed", "failed"]
    assert [found for _, found in answers(run)] == outcomes


def test_short_circuited_tries_are_repeated_like_others() -> None:
    """Three tries 1 and 2 s apart: one fails, two are short-circuited, none reach the service."""
    breaker = CircuitBreaker(failures=1, window=10.0, open_for=5.0)
    call = Call("M0", retry=Retry(max_attempts=3, backoff=Backoff(1.0)), breaker=breaker)
    services = [Service("a", on={"M0": [takes(1)]})]
    run = simulate(world(call, [0], services, faults=[Outage("a", at=0, lasts=0.5)]))
    assert rows(run.calls, "ended_at", "attempts", "outcome") == [(3.0, 3, "short_circuited")]
    assert len(tried(run, "a")) == 1
    patient = Call("M0", retry=Retry(max_attempts=4, backoff=Backoff(1.0)), breaker=breaker)
    run = simulate(world(patient, [0], services, faults=[Outage("a", at=0, lasts=0.5)]))
    assert answers(run) == [(8.0, "ok")]  # the fourth try, at 7 s, is the trial


def callers(*names: str) -> Scenario:
    """Each caller has a breaker towards the same callee, which always fails."""
    services = [
        *(Service(n, workers=9, on={f"Ask {n}": [Call("C", breaker=TWO)]}) for n in names),
        Service("c", workers=9, on={"C": [takes(0.25, transient=1.0)]}),
    ]
    scenario = world(Call(f"Ask {names[0]}"), [0, 0, 1], services)
    rest = [Traffic(Call(f"Ask {n}"), Trace([0, 2, 3]), name=f"clients of {n}") for n in names[1:]]
    return beside(scenario, *rest)


def test_a_breaker_is_shared_by_all_workers_of_a_caller_and_by_nobody_else() -> None:
    """Two failures of ``a`` short-circuit its third call; ``b`` has to find out for itself."""
    run = simulate(callers("a", "b"))
    by_caller = {
        name: run.calls[run.calls["caller"] == name]["outcome"].tolist() for name in ("a", "b")
    }
    assert by_caller == {
        "a": ["failed", "failed", "short_circuited"],
        "b": ["failed", "failed", "short_circuited"],
    }


def test_a_caller_that_dies_in_its_trial_leaves_the_next_one_to_try() -> None:
    """The trial of 6 s is abandoned at 6.5 s; the call of 7.5 s is the next trial."""
    services = [
        Service("a", workers=9, on={"E": [Call("C", breaker=TWO)], "M0": [Call("C", breaker=TWO)]}),
        Service("c", workers=9, on={"C": [takes(1)]}),
    ]
    faults = [Outage("c", at=0, lasts=2), Outage("a", at=6.5, lasts=0.5)]
    run = simulate(world(Call("M0"), [0, 1, 6, 7.5], services, faults=faults))
    inner = run.calls[run.calls["caller"] == "a"]
    assert rows(inner, "started_at", "outcome") == [
        (0.0, "failed"),
        (1.0, "failed"),
        (6.0, "abandoned"),
        (7.5, "ok"),
    ]


def test_handlers_of_a_caller_share_its_breaker_for_a_command() -> None:
    """Failures met while handling an event short-circuit the same call elsewhere."""
    services = [
        Service("a", workers=9, on={"E": [Call("C", breaker=TWO)], "M0": [Call("C", breaker=TWO)]}),
        Service("c", workers=9, on={"C": [takes(0.25, transient=1.0)]}),
    ]
    events = world(Publish("E"), [0, 0], services)
    run = simulate(beside(events, Traffic(Call("M0"), Trace([0.5]), name="callers")))
    assert rows(run.calls[run.calls["caller"] == "a"], "started_at", "outcome")[2] == (
        0.5,
        "short_circuited",
    )
