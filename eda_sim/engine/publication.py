"""A send or a publication: a message is handed over until the broker has confirmed it.

What the broker does with it is in ``acceptance``, how it travels from there in ``subscription``,
and what becomes of each delivery in ``delivery``. A worker that dies hands nothing over: what it
was just publishing is not accepted, and whoever takes its job makes the message anew. The relay
of an outbox has handed over what it was just publishing: that still arrives, and as the relay
does not know it, it publishes it again.
"""

from functools import partial

from simpy import Interrupt

from eda_sim.engine.acceptance import Acceptance, Published
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import Job, Performance
from eda_sim.engine.links import Condition, Link, how_stopped
from eda_sim.engine.memory import Memory
from eda_sim.engine.outbox import OutboxActor
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN
from eda_sim.engine.request import Request
from eda_sim.engine.stage import Stage
from eda_sim.rules.luck import fold, times
from eda_sim.rules.outcomes import FAILED, OK, Outcome
from eda_sim.rules.plan import PublicationNode
from eda_sim.scenario.faults import BROKER

_REMEDY = "let a publisher wait longer (broker.republish_after)"


class PublicationStep:
    """A send or a publication at its place in the plan."""

    def __init__(
        self,
        stage: Stage,
        node: PublicationNode,
        acceptance: Acceptance,
        outbox: OutboxActor | None,
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
        self._acceptance = acceptance
        self._accept = acceptance.accept
        self._link = stage.network.link(node.owner, BROKER, publish)
        self._when_unreachable = broker.when_unreachable
        self._republish_after = broker.republish_after
        self._drops = node.topic.when_full == "drop"
        self._outbox = outbox
        self._troubled = self._link is not None or acceptance.topic is not None
        self.takes_time = broker.publish.mean > 0 or self._troubled
        self._name = recorder.names.code(node.name)
        self._sender = recorder.names.code(node.owner)
        self._kind = recorder.command if event is None else recorder.event
        self._version = 1 if event is None else event.version
        self._record = recorder.messages.add
        self._note = stage.incidents.note
        self._tried_again = stage.standstill.again

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
            self._clock.now,
            OPEN,
        ]
        self._record(row)
        published = Published(request, message, tries, row)
        if self._outbox is not None:
            self._outbox.write(partial(self._hand_over, published))
            return OK
        if self._troubled:
            return (yield from self._hand_over(published))
        # Most ways to a broker are never troubled, and need nobody to see to them.
        latency = self._latency(request.number, tries)
        if latency:
            yield self._clock.wait(latency, self._turn + request.turn, 1)
        self._accept(published)
        return OK

    def _hand_over(self, published: Published) -> Performance:
        """Let it travel to the broker, and see that it is accepted."""
        request = published.request
        published.attempts += 1
        latency = self._latency(request.number, published.tries)
        if latency:
            turn = self._turn + request.turn
            arrival = self._clock.wait(latency, turn, published.attempts)
            try:
                yield arrival
            except Interrupt:
                if self._outbox is not None:
                    assert arrival.callbacks is not None
                    arrival.callbacks.append(lambda _: self._arrive_alone(published))
                raise
        if self._troubled:
            outcome = yield from self._reach_the_broker(published)
            if outcome is not OK:
                return self._not_accepted(published, outcome)
        self._accept(published)
        return OK

    def _reach_the_broker(self, published: Published) -> Performance:
        """Publish until there is a broker to accept it, as far as the policy goes."""
        link, request = self._link, published.request
        while link is not None and (stop := self._stopped(link, published)):
            if self._when_unreachable != "wait":
                # What is written in an outbox stays there until the broker has confirmed it.
                kept = self._when_unreachable == "fail" or self._outbox is not None
                return FAILED if kept else Outcome.LOST
            if stop is link.cut:
                yield stop.over
            else:
                turn = self._again + request.turn
                yield self._clock.wait(self._republish_after, turn, published.attempts)
                published.attempts += 1
                self._tried_again(published, self._name, self._sender, request, _REMEDY)
        return (yield from self._enter_the_topic(published))

    def _stopped(self, link: Link, published: Published) -> Condition | None:
        """Return what keeps it from arriving now, if anything does, and write that down."""
        request = published.request
        stop = link.stops(request.number, fold(published.tries, published.attempts))
        if stop is not None:
            self._incident(how_stopped(stop), published, stop.number)
        return stop

    def _enter_the_topic(self, published: Published) -> Performance:
        """Wait for room in a topic with a capacity, or see the message dropped."""
        topic = self._acceptance.topic
        if topic is None:
            return OK
        if not topic.is_full:
            topic.enter()
            return OK
        self._incident("topic_full", published)
        if self._drops:
            return Outcome.LOST
        room = topic.wait()
        try:
            yield room
        except Interrupt:
            topic.give_up(room)
            raise
        return OK

    def _arrive_alone(self, published: Published) -> None:
        """It arrives after the death of the relay: nobody waits, neither for it nor with it."""
        topic = self._acceptance.topic
        if self._link is not None and self._stopped(self._link, published):
            return
        if topic is not None and topic.is_full:
            self._incident("topic_full", published)
            return
        if topic is not None:
            topic.enter()
        self._accept(published)

    def _not_accepted(self, published: Published, outcome: Outcome) -> Outcome:
        """The broker has not taken the message: it is lost, or the publisher fails."""
        if not published.accepted and (outcome is Outcome.LOST or self._outbox is None):
            published.row[-1] = NEVER
        if outcome is FAILED:
            return outcome
        if not published.accepted:
            self._acceptance.lose(published)
        return OK

    def _incident(self, what: str, published: Published, fault: int = NO_FAULT) -> None:
        self._note(what, published.message, published.request, self._sender, fault=fault)
