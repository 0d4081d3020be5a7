"""A subscription: the way of accepted messages to one subscriber.

What the subscriber has been promised is in ``terms``, what becomes of each message there in
``delivery``.
"""

from eda_sim.engine.dead_letters import DeadLetters
from eda_sim.engine.delivery import Delivery
from eda_sim.engine.job import Handling
from eda_sim.engine.links import Link
from eda_sim.engine.recorder import NEVER, OPEN
from eda_sim.engine.request import Request
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.stage import Stage
from eda_sim.engine.terms import Terms
from eda_sim.engine.topic import Held
from eda_sim.engine.waiting import Queue
from eda_sim.rules.luck import fold, times
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.partitioning import partition_of
from eda_sim.rules.plan import HandlerNode
from eda_sim.scenario.faults import BROKER


class Subscription:
    """One subscriber of one message at its place in the plan."""

    def __init__(
        self,
        stage: Stage,
        node: HandlerNode,
        service: ServiceActor,
        handling: Handling,
        letters: DeadLetters | None,
    ) -> None:
        broker, policy = stage.scenario.broker, node.policy
        assert broker is not None
        assert policy is not None
        deliver, line = node.address.of("deliver"), service.line(node)
        lanes = service.lanes(node, broker.rebalance)
        self._lanes = () if lanes is None else lanes.lanes
        self._queue: Queue = service if line is None else line
        self._terms = Terms(stage, node, broker, policy, handling, service, letters, line)
        self._clock = stage.clock
        self._service = service.books.name
        self._travel_time = times(stage.luck, broker.deliver, *deliver)
        self._arrives = node.arrives
        self._sent_again = node.sent_again
        self._link = stage.network.link(BROKER, node.owner, deliver)
        self._lost = stage.recorder.codes[Outcome.LOST]
        self._record = stage.recorder.deliveries.add

    def deliver(
        self,
        request: Request,
        message: int,
        tries: int,
        published_at: float,
        held: Held | None = None,
    ) -> None:
        """Let an accepted message travel to the subscriber."""
        row = [message, request.id, self._service, published_at, NEVER, NEVER, 0, OPEN]
        self._record(row)
        delivery = Delivery(self._terms, self._queue, request, message, tries, row)
        if self._lanes:
            lane = self._lanes[partition_of(request.key, len(self._lanes))]
            delivery.queue = delivery.lane = lane
            lane.join(delivery)
        delivery.held = held
        if self._link is not None:
            self._travel(self._link, delivery, 1)
            return
        travel = self._travel_time(request.number, tries)
        self._clock.travel(travel, self._arrives + request.turn, 1, delivery.available)

    def comes_again(self, request: Request, message: int, fault: int) -> None:
        """Write down that the broker has accepted a message that it had before."""
        self._terms.note("accepted_again", message, request, self._service, fault=fault)

    def lose(self, request: Request, message: int, published_at: float) -> None:
        """Write down a delivery that never came about: its message was lost on the way."""
        now = self._clock.now
        self._record([message, request.id, self._service, published_at, NEVER, now, 0, self._lost])

    def _travel(self, link: Link, delivery: Delivery, attempt: int) -> None:
        """Let a message cross a troubled link: the broker sends it until it has arrived."""
        terms, request = self._terms, delivery.request
        tries = fold(delivery.tries, attempt)
        cut = link.cut
        if cut is not None:
            delivery.incident("cut_off", by=cut)
            assert cut.over.callbacks is not None
            cut.over.callbacks.append(lambda _: self._travel(link, delivery, attempt))
        elif (lost := link.loses(request.number, tries)) is not None:
            delivery.incident("lost_on_the_way", by=lost)
            if terms.at_most_once:
                delivery.lost_on_the_way()
            else:
                self._clock.after(
                    terms.republish_after,
                    self._sent_again + request.turn,
                    attempt,
                    lambda _: self._travel(link, delivery, attempt + 1),
                )
        else:
            self._arrive(link, delivery, tries)

    def _arrive(self, link: Link, delivery: Delivery, tries: int) -> None:
        """Nothing stops it: it arrives, perhaps held up, perhaps twice."""
        request = delivery.request
        delivery.sent_at = self._clock.now
        delay = self._travel_time(request.number, delivery.tries)
        for condition, longer in link.holds_up(request.number, tries):
            delivery.incident("held_up", by=condition)
            delay += longer
        turn = self._arrives + request.turn
        self._clock.travel(delay, turn, 1, delivery.available)
        if (doubled := link.doubles(request.number, tries)) is not None:
            delivery.incident("doubled", by=doubled)
            twin = delivery.doubled()
            self._clock.travel(delay, turn, 2, twin.available)
