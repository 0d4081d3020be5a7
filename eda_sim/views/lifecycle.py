"""What can become of a call, a delivery, an instance or a breaker: the state tables as diagrams.

The states and arrows are those of ``rules.lifecycle``, which the engine follows;
nothing is drawn that could not happen, and nothing that could is left out.
"""

from __future__ import annotations

from eda_sim.later.matplotlib import Axes, FancyBboxPatch, Line2D
from eda_sim.results.words import count_text
from eda_sim.rules.lifecycle import Lifecycle, transitions
from eda_sim.views.canvas import diagram_axes, text_width
from eda_sim.views.description import attach, listed
from eda_sim.views.routes import Box, Link, Stroke, draw_arrow, fit, plan
from eda_sim.views.style import BLUE, INK, NORMAL, styled

_STROKE = Stroke(BLUE, "solid", 2.0, True)
_FILLS = {"start": "#DCEBF5", "between": "#F3F3F3", "end": "#DDF2EA"}
_BELOW = 0.45


def draw_lifecycle(
    lifecycle: Lifecycle, ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Draw a state diagram; it starts in the pill, and ends in a box with a double frame.

    Args:
        lifecycle: a table of ``eda_sim.rules.lifecycle``: ``CALL``, ``DELIVERY``, ``INSTANCE``
            or ``BREAKER``.
        ax: where to draw; a new figure, as large as the diagram needs, if None.
        title: what to write above it instead of the finding.

    Example:
        >>> from eda_sim import draw_lifecycle
        >>> from eda_sim.rules.lifecycle import BREAKER
        >>> draw_lifecycle(BREAKER).get_title(loc="left")
        'A circuit breaker starts closed and never ends'
    """
    links = _links(lifecycle)
    laid = plan({state.name: _width(state.name) for state in lifecycle.states}, links)
    with styled():
        finding = title or _finding(lifecycle)
        ax = diagram_axes(ax, laid.width, laid.height + _BELOW, finding)
        scale = fit(ax, laid.width, laid.height, _BELOW)
        for link, label in links.items():
            draw_arrow(ax, laid, link, label, _STROKE, scale)
        ends = {state.name for state in lifecycle.ends}
        for state in lifecycle.states:
            role = "start" if state is lifecycle.start else "between"
            role = "end" if state.name in ends else role
            _draw_state(ax, state.name, role, laid.boxes[state.name], scale)
        _draw_legend(ax, lifecycle, scale)
    arrows = [f"{s}, {event}: {follows}." for s, event, follows in transitions(lifecycle)]
    attach(ax, f"{finding}.", *map(_plain, arrows))
    return ax


def _links(lifecycle: Lifecycle) -> dict[Link, str]:
    """Return the arrows; several events that lead from one state to the same other share one."""
    events: dict[Link, list[str]] = {}
    for state, event, follows in transitions(lifecycle):
        events.setdefault(Link(state, follows, ""), []).append(_plain(event))
    return {link: "\n".join(names) for link, names in events.items()}


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _width(name: str) -> float:
    return max(text_width(_plain(name), NORMAL, bold=True) + 0.45, 1.1)


def _draw_state(ax: Axes, name: str, role: str, box: Box, scale: float) -> None:
    rounding = box.height / 2 if role == "start" else 0.08
    frames = (0.0, 0.055) if role == "end" else (0.0,)
    for inset in frames:
        width, height = box.width - 2 * inset, box.height - 2 * inset
        frame = FancyBboxPatch(
            (box.x - width / 2, box.y - height / 2), width, height,
            f"round,pad=0,rounding_size={rounding}", facecolor=_FILLS[role], edgecolor=INK,
            linewidth=1.6 * scale, zorder=5,
        )  # fmt: skip
        if not inset:
            frame.set_label(name)
        ax.add_patch(frame)
    ax.text(
        box.x, box.y, _plain(name), ha="center", va="center", fontsize=NORMAL * scale,
        fontweight="bold", zorder=6,
    )  # fmt: skip


def _draw_legend(ax: Axes, lifecycle: Lifecycle, scale: float) -> None:
    entries = {
        "start": _FILLS["start"],
        "on the way": _FILLS["between"],
        "end (double frame)": _FILLS["end"],
    }
    if not lifecycle.ends:
        del entries["end (double frame)"]
    handles = [
        Line2D([], [], linestyle="none", marker="o" if text == "start" else "s", markersize=13,
               markerfacecolor=fill, markeredgecolor=INK)
        for text, fill in entries.items()
    ]  # fmt: skip
    ax.legend(
        handles, list(entries), loc="lower left", ncols=3, bbox_to_anchor=(0.0, 0.0),
        fontsize=12 * scale, borderaxespad=0.0, borderpad=0.0, handletextpad=0.4,
    )  # fmt: skip


def _finding(lifecycle: Lifecycle) -> str:
    ends = [_plain(state.name) for state in lifecycle.ends]
    article = "An" if lifecycle.name[0] in "aeiou" else "A"
    starts = f"{article} {lifecycle.name} starts {_plain(lifecycle.start.name)}"
    if not ends:
        return f"{starts} and never ends"
    if len(ends) > 4:
        return f"{starts} and has {count_text(len(ends), 'end')}"
    return f"{starts} and ends {listed(ends, 'or')}"
