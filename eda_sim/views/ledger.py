"""What became of the orders: one bar for each architecture, cut by verdict.

The verdicts that matter most are often the smallest, so every count is written:
inside its part where that is wide enough, else above it, at the end of a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill

from eda_sim.later.matplotlib import Axes, FuncFormatter, Patch
from eda_sim.later.pandas import pd
from eda_sim.results.ledger import VERDICTS
from eda_sim.results.run import Run
from eda_sim.results.words import number_text, share_text
from eda_sim.views.canvas import (
    LEGEND_BELOW,
    axes_for,
    put_legend,
    put_title,
    size_of,
    spread,
    text_width,
)
from eda_sim.views.description import attach
from eda_sim.views.style import INK, NORMAL, SMALL, VERDICT_LOOKS, styled
from eda_sim.views.subjects import named

_LABEL = 18  # characters of a name in one line
_HALF = 0.24  # of a bar's height; bars are 1 apart


def draw_ledger(
    runs: Run | Mapping[str, Run],
    ax: Axes | None = None,
    *,
    title: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw what became of all requests, a bar for each run, counts written in.

    Args:
        runs: a run, or several by name.
        ax: where to draw; a new figure if None.
        title: what to write above it instead of the finding.
        legend: whether to explain the colours and hatches.

    Raises:
        InvalidInput: if ``runs`` holds no run.

    Example:
        >>> from eda_sim import draw_ledger, order_chain, simulate
        >>> ax = draw_ledger({"sync": simulate(order_chain(duration=20, warmup=0))})
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['sync']
    """
    verdicts = {name: run.verdicts() for name, run in named(runs).items()}
    with styled():
        ax = axes_for(ax, 10.0, 2.6 + 1.15 * len(verdicts))
        _set_axes(ax, verdicts)
        for row, counts in enumerate(verdicts.values()):
            _draw_bar(ax, row, counts)
        finding = title or _finding(verdicts)
        put_title(ax, finding)
        if legend:
            _draw_legend(ax, verdicts)
    attach(ax, f"{finding}.", "What became of all requests, one bar an architecture.",
           *(_line(name, counts) for name, counts in verdicts.items()))  # fmt: skip
    return ax


def _set_axes(ax: Axes, verdicts: Mapping[str, pd.Series]) -> None:
    ax.set_xlim(0, 1)
    ax.set_ylim(len(verdicts) - 0.55, -0.75)
    ax.set_yticks(range(len(verdicts)), [fill(name, _LABEL) for name in verdicts], fontsize=NORMAL)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    ax.set_xlabel("share of all requests")


def _draw_bar(ax: Axes, row: int, counts: pd.Series) -> None:
    total = max(int(counts.sum()), 1)
    left, outside = 0.0, []
    scale = 1 / size_of(ax)[0]
    for verdict in VERDICTS:
        count, look = int(counts[verdict]), VERDICT_LOOKS[verdict]
        width = count / total
        if not count:
            continue
        ax.barh(
            row, width, 2 * _HALF, left, facecolor=look.color, edgecolor=INK, hatch=look.hatch,
            linewidth=1.0, label=verdict, zorder=3,
        )  # fmt: skip
        text = f"{count:,} {verdict.replace('_', ' ')}"
        if text_width(text, NORMAL, bold=True) * scale + 0.03 < width:
            _write_inside(ax, left + width / 2, row, text)
        else:
            outside.append((left + width / 2, text))
        left += width
    _write_above(ax, row, outside, scale)


def _write_inside(ax: Axes, x: float, row: int, text: str) -> None:
    ax.text(
        x, row, text, ha="center", va="center", fontsize=NORMAL, fontweight="bold", zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.0, "alpha": 0.85},
    )  # fmt: skip


def _write_above(ax: Axes, row: int, outside: list[tuple[float, str]], scale: float) -> None:
    """Write counts above the bar, each at the end of a line from its part."""
    widths = [text_width(text, SMALL, bold=True) * scale for _, text in outside]
    centres = spread([x for x, _ in outside], widths, 0.25 * scale)
    if centres:
        beyond = max(centres[-1] + widths[-1] / 2 - 1.0, 0.0)
        centres = [x - beyond for x in centres]
    for (x, text), centre in zip(outside, centres, strict=True):
        ax.annotate(
            text, (x, row - _HALF), xytext=(centre, row - _HALF - 0.14), ha="center", va="bottom",
            fontsize=SMALL, fontweight="bold", zorder=5, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 1.2, "shrinkA": 0,
                        "shrinkB": 0},
        )  # fmt: skip


def _draw_legend(ax: Axes, verdicts: Mapping[str, pd.Series]) -> None:
    present = [v for v in VERDICTS if any(int(counts[v]) for counts in verdicts.values())]
    handles = [
        Patch(facecolor=look.color, edgecolor=INK, hatch=look.hatch)
        for look in (VERDICT_LOOKS[verdict] for verdict in present)
    ]
    labels = [verdict.replace("_", " ") for verdict in present]
    put_legend(ax, handles, labels, below=LEGEND_BELOW, columns=5)


# -- the words -----------------------------------------------------------------


def _finding(verdicts: Mapping[str, pd.Series]) -> str:
    """Say what is not consistent, the largest part of it by name."""
    parts = []
    for name, counts in verdicts.items():
        wrong = counts.drop("consistent")
        worst = str(wrong.idxmax())
        total = int(counts.sum())
        if not wrong.sum():
            parts.append(f"{name} {'all' if total else 'no requests'} consistent"
                         if total else f"{name} no requests")  # fmt: skip
        else:
            share = share_text(float(wrong[worst]) / total)
            parts.append(f"{name} {number_text(wrong[worst])} {worst.replace('_', ' ')} ({share})")
    return f"What became of the requests: {', '.join(parts)}"


def _line(name: str, counts: pd.Series) -> str:
    total = int(counts.sum())
    parts = [
        f"{int(counts[v]):,} {v.replace('_', ' ')} ({share_text(int(counts[v]) / total)})"
        for v in VERDICTS
        if int(counts[v])
    ]
    return f"{name}: {total:,} requests, {', '.join(parts)}." if parts else f"{name}: none."
