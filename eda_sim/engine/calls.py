"""Calls: the caller waits, its worker held, until the reply or its patience ends.

The caller's view follows ``rules.lifecycle.CALL``. At the timeout the caller
gives up, but nobody tells the callee: the attempt still waits there, is still
worked on, and its reply finds nobody. That is what makes retry storms.
"""

from collections.abc import Generator
from typing import Any

from simpy import Event, Interrupt

from eda_sim.engine.breaker import Breaker
from eda_sim.engine.clock import Callback
from eda_sim.engine.job import FAILED, FAILED_PERMANENTLY, OK, Job, Performance, PlannedHandler
from eda_sim.engine.links import Link
from eda_sim.engine.memory import Memory
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN, Row
from eda_sim.engine.request import Request
from eda_sim.engine.stage import Stage
from eda_sim.rules.lifecycle import READY, State
from eda_sim.rules.luck import Times, fold, times
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.tables import CALL_OUTCOMES, CALLS
from eda_sim.rules.unfolding import MessageNode
from eda_sim.scenario.steps import Call

_ENDED_AT, _ATTEMPTS, _OUTCOME = CALLS.positions("ended_at", "attempts", "outcome")


class CallAttempt(Job):
    """One try of a call, as the callee sees it: it knows where the reply goes."""

    __slots__ = ("_call", "reply")

    is_call = True

    def __init__(
        self, call: "MakeCall", request: Request, message: int, tries: int, number: int
    ) -> None:
        super().__init__(call.handler, request, message, tries, number)
        self._call = call
        self.reply = Event(call.clock)

    def settle(self, outcome: str) -> None:
        """Send the reply on its way."""
        self._call.send_back(self, outcome)

    def crashed(self) -> None:
        """The connection breaks: the caller learns that much, and no more."""
        self._call.send_back(self, FAILED)

    def answer(self, outcome: str) -> None:
        """Give the caller an answer, unless it has one: a late reply finds nobody."""
        if not self.reply.triggered:
            self.reply.succeed(outcome)


class MakeCall:
    """A call at its place in the unfolding."""

    takes_time = True

    def __init__(
        self,
        stage: Stage,
        node: MessageNode,
        source: str,
        handler: PlannedHandler,
        breaker: Breaker | None,
        memory: Memory | None,
    ) -> None:
        assert isinstance(node.step, Call)
        step, address, place = node.step, node.address, node.place
        network, recorder = stage.scenario.network, stage.recorder
        self.clock = stage.clock
        self.handler = handler
        self._number = node.number
        self._timeout = step.timeout
        self._max_attempts = step.retry.max_attempts if step.retry else 1
        self._backoff = step.retry.backoff if step.retry else None
        self._breaker = breaker
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
        self._record_message, self._record_call = recorder.messages.add, recorder.calls.add
        code = recorder.names.code
        self._caller, self._command = code(node.owner), recorder.command
        self._outcomes = {outcome: code(outcome) for outcome in CALL_OUTCOMES}

    def perform(self, job: Job) -> Performance:
        """Call as a step of a handler: whatever made it fail may pass, unless it is for good."""
        memory = self._memory
        if memory is not None and memory.knows(job.message, self):
            return OK
        outcome = yield from self.call(job.request, job.tries, job.message)
        if memory is not None and outcome == OK:
            memory.note(job.message, self)
        return outcome if outcome in (OK, FAILED_PERMANENTLY) else FAILED

    def call(self, request: Request, tries: int, cause: int = NOBODY) -> Performance:
        """Call, repeat as the retry policy says, and return how it ended."""
        message = self._make_message(request, tries, cause)
        service, now = self.handler.service.name, self.clock.now
        row = [message, request.id, self._caller, service, now, NEVER, 0, OPEN]
        self._record_call(row)
        state, attempt = READY, 0
        try:
            while True:
                attempt += 1
                state = yield from self._try(state, request, message, fold(tries, attempt), attempt)
                if "repeated" not in state or attempt == self._max_attempts:
                    break
                state = state["repeated"]
                yield self._back_off(request, fold(tries, attempt), attempt)
        except Interrupt:
            self._end(row, attempt, "abandoned")
            raise
        self._end(row, attempt, state.name)
        return state.name

    def _try(
        self, state: State, request: Request, message: int, tries: int, number: int
    ) -> Generator[Event, Any, State]:
        """Try once, and return the state that follows."""
        attempt = CallAttempt(self, request, message, tries, number)
        breaker = self._breaker
        if breaker is not None and not breaker.lets_through(attempt):
            return state["short_circuited"]
        state = state["sent"]
        self._send(attempt)
        try:
            state = state[(yield attempt.reply)]
        except Interrupt:
            if breaker is not None:
                breaker.abandoned(attempt)
            raise
        if breaker is not None:
            # A permanent error is an answer: the callee is well, the request is not.
            well = state.name in (OK, FAILED_PERMANENTLY)
            (breaker.succeeded if well else breaker.failed)(attempt)
        return state

    def _send(self, attempt: CallAttempt) -> None:
        clock, request = self.clock, attempt.request
        if self._timeout is not None:
            clock.then(
                self._timeout,
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
        if link is not None and link.doubles(request.number, attempt.tries):
            # The second arrival is an attempt like any other, but nobody awaits its reply.
            twin = CallAttempt(self, request, attempt.message, fold(attempt.tries, 2), 1)
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
            if not link.passes(request.number, attempt.tries):
                return
            latency += link.held_up(request.number, attempt.tries)
        self.clock.then(latency, turn + request.turn, arrive)

    def _back_off(self, request: Request, tries: int, attempt: int) -> Event:
        assert self._backoff is not None
        wait = self._backoff.after(attempt)
        if self._backoff.jitter == "full":
            wait *= self._jitter(request.number, tries)
        return self.clock.wait(wait, self._due + request.turn)

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
