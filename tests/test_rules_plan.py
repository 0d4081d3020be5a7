"""The plan says what a scenario means: every step at every place, numbered by it alone."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from eda_sim import (
    Branch,
    Broker,
    Call,
    DeliveryPolicy,
    Handler,
    InvalidInput,
    Parallel,
    Publish,
    Scenario,
    Send,
    Service,
    Topic,
    Trace,
    Traffic,
    simulate,
)
from eda_sim.rules.identity import MOST_SOURCES
from eda_sim.rules.order import MOST_NODES, Rank, turn
from eda_sim.rules.plan import (
    HandlerNode,
    Node,
    Plan,
    WorkNode,
    handling_of,
    walk,
    way_to,
)
from tests.strategies import scenarios
from tests.worlds import takes, world

# Of what is odd in random worlds is warned.
pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")


def steps_of(scenario: Scenario) -> list[Node]:
    """Every step of the first source, in the order of reading."""
    return [n for n in Plan(scenario).unfoldings[0].as_read if not isinstance(n, HandlerNode)]


def test_steps_side_by_side_change_the_place_of_no_work() -> None:
    """Not even of one that is called like them."""
    plain = world(Call("M0"), [0], {"a": [takes(1, "parallel")]})
    within = world(Call("M0"), [0], {"a": [Parallel([takes(1, "parallel")])]})
    work, same_work = (Plan(each).unfoldings[0].as_read[-1] for each in (plain, within))
    assert work.address == same_work.address


def places(scenario: Scenario) -> list[tuple[str, int]]:
    """Address and place of every step for the first source."""
    return [(node.text, node.place) for node in steps_of(scenario)]


def messages(scenario: Scenario) -> list[tuple[str, int]]:
    """Address and place of every message, in the order of their numbers."""
    return [(node.text, node.place) for node in Plan(scenario).unfoldings[0].messages]


@given(scenarios())
@settings(max_examples=50)
def test_no_two_nodes_share_an_address_and_place(scenario: Scenario) -> None:
    """Each node has luck of its own and a number of its own, and each stands in its parent."""
    for unfolding in Plan(scenario).unfoldings:
        tree = unfolding.as_read
        assert len({node.address for node in tree}) == len(tree)
        assert [node.number for node in unfolding.nodes] == list(range(len(tree)))
        assert list(walk(unfolding.root)) == list(tree)
        assert all(node.parent is None or node in node.parent.inside for node in tree)
        assert [node for node in tree if node.parent is None] == [unfolding.root]


def test_places_count_in_the_order_of_the_description() -> None:
    """The same work in both ways of a branch, inside and beside: places 0, 1, 2 as written."""
    steps = [
        takes(1),
        Branch(0.5, [Parallel([takes(2), takes(3, "other")])], otherwise=[takes(4)], label="which"),
    ]
    tree = steps_of(world(Call("M0"), [0.0], {"a": steps}))
    works = [(n.step.duration.mean, n.text, n.place) for n in tree if isinstance(n, WorkNode)]
    assert works == [
        (1, "a/work", 0),
        (2, "a/work", 1),
        (3, "a/other", 0),
        (4, "a/work", 2),
    ]


def test_a_message_made_twice_is_two_messages() -> None:
    """Two calls of one command: two places and numbers, and all that they cause twice as well.

    What passes through services declared later is numbered later.
    """
    scenario = world(
        Call("M0"), [0.0], {"a": [Call("M1"), Call("M1")], "b": [Call("M2")], "c": [takes(1)]}
    )
    assert messages(scenario) == [
        ("clients -> M0", 0),
        ("a -> M1", 0),
        ("a -> M1", 1),
        ("b -> M2", 0),
        ("b -> M2", 1),
    ]
    assert places(scenario).count(("c/work", 1)) == 1


def test_an_appended_service_is_counted_last() -> None:
    """It hears an event, calls an old service, publishes: the places of the others stay."""
    old = [
        Service("orders", on={"Place": [takes(1), Publish("Placed"), Call("Log")]}),
        Service("log", on={"Log": [takes(1, "write")]}),
        Service("mail", on={"Placed": [Call("Log"), takes(1, "send")]}),
    ]
    new = Service("audit", on={"Placed": [Call("Log"), Publish("Audited")]})
    before = world(Call("Place"), [0.0], old)
    after = before.replace(services=[*old, new])
    assert set(places(before)) < set(places(after))
    was, now = (Plan(each).unfoldings[0].nodes for each in (before, after))
    old_ones = [node for node in now if node.latest < len(old)]
    assert [(n.number, n.address) for n in old_ones] == [(n.number, n.address) for n in was]
    assert ("log/write", 2) in places(after)  # the new one's own call, read before orders' own


def test_commands_and_events_unfold_to_their_handlers() -> None:
    """A command has one handler, an event its subscribers as declared, also none."""
    services = [Service(n, on={"E": [Send("C")] if n == "b" else []}) for n in "ba"]
    scenario = world(Publish("E"), [0.0], [*services, Service("c", on={"C": [Publish("Quiet")]})])
    unfolding = Plan(scenario).of("clients")
    heard = {node.name: [h.owner for h in node.inside] for node in unfolding.messages}
    assert heard == {"E": ["b", "a"], "C": ["c"], "Quiet": []}


def test_an_explosion_of_messages_is_refused() -> None:
    """Sixteen steps that each double the messages are too many: one line says where."""
    services = [
        Service(f"s{n}", on={f"E{n}": [Publish(f"E{n + 1}"), Publish(f"E{n + 1}")]})
        for n in range(16)
    ]
    scenario = Scenario(
        "explosion",
        traffic=world(Publish("E0"), [0.0], services).traffic,
        services=services,
        broker=Broker(),
    )
    with pytest.raises(InvalidInput, match=r"at most 65536 steps.*let fewer messages follow"):
        Plan(scenario)


def test_more_sources_than_ids_can_tell_apart_are_refused() -> None:
    """A request's id has room for so many sources: one more is one clear line."""
    source = Traffic(Call("M0"), Trace([]))
    traffic = [replace(source, name=f"clients-{n}") for n in range(MOST_SOURCES + 1)]
    services = [Service("a", on={"M0": []})]
    with pytest.raises(InvalidInput, match=rf"traffic must have at most {MOST_SOURCES} sources"):
        Plan(Scenario("crowd", traffic=traffic, services=services))


def test_a_thousand_calls_deep_runs() -> None:
    """Nothing in planning, running or judging a chain is as deep as the chain."""
    deep = 1000
    services = [
        Service(f"s{n}", on={f"M{n}": [Call(f"M{n + 1}")] if n + 1 < deep else [takes(1)]})
        for n in range(deep)
    ]
    run = simulate(world(Call("M0"), [0.0], services))
    assert run.requests["outcome"].tolist() == ["ok"]
    assert len(run.calls) == deep
    assert run.verdicts()["consistent"] == 1


POLICY = DeliveryPolicy(prefetch=7)


def test_the_policy_in_force_is_the_handlers_own_or_else_the_brokers() -> None:
    """Calls have none; topics have their own number of partitions."""
    broker = Broker(
        delivery=DeliveryPolicy(ordered=True), partitions=3, topics={"F": Topic(partitions=5)}
    )
    services = [
        Service("a", on={"M": [Publish("E"), Publish("F")]}),
        Service("b", on={"E": Handler([], delivery=POLICY), "F": []}),
    ]
    scenario = Scenario("terms", world(Call("M"), [0.0], services).traffic, services, broker=broker)
    handlers = [n for n in Plan(scenario).unfoldings[0].as_read if isinstance(n, HandlerNode)]
    assert [(n.message.name, n.policy, n.partitions) for n in handlers] == [
        ("M", None, 3),
        ("E", POLICY, 3),
        ("F", broker.delivery, 5),
    ]


def test_the_way_to_a_node_leads_through_every_handling() -> None:
    """From the client on, each message's handling, the node's own last."""
    steps = {"a": [Call("M1")], "b": [Branch(0.5, [takes(1)])]}
    (work,) = (n for n in steps_of(world(Call("M0"), [0.0], steps)) if isinstance(n, WorkNode))
    assert [handling.owner for handling in way_to(work)] == ["a", "b"]
    assert handling_of(work) is way_to(work)[-1]


def test_a_turn_names_the_node() -> None:
    """What happens at two nodes in one turn goes by their numbers."""
    tree = Plan(world(Call("M0"), [0.0], {"a": [takes(1), takes(2)]})).unfoldings[0].as_read
    first, second = (node for node in tree if isinstance(node, WorkNode))
    assert first.ends < second.ends == turn(Rank.WORK_ENDS, second.number)
    assert max(node.number for node in tree) < MOST_NODES


def test_names_with_separators_share_no_address() -> None:
    """A label that looks like what is drawn about another has luck of its own."""
    steps = {"a": [takes(1, "x"), takes(1, "x/transient"), takes(1, "x%2Ftransient")]}
    tree = steps_of(world(Call("M0"), [0.0], steps))
    texts = [text for node in tree for text in (node.text, node.address.of("transient").text)]
    assert len(set(texts)) == len(texts)
