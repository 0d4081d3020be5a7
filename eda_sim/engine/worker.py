"""A worker: a process that takes the next job, does it, and takes the next."""

from typing import Protocol

from simpy import Event, Interrupt

from eda_sim.engine.books import Books
from eda_sim.engine.clock import Clock, kill
from eda_sim.engine.job import Job, Process
from eda_sim.rules.lifecycle import State
from eda_sim.rules.rounding import before


class Copy(Protocol):
    """What a worker knows of the instance that it belongs to."""

    number: int
    state: State


class Employer(Protocol):
    """What a worker asks of its service."""

    clock: Clock
    books: Books

    def next_job(self, worker: "Worker") -> Job | None:
        """Return what has waited longest of all that a worker may take, if there is anything."""


class Worker:
    """A thread of one instance: a SimPy process that serves for ever."""

    def __init__(self, service: Employer, instance: Copy, number: int) -> None:
        self.of = instance
        self.number = number
        self.job: Job | None = None
        self._service = service
        self._called = Event(service.clock)  # what it waits for, idle or dead
        self._process = service.clock.process(self._serve())

    def _serve(self) -> Process:
        service, books, instance = self._service, self._service.books, self.of
        while True:
            try:
                job = service.next_job(self)
                if job is None:
                    self._called = Event(service.clock)
                    job = yield self._called
                    if job is None:
                        continue
                self.job = job
                books.started(job, instance.number, self.number)
                if job.deadline is not None and not before(service.clock.now, job.deadline):
                    outcome = books.expired(job)
                else:
                    outcome = yield from job.handling.perform(job)
                if job.needs_acknowledgement:
                    yield job.acknowledge()
                self.job = None
                books.ended(job, outcome)
                job.settle(outcome)
            except Interrupt:
                self.job = None

    def hand(self, job: Job) -> None:
        """Give a job to this idle worker: from now on nobody can withdraw it."""
        job.dispatched()
        self._service.clock.wake(self._called, job)

    def die(self) -> None:
        """The instance dies, and what is being done with it."""
        kill(self._process)

    def wake(self) -> None:
        """The instance is up: look for work."""
        self._called.succeed(None)
