"""How a path of ``Scenario.replace`` leads to a part: to exactly that one, whatever it is called.

A name is said as people say it where it means one part only. Where it is there twice, or could
be read as a setting or as a position, the path goes by position.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, assert_never

from eda_sim.rules.plan import (
    BranchNode,
    CallNode,
    HandlerNode,
    ParallelNode,
    PublicationNode,
    StepNode,
    WorkNode,
)
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service

_OF_SCENARIO, _OF_SERVICE, _OF_HANDLER = (
    frozenset(field.name for field in fields(kind)) for kind in (Scenario, Service, Handler)
)


class Paths:
    """Finds the paths of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._positions = {each.name: i for i, each in enumerate(scenario.services)}
        self._sources = {each.name: i for i, each in enumerate(scenario.traffic)}

    def to_service(self, name: str) -> str:
        """Return the path to a service."""
        if name in _OF_SCENARIO or not _is_readable(name):
            return f"services[{self._positions[name]}]"
        return _first(name)

    def to_source(self, name: str) -> str:
        """Return the path to a source of traffic."""
        if name in _OF_SCENARIO or not _is_readable(name):
            return f"traffic[{self._sources[name]}]"
        return _first(name)

    def to_handler(self, node: HandlerNode) -> str:
        """Return the path to a handler."""
        name, service = node.message.name, self.to_service(node.owner)
        if name in _OF_SERVICE:
            return f"{service}.on[{name}]"
        return f"{service}.{name}" if _is_plain(name) else f"{service}[{name}]"

    def to_policy(self, node: HandlerNode) -> str:
        """Return the path to the delivery policy in force for a handler."""
        own = node.handler.delivery is not None
        return f"{self.to_handler(node)}.delivery" if own else "broker.delivery"

    def to_step(self, node: StepNode) -> str:
        """Return the path to a step."""
        match node.parent:
            case None:
                return f"{self.to_source(node.owner)}.message"
            case HandlerNode() as handling:
                return f"{self.to_handler(handling)}{_token(handling.inside, node, _OF_HANDLER)}"
            case ParallelNode() as parallel:
                return f"{self.to_step(parallel)}.steps{_token(parallel.inside, node)}"
            case BranchNode() as branch:
                way = "then" if node in branch.then else "otherwise"
                return f"{self.to_step(branch)}.{way}{_token(getattr(branch, way), node)}"
            case CallNode() | PublicationNode() | WorkNode() as parent:
                raise AssertionError(f"no step can be right inside {parent!r}")
            case parent:
                assert_never(parent)


def _first(name: str) -> str:
    return name if _is_plain(name) else f"[{name}]"


def _is_plain(name: str) -> bool:
    """Say whether a name needs no brackets."""
    return "." not in name and _is_readable(name)


def _is_readable(name: str) -> bool:
    """Say whether a name in brackets is read as it is written, and not as a position."""
    return not (set(name) & set("[]") or name[0] in "'\"" or name[-1] in "'\"" or name.isdigit())


def _token(steps: Sequence[StepNode], step: StepNode, taken: Iterable[str] = ()) -> str:
    """Return a step as a path names it: by its name, or by its position if that is not enough.

    A name that is ``taken`` means a setting of what holds the steps.
    """
    name, names = _name(step), [_name(each) for each in steps]
    clear = name is not None and names.count(name) == 1 and name not in taken
    return f"[{name if clear and _is_readable(str(name)) else steps.index(step)}]"


def _name(node: StepNode) -> Any:
    match node:
        case WorkNode() | BranchNode():
            return node.step.label
        case CallNode() | PublicationNode():
            return node.name
        case ParallelNode():
            return None
        case _:
            assert_never(node)
