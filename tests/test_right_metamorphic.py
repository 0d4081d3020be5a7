"""What must follow when a world is changed in a known way."""

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from eda_sim import (
    Call,
    Constant,
    Exponential,
    Gamma,
    LogNormal,
    Publish,
    Run,
    Scenario,
    Service,
    Uniform,
    Work,
    compare,
    order_chain,
    order_pubsub,
    simulate,
)
from eda_sim.rules.tables import TABLES
from eda_sim.scenario.distributions import Distribution
from eda_sim.scenario.messages import mentions, name_of
from tests.strategies import scenarios, stretched
from tests.worlds import busy_worlds, digest, everything, fingerprint, queue, takes

# Of what is odd in random worlds is warned.
pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")

seeds = st.integers(0, 2**32)

# -- twice as long ---------------------------------------------------------------------


def assert_twice(once: pd.DataFrame, twice: pd.DataFrame) -> None:
    """Every time is exactly twice as long, everything else is the same."""
    assert list(once.columns) == list(twice.columns)
    for name, column in once.items():
        other = twice[name]
        if column.dtype == np.float64 and name != "factor":
            assert np.array_equal(2 * column.to_numpy(), other.to_numpy(), equal_nan=True), name
        else:
            assert digest(column.to_frame()) == digest(other.to_frame()), name


@example(everything(20.0), 1)
@given(scenarios(), seeds)
@settings(max_examples=30)
def test_times_twice_as_long_give_lags_exactly_twice_as_long(scenario: Scenario, seed: int) -> None:
    """Work, network, broker, waits, timeouts, breakers, faults, traffic: all of it half as fast.

    Doubling is exact in floating point, so each time of each table is doubled to the digit.
    """
    once, twice = simulate(scenario, seed), simulate(stretched(scenario, 2.0), seed)
    for name in TABLES:
        assert_twice(once.tables[name], twice.tables[name])
    assert_twice(once.ledger(), twice.ledger())
    slow, fast = twice.summary(), once.summary()
    for metric in fast.index[fast.index.str.contains("_time_|_lag_")]:
        assert slow[metric] == pytest.approx(2 * fast[metric], rel=1e-12, nan_ok=True)


# -- a subscriber more -----------------------------------------------------------------

OWNERS = {
    "messages": "sender",
    "calls": "caller",
    "attempts": "service",
    "effects": "service",
    "deliveries": "subscriber",
    "incidents": "service",
    "faults": "target",
}


def without(run: Run, newcomers: set[str]) -> Mapping[str, str]:
    """Digests of all tables without the rows that newcomers have made."""
    found = {}
    for name, table in run.tables.items():
        owner = OWNERS.get(name)
        old = table if owner is None else table[~table[owner].isin(newcomers)]
        if name == "calls":
            old = old[~old["service"].isin(newcomers)]
        found[name] = digest(old)
    return found


def with_listeners(scenario: Scenario, events: list[str]) -> Scenario:
    """The same world with a service that hears every event, calls and publishes anew."""
    hearing = {
        event: [Work(Exponential(0.01), "listen", transient=0.2), Call("File"), Publish("Filed")]
        for event in events
    }
    newcomers = [
        Service("audit", on=hearing),
        Service("files", on={"File": [takes(0.001, "file")]}),
        Service("press", on={"Filed": [takes(0.001, "print")]}),
    ]
    return scenario.replace(services=[*scenario.services, *newcomers])


@example(everything(20.0).replace("audit.name", "auditor"), 1)
@given(scenarios(), seeds)
@settings(max_examples=30)
def test_a_subscriber_more_leaves_every_other_row_as_it_was(scenario: Scenario, seed: int) -> None:
    """It works, fails, calls and publishes; nobody else has one digit changed in any table."""
    said = mentions(scenario.traffic, scenario.services)
    events = sorted({name_of(m.step) for m in said if isinstance(m.step, Publish)})
    assume(events)
    more = simulate(with_listeners(scenario, events), seed)
    newcomers = {"audit", "files", "press"}
    assert without(more, newcomers) == without(simulate(scenario, seed), newcomers)
    heard = more.messages["accepted_at"].notna() & more.messages["name"].isin(events)
    assert (more.deliveries["subscriber"] == "audit").sum() == heard.sum()


def test_a_subscriber_more_costs_the_customers_of_the_shop_nothing() -> None:
    """The catalogue's shop: every response time is the same to the digit."""
    shop = order_pubsub(duration=30, warmup=0)
    fraud = Service("fraud", on={"OrderPlaced": [Work(LogNormal(1.0), "look closely")]})
    before, after = simulate(shop, 3), simulate(shop.replace(services=[*shop.services, fraud]), 3)
    assert digest(before.requests) == digest(after.requests)
    assert (after.deliveries["subscriber"] == "fraud").sum() == len(before.requests)


# -- a worker more ---------------------------------------------------------------------

shapes = st.sampled_from(
    [Exponential(0.01), Uniform(0, 0.02), LogNormal(0.01, cv=2), Gamma(0.01, cv=2)]
)


@given(st.integers(1, 4), shapes, seeds)
@settings(max_examples=15)
def test_a_worker_more_starts_nothing_later(workers: int, shape: Distribution, seed: int) -> None:
    """First come, first served, without retries: one more worker helps some and harms nobody."""
    scenario = queue(110.0 * workers, shape, requests=300)
    few = simulate(scenario.replace("server.workers", workers), seed).attempts
    many = simulate(scenario.replace("server.workers", workers + 1), seed).attempts
    assert few["request"].equals(many["request"])
    assert (many["started_at"] <= few["started_at"]).all()
    assert (many["started_at"] < few["started_at"]).any()


@given(shapes, seeds, st.floats(1.1, 5))
@settings(max_examples=15)
def test_faster_work_ends_nothing_later(shape: Distribution, seed: int, factor: float) -> None:
    """The same luck at a higher speed: every request is answered at least as early."""
    slow = queue(90.0, shape, requests=300)
    fast = stretched(slow.services[0], 1 / factor)
    one, other = simulate(slow, seed), simulate(slow.replace(services=[fast]), seed)
    assert (other.requests["answered_at"] <= one.requests["answered_at"]).all()


def test_latency_of_a_network_that_nobody_waits_for_only_adds_up() -> None:
    """Constant latency on each way moves every request by twice as much, and nothing else."""
    near = queue(80.0, Exponential(0.01), requests=500)
    far = near.replace(network=Constant(0.5))
    one, other = simulate(near, 1).requests, simulate(far, 1).requests
    assert np.allclose(other["answered_at"], one["answered_at"] + 1.0, rtol=0, atol=1e-9)


# -- another process -------------------------------------------------------------------

_SCRIPT = """
from eda_sim import simulate
from tests.worlds import busy_worlds, fingerprint
for scenario in busy_worlds():
    print(fingerprint(simulate(scenario, seed=11)))
"""


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_another_process_with_another_hash_seed_has_the_same_tables(hash_seed: str) -> None:
    """All tables of three busy worlds, digit for digit: nothing hangs on the order of a set."""
    fresh = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [str(fingerprint(simulate(scenario, seed=11))) for scenario in busy_worlds()]
    assert fresh.stdout.splitlines() == here
    assert len(set(here)) == 3


# -- pairs -----------------------------------------------------------------------------


def test_pairing_makes_the_interval_of_a_difference_several_times_narrower() -> None:
    """A slower mail, a slower network, another architecture; eight replications on equal orders.

    Without pairing, the same runs would tell the difference that the mail makes with an
    interval three times as wide or more, and that of the network with one ten times as wide:
    ten times narrower saves 99 of 100 runs. Where the answer no longer hangs on the same
    work, in publish/subscribe, pairing still tells when an order is complete twice as well.
    """
    scenarios = {
        "chain": order_chain(duration=60, warmup=5),
        "slower mail": order_chain(duration=60, warmup=5, email_mean=0.055),
        "slower network": order_chain(duration=60, warmup=5, network_mean=0.002),
        "pub/sub": order_pubsub(duration=60, warmup=5),
    }
    with ThreadPoolExecutor(1) as executor:
        comparison = compare(scenarios, 8, seed=1, executor=executor, progress=False)
    found = comparison.differences(metrics=["response_time_mean", "completion_time_mean"])
    print(found[["difference", "half_width", "unpaired_half_width", "narrower"]])
    narrower = found["narrower"]
    assert narrower["slower mail", "response_time_mean"] > 3
    assert narrower["slower network", "response_time_mean"] > 10
    assert narrower["pub/sub", "completion_time_mean"] > 2
