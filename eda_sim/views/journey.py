"""One order's journey as a sequence diagram.

Time runs downwards, stretched so that milliseconds and minutes can both be seen;
the time of everything that happens is written at the left. Arrows slant by the
time that they are on their way; one that ends in ✗ found nobody. A bar is a worker
at work, hatched and marked ✗ where it failed; a dotted column is a message that
waits for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan
from typing import Any, NamedTuple

from eda_sim.later.matplotlib import Axes, FancyBboxPatch, Line2D, Patch, Polygon, Rectangle
from eda_sim.results.journey import Journey
from eda_sim.results.journey.story import WRONG, Activity, Arrow
from eda_sim.results.run import Run
from eda_sim.results.words import count_text
from eda_sim.rules.outcomes import Outcome
from eda_sim.views.canvas import diagram_axes, text_width
from eda_sim.views.description import attach
from eda_sim.views.routes import fit
from eda_sim.views.sequence import BAR, HEAD, Sheet
from eda_sim.views.style import BLUE, GREEN, INK, NORMAL, QUIET, SMALL, VERMILLION, styled

_LEGEND_ROW = 0.27


class _Line(NamedTuple):
    color: str
    style: Any
    width: float
    full: bool
    says: str


_LINES: Mapping[str, _Line] = {
    "call": _Line(BLUE, "solid", 2.0, True, "call"),
    "reply": _Line(BLUE, (0, (4, 2.5)), 1.5, True, "reply"),
    "send": _Line(VERMILLION, (0, (6, 2)), 2.0, True, "send, to the broker"),
    "publish": _Line(GREEN, "solid", 3.2, False, "publish, to the broker"),
    "deliver": _Line(GREEN, (0, (1.2, 1.2)), 2.4, False, "deliver, to a subscriber"),
}
_BARS = {
    "works": {"facecolor": "#BBDDF0", "edgecolor": INK},
    "fails": {"facecolor": "#F2C4A8", "edgecolor": INK, "hatch": "////"},
    "waits": {"facecolor": "white", "edgecolor": QUIET, "hatch": "...."},
}
_BAR_SAYS = {"works": "a worker at work", "fails": "✗ in vain", "waits": "waits for a worker"}


def draw_journey(
    run: Run, request: int, ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Draw what one request caused, as a sequence diagram.

    Args:
        run: the run.
        request: the id of the request, from ``run.requests``.
        ax: where to draw; a new figure, as large as the journey needs, if None.
        title: what to write above it instead of how it went.

    Raises:
        InvalidInput: if the run has no such request.

    Example:
        >>> from eda_sim import draw_journey, order_pubsub, simulate
        >>> run = simulate(order_pubsub(duration=5, warmup=0), seed=7)
        >>> draw_journey(run, 0).get_title(loc="left").startswith("Request 0")
        True
    """
    journey = run.journey(request)
    texts = dict(_texts(journey))
    labels = [*(_label(arrow) for arrow in journey.arrows), *texts.values()]
    sheet = Sheet(journey, labels)
    finding = title or f"{journey.title[0].upper()}{journey.title[1:]}"
    with styled():
        entries = _legend(journey)
        columns = max(1, min(len(entries), int(sheet.width / 2.1)))
        below = _LEGEND_ROW * -(-len(entries) // columns) + 0.1
        ax = diagram_axes(ax, sheet.width, sheet.height + below, finding)
        scale = fit(ax, sheet.width, sheet.height, below)
        _draw_frame(ax, journey, sheet, scale)
        for who, name, begin, end in _waits(journey):
            _draw_bar(ax, sheet.x(who), sheet.y(begin), sheet.y(end), "waits", f"{who} {name}")
        for activity in journey.activities:
            _draw_activity(ax, activity, sheet)
        for arrow in journey.arrows:
            _draw_arrow(ax, arrow, sheet, scale)
        for (who, at), text in texts.items():
            # The answer stands below the arrow that brings it, everything else above its time.
            answer = who == journey.source and at == journey.answered_at
            y = sheet.y(at) + (-0.06 if answer else 0.02)
            _write(ax, sheet.x(who) + BAR + 0.08, y, text, "top" if answer else "bottom", scale)
        ax.legend(
            list(entries.values()), list(entries), loc="lower left", ncols=columns,
            bbox_to_anchor=(0.0, 0.0), fontsize=SMALL * scale, borderaxespad=0.0, borderpad=0.0,
            handlelength=2.6, columnspacing=1.5,
        )  # fmt: skip
    attach(ax, *_words(journey))
    return ax


# -- what is written where -----------------------------------------------------


def _texts(journey: Journey) -> Iterator[tuple[tuple[str, float], str]]:
    """Yield what is written beside a lifeline: work done, and what went wrong."""
    found: dict[tuple[str, float], list[str]] = {}
    for step in _steps(journey):
        place = found.setdefault((step.who, step.at), [])
        if step.what == "worked":
            place.append(step.note)
        elif step.what in WRONG:
            tried = f" ({step.note})" if step.note.startswith("attempt") else ""
            place.append(f"✗ {step.what}{tried}")
        elif step.what == "answered":
            place.append("✓ answered" if step.note == "ok" else f"✗ {step.note}")
    for where, parts in found.items():
        if len(parts) > 1 and parts[-1] in ("✗ dead-lettered", "✗ lost"):
            # The failure that made it so is told together with it.
            parts[-2:] = [parts[-2].replace("✗ failed", parts[-1])]
        if parts:
            yield where, ", ".join(parts)


def _waits(journey: Journey) -> Iterator[tuple[str, str, float, float]]:
    """Yield who has a message waiting for a worker, from when to when."""
    steps = list(_steps(journey))
    for step in steps:
        if step.what == "started" and steps[step.because].at < step.at:
            yield step.who, step.message, steps[step.because].at, step.at


def _steps(journey: Journey) -> Iterator[Any]:
    return journey.steps.itertuples()


def _label(arrow: Arrow) -> str:
    if arrow.kind in ("reply", "deliver"):
        return ""
    return arrow.name if arrow.attempt == 1 else f"{arrow.name} ({arrow.attempt})"


def _write(ax: Axes, x: float, y: float, text: str, align: str, scale: float) -> None:
    wrong = "✗" in text
    ax.text(
        x, y, text, ha="left", va=align, fontsize=SMALL * scale, zorder=8,
        color=VERMILLION if wrong else INK, fontweight="bold" if wrong else "normal",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85},
    )  # fmt: skip


# -- the picture ---------------------------------------------------------------


def _draw_frame(ax: Axes, journey: Journey, sheet: Sheet, scale: float) -> None:
    top = sheet.height - 0.05 - HEAD
    for who, width in sheet.heads.items():
        x = sheet.x(who)
        ax.plot([x, x], [top, sheet.bottom], color=QUIET, linewidth=1.0, linestyle=(0, (5, 4)),
                zorder=1)  # fmt: skip
        head = FancyBboxPatch(
            (x - width / 2, top), width, HEAD, "round,pad=0,rounding_size=0.06",
            facecolor="#F3F3F3", edgecolor=INK, linewidth=1.5 * scale, zorder=6,
        )  # fmt: skip
        ax.add_patch(head)
        ax.text(x, top + HEAD / 2, who, ha="center", va="center", fontsize=NORMAL * scale,
                fontweight="bold", zorder=7)  # fmt: skip
    for at, tick in zip(sheet.times, sheet.ticks, strict=True):
        y = sheet.y(at)
        ax.text(sheet.left - 0.25, y, tick, ha="right", va="center", fontsize=SMALL * scale,
                color=QUIET, zorder=2)  # fmt: skip
        ax.plot([sheet.left - 0.2, sheet.width], [y, y], color="#EFEFEF", linewidth=0.8, zorder=0)


def _draw_activity(ax: Axes, activity: Activity, sheet: Sheet) -> None:
    kind = "works" if activity.outcome in (Outcome.OK, Outcome.UNFINISHED) else "fails"
    begin, end = sheet.y(activity.begins), sheet.y(activity.ends)
    label = f"{activity.who} {activity.name} {activity.attempt} {activity.outcome}"
    _draw_bar(ax, sheet.x_of(activity), begin, end, kind, label)


def _draw_bar(ax: Axes, x: float, begin: float, end: float, kind: str, label: str) -> None:
    half = BAR * 0.7 if kind == "waits" else BAR
    look: dict[str, Any] = _BARS[kind]
    bar = Rectangle((x - half, end), 2 * half, begin - end, linewidth=1.2, zorder=4, **look)
    bar.set_label(label)
    ax.add_patch(bar)


def _draw_arrow(ax: Axes, arrow: Arrow, sheet: Sheet, scale: float) -> None:
    line = _LINES[arrow.kind]
    arrives = not isnan(arrow.arrives)
    y0, y1 = sheet.y(arrow.departs), sheet.y(arrow.arrives if arrives else arrow.departs)
    right = 1 if sheet.x(arrow.receiver) > sheet.x(arrow.sender) else -1
    x0, x1 = sheet.x(arrow.sender) + right * BAR, sheet.x(arrow.receiver) - right * BAR
    if not arrives:
        x1 = x0 + right * 0.55
    (shaft,) = ax.plot(
        [x0, x1 - right * 0.1 * arrives], [y0, y1], color=line.color, linestyle=line.style,
        linewidth=line.width * scale, zorder=3, solid_capstyle="butt",
    )  # fmt: skip
    shaft.set_label(f"{arrow.kind} {arrow.name} {arrow.sender} {arrow.receiver}")
    if arrives and not arrow.too_late:
        _draw_head(ax, (x0, y0), (x1, y1), line)
    else:
        ax.text(x1, y1, "✗", color=VERMILLION, fontsize=1.3 * SMALL * scale, ha="center",
                va="center", fontweight="bold", zorder=5)  # fmt: skip
    if _label(arrow):
        aside = min(abs(x1 - x0) / 2, text_width(_label(arrow), SMALL) / 2 + 0.4)
        near = x1 - right * aside
        part = (near - x0) / (x1 - x0)
        ax.text(
            near, y0 + part * (y1 - y0), _label(arrow), ha="center", va="center",
            fontsize=SMALL * scale, color=line.color, zorder=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _draw_head(ax: Axes, start: tuple[float, float], end: tuple[float, float], line: _Line) -> None:
    (x0, y0), (x, y) = start, end
    length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 or 1.0
    dx, dy = 0.16 * (x - x0) / length, 0.16 * (y - y0) / length
    corners = [(x, y), (x - dx - dy / 2, y - dy + dx / 2), (x - dx + dy / 2, y - dy - dx / 2)]
    ax.add_patch(
        Polygon(corners, closed=True, facecolor=line.color if line.full else "white",
                edgecolor=line.color, linewidth=1.5, zorder=5)
    )  # fmt: skip


def _legend(journey: Journey) -> dict[str, Any]:
    """Return what is in the picture, each with its handle."""
    kinds = {arrow.kind for arrow in journey.arrows}
    entries: dict[str, Any] = {
        line.says: Line2D([], [], color=line.color, linestyle=line.style, linewidth=line.width)
        for kind, line in _LINES.items()
        if kind in kinds
    }
    outcomes = {activity.outcome for activity in journey.activities}
    bars = {
        "works": outcomes & {Outcome.OK, Outcome.UNFINISHED},
        "fails": outcomes - {Outcome.OK, Outcome.UNFINISHED},
        "waits": set(_waits(journey)),
    }
    for kind, present in bars.items():
        if present:
            look: dict[str, Any] = _BARS[kind]
            entries[_BAR_SAYS[kind]] = Patch(**look)
    return entries


# -- the words -----------------------------------------------------------------


def _words(journey: Journey) -> list[str]:
    involved = ", ".join(journey.participants)
    wrong = int(journey.steps["what"].isin(WRONG).sum())
    lines = [f"Sequence diagram of {count_text(len(journey.arrows), 'arrow')} between {involved}."]
    if wrong:
        lines.append(f"{count_text(wrong, 'thing')} went wrong on the way.")
    return [f"{journey.title}.", *lines, *str(journey).splitlines()[1:]]
