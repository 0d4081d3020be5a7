"""Luck in a run: the same order has the same luck, whatever else is there."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from eda_sim import (
    Backoff,
    Branch,
    Broker,
    Bursts,
    Call,
    Constant,
    DeliveryPolicy,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Outage,
    Pareto,
    Poisson,
    Publish,
    Regular,
    Retry,
    Run,
    Send,
    Service,
    Slowdown,
    Traffic,
    Uniform,
    Work,
    order_chain,
    order_pubsub,
    simulate,
)
from eda_sim.scenario.distributions import Distribution
from tests.worlds import beside, digest, durations, handled, rows, takes, within, world

# -- every distribution reproduces its mean --------------------------------------------

SIGMA = math.sqrt(math.log1p(2.0**2))  # of a log-normal with cv 2
SHAPES: list[tuple[Distribution, Any]] = [
    (Exponential(0.1), stats.expon(scale=0.1)),
    (LogNormal(0.1, cv=2.0), stats.lognorm(SIGMA, scale=0.1 * math.exp(-(SIGMA**2) / 2))),
    (Gamma(0.1, cv=0.5), stats.gamma(4, scale=0.1 / 4)),
    (Gamma(0.1, cv=2.0), stats.gamma(0.25, scale=0.4)),
    (Uniform(0.05, 0.2), stats.uniform(0.05, 0.15)),
    (Pareto(0.1, shape=3.5), stats.pareto(3.5, scale=0.1 * 2.5 / 3.5)),
    (Empirical([0.05, 0.05, 0.2, 0.4]), None),
    (Constant(0.1), None),
]


def test_every_distribution_is_itself_in_a_run() -> None:
    """Works that never wait take their mean on average, within 4 standard errors (cv / √n).

    And they are distributed as scipy says: Kolmogorov-Smirnov, p above 0.001, seed fixed.
    """
    services = [
        Service(f"s{n}", workers=500, on={"E": [Work(shape, "w")]})
        for n, (shape, _) in enumerate(SHAPES)
    ]
    run = simulate(world(Publish("E"), Poisson(100), services), seed=1)
    took = run.attempts["ended_at"] - run.attempts["started_at"]
    by_service = took.groupby(run.attempts["service"])
    for (shape, truth), (_, sample) in zip(SHAPES, by_service, strict=True):
        values = sample.to_numpy()
        assert len(values) > 9_500
        assert within(values, shape.mean, shape.mean * shape.cv + 1e-9)
        if truth is not None:
            assert truth.mean() == pytest.approx(shape.mean, rel=1e-12)
            assert truth.std() == pytest.approx(shape.mean * shape.cv, rel=1e-12)
            assert stats.kstest(values, truth.cdf).pvalue > 0.001


# -- the same order has the same luck --------------------------------------------------


def test_architectures_share_orders_and_the_luck_of_each_order() -> None:
    """In the chain and through the broker, order n comes then and its card takes that long."""
    chain = simulate(order_chain(duration=30, warmup=0, payment_transient=0), seed=4)
    pubsub = simulate(order_pubsub(duration=30, warmup=0, payment_transient=0), seed=4)
    assert chain.requests["started_at"].equals(pubsub.requests["started_at"])
    for service in ("payment", "inventory", "email", "analytics"):
        assert durations(chain, service) == durations(pubsub, service)
    assert len(chain.requests) > 1000


def test_failures_strike_the_same_orders_in_every_architecture() -> None:
    """The first try fails, transiently or for good, for the same requests."""
    settings = {"duration": 30, "warmup": 0, "payment_transient": 0.1, "payment_permanent": 0.05}
    found = []
    for scenario in (order_chain(**settings), order_pubsub(**settings)):  # type: ignore[arg-type]
        attempts = simulate(scenario, seed=4).attempts
        first = attempts[(attempts["service"] == "payment") & (attempts["attempt"] == 1)]
        found.append(first.set_index("request")["outcome"].astype(str).to_dict())
    assert found[0] == found[1]
    assert set(found[0].values()) == {"ok", "failed", "failed_permanently"}


def test_another_seed_is_other_luck() -> None:
    """Not one request in common."""
    one, other = (simulate(order_chain(duration=10, warmup=0), seed=s).requests for s in (1, 2))
    assert not set(one["started_at"]) & set(other["started_at"])


def test_a_later_try_has_luck_of_its_own() -> None:
    """The same work of the same request takes another time in each try."""
    policy = DeliveryPolicy(retry=Retry(max_attempts=3, backoff=Backoff(0.5)))
    services = [
        Service(
            "a", workers=200, on={"E": handled(policy, Work(Exponential(1), "w", transient=1.0))}
        )
    ]
    run = simulate(world(Publish("E"), Regular(10), services))
    found = pd.Series(durations(run, "a")).unstack()
    assert found.shape == (1000, 3)
    assert not found.isna().any(axis=None)
    correlation = np.corrcoef(found.to_numpy().T)
    assert (np.abs(correlation[np.triu_indices(3, 1)]) < 4 / 1000**0.5).all()


def test_tries_of_publisher_and_subscriber_never_meet() -> None:
    """A publisher's second try and its subscriber's first is not its first and their second.

    The publisher fails after publishing, so the same message comes again; each of the nine
    pairs of tries has a duration of its own.
    """
    policy = DeliveryPolicy(retry=Retry(max_attempts=3, backoff=Backoff(20.0, factor=1.0)))
    services = [
        Service("a", on={"E": handled(policy, Publish("F"), takes(0, "fail", transient=1.0))}),
        Service("b", workers=9, on={"F": handled(policy, Work(Uniform(0, 1), "w", transient=1.0))}),
    ]
    run = simulate(world(Publish("E"), [0], services, drain=200.0))
    mine = run.attempts[run.attempts["service"] == "b"]
    assert len(mine) == 9
    assert (mine["ended_at"] - mine["started_at"]).round(9).nunique() == 9


def test_work_reached_at_two_places_has_luck_of_its_own_at_each() -> None:
    """Called twice by one request, the callee takes two different times."""
    services = [
        Service("a", workers=200, on={"M0": [Call("C"), Call("C")]}),
        Service("c", workers=200, on={"C": [Work(Exponential(1), "w")]}),
    ]
    run = simulate(world(Call("M0"), Regular(10), services))
    mine = run.attempts[run.attempts["service"] == "c"].sort_values("message")
    first, second = (mine["ended_at"] - mine["started_at"]).to_numpy().reshape(-1, 2).T
    assert not (first == second).any()
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / 1000**0.5


def test_permanent_failures_are_drawn_once_for_each_request() -> None:
    """A try that comes again because something else failed does not turn a request to poison."""
    again = DeliveryPolicy(retry=Retry(max_attempts=5, backoff=Backoff(0.0)))
    once = [Work(Constant(0), "bad", permanent=0.3), Work(Constant(0), "late", transient=0.5)]
    services = [Service("a", on={"E": handled(again, *once)})]
    run = simulate(world(Publish("E"), Regular(20), services), seed=2)
    outcomes = run.attempts.groupby("request")["outcome"].agg(lambda column: set(column))
    poison = outcomes.map(lambda found: "failed_permanently" in found)
    assert within(poison.to_numpy(), 0.3, (0.3 * 0.7) ** 0.5)
    assert all(found == {"failed_permanently"} for found in outcomes[poison])


def test_transient_failures_are_drawn_for_each_attempt() -> None:
    """The second try fails as often as the first, whether or not the first did."""
    policy = DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(0.0)))
    work = Work(Constant(0), "w", transient=0.4)
    services = [Service("a", on={"E": handled(policy, work)})]
    run = simulate(world(Publish("E"), Regular(100), services), seed=2)
    for _, tries in run.attempts.groupby("attempt"):
        failed = (tries["outcome"] == "failed").to_numpy()
        assert within(failed, 0.4, (0.4 * 0.6) ** 0.5)


# -- decisions -------------------------------------------------------------------------


def decided(run: Run) -> pd.Series:
    """Which ways each request took, over all its tries."""
    ways = run.effects[run.effects["label"].isin(["yes", "no"])]
    return ways.groupby("request")["label"].agg(lambda labels: "/".join(sorted(set(labels))))


def test_a_decision_is_the_same_in_every_try_and_every_architecture() -> None:
    """Called, sent or published, tried once or five times: request n goes the same way."""
    ways = Branch(0.3, [takes(0, "yes")], otherwise=[takes(0, "no")], label="which")
    shaky = Work(Constant(0), "end", transient=0.5)
    again = Retry(max_attempts=5, backoff=Backoff(0.0))
    message: Sequence[Call | Send | Publish] = [Call("M", retry=again), Send("M"), Publish("M")]
    broker = Broker(delivery=DeliveryPolicy(retry=again))
    services = [Service("a", workers=9, on={"M": [ways, shaky]})]
    found = [decided(simulate(world(m, Regular(20), services, broker=broker))) for m in message]
    assert set(found[0]) == {"yes", "no"}
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])
    assert len(found[0]) == 2000
    assert within((found[0] == "yes").to_numpy(), 0.3, (0.3 * 0.7) ** 0.5)


@pytest.mark.parametrize(("probability", "way"), [(0.0, "no"), (1.0, "yes")])
def test_certain_decisions_are_certain(probability: float, way: str) -> None:
    """Never is never and always is always; an empty way does nothing."""
    both = Branch(probability, [takes(0, "yes")], otherwise=[takes(0, "no")])
    run = simulate(world(Call("M0"), Regular(5), {"a": [both, Branch(0.0, [takes(1)])]}))
    assert set(decided(run)) == {way}
    assert (run.requests["answered_at"] == run.requests["started_at"]).all()


# -- what is added changes nobody else's luck ------------------------------------------

TWO = [
    Service("a", workers=50, on={"E": [Work(Exponential(0.1), "w", transient=0.2)]}),
    Service("b", workers=50, on={"E": [Work(LogNormal(0.1), "w", permanent=0.1)]}),
]
PLAIN = world(
    Publish("E"), Poisson(20), TWO, broker=Broker(deliver=Exponential(0.05)), drain=1000.0
)


@pytest.mark.parametrize(
    "fault",
    [
        Outage("a", at=20, lasts=5),
        Outage("a", mtbf=20, mttr=2, instances=1),
        Slowdown("a", 3.0, at=20, lasts=5),
        Slowdown("a", 3.0, mtbf=20, mttr=2),
    ],
    ids=["outage", "random outage", "slowdown", "random slowdown"],
)
def test_a_fault_changes_no_luck(fault: Outage | Slowdown) -> None:
    """Who was not hit takes as long as ever, and the other service is what it was to the digit.

    Faults that are added leave each other's times alone as well.
    """
    run = simulate(PLAIN, seed=6)
    hit = simulate(PLAIN.replace(faults=[fault]), seed=6)
    assert hit.requests.equals(run.requests)
    mine, before = hit.attempts, run.attempts
    assert digest(mine[mine["service"] == "b"]) == digest(before[before["service"] == "b"])
    was, now = durations(run, "a"), durations(hit, "a")
    hits = hit.faults[["started_at", "ended_at"]].to_numpy()
    untouched = [
        key
        for key, start in zip(
            zip(mine["request"], mine["attempt"], strict=True), mine["started_at"], strict=True
        )
        if key in was and key in now and not any(b - 10 < start <= e for b, e in hits)
    ]
    assert len(untouched) > 1000
    assert all(now[key] == was[key] for key in untouched)
    both = simulate(PLAIN.replace(faults=[fault, Outage("b", mtbf=30, mttr=1)]), seed=6)
    again = both.faults[both.faults["fault"] == 0].reset_index(drop=True)
    assert rows(again, "started_at", "ended_at") == rows(hit.faults, "started_at", "ended_at")


def test_a_source_of_traffic_changes_no_luck_of_another() -> None:
    """The same requests come, and their works take as long, though they may wait longer now."""
    run = simulate(PLAIN, seed=6)
    more = Traffic(Publish("E"), Bursts(30, 10), name="others")
    crowded = simulate(beside(PLAIN, more), seed=6)
    mine = crowded.requests[crowded.requests["source"] == "clients"].reset_index(drop=True)
    assert mine["started_at"].equals(run.requests["started_at"])
    assert mine["request"].equals(run.requests["request"])
    for service in ("a", "b"):
        now = durations(crowded, service)
        assert all(now[key] == took for key, took in durations(run, service).items())
    theirs = crowded.requests[crowded.requests["source"] == "others"]
    assert not set(theirs["started_at"]) & set(mine["started_at"])


def test_a_work_more_changes_no_luck_of_the_others() -> None:
    """A step put before: everything comes later, nothing takes another time."""
    plain = world(Call("M0"), Poisson(20), {"a": [Work(Exponential(0.01), "w")]})
    before = plain.replace("a.M0", [takes(0.001, "new"), Work(Exponential(0.01), "w")])
    one, other = simulate(plain, seed=1), simulate(before, seed=1)
    assert one.requests["started_at"].equals(other.requests["started_at"])
    longer = pd.Series(durations(other, "a")) - pd.Series(durations(one, "a"))
    assert np.allclose(longer, 0.001, atol=2e-9)


def test_the_source_names_the_luck() -> None:
    """Requests of equal sources under different names differ; of one name they are the same."""
    scenario = world(Call("M0"), Poisson(5), {"a": []})
    renamed = scenario.replace("traffic[0].name", "others")
    moved = beside(
        world(Call("M0"), [1.0], {"a": []}), Traffic(Call("M0"), Poisson(5), name="others")
    )
    moments = simulate(scenario).requests["started_at"]
    others = simulate(renamed).requests["started_at"]
    found = simulate(moved).requests
    assert not set(moments) & set(others)
    assert set(others) == set(found["started_at"][found["source"] == "others"])


def test_a_changed_rate_rescales_the_same_arrivals() -> None:
    """Twice the rate: each request at half the time, and as many again."""
    slow = simulate(world(Call("M0"), Poisson(5), {"a": []})).requests["started_at"]
    fast = simulate(world(Call("M0"), Poisson(10), {"a": []})).requests["started_at"]
    assert (fast[: len(slow)] * 2).equals(slow)
