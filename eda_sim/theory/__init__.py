"""Closed forms: what a simulation of a simple system must agree with.

A formula here is an oracle for the engine and a first answer for the reader. It is
only as good as its assumptions, so each docstring says what it assumes, and an
approximation says that it is one. A queue that receives more work than it can do has
no steady state: its formulas would still print a number, so it is refused instead.

Units: times in seconds, rates per second; loads in erlang (arrival rate x mean service
time = how many servers the work keeps busy); probabilities, utilisations and
availabilities as fractions. Letters in the formulas: lambda arrival rate, S mean
service time, c servers, a = lambda S offered load, rho = a / c, cv coefficient of
variation (standard deviation / mean; 0 constant, 1 exponential).

Every number that is out of range, and every queue with a >= c, raises `InvalidInput`
naming the parameter, the rule, the value and the remedy.

Sources: "Gross" is D. Gross, J. Shortle, J. Thompson, C. Harris, *Fundamentals of
Queueing Theory*, 4th edition, Wiley 2008. Papers are named where they are used.
"""

from eda_sim.theory.failures import (
    availability,
    availability_in_parallel,
    availability_in_series,
    backlog_after_outage,
    dead_letter_probability,
    drain_time,
    expected_attempts,
    visibility_timeout_duplicates,
)
from eda_sim.theory.laws import (
    caller_holding_time,
    littles_law,
    offered_load,
    utilisation,
)
from eda_sim.theory.networks import (
    JacksonNetwork,
    jackson,
    jackson_tandem,
)
from eda_sim.theory.queues import (
    MMc,
    MMcK,
    Queue,
    erlang_b,
    erlang_c,
    kingman,
    mg_infinity_number,
    mm1,
    mmc,
    mmck,
    pollaczek_khinchine,
)

__all__ = [
    "JacksonNetwork",
    "MMc",
    "MMcK",
    "Queue",
    "availability",
    "availability_in_parallel",
    "availability_in_series",
    "backlog_after_outage",
    "caller_holding_time",
    "dead_letter_probability",
    "drain_time",
    "erlang_b",
    "erlang_c",
    "expected_attempts",
    "jackson",
    "jackson_tandem",
    "kingman",
    "littles_law",
    "mg_infinity_number",
    "mm1",
    "mmc",
    "mmck",
    "offered_load",
    "pollaczek_khinchine",
    "utilisation",
    "visibility_timeout_duplicates",
]
