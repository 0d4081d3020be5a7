"""A delivery: one message for one subscriber, until it is handled or given up.

It follows ``rules.lifecycle.DELIVERY``, under the ``terms`` of its subscription. At least
once, it is acknowledged after handling; if that acknowledgement does not come (a crash, an
acknowledgement timeout) there is another attempt, and for a while there may be two at work. At
most once, it is acknowledged before, and whatever then goes wrong is lost.
"""

from simpy import Event

from eda_sim.engine.books import heard
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import Job
from eda_sim.engine.lanes import Lane
from eda_sim.engine.links import Condition
from eda_sim.engine.recorder import NEVER, NOBODY, Row
from eda_sim.engine.request import Request
from eda_sim.engine.terms import Terms
from eda_sim.engine.topic import Held
from eda_sim.engine.waiting import Queue
from eda_sim.rules.backoff import wait
from eda_sim.rules.lifecycle import BACKING_OFF, DEAD_LETTERED, HANDLING, TRAVELLING, WAITING
from eda_sim.rules.luck import fold, fold_copy
from eda_sim.rules.outcomes import FAILED, OK, Outcome
from eda_sim.rules.tables import ATTEMPTS, DELIVERIES

_AVAILABLE_AT, _ENDED_AT, _ATTEMPTS, _OUTCOME = DELIVERIES.positions(
    "available_at", "ended_at", "attempts", "outcome"
)
_STARTED_AT, _HEARD_AT = ATTEMPTS.positions("started_at", "heard_at")
_REMEDY = "let the retry of its delivery wait (backoff), or limit it (max_attempts)"


class Delivery:
    """One message for one subscriber, from the broker's acceptance to its end."""

    fold = staticmethod(fold)  # from the tries that led to it to those of an attempt

    __slots__ = (
        "attempts",
        "forgiven",
        "held",
        "lane",
        "message",
        "queue",
        "redelivered",
        "request",
        "row",
        "sent_at",
        "state",
        "terms",
        "tries",
        "used",
        "waiting",
    )

    def __init__(
        self, terms: Terms, queue: Queue, request: Request, message: int, tries: int, row: Row
    ) -> None:
        self.terms = terms
        self.request = request
        self.message = message
        self.tries = tries  # of the attempts that led to the publication
        self.attempts = 0
        self.used = 0  # how many of its policy's tries are used up
        self.forgiven = 0  # how many were, before a redrive
        self.redelivered = 0  # 1 once the broker has delivered it before
        self.sent_at = terms.clock._now
        self.waiting: DeliveryAttempt | None = None
        self.queue = queue
        self.lane: Lane | None = None
        self.held: Held | None = None
        self.state = TRAVELLING
        self.row = row

    def available(self, _: Event) -> None:
        """The message has reached the subscriber's queue."""
        terms = self.terms
        self.state = self.state["available"]
        self.row[_AVAILABLE_AT] = terms.clock._now
        self.queue.arrive(DeliveryAttempt(self, self.sent_at))

    def doubled(self) -> "Delivery":
        """Return a second arrival of the same message: nobody counts it, but it is handled."""
        row = list(self.row)
        twin = _Twin(self.terms, self.queue, self.request, self.message, self.tries, row)
        if self.lane is not None:
            twin.lane = self.lane
            self.lane.join(twin)
        return twin

    def incident(self, what: str, attempt: int = NOBODY, by: Condition | None = None) -> None:
        """Write down what happened to it."""
        fault = NO_FAULT if by is None else by.number
        terms = self.terms
        terms.note(what, self.message, self.request, terms.service, attempt, fault=fault)

    def lost_on_the_way(self) -> None:
        """It never arrives, and nobody sends it again."""
        self._end("discarded", self.terms.clock._now)

    def watch(self, attempt: "DeliveryAttempt", timeout: float) -> None:
        """The broker waits so long for the acknowledgement of an attempt."""
        turn, clock = self.terms.times_out + self.request.turn, self.terms.clock
        clock.after(timeout, turn, attempt.attempt, lambda _: self._not_acknowledged(attempt))

    # -- how an attempt ends ------------------------------------------------------

    def settle(self, attempt: "DeliveryAttempt", outcome: Outcome, handled_at: float) -> None:
        """The broker has heard of an attempt: it was done, is to be tried again, or given up."""
        if outcome is OK:
            if self.state is HANDLING:
                self._end("acknowledged", handled_at)
            else:
                self._acknowledged_late(handled_at)
        elif attempt.attempt == self.attempts and self.state is HANDLING:
            if self._use_up_a_try() and outcome is FAILED:
                self.state = self.state["failed"]
                if self.lane is not None and self.terms.retry_topic:
                    self._leave_lane()
                self._back_off(attempt)
            else:
                self._end(self.terms.given_up, handled_at)

    def unheard(self, attempt: "DeliveryAttempt", lost: Condition) -> None:
        """The acknowledgement got lost: the broker sees the connection break, or its timeout."""
        self.incident("acknowledgement_lost", attempt.attempt, lost)
        heard(attempt, NEVER)
        is_current = attempt.attempt == self.attempts and self.state is HANDLING
        terms = self.terms
        if not is_current or terms.ack_timeout is not None:
            return
        if not self._outlives_a_crash():
            self._end(terms.given_up, terms.clock._now)
            return
        self.state = self.state["acknowledgement lost"]
        if attempt.started_at < terms.clock._now:
            self._redeliver(attempt)
        else:  # what takes no time would be done again for ever, and time never go on
            turn = terms.due + self.request.turn
            number, clock = attempt.attempt, terms.clock
            clock.after(terms.republish_after, turn, number, lambda _: self._redeliver(attempt))

    def _redeliver(self, attempt: "DeliveryAttempt") -> None:
        """The broker has it again, and puts it back."""
        self.redelivered = 1
        self.queue.come_back(DeliveryAttempt(self, self.terms.clock._now), self._place(attempt))

    def _place(self, attempt: "DeliveryAttempt") -> float | None:
        """Return where it comes back that nobody has answered: at the head, or where it was."""
        return None if self.terms.at_the_head else attempt.queued_at

    def given_back(self, attempt: "DeliveryAttempt", by_crash: bool) -> None:
        """The instance that held it is gone, and had not begun with it."""
        terms = self.terms
        assert terms.line is not None
        self.redelivered = 1
        if not by_crash or self._outlives_a_crash():
            terms.line.take_back(attempt, self._place(attempt))
        else:
            terms.line.withdraw(attempt)
            self.waiting = None
            self._end(terms.given_up, terms.clock._now)

    def crashed(self, attempt: "DeliveryAttempt") -> None:
        """The instance died: the broker sees the connection break, or waits for its timeout."""
        terms = self.terms
        if terms.at_most_once:
            heard(attempt, attempt.started_at)
            self._end(terms.given_up, terms.clock._now)
        elif terms.ack_timeout is not None:
            heard(attempt, NEVER)
        else:
            heard(attempt, terms.clock._now)
            if self._outlives_a_crash():
                self.state = self.state["crashed"]
                self._redeliver(attempt)
            else:
                self._end(terms.given_up, terms.clock._now)

    def _not_acknowledged(self, attempt: "DeliveryAttempt") -> None:
        """The acknowledgement timeout of an attempt is over, or the outage in which it ended."""
        if attempt.attempt != self.attempts or self.state is not HANDLING:
            return
        terms = self.terms
        outage = terms.network.broker_outage
        if outage is not None:  # a broker that is down gives nothing up
            assert outage.over.callbacks is not None
            outage.over.callbacks.append(lambda _: self._not_acknowledged(attempt))
            return
        self.incident("acknowledgement_timed_out", attempt.attempt)
        if self._use_up_a_try():
            self.state = self.state["acknowledgement timed out"]
            self._redeliver(attempt)
        else:
            self._end(terms.given_up, terms.clock._now)

    def _acknowledged_late(self, at: float) -> None:
        """An attempt that the broker took for dead is acknowledged: no other is needed."""
        if self.state is WAITING or self.state is BACKING_OFF:
            if self.state is WAITING and self.waiting is not None:
                self.queue.withdraw(self.waiting)
                self.waiting = None
            self._end("acknowledged late", at)

    def _use_up_a_try(self) -> bool:
        """One more is used up; say whether there may be another."""
        self.used += 1
        return self.terms.retry.allows(self.used)

    def _outlives_a_crash(self) -> bool:
        """Say whether there may be another try after a crash, which may count as one or not."""
        return not self.terms.counts_crashes or self._use_up_a_try()

    # -- trying again -------------------------------------------------------------

    def _back_off(self, attempt: "DeliveryAttempt") -> None:
        terms, request = self.terms, self.request
        seconds = wait(
            terms.retry.backoff,
            self.used,
            lambda n: terms.jitter(request.number, self.fold(self.tries, self.forgiven + n)),
        )
        terms.clock.travel(seconds, terms.due + request.turn, attempt.attempt, self._again)

    def _again(self, _: Event) -> None:
        """It rejoins its queue, unless an earlier attempt has been acknowledged meanwhile."""
        if self.state is not BACKING_OFF:
            return
        self.state = self.state["due"]
        self.redelivered = 1
        queue, attempt = self.queue, DeliveryAttempt(self, self.terms.clock._now)
        if self.terms.at_the_head:
            queue.come_back(attempt, None)
        else:
            queue.arrive(attempt)

    def _leave_lane(self) -> None:
        """Give the order up: what is tried again later must not keep the others."""
        lane, self.lane = self.lane, None
        self.queue = self.terms.common_queue
        assert lane is not None
        lane.leave(self)

    def _end(self, event: str, at: float) -> None:
        self.state = self.state[event]
        self.row[_ENDED_AT] = at
        letters = self.terms.letters
        if self.state is DEAD_LETTERED:
            self._note_dead_letter()
        if letters is not None and self.state is DEAD_LETTERED:
            letters.add(self)  # its row stays open: it may be redriven
        else:
            self.row[_OUTCOME] = self.terms.codes[self.state.name]
        if self.lane is not None:
            self.lane.leave(self)
        if self.held is not None:
            self.held.ended()
            self.held = None

    def _note_dead_letter(self) -> None:
        self.incident("dead_lettered", self.attempts)

    # -- redrive ------------------------------------------------------------------

    @property
    def message_name(self) -> str:
        """The name of the message."""
        return self.terms.message_name

    def redrive(self) -> None:
        """It leaves the dead-letter queue for its queue's tail; tries count anew."""
        self.incident("redriven")
        self.state = self.state["redriven"]
        self.row[_ENDED_AT] = NEVER
        self.forgiven += self.used
        self.used = self.redelivered = 0
        if self.lane is not None:
            self.lane.join(self)
        self.queue.arrive(DeliveryAttempt(self, self.terms.clock._now))

    def stays_dead(self) -> None:
        """The run is over, and nobody has redriven it."""
        self.row[_OUTCOME] = self.terms.codes[self.state.name]


class _Twin(Delivery):
    """A second arrival: no delivery of its own in the books, and its attempts are copies."""

    __slots__ = ()

    @staticmethod
    def fold(tries: int, attempt: int) -> int:
        """Return the tries of an attempt's copy."""
        return fold_copy(fold(tries, attempt))

    def _note_dead_letter(self) -> None:
        pass


class DeliveryAttempt(Job):
    """The next attempt of a delivery, as a worker sees it."""

    __slots__ = (
        "_handled_at",
        "delivery",
        "needs_acknowledgement",
        "redelivered",
    )

    def __init__(self, delivery: Delivery, sent_at: float) -> None:
        terms = delivery.terms
        number = delivery.attempts = delivery.attempts + 1
        if number > 1:
            terms.again(delivery, terms.handling.name, terms.service, delivery.request, _REMEDY)
        if terms.remembers:
            delivery.waiting = self
        # Written out instead of super().__init__(): there is one for each attempt.
        self.handling = terms.handling
        self.request = delivery.request
        self.message = delivery.message
        self.tries = delivery.fold(delivery.tries, number)
        self.attempt = number
        self.sent_at = sent_at
        self.at_the_head = False
        self.redelivered = delivery.redelivered
        self.delivery = delivery
        self._handled_at: float | None = None
        self.needs_acknowledgement = terms.acknowledges

    @property
    def started_at(self) -> float:
        """When a worker began with it."""
        at: float = self.row[_STARTED_AT]
        return at

    def dispatched(self) -> None:
        """A worker has taken it."""
        delivery = self.delivery
        delivery.waiting = None
        delivery.state = delivery.state["dispatched"]
        delivery.row[_ATTEMPTS] = self.attempt
        timeout = delivery.terms.ack_timeout
        if timeout is not None:
            delivery.watch(self, timeout)

    def acknowledge(self) -> Event:
        """The worker stays occupied until the broker's answer to its (n)ack is back."""
        terms, request = self.delivery.terms, self.request
        self._handled_at = terms.clock._now
        wait = terms.turnaround(request.number, self.tries)
        return terms.clock.wait(wait, terms.acknowledged + request.turn, self.attempt)

    def settle(self, outcome: Outcome) -> None:
        """The broker is told how it went; at most once, it had been told before."""
        delivery, row = self.delivery, self.row
        terms, now = delivery.terms, delivery.terms.clock._now
        link = None if terms.at_most_once else terms.ack_link
        lost = None if link is None else link.stops(self.request.number, self.tries)
        if lost is not None:
            delivery.unheard(self, lost)
        else:
            row[_HEARD_AT] = row[_STARTED_AT] if terms.at_most_once else now
            # Handled when the handling was over, even if the acknowledgement came later.
            delivery.settle(self, outcome, now if self._handled_at is None else self._handled_at)
        # Only now, or the room could go to a redelivery that this acknowledgement withdraws.
        if terms.line is not None:
            terms.line.release(self)

    def crashed(self) -> None:
        """The instance that handled it has died."""
        line = self.delivery.terms.line
        if line is not None:
            line.release(self)
        self.delivery.crashed(self)

    def given_back(self, by_crash: bool) -> None:
        """The instance that held it is gone, and had not begun with it."""
        self.delivery.given_back(self, by_crash)
