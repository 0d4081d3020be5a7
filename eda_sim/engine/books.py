"""The books of a service: its rows in the table of attempts.

A row is opened when a job begins to wait. It is complete when its sender has heard how the
attempt ended, or will never hear.
"""

from eda_sim.engine.clock import Clock
from eda_sim.engine.incidents import NO_FAULT, Incidents
from eda_sim.engine.job import Job
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN, Recorder
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.tables import ATTEMPTS

_INSTANCE, _WORKER, _STARTED_AT, _ENDED_AT, _OUTCOME, _HEARD_AT = ATTEMPTS.positions(
    "instance", "worker", "started_at", "ended_at", "outcome", "heard_at"
)
(_REDELIVERED,) = ATTEMPTS.positions("redelivered")


def heard(job: Job, at: float) -> None:
    """Write down when the sender of an attempt heard how it had ended; NaN: never."""
    job.row[_HEARD_AT] = at


class Books:
    """What is written down about the attempts of one service."""

    def __init__(self, clock: Clock, recorder: Recorder, incidents: Incidents, name: str) -> None:
        self.name = recorder.names.code(name)
        self._clock = clock
        self._record = recorder.attempts.add
        self._note = incidents.note
        self._codes = recorder.codes
        self._unfinished = recorder.codes[Outcome.UNFINISHED]

    def queued(self, job: Job) -> None:
        """A job begins to wait."""
        job.queued_at = now = self._clock._now
        job.row = [
            job.message,
            job.request.id,
            self.name,
            NOBODY,
            NOBODY,
            job.handling.name,
            job.attempt,
            job.redelivered,
            job.sent_at,
            now,
            NEVER,
            NEVER,
            self._unfinished,
            OPEN,
        ]
        self._record(job.row)

    def started(self, job: Job, instance: int, worker: int) -> None:
        """A worker has taken the job."""
        row = job.row
        row[_INSTANCE] = instance
        row[_WORKER] = worker
        row[_STARTED_AT] = self._clock._now

    def ended(self, job: Job, outcome: Outcome) -> None:
        """The attempt is over."""
        row = job.row
        row[_ENDED_AT] = self._clock._now
        row[_OUTCOME] = self._codes[outcome]

    def returned(self, job: Job, fault: int) -> None:
        """The instance that held it is gone, by a ``fault`` or as nobody wants it any more."""
        self.incident("returned", job, fault)
        job.row[_REDELIVERED] = 1

    def withdrawn(self, job: Job) -> None:
        """Nobody needs the attempt any more."""
        self.ended(job, Outcome.WITHDRAWN)
        job.row[_HEARD_AT] = NEVER

    def expired(self, job: Job) -> Outcome:
        """Nobody waits for this call any more: it is not begun."""
        self.incident("deadline_passed", job)
        return Outcome.EXPIRED

    def incident(self, what: str, job: Job, fault: int = NO_FAULT) -> None:
        """Something has happened to a job here."""
        self._note(what, job.message, job.request, self.name, job.attempt, fault=fault)
