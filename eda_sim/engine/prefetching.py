"""Deliveries that the broker pushes to instances ahead of their workers.

What an instance holds waits there, even if another instance is idle.
"""

from collections import deque
from collections.abc import Sequence

from eda_sim.engine.job import Job
from eda_sim.engine.waiting import Host, put_back


class Prefetching:
    """Deliveries of one message name that are pushed to instances ahead of their workers."""

    def __init__(self, service: Host, up: Sequence[int], instances: int, prefetch: int) -> None:
        self._service = service
        self._prefetch = prefetch
        self._queue: deque[Job] = deque()
        self._held: list[deque[Job]] = [deque() for _ in range(instances)]
        self._holder: dict[Job, int] = {}  # of what is pushed and not yet acknowledged
        self._unacknowledged = [0] * instances
        self._up = [instance in up for instance in range(instances)]
        self._next = 0  # whose turn it is

    def arrive(self, job: Job) -> None:
        """A delivery waits with the broker until an instance has room for it."""
        self._service.books.queued(job)
        self._queue.append(job)
        self.hand_out()

    def come_back(self, job: Job, place: float | None = None) -> None:
        """A delivery goes back to the place that it had in the broker's queue, or to the front."""
        self._service.books.queued(job)
        put_back(self._queue, job, place)
        self.hand_out()

    def hand_out(self) -> None:
        """Push to the instances in turn, as long as one of them has room."""
        while self._queue and (instance := self._who_is_next()) is not None:
            job = self._queue.popleft()
            self._holder[job] = instance
            self._unacknowledged[instance] += 1
            self._held[instance].append(job)
            self._service.offer(self, instance, job)

    def _who_is_next(self) -> int | None:
        count = len(self._held)
        for offset in range(count):
            instance = (self._next + offset) % count
            if self._up[instance] and self._unacknowledged[instance] < self._prefetch:
                self._next = (instance + 1) % count
                return instance
        return None

    def first(self, instance: int) -> Job | None:
        """Return what the instance has held longest."""
        return self._held[instance][0] if self._held[instance] else None

    def take(self, job: Job) -> None:
        """A worker takes what its instance holds; it counts until it is acknowledged."""
        self._held[self._holder[job]].remove(job)

    def release(self, job: Job) -> None:
        """An attempt has ended: its instance has room for one more."""
        instance = self._holder.pop(job, None)
        if instance is None:
            return
        self._unacknowledged[instance] -= 1
        if self._up[instance]:
            self.hand_out()

    def withdraw(self, job: Job) -> None:
        """Nobody needs this attempt any more."""
        if job in self._queue:
            self._queue.remove(job)
        elif job in self._holder:
            self._held[self._holder[job]].remove(job)
        self._service.books.withdrawn(job)
        self.release(job)

    def __len__(self) -> int:
        return len(self._queue) + sum(map(len, self._held))

    def instances_down(self, instances: Sequence[int]) -> None:
        """What dead instances held goes back to the front of the broker's queue."""
        for instance in instances:
            self._up[instance] = False
        for instance in instances:
            held, self._held[instance] = self._held[instance], deque()
            self._unacknowledged[instance] -= len(held)
            for job in reversed(held):
                del self._holder[job]
                self._queue.appendleft(job)

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances that are back take their share."""
        for instance in instances:
            self._up[instance] = True
        self.hand_out()
