"""How things end: requests, calls, attempts and deliveries, in one enumeration.

Each value is the word that the tables show.
"""

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """How something ended, or did not."""

    OK = "ok"
    FAILED = "failed"
    FAILED_PERMANENTLY = "failed_permanently"
    TIMED_OUT = "timed_out"
    REJECTED = "rejected"
    SHORT_CIRCUITED = "short_circuited"
    ABANDONED = "abandoned"
    CRASHED = "crashed"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    UNFINISHED = "unfinished"
    HANDLED = "handled"
    DEAD_LETTERED = "dead_lettered"
    LOST = "lost"
    PENDING = "pending"


# By themselves, for engines: they are looked at a million times a run.
OK: Final = Outcome.OK
FAILED: Final = Outcome.FAILED
FAILED_PERMANENTLY: Final = Outcome.FAILED_PERMANENTLY

REQUEST_OUTCOMES: Final = (
    Outcome.OK,
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.REJECTED,
    Outcome.SHORT_CIRCUITED,
    Outcome.UNFINISHED,
)
CALL_OUTCOMES: Final = (
    Outcome.OK,
    Outcome.FAILED,
    Outcome.FAILED_PERMANENTLY,
    Outcome.TIMED_OUT,
    Outcome.REJECTED,
    Outcome.SHORT_CIRCUITED,
    Outcome.ABANDONED,
    Outcome.UNFINISHED,
)
ATTEMPT_OUTCOMES: Final = (
    Outcome.OK,
    Outcome.FAILED,
    Outcome.FAILED_PERMANENTLY,
    Outcome.CRASHED,
    Outcome.REFUSED,
    Outcome.REJECTED,
    Outcome.EXPIRED,
    Outcome.WITHDRAWN,
    Outcome.UNFINISHED,
)
DELIVERY_OUTCOMES: Final = (Outcome.HANDLED, Outcome.DEAD_LETTERED, Outcome.LOST, Outcome.PENDING)
