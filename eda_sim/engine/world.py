"""The world of one run: the actors, put on the stage and set going.

The unfolding of each source (``rules.unfolding``) is turned into planned steps,
one object for each step at each place, which hold their random numbers; jobs
and requests come and go, planned steps stay.
"""

from collections.abc import Sequence

from eda_sim.engine.autoscaler import Autoscaler
from eda_sim.engine.broker import MakePublication
from eda_sim.engine.calls import MakeCall
from eda_sim.engine.clients import Clients
from eda_sim.engine.faults import FaultActor
from eda_sim.engine.job import PlannedHandler, PlannedStep
from eda_sim.engine.memory import Memory
from eda_sim.engine.protection import Breaker, Budget, Bulkhead, Guard
from eda_sim.engine.recorder import Recorder
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.stage import Stage
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
from eda_sim.scenario.delivery import CircuitBreaker, RetryBudget
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.steps import Call


class World:
    """Everything that takes part in one run of ``scenario``."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.stage = stage = Stage(scenario, Luck(seed))
        self._shared_guards: dict[
            tuple[str, str, CircuitBreaker | None, int | None], tuple[Guard, ...]
        ] = {}
        self._budgets: dict[tuple[str, str, RetryBudget], Budget] = {}
        self._memories: dict[tuple[str, str], Memory] = {}
        for service in scenario.services:
            actor = stage.services[service.name] = ServiceActor(stage, service)
            if service.autoscale is not None:
                Autoscaler(stage, actor, service.autoscale)
        for number, fault in enumerate(scenario.faults):
            FaultActor(stage, number, fault)
        for position, source in enumerate(scenario.traffic):
            message = self._message(unfold(scenario, source), source.name)
            Clients(stage, position, source, message)

    def run(self) -> Recorder:
        """Let everything happen, and return what was written down."""
        scenario = self.stage.scenario
        recorder = self.stage.recorder
        self.stage.clock.run_to_end(scenario.duration + scenario.drain, recorder.store)
        for letters in self.stage.dead_letters.values():
            letters.close()
        return recorder

    def _guards(self, caller: str, call: Call) -> tuple[Guard, ...]:
        """Return the guards that all workers of ``caller`` share for a command."""
        key = (caller, call.command, call.breaker, call.bulkhead)
        if key not in self._shared_guards:
            guards: list[Guard] = []
            if call.breaker is not None:
                guards.append(Breaker(self.stage.clock, call.breaker))
            if call.bulkhead is not None:
                guards.append(Bulkhead(call.bulkhead))
            self._shared_guards[key] = tuple(guards)
        return self._shared_guards[key]

    def _budget(self, caller: str, call: Call) -> Budget | None:
        """Return the retry budget that all workers of ``caller`` share for a command."""
        if call.retry is None or call.retry.budget is None:
            return None
        key = (caller, call.command, call.retry.budget)
        if key not in self._budgets:
            self._budgets[key] = Budget(call.retry.budget)
        return self._budgets[key]

    def _memory(self, node: HandlerNode, message: MessageNode) -> Memory | None:
        """Return what an idempotent handler remembers; calls are not deliveries."""
        broker = self.stage.scenario.broker
        if broker is None or isinstance(message.step, Call):
            return None
        deduplication = (node.handler.delivery or broker.delivery).deduplication
        if deduplication is None:
            return None
        key = (node.service.name, message.name)
        if key not in self._memories:
            self._memories[key] = Memory(self.stage.clock, deduplication)
        return self._memories[key]

    # -- planning: from the unfolding to steps that can be performed ----------------

    def _message(
        self, node: MessageNode, source: str, memory: Memory | None = None
    ) -> MakeCall | MakePublication:
        handlers = tuple(self._handler(handler, node, source) for handler in node.handlers)
        if isinstance(node.step, Call):
            guards = self._guards(node.owner, node.step)
            budget = self._budget(node.owner, node.step)
            return MakeCall(self.stage, node, source, handlers[0], guards, budget, memory)
        return MakePublication(self.stage, node, source, handlers, memory)

    def _handler(self, node: HandlerNode, message: MessageNode, source: str) -> PlannedHandler:
        service = self.stage.services[node.service.name]
        code = self.stage.recorder.names.code(message.name)
        memory = self._memory(node, message)
        return PlannedHandler(service, code, self._steps(node.steps, source, memory))

    def _steps(
        self, nodes: Sequence[Node], source: str, memory: Memory | None
    ) -> tuple[PlannedStep, ...]:
        return tuple(self._step(node, source, memory) for node in nodes)

    def _step(self, node: Node, source: str, memory: Memory | None) -> PlannedStep:
        if isinstance(node, MessageNode):
            return self._message(node, source, memory)
        if isinstance(node, WorkNode):
            return DoWork(self.stage, node, source, memory)
        if isinstance(node, ParallelNode):
            return DoInParallel(self.stage, self._steps(node.steps, source, memory))
        assert isinstance(node, BranchNode)
        then = self._steps(node.then, source, memory)
        otherwise = self._steps(node.otherwise, source, memory)
        return Decide(self.stage, node, source, then, otherwise)
