"""What a scenario consists of, below all that reads it: the checks, the diagram, ``Scenario``."""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Annotated

from pydantic import Field

from eda_sim.scenario.broker import Broker
from eda_sim.scenario.description import Name, PositiveSeconds, Seconds, description
from eda_sim.scenario.distributions import Constant, Distribution
from eda_sim.scenario.faults import Fault
from eda_sim.scenario.frozen import freeze_sequence
from eda_sim.scenario.redrive import Redrive
from eda_sim.scenario.service import Service
from eda_sim.scenario.traffic import Traffic


@description
class Parts:
    """The parts of a scenario, each right for itself; ``Scenario`` explains them."""

    name: Name
    traffic: Annotated[Sequence[Traffic], Field(min_length=1), freeze_sequence]
    services: Annotated[Sequence[Service], freeze_sequence]
    _: KW_ONLY
    broker: Broker | None = None
    network: Distribution = Constant(0.0)
    faults: Annotated[Sequence[Fault], freeze_sequence] = ()
    redrives: Annotated[Sequence[Redrive], freeze_sequence] = ()
    duration: PositiveSeconds = 600.0
    warmup: Seconds = 0.0
    drain: Seconds = 600.0

    def service(self, name: str) -> Service:
        """Return the service called ``name``; raises ``KeyError`` if there is none."""
        return {service.name: service for service in self.services}[name]
