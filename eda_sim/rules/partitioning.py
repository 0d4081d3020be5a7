"""Which partition of a topic a message belongs to, and which instance handles it.

A message goes by its key, hashed, so that all messages about one aggregate are in
one partition, in order, and neighbouring keys are spread.

Partitions are shared out among the instances that are up as a sticky assignor
does it: evenly first, so that sizes differ by at most one, and then with as few
moves as possible. Who has most keeps one more, where they cannot be shared out
equally; what must move goes, in the order of the partitions, to whom most is
missing, the lowest instance first.

Source: Kafka Improvement Proposal 54, "Sticky Partition Assignment Strategy".
"""

from collections.abc import Sequence
from typing import Final

from eda_sim.rules.luck import mix

NOBODY: Final = -1  # the owner of a partition that nobody handles


def partition_of(key: int, partitions: int) -> int:
    """Return the partition, from 0, of the messages with ``key``.

    >>> partition_of(7, 4) == partition_of(7, 4), partition_of(7, 1)
    (True, 0)
    """
    return mix(int(key) + 1) % partitions


def share_out(owners: Sequence[int], up: Sequence[int]) -> list[int]:
    """Return the new owner of each partition, all of them instances that are ``up``.

    ``owners`` are those of now, ``up`` the instances in ascending order, at least one.

    >>> share_out([NOBODY] * 4, [0, 1])
    [0, 1, 0, 1]
    >>> share_out([0, 1, 0, 1], [0, 1, 2])
    [0, 1, 0, 2]
    """
    room = _fair_shares(owners, up)
    shared = [NOBODY] * len(owners)
    for partition, owner in enumerate(owners):
        for i, instance in enumerate(up):
            if instance == owner and room[i] > 0:
                room[i] -= 1
                shared[partition] = owner
    for partition, owner in enumerate(shared):
        if owner == NOBODY:
            i = _place_of_largest(room)
            room[i] -= 1
            shared[partition] = up[i]
    return shared


def _fair_shares(owners: Sequence[int], up: Sequence[int]) -> list[int]:
    """Return how many partitions each of the instances that are ``up`` shall have."""
    fair, over = divmod(len(owners), len(up))
    shares = [fair] * len(up)
    held = [0] * len(up)
    for owner in owners:
        for i, instance in enumerate(up):
            if instance == owner:
                held[i] += 1
    for _ in range(over):
        most = _place_of_largest(held)
        shares[most] += 1
        held[most] = NOBODY  # it has its one more
    return shares


def _place_of_largest(numbers: Sequence[int]) -> int:
    """Return where the largest number stands, the first of equal ones."""
    place = 0
    for i, number in enumerate(numbers):
        if number > numbers[place]:
            place = i
    return place
