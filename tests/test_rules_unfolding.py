"""What a request sets in motion is unfolded from the description, and numbered by it alone."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings

from eda_sim import Branch, Broker, Call, InvalidInput, Parallel, Publish, Scenario, Send, Service
from eda_sim.rules.unfolding import (
    BranchNode,
    MessageNode,
    Node,
    ParallelNode,
    WorkNode,
    messages,
    unfold,
)
from tests.strategies import scenarios
from tests.worlds import takes, world


def nodes(root: MessageNode) -> Iterator[Node]:
    """Every node of an unfolding, in the order of reading."""
    yield root
    for handler in root.handlers:
        yield from inside(handler.steps)


def inside(steps: Sequence[Node]) -> Iterator[Node]:
    """Every node among steps."""
    for node in steps:
        if isinstance(node, MessageNode):
            yield from nodes(node)
            continue
        yield node
        if isinstance(node, ParallelNode):
            yield from inside(node.steps)
        elif isinstance(node, BranchNode):
            yield from inside(node.then)
            yield from inside(node.otherwise)


def places(scenario: Scenario) -> list[tuple[str, int]]:
    """Address and place of every node for the first source."""
    return [(node.address, node.place) for node in nodes(unfold(scenario, scenario.traffic[0]))]


def numbers(scenario: Scenario) -> dict[tuple[str, int], int]:
    """The number of each message, by its address and place."""
    root = unfold(scenario, scenario.traffic[0])
    return {(node.address, node.place): node.number for node in messages(root)}


@given(scenarios())
@settings(max_examples=50)
def test_no_two_nodes_share_an_address_and_place(scenario: Scenario) -> None:
    """Each step of the unfolding has luck of its own, and each message a number of its own."""
    for source in scenario.traffic:
        tree = list(nodes(unfold(scenario, source)))
        assert len({(node.address, node.place) for node in tree}) == len(tree)
        said = [node.number for node in tree if isinstance(node, MessageNode)]
        assert sorted(said) == list(range(len(said)))


def test_places_count_in_the_order_of_the_description() -> None:
    """The same work in both ways of a branch, inside and beside: places 0, 1, 2 as written."""
    steps = [
        takes(1),
        Branch(0.5, [Parallel([takes(2), takes(3, "other")])], [takes(4)], "which"),
    ]
    tree = nodes(unfold(scenario := world(Call("M0"), [0.0], {"a": steps}), scenario.traffic[0]))
    works = [(n.step.duration.mean, n.address, n.place) for n in tree if isinstance(n, WorkNode)]
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
    assert numbers(scenario) == {
        ("clients -> M0", 0): 0,
        ("a -> M1", 0): 1,
        ("a -> M1", 1): 2,
        ("b -> M2", 0): 3,
        ("b -> M2", 1): 4,
    }
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
    was, now = numbers(before), numbers(after)
    assert {address: now[address] for address in was} == was
    assert ("log/write", 2) in places(after)  # the new one's own call, read before orders' own


def test_commands_and_events_unfold_to_their_handlers() -> None:
    """A command has one handler, an event its subscribers as declared, also none."""
    services = [Service(n, on={"E": [Send("C")] if n == "b" else []}) for n in "ba"]
    scenario = world(Publish("E"), [0.0], [*services, Service("c", on={"C": [Publish("Quiet")]})])
    root = unfold(scenario, scenario.traffic[0])
    assert [handler.service.name for handler in root.handlers] == ["b", "a"]
    heard = {node.name: [h.service.name for h in node.handlers] for node in messages(root)}
    assert heard == {"E": ["b", "a"], "C": ["c"], "Quiet": []}


def test_an_explosion_of_messages_is_refused() -> None:
    """Ten steps that each double the messages are too many: one line says where."""
    services = [
        Service(f"s{n}", on={f"E{n}": [Publish(f"E{n + 1}"), Publish(f"E{n + 1}")]})
        for n in range(10)
    ]
    scenario = Scenario(
        "explosion",
        traffic=world(Publish("E0"), [0.0], services).traffic,
        services=services,
        broker=Broker(),
    )
    with pytest.raises(InvalidInput, match=r"at most 1000 messages.*shorten the chain"):
        unfold(scenario, scenario.traffic[0])
