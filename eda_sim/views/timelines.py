"""What happened when: a quantity over the whole run, with the faults shaded.

The lines are the exact step functions of ``Run.timeline``. Where one changes more
often than can be seen, the run is cut into stretches: a line shows the mean of
each, and a band from its least to its greatest value hides no peak.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from eda_sim.later.matplotlib import Artist, Axes, Line2D, Patch
from eda_sim.results.alerts import Rules
from eda_sim.results.run import Run
from eda_sim.results.step_function import StepFunction
from eda_sim.results.words import number_text, seconds_text
from eda_sim.views.alerts import draw_firings, firings, firings_text, last_of
from eda_sim.views.canvas import (
    LEGEND_BELOW,
    axes_for,
    clock_on,
    counts_on,
    put_legend,
    put_title,
    quiet_grid,
    seconds_on,
)
from eda_sim.views.description import attach, listed
from eda_sim.views.shading import rows_of_labels, shade, shades, shades_text
from eda_sim.views.style import QUIET, Look, looks, styled
from eda_sim.views.subjects import named

Floats = npt.NDArray[np.float64]

MOST_CHANGES = 5000
STRETCHES = 360
_ROUNDING = 1e-9
TIMES = ("response_time", "lag")  # kinds whose values are seconds

_NAMES = {
    "queue": "Queue",
    "busy": "Busy workers",
    "backlog": "Backlog",
    "requests": "Requests under way",
    "throughput": "Throughput",
    "response_time": "Response time",
    "lag": "Delivery lag",
    "dead_letters": "Dead letters",
    "instances": "Instances",
}
_LABELS = {
    "queue": "waiting for a worker",
    "busy": "busy workers",
    "backlog": "deliveries not yet ended",
    "requests": "requests not yet answered",
    "throughput": "per second",
    "response_time": "response time (log scale)",
    "lag": "delivery lag (log scale)",
    "dead_letters": "dead letters so far",
    "instances": "instances",
}


def draw_timeline(
    runs: Run | Mapping[str, Run],
    what: str,
    subject: str | None = None,
    ax: Axes | None = None,
    *,
    window: float = 10.0,
    title: str | None = None,
    alerts: Rules | None = None,
) -> Axes:
    """Draw a quantity over time, faults and warm-up shaded.

    Args:
        runs: a run, or several by name.
        what: a kind of ``Run.timeline``: ``queue``, ``busy``, ``backlog``, ``requests``,
            ``throughput``, ``response_time``, ``lag``, ``dead_letters`` or ``instances``.
        subject: a service; without it, all together.
        ax: where to draw; a new figure if None.
        window: seconds, for ``throughput``.
        title: what to write above it instead of the finding.
        alerts: rules as for ``Run.alerts``, of this or any other metric: above the curves, when
            each fired and resolved.

    Raises:
        InvalidInput: if there is no such timeline or service, a rule cannot be right, or
            ``runs`` holds no run.

    Example:
        >>> from eda_sim import draw_timeline, order_chain, simulate
        >>> run = simulate(order_chain(duration=20, warmup=0))
        >>> draw_timeline(run, "queue", "payment").get_ylabel()
        'waiting for a worker'
    """
    by_name = named(runs)
    lines = {name: run.timeline(what, subject, window=window) for name, run in by_name.items()}
    fired = firings(by_name, alerts)
    begin, end = 0.0, max(_end(run, lines[name]) for name, run in by_name.items())
    end = max(end, last_of(fired))
    shaded = shades(by_name.values(), end)
    with styled():
        ax = axes_for(ax)
        draw_steps(ax, lines, begin, end, log=what in TIMES, latest=what in TIMES)
        clock_on(ax, begin, end)
        ax.set_ylabel(_LABELS[what])
        draw_firings(ax, fired, end)
        shade(ax, shaded)
        finding = title or _finding(what, subject, lines, by_name)
        put_title(ax, finding, rows_of_labels(ax, shaded))
        handles: dict[str, Artist] = {name: _handle(look) for name, look in looks(lines).items()}
        handles |= key_to_stretches(lines, begin, end)
        put_legend(ax, [*handles.values()], [*handles], below=LEGEND_BELOW, columns=4)
    extra = " ".join(filter(None, [shades_text(shaded), firings_text(fired)]))
    attach(ax, *_words(what, subject, finding, lines, extra, end))
    return ax


def draw_steps(
    ax: Axes,
    lines: Mapping[str, StepFunction],
    begin: float,
    end: float,
    *,
    log: bool,
    latest: bool = False,
) -> None:
    """Draw step functions between two times, each in its look.

    One that is the ``latest`` of some values says nothing while there is no new one: where
    it is cut into stretches, those without are left empty.
    """
    for position, (name, look) in enumerate(looks(lines).items()):
        _draw_one(ax, lines[name], begin, end, look, 3 + position, latest)
    quiet_grid(ax, "y")
    if log and any((line.values > 0).any() for line in lines.values()):
        ax.set_yscale("log")
        seconds_on(ax.yaxis)
        ax.minorticks_off()
    else:
        ax.set_ylim(0, None if any(line.values.any() for line in lines.values()) else 1)
        counts_on(ax.yaxis)


def _draw_one(
    ax: Axes,
    line: StepFunction,
    begin: float,
    end: float,
    look: Look,
    order: int,
    latest: bool,
) -> None:
    if not _is_cut(line, begin, end):
        inside = (line.times > begin) & (line.times < end)
        x = np.r_[begin, line.times[inside], end]
        y = np.r_[line.at(begin), line.values[inside], line.at(end)]
    else:
        edges = np.linspace(begin, end, STRETCHES + 1)
        least, mean, greatest = stretches(line, edges)
        if latest:
            silent = np.histogram(line.times, edges)[0] == 0
            least, mean, greatest = (np.where(silent, np.nan, v) for v in (least, mean, greatest))
        x, y = edges, np.r_[mean, mean[-1]]
        ax.fill_between(
            edges, np.r_[least, least[-1]], np.r_[greatest, greatest[-1]], step="post",
            color=look.color, alpha=0.18, linewidth=0, zorder=order,
        )  # fmt: skip
    ax.plot(
        x, y, color=look.color, linestyle=look.line, drawstyle="steps-post", zorder=order + 10,
        linewidth=2.2,
    )  # fmt: skip


def stretches(line: StepFunction, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the least, the mean and the greatest value between each two ``edges`` (seconds).

    >>> line = StepFunction("queue", np.array([1.0, 2.0]), np.array([4.0, 0.0]))
    >>> [values.tolist() for values in stretches(line, np.array([0.0, 2.0, 4.0]))]
    [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]]
    """
    inside = (line.times > edges[0]) & (line.times < edges[-1])
    times, where = np.unique(np.r_[edges[:-1], line.times[inside]], return_index=True)
    values = np.r_[line.sampled(edges[:-1]), line.values[inside]][where]
    # Until the first answer there is no latest one; that stretch shows what was known of it.
    lasts = np.where(np.isnan(values), 0.0, np.diff(np.r_[times, edges[-1]]))
    first = np.searchsorted(times, edges[:-1])
    with np.errstate(invalid="ignore"):
        area = np.add.reduceat(np.nan_to_num(values) * lasts, first)
        mean = area / np.add.reduceat(lasts, first)
    return np.fmin.reduceat(values, first), mean, np.fmax.reduceat(values, first)


def key_to_stretches(
    lines: Mapping[str, StepFunction], begin: float, end: float
) -> dict[str, Artist]:
    """Return what the legend says if any line was cut into stretches."""
    if not any(_is_cut(line, begin, end) for line in lines.values()):
        return {}
    text = f"line: mean of {seconds_text((end - begin) / STRETCHES)}; band: least to greatest"
    return {text: Patch(facecolor=QUIET, alpha=0.3)}


def _is_cut(line: StepFunction, begin: float, end: float) -> bool:
    return int(np.sum((line.times > begin) & (line.times < end))) > MOST_CHANGES


def _end(run: Run, line: StepFunction) -> float:
    """Return when the picture ends: with the traffic, or with the last change after it."""
    last = float(line.times[-1]) if len(line.times) else 0.0
    return max(run.scenario.duration, last)


def _handle(look: Look) -> Line2D:
    return Line2D([], [], color=look.color, linestyle=look.line)


# -- the words -----------------------------------------------------------------


def _value(what: str, value: float) -> str:
    if what in TIMES:
        return "none" if np.isnan(value) else seconds_text(value)
    # What is added and taken away again by fractions leaves a trace of rounding.
    return number_text(value if abs(value) > _ROUNDING else 0.0)


def _peak(line: StepFunction) -> tuple[float, float]:
    """Return the greatest value and when it first was there."""
    if not len(line.values):
        return line.start, 0.0
    i = int(np.nanargmax(line.values))
    return float(line.values[i]), float(line.times[i])


def _finding(
    what: str, subject: str | None, lines: Mapping[str, StepFunction], runs: Mapping[str, Run]
) -> str:
    whose = f" of {subject}" if subject else ""
    name_of = _NAMES[what]
    if what == "throughput":
        means = [f"{name} {number_text(_mean(line, runs[name]))}/s" for name, line in lines.items()]
        return f"{name_of}{whose}, on average: {', '.join(means)}"
    if what == "dead_letters":
        totals = [f"{name} {number_text(line.at(np.inf))}" for name, line in lines.items()]
        return f"{name_of}{whose}: {', '.join(totals)}"
    peaks = [f"{name} {_value(what, _peak(line)[0])}" for name, line in lines.items()]
    return f"{name_of}{whose} peaks at: {', '.join(peaks)}"


def _mean(line: StepFunction, run: Run) -> float:
    return line.mean(run.scenario.warmup, run.scenario.duration)


def _words(
    what: str,
    subject: str | None,
    finding: str,
    lines: Mapping[str, StepFunction],
    shaded: str,
    end: float,
) -> list[str]:
    whose = f" of {subject}" if subject else ""
    shown = f"{_NAMES[what]}{whose} ({_LABELS[what]}) over {seconds_text(end)} for {listed(lines)}."
    each = []
    for name, line in lines.items():
        value, at = _peak(line)
        if np.isnan(value):
            each.append(f"{name}: none.")
            continue
        each.append(
            f"{name}: greatest {_value(what, value)}, at {seconds_text(at)}; "
            f"in the end {_value(what, line.at(np.inf))}."
        )
    return [f"{finding}.", shown, shaded, *each]
