"""Each distribution is the one that it says it is: quantiles, means, spread, scaling.

The oracles are SciPy's quantile functions and integrals of the quantile itself.
"""

from math import exp, inf, isinf, log1p, nextafter, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from eda_sim.rules import gamma, quantiles
from eda_sim.scenario.distributions import (
    Constant,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Pareto,
    Recorded,
    Uniform,
)

# The ends of what a 53-bit uniform number can be, and much in between.
UNIFORMS = [
    2.0**-53,
    1e-12,
    1e-6,
    0.001,
    0.01,
    *(n / 20 for n in range(1, 20)),
    0.99,
    0.999,
    1 - 1e-6,
    1 - 1e-12,
    1 - 2.0**-53,
]


def log_normal(mean: float, cv: float) -> Any:
    """SciPy's log-normal with this mean and coefficient of variation."""
    variance = log1p(cv * cv)
    return stats.lognorm(s=sqrt(variance), scale=mean * exp(-variance / 2))


TWINS = [
    (Exponential(0.05), stats.expon(scale=0.05)),
    (Uniform(0.2, 0.5), stats.uniform(loc=0.2, scale=0.3)),
    (Uniform(0, 3), stats.uniform(loc=0, scale=3)),
    *((LogNormal(0.06, cv=cv), log_normal(0.06, cv)) for cv in (0.1, 1.0, 5.0)),
    *(
        (Pareto(0.1, shape=a), stats.pareto(a, scale=0.1 * (a - 1) / a))
        for a in (1.1, 2.0, 2.5, 9.0)
    ),
    *(
        (Gamma(0.06, cv=cv), stats.gamma(1 / cv**2, scale=0.06 * cv**2))
        for cv in (0.05, 0.5, 1 / sqrt(2), 1.0, 2.0, 10.0)
    ),
]
names = [repr(ours) for ours, _ in TWINS]

SHAPED = [ours for ours, _ in TWINS]
CONTINUOUS = [d for d in SHAPED if not (isinstance(d, Gamma) and d.cv > 5)]


@pytest.mark.parametrize(("ours", "scipys"), TWINS, ids=names)
def test_quantiles_are_scipys(ours: Any, scipys: Any) -> None:
    """The quantile is SciPy's at every probability, ends included.

    Log-normal: the statistics module's normal quantile is good to about 1e-15 absolute, far
    tails to 1e-9 relative. The others agree to rounding, which far tails multiply.
    """
    for u in UNIFORMS:
        assert quantiles.of(ours)(u) == pytest.approx(float(scipys.ppf(u)), rel=1e-9, abs=1e-250)


@pytest.mark.parametrize(("ours", "scipys"), TWINS, ids=names)
def test_mean_and_cv_are_scipys(ours: Any, scipys: Any) -> None:
    """What a distribution says of its mean and cv is what its shape has."""
    assert ours.mean == pytest.approx(float(scipys.mean()), rel=1e-12)
    spread = float(scipys.std()) / ours.mean
    assert isinf(spread) if isinf(ours.cv) else ours.cv == pytest.approx(spread, rel=1e-9)


@pytest.mark.parametrize(
    "ours",
    [
        Exponential(0.05),
        LogNormal(0.06, cv=0.5),
        Gamma(0.06, cv=0.5),
        Gamma(0.06, cv=1.4),
        Uniform(0.2, 0.5),
        Pareto(0.1, shape=6.0),
    ],
    ids=repr,
)
def test_mean_and_cv_are_those_of_the_draws(ours: Any) -> None:
    """Averaged over all uniform numbers, the quantile has the stated mean and cv.

    Quadrature to 1e-8; the second moment's integrand is steep at 1, hence 1e-4 for it.
    """
    mean, _ = integrate.quad(quantiles.of(ours), 0, 1, limit=400)
    square, _ = integrate.quad(lambda u: quantiles.of(ours)(u) ** 2, 0, 1, limit=400)
    assert mean == pytest.approx(ours.mean, rel=1e-6)
    assert sqrt(square - mean**2) / mean == pytest.approx(ours.cv, rel=1e-4)


@pytest.mark.parametrize("ours", SHAPED, ids=repr)
def test_a_higher_number_never_gives_a_shorter_time(ours: Any) -> None:
    """Quantiles rise with the uniform number, so that one order's bad luck stays bad luck."""
    draws = [quantiles.of(ours)(u) for u in UNIFORMS]
    assert draws == sorted(draws)
    assert draws[0] >= 0
    assert draws[-1] < inf


@pytest.mark.parametrize("make", [Constant, Exponential, LogNormal, Gamma, Pareto])
@given(u=st.floats(2.0**-53, 1 - 2.0**-53), mean=st.floats(1e-6, 1e6))
def test_a_changed_mean_rescales_the_same_luck(make: Any, u: float, mean: float) -> None:
    """Twice the mean is exactly twice the time, to the last bit, for every uniform number."""
    assert quantiles.of(make(2 * mean))(u) == 2 * quantiles.of(make(mean))(u)


# -- gamma, whose quantile has no closed form -------------------------------------


@pytest.mark.parametrize(
    "shape", [0.0025, 0.01, 0.1, 0.3, 0.49, 0.5, 0.75, 1, 1.5, 2, 5, 20, 100, 1e3, 1e4]
)
def test_gamma_quantiles_over_all_shapes(shape: float) -> None:
    """Between cv 0.01 and 20 the gamma quantile is SciPy's within 1e-11, in both tails.

    What is left is rounding: P(shape, x) subtracts numbers near shape * log(shape) in an
    exponent, which a small shape multiplies by 1/shape in the result.
    """
    for u in UNIFORMS:
        expected = float(stats.gamma.ppf(u, shape))
        assert gamma.quantile(u, shape) == pytest.approx(expected, rel=1e-11, abs=1e-280)


def test_gamma_quantile_at_the_largest_shape() -> None:
    """Nearly constant (cv 0.001, shape a million) it still agrees to 1e-8."""
    for u in UNIFORMS:
        expected = float(stats.gamma.ppf(u, 1e6))
        assert gamma.quantile(u, 1e6) == pytest.approx(expected, rel=1e-8)


@given(
    u=st.floats(2.0**-53, 1 - 2.0**-53),
    cv=st.floats(0.01, 20),
)
def test_gamma_quantile_inverts_its_distribution_function(u: float, cv: float) -> None:
    """P(shape, quantile(u)) = u wherever the quantile is a number a float can hold."""
    shape = 1 / cv**2
    x = gamma.quantile(u, shape)
    if x > 1e-300:
        assert gamma.regularised_lower(shape, x) == pytest.approx(u, rel=1e-9, abs=1e-15)
    else:
        assert float(stats.gamma.cdf(1e-299, shape)) >= u


@pytest.mark.parametrize("shape", [0.01, 0.5, 1.0, 3.7, 250.0])
def test_gamma_distribution_function_is_scipys(shape: float) -> None:
    """P(shape, x) is SciPy's, in the series and in the continued fraction alike."""
    for factor in (1e-9, 0.1, 0.9, 0.999, 1.001, 1.1, 3, 30):
        x = (shape + 1) * factor
        expected = float(stats.gamma.cdf(x, shape))
        assert gamma.regularised_lower(shape, x) == pytest.approx(expected, rel=1e-11, abs=1e-300)
    assert gamma.regularised_lower(shape, 0.0) == 0.0


@given(u=st.floats(1e-9, 1 - 1e-9), stages=st.integers(1, 6))
def test_gamma_of_k_stages_is_erlang(u: float, stages: int) -> None:
    """cv 1/sqrt(k) is Erlang-k: the chance of exceeding it is that of fewer than k Poisson points.

    Tolerance: the sum loses at most a few roundings of terms below 1.
    """
    rate = stages  # of each stage, for a mean of 1
    x = quantiles.of(Gamma(1.0, cv=1 / sqrt(stages)))(u)
    term = total = exp(-rate * x)
    for n in range(1, stages):
        term *= rate * x / n
        total += term
    assert 1 - total == pytest.approx(u, rel=1e-6, abs=1e-13)


# -- those without luck, or with recorded luck ---------------------------------------


def test_a_constant_is_constant() -> None:
    """A constant has cv 0 and the same quantile everywhere, 0 included."""
    assert {quantiles.of(Constant(0.05))(u) for u in UNIFORMS} == {0.05}
    assert (Constant(0.05).mean, Constant(0.05).cv) == (0.05, 0.0)
    assert (quantiles.of(Constant(0))(0.5), Constant(0).cv) == (0.0, 0.0)


def test_empirical_draws_each_sample_equally_often() -> None:
    """Evenly spread uniform numbers meet each sample equally often, in ascending order."""
    empirical = Empirical([3.0, 1.0, 1.0, 2.0])
    draws = [quantiles.of(empirical)((n + 0.5) / 400) for n in range(400)]
    assert draws == [1.0] * 200 + [2.0] * 100 + [3.0] * 100
    assert empirical.mean == pytest.approx(1.75)
    assert empirical.cv == pytest.approx(stats.variation([3.0, 1.0, 1.0, 2.0]))


@given(st.integers(1, 2000))
def test_the_last_uniform_number_meets_the_last_sample(n: int) -> None:
    """Rounding never points behind the last sample."""
    empirical = Empirical([float(i) for i in range(n)])
    assert quantiles.of(empirical)(nextafter(1.0, 0.0)) == n - 1
    assert quantiles.of(empirical)(nextafter(0.0, 1.0)) == 0


def test_the_order_of_samples_does_not_matter() -> None:
    """The same samples in another order are the same distribution."""
    assert Empirical([3, 1, 2]) == Empirical([1, 2, 3])


def test_recorded_values_keep_their_order() -> None:
    """A recording is a sequence, not a distribution: its order stays, its mean is known."""
    recorded = Recorded([3, 1, 2])
    assert recorded.values == (3.0, 1.0, 2.0)
    assert recorded.mean == 2.0
    assert recorded.cv == pytest.approx(stats.variation([3, 1, 2]))
    assert Recorded([3, 1, 2]) != Recorded([1, 2, 3])


def test_degenerate_spreads() -> None:
    """Where nothing varies, or everything is 0, the cv is 0 and no division fails."""
    assert Uniform(0, 0).cv == Empirical([0.0]).cv == Recorded([0.0]).cv == 0.0
    assert Uniform(2, 2).cv == 0.0
    assert quantiles.of(Uniform(2, 2))(0.3) == 2.0


def test_a_pareto_has_its_minimum_and_its_tail() -> None:
    """No draw is below the minimum, and P(X > 2 minimum) is 2**-shape."""
    pareto = Pareto(0.3, shape=3.0)
    assert quantiles.of(pareto)(2.0**-53) == pytest.approx(0.2)
    assert quantiles.of(pareto)(1 - 2.0**-3) == pytest.approx(0.4)
    assert Pareto(1, shape=2).cv == inf
