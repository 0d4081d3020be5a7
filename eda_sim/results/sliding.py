"""What a sliding window sees, exactly.

The window at time t holds what happened after t - w and up to t: an event of time s is
in it from s on, and out of it from s + w on. So whatever is counted, averaged or
ranked over the events of a window changes only at those moments, and the average of a
step function over a window runs along straight lines between such moments. Nothing is
sampled: when a threshold is crossed is computed.

A quantity over a window is a ratio of two such things, ``over / under``; where there is
nothing under, there is no value.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eda_sim.results.step_function import StepFunction, leaving

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_ULPS = 4 * np.finfo(float).eps  # what comparing two equal numbers may be off by
_SUMMING = 1e-12  # what adding up many numbers may be off by, as a part of their sum


class Span(NamedTuple):
    """A stretch of time, in seconds; one that never ends has an infinite end."""

    begin: float
    end: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A ratio of two straight lines in each of several stretches of time.

    Attributes:
        edges: where the stretches begin, seconds, ascending, shape ``(n,)``; the last lasts for
            ever, and nothing changes in it.
        over: the numerator at each stretch's begin and just before its end, shape ``(n, 2)``;
            NaN where there is no value.
        under: the denominator likewise, > 0.
        rounding: what ``over`` may be off by.
    """

    edges: Floats
    over: Floats
    under: Floats
    rounding: float = 0.0

    @cached_property
    def ends(self) -> Floats:
        """Where the stretches end, shape ``(n,)``."""
        return _until_next(self.edges)

    def only(self, since: float, until: float) -> "Curve":
        """Return the curve with a value in ``[since, until)`` alone (seconds)."""
        edges = np.unique(np.r_[self.edges, [t for t in (since, until) if np.isfinite(t)]])
        ends = _until_next(edges)
        at = np.searchsorted(self.edges, edges, side="right") - 1
        over, under = (
            np.column_stack([self._line(line, at, edges), self._line(line, at, ends)])
            for line in (self.over, self.under)
        )
        over[(edges < since) | (edges >= until)] = np.nan
        return Curve(edges, over, under, self.rounding)

    def _line(self, line: Floats, stretch: Whole, time: Floats) -> Floats:
        """Return a numerator or denominator at times within (or at the end of) stretches."""
        begin, end = self.edges[stretch], self.ends[stretch]
        with np.errstate(invalid="ignore"):
            share = np.where(np.isfinite(end), (time - begin) / (end - begin), 0.0)
        first, last = line[stretch, 0], line[stretch, 1]
        values: Floats = np.where(share == 1, last, first + (last - first) * share)
        return values

    def spans(self, threshold: float, above: bool) -> list[Span]:
        """Return when the value is above (or below) ``threshold``, the longest stretches of it."""
        sign = 1.0 if above else -1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = sign * (self.over - threshold * self.under)
            scale = np.abs(self.over) + np.abs(threshold) * self.under
            excess[np.abs(excess) <= _ULPS * scale + self.rounding] = 0.0
            first, last = excess.T
            crossing = self.edges + (self.ends - self.edges) * (first / (first - last))
            begins = np.where(first > 0, self.edges, crossing)
            ends = np.where((first > 0) & (last < 0), crossing, self.ends)
            true = np.flatnonzero((first > 0) | (last > 0))
        found: list[Span] = []
        goes_on = False  # whether the value is still there where the stretch before ended
        for i in true:
            span = Span(float(begins[i]), float(ends[i]))
            if found and goes_on and found[-1].end == span.begin:
                span = Span(found.pop().begin, span.end)
            found.append(span)
            goes_on = bool(last[i] > 0)
        return found

    def extreme(self, span: Span, above: bool) -> float:
        """Return the greatest (or the least) value within a span of time."""
        # A ratio of two straight lines has its extremes at the ends of a stretch.
        first = int(np.searchsorted(self.edges, span.begin, side="right")) - 1
        stretch = np.arange(first, int(np.searchsorted(self.edges, span.end, side="left")))
        values = [
            self._line(self.over, stretch, time) / self._line(self.under, stretch, time)
            for time in (
                np.maximum(self.edges[stretch], span.begin),
                np.minimum(self.ends[stretch], span.end),
            )
        ]
        return float((np.fmax if above else np.fmin).reduce(np.concatenate(values)))


def as_it_is(line: StepFunction) -> Curve:
    """Return a step function as it is at each moment, from time 0 on."""
    edges = np.unique(np.r_[0.0, line.times])
    return _steps(edges, line.sampled(edges))


def averaged(line: StepFunction, window: float) -> Curve:
    """Return the average of a step function over the window (seconds)."""
    return share_of(line, None, window)


def share_of(line: StepFunction, whole: StepFunction | None, window: float) -> Curve:
    """Return the area under ``line`` in the window as a part of that under ``whole`` (or 1)."""
    changes = np.r_[line.times, [] if whole is None else whole.times]
    edges = np.unique(np.r_[0.0, window, changes, changes + window])
    over = _area(line, edges) - _area(line, edges - window)
    under = np.full(len(edges), window)
    if whole is not None:
        under = _area(whole, edges) - _area(whole, edges - window)
    rounding = _SUMMING * float(np.max(np.abs(_area(line, edges)), initial=0.0))
    return Curve(edges, _without_jumps(over), _without_jumps(under), rounding)


def _until_next(edges: Floats) -> Floats:
    return np.concatenate([edges[1:], [np.inf]])


def _without_jumps(values: Floats) -> Floats:
    """Return begin and end of each stretch, of what is ``values`` at the edges."""
    return np.column_stack([values, np.concatenate([values[1:], values[-1:]])])


def _area(line: StepFunction, at: Floats) -> Floats:
    """Return the area under a step function that is 0 at first, from its beginning up to ``at``."""
    if not len(line.times):
        return np.zeros(len(at))
    before = np.r_[0.0, np.cumsum(line.values[:-1] * np.diff(line.times))]
    i = np.searchsorted(line.times, at, side="right") - 1
    return np.where(i < 0, 0.0, before[i] + line.values[i] * (at - line.times[i]))


def summed(times: Floats, values: Floats, window: float) -> Curve:
    """Return the sum of the ``values`` of the events in the window."""
    edges, first, last = _in_window(times, window)
    sums = np.r_[0.0, np.cumsum(values)]
    return _steps(edges, sums[last] - sums[first], rounding=_SUMMING * float(np.abs(sums).max()))


def mean(times: Floats, values: Floats, window: float) -> Curve:
    """Return the mean of the ``values`` of the events in the window; none where there are none."""
    edges, first, last = _in_window(times, window)
    sums = np.r_[0.0, np.cumsum(values)]
    rounding = _SUMMING * float(np.abs(sums).max())
    return _steps(edges, sums[last] - sums[first], (last - first).astype(float), rounding)


def quantile(times: Floats, values: Floats, window: float, q: float) -> Curve:
    """Return a quantile of the ``values`` of the events in the window; none where there are none.

    Between two ranks it is interpolated, as ``numpy.quantile`` does and so ``Run.summary``.
    """
    edges, first, last = _in_window(times, window)
    known = values.tolist()
    ranked: list[float] = []
    found = np.full(len(edges), np.nan)
    begin = end = 0
    for i, (oldest, newest) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        for value in known[end:newest]:
            insort(ranked, value)
        for value in known[begin:oldest]:
            del ranked[bisect_left(ranked, value)]
        begin, end = oldest, newest
        if ranked:
            rank = (len(ranked) - 1) * q
            low = int(rank)
            high = min(low + 1, len(ranked) - 1)
            found[i] = ranked[low] + (ranked[high] - ranked[low]) * (rank - low)
    return _steps(edges, found)


def _in_window(times: Floats, window: float) -> tuple[Floats, Whole, Whole]:
    """Return when events come and go, and which are in the window then: ``first`` up to ``last``.

    ``times`` are ascending, shape ``(n,)``; all three results have a place for each change.
    """
    gone = leaving(times, window)
    edges = np.unique(np.r_[0.0, times, gone])
    first, last = (np.searchsorted(t, edges, side="right").astype(np.int64) for t in (gone, times))
    return edges, first, last


def _steps(
    edges: Floats, over: Floats, under: Floats | None = None, rounding: float = 0.0
) -> Curve:
    """Return a curve that is constant in each stretch."""
    under = np.ones(len(edges)) if under is None else under
    over = np.where(under > 0, over, np.nan)
    return Curve(edges, np.column_stack([over, over]), np.column_stack([under, under]), rounding)
