"""Who asks for what, and when: arrivals, keys and the traffic they make up.

Every arrival process turns *unit gaps* (independent exponential times with
mean 1, a source's luck) into moments by running a clock at its own rate: the
n-th request comes when the expected number of requests reaches the sum of the
first n gaps (Çınlar, *Introduction to Stochastic Processes*, 1975, section 4.7).
So a changed rate rescales the same luck, and no gap is ever thrown away.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from functools import lru_cache
from itertools import accumulate, pairwise
from math import cos, pi, sin
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from eda_sim.scenario.description import (
    Count,
    Name,
    PositiveRate,
    PositiveSeconds,
    Seconds,
    description,
)
from eda_sim.scenario.frozen import freeze_sequence
from eda_sim.scenario.signature import ShownAs
from eda_sim.scenario.steps import Call, Publish, Send


@description
class Poisson:
    """Independent clients, memoryless.

    Args:
        rate: requests a second, on average.

    Example:
        >>> list(Poisson(rate=4).moments(iter([1.0, 0.5, 2.0])))
        [0.25, 0.375, 0.875]
    """

    rate: PositiveRate
    _: KW_ONLY
    kind: Literal["poisson"] = "poisson"

    def moments(self, gaps: Iterator[float]) -> Iterator[float]:
        """Yield the arrival times, in seconds, for an endless stream of unit gaps."""
        return (total / self.rate for total in accumulate(gaps))


@description
class Regular:
    """A metronome: evenly spaced requests, the first at 0.

    Args:
        rate: requests a second.

    Example:
        >>> from itertools import islice, repeat
        >>> list(islice(Regular(rate=4).moments(repeat(1.0)), 3))
        [0.0, 0.25, 0.5]
    """

    rate: PositiveRate
    _: KW_ONLY
    kind: Literal["regular"] = "regular"

    def moments(self, gaps: Iterator[float]) -> Iterator[float]:
        """Yield the arrival times, in seconds; the gaps are only counted."""
        return (n / self.rate for n, _ in enumerate(gaps))


@description
class Bursts:
    """Several requests at the same instant; the bursts come as a Poisson process.

    Args:
        rate: requests a second, on average.
        size: requests in each burst.

    Example:
        >>> list(Bursts(rate=4, size=2).moments(iter([1.0, 2.0])))
        [0.5, 0.5, 1.5, 1.5]
    """

    rate: PositiveRate
    size: Count
    _: KW_ONLY
    kind: Literal["bursts"] = "bursts"

    def moments(self, gaps: Iterator[float]) -> Iterator[float]:
        """Yield the arrival times, in seconds: each burst's time ``size`` times."""
        for total in accumulate(gaps):
            for _ in range(self.size):
                yield total * self.size / self.rate


@description
class Diurnal:
    """A daily rhythm: a sine from a trough at time 0 to its peak half a period later.

    Args:
        mean_rate: requests a second, on average.
        peak_rate: requests a second at the peak, at most twice ``mean_rate``.
        period: from trough to trough, in seconds.

    Example:
        >>> Diurnal(mean_rate=10, peak_rate=18, period=86400).rate_at(43200)
        18.0
    """

    mean_rate: PositiveRate
    peak_rate: PositiveRate
    period: PositiveSeconds
    _: KW_ONLY
    kind: Literal["diurnal"] = "diurnal"

    @model_validator(mode="after")
    def _possible(self) -> "Diurnal":
        if not self.mean_rate <= self.peak_rate <= 2 * self.mean_rate:
            raise ValueError(
                f"must have mean_rate <= peak_rate <= 2 * mean_rate, got mean_rate="
                f"{self.mean_rate}, peak_rate={self.peak_rate}: at the trough the rate is "
                "2 * mean_rate - peak_rate and cannot be negative"
            )
        return self

    def rate_at(self, time: float) -> float:
        """Return the rate (requests a second) at ``time`` (seconds)."""
        swing = self.peak_rate - self.mean_rate
        return self.mean_rate - swing * cos(2 * pi * time / self.period)

    def expected_by(self, time: float) -> float:
        """Return the expected number of requests in ``[0, time)``."""
        swing = self.peak_rate - self.mean_rate
        return self.mean_rate * time - swing * self.period / (2 * pi) * sin(
            2 * pi * time / self.period
        )

    def moments(self, gaps: Iterator[float]) -> Iterator[float]:
        """Yield the arrival times, in seconds, for an endless stream of unit gaps."""
        return (self._time_of(total) for total in accumulate(gaps))

    def _time_of(self, expected: float) -> float:
        """Invert ``expected_by`` by bisection, within the period that holds it."""
        low = expected // (self.mean_rate * self.period) * self.period
        high = low + self.period
        while True:
            middle = (low + high) / 2
            if not low < middle < high:
                return low
            low, high = (middle, high) if self.expected_by(middle) <= expected else (low, middle)


@description
class Spike:
    """A usual rate, and for a while a multiple of it.

    Args:
        rate: the usual rate, in requests a second.
        at: when the spike begins, in seconds.
        lasts: for how many seconds.
        factor: how many times the usual rate it is then.

    Example:
        >>> list(Spike(rate=1, at=2, lasts=1, factor=4).moments(iter([1.0, 1.0, 2.0, 2.0, 1.0])))
        [1.0, 2.0, 2.5, 3.0, 4.0]
    """

    rate: PositiveRate
    at: Seconds
    lasts: PositiveSeconds
    factor: PositiveRate
    _: KW_ONLY
    kind: Literal["spike"] = "spike"

    def moments(self, gaps: Iterator[float]) -> Iterator[float]:
        """Yield the arrival times, in seconds, for an endless stream of unit gaps."""
        before = self.rate * self.at
        during = self.rate * self.factor * self.lasts
        for total in accumulate(gaps):
            if total < before:
                yield total / self.rate
            elif total < before + during:
                yield self.at + (total - before) / (self.rate * self.factor)
            else:
                yield self.at + self.lasts + (total - before - during) / self.rate


@description
class Trace:
    """Requests at given times, as measured somewhere.

    Those at or after the scenario's duration are left out, with a warning.

    Args:
        times: when each comes, in seconds, ascending.

    Example:
        >>> Trace([0.1, 0.1, 7.5]).times
        (0.1, 0.1, 7.5)
    """

    times: Annotated[Sequence[Seconds], freeze_sequence]
    _: KW_ONLY
    kind: Literal["trace"] = "trace"

    @field_validator("times")
    @classmethod
    def _ascending(cls, times: Sequence[float]) -> Sequence[float]:
        for earlier, later in pairwise(times):
            if later < earlier:
                raise ValueError(f"must be ascending, got {later} after {earlier}: sort the times")
        return times

    def moments(self, gaps: Iterator[float]) -> Iterator[float]:
        """Yield the given times; there is no luck in them."""
        return iter(self.times)


Arrivals = Annotated[
    Poisson | Regular | Bursts | Diurnal | Spike | Trace,
    Field(discriminator="kind"),
    ShownAs("Arrivals"),
]


@description
class UniformKeys:
    """Aggregates (customers, products), equally popular.

    Args:
        n: how many there are.

    Example:
        >>> UniformKeys(10).key(0.37)
        3
    """

    n: Count
    _: KW_ONLY
    kind: Literal["uniform_keys"] = "uniform_keys"

    def key(self, u: float) -> int:
        """Return the key at the uniform number ``u`` in (0, 1)."""
        return int(u * self.n)


@description
class ZipfKeys:
    """Aggregates (customers, products), of which a few are hot.

    Args:
        n: how many there are.
        s: how steep: the k-th most popular has weight ``1 / k**s``; 0 makes all alike.

    Example:
        >>> ZipfKeys(n=3, s=1.0).key(0.5)  # weights 1, 1/2, 1/3: the first has 6/11
        0
    """

    n: Count
    _: KW_ONLY
    s: Annotated[float, Field(ge=0)] = 1.0
    kind: Literal["zipf_keys"] = "zipf_keys"

    def key(self, u: float) -> int:
        """Return the key at the uniform number ``u`` in (0, 1); 0 is the hottest."""
        weights = _zipf_weights(self.n, self.s)
        return min(bisect_right(weights, u * weights[-1]), self.n - 1)


@lru_cache(maxsize=16)
def _zipf_weights(n: int, s: float) -> tuple[float, ...]:
    return tuple(accumulate(1 / k**s for k in range(1, n + 1)))


Keys = Annotated[UniformKeys | ZipfKeys, Field(discriminator="kind"), ShownAs("Keys")]

ClientStep = Annotated[Call | Send | Publish, Field(discriminator="kind")]


@description
class Traffic:
    """A source of requests: clients that call, send or publish.

    Args:
        message: what each request does.
        arrivals: when requests come.
        keys: draws the aggregate that a request is about; None: each request is its own.
        name: of the source and its luck: give the same name in two scenarios and the same requests
            come to both.

    Example:
        >>> Traffic(Call("PlaceOrder"), Poisson(rate=40), keys=UniformKeys(1000), name="customers")
        Traffic(Call('PlaceOrder'), Poisson(40.0), keys=UniformKeys(1000), name='customers')
    """

    message: ClientStep
    arrivals: Arrivals
    _: KW_ONLY
    keys: Keys | None = None
    name: Name = "clients"
