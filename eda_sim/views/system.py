"""The system as a picture: who speaks to whom, and how.

Clients are pills, services boxes, topics ellipses. A call is a solid line with a
full head, a send a dashed one; events travel on thick lines with hollow heads,
from their publisher to the topic and on, dotted, to each subscriber. A command
is named at its line, an event by its topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eda_sim.later.matplotlib import Axes, Ellipse, FancyBboxPatch, Line2D, Patch
from eda_sim.later.networkx import networkx
from eda_sim.results.words import count_text
from eda_sim.scenario.scenario import Scenario
from eda_sim.views.canvas import diagram_axes, text_width
from eda_sim.views.description import attach, listed
from eda_sim.views.routes import Box, Link, Stroke, draw_arrow, fit, plan
from eda_sim.views.style import BLUE, GREEN, INK, NORMAL, QUIET, SMALL, VERMILLION, styled

STROKES: Mapping[str, Stroke] = {
    "call": Stroke(BLUE, "solid", 2.0, True),
    "send": Stroke(VERMILLION, (0, (5, 2)), 2.0, True),
    "publish": Stroke(GREEN, "solid", 3.6, False),
    "subscribe": Stroke(GREEN, (0, (1.2, 1.2)), 3.0, False),
}
MEANINGS = {
    "call": "call: waits for the reply",
    "send": "send: one addressee, nobody waits",
    "publish": "publish: an event, no addressee",
    "subscribe": "subscribe: hears the event",
}
FILLS = {"source": "#F3F3F3", "service": "#DCEBF5", "topic": "#DDF2EA"}
KINDS = {"source": "clients", "service": "service", "topic": "topic, one for each event"}

_LEGEND_ROW = 0.27


def draw_system(scenario: Scenario, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw clients, services and topics, and how they speak to each other.

    Args:
        scenario: the system.
        ax: where to draw; a new figure, as large as the system needs, if None.
        title: what to write above it instead of the finding.

    Example:
        >>> from eda_sim import draw_system, order_pubsub
        >>> draw_system(order_pubsub()).get_title(loc="left")
        'publish/subscribe: whoever asks waits for 1 of 5 services'
    """
    drawn = scenario.graph()
    links = _links(drawn)
    sizes = {node: _size_text(node, kind, scenario) for node, kind in drawn.nodes(data="kind")}
    laid = plan({n: _width(n, kind, sizes[n]) for n, kind in drawn.nodes(data="kind")}, links)
    legend = _legend_entries(drawn)
    with styled():
        finding = title or f"{scenario.name}: {_finding(drawn)}"
        columns = 2 if laid.width < 10 else 3
        below = _LEGEND_ROW * -(-len(legend) // columns) + 0.1
        ax = diagram_axes(ax, laid.width, laid.height + below, finding)
        scale = fit(ax, laid.width, laid.height, below)
        for link, label in links.items():
            draw_arrow(ax, laid, link, label, STROKES[link.kind], scale)
        for node, kind in drawn.nodes(data="kind"):
            _draw_node(ax, node, kind, sizes[node], laid.boxes[node], scale)
        ax.legend(
            list(legend.values()), list(legend), loc="lower left", ncols=columns,
            bbox_to_anchor=(0.0, 0.0), fontsize=SMALL * scale, handlelength=3.2,
            borderaxespad=0.0, borderpad=0.0, columnspacing=1.5,
        )  # fmt: skip
    attach(ax, *_words(drawn, finding, links))
    return ax


def _links(drawn: networkx.MultiDiGraph[str]) -> dict[Link, str]:
    """Return what is said from whom to whom in which way; several commands share a line."""
    said: dict[Link, list[str]] = {}
    for start, end, data in drawn.edges(data=True):
        said.setdefault(Link(start, end, data["kind"]), []).append(data["message"])
    return {
        link: "\n".join(messages) if link.kind in ("call", "send") else ""
        for link, messages in said.items()
    }


def _size_text(node: str, kind: str, scenario: Scenario) -> str:
    if kind != "service":
        return ""
    service = scenario.service(node)
    workers = count_text(service.workers, "worker")
    return workers if service.instances == 1 else f"{service.instances} × {workers}"


def _width(node: str, kind: str, size: str) -> float:
    text = max(text_width(node, NORMAL, bold=True), text_width(size, SMALL))
    return max(text * (1.32 if kind == "topic" else 1.0) + 0.42, 1.1)


def _draw_node(ax: Axes, node: str, kind: str, size: str, box: Box, scale: float) -> None:
    style: dict[str, Any] = {
        "facecolor": FILLS[kind], "edgecolor": INK, "linewidth": 1.6 * scale, "zorder": 5,
    }  # fmt: skip
    shape: Patch
    if kind == "topic":
        shape = Ellipse((box.x, box.y), box.width, box.height, **style)
    else:
        rounding = box.height / 2 if kind == "source" else 0.06
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        shape = FancyBboxPatch(
            corner, box.width, box.height, f"round,pad=0,rounding_size={rounding}", **style
        )
    shape.set_label(node)
    ax.add_patch(shape)
    ax.text(
        box.x, box.y + (0.125 if size else 0.0), node, ha="center", va="center",
        fontsize=NORMAL * scale, fontweight="bold", zorder=6,
    )  # fmt: skip
    if size:
        ax.text(
            box.x, box.y - 0.155, size, ha="center", va="center", fontsize=SMALL * scale,
            color=QUIET, zorder=6,
        )  # fmt: skip


def _legend_entries(drawn: networkx.MultiDiGraph[str]) -> dict[str, Any]:
    kinds = {kind for _, kind in drawn.nodes(data="kind")}
    spoken = {data["kind"] for *_, data in drawn.edges(data=True)}
    entries: dict[str, Any] = {
        text: Patch(facecolor=FILLS[kind], edgecolor=INK)
        for kind, text in KINDS.items()
        if kind in kinds
    }
    for kind, stroke in STROKES.items():
        if kind in spoken:
            entries[MEANINGS[kind]] = Line2D(
                [], [], color=stroke.color, linestyle=stroke.style, linewidth=stroke.width,
                marker=">", markevery=[1], markersize=9, markeredgewidth=1.8,
                markerfacecolor=stroke.color if stroke.full else "white",
            )  # fmt: skip
    return entries


# -- the words -----------------------------------------------------------------


def _finding(drawn: networkx.MultiDiGraph[str]) -> str:
    """Say on how many services an answer depends: those reached by calls alone."""
    services = [node for node, kind in drawn.nodes(data="kind") if kind == "service"]
    waited_for = waits_for(drawn)
    return f"whoever asks waits for {len(waited_for)} of {count_text(len(services), 'service')}"


def waits_for(drawn: networkx.MultiDiGraph[str]) -> set[str]:
    """Return the services that clients reach by calls alone."""
    frontier = [node for node, kind in drawn.nodes(data="kind") if kind == "source"]
    reached: set[str] = set()
    while frontier:
        for _, end, kind in drawn.out_edges(frontier.pop(), data="kind"):
            if kind == "call" and end not in reached:
                reached.add(end)
                frontier.append(end)
    return reached


def _words(drawn: networkx.MultiDiGraph[str], finding: str, links: Mapping[Link, str]) -> list[str]:
    parts = []
    for kind, name in (("source", "clients"), ("service", "services"), ("topic", "topics")):
        nodes = [node for node, of in drawn.nodes(data="kind") if of == kind]
        if nodes:
            parts.append(f"{name} {listed(nodes)}")
    lines = [_said(link, label) for link, label in links.items()]
    return [f"{finding}.", f"Drawn from left to right: {'; '.join(parts)}.", *lines]


def _said(link: Link, label: str) -> str:
    what = listed(label.split("\n"))
    return {
        "call": f"{link.start} calls {link.end}: {what}.",
        "send": f"{link.start} sends to {link.end}: {what}.",
        "publish": f"{link.start} publishes {link.end}.",
        "subscribe": f"{link.end} hears {link.start}.",
    }[link.kind]
