"""A service: its instances, their workers, and the one queue before them all.

Whoever has been idle the longest gets the job that arrives. When an instance
dies its workers are interrupted: attempts in progress die with them, deliveries
go back to the place they had in the queue, and callers learn that the
connection broke.
"""

from collections import deque
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from simpy import Event

from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import Job
from eda_sim.engine.protection import limiter
from eda_sim.engine.recorder import NEVER, NOBODY, OPEN
from eda_sim.engine.stage import Stage
from eda_sim.engine.waiting import Lane, Lanes, Prefetching, WaitingRoom, put_back
from eda_sim.engine.worker import Worker
from eda_sim.rules.tables import ATTEMPT_OUTCOMES, ATTEMPTS
from eda_sim.scenario.service import Service

if TYPE_CHECKING:
    from eda_sim.engine.delivery import DeliveryAttempt

_INSTANCE, _WORKER, _STARTED_AT, _ENDED_AT, _OUTCOME = ATTEMPTS.positions(
    "instance", "worker", "started_at", "ended_at", "outcome"
)


def _place(job: Job) -> tuple[float, int]:
    return job.queued_at, job.message


class ServiceActor:
    """A service in a run."""

    def __init__(self, stage: Stage, service: Service) -> None:
        self.clock = stage.clock
        self.service = service
        self.pace = 1.0  # how many times as long work takes now
        self.name = stage.recorder.names.code(service.name)
        self._slowdowns: list[float] = []
        self._queue: deque[Job] = deque()
        self._pauses = 0  # faults that keep the broker from dispatching
        self._held_back: deque[Job] = deque()
        self._rooms: list[WaitingRoom] = []
        self._groups: dict[str, Lanes] = {}
        self._prefetching: dict[str, Prefetching] = {}
        self._idle: deque[Worker] = deque()
        self._waiting_calls = 0
        self._bucket = limiter(self.clock, service.rate_limit)
        most = service.most_instances
        self.absent = set(range(service.instances, most))  # not started, or stopped
        self._down_by: list[int] = []  # the faults that have instances down now
        self._outages = [int(instance in self.absent) for instance in range(most)]
        self._repairs: list[Event | None] = [None] * most
        for instance in self.absent:
            self._repairs[instance] = Event(self.clock)
        self._record = stage.recorder.attempts.add
        self._incident = stage.incidents.note
        self._record_size = stage.recorder.scaling.add
        code = stage.recorder.names.code
        self._codes = {outcome: code(outcome) for outcome in ATTEMPT_OUTCOMES}
        self._workers = [
            Worker(self, instance, number)
            for number in range(service.workers)
            for instance in range(most)
        ]

    # -- the queue ---------------------------------------------------------------

    def arrive(self, job: Job) -> None:
        """Let a job wait for a worker; it need not wait if one is idle."""
        self.queue_up(job)
        if self._pauses and not job.is_call:
            self._held_back.append(job)
        elif self._idle:
            self._idle.popleft().hand(job)
        else:
            self._queue.append(job)
            if job.is_call:
                self._waiting_calls += 1

    def arrive_call(self, job: Job) -> None:
        """Take a call in, unless nobody is up (refused) or there is no room for it (rejected)."""
        if self.is_down():
            self._refused(job)
            self._turn_away(job, "refused")
        elif (why := self._why_not()) is not None:
            self._incident(why, job.message, job.request, self.name, job.attempt)
            self._turn_away(job, "rejected")
        else:
            self.arrive(job)

    def is_down(self) -> bool:
        """Say whether no instance is up."""
        return all(self._outages)

    def _why_not(self) -> str | None:
        """Return why there is no room for a call, if there is none."""
        service = self.service
        if self._bucket is not None and not self._bucket.take():
            return "rate_limited"
        if self._idle:
            return None
        if service.inbox is not None and self._waiting_calls >= service.inbox:
            return "inbox_full"
        too_slow = service.shed_after is not None and self._longest_wait() > service.shed_after
        return "shed" if too_slow else None

    def _longest_wait(self) -> float:
        """Return for how long the first of the waiting calls has waited, in seconds."""
        first = next((job for job in self._queue if job.is_call), None)
        return 0.0 if first is None else self.clock.now - first.queued_at

    def next_job(self, instance: int) -> Job | None:
        """Return what has waited longest of all that a worker of ``instance`` may take."""
        if self._rooms and not self._pauses:
            job = self._from_a_room(instance)
            if job is not None:
                return job
        if not self._queue:
            return None
        job = self._queue.popleft()
        if job.is_call:
            self._waiting_calls -= 1
        return job

    def _from_a_room(self, instance: int) -> Job | None:
        """Take from a lane or from what is prefetched, if nobody has waited longer."""
        firsts = [(room.first(instance), room) for room in self._rooms]
        waiting = [(_place(job), job, room) for job, room in firsts if job is not None]
        if not waiting:
            return None
        place, job, room = min(waiting, key=lambda entry: entry[0])
        if self._queue and _place(self._queue[0]) < place:
            return None
        room.take(job)
        return job

    def offer(self, room: WaitingRoom, instance: int, attempt: "DeliveryAttempt") -> None:
        """Hand an attempt to the worker of an instance that has been idle longest, if any is."""
        for worker in () if self._pauses else self._idle:
            if worker.instance == instance:
                self._idle.remove(worker)
                room.take(attempt)
                worker.hand(attempt)
                return

    def lanes(self, name: str, partitions: int, rebalance: float) -> list[Lane]:
        """Return the lanes of an ordered topic, one for each partition."""
        if name not in self._groups:
            self._groups[name] = Lanes(self, partitions, rebalance)
            self._rooms.append(self._groups[name])
        return self._groups[name].lanes

    def prefetching(self, name: str, prefetch: int) -> Prefetching:
        """Return where the deliveries of a message wait with the instances."""
        if name not in self._prefetching:
            self._prefetching[name] = Prefetching(self, prefetch)
            self._rooms.append(self._prefetching[name])
        return self._prefetching[name]

    def withdraw(self, job: Job) -> None:
        """Take a waiting delivery out of the queue: nobody needs it any more."""
        (self._held_back if job in self._held_back else self._queue).remove(job)
        self.attempt_ended(job, "withdrawn")

    def idle(self, worker: Worker) -> Event:
        """Note that a worker has nothing to do; the event brings its next job."""
        worker.called = Event(self.clock)
        self._idle.append(worker)
        return worker.called

    # -- what is written down ----------------------------------------------------

    def queue_up(self, job: Job) -> None:
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

    def expired(self, job: Job) -> str:
        """Nobody waits for this call any more: it is not begun."""
        self._incident("deadline_passed", job.message, job.request, self.name, job.attempt)
        return "expired"

    def _refused(self, job: Job) -> None:
        fault = self._down_by[-1] if self._down_by else NO_FAULT
        self._incident("refused", job.message, job.request, self.name, job.attempt, fault=fault)

    def _turn_away(self, job: Job, outcome: str) -> None:
        self.queue_up(job)
        self.attempt_ended(job, outcome)
        job.settle("rejected" if outcome == "rejected" else "failed")

    # -- the broker out of reach -------------------------------------------------

    def pause_deliveries(self) -> None:
        """The broker can dispatch nothing to this service; calls go on."""
        self._pauses += 1
        self._held_back.extend(job for job in self._queue if not job.is_call)
        self._queue = deque(job for job in self._queue if job.is_call)

    def resume_deliveries(self) -> None:
        """What was held back waits again, in its old order."""
        self._pauses -= 1
        if self._pauses:
            return
        self._queue = deque(sorted([*self._held_back, *self._queue], key=lambda job: job.queued_at))
        self._held_back.clear()
        for worker in list(self._idle):
            job = self.next_job(worker.instance)
            if job is not None:
                self._idle.remove(worker)
                worker.hand(job)

    # -- slowdowns -----------------------------------------------------------------

    def slow_down(self, factor: float) -> None:
        """Work that starts from now on takes ``factor`` times as long."""
        self._slowdowns.append(factor)
        self.pace = prod(self._slowdowns)

    def recover_from(self, factor: float) -> None:
        """A slowdown is over."""
        self._slowdowns.remove(factor)
        self.pace = prod(self._slowdowns)

    # -- scaling -----------------------------------------------------------------

    @property
    def busy(self) -> int:
        """How many workers have a job now."""
        return sum(worker.job is not None for worker in self._workers)

    @property
    def waiting(self) -> int:
        """How many jobs wait now."""
        return len(self._queue) + len(self._held_back) + sum(map(len, self._rooms))

    def start(self, instance: int) -> None:
        """A new instance is up."""
        if instance in self.absent:
            self.absent.remove(instance)
            self._write_down_size()
            self.instances_up([instance])

    def retire(self, instance: int) -> None:
        """An instance takes nothing new; what it is doing it finishes."""
        if instance in self.absent:
            return
        self.absent.add(instance)
        self._write_down_size()
        self._outages[instance] += 1
        if self._repairs[instance] is None:
            self._repairs[instance] = Event(self.clock)
        for worker in [worker for worker in self._idle if worker.instance == instance]:
            self._idle.remove(worker)
            worker.called.succeed(None)
        for room in self._rooms:
            room.instances_down([instance])
            room.hand_out()

    def return_of(self, instance: int) -> Event:
        """Return what happens when an absent instance is started."""
        start = self._repairs[instance]
        assert start is not None
        return start

    def _write_down_size(self) -> None:
        present = self.service.most_instances - len(self.absent)
        self._record_size([self.name, present, self.clock.now])

    # -- outages -----------------------------------------------------------------

    def instances_down(self, instances: Sequence[int], fault: int = NO_FAULT) -> None:
        """Instances die, all at once, with their attempts in progress."""
        self._down_by.append(fault)
        for instance in instances:
            self._outages[instance] += 1
        # One that is not wanted any more may still be finishing what it does.
        dying = {i for i in instances if self._outages[i] == 1 + (i in self.absent)}
        for instance in dying - self.absent:
            self._repairs[instance] = Event(self.clock)
        died = []
        for worker in self._workers:
            if worker.instance not in dying:
                continue
            if worker.job is not None:
                died.append(worker.job)
                worker.job = None
            elif worker.instance in self.absent:
                continue  # it waits to be started
            else:
                self._idle.remove(worker)
            worker.process.interrupt(self._repairs[worker.instance])
        for room in self._rooms:
            room.instances_down(sorted(dying - self.absent))
        self._drop_connections(died)
        for room in self._rooms:
            room.hand_out()

    def _drop_connections(self, died: list[Job]) -> None:
        waiting: list[Job] = []
        if all(self._outages):
            waiting = [job for job in self._queue if job.is_call]
            self._queue = deque(job for job in self._queue if not job.is_call)
            self._waiting_calls = 0
        for job in sorted(died, key=_place):
            fault = self._down_by[-1]
            self._incident("crashed", job.message, job.request, self.name, job.attempt, fault=fault)
            self.attempt_ended(job, "crashed")
            job.crashed()
        for job in waiting:
            self._refused(job)
            self.attempt_ended(job, "refused")
            job.settle("failed")

    def come_back(self, job: Job, place: float | None = None) -> None:
        """Put a delivery back to the ``place`` in the queue that it had, or to the very front.

        Whoever waits came later, but for those that came back before.
        """
        self.queue_up(job)
        if self._pauses:
            put_back(self._held_back, job, place)
        elif self._idle:
            self._idle.popleft().hand(job)
        else:
            put_back(self._queue, job, place)

    def instances_up(self, instances: Sequence[int], fault: int | None = None) -> None:
        """Instances are back, empty; their workers take up work again."""
        if fault is not None:
            self._down_by.remove(fault)
        for instance in instances:
            self._outages[instance] -= 1
            repair = self._repairs[instance]
            if self._outages[instance] == 0 and repair is not None:
                self._repairs[instance] = None
                repair.succeed()
                for room in self._rooms:
                    room.instances_up([instance])
