"""Faults: what dies with an instance, what comes back, and in which order; by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from eda_sim import (
    Backoff,
    Broker,
    Call,
    Constant,
    DeliveryPolicy,
    Outage,
    Parallel,
    Poisson,
    Publish,
    Retry,
    Run,
    Scenario,
    Service,
    Slowdown,
    simulate,
    theory,
)
from tests.worlds import answers, done, handled, rows, takes, tried, world


def by_start(run: Run) -> list[tuple[object, ...]]:
    """Every attempt that a worker took, first started first."""
    ordered = run.attempts.dropna(subset="started_at").sort_values(["started_at", "request"])
    return rows(ordered, "request", "attempt", "instance", "started_at", "ended_at", "outcome")


def run_where(scenario: Scenario, wanted: Callable[[float, float], bool]) -> Run:
    """Return a run whose first fault, a random one, comes once, from when until when is wanted.

    Two outages of a service that overlap cannot be scheduled, but luck has them overlap.
    """
    for seed in range(1000):
        run = simulate(scenario, seed=seed)
        times = rows(run.faults[run.faults["fault"] == 0], "started_at", "ended_at")
        if len(times) == 1 and wanted(*times[0]):
            return run
    raise AssertionError("no seed has such a fault")


# -- a crash ---------------------------------------------------------------------------


def test_a_crash_brings_deliveries_back_to_the_front() -> None:
    """The one in progress dies at 0.75 s and is handled first when the service is up at 1.75 s."""
    services = [Service("a", on={"E": [takes(1)]})]
    faults = [Outage("a", at=0.75, lasts=1)]
    run = simulate(world(Publish("E"), [0, 0.25, 0.5], services, faults=faults))
    assert by_start(run) == [
        (0, 1, 0, 0, 0.75, "crashed"),
        (0, 2, 0, 1.75, 2.75, "ok"),
        (1, 1, 0, 2.75, 3.75, "ok"),
        (2, 1, 0, 3.75, 4.75, "ok"),
    ]
    assert run.deliveries["attempts"].tolist() == [2, 1, 1]
    assert (run.deliveries["outcome"] == "handled").all()
    assert run.verdicts()["consistent"] == 3  # the work that died was no effect
    assert rows(run.faults, "kind", "target", "instances", "started_at", "ended_at") == [
        ("outage", "a", 1, 0.75, 1.75)
    ]


def test_calls_die_with_their_service() -> None:
    """In progress or waiting, they fail at the crash; while nobody is up they are refused.

    Each caller learns it a network's way later.
    """
    scenario = world(
        Call("M0"),
        [0, 0.25, 1.0, 2.0],
        {"a": [takes(1)]},
        network=Constant(0.25),
        faults=[Outage("a", at=0.75, lasts=1)],
    )
    run = simulate(scenario)
    assert tried(run, "a") == [
        (0, 1, 0.25, 0.25, 0.75, "crashed"),
        (1, 1, 0.5, None, 0.75, "refused"),
        (2, 1, 1.25, None, 1.25, "refused"),
        (3, 1, 2.25, 2.25, 3.25, "ok"),
    ]
    assert answers(run) == [(1.0, "failed"), (1.0, "failed"), (1.5, "failed"), (3.5, "ok")]


def test_a_crash_repeats_what_was_done_and_not_acknowledged() -> None:
    """The first of two works was done at 0.5 s; after the crash at 0.75 s it is done again."""
    services = [Service("a", on={"E": [takes(0.5, "one"), takes(0.5, "two")]})]
    run = simulate(world(Publish("E"), [0], services, faults=[Outage("a", at=0.75, lasts=1)]))
    assert done(run) == [(0, "one", 0.5), (0, "one", 2.25), (0, "two", 2.75)]
    assert run.verdicts()["duplicated"] == 1
    assert run.ledger()[["meant", "done", "repeated"]].values.tolist() == [[2, 3, 1]]


def test_handled_but_not_acknowledged_is_handled_again() -> None:
    """Work ends at 1 s, the acknowledgement would be back at 1.5 s, the crash is at 1.25 s."""
    broker = Broker(turnaround=Constant(0.5))
    services = [Service("a", on={"E": [takes(1)]})]
    faults = [Outage("a", at=1.25, lasts=0.25)]
    run = simulate(world(Publish("E"), [0], services, broker=broker, faults=faults))
    assert tried(run, "a") == [(0, 1, 0, 0, 1.25, "crashed"), (0, 2, 1.25, 1.5, 3.0, "ok")]
    assert done(run) == [(0, "work", 1.0), (0, "work", 2.5)]
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(2, 2.5, "handled")]
    assert run.verdicts()["duplicated"] == 1


def test_work_that_ends_as_the_service_dies_is_done() -> None:
    """At one instant, what ends comes before what breaks, and what arrives comes after."""
    run = simulate(
        world(Call("M0"), [0.0, 1.0, 2.0], {"a": [takes(1)]}, faults=[Outage("a", at=1, lasts=1)])
    )
    assert answers(run) == [(1.0, "ok"), (1.0, "failed"), (3.0, "ok")]


def test_a_caller_that_dies_abandons_its_calls() -> None:
    """The callee works on; the reply finds nobody; the delivery is handled from its start."""
    services = [
        Service("a", on={"E": [takes(0.25, "own"), Call("C")]}),
        Service("c", workers=2, on={"C": [takes(1, "called")]}),
    ]
    run = simulate(world(Publish("E"), [0], services, faults=[Outage("a", at=0.5, lasts=0.25)]))
    assert rows(run.calls, "started_at", "ended_at", "attempts", "outcome") == [
        (0.25, 0.5, 1, "abandoned"),
        (1.0, 2.0, 1, "ok"),
    ]
    assert done(run) == [
        (0, "own", 0.25),
        (0, "own", 1.0),
        (0, "called", 1.25),
        (0, "called", 2.0),
    ]


def test_a_caller_that_dies_between_two_tries_makes_no_more() -> None:
    """It is backing off when it dies: the third try never comes."""
    again = Call("C", retry=Retry(max_attempts=3, backoff=Backoff(1.0)))
    services = [
        Service("a", on={"M0": [again]}),
        Service("c", on={"C": [takes(0.25, transient=1.0)]}),
    ]
    run = simulate(world(Call("M0"), [0], services, faults=[Outage("a", at=2.0, lasts=1)]))
    assert [row[3] for row in tried(run, "c")] == [0, 1.25]
    assert rows(run.calls, "caller", "ended_at", "attempts", "outcome") == [
        ("clients", 2.0, 1, "failed"),
        ("a", 2.0, 2, "abandoned"),
    ]


def test_steps_side_by_side_die_together() -> None:
    """One step was done, one was working, one was waiting for a reply: nothing of it goes on."""
    steps = Parallel([takes(0.25, "short"), takes(5, "long"), Call("C")])
    services = [Service("a", on={"M0": [steps]}), Service("c", on={"C": [takes(9, "called")]})]
    run = simulate(world(Call("M0"), [0], services, faults=[Outage("a", at=1, lasts=1)]))
    assert done(run) == [(0, "short", 0.25), (0, "called", 9.0)]
    assert answers(run) == [(1.0, "failed")]
    assert set(run.calls["outcome"]) == {"failed", "abandoned"}


def test_a_publisher_that_dies_before_the_broker_has_accepted_has_not_published() -> None:
    """The message made at 0.25 s reaches nobody; the handler, run again, makes a new one."""
    services = [
        Service("a", on={"E": [takes(0.25), Publish("Done")]}),
        Service("b", on={"Done": [takes(0.25, "heard")]}),
    ]
    broker = Broker(publish=Constant(1.0))
    faults = [Outage("a", at=2.0, lasts=1)]
    run = simulate(world(Publish("E"), [0.5], services, broker=broker, faults=faults))
    made = run.messages[run.messages["name"] == "Done"]
    assert rows(made, "published_at", "accepted_at") == [(1.75, None), (3.25, 4.25)]
    assert [row for row in done(run) if row[1] == "heard"] == [(0, "heard", 4.5)]


# -- some copies of several ------------------------------------------------------------


def test_one_copy_down_is_the_others_work() -> None:
    """Calls are not refused; what the dead copy had is done by the survivor; then both work."""
    services = [Service("a", instances=2, on={"E": [takes(2)]})]
    faults = [Outage("a", at=1, lasts=4, instances=1)]
    run = simulate(world(Publish("E"), [0, 0, 0.5, 4.5], services, faults=faults))
    assert by_start(run) == [
        (0, 1, 0, 0, 1.0, "crashed"),
        (1, 1, 1, 0, 2.0, "ok"),
        (0, 2, 1, 2.0, 4.0, "ok"),  # before request 2, which came later
        (2, 1, 1, 4.0, 6.0, "ok"),
        (3, 1, 0, 5.0, 7.0, "ok"),  # the first copy is back
    ]
    assert run.faults["instances"].tolist() == [1]


def test_while_a_copy_is_up_calls_are_served() -> None:
    """One of two copies is down from the beginning: twice the time, no refusals."""
    services = [Service("a", instances=2, on={"M0": [takes(1)]})]
    faults = [Outage("a", at=0, lasts=10, instances=1)]
    run = simulate(world(Call("M0"), [0.5] * 3, services, faults=faults))
    assert answers(run) == [(1.5, "ok"), (2.5, "ok"), (3.5, "ok")]
    assert set(run.attempts["instance"]) == {1}


def test_a_call_in_progress_on_the_copy_that_dies_fails_and_waiting_ones_stay() -> None:
    """Only the connection to the dead copy breaks."""
    services = [Service("a", instances=2, on={"M0": [takes(2)]})]
    faults = [Outage("a", at=1, lasts=10, instances=1)]
    run = simulate(world(Call("M0"), [0, 0, 0.5], services, faults=faults))
    assert answers(run) == [(1.0, "failed"), (2.0, "ok"), (4.0, "ok")]


def test_of_two_that_come_back_the_one_that_came_first_is_handled_first() -> None:
    """Copy 0 dies with the first and the third of three; the idle worker takes the first."""
    services = [Service("a", instances=2, workers=2, on={"E": [takes(2)]})]
    faults = [Outage("a", at=1, lasts=10, instances=1)]
    run = simulate(world(Publish("E"), [0, 0.25, 0.5], services, faults=faults))
    crashed = {row[0]: row for row in by_start(run) if row[5] == "crashed"}
    assert sorted(crashed) == [0, 2]
    again = [(row[0], row[3]) for row in by_start(run) if row[1] == 2]
    assert again == [(0, 1.0), (2, 2.25)]


def test_what_comes_back_keeps_its_place_through_a_second_crash() -> None:
    """The first waits since copy 0 died; then copy 1 dies with the second, which came later.

    When copy 1 is up again at 3 s it handles the first, the second, the third.
    """
    services = [Service("a", instances=2, on={"E": [takes(4)]})]
    faults = [Outage("a", instances=1, mtbf=1, mttr=100), Outage("a", at=2, lasts=1)]
    scenario = world(Publish("E"), [0, 0.25, 0.5], services, faults=faults, duration=2.0)
    run = run_where(scenario, lambda begin, end: 0.5 < begin < 2 and end > 11)
    assert [(row[0], row[3]) for row in by_start(run)[2:]] == [(0, 3.0), (1, 7.0), (2, 11.0)]


def test_outages_add_up() -> None:
    """A copy is up again when the last of its outages is over, whichever that is."""
    faults = [Outage("a", mtbf=2, mttr=3), Outage("a", at=2, lasts=3)]
    services = [Service("a", on={"E": [takes(1)]})]
    scenario = world(Publish("E"), [2.5], services, faults=faults, duration=4.0)
    outlived = run_where(scenario, lambda begin, end: 1 < begin < 2 and 3 < end < 5)
    assert rows(outlived.deliveries, "available_at", "ended_at") == [(2.5, 6.0)]
    outlives = run_where(scenario, lambda begin, end: 3 < begin < 4 and 6 < end < 9)
    end = outlives.faults.set_index("fault")["ended_at"].loc[[0]].iloc[0]
    assert rows(outlives.attempts, "started_at", "ended_at") == [(end, end + 1.0)]


def test_an_outage_that_follows_at_once_leaves_no_gap() -> None:
    """One ends at 2 s, the next begins at 2 s: whoever started in between dies at once."""
    faults = [Outage("a", at=1, lasts=1), Outage("a", at=2, lasts=1)]
    services = [Service("a", on={"E": [takes(1)]})]
    run = simulate(world(Publish("E"), [1.5], services, faults=faults))
    assert tried(run, "a") == [(0, 1, 1.5, 2.0, 2.0, "crashed"), (0, 2, 2.0, 3.0, 4.0, "ok")]


def test_an_outage_in_the_drain_still_hits() -> None:
    """Traffic is over at 1 s, the service goes down at 2 s, in the midst of what is left."""
    services = [Service("a", on={"E": [takes(1)]})]
    faults = [Outage("a", at=2, lasts=1)]
    run = simulate(world(Publish("E"), [0.5] * 3, services, faults=faults, duration=1.0))
    assert run.deliveries["ended_at"].tolist() == [1.5, 4.0, 5.0]


def test_an_outage_that_outlives_the_run_has_no_end() -> None:
    """Its row says so; what waits for the service is pending."""
    services = [Service("a", on={"E": [takes(1)]})]
    faults = [Outage("a", at=1, lasts=1000)]
    scenario = world(Publish("E"), [2.0], services, faults=faults, duration=5.0, drain=5.0)
    run = simulate(scenario)
    assert rows(run.faults, "started_at", "ended_at") == [(1.0, None)]
    assert run.verdicts()["pending"] == 1


# -- tries and crashes -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts_crashes", "failed"),
    [(False, [(1.0, 2.0), (3.0, 4.0), (6.0, 7.0)]), (True, [(1.0, 2.0), (4.0, 5.0)])],
)
def test_a_crash_uses_up_a_try_only_where_it_counts(
    counts_crashes: bool, failed: list[tuple[float, float]]
) -> None:
    """Of three tries the first dies, the others fail; then it is a dead letter.

    The wait after the n-th try that counts is base * factor**(n - 1) seconds.
    """
    retry = Retry(max_attempts=3, backoff=Backoff(1.0))
    policy = DeliveryPolicy(retry=retry, counts_crashes=counts_crashes)
    services = [Service("a", on={"E": handled(policy, takes(1, transient=1.0))})]
    run = simulate(world(Publish("E"), [0], services, faults=[Outage("a", at=0.5, lasts=0.5)]))
    assert [row[3:] for row in tried(run, "a")] == [
        (0.0, 0.5, "crashed"),
        *((begin, end, "failed") for begin, end in failed),
    ]
    assert run.deliveries["outcome"].tolist() == ["dead_lettered"]


def test_a_crash_alone_never_makes_a_dead_letter() -> None:
    """With one try allowed and three crashes, the fourth try handles it."""
    services = [
        Service("a", on={"E": handled(DeliveryPolicy(retry=Retry(max_attempts=1)), takes(2))})
    ]
    faults = [Outage("a", at=at, lasts=0.5) for at in (1, 2, 3)]
    run = simulate(world(Publish("E"), [0], services, faults=faults))
    assert rows(run.deliveries, "attempts", "ended_at", "outcome") == [(4, 5.5, "handled")]


# -- slowdowns -------------------------------------------------------------------------


def test_work_that_starts_in_a_slowdown_takes_longer_to_its_end() -> None:
    """Three times as long from 1 s up to 3 s; what has started keeps its pace."""
    services = [Service("a", workers=9, on={"M0": [takes(1)]})]
    starts = [0.5, 1.0, 2.75, 3.0]
    run = simulate(world(Call("M0"), starts, services, faults=[Slowdown("a", 3, at=1, lasts=2)]))
    assert answers(run) == [(1.5, "ok"), (4.0, "ok"), (5.75, "ok"), (4.0, "ok")]
    assert rows(run.faults, "kind", "target", "factor", "started_at", "ended_at") == [
        ("slowdown", "a", 3.0, 1.0, 3.0)
    ]


def test_slowdowns_multiply_and_end_one_by_one() -> None:
    """Twice, then six times, then three times, then as ever; a slow service slows no other."""
    faults = [Slowdown("a", 2, at=1, lasts=2), Slowdown("a", 3, at=2, lasts=2)]
    services = [
        Service("a", workers=9, on={"M0": [takes(1)]}),
        Service("b", workers=9, on={"M1": [takes(1)]}),
    ]
    starts = [0.5, 1.5, 2.5, 3.5, 4.5]
    run = simulate(world(Call("M0"), starts, services, faults=faults))
    took = run.requests["answered_at"] - run.requests["started_at"]
    assert took.tolist() == [1.0, 2.0, 6.0, 3.0, 1.0]
    other = simulate(world(Call("M1"), starts, services, faults=faults))
    assert (other.requests["answered_at"] - other.requests["started_at"]).tolist() == [1.0] * 5


def test_a_slowdown_slows_each_work_of_a_handler_and_no_waiting() -> None:
    """The second work starts in the slowdown, the call's callee is somebody else."""
    steps = [takes(1, "one"), takes(1, "two"), Call("M1")]
    faults = [Slowdown("a", 4, at=0.5, lasts=10)]
    run = simulate(world(Call("M0"), [0], {"a": steps, "b": [takes(1, "b")]}, faults=faults))
    assert done(run) == [(0, "one", 1.0), (0, "two", 5.0), (0, "b", 6.0)]


# -- random faults ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def often_down() -> Run:
    """20,000 s with an outage every 10 s on average, two of them on the same service."""
    services = [Service("a", on={"M0": [takes(0.01)]}), Service("b", on={"M1": []})]
    faults = [Outage("a", mtbf=9, mttr=1), Outage("b", mtbf=9, mttr=1), Outage("a", mtbf=9, mttr=1)]
    scenario = world(Call("M0"), Poisson(1), services, faults=faults, duration=20_000.0)
    return simulate(scenario, seed=2)


def test_random_faults_leave_the_availability_of_theory(often_down: Run) -> None:
    """Down for mttr / (mtbf + mttr) of the time, each of the three, within 4 standard errors.

    The variance of the fraction of time down over T seconds tends to
    2 mtbf² mttr² / ((mtbf + mttr)³ T) (alternating renewal, exponential times).
    """
    error = math.sqrt(2 * 9**2 * 1**2 / (10**3 * 20_000))
    for _, mine in often_down.faults.groupby("fault"):
        down = (mine["ended_at"] - mine["started_at"]).sum() / 20_000
        assert abs(1 - down - theory.availability(9, 1)) < 4 * error


def test_times_up_and_down_are_exponential(often_down: Run) -> None:
    """Kolmogorov-Smirnov, p above 0.001, seed fixed."""
    for _, mine in often_down.faults.groupby("fault"):
        down = (mine["ended_at"] - mine["started_at"]).to_numpy()
        up = mine["started_at"].to_numpy() - np.r_[0.0, mine["ended_at"].to_numpy()[:-1]]
        assert stats.kstest(up, stats.expon(scale=9).cdf).pvalue > 0.001
        assert stats.kstest(down, stats.expon(scale=1).cdf).pvalue > 0.001


def test_two_random_faults_of_one_service_are_independent(often_down: Run) -> None:
    """Nobody's faults come together: each has luck of its own, also beside its like."""
    first, other, second = (mine["started_at"] for _, mine in often_down.faults.groupby("fault"))
    assert not set(first) & set(second)
    assert not set(first) & set(other)
    together = np.isin(np.round(first), np.round(second)).mean()
    assert abs(together - 0.1) < 4 * math.sqrt(0.1 * 0.9 / len(first))


def test_requests_are_refused_as_often_as_the_service_is_down(often_down: Run) -> None:
    """Poisson arrivals see time averages: down with probability 1 - 0.9², that of two in series.

    Within 4 standard errors: those of the downtime and of counting 20,000 requests.
    """
    expected = 1 - theory.availability_in_series(0.9, 0.9)
    failed = (often_down.requests["outcome"] == "failed").mean()
    error = math.sqrt(2 * 2 * 81 / (1000 * 20_000) + expected * (1 - expected) / 20_000)
    assert abs(failed - expected) < 4 * error


def test_random_faults_stop_coming_when_traffic_stops() -> None:
    """None begins after the duration, however long the drain; one that began then ends later."""
    services = [Service("a", on={"M0": []})]
    faults = [Outage("a", mtbf=1, mttr=5)]
    scenario = world(Call("M0"), [0], services, faults=faults, duration=10.0, drain=500.0)
    runs = [simulate(scenario, seed) for seed in range(20)]
    assert all((run.faults["started_at"] < 10).all() for run in runs)
    assert any((run.faults["ended_at"] > 10).any() for run in runs)
