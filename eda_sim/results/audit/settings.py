"""Where in a scenario a policy is said: ``path = value``, as ``Scenario.replace`` takes the path.

So an audit does not only name what was decided, but also what to change.
"""

from collections.abc import Sequence
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
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.scenario import Scenario


class Settings:
    """Finds the settings of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario

    def of_scenario(self, name: str) -> str:
        """A setting of the scenario itself."""
        return said(name, getattr(self._scenario, name))

    def of_fault(self, number: int) -> str:
        """A fault, by its position."""
        return said(f"faults[{number}]", self._scenario.faults[number])

    def of_redrive(self, service: str, message: str, at: float) -> str:
        """The latest redrive that sent back dead letters of a service until ``at``."""
        number, redrive = max(
            (
                (number, redrive)
                for number, redrive in enumerate(self._scenario.redrives)
                if redrive.service == service
                and redrive.message in (None, message)
                and redrive.at <= at
            ),
            key=lambda entry: entry[1].at,
        )
        return said(f"redrives[{number}]", redrive)

    def of_service(self, service: str, name: str) -> str:
        """A setting of a service."""
        return said(f"{service}.{name}", getattr(self._scenario.service(service), name))

    def of_broker(self, name: str) -> str:
        """A setting of the broker."""
        return said(f"broker.{name}", getattr(self._broker, name))

    def of_topic(self, message: str, name: str) -> str:
        """A setting of a topic of its own."""
        return said(f"broker.topics.{message}.{name}", getattr(self._broker.topics[message], name))

    @property
    def _broker(self) -> Broker:
        assert self._scenario.broker is not None
        return self._scenario.broker

    def of_delivery(self, handling: HandlerNode, name: str) -> str:
        """A setting of the delivery policy in force, ``retry.max_attempts`` included."""
        value: Any = handling.policy
        for part in name.split("."):
            value = getattr(value, part)
        return said(f"{handling.says}.{name}", value)

    def of_step(self, node: StepNode, name: str) -> str:
        """A setting of a step."""
        return said(f"{path_to(node)}.{name}", getattr(node.step, name))


def said(path: str, value: object) -> str:
    """Return a setting as people read it.

    >>> said("broker.delivery.guarantee", "at_most_once")
    "broker.delivery.guarantee = 'at_most_once'"
    """
    return f"{path} = {value!r}"


def path_to(node: StepNode) -> str:
    """Return how a path of ``Scenario.replace`` leads to a step."""
    match node.parent:
        case None:
            return f"{node.owner}.message"
        case HandlerNode() as handling:
            return f"{handling.owner}.{handling.message.name}{_token(handling.inside, node)}"
        case ParallelNode() as parallel:
            return f"{path_to(parallel)}.steps{_token(parallel.inside, node)}"
        case BranchNode() as branch:
            way = "then" if node in branch.then else "otherwise"
            return f"{path_to(branch)}.{way}{_token(getattr(branch, way), node)}"
        case CallNode() | PublicationNode() | WorkNode() as parent:
            raise AssertionError(f"no step can be right inside {parent!r}")
        case parent:
            assert_never(parent)


def _token(steps: Sequence[StepNode], step: StepNode) -> str:
    """Return a step as a path names it: by its name, or by its position if that is not enough."""
    name, names = _name(step), [_name(each) for each in steps]
    return f"[{steps.index(step) if name is None or names.count(name) > 1 else name}]"


def _name(node: StepNode) -> str | None:
    match node:
        case WorkNode() | BranchNode():
            return node.step.label
        case CallNode() | PublicationNode():
            return node.name
        case ParallelNode():
            return None
        case _:
            assert_never(node)
