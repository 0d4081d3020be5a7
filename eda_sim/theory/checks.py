"""What is refused: numbers out of range, and queues that receive more than they can do.

Each check returns the number it was given, as float or int, so that checking and using
are one expression.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import NoReturn

from eda_sim.errors import InvalidInput

ROUNDING = 1e-12  # how far sums and products of decimals may miss a whole number


def refuse(name: str, rule: str, value: object, remedy: str) -> NoReturn:
    """Raise `InvalidInput`, one line: name, rule, value, remedy."""
    raise InvalidInput(f"{name} must {rule}, got {value}: {remedy}")


def number(name: str, value: float, *, positive: bool = False) -> float:
    """A finite number >= 0 (or > 0)."""
    rule = "be > 0" if positive else "be >= 0"
    if not isinstance(value, Real) or not math.isfinite(value):
        refuse(name, rule, repr(value), "give a finite number")
    if value < 0 or (positive and value == 0):
        refuse(name, rule, value, f"give a {'positive' if positive else 'non-negative'} number")
    return float(value)


def count(name: str, value: int) -> int:
    """A whole number >= 1."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        refuse(name, "be a whole number", repr(value), "give a count")
    if value < 1:
        noun = {"servers": "server", "max_attempts": "attempt"}.get(name, "place")
        refuse(name, "be >= 1", value, f"give at least one {noun}")
    return int(value)


def probability(name: str, value: float) -> float:
    """A fraction in [0, 1]."""
    if not isinstance(value, Real) or not 0 <= value <= 1:
        refuse(name, "be in [0, 1]", value, "give a fraction, 0.01 for one percent")
    return float(value)


def tail_of(p: float) -> float:
    """1 - p, the fraction beyond the quantile p in [0, 1)."""
    if not isinstance(p, Real) or not 0 <= p < 1:
        refuse("p", "be in [0, 1)", p, "give a fraction, 0.95 for the 95th percentile")
    return 1 - float(p)


def stable(load: float, servers: int, remedy: str) -> float:
    """A load in erlang that `servers` can carry; at or above, no steady state exists."""
    # 49 requests of 1/49 s come out one bit below 1 erlang, and are 1 all the same.
    if load >= servers * (1 - ROUNDING):
        refuse("offered load", f"be < servers = {servers}", f"{load:g} erlang", remedy)
    return load
