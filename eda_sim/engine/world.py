"""The stage: one run's clock, luck, actors and recorder, put together.

The unfolding of each source (``rules.unfolding``) is turned into planned steps,
one object for each step at each place, which hold their random numbers; jobs
and requests come and go, planned steps stay.
"""

from collections.abc import Sequence

from eda_sim.engine.breaker import Breaker
from eda_sim.engine.broker import MakePublication
from eda_sim.engine.calls import MakeCall
from eda_sim.engine.clients import Clients
from eda_sim.engine.clock import Clock
from eda_sim.engine.faults import FaultActor
from eda_sim.engine.job import PlannedHandler, PlannedStep
from eda_sim.engine.recorder import Recorder
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.steps import Decide, DoInParallel, DoWork
from eda_sim.rules.luck import Luck
from eda_sim.rules.unfolding import (
    BranchNode,
    HandlerNode,
    MessageNode,
    Node,
    ParallelNode,
    WorkNode,
    unfold,
)
from eda_sim.scenario.delivery import CircuitBreaker
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.steps import Call


class World:
    """Everything that takes part in one run of ``scenario``."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.luck = Luck(seed)
        self.recorder = Recorder()
        self._breakers: dict[tuple[str, str, CircuitBreaker], Breaker] = {}
        self.services = {service.name: ServiceActor(self, service) for service in scenario.services}
        self.faults = [
            FaultActor(self, number, fault) for number, fault in enumerate(scenario.faults)
        ]
        self.clients = [
            Clients(self, position, source, self._message(unfold(scenario, source), source.name))
            for position, source in enumerate(scenario.traffic)
        ]

    def run(self) -> Recorder:
        """Let everything happen, and return what was written down."""
        self.clock.run_to_end(self.scenario.duration + self.scenario.drain)
        return self.recorder

    def breaker(self, caller: str, call: Call) -> Breaker | None:
        """Return the breaker that all workers of ``caller`` share for a command."""
        if call.breaker is None:
            return None
        key = (caller, call.command, call.breaker)
        if key not in self._breakers:
            self._breakers[key] = Breaker(self.clock, call.breaker)
        return self._breakers[key]

    # -- planning -----------------------------------------------------------------

    def _message(self, node: MessageNode, source: str) -> MakeCall | MakePublication:
        handlers = tuple(self._handler(handler, node.name, source) for handler in node.handlers)
        if isinstance(node.step, Call):
            return MakeCall(self, node, source, handlers[0])
        return MakePublication(self, node, source, handlers)

    def _handler(self, node: HandlerNode, name: str, source: str) -> PlannedHandler:
        service = self.services[node.service.name]
        code = self.recorder.names.code(name)
        return PlannedHandler(service, code, self._steps(node.steps, source))

    def _steps(self, nodes: Sequence[Node], source: str) -> tuple[PlannedStep, ...]:
        return tuple(self._step(node, source) for node in nodes)

    def _step(self, node: Node, source: str) -> PlannedStep:
        if isinstance(node, MessageNode):
            return self._message(node, source)
        if isinstance(node, WorkNode):
            return DoWork(self, node, source)
        if isinstance(node, ParallelNode):
            return DoInParallel(self, self._steps(node.steps, source))
        assert isinstance(node, BranchNode)
        then, otherwise = self._steps(node.then, source), self._steps(node.otherwise, source)
        return Decide(self, node, source, then, otherwise)
