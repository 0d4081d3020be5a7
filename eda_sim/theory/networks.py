"""Networks of queues: open Jackson networks, and the tandem as their plainest case.

In steady state the stations of such a network are independent, each an M/M/c with the
rate that the traffic equations give it, even where feedback makes its arrivals anything
but Poisson: so a network is a tuple of `MMc` and two sums over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eda_sim.errors import InvalidInput
from eda_sim.theory.checks import ROUNDING, number, probability, refuse
from eda_sim.theory.queues import MMc, mmc


@dataclass(frozen=True)
class JacksonNetwork:
    """An open Jackson network: each station behaves as an M/M/c of its own."""

    external_rate: float
    stations: tuple[MMc, ...]

    @property
    def mean_number(self) -> float:
        """Mean number of requests in the network."""
        return math.fsum(station.mean_number for station in self.stations)

    @property
    def mean_response(self) -> float:
        """Mean seconds from a request's arrival to its leaving, all visits and waits."""
        return self.mean_number / self.external_rate


def jackson(
    external_rates: Sequence[float],
    routing: Sequence[Sequence[float]],
    services: Sequence[tuple[float, int]],
) -> JacksonNetwork:
    """An open network with Poisson arrivals from outside and exponential service.

    `external_rates` (n), per second; `routing` (n x n), routing[i][j] the probability
    of going from station i to j, what a row lacks to 1 leaves; `services` (n), pairs of
    mean service time and servers. Traffic equations: rate_j = external_j + sum over i
    of rate_i routing[i][j]. J. Jackson, "Networks of Waiting Lines", Operations
    Research 5 (1957); Gross 4.2. Refuses a routing from which some never leave, and
    names the station that is overloaded.

    >>> feedback = jackson([50], [[0.2]], [(0.010, 1)])
    >>> round(feedback.mean_number, 4), round(feedback.mean_response, 5)
    (1.6667, 0.03333)
    """
    external = [number(f"external_rates[{i}]", rate) for i, rate in enumerate(external_rates)]
    matrix = _checked_routing(routing, len(external))
    if len(services) != len(external):
        remedy = "give each station its mean service time and servers"
        refuse("services", f"have {len(external)} entries", len(services), remedy)
    total = number("sum(external_rates)", math.fsum(external), positive=True)
    rates = np.linalg.solve(np.eye(len(external)) - matrix.T, external)
    stations = []
    for i, (rate, (mean_service, servers)) in enumerate(zip(rates, services, strict=True)):
        try:
            stations.append(mmc(max(float(rate), 0.0), mean_service, servers))
        except InvalidInput as error:
            raise InvalidInput(f"services[{i}]: {error}") from None
    return JacksonNetwork(total, tuple(stations))


def jackson_tandem(arrival_rate: float, services: Sequence[tuple[float, int]]) -> JacksonNetwork:
    """Stations one after another, as (mean service time, servers). Gross 4.1.

    The departures of an M/M/c are Poisson again (Burke), so the means just add up.

    >>> round(jackson_tandem(80, [(1 / 100, 1), (1 / 125, 1)]).mean_response, 5)
    0.07222
    """
    if not services:
        refuse("services", "have at least 1 entry", 0, "give (mean_service, servers) pairs")
    n = len(services)
    return jackson([arrival_rate] + [0.0] * (n - 1), np.eye(n, k=1).tolist(), services)


def _checked_routing(routing: Sequence[Sequence[float]], n: int) -> NDArray[np.float64]:
    if len(routing) != n or any(len(row) != n for row in routing):
        shape = f"{len(routing)} rows of {[len(row) for row in routing]}"
        refuse("routing", f"be {n} x {n}", shape, "give each station a row")
    for i, row in enumerate(routing):
        for j, share in enumerate(row):
            probability(f"routing[{i}][{j}]", share)
        if math.fsum(row) > 1 + ROUNDING:
            refuse(f"sum(routing[{i}])", "be <= 1", math.fsum(row), "the rest leaves")
    matrix = np.array(routing, dtype=float).reshape(n, n)
    # Where a request can circle for ever, the traffic equations have no solution.
    leaves = matrix.sum(axis=1) < 1 - ROUNDING
    for _ in range(n):
        leaves |= (matrix > 0) @ leaves
    if not leaves.all():
        closed = f"no way out of station {int(np.argmin(leaves))}"
        refuse("routing", "let every request leave", closed, "lower a row's sum below 1")
    return matrix
