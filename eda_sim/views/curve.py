"""A quantity against a parameter: what was measured, how sure it is, what theory says.

Measured points are markers with their intervals; theory is a thin line without
markers, so that the two are told apart even where they agree. A line of many
points (a quantity over time, say) has no markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from eda_sim.errors import InvalidInput
from eda_sim.later.matplotlib import Axes
from eda_sim.later.pandas import pd
from eda_sim.results.words import number_text
from eda_sim.views.canvas import (
    LEGEND_BELOW,
    axes_for,
    put_legend,
    put_title,
    quiet_grid,
    size_of,
    text_width,
)
from eda_sim.views.description import attach
from eda_sim.views.style import INK, SMALL, Look, looks, styled

MOST_MARKERS: Final = 30
_HANDLE: Final = 1.0  # what a legend needs beside each text, inches
_COLUMNS = ("mean", "half_width", "theory")


def draw_curve(
    lines: Mapping[str, pd.DataFrame | pd.Series],
    ax: Axes | None = None,
    *,
    title: str,
    ylabel: str,
    xlabel: str | None = None,
) -> Axes:
    """Draw one or more quantities against a parameter.

    Args:
        lines: each by its name; the index is the parameter (numbers, ascending), a
            Series the values. A DataFrame has the values as ``mean`` and may have the
            ``half_width`` of their intervals and what ``theory`` says, all in one unit.
        ax: where to draw; a new figure if None.
        title: the finding.
        ylabel: the quantity with its unit.
        xlabel: the parameter with its unit; the name of the index if None.

    Raises:
        InvalidInput: if there is no line, or one has neither values nor numbers to draw
            them at.

    Example:
        >>> import pandas as pd
        >>> from eda_sim.views.curve import draw_curve
        >>> depth = pd.Index([1, 2, 4], name="services in the chain")
        >>> mean = pd.DataFrame({"mean": [0.07, 0.13, 0.26], "half_width": 0.01}, index=depth)
        >>> draw_curve(
        ...     {"mean": mean}, title="Twice the depth, twice the wait", ylabel="s"
        ... ).get_xlabel()
        'services in the chain'
    """
    checked = {name: _checked(name, line) for name, line in lines.items()}
    if not checked:
        raise InvalidInput("lines must hold at least one line, got {}: name one")
    index = next(iter(checked.values())).index
    with styled():
        ax = axes_for(ax)
        for name, look in looks(checked).items():
            _draw_line(ax, name, checked[name], look)
        if all((line["mean"] >= 0).all() for line in checked.values()):
            ax.set_ylim(bottom=0.0)
        ax.set_xlabel(str(index.name or "") if xlabel is None else xlabel)
        ax.set_ylabel(ylabel)
        quiet_grid(ax)
        put_title(ax, title)
        handles, labels = ax.get_legend_handles_labels()
        put_legend(ax, handles, labels, below=LEGEND_BELOW, columns=_columns(ax, labels))
    attach(ax, f"{title}.", *(_words(name, line, ylabel) for name, line in checked.items()))
    return ax


def _columns(ax: Axes, labels: Iterable[str]) -> int:
    """Return how many columns of legend, four at most, are no wider than the Axes."""
    widest = _HANDLE + max(text_width(label, SMALL) for label in labels)
    return max(1, min(4, int(size_of(ax)[0] / widest)))


def _checked(name: str, line: pd.DataFrame | pd.Series) -> pd.DataFrame:
    """Return a line as a DataFrame with a ``mean``, in numbers at numbers."""
    frame = line.to_frame("mean") if isinstance(line, pd.Series) else line
    if "mean" not in frame.columns or frame.empty:
        raise InvalidInput(
            f"lines[{name!r}] must have values in a column 'mean', got columns "
            f"{list(frame.columns)} and {len(frame)} rows: give a Series, or name the column"
        )
    if not pd.api.types.is_numeric_dtype(frame.index):
        raise InvalidInput(
            f"lines[{name!r}] must have numbers as its index, got {frame.index.dtype}: "
            "set the index to the parameter"
        )
    return frame[[column for column in _COLUMNS if column in frame.columns]].astype(float)


def _draw_line(ax: Axes, name: str, line: pd.DataFrame, look: Look) -> None:
    x, y = line.index.to_numpy(dtype=float), line["mean"].to_numpy()
    known = "theory" in line
    if known:
        ax.plot(
            x, line["theory"].to_numpy(), label=f"{name}: theory",
            color=INK, linestyle=look.line, linewidth=1.4,
        )  # fmt: skip
    ax.errorbar(
        x, y,
        yerr=line["half_width"].to_numpy() if "half_width" in line else None,
        label=f"{name}: measured" if known else name,
        color=look.color, linestyle="none" if known else look.line,
        marker=look.marker if len(line) <= MOST_MARKERS else "", capsize=5, zorder=4,
    )  # fmt: skip


def _words(name: str, line: pd.DataFrame, ylabel: str) -> str:
    """Say where a line begins and ends, its extremes, and how far theory is off."""
    mean = line["mean"]
    at = [number_text(float(x)) for x in line.index]
    said = (
        f"{name}, {ylabel}: {number_text(mean.iloc[0])} at {at[0]}, "
        f"{number_text(mean.iloc[-1])} at {at[-1]}; "
        f"least {number_text(mean.min())}, greatest {number_text(mean.max())}."
    )
    if not {"theory", "half_width"} <= set(line.columns):
        return said
    inside = int(((line["theory"] - mean).abs() <= line["half_width"]).sum())
    return f"{said} Theory lies within the interval at {inside} of {len(line)} points."
