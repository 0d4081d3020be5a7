"""Where deliveries wait when any free worker may not simply take the next.

Two ways to wait beside a service's common queue. In an *ordered* topic each
partition is a lane: its head is handled by one worker of the instance that owns
the lane, and whatever keeps the head (a retry, a crash) keeps all behind it.
With a *prefetch* limit the broker pushes deliveries to instances ahead of their
workers; what an instance holds waits there, even if another instance is idle.

Both answer the same question of a service: what is the first that a worker of
this instance may take?
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Protocol

from eda_sim.engine.job import Job
from eda_sim.engine.recorder import NOBODY
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.partitioning import share_out

if TYPE_CHECKING:
    from eda_sim.engine.delivery import Delivery, DeliveryAttempt
    from eda_sim.engine.service import ServiceActor


def put_back(queue: "deque[Any]", job: Job, place: float | None) -> None:
    """Put a job back to where it stood when it began to wait at ``place``; None: the front."""
    if place is None:
        job.queued_at = queue[0].queued_at if queue else job.queued_at
        queue.appendleft(job)
        return
    job.queued_at = place
    ahead = takewhile(lambda other: (other.queued_at, other.message) < (place, job.message), queue)
    queue.insert(sum(1 for _ in ahead), job)


class WaitingRoom(Protocol):
    """What a service asks of every place where deliveries wait for its workers."""

    def first(self, instance: int) -> "DeliveryAttempt | None":
        """Return what a worker of ``instance`` may take first, if anything."""

    def take(self, attempt: "DeliveryAttempt") -> None:
        """A worker takes ``attempt``, which ``first`` has named."""

    def __len__(self) -> int:
        """How many deliveries wait for a worker."""

    def instances_down(self, instances: Sequence[int]) -> None:
        """Instances have died; what they held is for others."""

    def hand_out(self) -> None:
        """What dead instances held has been put back: it may go to others."""

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances are back."""


class Lane:
    """One partition of one ordered topic, for one subscribing service.

    Deliveries stand in the order in which the broker accepted them and stay until
    they end, so ``_deliveries[0]`` is what the lane is about.
    """

    def __init__(self, group: "Lanes", number: int) -> None:
        self._group = group
        self.number = number
        self.owner: int | None = None
        self.next_owner: int | None = None
        self.deliveries: deque[Delivery] = deque()

    @property
    def ready(self) -> "DeliveryAttempt | None":
        """The head's attempt, if it waits for a worker."""
        return self.deliveries[0].waiting if self.deliveries else None

    def join(self, delivery: "Delivery") -> None:
        """A message was accepted: it stands at the end, even while it travels."""
        self.deliveries.append(delivery)

    def arrive(self, attempt: "DeliveryAttempt") -> None:
        """An attempt may begin as soon as its delivery is the head."""
        self._group.service.queue_up(attempt)
        self._offer()

    def come_back(self, attempt: "DeliveryAttempt", place: float | None = None) -> None:
        """A lane never loses its order: its head is the head."""
        self.arrive(attempt)

    def withdraw(self, attempt: "DeliveryAttempt") -> None:
        """Nobody needs this attempt any more."""
        self._group.service.attempt_ended(attempt, "withdrawn")

    def leave(self, delivery: "Delivery") -> None:
        """A delivery has ended, or goes on elsewhere: the next one's turn."""
        self.deliveries.remove(delivery)
        if self.next_owner is not None:
            self.owner, self.next_owner = self.next_owner, None
        self._offer()

    def _offer(self) -> None:
        attempt = self.ready
        if attempt is not None and self.owner is not None:
            self._group.service.offer(self._group, self.owner, attempt)

    def move(self, owner: int) -> None:
        """Give the lane to another instance, once its head is not being worked on."""
        if self.owner is None or self.ready is not None or not self.deliveries:
            self.owner, self.next_owner = owner, None
            self._offer()
        else:
            self.next_owner = owner


class Lanes:
    """A consumer group on an ordered topic: its lanes and which instance owns which."""

    def __init__(self, service: "ServiceActor", partitions: int, rebalance: float) -> None:
        self.service = service
        self._rebalance = rebalance
        self._up = list(range(service.service.instances))
        self.lanes = [Lane(self, number) for number in range(partitions)]
        self._share_out()

    def first(self, instance: int) -> "DeliveryAttempt | None":
        """Return the head that has waited longest, of the lanes that ``instance`` owns."""
        heads = [
            lane.ready for lane in self.lanes if lane.owner == instance and lane.ready is not None
        ]
        return min(heads, key=lambda job: (job.queued_at, job.message), default=None)

    def take(self, attempt: "DeliveryAttempt") -> None:
        """The head is in good hands: nobody else may take it."""
        attempt.delivery.waiting = None

    def __len__(self) -> int:
        return sum(
            delivery.waiting is not None for lane in self.lanes for delivery in lane.deliveries
        )

    def instances_down(self, instances: Sequence[int]) -> None:
        """Lanes of dead instances stand still until the group has rebalanced."""
        self._up = [instance for instance in self._up if instance not in instances]
        for lane in self.lanes:
            if lane.owner in instances:
                lane.owner = lane.next_owner = None
            elif lane.next_owner in instances:
                lane.next_owner = None
        self._rebalance_later()

    def hand_out(self) -> None:
        """Lanes move when the group has rebalanced, not before."""

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances that join get their share after the group has rebalanced."""
        self._up = sorted({*self._up, *instances})
        self._rebalance_later()

    def _rebalance_later(self) -> None:
        clock = self.service.clock
        clock.then(self._rebalance, turn(Rank.FAULT_ENDS), lambda _: self._share_out())

    def _share_out(self) -> None:
        """Share the lanes evenly among the instances that are up, moving as few as possible."""
        if not self._up:
            return
        owners = [lane.owner if lane.next_owner is None else lane.next_owner for lane in self.lanes]
        now = [NOBODY if owner is None else owner for owner in owners]
        for lane, owner, new in zip(self.lanes, now, share_out(now, self._up), strict=True):
            if new != owner:
                lane.move(new)


class Prefetching:
    """Deliveries of one message name that are pushed to instances ahead of their workers."""

    def __init__(self, service: "ServiceActor", prefetch: int) -> None:
        self._service = service
        self._prefetch = prefetch
        self._queue: deque[DeliveryAttempt] = deque()
        instances = service.service.most_instances
        self._held: list[deque[DeliveryAttempt]] = [deque() for _ in range(instances)]
        self._unacknowledged = [0] * instances
        self._up = [instance not in service.absent for instance in range(instances)]
        self._next = 0  # whose turn it is

    def arrive(self, attempt: "DeliveryAttempt") -> None:
        """A delivery waits with the broker until an instance has room for it."""
        self._service.queue_up(attempt)
        self._queue.append(attempt)
        self.hand_out()

    def come_back(self, attempt: "DeliveryAttempt", place: float | None = None) -> None:
        """A delivery goes back to the place that it had in the broker's queue, or to the front."""
        self._service.queue_up(attempt)
        put_back(self._queue, attempt, place)
        self.hand_out()

    def hand_out(self) -> None:
        """Push to the instances in turn, as long as one of them has room."""
        while self._queue and (instance := self._who_is_next()) is not None:
            attempt = self._queue.popleft()
            attempt.held_by = instance
            self._unacknowledged[instance] += 1
            self._held[instance].append(attempt)
            self._service.offer(self, instance, attempt)

    def _who_is_next(self) -> int | None:
        count = len(self._held)
        for offset in range(count):
            instance = (self._next + offset) % count
            if self._up[instance] and self._unacknowledged[instance] < self._prefetch:
                self._next = (instance + 1) % count
                return instance
        return None

    def first(self, instance: int) -> "DeliveryAttempt | None":
        """Return what the instance has held longest."""
        return self._held[instance][0] if self._held[instance] else None

    def take(self, attempt: "DeliveryAttempt") -> None:
        """A worker takes what its instance holds; it counts until it is acknowledged."""
        self._held[attempt.held_by].remove(attempt)

    def release(self, attempt: "DeliveryAttempt") -> None:
        """An attempt has ended: its instance has room for one more."""
        instance, attempt.held_by = attempt.held_by, NOBODY
        if instance == NOBODY:
            return
        self._unacknowledged[instance] -= 1
        if self._up[instance]:
            self.hand_out()

    def withdraw(self, attempt: "DeliveryAttempt") -> None:
        """Nobody needs this attempt any more."""
        if attempt in self._queue:
            self._queue.remove(attempt)
        elif attempt.held_by != NOBODY:
            self._held[attempt.held_by].remove(attempt)
        self._service.attempt_ended(attempt, "withdrawn")
        self.release(attempt)

    def __len__(self) -> int:
        return len(self._queue) + sum(map(len, self._held))

    def instances_down(self, instances: Sequence[int]) -> None:
        """What dead instances held goes back to the front of the broker's queue."""
        for instance in instances:
            self._up[instance] = False
        for instance in instances:
            held, self._held[instance] = self._held[instance], deque()
            self._unacknowledged[instance] -= len(held)
            for attempt in reversed(held):
                attempt.held_by = NOBODY
                self._queue.appendleft(attempt)

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances that are back take their share."""
        for instance in instances:
            self._up[instance] = True
        self.hand_out()
