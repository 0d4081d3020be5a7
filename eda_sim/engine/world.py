"""The world of one run: the plan's nodes as steps, the actors put on the stage, and set going.

There is one step for each node of the plan. It holds its random numbers; jobs and requests
come and go, steps stay. What is inside a node is built before it, so the plan is read backwards.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from eda_sim.engine.acceptance import Acceptance
from eda_sim.engine.autoscaler import AutoscalerActor
from eda_sim.engine.calls import CallStep
from eda_sim.engine.clients import ClientsActor
from eda_sim.engine.dead_letters import DeadLetters, RedriveActor
from eda_sim.engine.faults import FaultActor
from eda_sim.engine.job import Handling, Step
from eda_sim.engine.outbox import OutboxActor
from eda_sim.engine.publication import PublicationStep
from eda_sim.engine.recorder import Recorder
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.shared import Shared
from eda_sim.engine.stage import Stage
from eda_sim.engine.steps import BranchStep, ParallelStep, WorkStep
from eda_sim.engine.subscription import Subscription
from eda_sim.rules.plan import (
    BranchNode,
    CallNode,
    HandlerNode,
    Node,
    ParallelNode,
    Plan,
    PublicationNode,
    StepNode,
    Unfolding,
    WorkNode,
    handling_of,
)


class World:
    """Everything that takes part in one run of a plan."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.stage = stage = Stage(plan, seed)
        scenario = plan.scenario
        self.services: dict[str, ServiceActor] = {}
        for service in scenario.services:
            actor = self.services[service.name] = ServiceActor(stage, service)
            if service.autoscale is not None:
                AutoscalerActor(stage, actor, service.autoscale)
        self.dead_letters = _dead_letters(stage)
        for fault in plan.faults:
            FaultActor(stage, self.services, fault)
        shared = Shared(stage)
        for unfolding in plan.unfoldings:
            message = _Builder(self, shared).build(unfolding)
            ClientsActor(stage, unfolding, message)

    def run(self) -> Recorder:
        """Let everything happen, and return what was written down."""
        stage, scenario = self.stage, self.stage.scenario
        stage.clock.run_to_end(scenario.duration + scenario.drain, stage.recorder.store)
        for letters in self.dead_letters.values():
            letters.close()
        return stage.recorder


def _dead_letters(stage: Stage) -> Mapping[str, DeadLetters]:
    """Return the dead-letter queues from which the scenario redrives, by service."""
    letters: dict[str, DeadLetters] = {}
    for redrive in stage.scenario.redrives:
        queue = letters.setdefault(redrive.service, DeadLetters())
        RedriveActor(stage.clock, stage.network, queue, redrive)
    return letters


class _Builder:
    """Makes a step of each node of one unfolding."""

    def __init__(self, world: World, shared: Shared) -> None:
        self._world = world
        self._stage = world.stage
        self._shared = shared
        self._steps: dict[Node, Step] = {}
        self._handlings: dict[HandlerNode, Handling] = {}

    def build(self, unfolding: Unfolding) -> CallStep | PublicationStep:
        """Make all steps, and return that of the client's message."""
        self._open_rooms(unfolding)
        for node in reversed(unfolding.as_read):
            if isinstance(node, HandlerNode):
                name = self._stage.recorder.names.code(node.message.name)
                self._handlings[node] = Handling(name, self._made(node.inside))
            else:
                self._steps[node] = self._step(node)
        root = self._steps[unfolding.root]
        assert isinstance(root, (CallStep, PublicationStep))
        return root

    def _open_rooms(self, unfolding: Unfolding) -> None:
        """Let the services have their topics in the order of the plan."""
        broker = self._stage.scenario.broker
        if broker is None:
            return
        for node in unfolding.nodes:
            if isinstance(node, HandlerNode):
                service = self._world.services[node.owner]
                service.line(node)
                service.lanes(node, broker.rebalance)

    def _made(self, nodes: Sequence[Node]) -> tuple[Step, ...]:
        return tuple(self._steps[node] for node in nodes)

    def _step(self, node: StepNode) -> Step:
        stage, memory = self._stage, self._shared.memory(handling_of(node))
        match node:
            case WorkNode():
                return WorkStep(stage, node, self._world.services[node.owner], memory)
            case CallNode():
                shared, handler = self._shared, node.handler
                return CallStep(
                    stage,
                    node,
                    self._world.services[handler.owner],
                    self._handlings[handler],
                    shared.guards(node),
                    shared.budget(node),
                    memory,
                )
            case PublicationNode():
                subscriptions = tuple(map(self._subscription, node.inside))
                broker, topic = stage.scenario.broker, self._shared.topic(node)
                assert broker is not None
                window = broker.deduplicates
                acceptance = Acceptance(stage.clock, window, subscriptions, topic)
                return PublicationStep(stage, node, acceptance, self._outbox(node), memory)
            case ParallelNode():
                return ParallelStep(stage, self._made(node.inside))
            case BranchNode():
                return BranchStep(stage, node, self._made(node.then), self._made(node.otherwise))
            case _:
                assert_never(node)

    def _subscription(self, node: HandlerNode) -> Subscription:
        service, letters = self._world.services[node.owner], self._world.dead_letters
        handling = self._handlings[node]
        return Subscription(self._stage, node, service, handling, letters.get(node.owner))

    def _outbox(self, node: PublicationNode) -> OutboxActor | None:
        if node.outbox is None:
            return None
        service = self._world.services[node.owner]
        relay = OutboxActor(self._stage.clock, node.outbox, service.instances)
        service.relays.append(relay)
        return relay
