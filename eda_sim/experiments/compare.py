"""Architectures side by side, on the same orders and the same luck.

Replication r of every architecture runs with the same derived seed, so that
the same requests come at the same moments and the same work, where service and
label agree, takes equally long. What differs is the architecture; the noise
that all share cancels out of every difference (common random numbers: Law,
*Simulation Modeling and Analysis*, 5th ed. 2015, section 11.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eda_sim.errors import InvalidInput, SimulationError, nearest
from eda_sim.experiments.intervals import checked_confidence, mean_interval, paired_difference
from eda_sim.experiments.replications import Summary, replication_seed, summaries
from eda_sim.experiments.text import among_text, estimate_text
from eda_sim.later.pandas import pd
from eda_sim.scenario.frozen import FrozenDict
from eda_sim.scenario.scenario import Scenario

METRIC_COLUMNS = ("architecture", "replication", "seed", "metric", "value")
DIFFERENCE_COLUMNS = (
    "difference",
    "half_width",
    "unpaired_half_width",
    "narrower",
    "replications",
    "excludes_zero",
)


def compare(
    scenarios: Mapping[str, Scenario],
    replications: int = 10,
    seed: int = 0,
    *,
    executor: Executor | None = None,
    progress: bool = True,
    confidence: float = 0.95,
) -> Comparison:
    """Run every architecture ``replications`` times, each time with the same luck for all.

    Args:
        scenarios: the architectures by name; the first is the baseline.
        replications: independent repetitions, at least 1; an interval needs 2.
        seed: the whole experiment's; each replication's is derived from it.
        executor: who runs the replications, any ``concurrent.futures.Executor``; by
            default as many processes as this machine has cores.
        progress: show a progress bar while the runs are under way.
        confidence: of every interval, between 0 and 1.

    Raises:
        InvalidInput: if an argument cannot be right.
        SimulationError: if a run cannot go on.

    Example:
        >>> from eda_sim import *
        >>> serve = Work(Constant(1.0), "serve")
        >>> few, many = (
        ...     Scenario(
        ...         f"{workers} at the desk",
        ...         traffic=[Traffic(Call("Serve"), Poisson(rate=1.5))],
        ...         services=[
        ...             Service(
        ...                 "counter", workers=workers, on={"Serve": [Work(Constant(1), "serve")]}
        ...             )
        ...         ],
        ...         duration=60,
        ...     )
        ...     for workers in (2, 4)
        ... )
        >>> comparison = compare({"few": few, "many": many}, replications=3, progress=False)
        >>> change = comparison.differences().loc[("many", "response_time_mean")]
        >>> bool(change["difference"] < 0)
        True
    """
    architectures = _checked_scenarios(scenarios)
    checked_confidence(confidence)
    seeds = tuple(
        replication_seed(_whole("seed", seed), replication)
        for replication in range(_at_least_one("replications", replications))
    )
    tasks = [(scenario, seed) for scenario in architectures.values() for seed in seeds]
    rows = summaries(tasks, executor, progress=progress)
    by_name = {
        name: rows[i * len(seeds) : (i + 1) * len(seeds)] for i, name in enumerate(architectures)
    }
    comparison = Comparison(FrozenDict(architectures), seeds, confidence, _tidy(by_name, seeds))
    comparison._check_same_orders()
    return comparison


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What ``compare`` measured; estimates and intervals are computed from it on demand.

    Args:
        scenarios: the architectures by name, in the order given.
        seeds: the seed of each replication: ``simulate(scenario, seed=seeds[r])``
            shows replication r alone, in full.
        confidence: of every interval.
        metrics: every number measured, a row each; columns ``architecture``,
            ``replication`` (from 0), ``seed``, ``metric`` (named as in
            ``Run.summary()``) and ``value`` (in the metric's unit; NaN where undefined).
    """

    scenarios: Mapping[str, Scenario]
    seeds: tuple[int, ...]
    confidence: float
    metrics: pd.DataFrame

    @property
    def same_orders(self) -> bool:
        """Whether all architectures get the same requests, so that pairing is request by request.

        They do where traffic, duration and warm-up are equal.
        """
        first, *others = map(_orders, self.scenarios.values())
        return all(other == first for other in others)

    def table(self, metrics: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Estimate each metric of each architecture; all metrics, if none are named.

        Returns a row for each metric and, for each architecture, the columns
        ``mean``, ``half_width`` (both in the metric's unit) and ``replications``,
        those where the metric is defined. The mean is NaN over none, the
        half-width over fewer than two.

        Raises:
            InvalidInput: if a metric is not known.
        """
        chosen = self._chosen(metrics)
        parts = {name: self._estimates(name, chosen) for name in self.scenarios}
        return pd.concat(parts, axis="columns", names=["architecture", "estimate"])

    def differences(
        self, baseline: str | None = None, metrics: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Estimate what each other architecture has more than the ``baseline`` (the first).

        Returns a row for each (architecture, metric), with the columns

        - ``difference`` and ``half_width``, from the differences within each
          replication (the paired interval), in the metric's unit;
        - ``unpaired_half_width``: as if the luck were not shared (Welch);
        - ``narrower``: how many times narrower the pairing makes the interval;
        - ``replications``: those where both are defined;
        - ``excludes_zero``: whether the paired interval leaves no difference out.

        Raises:
            InvalidInput: if the baseline or a metric is not known.
        """
        start = next(iter(self.scenarios)) if baseline is None else baseline
        if start not in self.scenarios:
            raise InvalidInput(
                f"baseline must be one of the architectures, got {start!r}: "
                f"{nearest(str(start), self.scenarios)}"
            )
        chosen = self._chosen(metrics)
        parts = {
            name: self._differences(name, start, chosen) for name in self.scenarios if name != start
        }
        if not parts:
            nothing = pd.MultiIndex.from_arrays([[], []], names=["architecture", "metric"])
            return pd.DataFrame(index=nothing, columns=list(DIFFERENCE_COLUMNS))
        return pd.concat(parts, names=["architecture"])

    def to_dict(self) -> dict[str, Any]:
        """Return seeds, estimates and differences as plain data, NaN where undefined."""
        first, *others = self.scenarios
        known = self._chosen(None)
        return {
            "architectures": [first, *others],
            "replications": len(self.seeds),
            "seeds": list(self.seeds),
            "confidence": self.confidence,
            "same_orders": self.same_orders,
            "estimates": {
                name: self._estimates(name, known).to_dict("index") for name in self.scenarios
            },
            "differences": {
                name: self._differences(name, first, known).to_dict("index") for name in others
            },
        }

    # -- how it shows itself -----------------------------------------------------

    def title(self) -> str:
        """Return in one line what the estimates rest on."""
        n = len(self.seeds)
        runs = f"{n} replication{'s' if n > 1 else ''} of each"
        interval = f"{100 * self.confidence:.4g}% intervals" if n > 1 else "no intervals"
        luck = "on the same orders" if self.same_orders else "on different orders"
        return f"{runs}, {interval}, {luck}"

    def __repr__(self) -> str:
        return f"{self.title()}\n{self._readable().to_string()}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self.title())}</p>{self._readable().to_html()}"

    def _readable(self) -> pd.DataFrame:
        """Return estimates and differences as text, a row for each metric."""
        first, *others = self.scenarios
        known = self._chosen(None)
        columns = {
            name: self._texts(self._estimates(name, known), "mean") for name in self.scenarios
        }
        for name in others:
            estimates = self._differences(name, first, known)
            columns[f"{name} - {first}"] = self._texts(estimates, "difference")
        return pd.DataFrame(columns, index=pd.Index(known, name="metric"))

    def _texts(self, estimates: pd.DataFrame, center: str) -> list[str]:
        """Write each estimate, and over how many replications if not over all."""
        return [
            estimate_text(mean, half_width, sign=center == "difference")
            + among_text(n, len(self.seeds))
            for mean, half_width, n in zip(
                estimates[center], estimates["half_width"], estimates["replications"], strict=True
            )
        ]

    # -- inside --------------------------------------------------------------------

    def _estimates(self, name: str, metrics: list[str]) -> pd.DataFrame:
        """Return the columns of one architecture in ``table``."""
        return pd.DataFrame(
            [mean_interval(self._samples[name, metric], self.confidence) for metric in metrics],
            index=pd.Index(metrics, name="metric"),
        )

    def _differences(self, name: str, baseline: str, metrics: list[str]) -> pd.DataFrame:
        """Return the rows of one architecture in ``differences``."""
        pairs = [
            (self._samples[name, metric], self._samples[baseline, metric]) for metric in metrics
        ]
        found = [paired_difference(x, y, self.confidence) for x, y in pairs]
        return pd.DataFrame(
            {column: [getattr(d, column) for d in found] for column in DIFFERENCE_COLUMNS},
            index=pd.Index(metrics, name="metric"),
        )

    @cached_property
    def _samples(self) -> dict[tuple[str, str], NDArray[np.float64]]:
        """The values of each (architecture, metric), by replication."""
        groups = self.metrics.groupby(["architecture", "metric"], sort=False)["value"]
        return {(name, metric): v.to_numpy(float) for (name, metric), v in groups}  # type: ignore[misc]

    def _chosen(self, metrics: str | Sequence[str] | None) -> list[str]:
        known: list[str] = list(self.metrics["metric"].unique())
        if metrics is None:
            return known
        chosen = [metrics] if isinstance(metrics, str) else list(metrics)
        for metric in chosen:
            if metric not in known:
                raise InvalidInput(f"metric {metric!r} is not measured: {nearest(metric, known)}")
        return chosen

    def _check_same_orders(self) -> None:
        """Raise if equal traffic did not bring equally many requests: nothing would be paired."""
        if not self.same_orders:
            return
        first, *others = (self._samples.get((name, "requests")) for name in self.scenarios)
        for name, other in zip(list(self.scenarios)[1:], others, strict=True):
            if not np.array_equal(first, other, equal_nan=True):  # type: ignore[arg-type]
                raise SimulationError(
                    f"{name!r} got other requests than {next(iter(self.scenarios))!r} although "
                    "their traffic is equal: the engine broke the rules of luck"
                )


def _orders(scenario: Scenario) -> tuple[Any, ...]:
    # What clients do with a request is the architecture; when, and about what, is the order.
    sources = [(source.name, source.arrivals, source.keys) for source in scenario.traffic]
    return sorted(sources, key=lambda s: s[0]), scenario.duration, scenario.warmup


def _tidy(summaries_of: Mapping[str, Sequence[Summary]], seeds: Sequence[int]) -> pd.DataFrame:
    rows = [
        (name, replication, seeds[replication], metric, value)
        for name, replicated in summaries_of.items()
        for replication, summary in enumerate(replicated)
        for metric, value in summary.items()
    ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


# -- what is refused -------------------------------------------------------------


def _checked_scenarios(scenarios: object) -> dict[str, Scenario]:
    if not isinstance(scenarios, Mapping):
        raise InvalidInput(
            f"scenarios must map a name to each architecture, got {type(scenarios).__name__}: "
            "write compare({'sync': chain, 'pub/sub': pubsub})"
        )
    if not scenarios:
        raise InvalidInput("scenarios must have at least 1 item, got {}: name an architecture")
    for name, scenario in scenarios.items():
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"scenarios must be named by texts, got {name!r}: give it a name")
        if not isinstance(scenario, Scenario):
            remedy = "call it" if callable(scenario) else "build one, or read it with from_yaml"
            raise InvalidInput(
                f"scenarios[{name!r}] must be a Scenario, got {type(scenario).__name__}: {remedy}"
            )
    return dict(scenarios)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidInput(f"{name} must be a whole number, got {value!r}: give one, such as 7")
    return int(value)


def _at_least_one(name: str, value: object) -> int:
    if (count := _whole(name, value)) < 1:
        raise InvalidInput(f"{name} must be >= 1, got {count}: run at least once")
    return count
