"""Which copies an outage hits: others than another outage, wherever that is possible."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim import (
    Autoscale,
    Call,
    InvalidInput,
    Outage,
    Poisson,
    Scenario,
    Service,
    Slowdown,
    simulate,
    theory,
)
from eda_sim.rules.plan.outages import copies_hit
from tests.worlds import answers, takes, world


def hit(*outages: Outage, copies: int, **settings: Any) -> list[tuple[int, ...]]:
    """Which copies of a service some outages hit, one after the other."""
    found = copies_hit(outages, Service("a", instances=copies, on={}, **settings))
    return [found[position] for position in range(len(outages))]


def random(instances: int | None = 1) -> Outage:
    """An outage that comes at random."""
    return Outage("a", mtbf=50, mttr=10, instances=instances)


def scheduled(at: float, lasts: float, instances: int | None = 1) -> Outage:
    """An outage that comes when it says."""
    return Outage("a", at=at, lasts=lasts, instances=instances)


def test_random_outages_take_copies_in_turn() -> None:
    """As long as there are copies left, then from the first on again; those of all take none."""
    assert hit(random(), random(), random(), copies=2) == [(0,), (1,), (0,)]
    assert hit(random(2), random(2), random(), copies=3) == [(0, 1), (0, 2), (1,)]
    assert hit(random(None), random(), random(None), copies=2) == [(0, 1), (0,), (0, 1)]
    assert hit(random(), random(), copies=1) == [(0,), (0,)]


def test_scheduled_outages_take_the_first_copies_that_are_up() -> None:
    """One after the other hit the same copy, those at one time different ones.

    The fifth begins when only copy 1 is up: it need not wait for those that stand before it.
    """
    outages = [scheduled(0, 2), scheduled(5, 2), scheduled(6, 2), scheduled(1, 9), scheduled(2, 1)]
    assert hit(*outages, copies=3) == [(0,), (0,), (2,), (1,), (0,)]
    assert hit(scheduled(0, 9, 2), scheduled(1, 1, 2), copies=4) == [(0, 1), (2, 3)]


def test_scheduled_outages_stay_clear_of_random_ones() -> None:
    """If they can; the random ones do not care what is scheduled."""
    assert hit(scheduled(0, 9), random(), scheduled(1, 9), copies=3) == [(1,), (0,), (2,)]
    assert hit(scheduled(0, 9, 2), random(), copies=2) == [(0, 1), (0,)]


def test_an_autoscaled_service_has_its_first_copies_hit() -> None:
    """An outage of all hits also those that come later."""
    scale = Autoscale(most=4, target=0.5)
    assert hit(random(), random(), random(), random(None), copies=2, autoscale=scale) == [
        *((0,), (1,), (0,)),
        (0, 1, 2, 3),
    ]


def test_other_faults_do_not_matter() -> None:
    """Another service's outages and other faults of this one change no copy."""
    others = [Outage("b", mtbf=9, mttr=1, instances=1), Slowdown("a", 2.0, mtbf=9, mttr=1)]
    service = Service("a", instances=3, on={})
    alone = list(copies_hit([random(), random()], service).values())
    assert list(copies_hit([*others, random(), *others, random()], service).values()) == alone


def build(outages: list[Outage], copies: int) -> Scenario:
    """A world with these outages."""
    services = [Service("a", instances=copies, on={"M0": [takes(1)]})]
    return world(Call("M0"), [0], services, faults=outages)


windows = st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(1, 3))


@given(st.lists(windows, max_size=7), st.integers(3, 5))
def test_scheduled_outages_are_refused_only_where_there_are_too_few_copies(
    drawn: list[tuple[int, int, int]], copies: int
) -> None:
    """Second by second: who is down, and is that more than there are? Else nobody is hit twice."""
    outages = [scheduled(*each) for each in drawn]
    seconds = [
        [i for i, (at, lasts, _) in enumerate(drawn) if at <= second < at + lasts]
        for second in range(20)
    ]
    enough = all(sum(drawn[i][2] for i in down) <= copies for down in seconds)
    if not enough:
        with pytest.raises(InvalidInput, match="what is down cannot go down again"):
            build(outages, copies)
        return
    build(outages, copies)
    hits = hit(*outages, copies=copies)
    assert [len(each) for each in hits] == [n for _, _, n in drawn]
    for down in seconds:
        together = [copy for i in down for copy in hits[i]]
        assert len(set(together)) == len(together)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.integers(3, 9))
def test_random_outages_are_shared_out_evenly(taken: list[int], copies: int) -> None:
    """No copy is hit by two as long as another is hit by none, and never by two more."""
    hits = hit(*map(random, taken), copies=copies)
    assert [len(set(each)) for each in hits] == taken
    often = [sum(copy in each for each in hits) for copy in range(copies)]
    assert max(often) - min(often) <= 1


def test_two_copies_that_fail_by_themselves_are_seldom_down_together() -> None:
    """One of two is up for 1 - (1 - 5/6)² = 0.972 of the time, within 4 standard errors.

    Of each copy, down with probability u and up with a, the autocovariance of being down is
    u a exp(-λ t), λ = 1/mtbf + 1/mttr (alternating renewal). Of both being down it is
    (u² + u a exp(-λ t))² - u⁴; its integral gives the variance of the time down.
    """
    mtbf, mttr, seconds = 5.0, 1.0, 40_000.0
    outages = [Outage("a", instances=1, mtbf=mtbf, mttr=mttr) for _ in range(2)]
    services = [Service("a", instances=2, workers=9, on={"M0": [takes(0)]})]
    run = simulate(world(Call("M0"), Poisson(1), services, faults=outages, duration=seconds))
    up = theory.availability(mtbf, mttr)
    expected = theory.availability_in_parallel(up, up)
    assert round(expected, 3) == 0.972
    down, rate = 1 - up, 1 / mtbf + 1 / mttr
    variance = 2 * (2 * down**3 * up / rate + (down * up) ** 2 / (2 * rate)) / seconds
    variance += expected * (1 - expected) / len(run.requests)
    answered = (run.requests["outcome"] == "ok").mean()
    assert abs(answered - expected) < 4 * math.sqrt(variance)
    # Each copy fails by itself: one alone is down for a sixth of the time.
    alone = [mine["ended_at"] - mine["started_at"] for _, mine in run.faults.groupby("fault")]
    error = math.sqrt(2 * down * up / rate / seconds)
    assert all(abs(took.sum() / seconds - down) < 4 * error for took in alone)


def test_overlapping_outages_of_two_copies() -> None:
    """Copy 0 is down from 1 to 4 s, copy 1 from 2 to 3 s: only then is a call refused."""
    faults = [scheduled(1, 3), scheduled(2, 1)]
    services = [Service("a", instances=2, on={"M0": [takes(0.25)]})]
    moments = [0.5, 1.5, 2.5, 3.5, 4.5]
    run = simulate(world(Call("M0"), moments, services, faults=faults))
    assert [outcome for _, outcome in answers(run)] == ["ok", "ok", "failed", "ok", "ok"]
    assert run.attempts["instance"].tolist() == [0, 1, -1, 1, 1]


def test_a_copy_that_is_up_again_works_while_the_other_is_still_down() -> None:
    """Each comes back at its own time, whichever went down first."""
    faults = [scheduled(1, 1), scheduled(1.5, 3)]
    services = [Service("a", instances=2, on={"M0": [takes(0.25)]})]
    run = simulate(world(Call("M0"), [1.75, 2.25], services, faults=faults))
    assert [outcome for _, outcome in answers(run)] == ["failed", "ok"]
    assert run.attempts["instance"].tolist() == [-1, 0]
