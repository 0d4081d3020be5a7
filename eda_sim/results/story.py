"""How a journey is put together from the tables.

The story follows the messages from the client on. Whoever handles a message does
one thing after another, so within one attempt each step comes from the one
before; a step that arrives from elsewhere (an arrival, a reply) comes from there.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any

import pandas as pd

from eda_sim.results.journey import Activity, Arrow
from eda_sim.scenario.messages import mentions
from eda_sim.scenario.steps import Call

if TYPE_CHECKING:
    from eda_sim.results.run import Run

_ENDINGS = {"ok": "ended", "failed_permanently": "failed"}
_NEVER_SENT = ("short_circuited", "abandoned", "unfinished")
_TABLES = ("requests", "messages", "calls", "attempts", "effects", "deliveries")


@dataclass(eq=False)
class Step:
    """Something that happened, and the step that it came from."""

    at: float
    who: str
    what: str
    message: str
    to: str = ""
    note: str = ""
    because: "Step | None" = None


class Story:
    """The steps, arrows and activities of one request."""

    def __init__(self, run: "Run", request: int) -> None:
        rows = {name: _rows(run.tables[name], request) for name in _TABLES}
        self._scenario = run.scenario
        self._calls = {call.message: call for call in rows["calls"]}
        self._attempts = _grouped(rows["attempts"], "message", "service")
        self._effects = _grouped(rows["effects"], "message", "service")
        self._deliveries = _grouped(rows["deliveries"], "message")
        self._caused = _grouped(rows["messages"], "cause", "sender")
        self._broker = _name_of_broker(run)
        self.steps: list[Step] = []
        self.arrows: list[Arrow] = []
        self.activities: list[Activity] = []
        (self._request,) = rows["requests"]
        self._tell_client(rows["messages"])

    # -- who says what to whom ---------------------------------------------------

    def _tell_client(self, messages: list[Any]) -> None:
        request = self._request
        (first,) = (message for message in messages if message.cause == -1)
        departure, completion = self._tell_message(first)
        if not isnan(request.answered_at):
            self._step(
                request.answered_at, request.source, "answered", first.name,
                note=request.outcome.replace("_", " "), because=completion or departure,
            )  # fmt: skip

    def _tell_message(self, message: Any) -> tuple[Step, Step | None]:
        """Tell of a message and all that it causes; return its departure and its end.

        The end is what lets its sender go on: a reply, a timeout, an acceptance.
        """
        if message.message in self._calls:
            return self._tell_call(message, self._calls[message.message])
        return self._tell_publication(message)

    def _tell_publication(self, message: Any) -> tuple[Step, Step | None]:
        kind, verb = ("publish", "published") if message.kind == "event" else ("send", "sent")
        sender, name, broker = message.sender, message.name, self._broker
        departure = self._step(message.published_at, sender, verb, name, to=broker)
        self._arrow(kind, message, sender, broker, message.published_at, message.accepted_at)
        if isnan(message.accepted_at):
            return departure, None
        accepted = self._step(message.accepted_at, broker, "accepted", name, because=departure)
        for delivery in self._deliveries[message.message]:
            self._tell_delivery(message, delivery, accepted)
        return departure, accepted

    def _tell_delivery(self, message: Any, delivery: Any, accepted: Step) -> None:
        subscriber, name = delivery.subscriber, message.name
        self._arrow(
            "deliver", message, self._broker, subscriber, message.accepted_at, delivery.available_at
        )
        if isnan(delivery.available_at):
            return
        came = self._step(
            delivery.available_at, self._broker, "delivered", name, subscriber, because=accepted
        )
        attempts = self._attempts[message.message, subscriber]
        for attempt in attempts:
            if attempt.attempt > 1:
                note = f"attempt {attempt.attempt}"
                came = self._step(
                    attempt.queued_at, subscriber, "queued again", name, note=note, because=came
                )
            last = attempt is attempts[-1] and delivery.outcome != "pending"
            came = self._tell_attempt(attempt, came, delivery.ended_at if last else nan)
        if delivery.outcome in ("dead_lettered", "lost"):
            what = delivery.outcome.replace("_", "-")
            self._step(delivery.ended_at, subscriber, what, name, because=came)

    # -- calls -------------------------------------------------------------------

    def _tell_call(self, message: Any, call: Any) -> tuple[Step, Step | None]:
        name, caller, callee = message.name, call.caller, call.service
        attempts = self._attempts[message.message, callee]
        policy = self._policy(caller, name)
        departure = self._tell_first(message, call, attempts, policy)
        sent, gave_up = self._tries(call, name, attempts, policy, departure)
        tried, end = departure, departure
        for attempt in attempts:
            if attempt.attempt > 1:
                tried = self._tell_repeat(call, attempt, name, sent, gave_up, end)
            end = self._tell_try(message, call, attempt, sent, gave_up, tried)
        if isnan(call.ended_at) or (call.ended_at == call.started_at and not attempts):
            return departure, None
        return departure, self._tell_end(call, name, attempts, tried, end)

    def _tell_first(
        self, message: Any, call: Any, attempts: list[Any], policy: Call | None
    ) -> Step:
        """Tell how the call began: it was sent, or a breaker held it back."""
        arrived = any(attempt.attempt == 1 for attempt in attempts)
        may_break = policy is None or policy.breaker is not None
        held_back = attempts or call.outcome == "short_circuited"
        if not arrived and held_back and may_break:
            return self._step(call.started_at, call.caller, "short-circuited", message.name)
        if not arrived:
            self._arrow("call", message, call.caller, call.service, call.started_at, nan)
        return self._step(call.started_at, call.caller, "sent", message.name, to=call.service)

    def _tell_repeat(
        self, call: Any, attempt: Any, name: str, sent: dict[int, float],
        gave_up: dict[int, Step], end: Step,
    ) -> Step:  # fmt: skip
        """Tell that a call was tried again; where it is not known when, at the latest."""
        number, note = attempt.attempt, f"attempt {attempt.attempt}"
        before = gave_up.get(number - 1, end)
        while before.because is not None and before.at > attempt.queued_at:
            before = before.because
        at = sent.get(number, attempt.queued_at)
        if number not in sent:
            note += ", at the latest"
        return self._step(at, call.caller, "sent", name, call.service, note, because=before)

    def _tell_try(
        self, message: Any, call: Any, attempt: Any, sent: dict[int, float],
        gave_up: dict[int, Step], tried: Step,
    ) -> Step:  # fmt: skip
        name, caller, callee, number = message.name, call.caller, call.service, attempt.attempt
        note = f"attempt {number}" if number > 1 else ""
        departs = sent.get(number, nan)
        self._arrow("call", message, caller, callee, departs, attempt.queued_at, number)
        arrived = self._step(attempt.queued_at, callee, "received", name, note=note, because=tried)
        end = self._tell_attempt(attempt, arrived, nan)
        if isnan(attempt.ended_at):
            return end
        arrives = call.ended_at if _decides(call, attempt) else nan
        self._arrow(
            "reply", message, callee, caller, attempt.ended_at, arrives, number, attempt.outcome
        )
        if isnan(arrives):
            self._tell_undecided(call, attempt, name, gave_up, end)
        return end

    def _tell_undecided(
        self, call: Any, attempt: Any, name: str, gave_up: dict[int, Step], end: Step
    ) -> None:
        """Tell of a reply that did not end the call: too late, or to be tried again after it."""
        late = attempt.outcome == "ok" or attempt.attempt in gave_up or call.ended_at <= end.at
        what = "replied too late" if late else "replied"
        note = "" if attempt.outcome == "ok" else attempt.outcome.replace("_", " ")
        self._step(attempt.ended_at, call.service, what, name, call.caller, note, because=end)

    def _tell_end(self, call: Any, name: str, attempts: list[Any], tried: Step, end: Step) -> Step:
        """Tell how the call ended for its caller."""
        if attempts and _decides(call, attempts[-1]):
            note = "" if call.outcome == "ok" else call.outcome.replace("_", " ")
            return self._step(
                call.ended_at, call.service, "replied", name, call.caller, note, because=end
            )
        what = call.outcome.replace("short_circuited", "short-circuited").replace("_", " ")
        note = f"attempt {call.attempts}" if call.attempts > 1 else ""
        return self._step(call.ended_at, call.caller, what, name, note=note, because=tried)

    def _tries(
        self, call: Any, name: str, attempts: list[Any], policy: Call | None, departure: Step
    ) -> tuple[dict[int, float], dict[int, Step]]:
        """Return when each try left and where its caller gave up waiting, where that is known."""
        sent: dict[int, float] = {1: call.started_at} if departure.what == "sent" else {}
        gave_up: dict[int, Step] = {}
        if policy is None or policy.timeout is None or policy.retry is None:
            return sent, gave_up
        by_number = {attempt.attempt: attempt for attempt in attempts}
        for number in range(1, call.attempts):
            attempt, following = by_number.get(number), by_number.get(number + 1)
            if number not in sent or attempt is None or following is None:
                break
            late = sent[number] + policy.timeout
            failed_before = attempt.outcome != "ok" and attempt.ended_at < late
            if failed_before or late > following.queued_at:
                break
            note = f"attempt {number}"
            gave_up[number] = self._step(
                late, call.caller, "timed out", name, note=note, because=departure
            )
            backoff = policy.retry.backoff
            again = late + backoff.after(number)
            if backoff.jitter == "none" and again <= following.queued_at:
                sent[number + 1] = again
        return sent, gave_up

    def _policy(self, caller: str, name: str) -> Call | None:
        """Return how the caller calls, unless it does so in more than one way."""
        said = mentions(self._scenario.traffic, self._scenario.services)
        steps = [mention.step for mention in said if mention.sender == caller]
        calls = [step for step in steps if isinstance(step, Call) and step.command == name]
        return calls[0] if calls and all(step == calls[0] for step in calls) else None

    # -- what a worker does ------------------------------------------------------

    def _tell_attempt(self, attempt: Any, arrived: Step, handled_at: float) -> Step:
        """Tell what a worker did, if one took it; return the last step of it.

        ``handled_at`` is when a delivery was over, if the acknowledgement took longer.
        """
        service, name, outcome = attempt.service, attempt.name, attempt.outcome
        if isnan(attempt.started_at):
            if isnan(attempt.ended_at):
                return arrived
            return self._step(attempt.ended_at, service, outcome, name, because=arrived)
        note = f"attempt {attempt.attempt}" if attempt.attempt > 1 else ""
        last = self._step(attempt.started_at, service, "started", name, note=note, because=arrived)
        works: list[str] = []
        for step in self._inside(attempt):
            step.because, last = step.because or last, step
            if step.what == "worked":
                works.append(step.note)
        self._activity(attempt, works)
        if isnan(attempt.ended_at):
            return last
        at = attempt.ended_at if isnan(handled_at) else handled_at
        end = self._step(at, service, _ENDINGS.get(outcome, outcome), name, note=note, because=last)
        if outcome == "failed_permanently":
            end.note = "for good"
        if at < attempt.ended_at:
            self._step(attempt.ended_at, service, "acknowledged", name, because=end)
        return end

    def _inside(self, attempt: Any) -> list[Step]:
        """Return the steps of one attempt in their order."""
        moments: list[tuple[float, tuple[int, int, int], Step]] = []
        rivals = self._attempts[attempt.message, attempt.service]
        for effect in self._effects[attempt.message, attempt.service]:
            if _did(effect.at, rivals) is attempt:
                step = self._step(effect.at, attempt.service, "worked", attempt.name, "",
                                  effect.label)  # fmt: skip
                moments.append((effect.at, (1, 0, 0), step))
        for message in self._caused[attempt.message, attempt.service]:
            if _made(message.published_at, rivals) is attempt:
                departure, end = self._tell_message(message)
                moments.append((departure.at, (2, message.message, 0), departure))
                if end is not None:
                    # A reply to something older comes before what is done at the same instant.
                    tie = (0, 0, 0) if end.at > departure.at else (2, message.message, 1)
                    moments.append((end.at, tie, end))
        return [step for _, _, step in sorted(moments, key=lambda moment: moment[:2])]

    # -- what is written down ----------------------------------------------------

    def _step(
        self, at: float, who: str, what: str, message: str, to: str = "", note: str = "",
        because: Step | None = None,
    ) -> Step:  # fmt: skip
        step = Step(float(at), who, what, message, to, note, because)
        self.steps.append(step)
        return step

    def _arrow(
        self, kind: str, message: Any, sender: str, receiver: str, departs: float, arrives: float,
        attempt: int = 1, outcome: str = "",
    ) -> None:  # fmt: skip
        self.arrows.append(
            Arrow(kind, message.name, sender, receiver, float(departs), float(arrives),
                  int(attempt), outcome)
        )  # fmt: skip

    def _activity(self, attempt: Any, works: list[str]) -> None:
        self.activities.append(
            Activity(
                attempt.service, attempt.name, int(attempt.attempt), float(attempt.started_at),
                float(attempt.ended_at), attempt.outcome, tuple(works),
            )
        )  # fmt: skip

    # -- the whole ---------------------------------------------------------------

    def participants(self) -> tuple[str, ...]:
        """Return who takes part, in the order of appearance."""
        seen: dict[str, None] = {}
        for step in self._in_order():
            seen.setdefault(step.who)
            if step.to:
                seen.setdefault(step.to)
        return tuple(seen)

    def table(self, started_at: float) -> pd.DataFrame:
        """Return the steps as a table, causes before effects."""
        steps = list(self._in_order())
        row = {id(step): i for i, step in enumerate(steps)}
        because = [row[id(step.because)] if step.because else -1 for step in steps]
        columns = {
            name: [getattr(step, name) for step in steps]
            for name in ("at", "who", "what", "to", "message", "note")
        }
        table = pd.DataFrame(columns | {"because": because})
        table.insert(1, "after", table["at"] - started_at)
        return table

    def _in_order(self) -> Iterator[Step]:
        """Yield the steps by time, and causes before effects where the time is the same."""
        number = {id(step): i for i, step in enumerate(self.steps)}
        follow: dict[int, list[Step]] = defaultdict(list)
        ready = []
        for step in self.steps:
            if step.because is None:
                ready.append((step.at, number[id(step)], step))
            else:
                follow[id(step.because)].append(step)
        heapq.heapify(ready)
        while ready:
            _, _, step = heapq.heappop(ready)
            yield step
            for effect in follow[id(step)]:
                heapq.heappush(ready, (effect.at, number[id(effect)], effect))


def _rows(table: pd.DataFrame, request: int) -> list[Any]:
    return list(table[table["request"] == request].itertuples(index=False))


def _grouped(rows: list[Any], *columns: str) -> defaultdict[Any, list[Any]]:
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        key = tuple(getattr(row, column) for column in columns)
        groups[key if len(columns) > 1 else key[0]].append(row)
    return groups


def _name_of_broker(run: "Run") -> str:
    taken = {service.name for service in run.scenario.services}
    taken |= {source.name for source in run.scenario.traffic}
    return next(name for name in ("broker", "message broker", "the broker") if name not in taken)


def _decides(call: Any, attempt: Any) -> bool:
    """Whether the reply of this attempt is what ended the call."""
    return bool(
        attempt.attempt == call.attempts
        and call.outcome != "timed_out"
        and call.outcome not in _NEVER_SENT
        and not isnan(call.ended_at)
    )


def _did(at: float, attempts: list[Any]) -> Any:
    """Return the attempt whose work was complete ``at``: not one that only began just then."""
    return max(
        (attempt for attempt in attempts if attempt.started_at <= at <= _end(attempt)),
        key=lambda a: (a.started_at < at, a.ended_at == at, a.started_at),
        default=None,
    )


def _made(at: float, attempts: list[Any]) -> Any:
    """Return the attempt that made a message ``at``: not one that was over just then."""
    return max(
        (attempt for attempt in attempts if attempt.started_at <= at <= _end(attempt)),
        key=lambda a: (at < _end(a), a.started_at),
        default=None,
    )


def _end(attempt: Any) -> float:
    return inf if isnan(attempt.ended_at) else float(attempt.ended_at)
