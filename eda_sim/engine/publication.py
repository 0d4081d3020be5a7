"""A send or a publication: a message is handed over until the broker has confirmed it.

A message whose confirmation gets lost is published again, under its own id, and the broker has
it twice unless it deduplicates. What the broker does with it is in ``acceptance``, how it travels
from there in ``subscription``, and what becomes of each delivery in ``delivery``.

A worker that dies hands nothing over: what it was just publishing is not accepted, and whoever
takes its job makes the message anew. The relay of an outbox has handed over what it was just
publishing: that still arrives, and as the relay does not know it, it publishes it again.
"""

from functools import partial

from simpy import Interrupt

from eda_sim.engine.acceptance import Acceptance, Published
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import Job, Performance, Process
from eda_sim.engine.links import Condition, how_stopped
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
        self._link_back = stage.network.link(node.owner, BROKER, node.address.of("confirm"))
        self._waits = broker.when_unreachable == "wait"
        self._asks = broker.when_unreachable != "lose" or outbox is not None
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
        """Publish until the broker has confirmed, as far as the policy goes."""
        latency = self._latency(published.request.number, published.tries)
        while True:
            published.attempts += 1
            yield from self._travel(published, latency)
            latency = 0.0
            stop = self._stopped(published)
            while self._waits and stop is not None and stop is self._cut:
                yield stop.over
                stop = self._stopped(published)
            if stop is None:
                outcome = yield from self._arrive(published)
                stop = self._unconfirmed(published) if outcome is OK and self._asks else None
                if stop is None:
                    return self._settled(published, outcome)
            if not self._waits:
                # What is written in an outbox stays there until the broker has confirmed it.
                return self._settled(published, FAILED if self._asks else Outcome.LOST)
            yield from self._wait_for_an_answer(published)

    def _travel(self, published: Published, latency: float) -> Process:
        """Let it travel to the broker, perhaps held up."""
        request, link, tries = published.request, self._link, _tries(published)
        for condition, longer in () if link is None else link.holds_up(request.number, tries):
            self._incident("held_up", published, condition.number)
            latency += longer
        if not latency:
            return
        session, turn = published.session, self._turn + request.turn
        arrival = self._clock.wait(latency, turn, published.attempts)
        try:
            yield arrival
        except Interrupt:
            if self._outbox is not None:
                published.begin_again(self._outbox.killed_by)
                assert arrival.callbacks is not None
                arrival.callbacks.append(lambda _: self._arrive_late(published, session))
            raise

    def _wait_for_an_answer(self, published: Published) -> Process:
        """None has come: after a while it is published again."""
        request = published.request
        turn = self._again + request.turn
        yield self._clock.wait(self._republish_after, turn, published.attempts)
        self._tried_again(published, self._name, self._sender, request, _REMEDY)

    @property
    def _cut(self) -> Condition | None:
        return None if self._link is None else self._link.cut

    def _stopped(self, published: Published) -> Condition | None:
        """Return what keeps it from arriving now, if anything does, and write that down."""
        if self._link is None:
            return None
        stop = self._link.stops(published.request.number, _tries(published))
        if stop is not None:
            self._incident(how_stopped(stop), published, stop.number)
        return stop

    def _unconfirmed(self, published: Published) -> Condition | None:
        """Return what keeps the confirmation from arriving, if anything does."""
        if self._link_back is None:
            return None
        lost = self._link_back.loses(published.request.number, _tries(published))
        if lost is not None:
            self._incident("confirmation_lost", published, lost.number)
            published.fault = lost.number
        return lost

    # -- at the broker -----------------------------------------------------------

    def _arrive(self, published: Published) -> Performance:
        """It is accepted, if it is new and there is room; a link may let it arrive twice."""
        if self._acceptance.knows(published, published.session):
            self._incident("deduplicated", published)
        else:
            outcome = yield from self._enter_the_topic(published)
            if outcome is not OK:
                return outcome
            self._accept(published, published.session)
        link = self._link
        if link is not None:
            doubled = link.doubles(published.request.number, _tries(published))
            if doubled is not None:
                self._incident("doubled", published, doubled.number)
                published.fault = doubled.number
                self._arrive_alone(published, published.session)
        return OK

    def _arrive_late(self, published: Published, session: int) -> None:
        """It arrives after the death of the relay that handed it over."""
        if self._stopped(published) is None:
            self._arrive_alone(published, session)

    def _arrive_alone(self, published: Published, session: int) -> None:
        """It arrives, and nobody waits: neither for its acceptance nor, with it, for room."""
        topic = self._acceptance.topic
        if self._acceptance.knows(published, session):
            self._incident("deduplicated", published)
        elif topic is not None and topic.is_full:
            self._incident("topic_full", published)
        else:
            if topic is not None:
                topic.enter()
            self._acceptance.accept(published, session)

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
        room = topic.wait(self._link)
        try:
            yield room
        except Interrupt:
            topic.give_up(room)
            raise
        return OK

    def _settled(self, published: Published, outcome: Outcome) -> Outcome:
        """The publisher is done: the broker has the message, or it is lost, or he fails."""
        if outcome is OK:
            return OK
        if not published.accepted and (outcome is Outcome.LOST or self._outbox is None):
            published.row[-1] = NEVER
        if outcome is FAILED:
            return FAILED
        if not published.accepted:
            self._acceptance.lose(published)
        return OK

    def _incident(self, what: str, published: Published, fault: int = NO_FAULT) -> None:
        self._note(what, published.message, published.request, self._sender, fault=fault)


def _tries(published: Published) -> int:
    """Return the tries that led to it, and how often it has been handed over."""
    return fold(published.tries, published.attempts)
