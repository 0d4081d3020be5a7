"""Calls: the caller waits, its worker held, until the reply or its patience ends.

The caller's view follows ``rules.lifecycle.CALL``. At the timeout the caller
gives up, but nobody tells the callee: the attempt still waits there, is still
worked on, and its reply finds nobody. That is what makes retry storms.
"""

from collections.abc import Generator, Sequence
from typing import Any, cast

from simpy import Event, Interrupt

from eda_sim.engine.books import heard
from eda_sim.engine.clock import Callback
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import Handling, Job, Performance
from eda_sim.engine.links import Condition, Link, how_stopped
from eda_sim.engine.memory import Memory
from eda_sim.engine.protection import Budget, Guard
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN, Row
from eda_sim.engine.request import Request
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.stage import Stage
from eda_sim.rules.backoff import wait
from eda_sim.rules.lifecycle import READY, TIMED_OUT, State
from eda_sim.rules.luck import Times, fold, fold_copy, times
from eda_sim.rules.outcomes import FAILED, FAILED_PERMANENTLY, OK, Outcome
from eda_sim.rules.plan import CallNode
from eda_sim.rules.rounding import before
from eda_sim.rules.tables import CALLS
from eda_sim.scenario.delivery import Retry

_ENDED_AT, _ATTEMPTS, _OUTCOME = CALLS.positions("ended_at", "attempts", "outcome")
_REFUSALS = {Outcome.SHORT_CIRCUITED: "short_circuited", Outcome.REJECTED: "bulkhead_full"}
_ONCE = Retry(max_attempts=1)
_REMEDY = "let the retry of the call wait (backoff), or limit it (max_attempts, budget)"
# A permanent error is an answer: the callee is well, the request is not.
_ANSWERS = (OK, FAILED_PERMANENTLY)


class CallAttempt(Job):
    """One try of a call, as the callee sees it: it knows where the reply goes."""

    __slots__ = ("_call", "deadline", "reply")

    is_call = True

    def __init__(
        self,
        call: "CallStep",
        request: Request,
        message: int,
        tries: int,
        number: int,
        deadline: float | None,
    ) -> None:
        super().__init__(call.handling, request, message, tries, number)
        self._call = call
        self.deadline = deadline
        self.reply = Event(call.clock)

    def settle(self, outcome: Outcome) -> None:
        """Send the reply on its way, unless nobody waits for it."""
        if outcome is Outcome.EXPIRED:
            heard(self, NEVER)
        else:
            self._call.send_back(self, outcome)

    def crashed(self) -> None:
        """The connection breaks: the caller learns that much, and no more."""
        self._call.send_back(self, FAILED)

    def answer(self, outcome: Outcome) -> None:
        """Give the caller an answer, unless it has one."""
        if not self.reply.triggered:
            self.reply.succeed(outcome)


def _tell(guards: Sequence[Guard], attempt: CallAttempt, well: bool | None) -> None:
    for guard in guards:
        guard.ended(attempt, well)


class CallStep:
    """A call at its place in the plan."""

    takes_time = True

    def __init__(
        self,
        stage: Stage,
        node: CallNode,
        callee: ServiceActor,
        handling: Handling,
        guards: Sequence[Guard],
        budget: Budget | None,
        memory: Memory | None,
    ) -> None:
        step, luck, latency = node.step, stage.luck, stage.scenario.network
        there, back = node.address.of("there"), node.address.of("back")
        self.clock = stage.clock
        self.callee = callee
        self.handling = handling
        self._node = node.number
        self._timeout = step.timeout
        self._propagates_deadline = step.propagate_deadline
        self._retry = step.retry or _ONCE
        self._guards = guards
        self._budget = budget
        self._memory = memory
        self._link_there = stage.network.link(node.owner, node.handler.owner, there)
        self._link_back = stage.network.link(node.owner, node.handler.owner, back)
        self._there = times(luck, latency, *there)
        self._back = times(luck, latency, *back)
        self._jitter = Times(luck.stream(*node.address.of("jitter")), float)
        self._arrives = node.arrives
        self._replies = node.replies
        self._times_out = node.times_out
        self._due = node.is_due
        self._note = stage.incidents.note
        self._again = stage.standstill.again
        recorder = stage.recorder
        self._record_message, self._record_call = recorder.messages.add, recorder.calls.add
        self._caller, self._command = recorder.names.code(node.owner), recorder.command
        self._codes = recorder.codes

    def perform(self, job: Job) -> Performance:
        """Call as a step of a handler: whatever made it fail may pass, unless it is for good."""
        memory = self._memory
        if memory is not None and memory.knows(job.message, self):
            return OK
        outcome = yield from self.call(job.request, job.tries, job.message, job.deadline)
        if memory is not None and outcome is OK:
            memory.note(job.message, self)
        return outcome if outcome in _ANSWERS else FAILED

    def call(
        self, request: Request, tries: int, cause: int = NOBODY, deadline: float | None = None
    ) -> Performance:
        """Call, repeat as the retry policy says, and return how it ended."""
        message = self._make_message(request, tries, cause)
        name, now = self.callee.books.name, self.clock.now
        row = [message, request.id, self._caller, name, now, NEVER, 0, OPEN]
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
                self._again(message, self.handling.name, self._caller, request, _REMEDY)
                seconds = self._back_off(request, tries, attempt)
                if seconds:
                    yield self._wait(seconds, request, attempt, deadline)
        except Interrupt:
            self._end(row, attempt, Outcome.ABANDONED)
            raise
        outcome = cast(Outcome, state.name)
        self._end(row, attempt, outcome)
        return outcome

    def _may_repeat(self, call: CallAttempt, deadline: float | None) -> bool:
        if self._is_late(deadline) or not self._retry.allows(call.attempt):
            return False
        if self._budget is None or self._budget.allows():
            return True
        self._incident("budget_exhausted", call)
        return False

    def _is_late(self, deadline: float | None) -> bool:
        """Say whether nobody waits any more for what a call is made for."""
        return deadline is not None and not before(self.clock.now, deadline)

    def _try(self, state: State, attempt: CallAttempt) -> Generator[Event, Any, State]:
        """Try once, if the guards let it through, and return the state that follows."""
        if self._is_late(attempt.deadline):
            self._incident("deadline_passed", attempt)
            return state[Outcome.TIMED_OUT]
        passed: list[Guard] = []
        for guard in self._guards:
            refusal = guard.refuses(attempt)
            if refusal is not None:
                self._incident(_REFUSALS[refusal], attempt)
                _tell(passed, attempt, None)
                return state[refusal]
            passed.append(guard)
        state = state["sent"]
        self._send(attempt, self._gives_up_at(attempt))
        try:
            state = state[(yield attempt.reply)]
        except Interrupt:
            _tell(passed, attempt, None)
            raise
        if state is TIMED_OUT:
            self._incident("timed_out", attempt)
        _tell(passed, attempt, state.name in _ANSWERS)
        return state

    def _gives_up_at(self, attempt: CallAttempt) -> float | None:
        """Return when the caller waits no longer; its own deadline may come first."""
        times = [] if attempt.deadline is None else [attempt.deadline]
        if self._timeout is not None:
            times.append(self.clock.now + self._timeout)
        due = min(times, default=None)
        if self._propagates_deadline:
            attempt.deadline = due
        return due

    def _send(self, attempt: CallAttempt, due: float | None) -> None:
        clock, request = self.clock, attempt.request
        attempt.sent_at = clock.now
        if due is not None:
            clock.at(
                due,
                self._times_out + request.turn,
                attempt.attempt,
                lambda _: attempt.answer(Outcome.TIMED_OUT),
            )
        self._travel(
            self._link_there,
            self._there(request.number, attempt.tries),
            self._arrives,
            attempt,
            lambda _: self.callee.arrive_call(attempt),
        )
        link = self._link_there
        if link is not None and (doubled := link.doubles(request.number, attempt.tries)):
            self._incident("doubled", attempt, doubled)
            # A copy of the same try: it is handled like any other, but nobody awaits its reply.
            tries, number = fold_copy(attempt.tries), attempt.attempt
            twin = CallAttempt(self, request, attempt.message, tries, number, attempt.deadline)
            twin.sent_at = clock.now
            self._travel(
                link,
                self._there(request.number, attempt.tries),
                self._arrives,
                twin,
                lambda _: self.callee.arrive_call(twin),
            )

    def send_back(self, attempt: CallAttempt, outcome: Outcome) -> None:
        """Let a reply travel back to the caller."""
        arrives = self._travel(
            self._link_back,
            self._back(attempt.request.number, attempt.tries),
            self._replies,
            attempt,
            lambda _: self._reply(attempt, outcome),
        )
        if not arrives:
            heard(attempt, NEVER)

    def _reply(self, attempt: CallAttempt, outcome: Outcome) -> None:
        """A reply has reached the caller; a late one finds nobody who waits for it."""
        heard(attempt, self.clock.now)
        attempt.answer(outcome)

    def _travel(
        self,
        link: Link | None,
        latency: float,
        turn: int,
        attempt: CallAttempt,
        arrive: Callback,
    ) -> bool:
        """Let a message cross the network; say whether it will arrive, on a troubled link."""
        request = attempt.request
        if link is not None:
            stopped = link.stops(request.number, attempt.tries)
            if stopped is not None:
                self._incident(how_stopped(stopped), attempt, stopped)
                return False
            for condition, delay in link.holds_up(request.number, attempt.tries):
                self._incident("held_up", attempt, condition)
                latency += delay
        self.clock.travel(latency, turn + request.turn, attempt.attempt, arrive)
        return True

    def _incident(self, what: str, call: CallAttempt, by: Condition | None = None) -> None:
        fault = NO_FAULT if by is None else by.number
        name = self.callee.books.name
        self._note(what, call.message, call.request, name, call.attempt, fault=fault)

    def _back_off(self, request: Request, tries: int, attempt: int) -> float:
        """Return for how many seconds a failed try waits for the next."""
        return wait(
            self._retry.backoff, attempt, lambda n: self._jitter(request.number, fold(tries, n))
        )

    def _wait(
        self, seconds: float, request: Request, attempt: int, deadline: float | None
    ) -> Event:
        due = self.clock.now + seconds
        if deadline is not None:  # nobody waits longer than that
            due = min(due, deadline)
        return self.clock.wait_until(due, self._due + request.turn, attempt)

    def _make_message(self, request: Request, tries: int, cause: int) -> int:
        message = request.message(self._node, tries)
        self._record_message(
            [
                message,
                request.id,
                self._node,
                self.handling.name,
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

    def _end(self, row: Row, attempts: int, outcome: Outcome) -> None:
        row[_ENDED_AT] = self.clock.now
        row[_ATTEMPTS] = attempts
        row[_OUTCOME] = self._codes[outcome]
