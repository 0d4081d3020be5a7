"""A subscription: what one subscriber of one message has been promised, and the way there.

It holds the delivery policy, as the engine needs it, with the random numbers of its
place in the unfolding, and lets accepted messages travel to the subscriber. What
becomes of each of them there is in ``delivery``.
"""

from eda_sim.engine.delivery import Delivery
from eda_sim.engine.job import PlannedHandler
from eda_sim.engine.links import Link
from eda_sim.engine.recorder import NEVER, OPEN
from eda_sim.engine.request import Request
from eda_sim.engine.stage import Stage
from eda_sim.engine.topic import Held
from eda_sim.engine.waiting import Lane, Prefetching
from eda_sim.rules.luck import Times, fold, times
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.partitioning import partition_of
from eda_sim.rules.tables import DELIVERY_OUTCOMES
from eda_sim.rules.unfolding import MessageNode
from eda_sim.scenario.delivery import Retry
from eda_sim.scenario.faults import BROKER


class Subscription:
    """One subscriber of one message at its place in the unfolding, and its policy."""

    def __init__(
        self, stage: Stage, node: MessageNode, source: str, number: int, handler: PlannedHandler
    ) -> None:
        broker = stage.scenario.broker
        assert broker is not None
        description = node.handlers[number]
        policy = description.handler.delivery or broker.delivery
        luck, place = stage.luck, node.place
        address = f"{node.address}/{description.service.name}"
        self.clock = stage.clock
        self.handler = handler
        self.at_most_once = policy.guarantee == "at_most_once"
        self.retry = Retry(max_attempts=1) if self.at_most_once else policy.retry
        self.given_up = "dead_lettered" if policy.dead_letter else "discarded"
        if self.at_most_once:
            self.given_up = "discarded"
        self.at_the_head = policy.requeue == "head"
        self.ack_timeout = policy.ack_timeout
        self.travel = times(luck, broker.deliver, f"{address}/deliver", source, place)
        self.turnaround = times(luck, broker.turnaround, f"{address}/turnaround", source, place)
        self.acknowledges = broker.turnaround.mean > 0 and not self.at_most_once
        self.jitter = Times(luck.stream(f"{address}/jitter", source, place), float)
        self.arrives = turn(Rank.MESSAGE_ARRIVES, place)
        self.acknowledged = turn(Rank.ACKNOWLEDGED, place)
        self.times_out = turn(Rank.TIMEOUT, place)
        self.due = turn(Rank.RETRY_DUE, place)
        self._record = stage.recorder.deliveries.add
        self.incident = stage.incidents.note
        name = description.service.name
        self.link = stage.network.link(BROKER, name, f"{address}/deliver", source, place)
        self.ack_link = stage.network.link(name, BROKER, f"{address}/acknowledge", source, place)
        self.republish_after = broker.republish_after
        self.message_name = node.name
        self.dead_letters = stage.dead_letters.get(description.service.name)
        self.codes = {name: stage.recorder.names.code(name) for name in DELIVERY_OUTCOMES}
        self.retry_topic = policy.retry_topic
        self.lanes: list[Lane] = []
        self.prefetching: Prefetching | None = None
        if policy.ordered:
            partitions = broker.partitions_of(node.name)
            self.lanes = handler.service.lanes(node.name, partitions, broker.rebalance)
        elif policy.prefetch is not None:
            self.prefetching = handler.service.prefetching(node.name, policy.prefetch)
        # Whether a delivery must know which of its attempts waits.
        self.remembers = policy.ordered or policy.ack_timeout is not None

    def deliver(
        self,
        request: Request,
        message: int,
        tries: int,
        published_at: float,
        held: Held | None = None,
    ) -> None:
        """Let an accepted message travel to the subscriber."""
        service = self.handler.service.name
        row = [message, request.id, service, published_at, NEVER, NEVER, 0, OPEN]
        self._record(row)
        delivery = Delivery(self, request, message, tries, row)
        if self.lanes:
            lane = self.lanes[partition_of(request.key, len(self.lanes))]
            delivery.queue = delivery.lane = lane
            lane.join(delivery)
        elif self.prefetching is not None:
            delivery.queue = self.prefetching
        delivery.held = held
        if self.link is not None:
            self._travel(self.link, delivery, 1)
            return
        self.clock.then(
            self.travel(request.number, tries), self.arrives + request.turn, delivery.available
        )

    def lose(self, request: Request, message: int, published_at: float) -> None:
        """Write down a delivery that never came about: its message was lost on the way."""
        row = [
            message,
            request.id,
            self.handler.service.name,
            published_at,
            NEVER,
            self.clock.now,
            0,
            self.codes["lost"],
        ]
        self._record(row)

    def _travel(self, link: Link, delivery: Delivery, attempt: int) -> None:
        """Let a message cross a troubled link: the broker sends it until it has arrived."""
        request, tries = delivery.request, fold(delivery.tries, attempt)
        cut = link.cut
        if cut is not None:
            delivery.incident("cut_off", by=cut)
            assert cut.over.callbacks is not None
            cut.over.callbacks.append(lambda _: self._travel(link, delivery, attempt))
        elif (lost := link.loses(request.number, tries)) is not None:
            delivery.incident("lost_on_the_way", by=lost)
            if self.at_most_once:
                delivery.lost_on_the_way()
            else:
                self.clock.then(
                    self.republish_after,
                    self.arrives + request.turn,
                    lambda _: self._travel(link, delivery, attempt + 1),
                )
        else:
            delay = self.travel(request.number, delivery.tries)
            for condition, longer in link.holds_up(request.number, tries):
                delivery.incident("held_up", by=condition)
                delay += longer
            self.clock.then(delay, self.arrives + request.turn, delivery.available)
            if (doubled := link.doubles(request.number, tries)) is not None:
                delivery.incident("doubled", by=doubled)
                twin = delivery.doubled()
                self.clock.then(delay, self.arrives + request.turn, twin.available)
