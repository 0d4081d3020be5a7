"""A service: its instances, their workers, and the one queue before them all.

A worker is a process that takes the next job, does it, and takes the next.
Whoever has been idle the longest gets the job that arrives. When an instance
dies its workers are interrupted: attempts in progress die with them, deliveries
go back to the place they had in the queue, and callers learn that the
connection broke.
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from math import prod
from typing import TYPE_CHECKING, cast

from simpy import Event, Interrupt

from eda_sim.engine.job import Job, Process
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN
from eda_sim.rules.tables import ATTEMPT_OUTCOMES, ATTEMPTS
from eda_sim.scenario.service import Service

if TYPE_CHECKING:
    from eda_sim.engine.world import World

_INSTANCE, _WORKER, _STARTED_AT, _ENDED_AT, _OUTCOME = ATTEMPTS.positions(
    "instance", "worker", "started_at", "ended_at", "outcome"
)


class Worker:
    """A thread of one instance: a SimPy process that serves for ever."""

    def __init__(self, service: "ServiceActor", instance: int, number: int) -> None:
        self.service = service
        self.instance = instance
        self.number = number
        self.job: Job | None = None
        self.called = Event(service.clock)  # what it waits for while it is idle
        self.process = service.clock.process(self._serve())

    def _serve(self) -> Process:
        service = self.service
        while True:
            try:
                job = service.next_job()
                if job is None:
                    job = yield service.idle(self)
                self.job = job
                service.attempt_started(job, self)
                job.dispatched()
                outcome = yield from job.handler.perform(job)
                if job.needs_acknowledgement:
                    yield job.acknowledge()
                self.job = None
                service.attempt_ended(job, outcome)
                job.settle(outcome)
            except Interrupt as crash:
                self.job = None
                yield cast(Event, crash.cause)  # the instance's repair


def _place(job: Job) -> tuple[float, int]:
    return job.queued_at, job.message


class ServiceActor:
    """A service in a run."""

    def __init__(self, world: "World", service: Service) -> None:
        self.clock = world.clock
        self.service = service
        self.pace = 1.0  # how many times as long work takes now
        self.name = world.recorder.names.code(service.name)
        self._slowdowns: list[float] = []
        self._queue: deque[Job] = deque()
        self._idle: deque[Worker] = deque()
        self._waiting_calls = 0
        self._outages = [0] * service.instances
        self._repairs: list[Event | None] = [None] * service.instances
        self._record = world.recorder.attempts.add
        code = world.recorder.names.code
        self._codes = {outcome: code(outcome) for outcome in ATTEMPT_OUTCOMES}
        self._workers = [
            Worker(self, instance, number)
            for number in range(service.workers)
            for instance in range(service.instances)
        ]

    # -- the queue ---------------------------------------------------------------

    def arrive(self, job: Job) -> None:
        """Let a job wait for a worker; it need not wait if one is idle."""
        self._queue_up(job)
        if self._idle:
            self._idle.popleft().called.succeed(job)
        else:
            self._queue.append(job)
            if job.is_call:
                self._waiting_calls += 1

    def arrive_call(self, job: Job) -> None:
        """Take a call in, unless nobody is up (refused) or the inbox is full (rejected)."""
        if all(self._outages):
            self._turn_away(job, "refused")
        elif not self._idle and self._is_full():
            self._turn_away(job, "rejected")
        else:
            self.arrive(job)

    def _is_full(self) -> bool:
        return self.service.inbox is not None and self._waiting_calls >= self.service.inbox

    def next_job(self) -> Job | None:
        """Return the job that has waited longest, or None."""
        if not self._queue:
            return None
        job = self._queue.popleft()
        if job.is_call:
            self._waiting_calls -= 1
        return job

    def idle(self, worker: Worker) -> Event:
        """Note that a worker has nothing to do; the event brings its next job."""
        worker.called = Event(self.clock)
        self._idle.append(worker)
        return worker.called

    # -- what is written down ----------------------------------------------------

    def _queue_up(self, job: Job) -> None:
        job.queued_at = now = self.clock._now
        job.row = [
            job.message,
            job.request.id,
            self.name,
            NOBODY,
            NOBODY,
            job.handler.name,
            job.attempt,
            now,
            NEVER,
            NEVER,
            OPEN,
        ]
        self._record(job.row)

    def attempt_started(self, job: Job, worker: Worker) -> None:
        """Write down that a worker has taken the job."""
        row = job.row
        row[_INSTANCE] = worker.instance
        row[_WORKER] = worker.number
        row[_STARTED_AT] = self.clock._now

    def attempt_ended(self, job: Job, outcome: str) -> None:
        """Write down that the attempt is over."""
        row = job.row
        row[_ENDED_AT] = self.clock._now
        row[_OUTCOME] = self._codes[outcome]

    def _turn_away(self, job: Job, outcome: str) -> None:
        self._queue_up(job)
        self.attempt_ended(job, outcome)
        job.settle("rejected" if outcome == "rejected" else "failed")

    # -- slowdowns -----------------------------------------------------------------

    def slow_down(self, factor: float) -> None:
        """Work that starts from now on takes ``factor`` times as long."""
        self._slowdowns.append(factor)
        self.pace = prod(self._slowdowns)

    def recover_from(self, factor: float) -> None:
        """A slowdown is over."""
        self._slowdowns.remove(factor)
        self.pace = prod(self._slowdowns)

    # -- outages -----------------------------------------------------------------

    def instances_down(self, instances: Sequence[int]) -> None:
        """Instances die, all at once, with their attempts in progress."""
        for instance in instances:
            self._outages[instance] += 1
        dying = {instance for instance in instances if self._outages[instance] == 1}
        for instance in dying:
            self._repairs[instance] = Event(self.clock)
        died = []
        for worker in self._workers:
            if worker.instance in dying:
                if worker.job is not None:
                    died.append(worker.job)
                    worker.job = None
                else:
                    self._idle.remove(worker)
                worker.process.interrupt(self._repairs[worker.instance])
        self._drop_connections(died)

    def _drop_connections(self, died: list[Job]) -> None:
        waiting: list[Job] = []
        if all(self._outages):
            waiting = [job for job in self._queue if job.is_call]
            self._queue = deque(job for job in self._queue if not job.is_call)
            self._waiting_calls = 0
        for job in sorted(died, key=_place):
            self.attempt_ended(job, "crashed")
            job.crashed()
        for job in waiting:
            self.attempt_ended(job, "refused")
            job.settle("failed")

    def come_back(self, job: Job) -> None:
        """Put a delivery back to the place in the queue that it had before its crash.

        Whoever waits came later, but for those that a crash brought back before.
        """
        place = _place(job)
        self._queue_up(job)
        job.queued_at = place[0]
        if self._idle:
            self._idle.popleft().called.succeed(job)
        else:
            ahead = takewhile(lambda waiting: _place(waiting) < place, self._queue)
            self._queue.insert(sum(1 for _ in ahead), job)

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances are back, empty; their workers take up work again."""
        for instance in instances:
            self._outages[instance] -= 1
            repair = self._repairs[instance]
            if self._outages[instance] == 0 and repair is not None:
                self._repairs[instance] = None
                repair.succeed()
