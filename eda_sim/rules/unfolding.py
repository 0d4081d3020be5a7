"""What a request sets in motion, unfolded from the client on.

A scenario says what each service does with each message; unfolding follows one
request from its source through every call, send and publication to every step,
as a tree. The engine walks the tree, the ledger reads off it what a request was
meant to do, and both agree because there is one tree.

Where the unfolding reaches an address several times, each time gets a number,
its *place*, in the order of the description; so place 0 is the only one in most
systems, in every architecture. A branch of the tree that passes through a
service declared later is counted later, so a service appended to a scenario
changes no other number. Messages are numbered the same way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from eda_sim.errors import InvalidInput
from eda_sim.scenario.messages import handlers_of, name_of
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Parallel, Publish, Send, Work
from eda_sim.scenario.traffic import Traffic

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MOST_MESSAGES = 1000


@dataclass(eq=False)
class Node:
    """A step at one place in the unfolding of a request."""

    owner: str  # the service or source that does it
    address: str
    rank: tuple[int, int]  # the latest-declared service on the way, then the order of reading
    place: int = 0


@dataclass(eq=False)
class WorkNode(Node):
    """A piece of work."""

    step: Work = field(kw_only=True)


@dataclass(eq=False)
class ParallelNode(Node):
    """Steps side by side."""

    steps: tuple[Node, ...] = field(kw_only=True)


@dataclass(eq=False)
class BranchNode(Node):
    """A business decision and what follows from it."""

    step: Branch = field(kw_only=True)
    then: tuple[Node, ...] = field(kw_only=True)
    otherwise: tuple[Node, ...] = field(kw_only=True)


@dataclass(eq=False)
class HandlerNode:
    """What one service does with one message, at one place."""

    service: Service
    handler: Handler
    steps: tuple[Node, ...]


@dataclass(eq=False)
class MessageNode(Node):
    """A message that is called, sent or published, and who handles it."""

    step: Call | Send | Publish = field(kw_only=True)
    number: int = 0  # within the unfolding: part of the message's id
    handlers: tuple[HandlerNode, ...] = ()

    @property
    def name(self) -> str:
        """The name of the command or event."""
        return name_of(self.step)


def unfold(scenario: Scenario, source: Traffic) -> MessageNode:
    """Return the tree of everything that a request of ``source`` may set in motion.

    Raises:
        InvalidInput: if there are more than 1000 messages in it.
    """
    unfolder = _Unfolder(scenario)
    root = unfolder.message(source.message, source.name, -1)
    _number(unfolder.nodes)
    return root


class _Unfolder:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.position = {service.name: i for i, service in enumerate(scenario.services)}
        self.nodes: list[Node] = []
        self.messages = 0
        self.reading = count()

    def message(self, step: Call | Send | Publish, owner: str, latest: int) -> MessageNode:
        """Unfold a message and everything that its handlers do."""
        self.messages += 1
        if self.messages > MOST_MESSAGES:
            raise InvalidInput(
                f"one request must cause at most {MOST_MESSAGES} messages, but {name_of(step)!r} "
                f"from {owner!r} is one more: shorten the chain of messages"
            )
        node = MessageNode(
            owner, f"{owner} -> {name_of(step)}", (latest, next(self.reading)), step=step
        )
        self.nodes.append(node)
        node.handlers = tuple(
            self.handler(service, node.name, latest)
            for service in handlers_of(node.name, self.scenario.services)
        )
        return node

    def handler(self, service: Service, name: str, latest: int) -> HandlerNode:
        handler = service.handlers[name]
        latest = max(latest, self.position[service.name])
        return HandlerNode(service, handler, self.steps(handler.steps, service.name, latest))

    def steps(self, steps: Sequence[AnyStep], owner: str, latest: int) -> tuple[Node, ...]:
        return tuple(self.step(step, owner, latest) for step in steps)

    def step(self, step: AnyStep, owner: str, latest: int) -> Node:
        if isinstance(step, (Call, Send, Publish)):
            return self.message(step, owner, latest)
        rank = (latest, next(self.reading))
        node: Node
        if isinstance(step, Work):
            node = WorkNode(owner, f"{owner}/{step.label}", rank, step=step)
        elif isinstance(step, Parallel):
            inside = self.steps(step.steps, owner, latest)
            node = ParallelNode(owner, f"{owner}/parallel", rank, steps=inside)
        else:
            node = BranchNode(
                owner,
                f"{owner}/{step.label}",
                rank,
                step=step,
                then=self.steps(step.then, owner, latest),
                otherwise=self.steps(step.otherwise, owner, latest),
            )
        self.nodes.append(node)
        return node


def _number(nodes: Sequence[Node]) -> None:
    """Give each node its place at its address, and each message its number."""
    reached: dict[str, int] = {}
    messages = count()
    for node in sorted(nodes, key=lambda node: node.rank):
        node.place = reached.get(node.address, 0)
        reached[node.address] = node.place + 1
        if isinstance(node, MessageNode):
            node.number = next(messages)


def messages(root: MessageNode) -> Iterator[MessageNode]:
    """Yield every message of an unfolding, in the order of reading."""
    yield root
    for handler in root.handlers:
        yield from _messages_in(handler.steps)


def _messages_in(steps: Sequence[Node]) -> Iterator[MessageNode]:
    for node in steps:
        if isinstance(node, MessageNode):
            yield from messages(node)
        elif isinstance(node, ParallelNode):
            yield from _messages_in(node.steps)
        elif isinstance(node, BranchNode):
            yield from _messages_in(node.then)
            yield from _messages_in(node.otherwise)


# -- identities -------------------------------------------------------------------

Ids = TypeVar("Ids", int, "npt.NDArray[np.int64]")

_REQUESTS_PER_SOURCE = 10**9
_PER_MESSAGE = 1000


def request_id(source: int, number: int) -> int:
    """Return the id of a source's n-th request: its number, for the first source.

    >>> request_id(0, 17), request_id(1, 17)
    (17, 1000000017)
    """
    return source * _REQUESTS_PER_SOURCE + number


def message_id(request: int, number: int, repetition: int) -> int:
    """Return a message's id, readable by threes: request, number in its unfolding, repetition.

    A message is made again when the attempt that makes it is tried again.

    >>> message_id(17, 2, 0)
    17002000
    """
    return (request * MOST_MESSAGES + number) * _PER_MESSAGE + repetition


def message_number(message: Ids) -> Ids:
    """Return the numbers in their unfolding of messages, given one id or an array of them.

    >>> message_number(17002000)
    2
    """
    return message // _PER_MESSAGE % MOST_MESSAGES
