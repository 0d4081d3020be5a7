"""What a worker does: work, side-by-side steps and decisions.

Calls are in ``calls``, sends and publications in ``publication``. A step holds the random
numbers and the turn of its node in the plan; it keeps nothing of any request.
"""

from collections.abc import Sequence

from simpy import Event, Interrupt

from eda_sim.engine.clock import Clock, Due, kill
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import Job, Performance, Process, Step, perform_all
from eda_sim.engine.links import Condition
from eda_sim.engine.memory import Memory
from eda_sim.engine.recorder import NEVER
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.stage import Stage
from eda_sim.rules.luck import Chance, times
from eda_sim.rules.outcomes import FAILED, FAILED_PERMANENTLY, OK, Outcome
from eda_sim.rules.plan import BranchNode, WorkNode
from eda_sim.scenario.faults import PoisonMessages

_FAILURES = {
    "transient_failure": FAILED,
    "permanent_failure": FAILED_PERMANENTLY,
    "poison_message": FAILED_PERMANENTLY,
    "bad_deployment": FAILED,
}


class WorkStep:
    """Hold the worker for the drawn time, perhaps fail, else write down the effect."""

    def __init__(
        self, stage: Stage, node: WorkNode, service: ServiceActor, memory: Memory | None
    ) -> None:
        work, luck, address = node.step, stage.luck, node.address
        self._memory = memory
        self._clock = stage.clock
        self._service = service
        self._name = service.books.name
        self._duration = times(luck, work.duration, *address)
        self._transient = self._permanent = None
        if work.transient:
            self._transient = Chance(luck.stream(*address.of("transient")), work.transient)
        if work.permanent:
            self._permanent = Chance(luck.stream(*address.of("permanent")), work.permanent)
        self._troubles = stage.network.of_work(node)
        self._node = node.number
        self._turn = node.ends
        self._work = work
        self._label = stage.recorder.names.code(work.label)
        self._record = stage.recorder.effects.add
        self._note = stage.incidents.note

    def perform(self, job: Job) -> Performance:
        """Work. A slowdown counts for what starts meanwhile."""
        memory, request = self._memory, job.request
        if memory is not None and memory.knows(job.message, self):
            return OK
        trouble = self._trouble(job) if self._troubles else None
        duration = self._duration(request.number, job.tries) * self._service.pace
        ends_at = self._clock._now + duration
        yield Due(self._clock, ends_at, self._turn + request.turn, job.attempt)
        if self._transient is not None and self._transient(request.number, job.tries):
            return self._failed(job, "transient_failure")
        # A poison message is one for good: whichever the try, the draw is the same.
        if self._permanent is not None and self._permanent(request.number, 0):
            return self._failed(job, "permanent_failure")
        if trouble is not None:
            return self._failed(job, trouble.fault.kind.removesuffix("s"), trouble.number)
        if memory is not None:
            if memory.knows(job.message, self):  # another attempt was quicker
                return OK
            memory.note(job.message, self)
        self._record(
            [
                request.id,
                job.message,
                self._node,
                self._name,
                self._label,
                self._clock._now,
                NEVER,
            ]
        )
        return OK

    def _failed(self, job: Job, what: str, fault: int = NO_FAULT) -> Outcome:
        work = self._node, self._work.label
        self._note(what, job.message, job.request, self._name, job.attempt, fault, *work)
        return _FAILURES[what]

    def _trouble(self, job: Job) -> Condition | None:
        """Return the fault of the scenario that will make this attempt fail, if one does."""
        request = job.request
        for condition, chance in self._troubles:
            if isinstance(condition.fault, PoisonMessages):
                if condition.covers(request.started_at) and chance(request.number, 0):
                    return condition
            elif condition.active and chance(request.number, job.tries):
                return condition
        return None


class ParallelStep:
    """Steps side by side, each a process; done when all are."""

    def __init__(self, stage: Stage, steps: Sequence[Step]) -> None:
        self._clock = stage.clock
        self._steps = steps

    def perform(self, job: Job) -> Performance:
        """Start all, wait for all; one failure is a failure of the whole."""
        together = _Together(self._clock, len(self._steps))
        tasks = [self._clock.process(together.do(step.perform(job))) for step in self._steps]
        try:
            yield together.over
        except Interrupt:
            for task in tasks:
                kill(task)
            raise
        for failure in (FAILED_PERMANENTLY, FAILED):
            if failure in together.outcomes:
                return failure
        return OK


class _Together:
    """Tasks side by side: whoever ends last lets the worker go on."""

    def __init__(self, clock: Clock, tasks: int) -> None:
        self.over = Event(clock)
        self.outcomes: set[Outcome] = set()
        self._left = tasks

    def do(self, performance: Performance) -> Process:
        """Do one task; it ends quietly when its instance dies."""
        try:
            self.outcomes.add((yield from performance))
        except Interrupt:
            return
        self._left -= 1
        if self._left == 0:
            self.over.succeed()


class BranchStep:
    """Take one of two ways, drawn once for each request."""

    def __init__(
        self,
        stage: Stage,
        node: BranchNode,
        then: Sequence[Step],
        otherwise: Sequence[Step],
    ) -> None:
        self._taken = Chance(stage.luck.stream(*node.address), node.step.probability)
        self._then = then
        self._otherwise = otherwise

    def perform(self, job: Job) -> Performance:
        """Decide, and go that way. A business decision is the same in every try."""
        taken = self._taken(job.request.number, 0)
        return (yield from perform_all(self._then if taken else self._otherwise, job))
