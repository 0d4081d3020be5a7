"""The consumer group: one topic, shared out, kept in order, pushed and bounded."""

from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eda_sim import (
    DeliveryPolicy,
    Outage,
    Run,
    Scenario,
    Topic,
    consumer_group,
    ms,
    simulate,
)
from eda_sim.results.step_function import StepFunction
from eda_sim.rules.partitioning import partition_of
from eda_sim.scenario.distributions import Constant, Exponential, Gamma
from eda_sim.scenario.steps import Work
from eda_sim.theory import backlog_after_outage, drain_time, mm1, mmc, mmck

# Nothing but the topic: what is published is accepted and there at once.
AT_ONCE: dict[str, Any] = {"broker_publish_mean": 0.0, "broker_deliver_mean": 0.0}
BOOKING = 25 * ms

IN_ORDER, NO_ORDER = DeliveryPolicy(ordered=True), DeliveryPolicy()


def shares(partitions: int, skew: float = 0.0, products: int = 1000) -> pd.Series:
    """Which share of all sales each partition gets, by Zipf's law and the hash of the key."""
    weights = pd.Series([1 / k**skew for k in range(1, products + 1)])
    return weights.groupby([partition_of(key, partitions) for key in range(products)]).sum() / (
        weights.sum()
    )


def booking(run: Run, partitions: int = 8) -> pd.DataFrame:
    """The attempts at booking, each with the partition that its product is in."""
    attempts = run.attempts[run.attempts["service"] == "stock"]
    keys = run.requests.set_index("request")["key"][attempts["request"]].to_numpy()
    home = np.array([partition_of(key, partitions) for key in range(keys.max() + 1)])
    return attempts.assign(partition=home[keys])


def of_mean(values: pd.Series, stretches: int = 20) -> float:
    """The standard error of the mean of values that resemble their neighbours."""
    means = [part.mean() for part in np.array_split(values.to_numpy(), stretches)]
    return float(np.std(means, ddof=1) / stretches**0.5)


# -- one queue, or one for each partition ---------------------------------------------------


@pytest.mark.parametrize("rate", [200.0, 290.0])
def test_an_unordered_group_is_one_queue_with_many_servers(rate: float) -> None:
    """Eight workers share what comes: the mean wait is that of M/M/8, within four errors."""
    run = simulate(consumer_group(delivery=NO_ORDER, rate=rate, **AT_ONCE, duration=150), seed=3)
    attempts = booking(run)
    wait = (attempts["started_at"] - attempts["queued_at"])[attempts["queued_at"] >= 10]
    expected = mmc(rate, BOOKING, servers=8).mean_wait
    assert wait.mean() == pytest.approx(expected, abs=4 * of_mean(wait))
    assert 4 * of_mean(wait) < expected


def test_each_partition_of_an_ordered_group_is_a_queue_of_its_own() -> None:
    """Eight workers for eight partitions: M/M/1 with each partition's share of the sales.

    Each mean within four of its standard errors, which are less than it is.
    """
    run = simulate(consumer_group(**AT_ONCE, duration=240), seed=3)
    attempts = booking(run)
    attempts = attempts[attempts["queued_at"] >= 10]
    for partition, share in shares(8).items():
        mine = attempts[attempts["partition"] == partition]
        wait = mine["started_at"] - mine["queued_at"]
        expected = mm1(200 * share, BOOKING).mean_wait
        assert wait.mean() == pytest.approx(expected, abs=4 * of_mean(wait))
        assert 4 * of_mean(wait) < expected


@pytest.mark.parametrize("skew", [0.8, 1.0])
def test_a_partition_is_busy_for_its_share_of_the_sales(skew: float) -> None:
    """Busy share of each partition = its share of the sales x rate x mean, and never above 1.

    200/s for 120 s make standard errors of at most about 0.02; the greatest, at a skew of 1, is
    over 1, so that this partition saturates.
    """
    run = simulate(consumer_group(skew=skew, **AT_ONCE, duration=130), seed=3)
    load = shares(8, skew) * 200 * BOOKING
    assert (load.max() > 1) == (skew == 1.0)
    for partition, mine in booking(run).groupby("partition"):
        begins, ends = mine["started_at"].to_numpy(), mine["ended_at"].to_numpy()
        busy = StepFunction.of_intervals("busy", begins, ends)
        assert busy.max() == 1
        assert busy.mean(10, 130) == pytest.approx(min(load[partition], 1.0), abs=0.06)


def test_workers_beyond_the_partitions_change_nothing() -> None:
    """Twice the workers for as many partitions: the same lag to the last digit, and a warning."""
    few = simulate(consumer_group(duration=30), seed=3).deliveries
    with pytest.warns(UserWarning, match="8 stay idle"):
        many = consumer_group(duration=30, workers=4)
    pd.testing.assert_frame_equal(simulate(many, seed=3).deliveries, few)


def test_order_costs_what_is_behind_in_the_same_partition() -> None:
    """The same sales take the same work either way; only in order is no product's overtaken."""
    ordered, unordered = (
        simulate(consumer_group(delivery=promise, skew=0.8, duration=60, warmup=10), seed=3)
        for promise in (IN_ORDER, NO_ORDER)
    )
    pd.testing.assert_frame_equal(ordered.requests, unordered.requests)
    work = [
        (a["ended_at"] - a["started_at"]).groupby(a["request"]).sum().to_numpy()
        for a in (booking(ordered), booking(unordered))
    ]
    assert work[0] == pytest.approx(work[1])
    assert ordered.verdicts()["out_of_order"] == 0
    assert unordered.verdicts()["out_of_order"] > 0
    assert ordered.summary()["delivery_lag_mean"] > 2 * unordered.summary()["delivery_lag_mean"]


# -- retries, prefetch, crashes ----------------------------------------------------------------


def test_a_retry_topic_frees_the_partition() -> None:
    """One attempt in fifty fails and waits 1 s: more than a partition can bear, unless beside it.

    25/s x (25 ms + 0.02 x 1 s) = 1.1 erlang saturates it; the retry topic leaves 25/s x 25 ms.
    """
    beside = DeliveryPolicy(ordered=True, retry_topic=True)
    blocked, freed = (
        simulate(consumer_group(transient=0.02, delivery=d, duration=60, warmup=10), seed=3)
        for d in (IN_ORDER, beside)
    )
    assert blocked.summary()["delivery_lag_p50"] > 20 * freed.summary()["delivery_lag_p50"]
    assert blocked.verdicts()["out_of_order"] == 0 < freed.verdicts()["out_of_order"]


def test_a_prefetch_of_its_workers_is_no_prefetch() -> None:
    """Whoever may hold as many as it has workers holds none that waits: no lag changes."""
    pulled, pushed, hoarded = (
        simulate(
            consumer_group(delivery=DeliveryPolicy(prefetch=n), duration=40), seed=3
        ).deliveries
        for n in (None, 2, 100)
    )
    pd.testing.assert_frame_equal(pulled, pushed)
    lag = hoarded["ended_at"] - hoarded["published_at"]
    assert lag.mean() > 1.1 * (pulled["ended_at"] - pulled["published_at"]).mean()


def test_the_partitions_of_a_dead_copy_stand_still_for_the_rebalance() -> None:
    """A quarter of the sales waits for 20 s, and is gone when the new owners have caught up.

    A fluid approximation. Some 600 wait, a Poisson number, whose standard deviation is 25; the
    two partitions drain one beside the other, the later of them about a second after the mean.
    """
    faults = [Outage("stock", at=20, lasts=200, instances=1)]
    group = consumer_group(rate=120, rebalance=20, faults=faults, duration=90, warmup=0)
    run = simulate(group, seed=3)
    backlog = run.timeline("backlog", "stock")
    share = sum(shares(8)[[0, 4]])  # partitions go to the four copies in turn
    arriving = 120 * share
    peak = backlog_after_outage(arriving, remaining_capacity=0, downtime=20)
    assert backlog.at(40) == pytest.approx(peak, rel=0.15)
    after = backlog.to_series().loc[40:]
    gone = after[after <= 10].index[0] - 40
    assert gone == pytest.approx(drain_time(peak, arriving, capacity=2 / BOOKING), rel=0.35)


# -- capacity ---------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [8, 20])
def test_a_full_topic_that_drops_loses_as_many_as_a_full_queue(capacity: int) -> None:
    """Ten erlang on eight workers with room for so many: M/M/8/K, within three standard errors.

    In the 50 s that count, 20,000 sales come and 16,000 are done, both about Poisson: the
    fraction lost has a standard error of 0.8 x (1/20000 + 1/16000)**0.5 = 0.0085.
    """
    group = consumer_group(
        delivery=NO_ORDER, topic=Topic(capacity=capacity, when_full="drop"),
        rate=400, **AT_ONCE, duration=60, warmup=10,
    )  # fmt: skip
    lost = simulate(group, seed=3).summary()["lost_rate"]
    expected = mmck(400, BOOKING, servers=8, capacity=capacity).blocking_probability
    assert lost == pytest.approx(expected, abs=0.0255)


def test_a_full_topic_that_makes_wait_loses_none_and_keeps_the_customer() -> None:
    """The broker never holds more than it may; the rest waits in the shop, and so do customers."""
    down = consumer_group(
        rate=100, delivery=NO_ORDER, faults=[Outage("stock", at=10, lasts=20)],
        duration=60, warmup=0,
    )  # fmt: skip
    endless, bounded = (
        simulate(down.replace("broker.topics.ItemSold.capacity", n), seed=3) for n in (None, 1000)
    )
    held = bounded.messages.merge(bounded.deliveries[["message", "ended_at"]], on="message")
    inside = StepFunction.of_intervals(
        "held", held["accepted_at"].to_numpy(), held["ended_at"].to_numpy()
    )
    assert inside.max() == 1000
    assert bounded.timeline("busy", "shop").at(29) == 32
    assert set(bounded.deliveries["outcome"]) == {"handled"}
    assert endless.summary()["response_time_p99"] < 0.1
    assert bounded.summary()["response_time_p99"] > 5


# -- the arguments ------------------------------------------------------------------------------

OTHERS: dict[str, Any] = {
    "rate": 20.0, "products": 9, "skew": 0.9, "instances": 2, "workers": 1, "partitions": 16,
    "rebalance": 9.0, "delivery": NO_ORDER, "topic": Topic(capacity=9), "work_mean": 0.5,
    "work_cv": 0.5, "transient": 0.5, "permanent": 0.5, "broker_publish_mean": 0.5,
    "broker_deliver_mean": 0.5, "faults": [Outage("stock", at=9, lasts=9)],
    "duration": 900.0, "warmup": 9.0,
}  # fmt: skip


def test_every_argument_has_another_value_here() -> None:
    """The list below leaves none out."""
    assert signature(consumer_group).parameters.keys() == OTHERS.keys()


@pytest.mark.parametrize("name", OTHERS)
def test_every_argument_matters(name: str) -> None:
    """Each changes the scenario, at the place it names."""
    assert consumer_group(**{name: OTHERS[name]}) != consumer_group()


@pytest.mark.parametrize(
    ("cv", "time"), [(0.0, Constant(0.1)), (1.0, Exponential(0.1)), (2.0, Gamma(0.1, cv=2.0))]
)
def test_the_work_has_the_variation_that_is_asked_for(cv: float, time: Any) -> None:
    """Constant, exponential, or anything between and beyond."""
    group: Scenario = consumer_group(work_mean=0.1, work_cv=cv)
    (work,) = group.service("stock").handlers["ItemSold"].steps
    assert isinstance(work, Work)
    assert work.duration == time


@pytest.mark.parametrize(("promise", "name"), [(IN_ORDER, "ordered"), (NO_ORDER, "unordered")])
def test_the_group_is_called_after_its_promise(promise: DeliveryPolicy, name: str) -> None:
    """Whether it keeps order is in the scenario's name."""
    assert consumer_group(delivery=promise).name == f"{name} consumer group"
