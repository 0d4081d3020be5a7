"""Calls: the caller waits, its worker held, until the reply or its patience ends.

The caller's view follows ``rules.lifecycle.CALL``. At the timeout the caller
gives up, but nobody tells the callee: the attempt still waits there, is still
worked on, and its reply finds nobody. That is what makes retry storms.
"""

from collections.abc import Generator, Sequence
from typing import Any

from simpy import Event, Interrupt

from eda_sim.engine.clock import Callback
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import FAILED, FAILED_PERMANENTLY, OK, Job, Performance, PlannedHandler
from eda_sim.engine.links import Condition, Link, how_stopped
from eda_sim.engine.memory import Memory
from eda_sim.engine.protection import Budget, Guard
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN, Row
from eda_sim.engine.request import Request
from eda_sim.engine.stage import Stage
from eda_sim.rules.backoff import wait
from eda_sim.rules.lifecycle import READY, TIMED_OUT, State
from eda_sim.rules.luck import Times, fold, times
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.tables import CALL_OUTCOMES, CALLS
from eda_sim.rules.unfolding import MessageNode
from eda_sim.scenario.delivery import Retry
from eda_sim.scenario.steps import Call

_ENDED_AT, _ATTEMPTS, _OUTCOME = CALLS.positions("ended_at", "attempts", "outcome")
_REFUSALS = {"short_circuited": "short_circuited", "rejected": "bulkhead_full"}


class CallAttempt(Job):
    """One try of a call, as the callee sees it: it knows where the reply goes."""

    __slots__ = ("_call", "deadline", "reply")

    is_call = True

    def __init__(
        self,
        call: "MakeCall",
        request: Request,
        message: int,
        tries: int,
        number: int,
        deadline: float | None,
    ) -> None:
        super().__init__(call.handler, request, message, tries, number)
        self._call = call
        self.deadline = deadline
        self.reply = Event(call.clock)

    def settle(self, outcome: str) -> None:
        """Send the reply on its way, unless nobody waits for it."""
        if outcome != "expired":
            self._call.send_back(self, outcome)

    def crashed(self) -> None:
        """The connection breaks: the caller learns that much, and no more."""
        self._call.send_back(self, FAILED)

    def answer(self, outcome: str) -> None:
        """Give the caller an answer, unless it has one: a late reply finds nobody."""
        if not self.reply.triggered:
            self.reply.succeed(outcome)


def _tell(guards: Sequence[Guard], attempt: CallAttempt, well: bool | None) -> None:
    for guard in guards:
        guard.ended(attempt, well)


class MakeCall:
    """A call at its place in the unfolding."""

    takes_time = True

    def __init__(
        self,
        stage: Stage,
        node: MessageNode,
        source: str,
        handler: PlannedHandler,
        guards: Sequence[Guard],
        budget: Budget | None,
        memory: Memory | None,
    ) -> None:
        assert isinstance(node.step, Call)
        step, address, place = node.step, node.address, node.place
        network, recorder = stage.scenario.network, stage.recorder
        self.clock = stage.clock
        self.handler = handler
        self._number = node.number
        self._timeout = step.timeout
        self._sets_deadline = step.propagate_deadline
        self._retry = step.retry or Retry(max_attempts=1)
        self._guards = guards
        self._budget = budget
        self._memory = memory
        callee = handler.service.service.name
        self._link_there, self._link_back = (
            stage.network.link(node.owner, callee, f"{address}/{way}", source, place)
            for way in ("there", "back")
        )
        self._there = times(stage.luck, network, f"{address}/there", source, place)
        self._back = times(stage.luck, network, f"{address}/back", source, place)
        self._jitter = Times(stage.luck.stream(f"{address}/jitter", source, place), float)
        self._arrives = turn(Rank.MESSAGE_ARRIVES, place)
        self._replies = turn(Rank.REPLY_ARRIVES, place)
        self._times_out = turn(Rank.TIMEOUT, place)
        self._due = turn(Rank.RETRY_DUE, place)
        self._note = stage.incidents.note
        self._record_message, self._record_call = recorder.messages.add, recorder.calls.add
        code = recorder.names.code
        self._caller, self._command = code(node.owner), recorder.command
        self._outcomes = {outcome: code(outcome) for outcome in CALL_OUTCOMES}

    def perform(self, job: Job) -> Performance:
        """Call as a step of a handler: whatever made it fail may pass, unless it is for good."""
        memory = self._memory
        if memory is not None and memory.knows(job.message, self):
            return OK
        outcome = yield from self.call(job.request, job.tries, job.message, job.deadline)
        if memory is not None and outcome == OK:
            memory.note(job.message, self)
        return outcome if outcome in (OK, FAILED_PERMANENTLY) else FAILED

    def call(
        self, request: Request, tries: int, cause: int = NOBODY, deadline: float | None = None
    ) -> Performance:
        """Call, repeat as the retry policy says, and return how it ended."""
        message = self._make_message(request, tries, cause)
        service, now = self.handler.service.name, self.clock.now
        row = [message, request.id, self._caller, service, now, NEVER, 0, OPEN]
        self._record_call(row)
        if self._budget is not None:
            self._budget.called()
        state, attempt = READY, 0
        try:
            while True:
                attempt += 1
                call = CallAttempt(self, request, message, fold(tries, attempt), attempt, deadline)
                state = yield from self._try(state, call)
                if "repeated" not in state or not self._may_repeat(call, deadline):
                    break
                state = state["repeated"]
                yield self._back_off(request, tries, attempt, deadline)
        except Interrupt:
            self._end(row, attempt, "abandoned")
            raise
        self._end(row, attempt, state.name)
        return state.name

    def _may_repeat(self, call: CallAttempt, deadline: float | None) -> bool:
        late = deadline is not None and deadline <= self.clock.now
        if late or not self._retry.allows(call.attempt):
            return False
        if self._budget is None or self._budget.allows():
            return True
        self._incident("budget_exhausted", call)
        return False

    def _try(self, state: State, attempt: CallAttempt) -> Generator[Event, Any, State]:
        """Try once, if the guards let it through, and return the state that follows."""
        patience = self._patience(attempt)
        if patience is not None and patience <= 0:
            self._incident("deadline_passed", attempt)
            return state["timed_out"]
        passed: list[Guard] = []
        for guard in self._guards:
            refusal = guard.refuses(attempt)
            if refusal is not None:
                self._incident(_REFUSALS[refusal], attempt)
                _tell(passed, attempt, None)
                return state[refusal]
            passed.append(guard)
        state = state["sent"]
        self._send(attempt, patience)
        try:
            state = state[(yield attempt.reply)]
        except Interrupt:
            _tell(passed, attempt, None)
            raise
        if state is TIMED_OUT:
            self._incident("timed_out", attempt)
        # A permanent error is an answer: the callee is well, the request is not.
        _tell(passed, attempt, state.name in (OK, FAILED_PERMANENTLY))
        return state

    def _patience(self, attempt: CallAttempt) -> float | None:
        """Return for how many seconds the caller waits; its own deadline may come first."""
        now, patience = self.clock.now, self._timeout
        if attempt.deadline is not None:
            left = attempt.deadline - now
            patience = left if patience is None else min(patience, left)
        if self._sets_deadline and patience is not None:
            attempt.deadline = now + patience
        return patience

    def _send(self, attempt: CallAttempt, patience: float | None) -> None:
        clock, request = self.clock, attempt.request
        if patience is not None:
            clock.then(
                patience,
                self._times_out + request.turn,
                lambda _: attempt.answer("timed_out"),
            )
        self._travel(
            self._link_there,
            self._there(request.number, attempt.tries),
            self._arrives,
            attempt,
            lambda _: self.handler.service.arrive_call(attempt),
        )
        link = self._link_there
        if link is not None and (doubled := link.doubles(request.number, attempt.tries)):
            self._incident("doubled", attempt, doubled)
            # The second arrival is an attempt like any other, but nobody awaits its reply.
            tries = fold(attempt.tries, 2)
            twin = CallAttempt(self, request, attempt.message, tries, 1, attempt.deadline)
            self._travel(
                link,
                self._there(request.number, attempt.tries),
                self._arrives,
                twin,
                lambda _: self.handler.service.arrive_call(twin),
            )

    def send_back(self, attempt: CallAttempt, outcome: str) -> None:
        """Let a reply travel back to the caller."""
        self._travel(
            self._link_back,
            self._back(attempt.request.number, attempt.tries),
            self._replies,
            attempt,
            lambda _: attempt.answer(outcome),
        )

    def _travel(
        self,
        link: Link | None,
        latency: float,
        turn: int,
        attempt: CallAttempt,
        arrive: Callback,
    ) -> None:
        """Let a message cross the network; on a troubled link it may never arrive."""
        request = attempt.request
        if link is not None:
            stopped = link.stops(request.number, attempt.tries)
            if stopped is not None:
                self._incident(how_stopped(stopped), attempt, stopped)
                return
            for condition, delay in link.holds_up(request.number, attempt.tries):
                self._incident("held_up", attempt, condition)
                latency += delay
        self.clock.then(latency, turn + request.turn, arrive)

    def _incident(self, what: str, call: CallAttempt, by: Condition | None = None) -> None:
        fault = NO_FAULT if by is None else by.number
        service = self.handler.service.name
        self._note(what, call.message, call.request, service, call.attempt, fault=fault)

    def _back_off(
        self, request: Request, tries: int, attempt: int, deadline: float | None
    ) -> Event:
        seconds = wait(
            self._retry.backoff, attempt, lambda n: self._jitter(request.number, fold(tries, n))
        )
        due = self.clock.now + seconds
        if deadline is not None:  # nobody waits longer than that
            due = min(due, deadline)
        return self.clock.wait_until(due, self._due + request.turn)

    def _make_message(self, request: Request, tries: int, cause: int) -> int:
        message = request.message(self._number, tries)
        self._record_message(
            [
                message,
                request.id,
                self.handler.name,
                self._command,
                self._caller,
                cause,
                request.key,
                1,
                self.clock.now,
                NEVER,
            ]
        )
        return message

    def _end(self, row: Row, attempts: int, outcome: str) -> None:
        row[_ENDED_AT] = self.clock.now
        row[_ATTEMPTS] = attempts
        row[_OUTCOME] = self._outcomes[outcome]
