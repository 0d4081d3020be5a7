"""What comes first at one instant, so that a reader can do it on paper.

Times are floats, so two things can fall on the same one: regular arrivals, constant durations,
a timeout as long as the work. Some things are *due* at a time; others follow from them *at
once*.

**At once.** What happens may let somebody go on: an idle worker who is handed a job, a caller
whose reply is there, a publisher for whom there is room, everybody who waits for a repair, a
process that begins (a client's, that of a step beside others, an outbox's relay). They stand in
one queue, first caused first; several who wait for one repair, as they began to wait. All of it
is done before anything else that is due, and what they cause at once stands behind them. Whose
turn it is does not stand there: a worker whose work has ended replies and takes his next job as
part of that, before the caller goes on.

**Due.** Then comes what is due, by its turn, a number of 64 bits: first by its ``Rank`` (6
bits: what ends, then faults, then what begins), then by request (42 bits: source, then number;
0 for what is of no request), then by its node of the plan (16 bits; of a fault, its position).
Within a turn it goes by the number of the attempt (of an instance that starts, its own), and at
last by what was set going first. At 0 everything is set going in the order of the scenario: what
scales each service, then redrives, faults and sources.

What is an event, and what is none:

- *A latency or a backoff of zero is no event*: what takes no time to travel (a call, a reply, a
  publication, a delivery) has arrived as part of being sent, and what is tried again without
  waiting is tried again as part of failing.
- *Every other wait is an event in its turn, one of zero seconds as well*: work, an
  acknowledgement where the broker needs time for it, a group that rebalances, an instance that
  starts.
- *Death is no event*: whoever dies with an instance is dead within the fault, by instance and
  then by worker, with all that he had begun. Then what was being handled is settled in the order
  of the queue: what had come back at its head, then by when it was queued, then by message, then
  by instance and worker; then, where nobody is up any more, the calls that wait. At last what
  the dead had prefetched goes back, in the same order; only then is anything pushed to others.
- *What comes back at the head* of its queue waits behind what came back there before, and in
  front of all others.
- *A repair* calls the workers back: by instance, then by worker.
- *The broker's topics* of a service are looked at in the order of the plan.
- *The end* of a run is part of it: what is due just then still happens.
"""

from enum import IntEnum
from typing import Final


class Rank(IntEnum):
    """What is due, from first to last at one instant."""

    WORK_ENDS = 1
    REPLY_ARRIVES = 2
    ACKNOWLEDGED = 3
    ACCEPTED = 4
    FAULT_ENDS = 5
    INSTANCE_STARTS = 6
    REBALANCED = 7
    FAULT_BEGINS = 8
    TIMEOUT = 9
    MESSAGE_ARRIVES = 10
    RETRY_DUE = 11
    REPUBLISHED = 12
    OUTBOX_LOOKS = 13
    REDRIVEN = 14
    AUTOSCALER_LOOKS = 15
    REQUEST_STARTS = 16


REQUEST_BITS: Final = 42
NODE_BITS: Final = 16
MOST_NODES: Final = 1 << NODE_BITS


def turn(rank: Rank, node: int = 0) -> int:
    """Return the turn of a kind of thing at a node; add ``request_turn`` for whose it is.

    >>> turn(Rank.REPLY_ARRIVES) + request_turn(5) < turn(Rank.TIMEOUT) + request_turn(3)
    True
    """
    return (int(rank) << (REQUEST_BITS + NODE_BITS)) | node


def parts(turn: int) -> tuple[Rank, int, int]:
    """Return the rank, the request and the node of a turn.

    >>> parts(turn(Rank.TIMEOUT, 7) + request_turn(17))
    (<Rank.TIMEOUT: 9>, 17, 7)
    """
    request = turn >> NODE_BITS & (1 << REQUEST_BITS) - 1
    return Rank(turn >> (REQUEST_BITS + NODE_BITS)), request, turn & (1 << NODE_BITS) - 1


def request_turn(request: int) -> int:
    """Return what a request's identity adds to a turn."""
    return request << NODE_BITS
