"""Where deliveries wait when any free worker may not simply take the next.

There are two such rooms beside a service's common queue. In an *ordered* topic each partition
is a lane (``lanes``); with a *prefetch* limit the broker pushes deliveries to instances ahead
of their workers (``prefetching``). Both answer the same question of a service: what is the
first that a worker of this instance may take?
"""

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from eda_sim.engine.books import Books
from eda_sim.engine.clock import Clock
from eda_sim.engine.job import Job


class WaitingRoom(Protocol):
    """What a service asks of every place where deliveries wait for its workers."""

    def first(self, instance: int) -> Job | None:
        """Return what a worker of ``instance`` may take first, if anything."""

    def take(self, job: Job) -> None:
        """A worker takes ``job``, which ``first`` has named."""

    def __len__(self) -> int:
        """How many deliveries wait for a worker."""

    def instances_down(self, instances: Sequence[int]) -> None:
        """Instances have died; what they held is for others."""

    def settled(self, fault: int) -> None:
        """What the dead were doing has come back: what they held follows, and may go to others.

        They died by ``fault``, if it is one.
        """

    def instances_up(self, instances: Sequence[int]) -> None:
        """Instances are back."""


class Host(Protocol):
    """What a waiting room asks of its service."""

    clock: Clock
    books: Books

    def offer(self, room: WaitingRoom, instance: int, job: Job) -> None:
        """Hand a job to the worker of an instance that has been idle longest, if any is."""


class Queue(Protocol):
    """Where the attempts of a delivery wait: the common queue, a lane, or with an instance."""

    def arrive(self, job: Job) -> None:
        """Wait at the end."""

    def come_back(self, job: Job, place: float | None) -> None:
        """Wait at the ``place`` that it had, or at the head, behind what came back there before."""

    def withdraw(self, job: Job) -> None:
        """Wait no longer."""


def place_of(job: Job) -> tuple[bool, float, int]:
    """Return what orders the jobs that wait for one service.

    What has come back at the head is first; then who began to wait first, then the message.
    """
    return not job.at_the_head, job.queued_at, job.message


def put_back(queue: deque[Job], job: Job, place: float | None) -> None:
    """Put a job back to where it stood when it began to wait at ``place``.

    None is the head: behind those that have come back there before, in front of all others.
    """
    if place is None:
        job.at_the_head = True
        ahead = takewhile(lambda other: other.at_the_head, queue)
    else:
        job.queued_at = place
        ahead = takewhile(lambda other: place_of(other) <= place_of(job), queue)
    queue.insert(sum(1 for _ in ahead), job)
