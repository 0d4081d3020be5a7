"""What all pictures share: their Axes and Figures, titles, legends and time axes.

A picture that makes its own figure makes it with pyplot, so a notebook shows it
at the end of its cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from eda_sim.later import Later
from eda_sim.later.matplotlib import (
    Artist,
    Axes,
    Axis,
    Figure,
    FontProperties,
    FuncFormatter,
    MaxNLocator,
    MultipleLocator,
    ScaledTranslation,
    SubplotSpec,
    plt,
    text_to_path,
)
from eda_sim.results.words import number_text, seconds_text
from eda_sim.views.style import LARGE, NORMAL, PALE, SMALL

if TYPE_CHECKING:
    from eda_sim.views import picture
else:  # its classes are matplotlib's
    picture = Later("eda_sim.views.picture")

LEGEND_BELOW = 54.0  # points under the Axes: beneath the ticks and the label of x
_HANDLE = 1.0  # inches, of a legend's handle and the gaps beside it
_EDGE = 0.1  # inches around a diagram
_LEAST_WIDTH = 7.0  # inches, of a diagram


def new_figure(width: float, height: float) -> picture.Picture:
    """Return a new figure, its size in inches."""
    figure = plt.figure(figsize=(width, height), layout="constrained", FigureClass=picture.Picture)
    assert isinstance(figure, picture.Picture)
    return figure


def part_of(figure: Figure, place: SubplotSpec) -> Axes:
    """Return Axes at one place of a figure's grid."""
    return figure.add_subplot(place, axes_class=picture.PictureAxes)


def axes_for(ax: Axes | None, width: float = 10.0, height: float = 5.6) -> Axes:
    """Return ``ax``, or the Axes of a new figure, its size in inches."""
    if ax is None:
        return new_figure(width, height).add_subplot(axes_class=picture.PictureAxes)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(NORMAL)
    return ax


def diagram_axes(ax: Axes | None, width: float, height: float, title: str) -> Axes:
    """Return Axes without a frame under a title; in a new figure they have the size given."""
    if ax is None:
        width = max(width, _LEAST_WIDTH)
        above = len(in_lines(title, width).splitlines()) * LARGE * 1.25 / 72 + 0.2
        across, up = width + 2 * _EDGE, height + above + _EDGE
        figure = plt.figure(figsize=(across, up), FigureClass=picture.Picture)
        place = (_EDGE / across, _EDGE / up, width / across, height / up)
        ax = figure.add_axes(place, axes_class=picture.PictureAxes)
    ax.set_axis_off()
    put_title(ax, title)
    return ax


def panels(
    ax: Axes | None, rows: int, columns: int, size: tuple[float, float], **grid: Any
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and a grid of Axes: a new figure of ``size``, or the place of ``ax``."""
    if ax is not None:
        figure = ax.get_figure(root=True)
        assert isinstance(figure, Figure)
        ax.set_axis_off()
        wide, high = 1 / columns, 1 / rows
        return figure, [
            [ax.inset_axes((c * wide + 0.22 * wide, 1 - (r + 0.72) * high, 0.7 * wide, 0.45 * high))
             for c in range(columns)]
            for r in range(rows)
        ]  # fmt: skip
    figure = new_figure(*size)
    places = figure.add_gridspec(rows, columns, **grid)
    return figure, [[part_of(figure, places[r, c]) for c in range(columns)] for r in range(rows)]


def size_of(ax: Axes) -> tuple[float, float]:
    """Return the width and height that an Axes has on its figure, in inches."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()  # only then have the Axes their place
    box = ax.get_window_extent()
    return box.width / figure.dpi, box.height / figure.dpi


_UNIT = re.compile(
    r"(?<=\d) (?=(?:%|ms|s|min|h)(?:\W|$))|(?<=%) (?=ok)"
)  # a number and its unit stay together


def in_lines(text: str, width: float, size: float = LARGE) -> str:
    """Break a bold text into lines that fit into ``width`` inches."""
    lines: list[str] = []
    for word in _UNIT.sub("\u00a0", text).split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=True) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines).replace("\u00a0", " ")


def put_title(ax: Axes, text: str, rows_above: int = 0) -> None:
    """Write the finding above the Axes, in as many lines as its width needs.

    ``rows_above`` keeps room for that many rows of small text just above the Axes.
    """
    pad = 8.0 + rows_above * (SMALL + 6.0)
    ax.set_title(in_lines(text, size_of(ax)[0]), loc="left", pad=pad)


def put_legend(
    ax: Axes, handles: Sequence[Artist], labels: Sequence[str], *, below: float, columns: int
) -> None:
    """Put the legend outside, ``below`` points under the Axes, in ``columns`` if they fit."""
    columns = columns_for(labels, size_of(ax)[0], columns)
    figure = ax.get_figure(root=True)
    assert figure is not None
    place = ax.transAxes + ScaledTranslation(0, -below / 72, figure.dpi_scale_trans)
    ax.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=place,
        ncols=columns, borderaxespad=0.0, borderpad=0.0, handlelength=3.2, columnspacing=1.8,
    )  # fmt: skip


def columns_for(labels: Iterable[str], width: float, most: int, size: float = SMALL) -> int:
    """Return how many columns of a legend fit into ``width`` inches.

    >>> columns_for(["a", "b"], 8.0, 4), columns_for(["a" * 40, "b" * 40], 4.0, 4)
    (2, 1)
    >>> columns_for(["a", "b", "c", "d", "e", "f" * 40], 6.0, 4)
    3
    """
    widths = [text_width(label, size) + _HANDLE for label in labels]
    for columns in range(min(most, len(widths)), 1, -1):
        # A legend fills its columns one after the other, the first ones with one more.
        rows, longer = divmod(len(widths), columns)
        ends = accumulate(rows + (column < longer) for column in range(columns))
        parts = [max(widths[i:j]) for i, j in pairwise([0, *ends])]
        if sum(parts) <= width:
            return columns
    return 1


def quiet_grid(ax: Axes, axis: Any = "both") -> None:
    """Draw a grid that stays behind the data."""
    ax.grid(visible=True, axis=axis, color=PALE, linewidth=1.0)


def seconds_on(axis: Axis) -> None:
    """Label an axis in seconds with the unit that fits each tick."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: seconds_text(value)))


def counts_on(axis: Axis) -> None:
    """Label an axis of counts with thousands apart."""
    axis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))


def clock_on(ax: Axes, begin: float, end: float) -> None:
    """Make x the time since the run's start: data in seconds, ticks in the unit that fits."""
    unit, name = next((u, n) for u, n, least in _UNITS if end - begin >= least)
    ax.set_xlim(begin, end)
    ax.xaxis.set_major_locator(MultipleLocator(_tick((end - begin) / unit) * unit))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value / unit)))
    ax.set_xlabel(f"time since the run's start ({name})")


_UNITS = ((3600.0, "hours", 4 * 3600.0), (60.0, "minutes", 600.0), (1.0, "seconds", 0.0))


def _tick(span: float) -> float:
    """Return a round distance that makes five to ten ticks."""
    size = 10.0 ** (len(f"{span / 5:.0f}") - 1) if span >= 5 else 0.1
    while span / size < 5:
        size /= 10
    return next(size * step for step in (1, 2, 5, 10, 20, 50, 100) if span / (size * step) <= 10)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of one line of text, in inches."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    # Letters on a screen are a little wider than in theory, being fitted to its pixels.
    return 1.05 * float(width) / 72


def spread(wanted: Iterable[float], sizes: Sequence[float], gap: float) -> list[float]:
    """Move the centres of texts in a row (ascending) apart until none touches the next.

    >>> [round(x, 2) for x in spread([1.0, 1.0], [0.5, 0.5], gap=0.1)]
    [0.7, 1.3]
    """
    groups: list[tuple[list[int], float, float]] = []  # members, left end, width
    centres = list(wanted)
    for i, centre in enumerate(centres):
        group = ([i], centre - sizes[i] / 2, sizes[i])
        while groups and groups[-1][1] + groups[-1][2] + gap > group[1]:
            members, left, width = groups.pop()
            both = members + group[0]
            whole = width + gap + group[2]
            middle = sum(centres[m] for m in both) / len(both)
            group = (both, middle - whole / 2, whole)
        groups.append(group)
    placed = []
    for members, left, _ in groups:
        for member in members:
            placed.append(left + sizes[member] / 2)
            left += sizes[member] + gap
    return placed
