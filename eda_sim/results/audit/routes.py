"""The way from a client to a piece of work: which messages lead there, and what comes first.

Read off the plan. A leg is one message on the way with the handling that leads on; what that
does first can keep a request from ever getting further.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from eda_sim.rules.plan import (
    BranchNode,
    CallNode,
    HandlerNode,
    MessageNode,
    Node,
    ParallelNode,
    PublicationNode,
    Unfolding,
    WorkNode,
    handling_of,
    walk,
    way_to,
)


@dataclass(frozen=True, eq=False)
class Leg:
    """One message on the way, how it is handled, and the messages that this makes first."""

    handling: HandlerNode
    first: frozenset[int]

    @property
    def message(self) -> MessageNode:
        """The message."""
        return self.handling.message

    @property
    def service(self) -> str:
        """Who handles the message."""
        return self.handling.owner

    @property
    def is_call(self) -> bool:
        """Whether whoever made the message waits for how it ends."""
        return isinstance(self.message, CallNode)


Route = tuple[Leg, ...]


class Routes:
    """The routes of one source of traffic.

    Attributes:
        needed: for each message the services on which it depends how it ends: those that handle
            it, and whom they call.
    """

    def __init__(self, unfolding: Unfolding) -> None:
        self._nodes = unfolding.nodes
        self.needed = _needed(unfolding)

    def work(self, number: int) -> WorkNode:
        """Return a work by its number."""
        work = self._nodes[number]
        assert isinstance(work, WorkNode)
        return work

    def message(self, number: int) -> MessageNode:
        """Return a message by its number."""
        message = self._nodes[number]
        assert isinstance(message, MessageNode)
        return message

    def to(self, work: WorkNode) -> Route:
        """Return the legs from the client to a work, at least one."""
        way = way_to(work)
        then = [*(handling.message for handling in way[1:]), work]
        return tuple(Leg(*leg) for leg in zip(way, map(_made_first, then), strict=True))


def _needed(unfolding: Unfolding) -> dict[MessageNode, set[str]]:
    needed: dict[MessageNode, set[str]] = {message: set() for message in unfolding.messages}
    for node in reversed(unfolding.as_read):  # what is inside a node before it
        if isinstance(node, HandlerNode):
            needed[node.message].add(node.owner)
        elif isinstance(node, CallNode) and (handling := handling_of(node)) is not None:
            needed[handling.message] |= needed[node]
    return needed


def _made_first(node: Node) -> frozenset[int]:
    """Return the numbers of all messages that are made before a node, and its own."""
    before = [each for step in _before(node) for each in walk(step)]
    return frozenset(each.number for each in (*before, node) if isinstance(each, MessageNode))


def _before(node: Node) -> Iterator[Node]:
    """Yield the steps before a node in its handling, the nearest last."""
    parent = node.parent
    if parent is None or isinstance(node, HandlerNode):
        return
    yield from _before(parent)
    steps = _in_turn(parent, node)
    yield from steps[: steps.index(node)]


def _in_turn(parent: Node, node: Node) -> Sequence[Node]:
    """Return what is done one after another in a node, on the way that holds one of them."""
    match parent:
        case HandlerNode():
            return parent.inside
        case BranchNode():
            return parent.then if node in parent.then else parent.otherwise
        case ParallelNode() | CallNode() | PublicationNode() | WorkNode():
            return (node,)
        case _:
            assert_never(parent)
