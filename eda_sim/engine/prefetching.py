"""Deliveries that the broker pushes to instances ahead of their workers.

What an instance holds waits there, even if another instance is idle. What it holds and has not
acknowledged is counted for all message names together, as RabbitMQ counts for a channel with
the ``global`` flag. Each delivery is pushed only where fewer are held than its own limit says;
of several limits each has a line of its own with the broker, so that none keeps another.
"""

from collections import deque
from collections.abc import Sequence

from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.job import Job
from eda_sim.engine.waiting import Host, place_of, put_back


class Line:
    """The deliveries of one limit that wait with the broker until an instance has room."""

    def __init__(self, room: "Prefetching", limit: int) -> None:
        self._room = room
        self.limit = limit
        self.waiting: deque[Job] = deque()

    def arrive(self, job: Job) -> None:
        """A delivery waits at the end."""
        self._room.books.queued(job)
        self.waiting.append(job)
        self._room.hand_out()

    def come_back(self, job: Job, place: float | None) -> None:
        """A delivery goes back to the place that it had in the broker's queue, or to its head."""
        self._room.books.queued(job)
        put_back(self.waiting, job, place)
        self._room.hand_out()

    def take_back(self, job: Job, place: float | None) -> None:
        """What an instance held goes back; it has not ceased to wait."""
        put_back(self.waiting, job, place)

    def withdraw(self, job: Job) -> None:
        """Nobody needs this attempt any more."""
        if job in self.waiting:
            self.waiting.remove(job)
        self._room.withdraw(job)

    def release(self, job: Job) -> None:
        """An attempt has ended: its instance has room for one more."""
        self._room.release(job)


class Prefetching:
    """What the instances of one service hold, pushed to them ahead of their workers."""

    def __init__(self, service: Host, up: Sequence[int], instances: int) -> None:
        self._service = service
        self.books = service.books
        self._lines: dict[int, Line] = {}  # by limit
        self._held: list[deque[Job]] = [deque() for _ in range(instances)]
        # Of what is pushed and not yet acknowledged: where it came from, and who has it.
        self._pushed: dict[Job, tuple[Line, int]] = {}
        self._unacknowledged = [0] * instances
        self._up = [instance in up for instance in range(instances)]
        self._next = 0  # whose turn it is
        self._given_back: list[Job] = []
        self._is_settling = False  # instances are gone, and what they had comes back

    def line(self, limit: int) -> Line:
        """Return the line of the deliveries with this limit."""
        return self._lines.setdefault(limit, Line(self, limit))

    def hand_out(self) -> None:
        """Push to the instances in turn, as long as one of them has room."""
        while not self._is_settling and (line := self._next_line()) is not None:
            instance = self._who_is_next(line.limit)
            job = line.waiting.popleft()
            self._pushed[job] = line, instance
            self._unacknowledged[instance] += 1
            self._held[instance].append(job)
            self._service.offer(self, instance, job)

    def _next_line(self) -> Line | None:
        """Return the line of what has waited longest, of all that some instance has room for."""
        counts = zip(self._up, self._unacknowledged, strict=True)
        fewest = min((count for is_up, count in counts if is_up), default=None)
        if fewest is None:
            return None
        lines = [line for line in self._lines.values() if line.waiting and line.limit > fewest]
        return min(lines, key=lambda line: place_of(line.waiting[0]), default=None)

    def _who_is_next(self, limit: int) -> int:
        count = len(self._held)
        instance = next(
            each % count
            for each in range(self._next, self._next + count)
            if self._up[each % count] and self._unacknowledged[each % count] < limit
        )
        self._next = (instance + 1) % count
        return instance

    def first(self, instance: int) -> Job | None:
        """Return what the instance has held longest."""
        return self._held[instance][0] if self._held[instance] else None

    def take(self, job: Job) -> None:
        """A worker takes what its instance holds; it counts until it is acknowledged."""
        _, instance = self._pushed[job]
        self._held[instance].remove(job)

    def release(self, job: Job) -> None:
        """An attempt has ended: its instance has room for one more."""
        if job not in self._pushed:
            return
        _, instance = self._pushed.pop(job)
        self._unacknowledged[instance] -= 1
        if self._up[instance]:
            self.hand_out()

    def withdraw(self, job: Job) -> None:
        """Nobody needs this attempt any more; an instance may hold it."""
        if job in self._pushed:
            self.take(job)
        self.books.withdrawn(job)
        self.release(job)

    def __len__(self) -> int:
        with_the_broker = (len(line.waiting) for line in self._lines.values())
        return sum(with_the_broker) + sum(map(len, self._held))

    def instances_down(self, instances: Sequence[int]) -> None:
        """Nothing is pushed to anybody until what these had has come back."""
        self._is_settling = True
        for instance in instances:
            self._up[instance] = False
            held = self._held[instance]
            self._unacknowledged[instance] -= len(held)
            self._given_back += held
            held.clear()

    def settled(self, fault: int) -> None:
        """What was being done has come back; what was held follows, as it had waited."""
        given_back, self._given_back = sorted(self._given_back, key=place_of), []
        for job in given_back:
            del self._pushed[job]
            self.books.returned(job, fault)
            job.given_back(by_crash=fault != NO_FAULT)
        self._is_settling = False
        self.hand_out()

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances that are back take their share."""
        for instance in instances:
            self._up[instance] = True
        self.hand_out()
