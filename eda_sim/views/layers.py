"""Where the parts of a system stand: in layers, from left to right, with few crossings.

The layers are the topological generations of the graph, counted by longest path
from the clients on, so every arrow that is not part of a cycle points right. An
arrow that passes a layer gets a place of its own there, so it hides nothing.
Within a layer, parts are ordered by the mean position of their neighbours, back
and forth until that leaves no fewer crossings.

References:
    Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical
    system structures", IEEE Transactions on Systems, Man, and Cybernetics 11, 1981.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise

from eda_sim.later.networkx import networkx

Node = Hashable
Layers = list[list[Node]]

_SWEEPS = 12


def layered(
    nodes: Sequence[str], edges: Iterable[tuple[str, str]]
) -> tuple[Layers, dict[tuple[str, str], list[Node]]]:
    """Return the layers, each from top to bottom, and the way of each edge through them.

    A way is the edge's start, its places in the layers between, and its end. An edge
    within a layer, or to an earlier one, has no places between.

    >>> layers, ways = layered(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    >>> [len(layer) for layer in layers], len(ways["a", "c"])
    ([1, 2, 1], 3)
    """
    wanted = list(dict.fromkeys((a, b) for a, b in edges if a != b))
    level = _levels(nodes, wanted)
    layers: Layers = [[] for _ in range(max(level.values(), default=0) + 1)]
    for node in nodes:
        layers[level[node]].append(node)
    ways: dict[tuple[str, str], list[Node]] = {}
    for a, b in wanted:
        between: list[Node] = [(a, b, i) for i in range(level[a] + 1, level[b])]
        for place in between:
            layers[place[2]].append(place)  # type: ignore[index]
        ways[a, b] = [a, *between, b]
    links = [link for way in ways.values() for link in pairwise(way)]
    return _ordered(layers, links), ways


def _levels(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    graph = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    for a, b in edges:
        # What would close a cycle points back; the first-described way is the forward one.
        if not networkx.has_path(graph, b, a):
            graph.add_edge(a, b)
    generations = networkx.topological_generations(graph)
    return {node: i for i, generation in enumerate(generations) for node in generation}


def _ordered(layers: Layers, links: Sequence[tuple[Node, Node]]) -> Layers:
    best, fewest = layers, _crossings(layers, links)
    tried = [list(layer) for layer in layers]
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        neighbours: dict[Node, list[Node]] = defaultdict(list)
        for a, b in links:
            neighbours[b if downwards else a].append(a if downwards else b)
        for layer in tried if downwards else reversed(tried):
            place = _places(tried)
            middle = {n: _mean([place[m] for m in neighbours.get(n, [n])]) for n in layer}
            layer.sort(key=middle.__getitem__)
        crossings = _crossings(tried, links)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in tried], crossings
    return best


def _places(layers: Layers) -> dict[Node, float]:
    """Return each node's place from the middle of its layer."""
    return {n: i - (len(layer) - 1) / 2 for layer in layers for i, n in enumerate(layer)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _crossings(layers: Layers, links: Sequence[tuple[Node, Node]]) -> int:
    level = {node: i for i, layer in enumerate(layers) for node in layer}
    place: Mapping[Node, float] = _places(layers)
    steps: dict[int, list[tuple[float, float]]] = {}
    for a, b in links:
        if level[b] == level[a] + 1:
            steps.setdefault(level[a], []).append((place[a], place[b]))
    return sum(
        (a - c) * (b - d) < 0 for step in steps.values() for (a, b), (c, d) in combinations(step, 2)
    )
