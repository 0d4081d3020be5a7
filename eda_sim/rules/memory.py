"""What an idempotent handler remembers, so that a duplicate finds its work done.

A message is remembered from when something was last noted for it. A memory may
be bounded in time, by a window, and in size, by a number of messages; then it
forgets those first for which nothing has been noted for longest, and a later
duplicate is not known any more. Whoever keeps a memory keeps its messages in the
order of their last notes, so that what is to be forgotten stands in front.
"""

from math import inf
from typing import Final

from eda_sim.rules.rounding import before

UNBOUNDED: Final = inf  # a window or a size that forgets nothing


def remembers(noted_at: float, now: float, window: float, noted_since: int, size: float) -> bool:
    """Say whether a message is still remembered for which something was noted at ``noted_at``.

    ``noted_since`` is for how many other messages something has been noted since then.

    >>> remembers(10.0, 14.9, window=5.0, noted_since=3, size=UNBOUNDED)
    True
    >>> remembers(10.0, 15.0, window=5.0, noted_since=3, size=UNBOUNDED)
    False
    >>> remembers(10.0, 10.0, window=UNBOUNDED, noted_since=3, size=3)
    False
    """
    return before(now, noted_at + window) and noted_since < size
