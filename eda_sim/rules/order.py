"""What comes first at one instant.

Times are floats, so two things can fall on the same one: regular arrivals,
constant durations, a timeout as long as the work. Then, in this order:

1. what follows at once from something (a free worker takes the next message)
   follows before anything else that is due at that instant, first caused first;
2. what is due goes by its ``Rank`` below: what ends, then faults, then what begins;
3. within a rank by request (source, then number);
4. then by place in the unfolding of the request;
5. then by what was set going first.

Points 2 to 4 are one integer, a ``turn``: the smaller comes first.
"""

from enum import IntEnum


class Rank(IntEnum):
    """What is due, from first to last at one instant."""

    WORK_ENDS = 2
    REPLY_ARRIVES = 3
    ACKNOWLEDGED = 4
    ACCEPTED = 5
    FAULT_ENDS = 6
    FAULT_BEGINS = 7
    TIMEOUT = 8
    MESSAGE_ARRIVES = 9
    RETRY_DUE = 10
    REQUEST_STARTS = 11


_PLACE_BITS = 16
MOST_NODES = 1 << _PLACE_BITS
_REQUEST_BITS = 48


def turn(rank: Rank, place: int = 0) -> int:
    """Return the turn of a kind of thing at a place; add ``request_turn`` for whose it is.

    >>> turn(Rank.REPLY_ARRIVES) + request_turn(5) < turn(Rank.TIMEOUT) + request_turn(3)
    True
    """
    return (int(rank) << (_PLACE_BITS + _REQUEST_BITS)) | place


def request_turn(request: int) -> int:
    """Return what a request's identity adds to a turn."""
    return request << _PLACE_BITS
