"""Death, repair, the order of topics, the end of a run, ids and rows: on paper first.

Each test quotes the line from which its order is predicted: of ``rules.order``, where it says
nothing else.
"""

from itertools import count

import numpy as np
import pytest

from eda_sim.engine.world import World
from eda_sim.results.frames import frame
from eda_sim.rules.identity import message_id, message_made_again
from eda_sim.rules.luck import Luck, fold, fold_copy
from eda_sim.rules.plan import Plan
from eda_sim.rules.tables import TABLES
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.distributions import Constant, Recorded
from eda_sim.scenario.faults import Duplicates, Outage, Slowdown
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import Call, Parallel, Publish, Work
from eda_sim.scenario.traffic import UniformKeys
from eda_sim.simulate import simulate
from tests.instant import KNOCK, TEN, client, does, grid, knocked, waits
from tests.worlds import done, rows, takes

LONG = takes(20.0, "long")
ORDERED = DeliveryPolicy(ordered=True)


# -- death -------------------------------------------------------------------------------


def test_whoever_dies_is_dead_within_the_fault() -> None:
    """'Whoever dies with an instance is dead within the fault ... with all that he had begun'.

    A call and a work stand side by side. The call's timeout, which is due at the same instant,
    finds nobody, and the work is never done.
    """
    sides = Parallel([Call("Ask", timeout=TEN), takes(12.0, "beside")])
    lost = DeliveryPolicy(guarantee="at_most_once")
    services = [does("victim", "Go", sides, policy=lost), does("server", "Ask", LONG)]
    outage = Outage("victim", at=TEN, lasts=30)
    run = simulate(grid([client(Publish("Go"), 0.0)], services, faults=[outage]))
    assert rows(run.calls, "outcome", "ended_at", "attempts") == [("abandoned", TEN, 1)]
    assert rows(run.incidents, "what", "at") == [("crashed", TEN)]
    assert done(run) == [(0, "long", 20.0)]


def callers(at: dict[str, float], waiting: float | None = None) -> Scenario:
    """Callers of one service, which dies at ten; they knock when they try again, at once.

    Of its four workers the first and third of those called are in instance 0. With ``waiting``,
    another one, declared first, has called at that time and waits for a worker.
    """
    again = DeliveryPolicy(retry=waits(0.0))
    at = at if waiting is None else {"waiting": waiting, **at}
    services = [does(name, f"{name} asked", KNOCK, Call("Ask"), policy=again) for name in at]
    sources = [
        client(Publish(f"{name} asked"), time, name=f"client of {name}")
        for name, time in at.items()
    ]
    server = does("server", "Ask", LONG, instances=2, workers=2)
    return grid(sources, [*services, server], faults=[Outage("server", at=TEN, lasts=30)])


def test_what_was_being_handled_is_settled_by_when_it_was_queued() -> None:
    """'What was being handled is settled in the order of the queue: ... by when it was queued'.

    The last declared called first.
    """
    world = callers({"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0})
    assert knocked(world) == ["d", "c", "b", "a"]


def test_what_was_queued_together_is_settled_by_message() -> None:
    """'Then by message': b is handled in instance 1, and comes before c, in instance 0."""
    assert knocked(callers(dict.fromkeys("abcd", 4.0))) == ["a", "b", "c", "d"]


def test_calls_that_wait_hear_last_that_nobody_is_up() -> None:
    """'Then, where nobody is up any more, the calls that wait'."""
    world = callers({"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}, waiting=6.0)
    assert knocked(world) == ["d", "c", "b", "a", "waiting"]


def seed_where(fails: dict[int, bool]) -> int:
    """A seed whose luck lets the work of ``server`` go so, by the folded tries of an attempt."""
    for seed in count():
        stream = Luck(seed).stream("server/long/transient", "clients", 0)
        if all((stream.uniform(0, tries) < 0.5) is bad for tries, bad in fails.items()):
            return seed
    raise AssertionError


def test_two_arrivals_of_one_message_are_settled_by_instance() -> None:
    """'Then by instance and worker': after a repair what a link doubled comes behind the first.

    Both were queued at the same time, so the first arrival, handled in instance 0, goes back
    first, and the first worker of the repaired service takes it. They differ in their luck.
    """
    first, second = fold(0, 2), fold_copy(fold(0, 2))
    service = does(
        "server",
        "Go",
        takes(20.0, "long", transient=0.5),
        instances=2,
        policy=DeliveryPolicy(retry=waits(0.0, 2)),
    )
    faults = [Duplicates(1.0, between=("broker", "server")), Outage("server", at=5, lasts=5)]
    world = grid([client(Publish("Go"), 0.0)], [service], faults=faults)
    seed = seed_where({first: True, second: False})
    run = simulate(world, seed=seed)
    again = run.attempts[run.attempts["started_at"] == TEN]
    assert sorted(rows(again, "instance", "outcome")) == [(0, "failed"), (1, "ok")]


def test_what_the_dead_had_prefetched_goes_back_last() -> None:
    """'At last what the dead had prefetched goes back ...; only then is anything pushed to others'.

    Instance 0 handles the first and holds the third; instance 1 is idle at ten, and takes what
    goes back first.
    """
    works = Work(Recorded([20.0, 0.5, 3.0]), "long")
    service = does("server", "Go", works, instances=2, policy=DeliveryPolicy(prefetch=2))
    outage = Outage("server", instances=1, at=TEN, lasts=30)
    run = simulate(grid([client(Publish("Go"), 0.0, 0.0, 0.0)], [service], faults=[outage]))
    found = rows(run.attempts, "request", "attempt", "instance", "started_at")
    assert [row for row in found if row[3] is not None and row[3] >= TEN] == [
        (2, 1, 1, 30.0),
        (0, 2, 1, TEN),
    ]


def test_what_comes_back_at_the_head_waits_behind_what_came_back_there_before() -> None:
    """'*What comes back at the head* ... waits behind what came back there before, and in front'.

    Two fail at 1 and come back at 3, while both workers are busy and another one waits.
    """
    handlers = {"Fail": [takes(1.0, "fail", transient=1.0)], "Long": [takes(9.0)], "Wait": [LONG]}
    sources = [
        client(Publish("Fail"), 0.0, 0.0, name="first"),
        client(Publish("Long"), 0.5, 0.5, name="second"),
        client(Publish("Wait"), 0.75, name="third"),
    ]
    policy = DeliveryPolicy(requeue="head", retry=waits(2.0))
    world = grid(sources, [Service("server", workers=2, on=handlers)], Broker(delivery=policy))
    taken = rows(simulate(world).attempts, "started_at", "worker", "name", "request")
    assert sorted(row for row in taken if row[0] >= TEN) == [
        (TEN, 0, "Fail", 0),
        (TEN, 1, "Fail", 1),
        (11.0, 0, "Wait", 2_000_000_000),
    ]


# -- repair, and the order of topics -----------------------------------------------------


def test_a_repair_calls_the_workers_back_by_instance_then_by_worker() -> None:
    """'*A repair* calls the workers back: by instance, then by worker.'"""
    service = does("server", "Go", LONG, instances=2, workers=2)
    sources = [client(Publish("Go"), 6.0, 7.0, 8.0, 9.0)]
    run = simulate(grid(sources, [service], faults=[Outage("server", at=5, lasts=5)]))
    taken = rows(run.attempts, "request", "instance", "worker", "started_at")
    assert taken == [(0, 0, 0, TEN), (1, 0, 1, TEN), (2, 1, 0, TEN), (3, 1, 1, TEN)]


def test_topics_of_a_service_are_looked_at_in_the_order_of_the_plan() -> None:
    """'*The broker's topics* of a service are looked at in the order of the plan.'

    Instance 0 dies at 9 with a delivery of the first topic; one of the second has waited longer.
    At ten both lanes move to instance 1, whose worker is idle: that of the first topic first.
    """
    handlers = {name: Handler([LONG], delivery=ORDERED) for name in ("Second", "First")}
    service = Service("server", instances=2, on=handlers)
    sources = [
        client(Publish("First"), 7.0, name="first", keys=UniformKeys(1)),
        client(Publish("Second"), 8.0, name="second", keys=UniformKeys(1)),
    ]
    outage = Outage("server", instances=1, at=9, lasts=50)
    broker = Broker(partitions=3, rebalance=1.0)
    run = simulate(grid(sources, [service], broker, faults=[outage]))
    taken = sorted(rows(run.attempts.dropna(subset="started_at"), "started_at", "name"))
    assert taken == [(7.0, "First"), (TEN, "First"), (30.0, "Second")]


# -- the end -----------------------------------------------------------------------------


def test_what_is_due_at_the_end_still_happens() -> None:
    """'*The end* of a run is part of it': work, what follows at once, and work of no time."""
    service = does("server", "Ask", takes(15.0, "long"), takes(0.0, "short"), KNOCK)
    world = grid([client(Call("Ask"), 0.0, 0.25)], [service], duration=10.0, drain=5.0)
    run = simulate(world)
    assert done(run) == [(0, "long", 15.0), (0, "short", 15.0)]
    assert rows(run.requests, "answered_at", "outcome") == [(15.0, "ok"), (None, "unfinished")]
    assert knocked(world, at=15.0) == ["server"]


# -- identity and rows -------------------------------------------------------------------


def test_a_message_made_again_is_known_by_its_tries() -> None:
    """'A message that is made again is known by the tries that led to it' (``rules.identity``).

    Of two attempts the second publishes at 3, the first, which was slowed down, at 16: the
    first's message is the first all the same, though it was made last.
    """
    service = does(
        "server", "Go", takes(2.0), KNOCK, workers=2, policy=DeliveryPolicy(ack_timeout=1.0)
    )
    slow = Slowdown("server", 8, at=0, lasts=0.5)
    run = simulate(grid([client(Publish("Go"), 0.0)], [service], faults=[slow]))
    made = run.messages[run.messages["name"] == "Knock"]
    (node,) = set(made["node"])
    assert rows(made, "message", "published_at")[:1] == [
        (message_made_again(0, node, fold(0, 2), ()), 3.0)
    ]
    assert (message_id(0, node), 16.0) in rows(made, "message", "published_at")


@pytest.mark.parametrize("seed", range(3))
def test_rows_with_equal_keys_are_ordered_by_all_columns(seed: int) -> None:
    """'By the table's first time, then by its ids, then by all other columns' (``rules.tables``).

    In whatever order an engine writes the rows down: where a link doubles everything, and all
    takes the same time, many are alike in their keys.
    """
    server = does("server", "Go", takes(1.0, transient=0.5), workers=2)
    world = grid(
        [client(Publish("Go"), *[0.0] * 20)],
        [server],
        Broker(deliver=Constant(1.0)),
        faults=[Duplicates(1.0)],
    )
    written = World(Plan(world), seed=0).run()
    names = written.names.all
    shuffled = np.random.default_rng(seed)
    ties = 0
    for name, columns in written.tables().items():
        table = TABLES[name]
        arrays = {key: np.asarray(column) for key, column in columns.items()}
        order = shuffled.permutation(len(arrays[table.order[0]]))
        mixed = {key: column[order] for key, column in arrays.items()}
        found = frame(table, arrays, names)
        assert found.equals(frame(table, mixed, names))
        ties += found.duplicated(list(table.order)).sum() - found.duplicated().sum()
    assert ties > 0
