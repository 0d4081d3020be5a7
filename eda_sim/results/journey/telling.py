"""How a journey is put together from the rows of its request.

The telling follows the messages from the client on. Whoever handles a message does
one thing after another, so within one attempt each happening comes from the one
before; what arrives from elsewhere (an arrival, a reply) comes from there.
"""

from math import inf, isnan, nan
from typing import Any

from eda_sim.results.case import Case, Rows
from eda_sim.results.journey.story import Activity, Arrow, Happening, Story
from eda_sim.results.journey.tries import Tries, tries_of
from eda_sim.rules.plan import CallNode, Plan
from eda_sim.scenario.scenario import Scenario

_ENDINGS = {"ok": "ended", "failed_permanently": "failed"}
_NEVER_SENT = ("short_circuited", "abandoned", "unfinished")


class Telling:
    """Tells the ``story`` of one request."""

    def __init__(self, plan: Plan, case: Case) -> None:
        self.story = Story()
        self._nodes = plan.of(case.request.source).nodes
        self._case = case
        self._broker = _name_of_broker(plan.scenario)
        self._tell = self.story.tell
        self._tell_client()

    # -- who says what to whom ---------------------------------------------------

    def _tell_client(self) -> None:
        request = self._case.request
        (first,) = self._case.caused[-1, request.source]
        departure, completion = self._tell_message(first)
        if not isnan(request.answered_at):
            self._tell(
                request.answered_at, request.source, "answered", first.name,
                note=_words(request.outcome), because=completion or departure,
            )  # fmt: skip

    def _tell_message(self, message: Any) -> tuple[Happening, Happening | None]:
        """Tell of a message and all that it causes; return its departure and its end.

        The end is what lets its sender go on: a reply, a timeout, an acceptance.
        """
        call = self._case.calls.get(message.message)
        return self._tell_publication(message) if call is None else self._tell_call(message, call)

    def _tell_publication(self, message: Any) -> tuple[Happening, Happening | None]:
        kind, verb = ("publish", "published") if message.kind == "event" else ("send", "sent")
        sender, name, broker = message.sender, message.name, self._broker
        departure = self._tell(message.published_at, sender, verb, name, to=broker)
        self._travels(kind, name, sender, broker, message.published_at, message.accepted_at)
        if isnan(message.accepted_at):
            return departure, None
        accepted = self._tell(message.accepted_at, broker, "accepted", name, because=departure)
        for delivery in self._case.deliveries(message.message):
            self._tell_delivery(message, delivery, accepted)
        return departure, accepted

    def _tell_delivery(self, message: Any, delivery: Any, accepted: Happening) -> None:
        subscriber, name, broker = delivery.subscriber, message.name, self._broker
        available_at = delivery.available_at
        self._travels("deliver", name, broker, subscriber, message.accepted_at, available_at)
        if isnan(available_at):
            return
        came = self._tell(available_at, broker, "delivered", name, subscriber, because=accepted)
        attempts = self._case.attempts[message.message, subscriber]
        for attempt in attempts:
            if attempt.attempt > 1:
                note = _number(attempt.attempt)
                came = self._tell(
                    attempt.queued_at, subscriber, "queued again", name, note=note, because=came
                )
            last = attempt is attempts[-1] and delivery.outcome != "pending"
            came = self._tell_attempt(attempt, came, delivery.ended_at if last else nan)
        if delivery.outcome in ("dead_lettered", "lost"):
            what = delivery.outcome.replace("_", "-")
            self._tell(delivery.ended_at, subscriber, what, name, because=came)

    # -- calls -------------------------------------------------------------------

    def _tell_call(self, message: Any, call: Any) -> tuple[Happening, Happening | None]:
        name, caller = message.name, call.caller
        attempts = self._case.attempts[message.message, call.service]
        node = self._nodes[message.node]
        assert isinstance(node, CallNode)
        step = node.step
        tries = tries_of(step, call, attempts)
        departure = self._tell_first(call, name, attempts, tries)
        gave_up = {
            number: self._tell(
                at, caller, "timed out", name, note=f"attempt {number}", because=departure
            )
            for number, at in tries.gave_up.items()
        }
        tried, end = departure, departure
        for attempt in attempts:
            if attempt.attempt > 1:
                tried = self._tell_repeat(call, attempt, tries, gave_up, end)
            end = self._tell_try(call, attempt, tries, tried)
        if isnan(call.ended_at) or (call.ended_at == call.started_at and not attempts):
            return departure, None
        return departure, self._tell_end(call, name, attempts, tried, end)

    def _tell_first(self, call: Any, name: str, attempts: Rows, tries: Tries) -> Happening:
        """Tell how the call began: it was sent, or a breaker held it back."""
        at, caller, callee = call.started_at, call.caller, call.service
        if 1 not in tries.sent:
            return self._tell(at, caller, "short-circuited", name)
        if not any(attempt.attempt == 1 for attempt in attempts):
            self._travels("call", name, caller, callee, at, nan)
        return self._tell(at, caller, "sent", name, to=callee)

    def _tell_repeat(
        self, call: Any, attempt: Any, tries: Tries, gave_up: dict[int, Happening], end: Happening
    ) -> Happening:
        """Tell that a call was tried again; where it is not known when, at the latest."""
        number, note = attempt.attempt, f"attempt {attempt.attempt}"
        before = gave_up.get(number - 1, end)
        while before.because is not None and before.at > attempt.queued_at:
            before = before.because
        at = tries.sent.get(number, attempt.queued_at)
        if number not in tries.sent:
            note += ", at the latest"
        return self._tell(at, call.caller, "sent", attempt.name, call.service, note, before)

    def _tell_try(self, call: Any, attempt: Any, tries: Tries, tried: Happening) -> Happening:
        name, caller, callee, number = attempt.name, call.caller, call.service, attempt.attempt
        departs = tries.sent.get(number, nan)
        self._travels("call", name, caller, callee, departs, attempt.queued_at, number)
        arrived = self._tell(
            attempt.queued_at, callee, "received", name, note=_number(number), because=tried
        )
        end = self._tell_attempt(attempt, arrived, nan)
        if isnan(attempt.ended_at):
            return end
        arrives = call.ended_at if _decides(call, attempt) else nan
        self._travels(
            "reply", name, callee, caller, attempt.ended_at, arrives, number, attempt.outcome
        )
        if isnan(arrives):
            late = attempt.outcome == "ok" or number in tries.gave_up or call.ended_at <= end.at
            what, note = "replied too late" if late else "replied", _outcome(attempt)
            self._tell(attempt.ended_at, callee, what, name, caller, note, because=end)
        return end

    def _tell_end(
        self, call: Any, name: str, attempts: Rows, tried: Happening, end: Happening
    ) -> Happening:
        """Tell how the call ended for its caller."""
        at, caller = call.ended_at, call.caller
        if attempts and _decides(call, attempts[-1]):
            return self._tell(at, call.service, "replied", name, caller, _outcome(call), end)
        what = _words(call.outcome.replace("short_circuited", "short-circuited"))
        return self._tell(at, caller, what, name, note=_number(call.attempts), because=tried)

    # -- what a worker does ------------------------------------------------------

    def _tell_attempt(self, attempt: Any, arrived: Happening, handled_at: float) -> Happening:
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
        for happening in self._done_in(attempt):
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
        if outcome == "failed_permanently":
            end.note = "for good"
        if at < attempt.ended_at:
            self._tell(attempt.ended_at, service, "acknowledged", name, because=end)
        return end

    def _done_in(self, attempt: Any) -> list[Happening]:
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
                departure, end = self._tell_message(made)
                moments.append((departure.at, (2, made.message, 0), departure))
                if end is not None:
                    # A reply to something older comes before what is done at the same instant.
                    tie = (0, 0, 0) if end.at > departure.at else (2, made.message, 1)
                    moments.append((end.at, tie, end))
        return [happening for _, _, happening in sorted(moments, key=lambda moment: moment[:2])]

    def _travels(
        self, kind: str, name: str, sender: str, receiver: str, departs: float, arrives: float,
        attempt: int = 1, outcome: str = "",
    ) -> None:  # fmt: skip
        arrow = Arrow(kind, name, sender, receiver, departs, arrives, attempt, outcome)
        self.story.arrows.append(arrow)


def _name_of_broker(scenario: Scenario) -> str:
    taken = {service.name for service in scenario.services}
    taken |= {source.name for source in scenario.traffic}
    return next(name for name in ("broker", "message broker", "the broker") if name not in taken)


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _outcome(row: Any) -> str:
    return "" if row.outcome == "ok" else _words(row.outcome)


def _number(attempt: int) -> str:
    return f"attempt {attempt}" if attempt > 1 else ""


def _decides(call: Any, attempt: Any) -> bool:
    """Whether the reply of this attempt is what ended the call."""
    return bool(
        attempt.attempt == call.attempts
        and call.outcome != "timed_out"
        and call.outcome not in _NEVER_SENT
        and not isnan(call.ended_at)
    )


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
