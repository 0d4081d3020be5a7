"""The plan of a scenario: what it means, unfolded once.

Between a description and everything that follows it stands one thing. From each client on,
the plan says which steps a request may reach, each a numbered node with its parent, what is
inside it, its place, the delivery policy in force there, the address of each of its random
numbers and the turn of each of its happenings. An engine performs the plan, the ledger reads
off it what was meant, audit and journeys look causes up in it; so they agree.

``nodes`` has the kinds of nodes, ``unfolding`` makes them. The faults of a scenario are planned
as well, in ``faults`` and ``outages``: what breaks is no node, but it has random numbers of its
own, and copies of services that it hits.
"""

from collections.abc import Iterator

from eda_sim.errors import InvalidInput
from eda_sim.rules.identity import MOST_SOURCES
from eda_sim.rules.plan.faults import PlannedFault, planned
from eda_sim.rules.plan.nodes import (
    BranchNode,
    CallNode,
    HandlerNode,
    MessageNode,
    Node,
    ParallelNode,
    PublicationNode,
    StepNode,
    WorkNode,
)
from eda_sim.rules.plan.unfolding import Unfolding, unfold
from eda_sim.scenario.scenario import Scenario

__all__ = [
    "BranchNode",
    "CallNode",
    "HandlerNode",
    "MessageNode",
    "Node",
    "ParallelNode",
    "Plan",
    "PlannedFault",
    "PublicationNode",
    "StepNode",
    "Unfolding",
    "WorkNode",
    "handling_of",
    "walk",
    "way_to",
]


class Plan:
    """What a scenario means: the unfolding of each of its sources of traffic.

    Attributes:
        scenario: what is planned.
        unfoldings: one for each source, in the scenario's order.
        faults: what breaks, in the scenario's order.

    >>> from eda_sim.catalog import order_chain
    >>> chain = Plan(order_chain()).of("customers")
    >>> chain.root.name, chain.root.handler.owner
    ('PlaceOrder', 'orders')
    """

    def __init__(self, scenario: Scenario) -> None:
        if len(scenario.traffic) > MOST_SOURCES:
            raise InvalidInput(
                f"traffic must have at most {MOST_SOURCES} sources, got {len(scenario.traffic)}: "
                "let one source stand for many clients"
            )
        self.scenario = scenario
        self.unfoldings = tuple(unfold(scenario, i) for i in range(len(scenario.traffic)))
        self.faults = planned(scenario.faults, scenario.services)
        self._by_source = {each.source.name: each for each in self.unfoldings}

    def of(self, source: str) -> Unfolding:
        """Return the unfolding of a source of traffic, by its name."""
        return self._by_source[source]


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, each before what is inside it."""
    to_visit = [node]
    while to_visit:
        node = to_visit.pop()
        yield node
        to_visit.extend(reversed(node.inside))


def handling_of(node: Node) -> HandlerNode | None:
    """Return the handling of which a node is a part; None where a client does it."""
    above = node.parent
    while above is not None and not isinstance(above, HandlerNode):
        above = above.parent
    return above


def way_to(node: Node) -> list[HandlerNode]:
    """Return the handlings that lead from the client to a node, its own last."""
    way: list[HandlerNode] = []
    above = handling_of(node)
    while above is not None:
        way.append(above)
        above = handling_of(above)
    return way[::-1]
