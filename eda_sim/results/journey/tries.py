"""The tries of a call, as its caller saw each: sent or held back, heard of or given up."""

from math import nan
from typing import Any, Final, NamedTuple

from eda_sim.results.case import Case, Rows, grouped

# What keeps a try from leaving its caller, and how that is told.
_HELD_BACK: Final = {
    "short_circuited": "short-circuited",
    "bulkhead_full": "rejected",
    "deadline_passed": "timed out",
}
# What is written down as a try leaves its caller.
_AS_IT_LEFT: Final = ("lost_on_the_way", "cut_off", "held_up", "doubled")


class Try(NamedTuple):
    """One try of a call; times in seconds, NaN for never.

    Attributes:
        number: its number, from 1.
        sent_at: when it left its caller.
        held_back: why it did not as far as is known, and when; else None.
        arrivals: the attempts it led to, two where a link doubled it.
        gave_up_at: when its caller waited no longer.
    """

    number: int
    sent_at: float
    held_back: tuple[str, float] | None
    arrivals: Rows
    gave_up_at: float


def tries_of(case: Case, call: Any) -> list[Try]:
    """Return the tries of a call by their number."""
    incidents = case.incidents[call.message, call.service]
    attempts = grouped(case.attempts[call.message, call.service], lambda row: row.attempt)
    troubles = grouped(incidents, lambda row: row.attempt)
    numbers = sorted({1, *attempts, *(number for number in troubles if number > 0)})
    return [_try(call, number, attempts[number], troubles[number]) for number in numbers]


def _try(call: Any, number: int, arrivals: Rows, incidents: Rows) -> Try:
    at = {row.what: row.at for row in incidents}
    gave_up_at = at.get("timed_out", nan)
    left_at = [row.sent_at for row in arrivals] or [at[what] for what in _AS_IT_LEFT if what in at]
    stops = [(told, at[what]) for what, told in _HELD_BACK.items() if what in at]
    if number > 1:  # one that was still on its way when the run ended stands in no table
        stops.append(("timed out", gave_up_at))
    if not left_at and stops:
        return Try(number, nan, stops[0], arrivals, gave_up_at)
    return Try(number, left_at[0] if left_at else call.started_at, None, arrivals, gave_up_at)
