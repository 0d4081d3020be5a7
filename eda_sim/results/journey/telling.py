"""How a journey is put together from the rows of its request.

The telling follows the messages from the client on. Whoever handles a message does
one thing after another, so within one attempt each happening comes from the one
before; what arrives from elsewhere (an arrival, a reply) comes from there.

What is told within something else is handed out by it and told for it, so that a chain of
messages may be as long as it likes.
"""

from collections.abc import Generator
from math import inf, isnan, nan
from typing import Any, TypeVar

from eda_sim.results.case import Case, Rows
from eda_sim.results.journey.story import NEVER_ARRIVED, Activity, Arrow, Happening, Story
from eda_sim.results.journey.tries import Try, tries_of
from eda_sim.rules.outcomes import Outcome
from eda_sim.scenario.scenario import Scenario

T = TypeVar("T")
Account = Generator[Any, Any, T]  # yields the tellings within it, and is sent what they return

_ENDINGS = {Outcome.OK: "ended", Outcome.FAILED_PERMANENTLY: "failed"}


class Telling:
    """Tells the ``story`` of one request."""

    def __init__(self, scenario: Scenario, case: Case) -> None:
        self.story = Story()
        self._case = case
        self._broker = _name_of_broker(scenario)
        self._tell = self.story.tell
        _in_full(self._tell_client())

    # -- who says what to whom ---------------------------------------------------

    def _tell_client(self) -> Account[None]:
        request = self._case.request
        (first,) = self._case.caused[-1, request.source]
        departure, completion = yield self._tell_message(first)
        if not isnan(request.answered_at):
            self._tell(
                request.answered_at, request.source, "answered", first.name,
                note=_words(request.outcome), because=completion or departure,
            )  # fmt: skip

    def _tell_message(self, message: Any) -> Account[tuple[Happening, Happening | None]]:
        """Tell of a message and all that it causes; return its departure and its end.

        The end is what lets its sender go on: a reply, a timeout, an acceptance.
        """
        call = self._case.calls.get(message.message)
        return self._tell_publication(message) if call is None else self._tell_call(message, call)

    def _tell_publication(self, message: Any) -> Account[tuple[Happening, Happening | None]]:
        kind, verb = ("publish", "published") if message.kind == "event" else ("send", "sent")
        sender, name, broker = message.sender, message.name, self._broker
        departure = self._tell(message.published_at, sender, verb, name, to=broker)
        self._travels(kind, name, sender, broker, message.published_at, message.accepted_at)
        if isnan(message.accepted_at):
            return departure, None
        accepted = self._tell(message.accepted_at, broker, "accepted", name, because=departure)
        subscribers: dict[str, Any] = {}
        for delivery in self._case.deliveries(message.message):
            subscribers.setdefault(delivery.subscriber, delivery)
        for delivery in subscribers.values():  # with whatever the broker accepted again
            yield self._tell_delivery(message, delivery, accepted)
        return departure, accepted

    def _tell_delivery(self, message: Any, delivery: Any, accepted: Happening) -> Account[None]:
        subscriber, name, broker = delivery.subscriber, message.name, self._broker
        available_at = delivery.available_at
        attempts = self._case.attempts[message.message, subscriber]
        sent_at = attempts[0].sent_at if attempts else message.accepted_at
        self._travels("deliver", name, broker, subscriber, sent_at, available_at)
        if isnan(available_at):
            return
        came = self._tell(available_at, broker, "delivered", name, subscriber, because=accepted)
        for attempt in attempts:
            if attempt.attempt > 1:
                note = _number(attempt.attempt)
                came = self._tell(
                    attempt.queued_at, subscriber, "queued again", name, note=note, because=came
                )
            last = attempt is attempts[-1] and delivery.outcome != Outcome.PENDING
            came = yield self._tell_attempt(attempt, came, delivery.ended_at if last else nan)
            if came.at < attempt.heard_at:
                self._tell(attempt.heard_at, subscriber, "acknowledged", name, because=came)
        if delivery.outcome in (Outcome.DEAD_LETTERED, Outcome.LOST):
            what = delivery.outcome.replace("_", "-")
            self._tell(delivery.ended_at, subscriber, what, name, because=came)

    # -- calls -------------------------------------------------------------------

    def _tell_call(self, message: Any, call: Any) -> Account[tuple[Happening, Happening | None]]:
        name, tried, end = message.name, None, None
        first: Happening | None = None
        for each in tries_of(self._case, call):
            tried, end = yield self._tell_try(call, name, each, end or tried)
            first = first or tried
        assert first is not None
        if isnan(call.ended_at):
            return first, None
        if end is None or call.outcome == Outcome.ABANDONED:
            note = _number(call.attempts)
            end = self._tell(
                call.ended_at, call.caller, _words(call.outcome), name, note=note, because=tried
            )
        return first, None if end is first else end

    def _tell_try(
        self, call: Any, name: str, each: Try, before: Happening | None
    ) -> Account[tuple[Happening, Happening | None]]:
        """Tell of one try; return how it left its caller, and what let the caller go on."""
        caller, callee, note = call.caller, call.service, _number(each.number)
        if each.held_back is not None:
            what, at = each.held_back
            stop = self._tell(at, caller, what, name, note=note, because=before)
            return stop, stop
        sent = self._tell(each.sent_at, caller, "sent", name, callee, note, before)
        end = None
        if not isnan(each.gave_up_at):
            which = f"attempt {each.number}" if call.attempts > 1 else ""
            end = self._tell(each.gave_up_at, caller, "timed out", name, note=which, because=sent)
        if not each.arrivals:
            self._travels("call", name, caller, callee, each.sent_at, nan, each.number)
        for attempt in each.arrivals:
            reply = yield self._tell_arrival(call, attempt, each, sent, end is not None)
            end = end or reply
        return sent, end

    def _tell_arrival(
        self, call: Any, attempt: Any, each: Try, sent: Happening, too_late: bool
    ) -> Account[Happening | None]:
        """Tell what became of a try that arrived; return its reply, if somebody waited for it."""
        caller, callee, name, number = call.caller, call.service, attempt.name, each.number
        queued_at, left_at, heard_at = attempt.queued_at, attempt.ended_at, attempt.heard_at
        self._travels("call", name, caller, callee, each.sent_at, queued_at, number)
        note = _number(number)
        arrived = self._tell(queued_at, callee, "received", name, note=note, because=sent)
        end = yield self._tell_attempt(attempt, arrived, nan)
        if isnan(left_at) or attempt.outcome == Outcome.EXPIRED:
            return None
        too_late = too_late or heard_at > call.ended_at
        outcome = attempt.outcome
        self._travels("reply", name, callee, caller, left_at, heard_at, number, outcome, too_late)
        if isnan(heard_at):
            self._tell(left_at, callee, "replied", name, caller, NEVER_ARRIVED, end)
            return None
        what = "replied too late" if too_late else "replied"
        reply = self._tell(heard_at, callee, what, name, caller, _outcome(attempt), end)
        return None if too_late else reply

    # -- what a worker does ------------------------------------------------------

    def _tell_attempt(
        self, attempt: Any, arrived: Happening, handled_at: float
    ) -> Account[Happening]:
        """Tell what a worker did, if one took it; return the last of it.

        ``handled_at`` is when a delivery was over, if the acknowledgement took longer.
        """
        service, name, outcome = attempt.service, attempt.name, attempt.outcome
        if isnan(attempt.started_at):
            if isnan(attempt.ended_at):
                return arrived
            return self._tell(attempt.ended_at, service, outcome, name, because=arrived)
        note = _number(attempt.attempt)
        last = self._tell(attempt.started_at, service, "started", name, note=note, because=arrived)
        works: list[str] = []
        for happening in (yield self._done_in(attempt)):
            happening.because, last = happening.because or last, happening
            if happening.what == "worked":
                works.append(happening.note)
        self.story.activities.append(
            Activity(
                service, name, attempt.attempt, attempt.started_at, attempt.ended_at, outcome,
                tuple(works),
            )
        )  # fmt: skip
        if isnan(attempt.ended_at):
            return last
        at = attempt.ended_at if isnan(handled_at) else handled_at
        end = self._tell(at, service, _ENDINGS.get(outcome, outcome), name, note=note, because=last)
        if outcome == Outcome.FAILED_PERMANENTLY:
            end.note = "for good"
        return end

    def _done_in(self, attempt: Any) -> Account[list[Happening]]:
        """Tell what was done within one attempt, and return it in its order."""
        moments: list[tuple[float, tuple[int, int, int], Happening]] = []
        message, service = attempt.message, attempt.service
        rivals = self._case.attempts[message, service]
        for effect in self._case.effects(message, service):
            if _did(effect.at, rivals) is attempt:
                done = self._tell(effect.at, service, "worked", attempt.name, note=effect.label)
                moments.append((effect.at, (1, 0, 0), done))
        for made in self._case.caused[message, service]:
            if _made(made.published_at, rivals) is attempt:
                departure, end = yield self._tell_message(made)
                moments.append((departure.at, (2, made.message, 0), departure))
                if end is not None:
                    # A reply to something older comes before what is done at the same instant.
                    tie = (0, 0, 0) if end.at > departure.at else (2, made.message, 1)
                    moments.append((end.at, tie, end))
        return [happening for _, _, happening in sorted(moments, key=lambda moment: moment[:2])]

    def _travels(
        self, kind: str, name: str, sender: str, receiver: str, departs: float, arrives: float,
        attempt: int = 1, outcome: str = "", too_late: bool = False,
    ) -> None:  # fmt: skip
        self.story.arrows.append(
            Arrow(kind, name, sender, receiver, departs, arrives, attempt, outcome, too_late)
        )


def _in_full(telling: Account[T]) -> T:
    """Tell, with all that is told within, and return what the telling returns."""
    open_: list[Account[Any]] = [telling]
    answer: Any = None
    while open_:
        try:
            within = open_[-1].send(answer)
        except StopIteration as end:
            open_.pop()
            answer = end.value
        else:
            open_.append(within)
            answer = None
    result: T = answer
    return result


def _name_of_broker(scenario: Scenario) -> str:
    taken = {service.name for service in scenario.services}
    taken |= {source.name for source in scenario.traffic}
    return next(name for name in ("broker", "message broker", "the broker") if name not in taken)


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _outcome(row: Any) -> str:
    return "" if row.outcome == Outcome.OK else _words(row.outcome)


def _number(attempt: int) -> str:
    return f"attempt {attempt}" if attempt > 1 else ""


def _did(at: float, attempts: Rows) -> Any:
    """Return the attempt whose work was complete ``at``: not one that only began just then."""
    return max(
        (attempt for attempt in attempts if attempt.started_at <= at <= _end(attempt)),
        key=lambda a: (a.started_at < at, a.ended_at == at, a.started_at),
        default=None,
    )


def _made(at: float, attempts: Rows) -> Any:
    """Return the attempt that made a message ``at``: not one that was over just then."""
    return max(
        (attempt for attempt in attempts if attempt.started_at <= at <= _end(attempt)),
        key=lambda a: (at < _end(a), a.started_at),
        default=None,
    )


def _end(attempt: Any) -> float:
    return inf if isnan(attempt.ended_at) else float(attempt.ended_at)
