"""How long it takes for most, and for the unlucky: one curve for each architecture.

The curve is the empirical exceedance, 1 - ECDF: how large a share takes longer
than so many seconds. Both axes are logarithmic, so that one request in two and
one in a thousand are both there to read; p50, p95 and p99 carry markers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from eda_sim.errors import InvalidInput, nearest
from eda_sim.later.matplotlib import Axes, Line2D
from eda_sim.results.run import Run
from eda_sim.results.summary import MEANINGS, measured
from eda_sim.results.words import count_text, number_text, seconds_text
from eda_sim.views.canvas import (
    LEGEND_BELOW,
    axes_for,
    put_legend,
    put_title,
    quiet_grid,
    seconds_on,
    size_of,
)
from eda_sim.views.description import attach, listed
from eda_sim.views.style import QUIET, SMALL, Look, looks, styled
from eda_sim.views.subjects import named

Floats = npt.NDArray[np.float64]

QUANTILES = {"p50": 0.5, "p95": 0.05, "p99": 0.01}  # how large a share takes longer
_MOST_POINTS = 2000
_COUNTED = {"delivery_lag": "delivery"}


def draw_distribution(
    runs: Run | Mapping[str, Run],
    metric: str = "response_time",
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """Draw which share takes longer than how many seconds, with p50, p95 and p99 marked.

    Args:
        runs: a run, or several by name.
        metric: ``response_time``, ``completion_time``, ``consistency_lag`` or ``delivery_lag``.
        ax: where to draw; a new figure if None.
        title: what to write above it instead of the finding.

    Raises:
        InvalidInput: if the metric is not one of those, or ``runs`` holds no run.

    Example:
        >>> from eda_sim import draw_distribution, order_chain, simulate
        >>> ax = draw_distribution(simulate(order_chain(duration=20, warmup=0)))
        >>> ax.get_xlabel()
        'response time (log scale)'
    """
    by_name = named(runs)
    samples = {name: _sample(run, metric) for name, run in by_name.items()}
    marks = {name: _marks(run, metric) for name, run in by_name.items()}
    missing = {name: _never(run, metric, len(samples[name])) for name, run in by_name.items()}
    with styled():
        ax = axes_for(ax)
        for position, (name, look) in enumerate(looks(by_name).items()):
            _draw_one(ax, samples[name], marks[name], look, 3 + position)
        _set_axes(ax, samples.values(), metric)
        _label_marks(ax, marks)
        finding = title or _finding(metric, marks)
        put_title(ax, finding)
        _draw_legend(ax, samples, missing, metric)
    attach(ax, *_words(metric, finding, samples, marks, missing))
    return ax


# -- the numbers ---------------------------------------------------------------


def _sample(run: Run, metric: str) -> Floats:
    times = measured(run, run.ledger())
    if metric not in times:
        raise InvalidInput(
            f"metric must be a measured time, got {metric!r}: {nearest(metric, times)}"
        )
    return np.sort(times[metric].to_numpy(dtype=float))


def _marks(run: Run, metric: str) -> dict[str, float]:
    summary = run.summary()
    return {name: float(summary[f"{metric}_{name}"]) for name in QUANTILES}


def _never(run: Run, metric: str, defined: int) -> int:
    """Return how many requests have no such time: never answered ok, never all applied."""
    return 0 if metric == "delivery_lag" else int(run.summary()["requests"]) - defined


def exceedance(sample: Floats) -> tuple[Floats, Floats]:
    """Return where the curve of a sorted sample changes, and the share that is greater from there.

    Of a long sample, as many of its points as can be seen; each of them is exact.

    >>> x, share = exceedance(np.array([1.0, 2.0, 2.0, 4.0]))
    >>> x.tolist(), share.tolist()
    ([1.0, 2.0, 4.0], [0.75, 0.25, 0.0])
    """
    times, counts = np.unique(sample, return_counts=True)
    greater = len(sample) - np.cumsum(counts)
    if len(times) > _MOST_POINTS:
        ranks = np.geomspace(1, len(times), _MOST_POINTS).astype(int)
        kept = np.unique(np.r_[len(times) - ranks, 0])
        times, greater = times[kept], greater[kept]
    return times, greater / len(sample)


# -- the picture ---------------------------------------------------------------


def _draw_one(ax: Axes, sample: Floats, marks: Mapping[str, float], look: Look, order: int) -> None:
    if not len(sample) or not sample[-1] > 0:
        return
    times, share = exceedance(sample)
    first = times[0] if times[0] > 0 else times[times > 0][0] / 2
    x, y = np.r_[first, times], np.r_[np.mean(sample > 0) if times[0] <= 0 else 1.0, share]
    seen = (x > 0) & (y > 0)
    ax.plot(
        x[seen], y[seen], color=look.color, linestyle=look.line, drawstyle="steps-post",
        zorder=order,
    )  # fmt: skip
    points = [(marks[name], share) for name, share in QUANTILES.items() if marks[name] > 0]
    if points:
        ax.plot(
            *zip(*points, strict=True), color=look.color, marker=look.marker, linestyle="none",
            markersize=11, markeredgecolor="white", zorder=order + 20,
        )  # fmt: skip


def _set_axes(ax: Axes, samples: Sequence[Floats] | object, metric: str) -> None:
    assert not isinstance(samples, str)
    positive = [sample[sample > 0] for sample in samples]  # type: ignore[attr-defined]
    present = [sample for sample in positive if len(sample)]
    ax.set_xscale("log")
    ax.set_yscale("log")
    if present:
        # The fastest of all are of no interest, and on a log scale would take most of the width.
        begin = min(float(np.quantile(sample, 0.02)) for sample in present)
        end = max(float(sample[-1]) for sample in present)
        ax.set_xlim(begin / 1.3, max(end, begin) * 1.3)
        least = min(1 / len(sample) for sample in present)
    else:
        ax.set_xlim(0.001, 1.0)
        least = 0.001
    ax.set_ylim(max(min(least, 0.005), 1e-4), 1.3)
    ticks = {1.0: "all", 0.5: "1 in 2 (p50)", 0.05: "1 in 20 (p95)", 0.01: "1 in 100 (p99)"}
    ticks |= {10.0**-n: f"1 in {number_text(10.0**n)}" for n in (3, 4)}
    kept = {at: text for at, text in ticks.items() if at >= ax.get_ylim()[0]}
    ax.set_yticks(list(kept), list(kept.values()))
    ax.minorticks_off()
    seconds_on(ax.xaxis)
    quiet_grid(ax)
    for share in QUANTILES.values():
        ax.axhline(share, color=QUIET, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
    ax.set_xlabel(f"{metric.replace('_', ' ')} (log scale)")
    who = "deliveries" if metric == "delivery_lag" else "requests"
    ax.set_ylabel(f"share of {who} that take longer")


def _label_marks(ax: Axes, marks: Mapping[str, Mapping[str, float]]) -> None:
    """Write each marked time at its marker: on the right, or on the left where another is near."""
    low, high = np.log(ax.get_xlim())
    inches = size_of(ax)[0]
    for quantile, share in QUANTILES.items():
        row = sorted((of[quantile], name) for name, of in marks.items() if of[quantile] > 0)
        for i, (value, name) in enumerate(row):
            text = seconds_text(value)
            room = np.log(row[i + 1][0] / value) if i + 1 < len(row) else high - np.log(value)
            fits = room / (high - low) * inches > 0.12 * len(text) + 0.25
            look = looks(marks)[name]
            ax.annotate(
                text, (value, share), xytext=(9 if fits else -9, 7), textcoords="offset points",
                ha="left" if fits else "right", va="bottom", color=look.color, fontsize=SMALL,
                fontweight="bold", zorder=40,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            )  # fmt: skip


def _draw_legend(
    ax: Axes, samples: Mapping[str, Floats], missing: Mapping[str, int], metric: str
) -> None:
    handles = [
        Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker,
               markeredgecolor="white", markersize=11)
        for look in looks(samples).values()
    ]  # fmt: skip
    labels = [f"{name}: {_counted(metric, samples[name], missing[name])}" for name in samples]
    put_legend(ax, handles, labels, below=LEGEND_BELOW, columns=1)


def _counted(metric: str, sample: Floats, never: int) -> str:
    what = _COUNTED.get(metric, "request")
    text = count_text(len(sample), what, "deliveries" if what == "delivery" else "requests")
    zeros = int(np.sum(sample == 0))
    if zeros:
        text += ", all 0 s" if zeros == len(sample) else f", {zeros:,} of them 0 s"
    if never:
        missing = "not answered ok" if metric == "response_time" else "never complete"
        text += f"; {never:,} {missing}"
    return text


# -- the words -----------------------------------------------------------------


def _finding(metric: str, marks: Mapping[str, Mapping[str, float]]) -> str:
    parts = [
        f"{name} {seconds_text(of['p50'])} (p99 {seconds_text(of['p99'])})"
        for name, of in marks.items()
    ]
    return f"Median {metric.replace('_', ' ')}: {', '.join(parts)}"


def _words(
    metric: str,
    finding: str,
    samples: Mapping[str, Floats],
    marks: Mapping[str, Mapping[str, float]],
    missing: Mapping[str, int],
) -> list[str]:
    shown = f"{finding}."
    what = (
        f"Curves of the share that takes longer than a given {metric.replace('_', ' ')}, for "
        f"{listed(samples)}; {MEANINGS[metric]}. Both axes are logarithmic."
    )
    lines = []
    for name, sample in samples.items():
        line = f"{name}: {_counted(metric, sample, missing[name])}"
        if len(sample):
            quantiles = [f"{q} {seconds_text(marks[name][q])}" for q in QUANTILES]
            line += f"; {', '.join(quantiles)}, longest {seconds_text(float(sample[-1]))}"
        lines.append(f"{line}.")
    return [shown, what, *lines]
