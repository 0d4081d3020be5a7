"""Every formula that turns a uniform number into a time.

Each inverts its distribution function: monotone, one uniform number for one time, and
proportional to the mean, so a changed mean rescales the same luck. Only scalar functions of
``math`` are used: they give the same digits in Python and in compiled code, which numpy's
vectorised forms do not.

Source of the formulas: Law, *Simulation Modeling and Analysis*, 5th ed. (2015), section 8.3
(inversion of each distribution); ``gamma`` names its own.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import exp, log1p, sqrt
from statistics import NormalDist
from typing import assert_never

from eda_sim.rules import gamma
from eda_sim.scenario.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Pareto,
    Recorded,
    Uniform,
)

Quantile = Callable[[float], float]

_normal = NormalDist().inv_cdf


def constant(value: float, u: float) -> float:
    """Return ``value``, whatever the luck."""
    return value


def exponential(mean: float, u: float) -> float:
    """Return the exponential time at the uniform number ``u`` in (0, 1).

    >>> round(exponential(0.05, 0.5), 4)
    0.0347
    """
    return -mean * log1p(-u)


def log_normal(mean: float, sigma: float, half: float, u: float) -> float:
    """Return the log-normal time; ``sigma`` of the logarithm, and half its variance.

    >>> round(log_normal(0.06, sqrt(log1p(1)), log1p(1) / 2, 0.5), 4)
    0.0424
    """
    return mean * exp(sigma * _normal(u) - half)


def gamma_time(mean: float, shape: float, u: float) -> float:
    """Return the gamma time; with shape 1 it is exponential.

    >>> round(gamma_time(0.06, 1.0, 0.5), 6) == round(exponential(0.06, 0.5), 6)
    True
    """
    return mean * (gamma.quantile(u, shape) / shape)


def uniform(low: float, width: float, u: float) -> float:
    """Return the time between ``low`` and ``low + width``.

    >>> uniform(1.0, 2.0, 0.25)
    1.5
    """
    return low + width * u


def pareto(minimum: float, exponent: float, u: float) -> float:
    """Return the Pareto time; ``exponent`` is -1 / shape.

    >>> round(pareto(0.06, -1 / 2.5, 0.99), 4)
    0.3786
    """
    return minimum * float((1 - u) ** exponent)


def empirical(samples: Sequence[float], u: float) -> float:
    """Return one of the samples, each equally likely.

    >>> empirical((0.1, 0.2, 0.6), 0.5)
    0.2
    """
    return samples[int(u * len(samples))]


def of(distribution: Distribution) -> Quantile:
    """Return what turns a uniform number in (0, 1) into a time (seconds) of a distribution.

    Recorded values need no luck, and so have no quantiles.

    >>> of(Uniform(1.0, 3.0))(0.5)
    2.0
    """
    match distribution:
        case Constant():
            return partial(constant, distribution.value)
        case Exponential():
            return partial(exponential, distribution.mean)
        case LogNormal():
            variance = log1p(distribution.cv * distribution.cv)
            return partial(log_normal, distribution.mean, sqrt(variance), variance / 2)
        case Gamma():
            shape = 1 / (distribution.cv * distribution.cv)
            return partial(gamma_time, distribution.mean, shape)
        case Uniform():
            return partial(uniform, distribution.low, distribution.high - distribution.low)
        case Pareto():
            minimum = distribution.mean * (distribution.shape - 1) / distribution.shape
            return partial(pareto, minimum, -1 / distribution.shape)
        case Empirical():
            return partial(empirical, distribution.samples)
        case Recorded():
            raise TypeError("recorded values are looked up by the request, not drawn")
        case _:
            assert_never(distribution)
