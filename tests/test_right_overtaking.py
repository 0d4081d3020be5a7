"""Out of order: what is done for a key after work for a later message with that key."""

import pytest

from eda_sim import (
    Backoff,
    Broker,
    Call,
    Constant,
    DeliveryPolicy,
    Publish,
    Recorded,
    Retry,
    Run,
    Scenario,
    Service,
    Trace,
    Traffic,
    Uniform,
    UniformKeys,
    Work,
    simulate,
)
from eda_sim.results.overtaking import overtaken


def world(
    times: list[float], takes: list[float], *, keys: int = 1, workers: int = 4, **settings: object
) -> Scenario:
    """Messages that arrive at ``times``, for one of ``keys`` keys; the n-th takes ``takes[n]``."""
    return Scenario(
        "overtaking",
        traffic=[Traffic(Publish("Changed"), Trace(times), keys=UniformKeys(keys), name="users")],
        services=[
            Service("view", workers=workers, on={"Changed": [Work(Recorded(takes), "apply")]})
        ],
        broker=Broker(**settings),  # type: ignore[arg-type]
        duration=100.0,
    )


def late(run: Run) -> list[int]:
    """The requests that were handled out of order."""
    ledger = run.ledger()
    return ledger["request"][ledger["verdict"] == "out_of_order"].tolist()


def test_a_quick_worker_overtakes_a_slow_one() -> None:
    """0 takes 5 s, 1 takes 1 s: the older change is applied over the newer one, at second 5."""
    run = simulate(world([0, 1, 10], [5.0, 1.0, 1.0]))
    assert late(run) == [0]
    assert run.summary()["out_of_order_rate"] == pytest.approx(1 / 3)
    (row,) = overtaken(run).itertuples()
    assert (row.request, row.said_at, row.done_at) == (0, 0.0, 5.0)
    assert (row.overtaken_by, row.overtaken_at) == (1, 2.0)


def test_one_worker_overtakes_nobody() -> None:
    """The same changes one after the other."""
    assert late(simulate(world([0, 1, 10], [5.0, 1.0, 1.0], workers=1))) == []


def test_an_ordered_topic_overtakes_nobody() -> None:
    """Any number of workers, one partition for each key."""
    ordered = DeliveryPolicy(ordered=True)
    assert late(simulate(world([0, 1, 10], [5.0, 1.0, 1.0], delivery=ordered))) == []


def test_a_retry_lets_others_overtake_unless_the_topic_is_ordered() -> None:
    """What fails comes again later, behind those that came after it."""
    one = world([0.0, 0.5, 1.0], [0.1, 0.1, 0.1], workers=1)
    failing = one.replace("view.Changed[apply].transient", 0.5)
    retry = Retry(max_attempts=10, backoff=Backoff(5.0, factor=1.0))
    orders = {
        ordered: [
            len(late(simulate(failing.replace("broker.delivery", policy), seed)))
            for seed in range(20)
        ]
        for ordered, policy in (
            (False, DeliveryPolicy(retry=retry)),
            (True, DeliveryPolicy(retry=retry, ordered=True)),
        )
    }
    assert sum(orders[False]) > 5
    assert sum(orders[True]) == 0


def test_different_keys_and_equal_moments_have_no_order() -> None:
    """Requests without keys are about themselves; two said at one instant may come either way."""
    keyless = world([0, 1, 10], [5.0, 1.0, 1.0]).replace("traffic[0].keys", None)
    assert late(simulate(keyless)) == []
    assert late(simulate(world([0, 0], [5.0, 1.0]))) == []


def test_calls_are_meant_in_the_order_in_which_they_are_made() -> None:
    """A synchronous chain overtakes as well: the ledger is the same for every architecture."""
    chain = Scenario(
        "chain",
        traffic=[Traffic(Call("Change"), Trace([0, 1]), keys=UniformKeys(1), name="users")],
        services=[Service("view", workers=2, on={"Change": [Work(Recorded([5.0, 1.0]), "apply")]})],
        duration=10.0,
    )
    assert late(simulate(chain)) == [0]


@pytest.mark.parametrize("seed", range(5))
def test_overtaking_agrees_with_looking_at_every_pair(seed: int) -> None:
    """A brute-force twin: each pair of messages of one key, which was said and which done first."""
    busy = Scenario(
        "busy",
        traffic=[
            Traffic(Call("Buy"), Trace([n * 0.02 for n in range(150)]), keys=UniformKeys(6)),
        ],
        services=[
            Service("shop", workers=8, on={"Buy": [
                Work(Uniform(0.0, 0.2), "sell"), Publish("Sold"), Publish("Told")]}),
            Service("stock", workers=5, on={
                "Sold": [Work(Uniform(0.0, 0.3), "count"), Work(Constant(0.0), "note")]}),
            Service("press", workers=5, on={"Sold": [Work(Uniform(0.0, 0.2), "write")],
                                            "Told": [Work(Uniform(0.0, 0.2), "write")]}),
        ],
        broker=Broker(deliver=Uniform(0.0, 0.1)),
        duration=3.0,
    )  # fmt: skip
    run = simulate(busy, seed)
    merged = run.effects.merge(run.messages, on=["message", "request"])
    merged["said"] = merged["accepted_at"].fillna(merged["published_at"])
    found: set[tuple[int, str, str]] = set()
    for _, queue in merged.groupby(["service", "label", "name", "key"], observed=True):
        pairs = queue.merge(queue, how="cross", suffixes=("", "_other"))
        pairs = pairs[(pairs["said_other"] > pairs["said"]) & (pairs["at_other"] < pairs["at"])]
        found |= set(zip(pairs["message"], pairs["service"], pairs["label"], strict=True))
    seen = overtaken(run)
    assert len(found) > 20
    assert set(zip(seen["message"], seen["service"], seen["label"], strict=True)) == found
    assert (run.ledger()["out_of_order"] > 0).sum() == seen["request"].nunique()
