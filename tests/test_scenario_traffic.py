"""When requests come, and for whom: rates, rhythms, bursts and hot keys."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice, pairwise, repeat
from math import log1p, sqrt
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from eda_sim.scenario.traffic import (
    Bursts,
    Diurnal,
    Poisson,
    Regular,
    Spike,
    Trace,
    UniformKeys,
    ZipfKeys,
)
from tests.strategies import arrivals, stretched

DAY = Diurnal(mean_rate=10, peak_rate=18, period=100)
SPIKE = Spike(rate=10, at=30, lasts=20, factor=5)


def unit_gaps(seed: int = 1) -> Iterator[float]:
    """An endless stream of exponential gaps with mean 1."""
    random = Random(seed)
    return (-log1p(-random.random()) for _ in repeat(None))


def until(arrivals: Any, end: float, seed: int = 1) -> list[float]:
    """The arrival times before ``end``."""
    result = []
    for time in arrivals.moments(unit_gaps(seed)):
        if time >= end:
            break
        result.append(time)
    return result


# -- how many ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("process", "end", "expected"),
    [
        (Poisson(40), 500, 20_000),
        (Bursts(40, size=4), 500, 20_000),
        (Diurnal(40, 70, period=100), 500, 20_000),
        (Spike(20, at=100, lasts=100, factor=11), 500, 30_000),
        (Spike(20, at=100, lasts=100, factor=0.5), 500, 9_000),
    ],
)
def test_as_many_requests_as_expected(process: Any, end: float, expected: float) -> None:
    """Each process makes its expected number, within 4 standard deviations.

    Counts are Poisson, with variance equal to the mean; bursts of k have k times that.
    """
    deviation = sqrt(expected * getattr(process, "size", 1))
    assert len(until(process, end)) == pytest.approx(expected, abs=4 * deviation)


def test_gaps_of_a_poisson_process_are_exponential() -> None:
    """Gaps have the exponential distribution (Kolmogorov-Smirnov, 5,000 gaps, fixed seed).

    A true exponential fails a 0.001 level once in a thousand seeds; this seed passes.
    """
    times = until(Poisson(rate=50), 100)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert stats.kstest(gaps, stats.expon(scale=1 / 50).cdf).pvalue > 0.001


def test_a_metronome_is_even() -> None:
    """The n-th regular request comes at n / rate exactly, whatever the luck."""
    assert until(Regular(rate=8), 2) == [n / 8 for n in range(16)]
    assert until(Regular(rate=3), 100, seed=1) == until(Regular(rate=3), 100, seed=2)


def test_bursts_come_together() -> None:
    """Every burst has exactly ``size`` requests at the same instant; bursts are apart."""
    times = list(islice(Bursts(rate=9, size=3).moments(unit_gaps()), 300))
    assert set(Counter(times).values()) == {3}
    singles = list(islice(Poisson(rate=3).moments(unit_gaps()), 100))
    assert sorted(set(times)) == pytest.approx(singles, rel=1e-12)


# -- the daily rhythm -------------------------------------------------------------------


def test_a_day_has_a_trough_and_a_peak() -> None:
    """The rate is lowest at midnight, highest half a period later, and the mean in between."""
    assert DAY.rate_at(0) == pytest.approx(2)
    assert DAY.rate_at(25) == pytest.approx(10)
    assert DAY.rate_at(50) == pytest.approx(18)
    assert DAY.rate_at(100) == pytest.approx(2)


@pytest.mark.parametrize("time", [0.0, 1.0, 37.0, 50.0, 100.0, 333.3])
def test_expected_requests_are_the_integral_of_the_rate(time: float) -> None:
    """``expected_by`` is the rate integrated from 0 (quadrature, 1e-8)."""
    integral, _ = integrate.quad(DAY.rate_at, 0, time, limit=200)
    assert DAY.expected_by(time) == pytest.approx(integral, rel=1e-8, abs=1e-12)


@given(
    mean=st.floats(0.01, 1000),
    swing=st.floats(0, 1),
    period=st.floats(0.1, 1e5),
    periods=st.floats(1e-6, 50),
)
def test_a_day_is_inverted_exactly(
    mean: float, swing: float, period: float, periods: float
) -> None:
    """The one request whose gap is g comes when g requests are expected.

    Rounding of the time, times the highest rate, is the tolerance: 1e-12 of all so far.
    """
    day = Diurnal(mean, mean * (1 + swing), period)
    gap = mean * period * periods
    (time,) = day.moments(iter([gap]))
    assert day.expected_by(time) == pytest.approx(gap, rel=1e-12, abs=1e-12 * mean * period)


def test_a_whole_day_brings_its_mean() -> None:
    """After each whole period as many requests are expected as at the mean rate."""
    for n in range(1, 5):
        (time,) = DAY.moments(iter([10.0 * 100 * n]))
        assert time == pytest.approx(100 * n, rel=1e-9)


def test_a_day_without_rhythm_is_poisson() -> None:
    """With the peak at the mean, a day is a Poisson process, request by request."""
    flat = islice(Diurnal(7, 7, period=60).moments(unit_gaps()), 2000)
    poisson = islice(Poisson(7).moments(unit_gaps()), 2000)
    assert list(flat) == pytest.approx(list(poisson), rel=1e-12)


def test_the_peak_is_busier_than_the_trough() -> None:
    """In the busiest tenth of the day about as many requests come as its rate says."""
    times = until(DAY, 100 * 50)
    busy = sum(45 <= time % 100 < 55 for time in times)
    expected = 50 * (DAY.expected_by(55) - DAY.expected_by(45))
    assert busy == pytest.approx(expected, abs=4 * sqrt(expected))


# -- the spike ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "time"),
    [
        (100, 10.0),  # before: 10/s
        (300, 30.0),  # it begins
        (550, 35.0),  # meanwhile: 50/s
        (1300, 50.0),  # it ends
        (1400, 60.0),  # after: 10/s again
    ],
)
def test_a_spike_is_three_clocks(gap: float, time: float) -> None:
    """Before and after the spike time runs at the usual rate, meanwhile ``factor`` times faster."""
    assert list(SPIKE.moments(iter([gap]))) == [pytest.approx(time, rel=1e-12)]


def test_a_spike_leaves_the_requests_before_alone() -> None:
    """Until it begins, a spike's requests are those of the same source without it."""
    calm = until(Poisson(SPIKE.rate), SPIKE.at)
    assert until(SPIKE, SPIKE.at) == calm
    assert len(calm) > 200


def test_a_factor_of_one_is_no_spike() -> None:
    """With factor 1 the spike is a Poisson process, up to rounding."""
    flat = islice(Spike(10, at=30, lasts=20, factor=1).moments(unit_gaps()), 1000)
    assert list(flat) == pytest.approx(list(islice(Poisson(10).moments(unit_gaps()), 1000)))


# -- traces and all of them -------------------------------------------------------------------


def test_a_trace_is_what_was_measured() -> None:
    """A trace comes as it was recorded, ties included, and then ends."""
    assert list(Trace([0.0, 0.5, 0.5, 9.0]).moments(unit_gaps())) == [0.0, 0.5, 0.5, 9.0]
    assert list(Trace([]).moments(unit_gaps())) == []


@given(process=arrivals(requests=50, duration=2.0), seed=st.integers(0, 9))
def test_requests_come_in_order(process: Any, seed: int) -> None:
    """No process makes a request before an earlier one, nor before time 0."""
    times = list(islice(process.moments(unit_gaps(seed)), 300))
    assert times == sorted(times)
    assert all(time >= 0 for time in times)


@given(process=arrivals(requests=50, duration=2.0), seed=st.integers(0, 9))
def test_half_the_rate_is_twice_the_time(process: Any, seed: int) -> None:
    """With rates halved and times doubled, each request comes at exactly twice the time."""
    times = list(islice(process.moments(unit_gaps(seed)), 200))
    slower = list(islice(stretched(process, 2.0).moments(unit_gaps(seed)), 200))
    assert slower == [2 * time for time in times]


@pytest.mark.parametrize("process", [Poisson, Regular, lambda rate: Bursts(rate, 3)])
def test_a_changed_rate_rescales_the_same_luck(process: Any) -> None:
    """At half the rate every request is the same one, exactly twice as late."""
    times = list(islice(process(40).moments(unit_gaps()), 500))
    assert list(islice(process(20).moments(unit_gaps()), 500)) == [2 * time for time in times]


# -- keys -----------------------------------------------------------------------------------


def evenly(n: int) -> list[float]:
    """``n`` uniform numbers, evenly spread over (0, 1)."""
    return [(i + 0.5) / n for i in range(n)]


def test_uniform_keys_are_equally_popular() -> None:
    """Evenly spread luck meets each key equally often."""
    assert Counter(map(UniformKeys(8).key, evenly(800))) == dict.fromkeys(range(8), 100)


@pytest.mark.parametrize(("n", "s"), [(1, 1.0), (5, 1.0), (20, 0.5), (20, 2.0), (7, 0.0)])
def test_zipf_keys_are_as_popular_as_zipf_says(n: int, s: float) -> None:
    """The k-th key has SciPy's bounded Zipf probability, to the resolution of the grid."""
    if s == 0:
        expected = [1 / n] * n
    else:
        expected = [float(stats.zipfian.pmf(k, s, n)) for k in range(1, n + 1)]
    drawn = Counter(map(ZipfKeys(n, s=s).key, evenly(20_000)))
    assert [drawn[k] / 20_000 for k in range(n)] == pytest.approx(expected, abs=1.01 / 20_000)


@given(st.integers(1, 5000), st.floats(0, 3))
def test_keys_stay_within_bounds(n: int, s: float) -> None:
    """The smallest and the largest uniform number meet the first and the last key."""
    smallest, largest = 2.0**-53, 1 - 2.0**-53
    assert UniformKeys(n).key(smallest) == ZipfKeys(n, s=s).key(smallest) == 0
    assert UniformKeys(n).key(largest) == ZipfKeys(n, s=s).key(largest) == n - 1


def test_popularity_falls_with_the_number() -> None:
    """Luck rises through the keys in order, so the boundary of the hottest key is its share."""
    keys = ZipfKeys(n=3, s=1.0)
    drawn = [keys.key(u) for u in evenly(11_000)]
    assert drawn == sorted(drawn)
    # Weights 1, 1/2, 1/3 are shares 6/11, 3/11, 2/11.
    assert [bisect_left(drawn, k) for k in (1, 2)] == [6_000, 9_000]
    assert set(chain(drawn)) == {0, 1, 2}
