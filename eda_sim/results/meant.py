"""What each request was meant to do, read off the scenario and its branches.

Nothing here looks at what happened. The unfolding of a source says which work a
request sets in motion; the decisions on the way are luck, which is addressed and
can be looked up again. So every architecture is judged by what its own scenario
promised, whatever went wrong.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eda_sim.rules.luck import Luck
from eda_sim.rules.unfolding import (
    BranchNode,
    MessageNode,
    Node,
    ParallelNode,
    WorkNode,
    unfold,
)
from eda_sim.scenario.scenario import Scenario


class Place(NamedTuple):
    """A work at its place: who does it, its label, and the message that it is done for.

    ``number`` is that message's within the unfolding, so that work which one request means to
    be done for two messages is missed for each of them.
    """

    service: str
    label: str
    number: int


Mask = npt.NDArray[np.bool_]


def meant_by_source(
    scenario: Scenario, seed: int, requests: dict[str, int]
) -> dict[str, dict[Place, npt.NDArray[np.int64]]]:
    """Return how often each work is meant, for requests 0 to n - 1 of each source.

    Args:
        scenario: the scenario.
        seed: the seed of the run, for the decisions.
        requests: the number of requests of each source.

    Returns:
        For each source and each work at its place, an array of counts, shape ``(n,)``.
    """
    luck = Luck(seed)
    meant: dict[str, dict[Place, npt.NDArray[np.int64]]] = {}
    for source in scenario.traffic:
        size = requests.get(source.name, 0)
        counts: dict[Place, npt.NDArray[np.int64]] = {}
        everybody = np.ones(size, bool)
        for place, mask in _works([unfold(scenario, source)], 0, everybody, luck, source.name):
            counts[place] = counts.get(place, np.zeros(size, np.int64)) + mask
        meant[source.name] = counts
    return meant


def _works(
    nodes: Sequence[Node], number: int, mask: Mask, luck: Luck, source: str
) -> Iterator[tuple[Place, Mask]]:
    """Yield every piece of work with the requests that are meant to reach it."""
    for node in nodes:
        if isinstance(node, WorkNode):
            yield Place(node.owner, node.step.label, number), mask
        elif isinstance(node, MessageNode):
            for handler in node.handlers:
                yield from _works(handler.steps, node.number, mask, luck, source)
        elif isinstance(node, ParallelNode):
            yield from _works(node.steps, number, mask, luck, source)
        elif isinstance(node, BranchNode):
            taken = luck.stream(node.address, source, node.place).block(0, len(mask))
            goes = taken < node.step.probability
            yield from _works(node.then, number, mask & goes, luck, source)
            yield from _works(node.otherwise, number, mask & ~goes, luck, source)
