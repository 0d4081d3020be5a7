"""Ordered topics: what the order of a partition costs, and what becomes of it in a crash.

Without keys of their own messages 0, 1, 2 … are about things 0, 1, 2 …, and the partition
of each is fixed: of two partitions message 0 has one for itself among the first eight. Work
takes a second where nothing else is said.
"""

from dataclasses import replace
from itertools import pairwise, product
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eda_sim import (
    Call,
    Constant,
    Exponential,
    Outage,
    Poisson,
    Run,
    Scenario,
    Service,
    Traffic,
    UniformKeys,
    Work,
    ZipfKeys,
    simulate,
)
from eda_sim.engine.clock import Clock
from eda_sim.engine.lanes import Lanes
from eda_sim.rules.partitioning import NOBODY, partition_of
from eda_sim.scenario.broker import Broker, Topic
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.distributions import Recorded
from eda_sim.scenario.steps import Publish
from eda_sim.scenario.traffic import Trace
from tests.brokered import (
    HALF,
    effects,
    ends,
    handling,
    retry,
    rows,
    seed_where,
    takes,
    world,
)

# Some of these worlds have more workers than partitions, which deserves a warning: on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ORDERED = DeliveryPolicy(ordered=True)
ONE_KEY = UniformKeys(1)


def ordered(at: Any, steps: Any, policy: DeliveryPolicy = ORDERED, **settings: Any) -> Scenario:
    """An ordered topic, of one partition unless it is said."""
    partitions = settings.pop("partitions", 1)
    broker = {"partitions": partitions, **settings.pop("broker", {})}
    return world(at, steps, policy, broker=broker, **settings)


# -- order against parallelism -------------------------------------------------------------


def test_these_worlds_rest_on_where_their_messages_go() -> None:
    """The partitions that the tests below count on."""
    assert [partition_of(n, 2) for n in range(11)] == [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert [partition_of(n, 3) for n in range(5)] == [1, 1, 2, 2, 0]


def test_a_partition_is_handled_by_one_worker_at_a_time() -> None:
    """Three workers, one partition: the second message waits for the first, as with one worker."""
    messages = [0, 0, 0], takes([3.0, 1.0, 2.0])
    assert handling(simulate(ordered(*messages, workers=3))) == [(0, 0.0), (1, 3.0), (2, 4.0)]
    assert handling(simulate(world(*messages, workers=3))) == [(0, 0.0), (1, 0.0), (2, 0.0)]


def test_one_partition_is_as_good_as_one_worker() -> None:
    """However many there are: deliveries and effects of a random run are the same."""
    messages: Any = Poisson(8), Work(Exponential(0.1), "work")
    one = simulate(world(*messages), seed=4)
    many = simulate(ordered(*messages, instances=2, workers=3), seed=4)
    assert len(one.effects) > 500
    assert one.deliveries.equals(many.deliveries)
    assert one.effects.equals(many.effects)


def test_partitions_do_not_wait_for_each_other() -> None:
    """Message 0 is alone in its partition, 1 and 2 share the other."""
    run = simulate(ordered([0, 0, 0], takes(1.0), partitions=2, workers=2))
    assert handling(run) == [(0, 0.0), (1, 0.0), (2, 1.0)]


@pytest.mark.parametrize("partitions", [2, 3, 8])
def test_a_worker_of_all_partitions_takes_what_has_waited_longest(partitions: int) -> None:
    """One worker takes twenty messages of several partitions as they came, as from one queue."""
    messages: Any = [n / 8 for n in range(20)], takes(1.0)
    run = simulate(ordered(*messages, partitions=partitions))
    assert handling(run) == [(n, float(n)) for n in range(20)]
    assert len({partition_of(n, partitions) for n in range(20)}) > 1


def test_a_hot_key_has_one_worker_however_many_partitions_there_are() -> None:
    """Five messages about one thing take five times as long, with eight partitions as with one."""
    run = simulate(ordered([0] * 5, takes(1.0), partitions=8, workers=8, keys=ONE_KEY))
    assert handling(run) == [(n, float(n)) for n in range(5)]


def test_workers_beyond_the_partitions_stay_idle() -> None:
    """Four instances, two partitions: two instances do it all, though eleven messages wait."""
    run = simulate(ordered([0] * 11, takes(1.0), partitions=2, instances=4))
    assert set(run.attempts["instance"]) == {0, 1}
    assert max(run.deliveries["ended_at"]) == 7.0  # seven messages of partition 0


def test_a_topic_may_have_partitions_of_its_own() -> None:
    """What the topic says counts; the broker's number is for those that say nothing."""
    topics = {"Placed": Topic(partitions=1), "Other": Topic(partitions=2)}
    broker = {"topics": topics}
    run = simulate(ordered([0, 0], takes(1.0), partitions=2, workers=2, broker=broker))
    assert handling(run) == [(0, 0.0), (1, 1.0)]


# -- the order -------------------------------------------------------------------------------


def test_a_message_that_overtakes_on_the_way_waits_for_its_turn() -> None:
    """Messages 1 and 2 are there first and wait for 0; with no order they are handled at once."""
    broker = {"deliver": Recorded([3.0, 1.0, 0.0])}
    run = simulate(ordered([0, 0, 0], takes(1.0), broker=broker, workers=3))
    assert run.deliveries["available_at"].tolist() == [3.0, 1.0, 0.0]
    assert handling(run) == [(0, 3.0), (1, 4.0), (2, 5.0)]
    unordered = simulate(world([0, 0, 0], takes(1.0), broker=broker, workers=3))
    assert handling(unordered) == [(2, 0.0), (1, 1.0), (0, 3.0)]


def test_the_order_is_that_of_acceptance() -> None:
    """Message 1 was published later and accepted earlier: it comes first."""
    broker = {"publish": Recorded([2.0, 1.0])}
    run = simulate(ordered([0.0, 0.25], takes(1.0), broker=broker))
    assert handling(run) == [(1, 1.25), (0, 2.25)]


@pytest.mark.parametrize("requeue", ["head", "tail"])
def test_a_message_that_is_retried_keeps_those_behind_it(requeue: Any) -> None:
    """Failed at 1, tried again at 6: the two behind it wait until 7, whatever ``requeue`` says."""
    policy = DeliveryPolicy(ordered=True, retry=retry(wait=5.0), requeue=requeue)
    seed = seed_where({0: [True, False]}, requests=3)
    run = simulate(ordered([0, 0, 0], takes(1.0, transient=HALF), policy, workers=3), seed)
    assert handling(run) == [(0, 0.0), (0, 6.0), (1, 7.0), (2, 8.0)]


def test_a_poison_message_keeps_its_partition_until_it_is_given_up() -> None:
    """Three attempts, 2 s apart: the one behind it starts when it is dead-lettered, at 7."""
    policy = DeliveryPolicy(ordered=True, retry=retry(3, wait=2.0))
    seed = seed_where({0: [True, True, True]}, requests=2)
    run = simulate(ordered([0, 0], takes(1.0, transient=HALF), policy), seed)
    assert handling(run) == [(0, 0.0), (0, 3.0), (0, 6.0), (1, 7.0)]
    assert ends(run) == [("dead_lettered", 7.0, 3), ("handled", 8.0, 1)]


def test_a_message_that_is_retried_keeps_its_own_partition_only() -> None:
    """Message 8 waits for 0 until 7; 1 to 7, in the other partition, go on every second."""
    policy = DeliveryPolicy(ordered=True, retry=retry(wait=5.0))
    seed = seed_where({0: [True, False]}, requests=9)
    scenario = ordered([0] * 9, takes(1.0, transient=HALF), policy, partitions=2, workers=2)
    started = dict(handling(simulate(scenario, seed)))
    assert [started[n] for n in range(1, 8)] == [float(n) for n in range(7)]
    assert (started[0], started[8]) == (6.0, 7.0)


def test_a_retry_topic_frees_the_partition_and_gives_the_order_up() -> None:
    """The message that failed at 1 is tried again at 6; those behind it start at 1 and 2."""
    policy = DeliveryPolicy(ordered=True, retry_topic=True, retry=retry(wait=5.0))
    seed = seed_where({0: [True, False]}, requests=3)
    run = simulate(ordered([0, 0, 0], takes(1.0, transient=HALF), policy), seed)
    assert handling(run) == [(0, 0.0), (1, 1.0), (2, 2.0), (0, 6.0)]
    assert effects(run) == [(1, 2.0), (2, 3.0), (0, 7.0)]


def test_what_came_through_a_retry_topic_runs_beside_the_partition() -> None:
    """Two workers: at 2 the message tried again and the third of the partition are both at work."""
    policy = DeliveryPolicy(ordered=True, retry_topic=True, retry=retry(wait=1.0))
    seed = seed_where({0: [True, False]}, requests=3)
    scenario = ordered([0, 0, 0], takes(1.0, transient=HALF), policy, workers=2)
    assert handling(simulate(scenario, seed)) == [(0, 0.0), (1, 1.0), (0, 2.0), (2, 2.0)]


@pytest.mark.parametrize("policy", [ORDERED, DeliveryPolicy(prefetch=1), DeliveryPolicy()])
def test_calls_and_deliveries_share_the_workers_by_who_came_first(policy: DeliveryPolicy) -> None:
    """However its deliveries wait, a service takes what has waited longest."""
    on = {"Placed": world([], takes(1.0), policy).services[0].handlers["Placed"]}
    service = Service("worker", on={**on, "Ask": [takes(1.0, "answer")]})
    scenario = Scenario(
        "two sources",
        traffic=[
            Traffic(Publish("Placed"), Trace([0.0, 0.25]), name="publishers"),
            Traffic(Call("Ask"), Trace([0.125, 0.375]), name="callers"),
        ],
        services=[service],
        broker=Broker(partitions=1),
        duration=10,
    )
    run = simulate(scenario)
    taken = run.attempts.sort_values("started_at")
    assert rows(taken, "name", "started_at") == [
        ("Placed", 0.0),
        ("Ask", 1.0),
        ("Placed", 2.0),
        ("Ask", 3.0),
    ]


# -- crashes and rebalancing -----------------------------------------------------------------


def down(at: float, lasts: float) -> list[Outage]:
    """The first copy is down for a while: of two, the one with partition 0."""
    return [Outage("worker", at=at, lasts=lasts, instances=1)]


@pytest.mark.parametrize(
    ("rebalance", "starts"), [(0.0, 1.0), (0.25, 1.0), (0.5, 1.0), (0.75, 1.25), (3.0, 3.5)]
)
def test_the_partitions_of_a_dead_instance_move_after_the_rebalance(
    rebalance: float, starts: float
) -> None:
    """Copy 0 dies at 0.5 with message 1; copy 1, free from 1 on, has its partition after a pause.

    Message 2, of the same partition, follows message 1.
    """
    scenario = ordered(
        [0, 0, 0],
        takes(1.0),
        partitions=2,
        instances=2,
        broker={"rebalance": rebalance},
        faults=down(0.5, 50.0),
    )
    run = simulate(scenario)
    taken = rows(run.attempts, "request", "instance", "started_at", "ended_at", "outcome")
    assert taken == [
        (0, 1, 0.0, 1.0, "ok"),
        (1, 0, 0.0, 0.5, "crashed"),
        (2, 1, starts + 1, starts + 2, "ok"),
        (1, 1, starts, starts + 1, "ok"),
    ]
    assert effects(run) == [(0, 1.0), (1, starts + 1), (2, starts + 2)]


def test_an_instance_that_joins_gets_its_share_after_the_rebalance() -> None:
    """Copy 0 is down from 0.5 to 10; partition 1 is its own from 13 on, partition 0 stays."""
    at = [0, 0, 0, 6, 6, 6, 6, 6, 12.5, 13.25, 13.25]
    work = takes([1.0] * 3 + [0.25] * 8)
    run = simulate(ordered(at, work, partitions=2, instances=2, faults=down(0.5, 9.5)))
    instances = run.attempts[run.attempts["outcome"] == "ok"].set_index("request")["instance"]
    assert instances.sort_index().tolist() == [1] * 9 + [0, 0]
    started = dict(handling(run))
    assert [started[n] for n in (8, 9, 10)] == [12.5, 13.25, 13.5]


@pytest.mark.parametrize(("lasts", "third"), [(4.0, 7.0), (1.0, 6.0)])
def test_a_partition_changes_hands_between_two_messages(lasts: float, third: float) -> None:
    """Copy 1 has it all; from 5 on partition 2 is copy 0's, but message 2 is at work until 7.

    If it is done before, message 3 goes to copy 0 as soon as it comes, at 6. Either way
    nothing is interrupted, and copy 1 is idle.
    """
    scenario = ordered(
        [0, 0, 3, 6],
        takes([0.0, 0.0, lasts, 1.0]),
        partitions=3,
        instances=2,
        broker={"rebalance": 1.0},
        faults=down(0.0, 4.0),
    )
    run = simulate(scenario)
    assert rows(run.attempts, "request", "instance", "started_at", "outcome")[2:] == [
        (2, 1, 3.0, "ok"),
        (3, 0, third, "ok"),
    ]


@pytest.mark.parametrize(("rebalance", "again"), [(3.0, 3.5), (0.25, 1.75)])
def test_a_group_that_was_down_starts_after_a_rebalance(rebalance: float, again: float) -> None:
    """Down from 0.5 to 1.5: it needs a rebalance at whose end somebody is up."""
    broker = {"rebalance": rebalance}
    run = simulate(
        ordered([0], takes(1.0), broker=broker, faults=[Outage("worker", at=0.5, lasts=1.0)])
    )
    assert handling(run) == [(0, 0.0), (0, again)]


def test_a_duplicate_keeps_the_order_too() -> None:
    """Message 1's effect comes twice, as the crash hits its acknowledgement; 2 comes after both."""
    scenario = ordered(
        [0, 0, 0],
        takes(1.0),
        partitions=2,
        instances=2,
        broker={"rebalance": 1.0, "turnaround": Constant(1.0)},
        faults=down(1.5, 50.0),
    )
    assert effects(simulate(scenario)) == [(0, 1.0), (1, 1.0), (1, 3.5), (2, 5.5)]


def test_an_acknowledgement_timeout_keeps_the_partition_until_it_is_over() -> None:
    """The partition has moved at 1.5, but the broker learns at 4 that message 1 was not done."""
    policy = DeliveryPolicy(ordered=True, ack_timeout=4.0)
    scenario = ordered(
        [0, 0, 0],
        takes(1.0),
        policy,
        partitions=2,
        instances=2,
        broker={"rebalance": 1.0},
        faults=down(0.5, 50.0),
    )
    assert handling(simulate(scenario)) == [(0, 0.0), (1, 0.0), (1, 4.0), (2, 5.0)]


def test_each_topic_of_a_service_is_shared_out_for_itself() -> None:
    """Two ordered topics of one partition each: both go to copy 0, copy 1 gets none."""
    on = world([], takes(1.0), ORDERED).services[0].handlers["Placed"]
    service = Service("worker", instances=2, on={"Placed": on, "Paid": on})
    scenario = Scenario(
        "two topics",
        traffic=[
            Traffic(Publish("Placed"), Trace([0.0]), name="orders"),
            Traffic(Publish("Paid"), Trace([0.0]), name="payments"),
        ],
        services=[service],
        broker=Broker(partitions=1),
        duration=10,
    )
    taken = rows(simulate(scenario).attempts, "name", "instance", "started_at")
    assert taken == [("Placed", 0, 0.0), ("Paid", 0, 1.0)]


# -- for every seed --------------------------------------------------------------------------

BUSY = Work(Exponential(0.05), "work", transient=0.1)
OVERTAKING = {"deliver": Exponential(0.1), "turnaround": Exponential(0.01)}
TRY_AGAIN = retry(1000, wait=0.02)


def out_of_order(run: Run) -> int:
    """How many effects come before one of the same key whose message was accepted earlier.

    The first effect of each message counts; messages are numbered as they are accepted.
    """
    keys = run.requests.set_index("request")["key"]
    firsts = run.effects.drop_duplicates("request")["request"]
    return sum(
        earlier > later
        for _, requests in firsts.groupby(firsts.map(keys).to_numpy())
        for earlier, later in pairwise(requests)
    )


@given(
    seed=st.integers(0, 2**32),
    partitions=st.integers(1, 5),
    instances=st.integers(1, 3),
    keys=st.sampled_from([UniformKeys(8), ZipfKeys(8, s=1.5), ONE_KEY]),
    rebalance=st.sampled_from([0.0, 0.1, 0.5]),
    crashes=st.booleans(),
)
@settings(max_examples=60)
def test_effects_of_a_key_come_in_the_order_of_acceptance(
    seed: int, partitions: int, instances: int, keys: Any, rebalance: float, crashes: bool
) -> None:
    """Failures, copies that die and return, hot keys, messages that overtake: never out of order.

    Without a crash each effect comes once; with crashes none is missing.
    """
    hit = max(1, instances - 1)
    scenario = ordered(
        Poisson(30),
        BUSY,
        DeliveryPolicy(ordered=True, retry=TRY_AGAIN),
        partitions=partitions,
        instances=instances,
        workers=2,
        keys=keys,
        broker={**OVERTAKING, "rebalance": rebalance},
        faults=[Outage("worker", instances=hit, mtbf=0.5, mttr=0.2)] if crashes else [],
        duration=3.0,
    )
    run = simulate(scenario, seed)
    assert out_of_order(run) == 0
    done = run.effects["request"].value_counts()
    assert set(done.index) == set(run.requests["request"])
    assert crashes or (done == 1).all()


@pytest.mark.parametrize(
    "policy", [DeliveryPolicy(), DeliveryPolicy(ordered=True, retry_topic=True)]
)
def test_without_an_ordered_topic_the_order_is_lost(policy: DeliveryPolicy) -> None:
    """Two workers and failures are enough, and a retry topic gives the order up as well."""
    policy = replace(policy, retry=TRY_AGAIN)
    scenario = ordered(Poisson(30), BUSY, policy, workers=2, keys=UniformKeys(8), duration=10.0)
    assert out_of_order(simulate(scenario, seed=1)) > 0


# -- sharing out -----------------------------------------------------------------------------


def fewest_moves(owners: list[int], up: list[int]) -> int:
    """The fewest partitions that must change hands, found by trying every fair share-out."""
    fair, over = divmod(len(owners), len(up))
    shares = [fair + 1] * over + [fair] * (len(up) - over)
    candidates = product(up, repeat=len(owners))
    return min(
        sum(new != old for new, old in zip(new_owners, owners, strict=True))
        for new_owners in candidates
        if sorted((new_owners.count(i) for i in up), reverse=True) == shares
    )


# Who dies or comes back next, of up to four instances.
comings_and_goings = st.lists(st.integers(0, 3), max_size=8)


@given(st.integers(1, 6), st.integers(1, 4), comings_and_goings)
def test_partitions_are_shared_out_evenly_and_as_few_as_possible_move(
    partitions: int, instances: int, changes: list[int]
) -> None:
    """Beside a twin that tries every fair share-out, after each death and each return."""
    up = list(range(instances))
    clock = Clock()
    group = Lanes(cast(Any, SimpleNamespace(clock=clock)), up, partitions, rebalance=0.0)
    for change in changes:
        instance = change % instances
        before = [NOBODY if lane.owner == instance else lane.owner for lane in group.lanes]
        if instance in up:
            up.remove(instance)
            group.instances_down([instance])
        else:
            before = [lane.owner for lane in group.lanes]
            up = sorted([*up, instance])
            group.instances_up([instance])
        clock.run_to_end(0.0, lambda: None)
        after = [lane.owner for lane in group.lanes]
        if not up:
            assert after == [NOBODY] * partitions
            continue
        counts = [after.count(i) for i in up]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == partitions
        moved = sum(new != old for new, old in zip(after, before, strict=True))
        assert moved == fewest_moves(before, up)
