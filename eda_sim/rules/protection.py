"""What protects a caller from its callee, and a service from its callers.

Each is a function over numbers and small records: the state and the time in, the
answer and the state that follows out. Who keeps the state, and for whom, is an
engine's affair.

- A *circuit breaker* short-circuits calls while it is open. Its phases are
  numbered as the states of ``lifecycle.BREAKER``, and they change as that table
  says and not otherwise. Calls that were under way when it opened change nothing.
- A *bulkhead* has room for so many calls at a time.
- A *token bucket* fills at a rate, up to its size; what passes takes a token.
- A *retry budget* is one, too, which calls fill: each saves a fraction of a
  repetition.

Sources: Nygard, *Release It!*, 2nd ed. (2018), chapter 5 (circuit breaker,
bulkhead); Turner, "New directions in communications", IEEE Communications
Magazine 24 (1986) (token bucket); Google, *Site Reliability Engineering* (2016),
chapter 21 (retry budget).
"""

from typing import Final, NamedTuple

from eda_sim.rules.rounding import ROUNDING, before

# -- circuit breaker -----------------------------------------------------------------

CLOSED: Final = 0
OPEN: Final = 1
HALF_OPEN: Final = 2

# What a breaker answers to a call.
REFUSED: Final = 0
LET_THROUGH: Final = 1
ON_TRIAL: Final = 2


class Breaker(NamedTuple):
    """A circuit breaker: its phase, when it opened last, whether a trial is under way."""

    phase: int
    opened_at: float
    is_trying: bool


NEW_BREAKER: Final = Breaker(CLOSED, 0.0, False)


def answer(breaker: Breaker, now: float, open_for: float) -> int:
    """Say whether a call may be tried: all while closed, one while half open, none while open.

    Where the answer is ``ON_TRIAL``, the breaker is ``on_trial`` from then on.
    """
    if breaker.phase == CLOSED:
        return LET_THROUGH
    if breaker.phase == OPEN and before(now, breaker.opened_at + open_for):
        return REFUSED
    return REFUSED if breaker.is_trying else ON_TRIAL


def on_trial(breaker: Breaker) -> Breaker:
    """Let one call through that shows how the callee is: the breaker is half open."""
    return Breaker(HALF_OPEN, breaker.opened_at, True)


def failed(breaker: Breaker, now: float, earliest: float, window: float) -> Breaker:
    """Count the failure of a call that was let through; it may be the one that trips.

    ``earliest`` is when the failure came that, with all up to this one, makes just enough of
    them since the breaker closed; minus infinity if there are fewer. Those of one instant are
    within any window.
    """
    if breaker.phase == CLOSED and (earliest == now or before(now, earliest + window)):
        return Breaker(OPEN, now, False)
    return breaker


def trial_ended(breaker: Breaker, now: float, well: bool) -> Breaker:
    """Decide by the trial how the callee is: close, or open again for as long."""
    if well:
        return Breaker(CLOSED, breaker.opened_at, False)
    return Breaker(OPEN, now, False)


def trial_abandoned(breaker: Breaker) -> Breaker:
    """Go on waiting for a trial: the caller died before it knew."""
    return Breaker(HALF_OPEN, breaker.opened_at, False)


# -- bulkhead ------------------------------------------------------------------------


def has_room(under_way: int, limit: int) -> bool:
    """Say whether one more call may be under way.

    >>> has_room(2, limit=3), has_room(3, limit=3)
    (True, False)
    """
    return under_way < limit


# -- token bucket, retry budget ------------------------------------------------------


def take(full_at: float, taken: int, now: float, rate: float, size: int) -> tuple[bool, float, int]:
    """Take a token, if there is one, from a bucket of ``size`` that fills at ``rate``.

    Of the bucket is known when it was full last and how many tokens were ``taken`` since then;
    both follow the answer. What has come since then is multiplied out and never summed up,
    so that what is lost by rounding does not add up. For a retry budget ``now`` is the number
    of calls so far, and ``rate`` what each saves.

    >>> take(10.0, 3, 12.0, rate=0.5, size=3)
    (True, 10.0, 4)
    >>> take(10.0, 3, 11.9, rate=0.5, size=3)
    (False, 10.0, 3)
    >>> take(10.0, 3, 16.0, rate=0.5, size=3)
    (True, 16.0, 1)
    """
    come = rate * (now - full_at)
    if come >= taken:  # it is full again
        return True, now, 1
    if taken + 1 - size > come + ROUNDING * rate * now:
        return False, full_at, taken
    return True, full_at, taken + 1
