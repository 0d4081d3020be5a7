"""A world that starts late is the world that starts at 0, in everything that is decided.

Floats have 53 bits: at 10^7 s two times can be told apart by some nanoseconds only, and the
same wait, begun at another time, ends in another last digit. Nothing may depend on that.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim import (
    Alert,
    Backoff,
    Call,
    CircuitBreaker,
    Constant,
    Deduplication,
    DeliveryPolicy,
    Exponential,
    Gamma,
    LogNormal,
    Outage,
    Publish,
    RateLimit,
    Retry,
    Run,
    Scenario,
    Service,
    Trace,
    Uniform,
    simulate,
)
from eda_sim.results.step_function import leaving
from eda_sim.rules.rounding import before
from tests.everything import TICK, everything
from tests.worlds import handled, takes, world

pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")

LATE = 2_666_667 * 60 * TICK  # 10^7 s; outboxes look at their own times, from 1 to 6 ticks apart
A_LITTLE = 1e-6  # seconds: hundreds of roundings of sums at 10^7 s

# -- the same world, later -------------------------------------------------------------


def later(scenario: Scenario, by: float) -> Scenario:
    """The world in which everything that has a time comes so many seconds later."""
    traffic = [
        replace(source, arrivals=Trace([time + by for time in source.arrivals.times]))
        for source in scenario.traffic
        if isinstance(source.arrivals, Trace)
    ]
    return scenario.replace(
        traffic=traffic,
        faults=[f if f.at is None else replace(f, at=f.at + by) for f in scenario.faults],
        redrives=[replace(redrive, at=redrive.at + by) for redrive in scenario.redrives],
        duration=scenario.duration + by,
    )


def told(run: Run, name: str, since: float) -> tuple[list[tuple[Any, ...]], np.ndarray]:
    """What a table says, and the times that it says, counted from ``since``; in one order."""
    table = run.tables[name]
    times = [column for column in table.columns if column == "at" or column.endswith("_at")]
    said = table.drop(columns=times).astype(object)
    found = list(said.where(said.notna(), None).itertuples(index=False, name=None))
    when = (table[times] - since).fillna(-1.0).to_numpy(dtype=float)
    order = sorted(range(len(table)), key=lambda i: (repr(found[i]), tuple(when[i])))
    return [found[i] for i in order], when[order]


def same(run: Run, late: Run, tolerance: float) -> None:
    """Compare all tables of a world and of the one that starts late."""
    for name in run.tables:
        (said, when), (late_said, late_when) = told(run, name, 0.0), told(late, name, LATE)
        assert said == late_said, name
        assert np.allclose(when, late_when, rtol=0, atol=tolerance), name


def changed(part: Any, change: Callable[[Any, str, Any], Any]) -> Any:
    """Return a description in which each value is what ``change`` makes of it."""
    if isinstance(part, tuple):
        return tuple(changed(item, change) for item in part)
    if isinstance(part, dict):
        return {key: changed(item, change) for key, item in part.items()}
    if not is_dataclass(part) or isinstance(part, type):
        return part
    new = {}
    for field in fields(part):
        value = getattr(part, field.name)
        made = change(part, field.name, value)
        new[field.name] = made if made is not value else changed(value, change)
    return replace(part, **new)


def traced(scenario: Scenario, seed: int, grid: float) -> Scenario:
    """The world whose requests come when they came, on a grid.

    Random faults and autoscalers go: they are at work from 0 on, however late others start.
    """
    requests = simulate(scenario, seed).requests
    traffic = []
    for source in scenario.traffic:
        times = requests["started_at"][requests["source"] == source.name].to_numpy()
        traffic.append(replace(source, arrivals=Trace((np.round(times / grid) * grid).tolist())))
    return scenario.replace(
        traffic=traffic,
        duration=scenario.duration + 1.0,
        faults=[
            fault if fault.at is not None else replace(fault, at=0.0, lasts=1024.0)
            for fault in scenario.faults
            if fault.mtbf is None
        ],
        services=[replace(service, autoscale=None) for service in scenario.services],
    )


_WAITS = ("timeout", "base", "maximum", "window", "open_for", "ack_timeout", "shed_after", "lasts")
_BROKERS = ("republish_after", "rebalance")


def on_the_grid(_: Any, name: str, value: Any) -> Any:
    """Only times that floats add exactly, at 10^7 s as well: sixteenths of a second."""
    if isinstance(value, (Exponential, LogNormal, Gamma)):
        return Constant(TICK)
    return "none" if name == "jitter" else value


def off_the_grid(part: Any, name: str, value: Any) -> Any:
    """Only times of which no two are alike, nor their sums: nothing falls on one instant."""
    if isinstance(value, Constant):
        return Uniform(0.5 * value.value + 0.001, 1.5 * value.value + 0.002)
    if name in _WAITS + _BROKERS and isinstance(value, float):
        return value * (1 + crc32(repr((name, part)).encode()) / 2**40)
    return value


@given(everything(), st.integers(0, 99))
def test_a_world_that_starts_late_on_the_grid(scenario: Scenario, seed: int) -> None:
    """Every row of every table is the same, 10^7 s later, to the digit."""
    exact = changed(traced(scenario, seed, TICK), on_the_grid)
    same(simulate(exact, seed), simulate(later(exact, LATE), seed), tolerance=0.0)


@given(everything(), st.integers(0, 99))
def test_a_world_that_starts_late_off_the_grid(scenario: Scenario, seed: int) -> None:
    """The same happens to everybody in the same order, 10^7 s later, but for the last digits."""
    odd = changed(traced(scenario, seed, 1e-4), off_the_grid)
    same(simulate(odd, seed), simulate(later(odd, LATE), seed), tolerance=A_LITTLE)


# -- one thing after the other, a wait apart ---------------------------------------------

EVERY = [0.1, 0.3, 1.1, 1 / 3]  # seconds that floats do not add exactly
BEGINS = [0.0, 0.7, 1e6, 1e7 + 0.7, 1e8 + 0.1]


def paced(begin: float, every: float, count: int) -> list[float]:
    """Times that are equally far apart, each rounded by itself."""
    return [begin + n * every for n in range(count)]


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("begin", BEGINS)
class TestPaced:
    """Calls that come exactly as far apart as something lasts: decided one way, however late."""

    def test_a_breaker_tries_again_when_its_time_is_over(self, begin: float, every: float) -> None:
        """Open for three times the pace: of every three calls two are short-circuited."""
        breaker = CircuitBreaker(failures=1, window=every, open_for=3 * every)
        services = [Service("a", on={"M0": [takes(0, transient=1.0)]})]
        call = Call("M0", breaker=breaker)
        run = simulate(world(call, paced(begin, every, 99), services, duration=begin + 200))
        found = run.requests["outcome"].tolist()
        assert found == ["failed", "short_circuited", "short_circuited"] * 33

    def test_a_breaker_forgets_what_is_a_window_ago(self, begin: float, every: float) -> None:
        """Two failures exactly a window apart never open it."""
        breaker = CircuitBreaker(failures=2, window=every, open_for=5.0)
        services = [Service("a", on={"M0": [takes(0, transient=1.0)]})]
        call = Call("M0", breaker=breaker)
        run = simulate(world(call, paced(begin, every, 99), services, duration=begin + 200))
        assert (run.requests["outcome"] == "failed").all()

    def test_a_memory_forgets_at_the_end_of_its_window(self, begin: float, every: float) -> None:
        """Of four tries the last, which comes a whole window after the first, works again."""
        retry = Retry(max_attempts=4, backoff=Backoff(every, factor=1.0))
        policy = DeliveryPolicy(retry=retry, idempotent=Deduplication(window=3 * every))
        steps = takes(0, "done"), takes(0, "fails", transient=1.0)
        services = [Service("a", on={"E": handled(policy, *steps)})]
        scenario = world(Publish("E"), paced(begin, 10.0, 9), services, duration=begin + 200)
        assert len(simulate(scenario).effects) == 2 * 9

    def test_who_has_waited_just_so_long_sheds_nobody(self, begin: float, every: float) -> None:
        """Calls come as one has waited for ``shed_after``, which is not more than that."""
        services = [Service("a", shed_after=every, on={"M0": [takes(50.0)]})]
        times = paced(begin, every, 3)
        run = simulate(world(Call("M0"), times, services, duration=begin + 200, drain=1000.0))
        assert (run.requests["outcome"] == "ok").all()

    def test_a_token_comes_in_time(self, begin: float, every: float) -> None:
        """Calls as far apart as tokens are never turned away."""
        services = [Service("a", rate_limit=RateLimit(1 / every, burst=1), on={"M0": []})]
        run = simulate(world(Call("M0"), paced(begin, every, 99), services, duration=begin + 200))
        assert (run.requests["outcome"] == "ok").all()

    def test_nobody_tries_again_when_the_deadline_has_come(
        self, begin: float, every: float
    ) -> None:
        """The callee's caller gives up with its own caller, to the last digit, and is done."""
        inner = Call("C", timeout=every, retry=Retry(max_attempts=9, backoff=Backoff(0.0)))
        services = [
            Service("a", on={"M0": [takes(every), inner]}),
            Service("c", workers=9, on={"C": [takes(50.0)]}),
        ]
        outer = Call("M0", timeout=2 * every, propagate_deadline=True)
        run = simulate(world(outer, [begin], services, duration=begin + 200))
        assert run.calls["attempts"].tolist() == [1, 1]
        assert not (run.incidents["what"] == "deadline_passed").any()

    def test_an_outage_may_begin_as_another_ends(self, begin: float, every: float) -> None:
        """However their times are rounded."""
        faults = [Outage("a", at=at, lasts=every) for at in paced(begin, every, 9)]
        services = [Service("a", on={"M0": []})]
        run = simulate(world(Call("M0"), [begin], services, faults=faults, duration=begin + 200))
        assert len(run.faults) == 9

    def test_what_leaves_a_window_as_another_comes_is_never_in_it_with_it(
        self, begin: float, every: float
    ) -> None:
        """Answers as far apart as the window is long: one at a time, at every moment."""
        times = paced(begin, every, 50)
        run = simulate(world(Call("M0"), times, {"a": []}, duration=begin + 200))
        line = run.timeline("throughput", window=every)
        assert line.values.max() == pytest.approx(1 / every)
        assert len(line.times) == 2
        assert np.array_equal(leaving(np.array(times), every)[:-1], times[1:])
        assert not len(run.alerts(Alert(f"throughput > {1.5 / every}", window=every)))


def test_before_means_more_than_a_rounding() -> None:
    """Sums that would be equal are, at every age; a real difference stays one."""
    for begin in (0.0, 1.0, 1e6, 1e9):
        assert not before(begin + 0.3, begin + 0.1 + 0.2)
        assert not before(begin + 0.1 + 0.2, begin + 0.3)
        assert before(begin, begin + 0.001)
    assert before(0.0, 5e-324)
