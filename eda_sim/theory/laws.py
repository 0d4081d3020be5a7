"""Laws that hold for any distribution: Little, offered load, utilisation.

They need a steady state (or means alone) and no assumption about randomness, so they
must hold in every run, whatever its scenario.
"""

from __future__ import annotations

import math

from eda_sim.theory.checks import count, number, refuse, stable


def littles_law(
    *,
    arrival_rate: float | None = None,
    mean_time: float | None = None,
    mean_number: float | None = None,
) -> float:
    """Mean number inside = arrival rate x mean time inside; gives the one left out.

    Needs a steady state and nothing else. J. Little, "A Proof for the Queuing Formula:
    L = lambda W", Operations Research 9 (1961). Raises `InvalidInput` unless exactly
    two are given.

    >>> littles_law(arrival_rate=80, mean_time=0.05)
    4.0
    """
    given = {"arrival_rate": arrival_rate, "mean_time": mean_time, "mean_number": mean_number}
    known = {name: number(name, value) for name, value in given.items() if value is not None}
    if len(known) != 2:
        names = ", ".join(known) or "none"
        refuse("littles_law", "be given two quantities", names, "leave out the one you want")
    if "mean_number" not in known:
        return known["arrival_rate"] * known["mean_time"]
    divisor = "mean_time" if "mean_time" in known else "arrival_rate"
    return known["mean_number"] / number(divisor, known[divisor], positive=True)


def offered_load(arrival_rate: float, mean_service: float) -> float:
    """Arrival rate x mean service time, in erlang (Gross 1.5); may exceed the servers.

    >>> offered_load(80, 0.0125)
    1.0
    """
    return number("arrival_rate", arrival_rate) * number(
        "mean_service", mean_service, positive=True
    )


def utilisation(arrival_rate: float, mean_holding_time: float, servers: int) -> float:
    """The fraction of time that a server is held: lambda x mean holding time / servers.

    The utilisation law (P. Denning, J. Buzen, "The Operational Analysis of Queueing
    Network Models", ACM Computing Surveys 10, 1978), for any distribution and any
    reason to be held. Refuses a load that the servers cannot carry.

    >>> utilisation(40, 0.12, servers=32)
    0.15
    """
    servers = count("servers", servers)
    rate = number("arrival_rate", arrival_rate)
    load = rate * number("mean_holding_time", mean_holding_time)
    remedy = "add servers, lower arrival_rate or mean_holding_time"
    return stable(load, servers, remedy) / servers


def caller_holding_time(own: float, *callees: float) -> float:
    """How long one request holds the caller's worker, mean seconds: own work + callees.

    `own` is the mean of the caller's own work; each of `callees` the mean time from a
    synchronous call to its reply: the callee's queue and work, and the network both
    ways. Means add up whatever their dependence; this is for calls made one after
    another that neither fail nor time out.

    >>> held = caller_holding_time(0.005, 0.060, 0.030, 0.025)
    >>> round(held, 3), round(utilisation(40, held, servers=32), 3)
    (0.12, 0.15)
    """
    checked = [number(f"callees[{i}]", callee) for i, callee in enumerate(callees)]
    return math.fsum([number("own", own), *checked])
