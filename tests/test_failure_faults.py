"""Faults of links, of the broker and of work: what they do to the same orders.

One small shop for all: ``orders`` accepts a call, calls ``payment``, and publishes an
event that two copies of ``stock`` handle. Every law holds whatever breaks; what is lost,
doubled or late is what the policy says, and nothing else.
"""

import pytest

from eda_sim import (
    BadDeployment,
    Broker,
    BrokerOutage,
    Call,
    Constant,
    DeliveryPolicy,
    Duplicates,
    Exponential,
    InvalidInput,
    Loss,
    NetworkPartition,
    Outage,
    PoisonMessages,
    Poisson,
    Publish,
    Reordering,
    Retry,
    Run,
    Scenario,
    Service,
    Topic,
    Traffic,
    Work,
    ZipfKeys,
    simulate,
)
from eda_sim.scenario.faults import Fault

CUT = {"at": 5.0, "lasts": 2.0}


def shop(*faults: Fault, delivery: DeliveryPolicy | None = None, **broker: object) -> Scenario:
    """Twenty seconds of orders, a little above one every 30 ms."""
    policy = delivery or DeliveryPolicy(retry=Retry(max_attempts=4))
    return Scenario(
        "shop",
        traffic=[Traffic(Call("PlaceOrder", timeout=5.0), Poisson(30), keys=ZipfKeys(20))],
        services=[
            Service(
                "orders",
                workers=80,
                on={
                    "PlaceOrder": [
                        Work(Exponential(0.001), "accept"),
                        Call("Pay", timeout=0.5),
                        Publish("Placed"),
                    ]
                },
            ),
            Service("payment", workers=8, on={"Pay": [Work(Exponential(0.01), "pay")]}),
            Service(
                "stock", instances=2, workers=4, on={"Placed": [Work(Exponential(0.05), "reserve")]}
            ),
        ],
        broker=Broker(
            publish=Exponential(0.002),
            deliver=Exponential(0.005),
            turnaround=Exponential(0.001),
            delivery=policy,
            **broker,  # type: ignore[arg-type]
        ),
        faults=faults,
        duration=20,
        drain=120,
    )


def run(*faults: Fault, delivery: DeliveryPolicy | None = None, **broker: object) -> Run:
    """Run the shop, and check what holds whatever breaks."""
    result = simulate(shop(*faults, delivery=delivery, **broker), seed=3)
    ended = result.deliveries["outcome"].value_counts()
    assert ended.sum() == len(result.deliveries)
    assert len(result.ledger()) == len(result.requests)
    started = result.attempts.dropna(subset="started_at").sort_values("started_at")
    for _, thread in started.groupby(["service", "instance", "worker"], observed=True):
        assert (thread["started_at"].to_numpy()[1:] >= thread["ended_at"].to_numpy()[:-1]).all()
    return result


def count(result: Run, verdict: str) -> int:
    """How many requests have a verdict."""
    return int(result.verdicts()[verdict])


def lost(result: Run) -> int:
    """How many deliveries are lost."""
    return int((result.deliveries["outcome"] == "lost").sum())


@pytest.mark.parametrize(
    "fault",
    [
        BrokerOutage(**CUT),
        NetworkPartition(["broker"], ["stock"], **CUT),
        NetworkPartition(["orders"], ["broker"], **CUT),
        Loss(0.05, between=["broker", "stock"]),
        Loss(0.05, between=["orders", "broker"]),
        Duplicates(0.05, between=["broker", "stock"]),
        Reordering(0.05, delay=Constant(0.5), between=["broker", "stock"]),
    ],
    ids=lambda fault: f"{fault.kind}",
)
@pytest.mark.parametrize("ordered", [False, True])
def test_at_least_once_loses_nothing_whatever_breaks(fault: Fault, ordered: bool) -> None:
    """While publishers wait, every order is complete in the end: late or twice, never lost."""
    result = run(fault, delivery=DeliveryPolicy(retry=Retry(max_attempts=4), ordered=ordered))
    assert lost(result) == 0
    assert count(result, "half_done") == count(result, "pending") == 0


def test_publishers_wait_out_an_outage_of_the_broker() -> None:
    """Who published during the outage is answered when it is over, and not before."""
    result = run(BrokerOutage(**CUT))
    during = result.requests[result.requests["started_at"].between(5.5, 6.9)]
    assert len(during) > 20
    assert (during["answered_at"] >= 7.0).all()
    assert (during["outcome"] == "ok").all()


def test_publishers_that_fail_tell_their_client() -> None:
    """With ``fail`` the order fails at once and is half done: its payment stays."""
    result = run(BrokerOutage(**CUT), when_unreachable="fail")
    during = result.ledger()[result.requests["started_at"].between(5.5, 6.5)]
    assert (during["outcome"] == "failed").all()
    assert (during["verdict"] == "half_done").all()
    assert lost(result) == 0


def test_publishers_that_lose_say_ok() -> None:
    """With ``lose`` the client hears ok, and its order is half done for good."""
    result = run(BrokerOutage(**CUT), when_unreachable="lose")
    during = result.ledger()[result.requests["started_at"].between(5.5, 6.5)]
    assert (during["outcome"] == "ok").all()
    assert (during["verdict"] == "half_done").all()
    assert lost(result) >= len(during)


def test_nothing_is_dispatched_while_the_broker_is_cut_off() -> None:
    """No attempt at a delivery begins during a partition; all begin soon after it."""
    result = run(NetworkPartition(["broker"], ["stock"], **CUT))
    stock = result.attempts[result.attempts["service"] == "stock"]
    assert not stock["started_at"].between(5.0, 7.0, inclusive="neither").any()
    assert stock["started_at"].between(7.0, 7.2).sum() >= 8


def test_a_call_across_a_partition_ends_by_its_timeout() -> None:
    """A cut link is silent: the caller waits for exactly its timeout."""
    result = run(NetworkPartition(["orders"], ["payment"], **CUT))
    calls = result.calls[result.calls["service"] == "payment"]
    cut = calls[calls["started_at"].between(5.0, 6.9)]
    assert (cut["outcome"] == "timed_out").all()
    assert (cut["ended_at"] - cut["started_at"]).round(9).eq(0.5).all()


def test_a_lost_acknowledgement_brings_the_message_again() -> None:
    """Losses between stock and broker double effects, unless the handler is idempotent."""
    fault = Loss(0.1, between=["stock", "broker"])
    assert count(run(fault), "duplicated") > 20
    result = run(fault, delivery=DeliveryPolicy(retry=Retry(max_attempts=4), idempotent=True))
    ledger = result.ledger()
    assert (ledger["missing"] == 0).all()
    assert (ledger["repeated"] == 0).all()


def test_at_most_once_loses_what_the_link_loses() -> None:
    """One delivery in ten is lost, within three standard errors; none is doubled."""
    result = run(
        Loss(0.1, between=["broker", "stock"]), delivery=DeliveryPolicy(guarantee="at_most_once")
    )
    share, n = lost(result) / len(result.deliveries), len(result.deliveries)
    assert abs(share - 0.1) < 3 * (0.1 * 0.9 / n) ** 0.5
    assert count(result, "duplicated") == 0


def test_duplicates_on_a_link_are_known_to_an_idempotent_handler() -> None:
    """What arrives twice is done twice, unless its message id is known."""
    fault = Duplicates(0.1, between=["broker", "stock"])
    doubled = count(run(fault), "duplicated")
    assert doubled > 20
    assert count(run(fault, delivery=DeliveryPolicy(idempotent=True)), "duplicated") == 0


def test_reordering_lets_others_overtake() -> None:
    """Held-up deliveries are handled out of order, except in an ordered topic."""
    fault = Reordering(0.2, delay=Constant(0.5), between=["broker", "stock"])

    def overtaken(result: Run) -> int:
        done = result.effects[result.effects["label"] == "reserve"]
        known = result.messages.set_index("message").loc[done["message"]]
        table = done.assign(
            key=known["key"].to_numpy(), accepted_at=known["accepted_at"].to_numpy()
        )
        in_turn = table.sort_values("at", kind="stable").groupby("key")["accepted_at"]
        return int((in_turn.diff() < 0).sum())

    assert overtaken(run(fault)) > 20
    assert overtaken(run(fault, delivery=DeliveryPolicy(ordered=True))) == 0


def test_poison_hits_requests_of_its_time_for_good() -> None:
    """Only requests that started meanwhile are dead-lettered, about half of them, at once."""
    result = run(PoisonMessages("stock", 0.5, label="reserve", **CUT))
    dead = result.deliveries[result.deliveries["outcome"] == "dead_lettered"]
    started = result.requests.set_index("request")["started_at"]
    assert started.loc[dead["request"]].between(5.0, 7.0).all()
    assert (dead["attempts"] == 1).all()
    exposed = int(started.between(5.0, 7.0).sum())
    assert abs(len(dead) - exposed / 2) < 3 * (exposed / 4) ** 0.5


def test_a_bad_deployment_fails_until_its_rollback() -> None:
    """Attempts fail while it lasts and not before or after; retries save every order."""
    result = run(BadDeployment("stock", 0.5, **CUT))
    failed = result.attempts[result.attempts["outcome"] == "failed"]
    assert failed["started_at"].between(5.0, 7.0).all()
    assert len(failed) > 15
    ledger = result.ledger()
    assert (ledger["repeated"] == 0).all()
    assert ledger["missing"].sum() == (result.deliveries["outcome"] == "dead_lettered").sum()


def test_a_full_topic_makes_publishers_wait() -> None:
    """The broker never holds more than the capacity, and nothing is lost."""
    result = run(Outage("stock", **CUT), topics={"Placed": Topic(capacity=10)})
    held = result.messages.dropna(subset="accepted_at")
    ends = result.deliveries.set_index("message")["ended_at"]
    changes = sorted(
        [(at, 1) for at in held["accepted_at"]] + [(ends.loc[m], -1) for m in held["message"]],
    )
    level = most = 0
    for _, change in changes:
        level += change
        most = max(most, level)
    assert most <= 11  # an end and the acceptance that it makes room for fall on one instant
    assert lost(result) == 0


def test_a_full_topic_may_drop() -> None:
    """What does not fit is lost, and the publisher does not hear of it."""
    topics = {"Placed": Topic(capacity=10, when_full="drop")}
    result = run(Outage("stock", **CUT), topics=topics)
    assert lost(result) == count(result, "half_done") > 20
    assert (result.requests["outcome"] == "ok").all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: NetworkPartition(["a"], ["a"], at=1, lasts=1),
            "must have two different sides, got 'a'",
        ),
        (lambda: shop(Loss(0.1, between=["orders", "stok"])), "got 'stok': did you mean 'stock'?"),
        (
            lambda: shop(BadDeployment("stock", 0.1, label="pay", at=1, lasts=1)),
            "must name a work of",
        ),
        (lambda: Loss(1.5), "Loss.probability must be <= 1, got 1.5"),
        (lambda: BrokerOutage(at=1), "must be either scheduled"),
    ],
)
def test_what_cannot_be_right_is_refused(build: object, message: str) -> None:
    """One line says where, which rule, which value and what to do."""
    with pytest.raises(InvalidInput) as refusal:
        build()  # type: ignore[operator]
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
