"""Where in a scenario a policy is said: ``path = value``, as ``Scenario.replace`` takes the path.

So an audit does not only name what was decided, but also what to change.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eda_sim.results.audit.routes import Leg
from eda_sim.rules.unfolding import MessageNode
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.messages import name_of
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.steps import AnyStep, Branch, Parallel, Work

if TYPE_CHECKING:
    from eda_sim.scenario.broker import Broker


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
    def _broker(self) -> "Broker":
        assert self._scenario.broker is not None
        return self._scenario.broker

    def delivery(self, leg: Leg) -> DeliveryPolicy:
        """The delivery policy of a subscriber."""
        return leg.handler.handler.delivery or self._broker.delivery

    def of_delivery(self, leg: Leg, name: str) -> str:
        """A setting of the delivery policy of a subscriber, ``retry.max_attempts`` included."""
        own = leg.handler.handler.delivery is not None
        where = f"{leg.service}.{leg.message.name}" if own else "broker"
        value: Any = self.delivery(leg)
        for part in name.split("."):
            value = getattr(value, part)
        return said(f"{where}.delivery.{name}", value)

    def of_call(self, node: MessageNode, on: str | None, name: str) -> str:
        """A setting of a call; ``on`` is the message that its caller handles, None for clients."""
        if on is None:
            return said(f"{node.owner}.message.{name}", getattr(node.step, name))
        return self._of_step(node.owner, on, node.step, name)

    def of_work(self, service: str, on: str, label: str, name: str) -> str:
        """A setting of a work."""
        steps = self._scenario.service(service).handlers[on].steps
        work = next(step for step in _all(steps) if isinstance(step, Work) and step.label == label)
        return self._of_step(service, on, work, name)

    def _of_step(self, service: str, on: str, step: AnyStep, name: str) -> str:
        steps = self._scenario.service(service).handlers[on].steps
        return said(f"{service}.{on}{_way(steps, step)}.{name}", getattr(step, name))


def said(path: str, value: object) -> str:
    """Return a setting as people read it.

    >>> said("broker.delivery.guarantee", "at_most_once")
    "broker.delivery.guarantee = 'at_most_once'"
    """
    return f"{path} = {value!r}"


def _all(steps: Sequence[AnyStep]) -> list[AnyStep]:
    return [each for step in steps for each in (step, *_all(_inner(step)))]


def _inner(step: AnyStep) -> tuple[AnyStep, ...]:
    if isinstance(step, Parallel):
        return tuple(step.steps)
    return (*step.then, *step.otherwise) if isinstance(step, Branch) else ()


def _way(steps: Sequence[AnyStep], target: AnyStep) -> str:
    """Return how a path leads from steps to one of them, or of those inside them."""
    for position, step in enumerate(steps):
        names = [_name(each) for each in steps]
        token = f"[{_name(step)}]" if names.count(_name(step)) == 1 else f"[{position}]"
        if step is target:
            return token
        if isinstance(step, Parallel) and _holds(step.steps, target):
            return f"[{position}].steps{_way(step.steps, target)}"
        for room in ("then", "otherwise") if isinstance(step, Branch) else ():
            if _holds(getattr(step, room), target):
                return f"{token}.{room}{_way(getattr(step, room), target)}"
    raise AssertionError(f"{target!r} is none of {steps!r}")


def _holds(steps: Sequence[AnyStep], target: AnyStep) -> bool:
    return any(step is target for step in _all(steps))


def _name(step: AnyStep) -> str:
    if isinstance(step, (Work, Branch)):
        return step.label
    return "" if isinstance(step, Parallel) else name_of(step)
