"""Exact step functions of time: nothing is sampled.

A step function is what it was at its last change: ``values[i]`` holds from
``times[i]`` up to ``times[i + 1]``, and ``start`` before the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eda_sim.later.pandas import pd
from eda_sim.rules.rounding import ROUNDING

Floats = npt.NDArray[np.float64]


def leaving(times: Floats, window: float) -> Floats:
    """Return when what happened at ``times`` (ascending) is out of a window of so many seconds.

    What leaves as something else happens does so at that very time, whatever rounding says.
    """
    gone = times + window
    known = np.r_[-np.inf, times, np.inf]
    after = np.searchsorted(known[1:], gone) + 1
    for near in (known[after - 1], known[after]):
        gone = np.where(np.abs(gone - near) <= ROUNDING * np.abs(gone), near, gone)
    return gone


@dataclass(frozen=True, eq=False)
class StepFunction:
    """A quantity over time that changes in steps.

    Args:
        name: what it is, with its subject and unit.
        times: when it changes, seconds, ascending, shape ``(n,)``.
        values: what it is from then on, shape ``(n,)``.
        start: what it is before the first change.

    Example:
        >>> queue = StepFunction.of_intervals("queue", np.array([0.0, 1.0]), np.array([3.0, 2.0]))
        >>> queue.at(1.5), queue.mean(0.0, 4.0)
        (2.0, 1.0)
    """

    name: str
    times: Floats
    values: Floats
    start: float = 0.0

    @classmethod
    def of_intervals(cls, name: str, begins: Floats, ends: Floats) -> StepFunction:
        """Count the intervals that are open at each time; an end of NaN never comes."""
        return cls.of_changes(
            name,
            np.concatenate([begins, ends]),
            np.concatenate([np.ones(len(begins)), -np.ones(len(ends))]),
        )

    @classmethod
    def of_changes(cls, name: str, times: Floats, changes: Floats) -> StepFunction:
        """Add up ``changes``; those at the same time are one, those at NaN never come."""
        known = ~np.isnan(times)
        when, where = np.unique(times[known], return_inverse=True)
        steps = np.bincount(where, weights=changes[known], minlength=len(when))
        values = np.cumsum(steps)
        changed = np.diff(values, prepend=0.0) != 0
        return cls(name, when[changed], values[changed])

    @classmethod
    def of_latest(cls, name: str, times: Floats, values: Floats) -> StepFunction:
        """The latest of ``values``, each of which is known from its time on."""
        known = ~np.isnan(times)
        order = np.argsort(times[known], kind="stable")
        return cls(name, times[known][order], values[known][order], start=float("nan"))

    def at(self, time: float) -> float:
        """Return the value at ``time`` (seconds)."""
        i = int(np.searchsorted(self.times, time, side="right")) - 1
        return float(self.values[i]) if i >= 0 else self.start

    def sampled(self, times: Floats) -> Floats:
        """Return the values at many ``times`` (seconds), shape as given."""
        i = np.searchsorted(self.times, times, side="right") - 1
        return np.where(i >= 0, self.values[i] if len(self.values) else self.start, self.start)

    def integral(self, begin: float, end: float) -> float:
        """Return the area under the function between two times, in units x seconds."""
        inside = (self.times > begin) & (self.times < end)
        corners = np.r_[begin, self.times[inside], end]
        heights = np.r_[self.at(begin), self.values[inside]]
        return float(np.dot(np.diff(corners), heights))

    def mean(self, begin: float, end: float) -> float:
        """Return the time average between two times (seconds)."""
        return self.integral(begin, end) / (end - begin)

    def max(self, begin: float = float("-inf"), end: float = float("inf")) -> float:
        """Return the greatest value between two times (seconds); NaN if there was none."""
        inside = (self.times > begin) & (self.times < end)
        return float(np.fmax.reduce(np.r_[self.at(begin), self.values[inside]]))

    def to_series(self) -> pd.Series:
        """Return the changes as a Series, its index the times in seconds."""
        index = pd.Index(self.times, name="time")
        return pd.Series(self.values, index=index, name=self.name)

    def __repr__(self) -> str:
        return f"StepFunction({self.name!r}, {len(self.times)} changes)"
