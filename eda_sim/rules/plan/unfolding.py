"""A scenario unfolded: from each client on, through every message to every step.

The unfolding is a loop over what is still to be read, not a recursion, so a chain of calls may
be as long as it likes. A node is read before what is inside it, in the order of the
description; a part of the tree that passes through a service declared later is *counted*
later. So a service appended to a scenario changes no number and no place of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import assert_never

from eda_sim.errors import InvalidInput
from eda_sim.rules.addresses import of_message, of_step, of_subscriber
from eda_sim.rules.order import MOST_NODES
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
from eda_sim.scenario.broker import Topic
from eda_sim.scenario.messages import name_of
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Parallel, Publish, Send, Work
from eda_sim.scenario.traffic import Traffic

_ORDINARY = Topic()


@dataclass(frozen=True, eq=False)
class Unfolding:
    """Everything that a request of one source may set in motion.

    Attributes:
        position: of the source in the scenario.
        source: who makes the requests.
        root: the message of a request.
        nodes: every node by its number.
        as_read: every node, each before what is inside it.
    """

    position: int
    source: Traffic
    root: MessageNode
    nodes: tuple[Node, ...]
    as_read: tuple[Node, ...]

    @cached_property
    def messages(self) -> tuple[MessageNode, ...]:
        """Every message, by its number."""
        return tuple(node for node in self.nodes if isinstance(node, MessageNode))


def unfold(scenario: Scenario, position: int) -> Unfolding:
    """Unfold the requests of a source of traffic, given by its position.

    Raises:
        InvalidInput: if one request may cause more than 65,536 steps.
    """
    reader = _Reader(scenario, scenario.traffic[position])
    root, as_read = reader.read()
    nodes = _numbered(as_read)
    return Unfolding(position, scenario.traffic[position], root, nodes, tuple(as_read))


class _Reader:
    """Reads what a request of one source leads to."""

    def __init__(self, scenario: Scenario, source: Traffic) -> None:
        self._scenario = scenario
        self._source = source
        self._broker = scenario.broker
        self._position = {service.name: i for i, service in enumerate(scenario.services)}
        self._handling: dict[str, list[Service]] = {}
        for service in scenario.services:
            for name in service.handlers:
                self._handling.setdefault(name, []).append(service)

    def read(self) -> tuple[MessageNode, list[Node]]:
        """Return the first message, and all nodes, each before what is inside it."""
        source = self._source
        root = self._step(source.message, source.name, None, latest=-1)
        assert isinstance(root, (CallNode, PublicationNode))
        nodes: list[Node] = []
        to_read: list[Node] = [root]
        while to_read:
            node = to_read.pop()
            nodes.append(node)
            if len(nodes) > MOST_NODES:
                raise InvalidInput(
                    f"a request of {source.name!r} must cause at most {MOST_NODES} steps, but "
                    f"{node.owner!r} has one more ({node.text!r}): let fewer messages follow, or "
                    "fewer steps"
                )
            self._look_inside(node)
            to_read.extend(reversed(node.inside))
        return root, nodes

    def _look_inside(self, node: Node) -> None:
        """Make the nodes right below a node."""
        match node:
            case CallNode() | PublicationNode():
                handling = self._handling.get(node.name, ())
                node.inside = tuple(self._handler(node, service) for service in handling)
            case HandlerNode():
                node.inside = self._steps(node.handler.steps, node)
            case ParallelNode():
                node.inside = self._steps(node.step.steps, node)
            case BranchNode():
                node.then = self._steps(node.step.then, node)
                node.otherwise = self._steps(node.step.otherwise, node)
            case WorkNode():
                pass
            case _:
                assert_never(node)

    def _steps(self, steps: Sequence[AnyStep], parent: Node) -> tuple[StepNode, ...]:
        return tuple(self._step(step, parent.owner, parent, parent.latest) for step in steps)

    def _step(self, step: AnyStep, owner: str, parent: Node | None, latest: int) -> StepNode:
        source = self._source.name
        match step:
            case Work():
                text = of_step(owner, step.label)
                return WorkNode(source, owner, text, parent, latest, step=step)
            case Call():
                text = of_message(owner, step.command)
                return CallNode(source, owner, text, parent, latest, step=step)
            case Send() | Publish():
                text = of_message(owner, name_of(step))
                topic = self._topic(name_of(step))
                return PublicationNode(source, owner, text, parent, latest, step=step, topic=topic)
            case Parallel():
                text = of_step(owner, "")  # no work's, whatever that is called
                return ParallelNode(source, owner, text, parent, latest, step=step)
            case Branch():
                text = of_step(owner, step.label)
                return BranchNode(source, owner, text, parent, latest, step=step)
            case _:
                assert_never(step)

    def _topic(self, name: str) -> Topic:
        topics = {} if self._broker is None else self._broker.topics
        return topics.get(name, _ORDINARY)

    def _handler(self, message: MessageNode, service: Service) -> HandlerNode:
        """Make the node of what a service does with a message, under the policy in force."""
        broker, handler = self._broker, service.handlers[message.name]
        delivered = broker is not None and isinstance(message, PublicationNode)
        return HandlerNode(
            self._source.name,
            service.name,
            of_subscriber(message.text, service.name),
            message,
            max(message.latest, self._position[service.name]),
            service=service,
            handler=handler,
            message=message,
            policy=(handler.delivery or broker.delivery) if broker and delivered else None,
            partitions=broker.partitions_of(message.name) if broker else 1,
        )


def _numbered(as_read: Sequence[Node]) -> tuple[Node, ...]:
    """Give each node its number, and its place at its address; return them by number."""
    reached: dict[str, int] = {}
    nodes = sorted(as_read, key=attrgetter("latest"))  # stable: else as they were read
    for number, node in enumerate(nodes):
        node.number = number
        if isinstance(node, HandlerNode):
            node.place = node.message.place
            continue
        node.place = reached.get(node.text, 0)
        reached[node.text] = node.place + 1
    return tuple(nodes)
