"""How sure one run can be of a mean.

Source: Law, *Simulation Modeling and Analysis*, 5th ed. (2015), section 9.5.3
(batch means).
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eda_sim.errors import InvalidInput


class Interval(NamedTuple):
    """An estimate with its confidence interval: ``mean`` plus or minus ``half_width``."""

    mean: float
    half_width: float
    confidence: float
    n: int  # how many independent values stand behind it

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half_width

    def covers(self, value: float) -> bool:
        """Say whether ``value`` lies within the interval."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.half_width:.2g} ({self.confidence:.0%}, n={self.n})"


def student_t(values: npt.NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Return the t interval of the mean of independent ``values``; needs two or more.

    >>> str(student_t(np.array([1.0, 2.0, 3.0])))
    '2 ± 2.5 (95%, n=3)'
    """
    from scipy.stats import t

    n = len(values)
    mean = float(values.mean()) if n else float("nan")
    if n < 2:
        return Interval(mean, float("nan"), confidence, n)
    quantile = float(t.ppf((1 + confidence) / 2, n - 1))
    return Interval(mean, quantile * float(values.std(ddof=1)) / sqrt(n), confidence, n)


def batch_means(values: npt.NDArray[np.float64], batches: int, confidence: float) -> Interval:
    """Return the interval of the mean of correlated ``values`` by cutting them into batches."""
    if batches < 2 or len(values) < 2 * batches:
        raise InvalidInput(
            f"batches must be between 2 and half the number of values ({len(values)}), "
            f"got {batches}: use fewer batches, or a longer run"
        )
    size = len(values) // batches
    means = values[len(values) - size * batches :].reshape(batches, size).mean(axis=1)
    return student_t(means, confidence)
