"""How far an estimate can be off: confidence intervals over replications.

Replications are independent runs, so their metrics are independent and
identically distributed, and the interval of their mean is Student's. The
difference of two architectures that ran with the same luck is judged on the
differences replication by replication: what both share, good luck or bad,
cancels out. What that saves is seen against Welch's interval, which is all that
is left when the pairing is ignored.

A metric that is undefined in a replication (NaN) has no say there: it is left
out, and how many replications remain is part of the estimate.

References:
    Law, *Simulation Modeling and Analysis*, 5th ed. 2015: section 9.4.1 (means),
    10.2.1 (paired-t), 10.2.2 (Welch's approach).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isnan, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eda_sim.errors import InvalidInput

Sample = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over ``replications``, and the ``half_width`` of its interval, in the metric's unit.

    The mean is NaN over no replications, the half-width over fewer than two.
    """

    mean: float
    half_width: float
    replications: int


@dataclass(frozen=True)
class Difference:
    """What one architecture has more than the baseline, in the metric's unit.

    ``difference`` is the mean, ``half_width`` that of its paired interval,
    ``unpaired_half_width`` Welch's for the same numbers, as if no luck were shared.
    """

    difference: float
    half_width: float
    unpaired_half_width: float
    replications: int

    @property
    def narrower(self) -> float:
        """How many times narrower the pairing makes the interval; NaN where both are 0."""
        if self.half_width == 0:
            return inf if self.unpaired_half_width > 0 else nan
        return self.unpaired_half_width / self.half_width

    @property
    def excludes_zero(self) -> bool:
        """Whether the paired interval says that there is a difference at all."""
        return abs(self.difference) > self.half_width  # False where the half-width is NaN


def checked_confidence(confidence: float) -> float:
    """Return ``confidence``; raises ``InvalidInput`` unless it lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise InvalidInput(
            f"confidence must be > 0 and < 1, got {confidence!r}: give a fraction, 0.95 for 95%"
        )
    return float(confidence)


def mean_interval(sample: Sample, confidence: float = 0.95) -> Estimate:
    """Estimate the mean of independent replications, ``sample`` of shape (replications,).

    The half-width is ``t * s / sqrt(n)``, with the quantile of Student's t with
    n - 1 degrees of freedom. NaN values are left out.

    References:
        Law 2015, section 9.4.1.

    >>> mean_interval([1.0, 2.0, 3.0, 4.0])
    Estimate(mean=2.5, half_width=2.05..., replications=4)
    """
    values = _defined(sample)
    n = len(values)
    if n == 0:
        return Estimate(nan, nan, 0)
    if n == 1:
        return Estimate(float(values[0]), nan, 1)
    half_width = _t(n - 1, confidence) * _spread(values) / sqrt(n)
    return Estimate(float(np.mean(values)), half_width, n)


def paired_difference(sample: Sample, baseline: Sample, confidence: float = 0.95) -> Difference:
    """Estimate ``sample - baseline``, both of shape (replications,), paired by position.

    A replication counts where both are defined; the unpaired interval is of
    the same replications, so that the two differ by the pairing alone.

    References:
        Law 2015, section 10.2.1: the paired-t interval.

    >>> shared = [5.0, 1.0, 3.0]
    >>> d = paired_difference([x + e for x, e in zip(shared, [1.1, 0.9, 1.0])], shared)
    >>> d.excludes_zero, d.narrower > 10
    (True, True)
    """
    x, y = np.asarray(sample, float), np.asarray(baseline, float)
    if x.shape != y.shape:
        raise InvalidInput(
            f"paired samples must be equally long, got {x.shape} and {y.shape}: "
            "pair replication by replication"
        )
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    paired = mean_interval(x - y, confidence)
    unpaired = welch_half_width(x, y, confidence)
    return Difference(paired.mean, paired.half_width, unpaired, paired.replications)


def welch_half_width(sample: Sample, other: Sample, confidence: float = 0.95) -> float:
    """Return the half-width of the interval of a difference of two independent means.

    The variances may differ; the degrees of freedom are Welch's estimate. NaN
    if either sample has fewer than two defined values.

    References:
        Welch, "The generalization of 'Student's' problem when several different
        population variances are involved", Biometrika 34, 1947; Law 2015,
        section 10.2.2.

    >>> welch_half_width([1.0, 1.0], [3.0, 3.0])  # nothing varies, nothing is uncertain
    0.0
    """
    x, y = _defined(sample), _defined(other)
    if min(len(x), len(y)) < 2:
        return nan
    parts = [_spread(values) ** 2 / len(values) for values in (x, y)]
    variance = sum(parts)
    if variance == 0:
        return 0.0
    # Divided through by the variance, so that the squares of tiny ones stay above 0.
    shares = [part / variance for part in parts]
    freedom = 1 / sum(s**2 / (len(v) - 1) for s, v in zip(shares, (x, y), strict=True))
    return _t(freedom, confidence) * sqrt(variance)


def _defined(sample: ArrayLike) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.asarray(sample, float)
    defined: NDArray[np.float64] = values[~np.isnan(values)]
    return defined


def _spread(values: NDArray[np.float64]) -> float:
    """Return the sample standard deviation, exactly 0 where all values are the same."""
    if np.all(values == values[0]):
        return 0.0  # the mean of equal numbers may be a digit off, and none of them varies
    return float(np.std(values, ddof=1))


def _t(freedom: float, confidence: float) -> float:
    # scipy.special knows the quantile and is imported far quicker than scipy.stats.
    from scipy.special import stdtrit

    quantile = float(stdtrit(freedom, 0.5 + checked_confidence(confidence) / 2))
    assert not isnan(quantile)
    return quantile
