"""The broker: accepts messages, carries them to every subscriber, tries again.

A delivery is one message for one subscriber and follows
``rules.lifecycle.DELIVERY``: at least once, acknowledged after handling. While
its instance lives it is handled, backs off, or is given up; when the instance
dies before the acknowledgement is back, it is handled again.
"""

from typing import TYPE_CHECKING

from simpy import Event

from eda_sim.engine.job import FAILED, OK, Job, Performance, PlannedHandler
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN, Row
from eda_sim.engine.request import Request
from eda_sim.rules.lifecycle import TRAVELLING
from eda_sim.rules.luck import Times, fold, times
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.tables import DELIVERIES, DELIVERY_OUTCOMES
from eda_sim.rules.unfolding import MessageNode
from eda_sim.scenario.steps import Publish

if TYPE_CHECKING:
    from eda_sim.engine.world import World

_AVAILABLE_AT, _ENDED_AT, _ATTEMPTS, _OUTCOME = DELIVERIES.positions(
    "available_at", "ended_at", "attempts", "outcome"
)


class Subscription:
    """One subscriber of one message at its place in the unfolding, and its policy."""

    def __init__(
        self, world: "World", node: MessageNode, source: str, number: int, handler: PlannedHandler
    ) -> None:
        broker = world.scenario.broker
        assert broker is not None
        description = node.handlers[number]
        policy = description.handler.delivery or broker.delivery
        luck, place = world.luck, node.place
        address = f"{node.address}/{description.service.name}"
        self.clock = world.clock
        self.handler = handler
        self.max_attempts = policy.retry.max_attempts
        self.backoff = policy.retry.backoff
        self.jitters = self.backoff.jitter == "full"
        self.given_up = "dead_lettered" if policy.dead_letter else "discarded"
        self.travel = times(luck, broker.deliver, f"{address}/deliver", source, place)
        self.turnaround = times(luck, broker.turnaround, f"{address}/turnaround", source, place)
        self.has_turnaround = broker.turnaround.mean > 0
        self.jitter = Times(luck.stream(f"{address}/jitter", source, place), float)
        self.arrives = turn(Rank.MESSAGE_ARRIVES, place)
        self.acknowledged = turn(Rank.ACKNOWLEDGED, place)
        self.due = turn(Rank.RETRY_DUE, place)
        self._record = world.recorder.deliveries.add
        self.codes = {name: world.recorder.names.code(name) for name in DELIVERY_OUTCOMES}

    def deliver(self, request: Request, message: int, tries: int, published_at: float) -> None:
        """Let an accepted message travel to the subscriber."""
        service = self.handler.service.name
        row = [message, request.id, service, published_at, NEVER, NEVER, 0, OPEN]
        self._record(row)
        delivery = Delivery(self, request, message, tries, row)
        self.clock.then(
            self.travel(request.number, tries), self.arrives + request.turn, delivery.available
        )


class Delivery(Job):
    """One message for one subscriber, from the broker's acceptance to its end."""

    __slots__ = (
        "_delivery",
        "_handled_at",
        "_subscription",
        "_tries_before",
        "needs_acknowledgement",
        "state",
    )

    def __init__(
        self, subscription: Subscription, request: Request, message: int, tries: int, row: Row
    ) -> None:
        # Whoever published may have tried before: a first attempt must not meet its luck.
        super().__init__(subscription.handler, request, message, fold(tries, 1) if tries else 0)
        self._subscription = subscription
        self._tries_before = tries
        self._handled_at: float | None = None
        self.needs_acknowledgement = subscription.has_turnaround
        self._delivery = row
        self.state = TRAVELLING

    def available(self, _: Event) -> None:
        """The message has reached the subscriber's queue."""
        self.state = self.state["available"]
        self._delivery[_AVAILABLE_AT] = self._subscription.clock._now
        self.handler.service.arrive(self)

    def dispatched(self) -> None:
        """A worker has taken it: one more attempt."""
        self.state = self.state["dispatched"]
        self._delivery[_ATTEMPTS] = self.attempt

    def acknowledge(self) -> Event:
        """The worker stays occupied until the broker's answer to its (n)ack is back."""
        rules, request = self._subscription, self.request
        self._handled_at = rules.clock.now
        wait = rules.turnaround(request.number, self.tries)
        return rules.clock.wait(wait, rules.acknowledged + request.turn)

    def settle(self, outcome: str) -> None:
        """The broker knows how it went: done, to be tried again, or given up."""
        rules = self._subscription
        if outcome is OK:
            self._end("acknowledged")
        elif outcome is FAILED and self.attempt < rules.max_attempts:
            self.state = self.state["failed"]
            self._back_off()
        else:
            self._end(rules.given_up)

    def _back_off(self) -> None:
        rules, request = self._subscription, self.request
        wait = rules.backoff.after(self.attempt)
        if rules.jitters:
            wait *= rules.jitter(request.number, self.tries)
        self._next_attempt()
        rules.clock.then(wait, rules.due + request.turn, self._again)

    def _next_attempt(self) -> None:
        self.attempt += 1
        self.tries = fold(self._tries_before, self.attempt)

    def _again(self, _: Event) -> None:
        """It rejoins its queue, at the tail."""
        self.state = self.state["due"]
        self.handler.service.arrive(self)

    def crashed(self) -> None:
        """Not acknowledged: it is handled again, from the place that it had in the queue."""
        self.state = self.state["crashed"]
        self._next_attempt()
        self.handler.service.come_back(self)

    def _end(self, event: str) -> None:
        rules = self._subscription
        self.state = self.state[event]
        # Handled when the handling was over, even if the acknowledgement came later.
        at = rules.clock._now if self._handled_at is None else self._handled_at
        self._delivery[_ENDED_AT] = at
        self._delivery[_OUTCOME] = rules.codes[self.state.name]


class MakePublication:
    """A send or a publication at its place in the unfolding."""

    def __init__(
        self,
        world: "World",
        node: MessageNode,
        source: str,
        handlers: tuple[PlannedHandler, ...],
    ) -> None:
        broker, recorder = world.scenario.broker, world.recorder
        assert broker is not None
        step, code = node.step, recorder.names.code
        self._clock = world.clock
        self._number = node.number
        self._latency = times(
            world.luck, broker.publish, f"{node.address}/publish", source, node.place
        )
        self._turn = turn(Rank.ACCEPTED, node.place)
        self._subscriptions = tuple(
            Subscription(world, node, source, number, handler)
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
        return (yield from self.publish(job.request, job.tries, job.message))

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
