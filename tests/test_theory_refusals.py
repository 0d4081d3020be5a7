"""What has no answer is refused, with the rule, the value and the remedy."""

import math
from collections.abc import Callable

import pytest

from eda_sim.errors import InvalidInput
from eda_sim.theory import (
    availability,
    availability_in_parallel,
    availability_in_series,
    caller_holding_time,
    dead_letter_probability,
    drain_time,
    erlang_b,
    erlang_c,
    expected_attempts,
    jackson,
    jackson_tandem,
    kingman,
    littles_law,
    mm1,
    mmc,
    mmck,
    pollaczek_khinchine,
    utilisation,
)

REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: mmc(1, 1, 0), "servers must be >= 1, got 0: give at least one server"),
    (lambda: mmc(1, 1, 1.5), "servers must be a whole number, got 1.5: give a count"),
    (lambda: erlang_b(1, True), "servers must be a whole number, got True: give a count"),
    (lambda: mmc(-1, 1, 1), "arrival_rate must be >= 0, got -1: give a non-negative number"),
    (lambda: mmc(1, 0, 1), "mean_service must be > 0, got 0: give a positive number"),
    (lambda: mm1(math.nan, 1), "arrival_rate must be >= 0, got nan: give a finite number"),
    (lambda: mm1("80", 1), "arrival_rate must be >= 0, got '80': give a finite number"),
    (
        lambda: mmc(160, 0.015, 2),
        "offered load must be < servers = 2, got 2.4 erlang: "
        "add servers, lower arrival_rate or mean_service",
    ),
    (
        lambda: mm1(49, 1 / 49),
        "offered load must be < servers = 1, got 1 erlang: "
        "add servers, lower arrival_rate or mean_service",
    ),
    (
        lambda: erlang_c(2, 2),
        "offered load must be < servers = 2, got 2 erlang: add servers, or lower offered",
    ),
    (
        lambda: pollaczek_khinchine(100, 0.010, 0),
        "offered load must be < servers = 1, got 1 erlang: lower arrival_rate or mean_service",
    ),
    (
        lambda: pollaczek_khinchine(1, 0.1, -1),
        "cv must be >= 0, got -1: give a non-negative number",
    ),
    (
        lambda: kingman(9, 0.1, math.inf, 1),
        "cv_arrival must be >= 0, got inf: give a finite number",
    ),
    (
        lambda: utilisation(40, 1, 32),
        "offered load must be < servers = 32, got 40 erlang: "
        "add servers, lower arrival_rate or mean_holding_time",
    ),
    (
        lambda: caller_holding_time(1, 2, -3),
        "callees[1] must be >= 0, got -3: give a non-negative number",
    ),
    (
        lambda: mmck(1, 1, 3, 2),
        "capacity must be >= servers = 3, got 2: capacity counts those being served too",
    ),
    (
        lambda: mmc(1, 0.5, 1).wait_quantile(1),
        "p must be in [0, 1), got 1: give a fraction, 0.95 for the 95th percentile",
    ),
    (
        lambda: mmc(1, 0.5, 1).response_exceeds(-1),
        "seconds must be >= 0, got -1: give a non-negative number",
    ),
    (
        lambda: littles_law(arrival_rate=1),
        "littles_law must be given two quantities, got arrival_rate: leave out the one you want",
    ),
    (
        lambda: littles_law(arrival_rate=1, mean_time=2, mean_number=3),
        "littles_law must be given two quantities, got arrival_rate, mean_time, mean_number: "
        "leave out the one you want",
    ),
    (
        lambda: littles_law(arrival_rate=0, mean_number=1),
        "arrival_rate must be > 0, got 0.0: give a positive number",
    ),
    (
        lambda: jackson_tandem(80, [(0.010, 1), (0.020, 1)]),
        "services[1]: offered load must be < servers = 1, got 1.6 erlang: "
        "add servers, lower arrival_rate or mean_service",
    ),
    (
        lambda: jackson_tandem(80, []),
        "services must have at least 1 entry, got 0: give (mean_service, servers) pairs",
    ),
    (
        lambda: jackson([1, 0], [[0, 1], [1, 0]], [(0.1, 1), (0.1, 1)]),
        "routing must let every request leave, got no way out of station 0: "
        "lower a row's sum below 1",
    ),
    (
        lambda: jackson([1, 1], [[0, 0], [0, 1]], [(0.1, 1), (0.1, 1)]),
        "routing must let every request leave, got no way out of station 1: "
        "lower a row's sum below 1",
    ),
    (
        lambda: jackson([1], [[0, 1]], [(0.1, 1)]),
        "routing must be 1 x 1, got 1 rows of [2]: give each station a row",
    ),
    (
        lambda: jackson([1, 1], [[0.5, 0.75], [0, 0]], [(0.1, 1), (0.1, 1)]),
        "sum(routing[0]) must be <= 1, got 1.25: the rest leaves",
    ),
    (
        lambda: jackson([1], [[-0.5]], [(0.1, 1)]),
        "routing[0][0] must be in [0, 1], got -0.5: give a fraction, 0.01 for one percent",
    ),
    (
        lambda: jackson([1], [[0]], []),
        "services must have 1 entries, got 0: give each station its mean service time and servers",
    ),
    (
        lambda: jackson([0], [[0]], [(0.1, 1)]),
        "sum(external_rates) must be > 0, got 0.0: give a positive number",
    ),
    (
        lambda: expected_attempts(1.2, 3),
        "failure must be in [0, 1], got 1.2: give a fraction, 0.01 for one percent",
    ),
    (
        lambda: dead_letter_probability(0.1, 0),
        "max_attempts must be >= 1, got 0: give at least one attempt",
    ),
    (
        lambda: availability_in_series(),
        "availabilities must have at least 1 entry, got 0: give one for each service",
    ),
    (
        lambda: availability_in_parallel(0.9, 99),
        "availabilities[1] must be in [0, 1], got 99: give a fraction, 0.01 for one percent",
    ),
    (lambda: availability(0, 1), "mtbf must be > 0, got 0: give a positive number"),
    (
        lambda: drain_time(100, 40, 40),
        "capacity must be > arrival_rate = 40 per second, got 40: "
        "raise capacity or lower arrival_rate, or the backlog never drains",
    ),
]


@pytest.mark.parametrize(("ask", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refusals_name_the_rule_the_value_and_the_remedy(
    ask: Callable[[], object], message: str
) -> None:
    """What has no answer is refused in one line, before anything is computed."""
    with pytest.raises(InvalidInput) as refusal:
        ask()
    assert str(refusal.value) == message
