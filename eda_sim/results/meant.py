"""What each request was meant to do, read off the plan and its branches.

Nothing here looks at what happened. The plan says which work a request sets in
motion; the decisions on the way are luck, which is addressed and can be looked up
again. So every architecture is judged by what its own scenario promised, whatever
went wrong.
"""

from typing import NamedTuple, assert_never

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
    handling_of,
)

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Place(NamedTuple):
    """A work at its place: who does it, its label, and the message that it is done for.

    ``number`` is that message's within the unfolding, so that work which one request means to
    be done for two messages is missed for each of them.
    """

    service: str
    label: str
    number: int

    @classmethod
    def of(cls, work: WorkNode) -> "Place":
        """Return the place of a work in a plan."""
        handling = handling_of(work)
        assert handling is not None
        return cls(work.owner, work.step.label, handling.message.said)


def meant_by_source(
    plan: Plan, seed: int, requests: dict[str, int]
) -> dict[str, dict[Place, Counts]]:
    """Return how often each work is meant, for requests 0 to n - 1 of each source.

    Args:
        plan: what the scenario means.
        seed: the seed of the run, for the decisions.
        requests: the number of requests of each source.

    Returns:
        For each source and each work at its place, an array of counts, shape ``(n,)``.
    """
    luck = Luck(seed)
    return {
        each.source.name: _meant(each, luck, requests.get(each.source.name, 0))
        for each in plan.unfoldings
    }


def _meant(unfolding: Unfolding, luck: Luck, size: int) -> dict[Place, Counts]:
    """Let all requests into the first message, and at each branch only those that go that way."""
    counts: dict[Place, Counts] = {}
    reached: dict[Node, Mask] = {unfolding.root: np.ones(size, bool)}
    for node in unfolding.as_read:
        here = reached.pop(node)
        match node:
            case WorkNode():
                place = Place.of(node)
                counts[place] = counts.get(place, np.zeros(size, np.int64)) + here
            case BranchNode():
                goes = luck.stream(*node.address).block(0, size) < node.step.probability
                reached |= dict.fromkeys(node.then, here & goes)
                reached |= dict.fromkeys(node.otherwise, here & ~goes)
            case CallNode() | PublicationNode() | HandlerNode() | ParallelNode():
                reached |= dict.fromkeys(node.inside, here)
            case _:
                assert_never(node)
    return counts
