"""How far numbers may lie apart that would be equal if computers did not round.

A time is a sum of times, and each sum is rounded to the 53 bits of a float. So what
is due at one instant is computed a little before or after it, by some units in the
last place of the time *since the beginning*, however short the wait that is measured:
at 10^7 s by some nanoseconds, in the first second by less than a femtosecond. A
tolerance is therefore a fraction of the numbers that were rounded, never a fixed
number of seconds or tokens.
"""

from typing import Final

ROUNDING: Final = 1e-13  # some hundreds of roundings, each of at most 2**-53


def before(time: float, other: float) -> bool:
    """Say whether a time (>= 0) comes before another one, and not by a rounding only.

    For what is asked now and then: has a deadline passed, is a window over? What happens at its
    time stands in the agenda, where times are compared exactly (``rules.order``).

    >>> before(0.3, 0.1 + 0.2), before(1e7 + 0.3, 1e7 + 0.1 + 0.2), before(0.3, 0.300001)
    (False, False, True)
    """
    return time * (1 + ROUNDING) < other
