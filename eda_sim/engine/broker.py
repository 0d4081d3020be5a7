"""The broker: accepts a message and sends it on its way to every subscriber.

What becomes of each of those deliveries is in ``delivery``.
"""

from eda_sim.engine.delivery import Subscription
from eda_sim.engine.job import OK, Job, Performance, PlannedHandler
from eda_sim.engine.memory import Memory
from eda_sim.engine.recorder import NOBODY, OPEN
from eda_sim.engine.request import Request
from eda_sim.engine.stage import Stage
from eda_sim.rules.luck import times
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.unfolding import MessageNode
from eda_sim.scenario.steps import Publish


class MakePublication:
    """A send or a publication at its place in the unfolding."""

    def __init__(
        self,
        stage: Stage,
        node: MessageNode,
        source: str,
        handlers: tuple[PlannedHandler, ...],
        memory: Memory | None,
    ) -> None:
        broker, recorder = stage.scenario.broker, stage.recorder
        assert broker is not None
        step, code = node.step, recorder.names.code
        self._clock = stage.clock
        self._memory = memory
        self._number = node.number
        self._latency = times(
            stage.luck, broker.publish, f"{node.address}/publish", source, node.place
        )
        self._turn = turn(Rank.ACCEPTED, node.place)
        self._subscriptions = tuple(
            Subscription(stage, node, source, number, handler)
            for number, handler in enumerate(handlers)
        )
        self._name, self._sender = code(node.name), code(node.owner)
        is_event = isinstance(step, Publish)
        self._kind = recorder.event if is_event else recorder.command
        self._version = step.version if isinstance(step, Publish) else 1
        self._record = recorder.messages.add
        self.takes_time = broker.publish.mean > 0

    def perform(self, job: Job) -> Performance:
        """Publish as a step of a handler: the worker is held until the broker accepts."""
        memory = self._memory
        if memory is not None and memory.knows(job.message, self):
            return OK
        outcome = yield from self.publish(job.request, job.tries, job.message)
        if memory is not None:
            memory.note(job.message, self)
        return outcome

    def publish(self, request: Request, tries: int, cause: int = NOBODY) -> Performance:
        """Hand the message over, wait until it is accepted, and go on."""
        published_at = self._clock.now
        message = request.message(self._number, tries)
        row = [
            message,
            request.id,
            self._name,
            self._kind,
            self._sender,
            cause,
            request.key,
            self._version,
            published_at,
            OPEN,
        ]
        self._record(row)
        latency = self._latency(request.number, tries)
        if latency:
            yield self._clock.wait(latency, self._turn + request.turn)
        row[-1] = self._clock.now
        for subscription in self._subscriptions:
            subscription.deliver(request, message, tries, published_at)
        return OK
