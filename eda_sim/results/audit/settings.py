"""Where in a scenario a policy is said: ``path = value``, as ``Scenario.replace`` takes the path.

So an audit does not only name what was decided, but also what to change.
"""

from typing import Any

from eda_sim.results.audit.paths import Paths
from eda_sim.rules.plan import HandlerNode, StepNode
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.scenario import Scenario


class Settings:
    """Finds the settings of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._paths = Paths(scenario)

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
        path = self._paths.to_service(service)
        return said(f"{path}.{name}", getattr(self._scenario.service(service), name))

    def of_broker(self, name: str) -> str:
        """A setting of the broker."""
        return said(f"broker.{name}", getattr(self._broker, name))

    def of_topic(self, message: str, name: str) -> str:
        """A setting of a topic of its own."""
        path = f"broker.topics[{message}]" if "." in message else f"broker.topics.{message}"
        return said(f"{path}.{name}", getattr(self._broker.topics[message], name))

    @property
    def _broker(self) -> Broker:
        assert self._scenario.broker is not None
        return self._scenario.broker

    def of_delivery(self, handling: HandlerNode, name: str) -> str:
        """A setting of the delivery policy in force, ``retry.max_attempts`` included."""
        value: Any = handling.policy
        for part in name.split("."):
            value = getattr(value, part)
        return said(f"{self._paths.to_policy(handling)}.{name}", value)

    def of_policy(self, handling: HandlerNode) -> str:
        """The whole delivery policy in force."""
        return said(self._paths.to_policy(handling), handling.policy)

    def can_be_at_most_once(self, handling: HandlerNode) -> bool:
        """Say whether its deliveries may be at most once: what is redriven may not."""
        own = handling.handler.delivery is not None
        return not any(
            redrive.service == handling.owner or not own for redrive in self._scenario.redrives
        )

    def of_step(self, node: StepNode, name: str) -> str:
        """A setting of a step."""
        return said(f"{self._paths.to_step(node)}.{name}", getattr(node.step, name))


def said(path: str, value: object) -> str:
    """Return a setting as people read it.

    >>> said("broker.delivery.guarantee", "at_most_once")
    "broker.delivery.guarantee = 'at_most_once'"
    """
    return f"{path} = {value!r}"
