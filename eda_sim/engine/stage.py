"""The stage: what every actor of a run sees, and nobody's decisions.

``world`` puts the actors on it. They are handed each other where they need one another; what
all of them share (the plan, the clock, the luck, the recorder, the state of the links) is here.
"""

from eda_sim.engine.clock import Clock
from eda_sim.engine.incidents import Incidents
from eda_sim.engine.links import Network
from eda_sim.engine.recorder import Recorder
from eda_sim.engine.standstill import Standstill
from eda_sim.rules.luck import Luck
from eda_sim.rules.plan import Plan


class Stage:
    """What belongs to one run."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.scenario = plan.scenario
        self.luck = Luck(seed)
        self.clock = Clock()
        self.recorder = Recorder()
        self.incidents = Incidents(self.clock, self.recorder)
        self.standstill = Standstill(self.clock, self.recorder.names, plan.scenario)
        self.network = Network(self.clock, self.luck, plan.faults)
