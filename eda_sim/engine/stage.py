"""The stage: what every actor of a run sees, and nobody's decisions.

``world`` puts the actors on it; they find each other by name, and the clock, the
luck and the recorder here.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eda_sim.engine.clock import Clock
from eda_sim.engine.dead_letters import DeadLetters
from eda_sim.engine.incidents import Incidents
from eda_sim.engine.links import Network
from eda_sim.engine.recorder import Recorder
from eda_sim.engine.topic import Topic
from eda_sim.rules.luck import Luck
from eda_sim.scenario.scenario import Scenario

if TYPE_CHECKING:
    from eda_sim.engine.service import ServiceActor


@dataclass(eq=False)
class Stage:
    """What belongs to one run, a field each."""

    scenario: Scenario
    luck: Luck
    clock: Clock = field(default_factory=Clock)
    recorder: Recorder = field(default_factory=Recorder)
    services: dict[str, "ServiceActor"] = field(default_factory=dict)
    topics: dict[str, Topic] = field(default_factory=dict)
    incidents: Incidents = field(init=False)
    network: Network = field(init=False)
    dead_letters: dict[str, DeadLetters] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.incidents = Incidents(self.clock, self.recorder)
        self.network = Network(self)
        for name in dict.fromkeys(redrive.service for redrive in self.scenario.redrives):
            redrives = [redrive for redrive in self.scenario.redrives if redrive.service == name]
            self.dead_letters[name] = DeadLetters(self.clock, redrives)
