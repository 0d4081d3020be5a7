"""Which partition of a topic a message belongs to.

By its key, hashed, so that all messages about one aggregate are in one
partition, in order, and neighbouring keys are spread.
"""

from eda_sim.rules.luck import mix


def partition_of(key: int, partitions: int) -> int:
    """Return the partition, from 0, of the messages with ``key``.

    >>> partition_of(7, 4) == partition_of(7, 4), partition_of(7, 1)
    (True, 0)
    """
    return mix(int(key) + 1) % partitions
