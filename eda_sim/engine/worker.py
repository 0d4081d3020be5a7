"""A worker: a process that takes the next job, does it, and takes the next."""

from typing import TYPE_CHECKING, cast

from simpy import Event, Interrupt

from eda_sim.engine.job import Job, Process

if TYPE_CHECKING:
    from eda_sim.engine.service import ServiceActor


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
                if service.absent and self.instance in service.absent:
                    yield service.return_of(self.instance)
                job = service.next_job(self.instance)
                if job is not None:
                    job.dispatched()
                else:
                    job = yield service.idle(self)
                    if job is None:
                        continue
                self.job = job
                service.attempt_started(job, self)
                if job.deadline is not None and job.deadline <= service.clock.now:
                    outcome = service.expired(job)
                else:
                    outcome = yield from job.handler.perform(job)
                if job.needs_acknowledgement:
                    yield job.acknowledge()
                self.job = None
                service.attempt_ended(job, outcome)
                job.settle(outcome)
            except Interrupt as crash:
                self.job = None
                yield cast(Event, crash.cause)  # the instance's repair

    def hand(self, job: Job) -> None:
        """Give a job to this idle worker: from now on nobody can withdraw it."""
        job.dispatched()
        self.called.succeed(job)
