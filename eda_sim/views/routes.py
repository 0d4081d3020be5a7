"""Where boxes stand and arrows run in a layered diagram, in inches.

Arrows leave on the right and arrive on the left, ending in a straight piece that
holds their label. What points back runs in a lane of its own below everything.
The diagram is laid out in inches and then fitted: on Axes that are too small for
it, the texts shrink with everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from eda_sim.later.matplotlib import Axes, Path, PathPatch, Polygon
from eda_sim.views.canvas import size_of, text_width
from eda_sim.views.layers import layered
from eda_sim.views.style import SMALL

HEIGHT = 0.66  # of a box
_APART = 0.36  # from one box to the next below
_PORT = 0.24  # from one arriving arrow to the next, room for a label's line
_LANE = 0.42  # from one way back to the next below
_MOST_ASIDE = 6  # ways back that leave or reach a box beside each other
_MARGIN = 0.15
_HEAD = 0.24  # what an arrow's head needs before its label

Point = tuple[float, float]


class Box(NamedTuple):
    """Where a box stands: centre and size."""

    x: float
    y: float
    width: float
    height: float


class Link(NamedTuple):
    """An arrow from one box to another; ``kind`` tells apart those between the same two."""

    start: str
    end: str
    kind: str


class Stroke(NamedTuple):
    """How an arrow is drawn."""

    color: str
    style: Any
    width: float
    full: bool  # its head


@dataclass(frozen=True)
class Plan:
    """Boxes by name, the way of each arrow with the place where its label ends, and the size."""

    boxes: Mapping[str, Box]
    paths: Mapping[Link, Path]
    label_at: Mapping[Link, tuple[float, float, str]]  # x, y, horizontal alignment
    width: float
    height: float


def plan(widths: Mapping[str, float], links: Mapping[Link, str]) -> Plan:
    """Lay out boxes of these ``widths`` and the arrows between them, each with its label."""
    return _Planner(widths, links).plan()


class _Planner:
    def __init__(self, widths: Mapping[str, float], links: Mapping[Link, str]) -> None:
        self._links = links
        self._layers, self._ways = layered(list(widths), [link[:2] for link in links])
        self._level = {node: i for i, layer in enumerate(self._layers) for node in layer}
        self._named = list(widths)
        self._widths: dict[Any, float] = dict(widths)
        self._forth = [link for link in links if self._level[link.end] > self._level[link.start]]
        back = [link for link in links if link not in self._forth and link.start != link.end]
        self._lanes = {link: _LANE * (len(back) - i - 0.4) for i, link in enumerate(back)}
        self._boxes: dict[Any, Box] = {}
        self._columns: dict[Any, tuple[float, float]] = {}  # left and right of a box's layer
        self._ports = self._arrivals()

    def _arrivals(self) -> dict[Link, float]:
        """Return how far above the middle of its box each arrow ends: a place for each label."""
        ports: dict[Link, float] = {}
        place = {n: i / len(layer) for layer in self._layers for i, n in enumerate(layer)}
        self._heights: dict[Any, float] = {}
        for node in self._named:
            coming = [link for link in self._forth if link.end == node]
            coming.sort(key=lambda link: place[self._ways[link.start, link.end][-2]])
            # Arrows that say the same may end as one; those that say nothing stay apart.
            says = {link: (link.kind, self._links[link] or link.start) for link in coming}
            groups = list(dict.fromkeys(says.values()))
            tall = [(text.count("\n") + 1) * _PORT for _, text in groups]
            self._heights[node] = max(HEIGHT, sum(tall) + 0.1)
            for link in coming:
                i = groups.index(says[link])
                ports[link] = sum(tall) / 2 - sum(tall[:i]) - tall[i] / 2
        return ports

    def plan(self) -> Plan:
        deep = _LANE * len(self._lanes)
        columns = [max((self._widths.get(n, 0.0) for n in layer), default=0.0)
                   for layer in self._layers]  # fmt: skip
        totals = [sum(self._tall(n) for n in layer) + _APART * (len(layer) - 1)
                  for layer in self._layers]  # fmt: skip
        height = max(totals)
        left = _MARGIN
        for i, layer in enumerate(self._layers):
            apart = _APART
            if len(layer) > 1:  # a sparse layer beside a full one may use some of its room
                apart += min((height - totals[i]) / (len(layer) - 1), 0.6)
            top = (
                deep + _MARGIN + height / 2 + (totals[i] + (apart - _APART) * (len(layer) - 1)) / 2
            )
            for node in layer:
                tall = self._tall(node)
                width = self._widths.get(node, columns[i])
                self._boxes[node] = Box(left + columns[i] / 2, top - tall / 2, width, tall)
                self._columns[node] = left, left + columns[i]
                top -= tall + apart
            left += columns[i] + (self._gap(i) if i + 1 < len(self._layers) else 0.0)
        ways = {link: self._way(link) for link in self._links}
        return Plan(
            {node: self._boxes[node] for node in self._named},
            {link: path for link, (path, _) in ways.items()},
            {link: label for link, (_, label) in ways.items()},
            max(left, *(float(path.get_extents().x1) for path, _ in ways.values())) + _MARGIN,
            height + 2 * _MARGIN + deep,
        )

    def _tall(self, node: Any) -> float:
        return self._heights.get(node, HEIGHT / 2)

    def _gap(self, i: int) -> float:
        """Return how far layer i + 1 stands from layer i: room for the longest label between."""
        longest = max(
            (
                text_width(line, SMALL)
                for link in self._forth
                if self._level[link.end] - 1 == i
                for line in self._links[link].split("\n")
            ),
            default=0.0,
        )
        crowd = sum(self._level[link.start] <= i < self._level[link.end] for link in self._forth)
        return max(0.9 + 0.06 * min(crowd, 10), longest + 1.05 if longest else 0.0)

    def _way(self, link: Link) -> tuple[Path, tuple[float, float, str]]:
        if link.start == link.end:
            return _loop(self._boxes[link.start])
        if link in self._lanes:
            return self._back(link)
        way = [self._boxes[place] for place in self._ways[link.start, link.end]]
        return _forth(way, self._columns[link.start][1], self._ports[link])

    def _back(self, link: Link) -> tuple[Path, tuple[float, float, str]]:
        """Down into a lane, left, and up: straight, or between layers if something is below."""
        lane = self._lanes[link]
        first, last = self._boxes[link.start], self._boxes[link.end]
        places = min(len(self._lanes), _MOST_ASIDE)
        aside = 0.16 * (list(self._lanes).index(link) % places - (places - 1) / 2)
        lowest = {layer[-1] for layer in self._layers}
        points: list[Point]
        if link.start in lowest:
            points = [(first.x + aside, first.y - first.height / 2), (first.x + aside, lane)]
        else:
            x = self._columns[link.start][1] + 0.26 + aside / 2
            points = [(first.x + first.width / 2, first.y), (x, first.y), (x, lane)]
        if link.end in lowest:
            x = last.x + aside
            points += [(x, lane), (x, last.y - last.height / 2 - 0.03)]
        else:
            x = self._columns[link.end][0] - 0.36 + aside / 2
            y = last.y - last.height / 2 + 0.12  # below what arrives in the usual way
            points += [(x, lane), (x, y), (last.x - last.width / 2 - 0.03, y)]
        ends = [x for x, y in points if y == lane]
        return _rounded(points), (0.4 * ends[0] + 0.6 * ends[-1], lane, "center")


# -- the ways --------------------------------------------------------------------


def _forth(way: list[Box], clear: float, port: float) -> tuple[Path, tuple[float, float, str]]:
    """Straight until it is ``clear`` of the boxes above and below, then on in curves."""
    first, last = way[0], way[-1]
    points = [(clear, first.y)]
    for box in way[1:-1]:
        points += [(box.x - box.width / 2, box.y), (box.x + box.width / 2, box.y)]
    points.append((last.x - last.width / 2 - 0.03, last.y + port))
    vertices: list[Point] = [(first.x + first.width / 2, first.y), points[0]]
    codes = [Path.MOVETO, Path.LINETO]
    for i, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if i % 2 == 0:  # between two layers; otherwise straight past one
            bend = min(0.62 * (x1 - x0), 0.72)
            vertices += [(x0 + 0.55 * bend, y0), (x0 + 0.45 * bend, y1), (x0 + bend, y1)]
            codes += [Path.CURVE4] * 3
        vertices.append((x1, y1))
        codes.append(Path.LINETO)
    x, y = points[-1]
    return Path(vertices, codes), (x - _HEAD, y, "right")


def _rounded(points: list[Point], radius: float = 0.15) -> Path:
    vertices, codes = [points[0]], [Path.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        vertices += [_towards(corner, before, radius), corner, _towards(corner, after, radius)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def _towards(start: Point, end: Point, distance: float) -> Point:
    (x0, y0), (x1, y1) = start, end
    length = max(abs(x1 - x0) + abs(y1 - y0), 1e-9)
    part = min(distance / length, 0.5)
    return x0 + part * (x1 - x0), y0 + part * (y1 - y0)


def _loop(box: Box) -> tuple[Path, tuple[float, float, str]]:
    x, y = box.x, box.y + box.height / 2
    path = Path(
        [(x - 0.3, y), (x - 0.35, y + 0.4), (x + 0.35, y + 0.4), (x + 0.3, y + 0.03)],
        [Path.MOVETO, *[Path.CURVE4] * 3],
    )
    return path, (x - 0.4, y + 0.2, "right")


# -- on paper --------------------------------------------------------------------


def fit(ax: Axes, width: float, height: float, below: float) -> float:
    """Make data units inches, from -below up to height; return their scale, 1 if there is room."""
    across, up = size_of(ax)
    scale = min(across / width, up / (height + below), 1.0)
    ax.set_xlim(0, across / scale)
    ax.set_ylim(height - up / scale, height)
    return scale


def draw_arrow(ax: Axes, plan: Plan, link: Link, label: str, stroke: Stroke, scale: float) -> None:
    """Draw an arrow of the plan with its label."""
    path = plan.paths[link]
    shaft = PathPatch(
        path, fill=False, edgecolor=stroke.color, linewidth=stroke.width * scale,
        linestyle=stroke.style, zorder=3, capstyle="butt",
        label=f"{link.start} {link.kind} {link.end}",
    )  # fmt: skip
    ax.add_patch(shaft)
    ax.add_patch(_head(path, stroke))
    if label:
        x, y, align = plan.label_at[link]
        ax.text(
            x, y, label, ha=align, va="center", fontsize=SMALL * scale, color=stroke.color,
            zorder=4, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip


def _head(path: Path, stroke: Stroke) -> Polygon:
    """A triangle at the end of the way: full, or hollow where nobody is addressed."""
    (x0, y0), (x, y) = np.asarray(path.vertices, float)[-2:].tolist()
    length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 or 1.0
    along, aside = 0.17, 0.085
    dx, dy = (x - x0) / length, (y - y0) / length
    corners = [
        (x + 0.02 * dx, y + 0.02 * dy),
        (x - along * dx - aside * dy, y - along * dy + aside * dx),
        (x - along * dx + aside * dy, y - along * dy - aside * dx),
    ]
    return Polygon(
        corners, closed=True, facecolor=stroke.color if stroke.full else "white",
        edgecolor=stroke.color, linewidth=1.8, zorder=4.5, joinstyle="miter",
    )  # fmt: skip
