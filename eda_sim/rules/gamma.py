"""The quantile of a gamma distribution, by scalar arithmetic only.

Inversion keeps one uniform number for one draw, so a changed mean rescales the
same luck; scalar ``math`` functions give the same digits wherever they are
compiled. The regularised incomplete gamma function is summed as a series below
the shape and as a continued fraction above it, and inverted by Halley's steps
(Newton's, corrected for the curvature) kept inside a bracket.

Source: Abramowitz and Stegun, *Handbook of Mathematical Functions* (1964),
6.5.29 (series), 6.5.31 (continued fraction), 26.4.17 (Wilson-Hilferty, the
first guess).
"""

from functools import lru_cache
from math import exp, lgamma, log, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()
_EPSILON = 1e-16
_TINY = 1e-300


def regularised_lower(shape: float, x: float) -> float:
    """Return P(shape, x), the gamma distribution function at ``x`` (scale 1).

    >>> round(regularised_lower(1.0, 1.0), 6)  # 1 - exp(-1)
    0.632121
    """
    if x <= 0:
        return 0.0
    if x < shape + 1:
        return _front(shape, x) * _series(shape, x)
    return 1.0 - _front(shape, x) * _continued_fraction(shape, x)


def _front(shape: float, x: float) -> float:
    return exp(shape * log(x) - x - lgamma(shape))


def _excess(shape: float, x: float, u: float) -> float:
    """Return P(shape, x) - u, comparing what is above where what is below is nearly 1."""
    if x < shape + 1:
        return _front(shape, x) * _series(shape, x) - u
    return (1.0 - u) - _front(shape, x) * _continued_fraction(shape, x)


def _series(shape: float, x: float) -> float:
    term = total = 1.0 / shape
    n = shape
    while term > total * _EPSILON:
        n += 1
        term *= x / n
        total += term
    return total


def _continued_fraction(shape: float, x: float) -> float:
    """Evaluate the fraction from its front (the modified Lentz method)."""
    b = x + 1 - shape
    c = 1 / _TINY
    d = 1 / b
    value = d
    for i in range(1, 500):
        a = -i * (i - shape)
        b += 2
        d = 1 / (a * d + b or _TINY)
        c = b + a / c or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def quantile(u: float, shape: float) -> float:
    """Return the ``u`` quantile of a gamma distribution with scale 1.

    >>> round(quantile(0.5, 1.0), 6)  # log(2), an exponential's median
    0.693147
    """
    guess = _first_guess(u, shape)
    if shape < 0.5 and guess < 1e-17:
        return guess  # what the guess leaves out is smaller than a rounding
    low, high = 0.0, _upper_bound(shape)
    x = min(max(guess, high * 1e-12), high)
    for _ in range(100):
        error = _excess(shape, x, u)
        low, high = (low, x) if error > 0 else (x, high)
        following = x - _halley(error, shape, x)
        if not low < following < high:
            following = (low + high) / 2
        elif abs(following - x) <= 1e-6 * x:
            return following  # the error of the next would be the cube of this one's
        x = following
    return x


def _halley(error: float, shape: float, x: float) -> float:
    """Return how far to step back from ``x``; a Newton step, corrected for the curvature."""
    density = _front(shape, x) / x
    if density == 0:
        return x
    newton = error / density
    return newton / max(0.5, 1 - newton * ((shape - 1) / x - 1) / 2)


def _first_guess(u: float, shape: float) -> float:
    if shape < 0.5:
        # Near zero P(shape, x) is x**shape / gamma(shape + 1).
        return exp((log(u) + lgamma(shape + 1)) / shape)
    c = 1 / (9 * shape)
    return shape * float(max(0.01, 1 - c + _NORMAL.inv_cdf(u) * sqrt(c))) ** 3


@lru_cache(maxsize=64)
def _upper_bound(shape: float) -> float:
    """Return a time that no draw exceeds: uniform numbers end 2**-53 below 1."""
    high = shape + 10 * sqrt(shape) + 10
    while _excess(shape, high, 1 - 2**-53) < 0:
        high *= 2
    return high
