"""The way from a client to a piece of work: which messages lead there, and what comes first.

Read off the unfolding of a source. A leg is one message on the way with the handler that leads
on; what that handler does first can keep a request from ever getting further.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eda_sim.results.meant import Place
from eda_sim.rules.unfolding import (
    BranchNode,
    HandlerNode,
    MessageNode,
    Node,
    ParallelNode,
    WorkNode,
    messages,
    unfold,
)
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.steps import Call
from eda_sim.scenario.traffic import Traffic


@dataclass(frozen=True, eq=False)
class Leg:
    """One message on the way, the handler that leads on, and the messages that this makes first."""

    message: MessageNode
    handler: HandlerNode
    first: frozenset[int]

    @property
    def service(self) -> str:
        """Who handles the message."""
        return self.handler.service.name

    @property
    def is_call(self) -> bool:
        """Whether whoever made the message waits for how it ends."""
        return isinstance(self.message.step, Call)


Route = tuple[Leg, ...]


class Said(NamedTuple):
    """A message of an unfolding, and the one whose handling makes it; None: a client does."""

    node: MessageNode
    because: "Said | None" = None

    @property
    def on(self) -> str | None:
        """What its sender handles when making it."""
        return None if self.because is None else self.because.node.name


class Routes:
    """The routes of one source of traffic, and all messages of its unfolding by number."""

    def __init__(self, scenario: Scenario, source: Traffic) -> None:
        self._root = unfold(scenario, source)
        self._routes: dict[Place, Route] = {}
        self.messages = {said.node.number: said for said in _said(Said(self._root))}

    def to(self, place: Place) -> Route:
        """Return the legs from the client to a work, at least one."""
        if place not in self._routes:
            self._routes[place] = next(_routes(self._root, place))
        return self._routes[place]


def called_by(node: MessageNode) -> set[str]:
    """Return the services on which the reply to a call depends: the callee, and whom it calls."""
    services = set()
    for handler in node.handlers:
        services.add(handler.service.name)
        for made in _made_by(handler.steps):
            if isinstance(made.step, Call):
                services |= called_by(made)
    return services


def _said(said: Said) -> Iterator[Said]:
    yield said
    for handler in said.node.handlers:
        for made in _made_by(handler.steps):
            yield from _said(Said(made, said))


def _routes(node: MessageNode, place: Place) -> Iterator[Route]:
    for handler in node.handlers:
        if node.number == place.number and handler.service.name == place.service:
            yield (Leg(node, handler, frozenset(_before(handler.steps, place))),)
        for following in _made_by(handler.steps):
            for rest in _routes(following, place):
                yield (Leg(node, handler, frozenset(_before(handler.steps, following))), *rest)


def _made_by(steps: Sequence[Node]) -> Iterator[MessageNode]:
    """Yield the messages that a handler itself makes."""
    for step in steps:
        if isinstance(step, MessageNode):
            yield step
        for inner in _inside(step):
            yield from _made_by(inner)


def _inside(step: Node) -> tuple[tuple[Node, ...], ...]:
    if isinstance(step, ParallelNode):
        return tuple((each,) for each in step.steps)
    return (step.then, step.otherwise) if isinstance(step, BranchNode) else ()


def _before(steps: Sequence[Node], target: Place | MessageNode) -> Iterator[int]:
    """Yield the numbers of all messages that are made before the target, and its own."""
    for step in steps:
        if _is(step, target):
            if isinstance(step, MessageNode):
                yield step.number
            return
        way = next((inner for inner in _inside(step) if _holds(inner, target)), None)
        if way is not None:
            yield from _before(way, target)
            return
        yield from (message.number for message in _all_messages(step))


def _is(step: Node, target: Place | MessageNode) -> bool:
    if isinstance(target, MessageNode):
        return step is target
    return isinstance(step, WorkNode) and step.step.label == target.label


def _holds(steps: Sequence[Node], target: Place | MessageNode) -> bool:
    return any(
        _is(step, target) or any(_holds(inner, target) for inner in _inside(step)) for step in steps
    )


def _all_messages(step: Node) -> Iterator[MessageNode]:
    for node in _made_by([step]):
        yield from messages(node)
