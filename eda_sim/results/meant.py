"""What each request was meant to do, read off the plan and its branches.

Nothing here looks at what happened. The plan says which work a request sets in
motion; the decisions on the way are luck, which is addressed and can be looked up
again. So every architecture is judged by what its own scenario promised, whatever
went wrong.
"""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from eda_sim.rules.luck import Luck
from eda_sim.rules.plan import (
    BranchNode,
    CallNode,
    HandlerNode,
    Node,
    ParallelNode,
    Plan,
    PublicationNode,
    Unfolding,
    WorkNode,
)

Mask = npt.NDArray[np.bool_]


def meant_by_source(
    plan: Plan, seed: int, requests: dict[str, int]
) -> dict[str, dict[WorkNode, Mask]]:
    """Return whether each work is meant, for requests 0 to n - 1 of each source.

    Args:
        plan: what the scenario means.
        seed: the seed of the run, for the decisions.
        requests: the number of requests of each source.

    Returns:
        For each source and each work at its place, an array of booleans, shape ``(n,)``.
    """
    luck = Luck(seed)
    return {
        each.source.name: _meant(each, luck, requests.get(each.source.name, 0))
        for each in plan.unfoldings
    }


def _meant(unfolding: Unfolding, luck: Luck, size: int) -> dict[WorkNode, Mask]:
    """Let all requests into the first message, and at each branch only those that go that way."""
    meant: dict[WorkNode, Mask] = {}
    reached: dict[Node, Mask] = {unfolding.root: np.ones(size, bool)}
    for node in unfolding.as_read:
        here = reached.pop(node)
        match node:
            case WorkNode():
                meant[node] = here
            case BranchNode():
                goes = luck.stream(*node.address).block(0, size) < node.step.probability
                reached |= dict.fromkeys(node.then, here & goes)
                reached |= dict.fromkeys(node.otherwise, here & ~goes)
            case CallNode() | PublicationNode() | HandlerNode() | ParallelNode():
                reached |= dict.fromkeys(node.inside, here)
            case _:
                assert_never(node)
    return meant
