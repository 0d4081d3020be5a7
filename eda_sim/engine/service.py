"""A service: its instances, their workers, and the one queue in front of them all.

Whoever has been idle the longest gets the job that arrives. When an instance dies its workers
die with it: attempts in progress are over, deliveries go back to the queue, and callers learn
that the connection broke.
"""

from collections import deque
from collections.abc import Sequence
from math import prod

from eda_sim.engine.books import Books
from eda_sim.engine.common_queue import CommonQueue
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.instances import Instance, Instances
from eda_sim.engine.job import Job
from eda_sim.engine.lanes import Lanes
from eda_sim.engine.outbox import OutboxActor
from eda_sim.engine.prefetching import Line, Prefetching
from eda_sim.engine.protection import limiter
from eda_sim.engine.stage import Stage
from eda_sim.engine.waiting import WaitingRoom, place_of
from eda_sim.engine.worker import Worker
from eda_sim.rules.lifecycle import UP
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.plan import HandlerNode
from eda_sim.rules.rounding import before
from eda_sim.scenario.service import Service


class ServiceActor:
    """A service in a run."""

    def __init__(self, stage: Stage, service: Service) -> None:
        self.clock = stage.clock
        self.service = service
        self.books = Books(stage.clock, stage.recorder, stage.incidents, service.name)
        self.pace = 1.0  # how many times as long work takes now
        self._slowdowns: list[float] = []
        self._queue = CommonQueue()
        self._lanes: dict[str, Lanes] = {}  # by message name
        self._prefetching: Prefetching | None = None
        self._rooms: list[Lanes | Prefetching] = []
        self.relays: list[OutboxActor] = []  # of its outboxes
        self._idle: deque[Worker] = deque()
        self._bucket = limiter(self.clock, service.rate_limit)
        self._down_by: list[int] = []  # the faults that have instances down now
        self._record_size = stage.recorder.scaling.add
        self.instances = Instances(self, service.instances, service.most_instances, service.workers)

    # -- what comes in -----------------------------------------------------------

    def arrive(self, job: Job) -> None:
        """Let a job wait for a worker; it need not wait if one is idle."""
        self.books.queued(job)
        if self._queue.is_paused and not job.is_call:
            self._queue.hold_back(job)
        elif self._idle:
            self._idle.popleft().hand(job)
        else:
            self._queue.add(job)

    def arrive_call(self, job: Job) -> None:
        """Take a call in, unless nobody is up (refused) or there is no room for it (rejected)."""
        if self.instances.are_down:
            self._refused(job)
            self._turn_away(job, Outcome.REFUSED, Outcome.FAILED)
        elif (why := self._why_not()) is not None:
            self.books.incident(why, job)
            self._turn_away(job, Outcome.REJECTED, Outcome.REJECTED)
        else:
            self.arrive(job)

    def _why_not(self) -> str | None:
        """Return why there is no room for a call, if there is none."""
        service = self.service
        if self._bucket is not None and not self._bucket.take():
            return "rate_limited"
        if self._idle:
            return None
        if service.inbox is not None and self._queue.waiting_calls >= service.inbox:
            return "inbox_full"
        too_slow = service.shed_after is not None and self._has_one_waited(service.shed_after)
        return "shed" if too_slow else None

    def _has_one_waited(self, seconds: float) -> bool:
        """Say whether the first of the waiting calls has waited for more than so many seconds."""
        first = next(self._queue.calls(), None)
        return first is not None and before(first.queued_at + seconds, self.clock.now)

    def _refused(self, job: Job) -> None:
        self.books.incident("refused", job, self._down_by[-1] if self._down_by else NO_FAULT)

    def _turn_away(self, job: Job, outcome: Outcome, answer: Outcome) -> None:
        self.books.queued(job)
        self.books.ended(job, outcome)
        job.settle(answer)

    def come_back(self, job: Job, place: float | None) -> None:
        """Put a delivery back to the ``place`` in the queue that it had, or to its head.

        Whoever waits came later, but for those that came back before.
        """
        self.books.queued(job)
        if self._idle and not self._queue.is_paused:
            self._idle.popleft().hand(job)
        else:
            self._queue.put_back(job, place)

    def withdraw(self, job: Job) -> None:
        """Take a waiting delivery out of the queue: nobody needs it any more."""
        self._queue.remove(job)
        self.books.withdrawn(job)

    # -- who takes it ------------------------------------------------------------

    def next_job(self, worker: Worker) -> Job | None:
        """Return what has waited longest of all that a worker may take; without it, he is idle."""
        instance = worker.of
        if instance.state is not UP:
            self.instances.finish(instance.number)
            return None
        job = self._first(instance.number) if self._rooms else self._queue.take()
        if job is None:
            self._idle.append(worker)
        else:
            job.dispatched()
        return job

    def _first(self, instance: int) -> Job | None:
        """Take what has waited longest of all that a worker of ``instance`` may take."""
        job = None if self._queue.is_paused else self._from_a_room(instance)
        return self._queue.take() if job is None else job

    def _from_a_room(self, instance: int) -> Job | None:
        """Take from a lane or from what is prefetched, if nobody has waited longer."""
        firsts = [(room.first(instance), room) for room in self._rooms]
        waiting = [(place_of(job), job, room) for job, room in firsts if job is not None]
        if not waiting:
            return None
        place, job, room = min(waiting, key=lambda entry: entry[0])
        if self._queue.first is not None and place_of(self._queue.first) < place:
            return None
        room.take(job)
        return job

    def offer(self, room: WaitingRoom, instance: int, job: Job) -> None:
        """Hand a job to the worker of an instance that has been idle longest, if any is."""
        for worker in () if self._queue.is_paused else self._idle:
            if worker.of.number == instance:
                self._idle.remove(worker)
                room.take(job)
                worker.hand(job)
                return

    def lanes(self, node: HandlerNode, rebalance: float) -> Lanes | None:
        """Return where deliveries of a message wait in order, if they do."""
        policy, name = node.policy, node.message.name
        if name not in self._lanes and policy is not None and policy.ordered:
            lanes = Lanes(self, self.instances.up, node.partitions, rebalance)
            self._lanes[name] = lanes
            self._rooms.append(lanes)
        return self._lanes.get(name)

    def line(self, node: HandlerNode) -> Line | None:
        """Return where deliveries of a message wait to be pushed to an instance, if they are."""
        limit = None if node.policy is None else node.policy.prefetch
        if limit is None:
            return None
        if self._prefetching is None:
            most = self.service.most_instances
            self._prefetching = Prefetching(self, self.instances.up, most)
            self._rooms.append(self._prefetching)
        return self._prefetching.line(limit)

    # -- the broker out of reach -------------------------------------------------

    def pause_deliveries(self) -> None:
        """The broker can dispatch nothing to this service; calls go on."""
        self._queue.pause()

    def resume_deliveries(self) -> None:
        """What was held back waits again, in its old order."""
        if not self._queue.resume():
            return
        for worker in list(self._idle):
            job = self._first(worker.of.number)
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
    def waiting(self) -> int:
        """How many jobs wait now."""
        return len(self._queue) + sum(map(len, self._rooms))

    def start(self, number: int) -> None:
        """A new instance is up."""
        instance = self.instances.start(number)
        self._write_down_size()
        if instance.state is UP:
            self._back_to_work(instance)

    def retire(self, numbers: Sequence[int]) -> None:
        """Instances take nothing new; what they are doing they finish."""
        retired = [number for number in numbers if self.instances.retire(number)]
        if not retired:
            return
        self._write_down_size(len(retired))
        self._idle = deque(worker for worker in self._idle if worker.of.number not in retired)
        for room in self._rooms:
            room.instances_down(retired)
            room.settled(NO_FAULT)

    def _write_down_size(self, retired: int = 0) -> None:
        self._record_size([self.books.name, self.instances.present, retired, self.clock.now])

    # -- outages -----------------------------------------------------------------

    def instances_down(self, numbers: Sequence[int], fault: int) -> None:
        """Instances die, all at once, with their attempts in progress."""
        self._down_by.append(fault)
        were_up = self.instances.up
        killed = self.instances.die(numbers)
        died = [job for instance in killed for job in self._kill(instance)]
        self._idle = deque(worker for worker in self._idle if worker.of not in killed)
        if self.instances.are_down:
            for relay in self.relays:
                relay.die(fault)
        dead = [instance.number for instance in killed if instance.number in were_up]
        for room in self._rooms:
            room.instances_down(dead)
        self._drop_connections(died)
        for room in self._rooms:
            room.settled(fault)

    def _kill(self, instance: Instance) -> list[Job]:
        """The workers of an instance die; return what they were doing."""
        jobs = [worker.job for worker in instance.workers if worker.job is not None]
        for worker in instance.workers:
            if worker.job is not None:
                worker.die()
        return jobs

    def _drop_connections(self, died: list[Job]) -> None:
        waiting = self._queue.drop_calls() if self.instances.are_down else []
        for job in sorted(died, key=place_of):
            self.books.incident("crashed", job, self._down_by[-1])
            self.books.ended(job, Outcome.CRASHED)
            job.crashed()
        for job in waiting:
            self._refused(job)
            self.books.ended(job, Outcome.REFUSED)
            job.settle(Outcome.FAILED)

    def instances_up(self, numbers: Sequence[int], fault: int) -> None:
        """A fault is over: instances are back, empty, and their workers take up work again."""
        self._down_by.remove(fault)
        for instance in self.instances.recover(numbers):
            self._back_to_work(instance)

    def _back_to_work(self, instance: Instance) -> None:
        for worker in instance.workers:
            if worker.job is None:  # it may still be finishing what it did
                worker.wake()
        for room in self._rooms:
            room.instances_up([instance.number])
