"""System and state diagrams show all that is there, and nothing hides anything else."""

from collections.abc import Callable
from itertools import combinations

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse, FancyBboxPatch, PathPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from eda_sim import (
    Broker,
    Call,
    Poisson,
    Publish,
    Scenario,
    Send,
    Service,
    Traffic,
    describe,
    draw_lifecycle,
    draw_system,
    event_bus,
    event_flow,
    fan_out,
    order_chain,
    order_pubsub,
    service_chain,
    town_announcement,
    town_conversation,
)
from eda_sim.rules.lifecycle import BREAKER, CALL, DELIVERY, INSTANCE, Lifecycle, transitions
from eda_sim.views.layers import layered
from eda_sim.views.system import STROKES, waits_for

CATALOGUE: dict[str, Callable[[], Scenario]] = {
    "order_chain": order_chain,
    "order_pubsub": order_pubsub,
    "fan_out, none": lambda: fan_out(subscribers=0),
    "fan_out": fan_out,
    "fan_out, 8": lambda: fan_out(subscribers=8),
    "event_flow": event_flow,
    "event_bus": event_bus,
    "service_chain": lambda: service_chain(depth=5),
    "service_chain, nested": lambda: service_chain(depth=5, nested=True),
    "town_conversation": lambda: town_conversation(busy_at=60),
    "town_announcement": lambda: town_announcement(listeners=5, busy_at=60),
}


def conversation() -> Scenario:
    """Everything at once: two commands and a send to one service, an event back, two clients."""
    both = [Call("Ask"), Call("AskAgain"), Send("Note"), Publish("Asked")]
    return Scenario(
        "conversation",
        traffic=[
            Traffic(Call("Start"), Poisson(1), name="people"),
            Traffic(Call("Ask"), Poisson(1), name="neighbours"),
        ],
        services=[
            Service("front", instances=2, on={"Start": both, "Answered": []}),
            Service("back", on={"Ask": [], "AskAgain": [], "Note": [Publish("Answered")]}),
            Service("archive", on={"Asked": [], "Answered": []}),
        ],
        broker=Broker(),
    )


SYSTEMS = CATALOGUE | {"conversation": conversation}


def texts_of(ax: Axes) -> list[Text]:
    """Every text that is seen, the legend's and the title included."""
    everywhere = ax.get_figure(root=True).findobj(Text)  # type: ignore[union-attr]
    if not ax.axison:
        ticks = {*ax.xaxis.findobj(Text), *ax.yaxis.findobj(Text)}
        everywhere = [text for text in everywhere if text not in ticks]
    return [text for text in everywhere if text.get_text().strip() and text.get_visible()]


def extents(ax: Axes) -> list[tuple[str, Bbox]]:
    """Each text with the box that it takes, in pixels, a hair smaller."""
    ax.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    return [(text.get_text(), text.get_window_extent().padded(-0.5)) for text in texts_of(ax)]


def check_nothing_overlaps(ax: Axes) -> None:
    """No text lies on another, and none leaves the figure."""
    boxes = extents(ax)
    figure = ax.get_figure(root=True).bbox  # type: ignore[union-attr]
    for name, box in boxes:
        assert figure.x0 <= box.x0, name
        assert box.x1 <= figure.x1, name
        assert figure.y0 <= box.y0, name
        assert box.y1 <= figure.y1, name
    for (name, box), (other, another) in combinations(boxes, 2):
        assert Bbox.intersection(box, another) is None, (name, other)


def nodes_of(ax: Axes) -> dict[str, Ellipse | FancyBboxPatch]:
    """The drawn boxes by name."""
    shapes = [p for p in ax.patches if isinstance(p, (Ellipse, FancyBboxPatch))]
    return {name: p for p in shapes if (name := str(p.get_label())) and name[0] != "_"}


# -- systems ---------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_text_of_a_system_overlaps_another(name: str) -> None:
    """Names, commands, legend and title can all be read."""
    check_nothing_overlaps(draw_system(SYSTEMS[name]()))


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_command_lies_on_a_box(name: str) -> None:
    """What is said at a line stands beside the boxes, which stand beside each other."""
    ax = draw_system(SYSTEMS[name]())
    nodes = {label: shape.get_window_extent() for label, shape in nodes_of(ax).items()}
    for a, b in combinations(nodes, 2):
        assert not nodes[a].overlaps(nodes[b]), (a, b)
    for text, box in extents(ax):
        centre = box.x0 + box.width / 2, box.y0 + box.height / 2
        for node, place in nodes.items():
            if not place.contains(*centre):
                assert not place.overlaps(box), (text, node)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_shows_every_part_and_every_line(name: str) -> None:
    """A box for each node of the graph, a line for each way that two of them speak."""
    scenario = SYSTEMS[name]()
    ax, drawn = draw_system(scenario), scenario.graph()
    assert set(nodes_of(ax)) == set(drawn)
    lines = {p.get_label() for p in ax.patches if isinstance(p, PathPatch)}
    assert lines == {f"{a} {kind} {b}" for a, b, kind in drawn.edges(data="kind")}
    written = "\n".join(text for text, _ in extents(ax)).split("\n")
    for *_, kind, message in drawn.edges(data="message", keys=True):
        assert str(message) in written, kind
    legend = ax.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == len({*dict(drawn.nodes(data="kind")).values()}) + len(
        {kind for *_, kind in drawn.edges(data="kind")}
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_line_runs_from_left_to_right_past_all_boxes(name: str) -> None:
    """In a system without cycles everybody speaks to the right, and through nobody."""
    ax = draw_system(CATALOGUE[name]())
    nodes = {label: shape.get_window_extent() for label, shape in nodes_of(ax).items()}
    for line in (p for p in ax.patches if isinstance(p, PathPatch)):
        points = line.get_transform().transform_path(line.get_path()).interpolated(20).vertices
        assert points[0, 0] < points[-1, 0]  # type: ignore[call-overload, index]
        inner = points[20:-20]  # type: ignore[index]
        for node, box in nodes.items():
            if node not in str(line.get_label()):
                assert not any(box.contains(x, y) for x, y in inner), (line.get_label(), node)


def test_kinds_of_lines_are_told_apart_without_colour() -> None:
    """No two kinds share width, dashes and head."""
    looks = {(str(s.style), s.width, s.full) for s in STROKES.values()}
    assert len(looks) == len(STROKES)


def test_the_title_counts_whom_a_client_waits_for() -> None:
    """All five services of the chain; of publish/subscribe only the one that answers."""
    assert draw_system(order_chain()).get_title(loc="left").endswith("waits for 5 of 5 services")
    assert draw_system(order_pubsub()).get_title(loc="left").endswith("waits for 1 of 5 services")
    assert waits_for(order_pubsub().graph()) == {"orders"}


def test_the_words_of_a_system_say_who_speaks_to_whom() -> None:
    """Each line of the picture is a sentence of its description."""
    words = describe(draw_system(conversation()))
    for sentence in (
        "front calls back: Ask and AskAgain.",
        "front sends to back: Note.",
        "front publishes Asked.",
        "archive hears Answered.",
        "neighbours calls back: Ask.",
    ):
        assert sentence in words


def test_a_small_place_shrinks_the_whole_picture() -> None:
    """On Axes of the user's own, texts shrink with the boxes, so nothing overlaps there either."""
    _, axes = plt.subplots(1, 2, figsize=(12, 4))
    ax = draw_system(order_pubsub(), axes[0], title="Mine")
    assert ax is axes[0]
    assert ax.get_title(loc="left") == "Mine"
    sizes = [t.get_fontsize() for t in ax.texts]  # type: ignore[attr-defined]
    assert max(sizes) < 12
    boxes = [(t.get_text(), t.get_window_extent().padded(-0.5)) for t in ax.texts]
    for (name, box), (other, another) in combinations(boxes, 2):
        assert not box.overlaps(another), (name, other)


# -- layers ----------------------------------------------------------------------


def test_layers_follow_the_longest_way() -> None:
    """A shortcut does not pull its end forward; it passes the layer between."""
    layers, ways = layered(["a", "b", "c"], [("a", "c"), ("a", "b"), ("b", "c")])
    assert [[n for n in layer if isinstance(n, str)] for layer in layers] == [["a"], ["b"], ["c"]]
    assert len(ways["a", "c"]) == 3


def test_crossings_that_need_not_be_are_not() -> None:
    """Two pairs given crosswise are untangled."""
    layers, _ = layered(["a", "b", "y", "x"], [("a", "x"), ("b", "y")])
    assert [layers[0].index("a"), layers[0].index("b")] == [
        layers[1].index("x"),
        layers[1].index("y"),
    ]


def test_a_cycle_is_drawn_with_one_way_back() -> None:
    """What would close a cycle points back; nothing loops for ever."""
    layers, ways = layered(["a", "b"], [("a", "b"), ("b", "a")])
    assert layers == [["a"], ["b"]]
    assert ways["b", "a"] == ["b", "a"]


# -- lifecycles ------------------------------------------------------------------


@pytest.mark.parametrize("lifecycle", [CALL, DELIVERY, INSTANCE, BREAKER], ids=lambda x: x.name)
def test_a_lifecycle_shows_every_state_and_every_arrow(lifecycle: Lifecycle) -> None:
    """The picture has what the table has, and no more."""
    ax = draw_lifecycle(lifecycle)
    assert set(nodes_of(ax)) == {state.name for state in lifecycle.states}
    lines = {str(p.get_label()) for p in ax.patches if isinstance(p, PathPatch)}
    assert lines == {f"{s}  {follows}" for s, _, follows in transitions(lifecycle)}
    words = describe(ax)
    for state, event, follows in transitions(lifecycle):
        assert f"{state}, {event}: {follows}.".replace("_", " ") in words


@pytest.mark.parametrize("lifecycle", [CALL, DELIVERY, INSTANCE, BREAKER], ids=lambda x: x.name)
def test_a_lifecycle_can_be_read(lifecycle: Lifecycle) -> None:
    """Nothing overlaps; several arrows into one state may share their last piece and its label."""
    ax = draw_lifecycle(lifecycle)
    boxes = extents(ax)
    for (name, box), (other, another) in combinations(boxes, 2):
        same_place = name == other and abs(box.x1 - another.x1) + abs(box.y1 - another.y1) < 1
        assert same_place or not box.overlaps(another), (name, other)


@pytest.mark.parametrize("lifecycle", [CALL, DELIVERY, INSTANCE, BREAKER], ids=lambda x: x.name)
def test_a_lifecycle_stays_in_the_picture(lifecycle: Lifecycle) -> None:
    """Ways back are drawn whole, and no two of them run along the same upright line."""
    ax = draw_lifecycle(lifecycle)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    ways = [p.get_path() for p in ax.patches if isinstance(p, PathPatch)]
    for box in (way.get_extents() for way in ways):
        assert left < box.x0 <= box.x1 < right
        assert bottom < box.y0 <= box.y1 < top
    back = [way.vertices for way in ways if way.codes is not None and Path.CURVE3 in way.codes]
    uprights = [x for (x, _), (below, _) in (way[[-1, -2]] for way in back) if x == below]
    uprights += [x for (x, _), (below, _) in (way[[0, 1]] for way in back) if x == below]
    assert len(uprights) == len(set(uprights))


def test_an_instance_has_its_article() -> None:
    """The finding is a sentence: an instance, a call."""
    assert draw_lifecycle(INSTANCE).get_title(loc="left").startswith("An instance starts absent")


def test_ends_have_a_double_frame() -> None:
    """Handled, dead-lettered and lost: what never changes again is drawn twice."""
    ax = draw_lifecycle(DELIVERY)
    frames = sum(isinstance(p, FancyBboxPatch) for p in ax.patches)
    assert frames == len(DELIVERY.states) + 3
