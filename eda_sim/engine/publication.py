"""A send or a publication: a message is handed over to the broker, and goes on to everybody.

How it travels from there is in ``subscription``, what becomes of each delivery in ``delivery``.
"""

from collections.abc import Sequence
from functools import partial

from simpy import Interrupt

from eda_sim.engine.job import Job, Performance
from eda_sim.engine.links import how_stopped
from eda_sim.engine.memory import Memory
from eda_sim.engine.outbox import OutboxRelay
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN, Row
from eda_sim.engine.request import Request
from eda_sim.engine.stage import Stage
from eda_sim.engine.subscription import Subscription
from eda_sim.engine.topic import Held, Topic
from eda_sim.rules.luck import fold, times
from eda_sim.rules.outcomes import FAILED, OK, Outcome
from eda_sim.rules.plan import PublicationNode
from eda_sim.rules.tables import MESSAGES
from eda_sim.scenario.faults import BROKER

(_PUBLISHED_AT,) = MESSAGES.positions("published_at")


class PublicationStep:
    """A send or a publication at its place in the plan."""

    def __init__(
        self,
        stage: Stage,
        node: PublicationNode,
        subscriptions: Sequence[Subscription],
        topic: Topic | None,
        outbox: OutboxRelay | None,
        memory: Memory | None,
    ) -> None:
        broker, recorder, event = stage.scenario.broker, stage.recorder, node.event
        assert broker is not None
        publish = node.address.of("publish")
        self._clock = stage.clock
        self._memory = memory
        self._node = node.number
        self._latency = times(stage.luck, broker.publish, *publish)
        self._turn = node.accepted
        self._again = node.is_due
        self._subscriptions = subscriptions
        self._link = stage.network.link(node.owner, BROKER, publish)
        self._when_unreachable = broker.when_unreachable
        self._republish_after = broker.republish_after
        self._topic = topic
        self._drops = node.topic.when_full == "drop"
        self._outbox = outbox
        self._troubled = self._link is not None or topic is not None
        self.takes_time = broker.publish.mean > 0 or self._troubled
        self._name = recorder.names.code(node.name)
        self._sender = recorder.names.code(node.owner)
        self._kind = recorder.command if event is None else recorder.event
        self._version = 1 if event is None else event.version
        self._record = recorder.messages.add
        self._note = stage.incidents.note

    def perform(self, job: Job) -> Performance:
        """Publish as a step of a handler: the worker is held until the broker accepts."""
        memory = self._memory
        if memory is not None and memory.knows(job.message, self):
            return OK
        outcome = yield from self.publish(job.request, job.tries, job.message)
        if memory is not None and outcome is OK:
            memory.note(job.message, self)
        return outcome

    def publish(self, request: Request, tries: int, cause: int = NOBODY) -> Performance:
        """Hand the message over, wait until it is accepted, and go on."""
        published_at = self._clock.now
        message = request.message(self._node, tries)
        row = [
            message,
            request.id,
            self._node,
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
        if self._outbox is not None:
            self._outbox.write(partial(self._hand_over, request, message, tries, row))
            return OK
        return (yield from self._hand_over(request, message, tries, row))

    def _hand_over(
        self, request: Request, message: int, tries: int, row: Row, attempt: int = 1
    ) -> Performance:
        latency = self._latency(request.number, tries)
        if latency:
            yield self._clock.wait(latency, self._turn + request.turn, attempt)
        published_at, held = row[_PUBLISHED_AT], None
        if self._troubled:
            outcome = yield from self._reach_the_broker(request, message, tries, attempt)
            if outcome is not OK:
                return self._not_accepted(request, message, row, outcome)
            if self._topic is not None:
                held = Held(self._topic, len(self._subscriptions))
        row[-1] = self._clock.now
        for subscription in self._subscriptions:
            subscription.deliver(request, message, tries, published_at, held)
        return OK

    def _reach_the_broker(
        self, request: Request, message: int, tries: int, attempt: int
    ) -> Performance:
        """Publish until the broker has confirmed, as far as the policy goes."""
        link = self._link
        while link is not None and (stop := link.stops(request.number, fold(tries, attempt))):
            self._note(how_stopped(stop), message, request, self._sender, fault=stop.number)
            if self._when_unreachable != "wait":
                # What is written in an outbox stays there until the broker has confirmed it.
                kept = self._when_unreachable == "fail" or self._outbox is not None
                return FAILED if kept else Outcome.LOST
            if stop is link.cut:
                yield stop.over
            else:
                yield self._clock.wait(self._republish_after, self._again + request.turn, attempt)
                attempt += 1
        return (yield from self._enter_the_topic(request, message))

    def _enter_the_topic(self, request: Request, message: int) -> Performance:
        """Wait for room in a topic with a capacity, or see the message dropped."""
        topic = self._topic
        if topic is None:
            return OK
        if not topic.is_full:
            topic.enter()
            return OK
        self._note("topic_full", message, request, self._sender)
        if self._drops:
            return Outcome.LOST
        room = topic.wait()
        try:
            yield room
        except Interrupt:
            topic.give_up(room)
            raise
        return OK

    def _not_accepted(self, request: Request, message: int, row: Row, outcome: Outcome) -> Outcome:
        """The broker does not have the message: it is lost, or the publisher fails."""
        if outcome is Outcome.LOST:
            row[-1] = NEVER
            for subscription in self._subscriptions:
                subscription.lose(request, message, row[_PUBLISHED_AT])
            return OK
        if self._outbox is None:
            row[-1] = NEVER
        return FAILED
