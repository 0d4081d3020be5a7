"""Alerts on a timeline: a row above the curves for each rule, with a bar for each firing.

A triangle stands where the alert fired and a stroke where it resolved; a bar that
reaches the picture's edge never did. The curves are moved down for the rows, so that
nothing of them is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

import numpy as np

from eda_sim.later.matplotlib import Axes, ScaledTranslation
from eda_sim.results.alerts import Rules, checked
from eda_sim.results.run import Run
from eda_sim.results.words import count_text, seconds_text
from eda_sim.views.canvas import size_of
from eda_sim.views.style import INK, QUIET, SMALL, looks

Firings = list[tuple[float, float]]  # fired at, resolved at (NaN: never), in seconds

_ROW = SMALL + 14.0  # points: a line of text and a bar
_BAR = 6.0  # points from a row's bottom to its bar
MOST_TOLD = 6


def firings(runs: Mapping[str, Run], rules: Rules | None) -> dict[tuple[str, str], Firings]:
    """Return when each rule fired in each run, by the run's name and the rule's."""
    found: dict[tuple[str, str], Firings] = {}
    for name, run in runs.items():
        for alert in checked(run, () if rules is None else rules):
            table = run.alerts(alert)
            times = zip(table["fired_at"], table["resolved_at"], strict=True)
            found[name, alert.title] = [(float(begin), float(end)) for begin, end in times]
    return found


def last_of(fired: Mapping[tuple[str, str], Firings]) -> float:
    """Return when the last alert fired or resolved (seconds); 0 if none did."""
    times = [time for bars in fired.values() for bar in bars for time in bar]
    return max((time for time in times if not isnan(time)), default=0.0)


def draw_firings(ax: Axes, fired: Mapping[tuple[str, str], Firings], end: float) -> None:
    """Draw a row for each rule and run above what ``ax`` shows up to ``end`` (seconds)."""
    if not fired:
        return
    _make_room(ax, len(fired) * _ROW / (72 * size_of(ax)[1]))
    figure = ax.get_figure(root=True)
    assert figure is not None
    look_of = looks(dict.fromkeys(name for name, _ in fired))
    for row, ((name, title), bars) in enumerate(fired.items(), start=1):
        up = ScaledTranslation(0, (_BAR - row * _ROW) / 72, figure.dpi_scale_trans)
        place = ax.get_xaxis_transform() + up
        color = look_of[name].color
        for begin, until in bars:
            never = isnan(until)
            ax.plot(
                [begin, end if never else until], [1.0, 1.0], transform=place, color=color,
                linewidth=5, solid_capstyle="butt", zorder=30, label="_firing",
            )  # fmt: skip
        for marker, at in (("v", [b for b, _ in bars]), ("|", [e for _, e in bars])):
            ax.plot(
                np.array(at), np.ones(len(at)), transform=place, color=color, marker=marker,
                linestyle="none", markersize=9, markeredgewidth=2, zorder=31, label="_firing",
            )  # fmt: skip
        ax.annotate(
            _said(name, title, bars, len(look_of) > 1), (0, 1.0), xycoords=place,
            xytext=(6, 4), textcoords="offset points", va="bottom", fontsize=SMALL,
            color=INK if bars else QUIET, zorder=32,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip


def _make_room(ax: Axes, share: float) -> None:
    """Move what is shown down, so that the upper ``share`` of the Axes is free."""
    low, high = ax.get_ylim()
    used = max(1 - share, 0.2)
    if ax.get_yscale() == "log":
        ax.set_ylim(low, low * (high / low) ** (1 / used))
    else:
        ax.set_ylim(low, low + (high - low) / used)


def _said(name: str, title: str, bars: Firings, several_runs: bool) -> str:
    whose = f"{name}: " if several_runs else ""
    times = f" ({len(bars):,} times)" if len(bars) > 1 else ""
    return f"{whose}{title}{times if bars else ' (did not fire)'}"


def firings_text(fired: Mapping[tuple[str, str], Firings]) -> str:
    """Return in words when the alerts fired."""
    if not fired:
        return ""
    several_runs = len({name for name, _ in fired}) > 1
    parts = []
    for (name, title), bars in fired.items():
        whose = f"{name}: " if several_runs else ""
        told = [f"from {seconds_text(b)} {_until(e)}" for b, e in bars[:MOST_TOLD]]
        if more := len(bars) - len(told):
            told.append(f"{count_text(more, 'more time')}")
        parts.append(f"{whose}{title} {', '.join(told) if told else 'did not fire'}")
    return f"Alerts: {'; '.join(parts)}."


def _until(resolved_at: float) -> str:
    return "on" if isnan(resolved_at) else f"to {seconds_text(resolved_at)}"
