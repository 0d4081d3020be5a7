"""Stretches of a run that explain its curves: faults, and the warm-up.

They are shaded behind the data, hatched where something is broken, and named
just above the Axes, where their names hide nothing; a name that would find no room
in two rows is left to the description.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isnan
from typing import Any, NamedTuple

from eda_sim.later.matplotlib import Axes, ScaledTranslation
from eda_sim.results.run import Run
from eda_sim.results.words import number_text, seconds_text
from eda_sim.views.canvas import size_of, text_width
from eda_sim.views.style import INK, QUIET, SMALL

# Random faults come by the dozen; the names of all of them would fill the page.
MOST_ROWS = 2
MOST_TOLD = 12

_NAMES = {
    "outage": "{} down",
    "broker_outage": "{} down",
    "network_partition": "{} cut off",
    "loss": "loss on {}",
    "duplicates": "duplicates on {}",
    "reordering": "reordering on {}",
    "poison_messages": "poison for {}",
    "bad_deployment": "bad deployment of {}",
}


class Shade(NamedTuple):
    """A stretch of time, seconds since the run's start, and its name."""

    begin: float
    end: float
    name: str
    broken: bool


def shades(runs: Iterable[Run], end: float) -> list[Shade]:
    """Return the warm-up and every fault of the runs, what they share once."""
    found: dict[Shade, None] = {}
    for run in runs:
        if run.scenario.warmup > 0:
            found.setdefault(Shade(0.0, run.scenario.warmup, "warm-up", False))
        for fault in _faults(run):
            until = end if isnan(fault.ended_at) else fault.ended_at
            found.setdefault(Shade(fault.started_at, until, _name(run, fault), True))
    return sorted(found)


def _faults(run: Run) -> Iterator[Any]:
    return run.faults.itertuples()


def _name(run: Run, fault: Any) -> str:
    if fault.kind == "slowdown":
        return f"{fault.target} {number_text(fault.factor)}× slower"
    if fault.kind == "outage":
        all_of_it = run.scenario.service(fault.target).most_instances
        if fault.instances < all_of_it:
            return f"{fault.instances} of {all_of_it} {fault.target} down"
    return _NAMES[fault.kind].format(fault.target)


def shade(ax: Axes, shaded: list[Shade]) -> None:
    """Shade each stretch, and write its name above the Axes."""
    for begin, end, _, broken in shaded:
        ax.axvspan(
            begin, end, facecolor="#F2D3C4" if broken else "#EFEFEF", edgecolor="#D9A58B",
            hatch="//" if broken else None, linewidth=0, alpha=0.55 if broken else 0.9, zorder=0,
        )  # fmt: skip
    for row, centre, name, broken in _labels(ax, shaded):
        figure = ax.get_figure(root=True)
        assert figure is not None
        above = ScaledTranslation(0, (3 + row * (SMALL + 5)) / 72, figure.dpi_scale_trans)
        ax.text(
            centre, 1.0, name, transform=ax.get_xaxis_transform() + above, ha="center",
            va="bottom", fontsize=SMALL, color=INK if broken else QUIET, clip_on=False,
        )  # fmt: skip


def rows_of_labels(ax: Axes, shaded: list[Shade]) -> int:
    """Return how many rows the names take above the Axes."""
    return max((row + 1 for row, *_ in _labels(ax, shaded)), default=0)


def _labels(ax: Axes, shaded: list[Shade]) -> list[tuple[int, float, str, bool]]:
    """Return row, centre, name and kind of each label: none beyond the Axes, none on another."""
    low, high = ax.get_xlim()
    scale = (high - low) / size_of(ax)[0]
    placed: list[tuple[int, float, str, bool]] = []
    ends: list[float] = []
    for begin, end, name, broken in shaded:
        half = (text_width(name, SMALL) / 2 + 0.06) * scale
        centre = min(max((begin + end) / 2, low + half), high - half)
        row = next((i for i, until in enumerate(ends) if until <= centre - half), len(ends))
        if row == MOST_ROWS:
            continue
        ends[row:] = [centre + half, *ends[row + 1 :]]
        placed.append((row, centre, name, broken))
    return placed


def shades_text(shaded: list[Shade]) -> str:
    """Return the shaded stretches in words."""
    if not shaded:
        return ""
    parts = [
        f"{s.name} from {seconds_text(s.begin)} to {seconds_text(s.end)}"
        for s in shaded[:MOST_TOLD]
    ]
    more = len(shaded) - len(parts)
    return f"Shaded: {'; '.join(parts)}{f'; and {more} more' if more else ''}."
