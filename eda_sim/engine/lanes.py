"""An ordered topic: a lane for each partition.

The head of a lane is handled by one worker of the instance that owns the lane, and whatever
keeps the head (a retry, a crash) keeps all behind it.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from eda_sim.engine.job import Job
from eda_sim.engine.waiting import Host, place_of
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.partitioning import NOBODY, share_out

_REBALANCES = turn(Rank.REBALANCED)


class InLane(Protocol):
    """A delivery, as its lane sees it."""

    @property
    def waiting(self) -> Job | None:
        """Its attempt, while that waits for a worker."""


class Lane:
    """One partition of one ordered topic, for one subscribing service.

    Deliveries stand in the order in which the broker accepted them and stay until
    they end, so ``deliveries[0]`` is what the lane is about.
    """

    def __init__(self, group: "Lanes") -> None:
        self._group = group
        self.owner = NOBODY
        self.next_owner = NOBODY
        self.deliveries: deque[InLane] = deque()

    @property
    def future_owner(self) -> int:
        """Who owns the lane once its head is not being worked on."""
        return self.owner if self.next_owner == NOBODY else self.next_owner

    @property
    def ready(self) -> Job | None:
        """The head's attempt, if it waits for a worker."""
        return self.deliveries[0].waiting if self.deliveries else None

    def join(self, delivery: InLane) -> None:
        """A message was accepted: it stands at the end, even while it travels."""
        self.deliveries.append(delivery)

    def arrive(self, job: Job) -> None:
        """An attempt may begin as soon as its delivery is the head."""
        self._group.service.books.queued(job)
        self._offer()

    def come_back(self, job: Job, place: float | None) -> None:
        """A lane never loses its order: its head is the head."""
        self.arrive(job)

    def withdraw(self, job: Job) -> None:
        """Nobody needs this attempt any more."""
        self._group.service.books.withdrawn(job)

    def leave(self, delivery: InLane) -> None:
        """A delivery has ended, or goes on elsewhere: the next one's turn."""
        self.deliveries.remove(delivery)
        if self.next_owner != NOBODY:
            self.owner, self.next_owner = self.next_owner, NOBODY
        self._offer()

    def _offer(self) -> None:
        job = self.ready
        if job is not None and self.owner != NOBODY:
            self._group.service.offer(self._group, self.owner, job)

    def move(self, owner: int) -> None:
        """Give the lane to another instance, once its head is not being worked on."""
        if self.owner == NOBODY or self.ready is not None or not self.deliveries:
            self.owner, self.next_owner = owner, NOBODY
            self._offer()
        else:
            self.next_owner = owner


class Lanes:
    """A consumer group on an ordered topic: its lanes and which instance owns which."""

    def __init__(self, service: Host, up: Sequence[int], partitions: int, rebalance: float) -> None:
        self.service = service
        self._rebalance = rebalance
        self._up = list(up)
        self.lanes = [Lane(self) for _ in range(partitions)]
        self._share_out()

    def first(self, instance: int) -> Job | None:
        """Return the head that has waited longest, of the lanes that ``instance`` owns."""
        heads = (lane.ready for lane in self.lanes if lane.owner == instance)
        return min((job for job in heads if job is not None), key=place_of, default=None)

    def take(self, job: Job) -> None:
        """The head is in good hands: its delivery knows that it waits no longer."""

    def __len__(self) -> int:
        return sum(
            delivery.waiting is not None for lane in self.lanes for delivery in lane.deliveries
        )

    def instances_down(self, instances: Sequence[int]) -> None:
        """Lanes of dead instances stand still until the group has rebalanced."""
        self._up = [instance for instance in self._up if instance not in instances]
        for lane in self.lanes:
            if lane.owner in instances:
                lane.owner = lane.next_owner = NOBODY
            elif lane.next_owner in instances:
                lane.next_owner = NOBODY
        self._rebalance_later()

    def settled(self, fault: int) -> None:
        """Lanes move when the group has rebalanced, not before."""

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances that join get their share after the group has rebalanced."""
        self._up = sorted({*self._up, *instances})
        self._rebalance_later()

    def _rebalance_later(self) -> None:
        clock = self.service.clock
        clock.after(self._rebalance, _REBALANCES, 0, lambda _: self._share_out())

    def _share_out(self) -> None:
        """Share the lanes evenly among the instances that are up, moving as few as possible."""
        if not self._up:
            return
        owners = [lane.future_owner for lane in self.lanes]
        for lane, owner, new in zip(self.lanes, owners, share_out(owners, self._up), strict=True):
            if new != owner:
                lane.move(new)
