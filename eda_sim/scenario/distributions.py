"""How long things take: distributions given by what people know.

A mean in seconds, and a coefficient of variation (standard deviation divided by
mean) where the shape allows one. How a distribution turns a uniform number into
a time is in ``rules.quantiles``.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from math import inf, sqrt
from statistics import fmean, pstdev
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from eda_sim.scenario.description import PositiveSeconds, Seconds, description
from eda_sim.scenario.frozen import freeze_sequence
from eda_sim.scenario.signature import ShownAs


@description
class Constant:
    """Always the same time.

    Args:
        value: the time, in seconds.

    Example:
        >>> Constant(0.05).mean
        0.05
    """

    value: Seconds
    _: KW_ONLY
    kind: Literal["constant"] = "constant"

    @property
    def mean(self) -> float:
        """Mean, in seconds."""
        return self.value

    @property
    def cv(self) -> float:
        """Coefficient of variation."""
        return 0.0


@description
class Exponential:
    """Memoryless: many short times, few long ones (cv 1).

    Args:
        mean: in seconds.

    Example:
        >>> Exponential(0.05).cv
        1.0
    """

    mean: PositiveSeconds
    _: KW_ONLY
    kind: Literal["exponential"] = "exponential"
    cv: ClassVar[float] = 1.0


@description
class LogNormal:
    """Right-skewed: most are short, some are long.

    Args:
        mean: in seconds.
        cv: coefficient of variation: standard deviation divided by mean.

    Example:
        >>> LogNormal(0.06, cv=0.5)
        LogNormal(0.06, cv=0.5)
    """

    mean: PositiveSeconds
    _: KW_ONLY
    cv: Annotated[float, Field(gt=0)] = 1.0
    kind: Literal["log_normal"] = "log_normal"


@description
class Gamma:
    """Anything from nearly constant to very variable.

    A cv of ``1/sqrt(k)`` is Erlang-k: k exponential stages in a row.

    Args:
        mean: in seconds.
        cv: coefficient of variation: standard deviation divided by mean, from 0.001 to 20.

    Example:
        >>> Gamma(0.06, cv=0.5)  # Erlang-4
        Gamma(0.06, cv=0.5)
    """

    mean: PositiveSeconds
    _: KW_ONLY
    cv: Annotated[float, Field(ge=0.001, le=20)] = 1.0
    kind: Literal["gamma"] = "gamma"


@description
class Uniform:
    """Anything between two times, equally likely.

    Args:
        low: the shortest, in seconds.
        high: the longest, in seconds.

    Example:
        >>> Uniform(1.0, 3.0).mean
        2.0
    """

    low: Seconds
    high: Seconds
    _: KW_ONLY
    kind: Literal["uniform"] = "uniform"

    @model_validator(mode="after")
    def _ordered(self) -> "Uniform":
        if self.high < self.low:
            raise ValueError(f"must have low <= high, got low={self.low}, high={self.high}")
        return self

    @property
    def mean(self) -> float:
        """Mean, in seconds."""
        return (self.low + self.high) / 2

    @property
    def cv(self) -> float:
        """Coefficient of variation."""
        return (self.high - self.low) / sqrt(12) / self.mean if self.high else 0.0


@description
class Pareto:
    """A heavy tail: ``P(X > x) = (minimum / x) ** shape``.

    Args:
        mean: in seconds.
        shape: how fast the tail falls; above 1, for the mean to exist. Up to 2 the variance is
            infinite.

    Example:
        >>> round(Pareto(0.1, shape=2.5).cv, 4)
        0.8944
    """

    mean: PositiveSeconds
    _: KW_ONLY
    shape: Annotated[float, Field(gt=1)] = 2.5
    kind: Literal["pareto"] = "pareto"

    @property
    def cv(self) -> float:
        """Coefficient of variation (infinite up to a shape of 2)."""
        return 1 / sqrt(self.shape * (self.shape - 2)) if self.shape > 2 else inf


@description
class Empirical:
    """One of the measured times, each equally likely.

    Args:
        samples: the times, in seconds.

    Example:
        >>> round(Empirical([0.1, 0.2, 0.6]).mean, 2)
        0.3
    """

    samples: Annotated[Sequence[Seconds], Field(min_length=1), freeze_sequence]
    _: KW_ONLY
    kind: Literal["empirical"] = "empirical"

    @field_validator("samples")
    @classmethod
    def _sorted(cls, samples: Sequence[float]) -> tuple[float, ...]:
        return tuple(sorted(samples))

    @property
    def mean(self) -> float:
        """Mean, in seconds."""
        return fmean(self.samples)

    @property
    def cv(self) -> float:
        """Coefficient of variation."""
        return pstdev(self.samples) / self.mean if self.mean else 0.0


@description
class Recorded:
    """For trace-driven runs: request n takes the n-th time, and there is no luck.

    Requests are counted in each source of traffic by itself, so those of two sources take the same
    values (there is a warning), and so does every time that one request comes here, a later try
    included. A run that has more requests than values stops with an error.

    Args:
        values: the times, in seconds, in the order of a source's requests.

    Example:
        >>> Recorded([0.1, 0.3]).values[1]
        0.3
    """

    values: Annotated[Sequence[Seconds], Field(min_length=1), freeze_sequence]
    _: KW_ONLY
    kind: Literal["recorded"] = "recorded"

    @property
    def mean(self) -> float:
        """Mean, in seconds."""
        return fmean(self.values)

    @property
    def cv(self) -> float:
        """Coefficient of variation."""
        return pstdev(self.values) / self.mean if self.mean else 0.0


Distribution = Annotated[
    Constant | Exponential | LogNormal | Gamma | Uniform | Pareto | Empirical | Recorded,
    Field(discriminator="kind"),
    ShownAs("Distribution"),
]
