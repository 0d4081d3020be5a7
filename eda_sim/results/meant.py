"""What each request was meant to do, read off the scenario and its branches.

Nothing here looks at what happened. The unfolding of a source says which work a
request sets in motion; the decisions on the way are luck, which is addressed and
can be looked up again. So every architecture is judged by what its own scenario
promised, whatever went wrong.
"""

from collections.abc import Iterator, Sequence

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

Work = tuple[str, str]  # service and label
Mask = npt.NDArray[np.bool_]


def meant_by_source(
    scenario: Scenario, seed: int, requests: dict[str, int]
) -> dict[str, dict[Work, npt.NDArray[np.int64]]]:
    """Return how often each work is meant, for requests 0 to n - 1 of each source.

    Args:
        scenario: the scenario.
        seed: the seed of the run, for the decisions.
        requests: the number of requests of each source.

    Returns:
        For each source and each ``(service, label)``, an array of counts, shape ``(n,)``.
    """
    luck = Luck(seed)
    meant: dict[str, dict[Work, npt.NDArray[np.int64]]] = {}
    for source in scenario.traffic:
        size = requests.get(source.name, 0)
        counts: dict[Work, npt.NDArray[np.int64]] = {}
        for work, mask in _works(
            [unfold(scenario, source)], np.ones(size, bool), luck, source.name
        ):
            key = (work.owner, work.step.label)
            counts[key] = counts.get(key, np.zeros(size, np.int64)) + mask
        meant[source.name] = counts
    return meant


def _works(
    nodes: Sequence[Node], mask: Mask, luck: Luck, source: str
) -> Iterator[tuple[WorkNode, Mask]]:
    """Yield every piece of work with the requests that are meant to reach it."""
    for node in nodes:
        if isinstance(node, WorkNode):
            yield node, mask
        elif isinstance(node, MessageNode):
            for handler in node.handlers:
                yield from _works(handler.steps, mask, luck, source)
        elif isinstance(node, ParallelNode):
            yield from _works(node.steps, mask, luck, source)
        elif isinstance(node, BranchNode):
            stream = luck.stream(node.address, source, node.place)
            taken = stream.block(0, len(mask)) < node.step.probability
            yield from _works(node.then, mask & taken, luck, source)
            yield from _works(node.otherwise, mask & ~taken, luck, source)
