"""Architectures side by side: each estimate with its interval, and what they differ by.

A row for each metric. On the left an estimate for each architecture, on the right
the paired difference from the first: where its interval leaves zero out, the
marker is full. Two intervals on the left may overlap while the one on the right
leaves zero far behind: the luck that both share cancels out of the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

from eda_sim.errors import InvalidInput
from eda_sim.later.matplotlib import Axes, Axis, Figure, FuncFormatter, MaxNLocator
from eda_sim.results.words import count_text, number_text, seconds_text, share_text
from eda_sim.views.canvas import in_lines, panels
from eda_sim.views.description import attach
from eda_sim.views.style import INK, LARGE, NORMAL, PALE, QUIET, SMALL, Look, looks, styled

if TYPE_CHECKING:
    from eda_sim.experiments.compare import Comparison

METRICS = (
    "response_time_p50", "response_time_p99", "completion_time_p99", "ok_rate", "inconsistent_rate",
)  # fmt: skip
_LABEL = 18  # characters of a name in one line
_MOST_LETTERS = 45  # of a title above differences
_WIDTH = 13.0  # inches


class _Row(NamedTuple):
    """An estimate with its interval, and whose it is."""

    name: str
    value: float
    half_width: float
    look: Look
    full: bool


def draw_comparison(
    comparison: Comparison,
    metrics: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """Draw estimates and paired differences with their intervals, a row for each metric.

    Args:
        comparison: what ``compare`` returned.
        metrics: names as in ``Run.summary()``; by default ``METRICS`` of this module.
        ax: whose place to take; a new figure if None.
        title: what to write above it instead of the finding.

    Raises:
        InvalidInput: if a metric is not known, or there is none.

    Example:
        >>> from eda_sim import compare, draw_comparison, order_chain, order_pubsub
        >>> short = {"duration": 10, "warmup": 0}
        >>> both = {"sync": order_chain(**short), "pub/sub": order_pubsub(**short)}
        >>> comparison = compare(both, replications=2, progress=False)
        >>> len(draw_comparison(comparison, "response_time_p50").axes)
        2
    """
    chosen = (
        [metrics] if isinstance(metrics, str) else list(METRICS if metrics is None else metrics)
    )
    if not chosen:
        raise InvalidInput("metrics must name at least one metric, got []: leave it out for some")
    estimates = comparison.table(chosen)
    differences = comparison.differences(metrics=chosen)
    look_of = looks(comparison.scenarios)
    first, *others = comparison.scenarios
    with styled():
        height = 0.9 + len(chosen) * (0.85 + 0.42 * len(look_of))
        columns = 2 if others else 1
        figure, grid = panels(ax, len(chosen), columns, (_WIDTH, height), hspace=0.04)
        words = []
        for metric, places in zip(chosen, grid, strict=True):
            of = estimates.loc[metric]
            rows = [_row(name, of[name]["mean"], of[name]["half_width"], look)
                    for name, look in look_of.items()]  # fmt: skip
            _draw_rows(places[0], metric, rows)
            if others:
                rows += [_difference(differences.loc[(n, metric)], n, first, look_of[n])
                         for n in others]  # fmt: skip
                unit = " (percentage points)" if metric.endswith("_rate") else ""
                label = f"difference from {first}{unit}"
                if len(label) > _MOST_LETTERS:
                    label = f"difference{unit}"
                _draw_rows(places[1], label, rows[len(look_of) :], metric)
            words.append(_said(metric, rows))
        finding = title or _finding(comparison, chosen[0], differences, first, others)
        _put_title(figure, ax, f"{finding}\n{comparison.title()}")
    attach(figure if ax is None else ax, f"{finding}.", f"{comparison.title()}.", *words)
    return figure


def _row(name: str, value: float, half_width: float, look: Look) -> _Row:
    return _Row(name, float(value), float(half_width), look, True)


def _difference(of: object, name: str, first: str, look: Look) -> _Row:
    value, half_width = float(of["difference"]), float(of["half_width"])  # type: ignore[index]
    full = bool(of["excludes_zero"])  # type: ignore[index]
    return _Row(f"{name} − {first}", value, half_width, look, full)


# -- the picture ---------------------------------------------------------------


def _draw_rows(ax: Axes, label: str, rows: Sequence[_Row], difference_of: str = "") -> None:
    metric, sign = difference_of or label, bool(difference_of)
    for y, row in enumerate(rows):
        if isnan(row.value):
            continue
        spread = None if isnan(row.half_width) else row.half_width
        ax.errorbar(
            row.value, y, xerr=spread, color=row.look.color, marker=row.look.marker,
            markersize=11, markerfacecolor=row.look.color if row.full else "white",
            markeredgewidth=2, capsize=6, elinewidth=2.5, capthick=2.5, zorder=4,
        )  # fmt: skip
        ax.annotate(
            _estimate(metric, row, sign=sign), (row.value, y), xytext=(0, 11),
            textcoords="offset points", ha="center", va="bottom", fontsize=SMALL,
            fontweight="bold", color=INK, annotation_clip=False, zorder=5,
        )  # fmt: skip
    if difference_of:
        ax.axvline(0, color=INK, linewidth=1.2, zorder=1)
    ax.set_yticks(range(len(rows)), [fill(row.name, _LABEL) for row in rows], fontsize=NORMAL)
    ax.set_ylim(len(rows) - 0.6, -0.85)
    ax.margins(x=0.22)
    ax.grid(visible=True, axis="x", color=PALE)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    _units_on(ax.xaxis, metric, sign)
    ax.set_title(label.replace("_", " "), loc="left", fontsize=NORMAL, pad=4,
                 color=QUIET if difference_of else INK)  # fmt: skip


def _units_on(axis: Axis, metric: str, sign: bool) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: _text(metric, value, points=sign)))
    axis.set_label_text("")


def _put_title(figure: Figure, ax: Axes | None, text: str) -> None:
    finding, rest = text.split("\n")[0], text.split("\n")[1:]
    lines = "\n".join([in_lines(finding, _WIDTH - 0.5), *rest])
    if ax is None:
        figure.suptitle(lines, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
    else:
        ax.set_title(lines, loc="left")


# -- the words -----------------------------------------------------------------


def _text(metric: str, value: float, *, points: bool) -> str:
    """Write a value of a metric in its unit; differences of fractions in percentage points."""
    if isnan(value):
        return "undefined"
    if metric.endswith("_rate"):
        text = number_text(100 * value) if points else share_text(value)
    elif metric == "throughput":
        text = f"{number_text(value)}/s"
    else:
        text = number_text(value) if metric == "requests" else seconds_text(value)
    return text.replace("-", "−")


def _estimate(metric: str, row: _Row, *, sign: bool) -> str:
    plus = "+" if sign and row.value > 0 else ""
    text = plus + _text(metric, row.value, points=sign)
    if isnan(row.half_width) or isnan(row.value):
        return text
    return f"{text} ± {_text(metric, row.half_width, points=sign)}"


def _finding(
    comparison: Comparison, metric: str, differences: object, first: str, others: Sequence[str]
) -> str:
    """Say what the other architectures change, in the first metric."""
    if not others:
        return f"{first} in {count_text(len(comparison.seeds), 'replication')}"
    parts = []
    for name in others:
        row = _difference(differences.loc[(name, metric)], name, first, looks([name])[name])  # type: ignore[attr-defined]
        change = _estimate(metric, row, sign=True)
        parts.append(f"{name} {change}" if row.full or isnan(row.half_width)
                     else f"{name} no difference to tell from chance ({change})")  # fmt: skip
    said = metric.replace("_", " ")
    return f"{said[0].upper()}{said[1:]} against {first}: {'; '.join(parts)}"


def _said(metric: str, rows: Sequence[_Row]) -> str:
    parts = [f"{r.name} {_estimate(metric, r, sign='−' in r.name)}" for r in rows]
    return f"{metric.replace('_', ' ')}: {'; '.join(parts)}."
