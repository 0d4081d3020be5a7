"""A scenario shows itself: one graph, counted by hand, and the texts drawn from it."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings

from eda_sim.catalog import CATALOG, fan_out, order_chain, order_pubsub
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.diagram import ARROWS, as_text
from eda_sim.scenario.distributions import Constant
from eda_sim.scenario.faults import Outage
from eda_sim.scenario.messages import edges, flatten, handlers_of, mentions, name_of
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Branch, Call, Parallel, Publish, Send, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from tests.strategies import scenarios

# Of what is odd in random worlds is warned.
pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")

MIXED = Scenario(
    'every "kind" of <edge>',
    traffic=[
        Traffic(Call("Buy"), Poisson(1), name="shoppers"),
        Traffic(Publish("Clicked"), Poisson(1), name="visitors"),
    ],
    services=[
        Service(
            "shop",
            instances=2,
            workers=3,
            inbox=5,
            on={
                "Buy": [
                    Work(Constant(1), "sell"),
                    Parallel([Call("Pay"), Send("Pack")]),
                    Branch(0.5, [Publish("Bought")], otherwise=[Call("Pay"), Call("Pay")]),
                ]
            },
        ),
        Service("bank", on={"Pay": [], "Bought": []}),
        Service("depot", on={"Pack": [], "Bought": [], "Clicked": []}),
    ],
    broker=Broker(),
)

# Who has to know whom: sender, receiver, kind, message. Pay is called in three places: one edge.
MIXED_EDGES = {
    ("shoppers", "shop", "call", "Buy"),
    ("shop", "bank", "call", "Pay"),
    ("shop", "depot", "send", "Pack"),
    ("shop", "Bought", "publish", "Bought"),
    ("Bought", "bank", "subscribe", "Bought"),
    ("Bought", "depot", "subscribe", "Bought"),
    ("visitors", "Clicked", "publish", "Clicked"),
    ("Clicked", "depot", "subscribe", "Clicked"),
}


def edges_of(scenario: Scenario) -> list[tuple[str, str, str, str]]:
    """The edges of the graph with their kind and message."""
    drawn = scenario.graph().edges(data=True)
    return [(start, end, data["kind"], data["message"]) for start, end, data in drawn]


# -- the graph ---------------------------------------------------------------------------


def test_every_kind_of_edge() -> None:
    """Calls, sends, publications and subscriptions are each one edge, however often made."""
    drawn = edges_of(MIXED)
    assert set(drawn) == MIXED_EDGES
    assert len(drawn) == len(MIXED_EDGES)


def test_every_kind_of_node() -> None:
    """Sources, services and topics are the nodes; a topic is there for each event."""
    kinds = dict(MIXED.graph().nodes(data="kind"))
    assert kinds == {
        "shoppers": "source",
        "visitors": "source",
        "shop": "service",
        "bank": "service",
        "depot": "service",
        "Bought": "topic",
        "Clicked": "topic",
    }


def test_coupling_of_the_chain() -> None:
    """In the chain customers know orders, and orders knows four services: five calls."""
    assert Counter(kind for _, _, kind, _ in edges_of(order_chain())) == {"call": 5}
    assert order_chain().graph().out_degree("orders") == 4


def test_coupling_of_publish_subscribe() -> None:
    """With events orders knows one topic, and four subscribers know it too."""
    drawn = order_pubsub().graph()
    kinds = Counter(kind for _, _, kind in drawn.edges(data="kind"))
    assert kinds == {"call": 1, "publish": 1, "subscribe": 4}
    assert list(drawn.successors("orders")) == ["OrderPlaced"]


def test_a_subscriber_more_changes_no_publisher() -> None:
    """Another subscriber adds one node and one edge, and nothing at the publisher's side."""
    three, four = fan_out(subscribers=3).graph(), fan_out(subscribers=4).graph()
    assert set(four.nodes) - set(three.nodes) == {"subscriber-4"}
    assert set(four.edges) - set(three.edges) == {
        ("MessagePublished", "subscriber-4", "subscribe MessagePublished")
    }
    assert set(three.edges) < set(four.edges)


def test_an_event_that_nobody_hears() -> None:
    """An event without subscribers is a topic with no way out."""
    drawn = fan_out(subscribers=0).graph()
    assert dict(drawn.nodes(data="kind")) == {"publishers": "source", "MessagePublished": "topic"}
    assert drawn.out_degree("MessagePublished") == 0


@settings(max_examples=40)
@given(scenarios())
def test_edges_are_counted_from_the_description(scenario: Scenario) -> None:
    """Each pair that says a message is one edge, each subscription another, in every world."""
    expected: set[tuple[str, str, str, str]] = set()
    said = [(source.name, source.message) for source in scenario.traffic]
    for service in scenario.services:
        for handler in service.handlers.values():
            said += [(service.name, step) for step in flatten(handler.steps) if step.kind in ARROWS]
    for sender, step in said:
        hearing = [s.name for s in scenario.services if name_of(step) in s.on]
        if isinstance(step, Publish):
            expected.add((sender, step.event, "publish", step.event))
            expected |= {(step.event, name, "subscribe", step.event) for name in hearing}
        else:
            expected.add((sender, hearing[0], step.kind, step.command))
    assert Counter(edges_of(scenario)) == Counter(expected)


# -- the messages behind it ------------------------------------------------------------------


def test_mentions_find_steps_within_steps() -> None:
    """Messages inside ``Parallel`` and ``Branch`` are found, clients' first."""
    found = [(m.sender, m.on, name_of(m.step)) for m in mentions(MIXED.traffic, MIXED.services)]
    assert found == [
        ("shoppers", None, "Buy"),
        ("visitors", None, "Clicked"),
        *(("shop", "Buy", name) for name in ("Pay", "Pack", "Bought", "Pay", "Pay")),
    ]


def test_who_handles_and_what_follows() -> None:
    """Handlers come in the order declared; what a message causes is a set of names."""
    assert [s.name for s in handlers_of("Bought", MIXED.services)] == ["bank", "depot"]
    assert handlers_of("Nothing", MIXED.services) == ()
    assert edges(MIXED.services) == {"Buy": {"Pay", "Pack", "Bought"}}


# -- Mermaid -----------------------------------------------------------------------------------

NODE = re.compile(
    r'^ {4}(?P<id>n\d+)(?:(?P<source>\(\[)|(?P<topic>\(\()|(?P<service>\[))"(?P<title>[^"]*)"'
    r"(?:\]\)|\)\)|\])$"
)
EDGE = re.compile(r'^ {4}(?P<start>n\d+) (?P<arrow>\S+?)(?:\|"(?P<label>[^"]*)"\|)? (?P<end>n\d+)$')


def parsed(text: str) -> tuple[dict[str, tuple[str, str]], list[tuple[str, str, str, str]]]:
    """Read a Mermaid flowchart back: nodes with kind and title, edges with arrow and label."""
    lines = text.splitlines()
    assert lines[0] == "flowchart LR"
    assert text.endswith("\n")
    nodes: dict[str, tuple[str, str]] = {}
    drawn = []
    for line in lines[1:]:
        if match := NODE.match(line):
            (kind,) = (k for k in ("source", "topic", "service") if match[k])
            nodes[match["id"]] = (kind, match["title"])
        else:
            edge = EDGE.match(line)
            assert edge, line
            drawn.append((edge["start"], edge["end"], edge["arrow"], edge["label"] or ""))
    return nodes, drawn


def test_mermaid_of_every_kind() -> None:
    """Shapes tell sources, services and topics apart; arrows tell calls, sends and events apart."""
    nodes, drawn = parsed(MIXED.to_mermaid())
    assert set(nodes.values()) == {
        ("source", "shoppers"),
        ("source", "visitors"),
        ("service", "shop 2 x 3"),
        ("service", "bank 1 x 1"),
        ("service", "depot 1 x 1"),
        ("topic", "Bought"),
        ("topic", "Clicked"),
    }
    titles = {node: title.split(" ")[0] for node, (_, title) in nodes.items()}
    assert {(titles[s], titles[e], arrow, label) for s, e, arrow, label in drawn} == {
        ("shoppers", "shop", "-->", "Buy"),
        ("shop", "bank", "-->", "Pay"),
        ("shop", "depot", "-.->", "Pack"),
        ("shop", "Bought", "==>", "publishes"),
        ("Bought", "bank", "==>", ""),
        ("Bought", "depot", "==>", ""),
        ("visitors", "Clicked", "==>", "publishes"),
        ("Clicked", "depot", "==>", ""),
    }


@settings(max_examples=40)
@given(scenarios())
def test_mermaid_holds_the_whole_graph(scenario: Scenario) -> None:
    """Every node and every edge of the graph is in the Mermaid text, and nothing else."""
    nodes, drawn = parsed(scenario.to_mermaid())
    whole = scenario.graph()
    assert len(nodes) == whole.number_of_nodes()
    assert len(drawn) == whole.number_of_edges()
    assert {node for start, end, *_ in drawn for node in (start, end)} <= nodes.keys()
    kinds = Counter(whole.nodes[node]["kind"] for node in whole)
    assert Counter(kind for kind, _ in nodes.values()) == kinds


def test_mermaid_quotes_what_would_break_it() -> None:
    """Quotes, brackets and ampersands in names become entities, so that Mermaid still reads it."""
    scenario = Scenario(
        "odd names",
        traffic=[Traffic(Call('Say "hi"'), Poisson(1), name="<&>")],
        services=[Service('a"b]', on={'Say "hi"': []})],
    )
    nodes, drawn = parsed(scenario.to_mermaid())
    assert [title for _, title in nodes.values()] == ["&lt;&amp;>", "a&quot;b] 1 x 1"]
    assert [label for *_, label in drawn] == ["Say &quot;hi&quot;"]


# -- in a terminal and in JupyterLab ---------------------------------------------------------------


def test_the_text_says_everything() -> None:
    """The text for terminals names every source, service, message, step, fault and time."""
    scenario = order_chain(faults=[Outage("payment", at=300, lasts=60)])
    text = str(scenario)
    assert text == as_text(scenario)
    lines = text.splitlines()
    assert lines[0] == "synchronous chain"
    assert "customers call PlaceOrder, Poisson(40.0)" in lines
    assert "payment (instances 1, workers 4)" in lines
    assert "  on ProcessPayment: charge card LogNormal(0.06) (transient=0.01)" in lines
    assert "fault: Outage('payment', at=300.0, lasts=60.0)" in lines
    assert (
        "  on PlaceOrder: accept order Exponential(0.005), "
        + ", ".join(
            f"call {command} (timeout=2.0)"
            for command in ("ProcessPayment", "ReserveItems", "SendConfirmation", "RecordSale")
        )
        in lines
    )
    assert lines[-1] == "for 1800 s, warm-up 120 s, drain 600 s"


def test_the_text_of_steps_within_steps() -> None:
    """Parallel steps and branches are written out, with their probability."""
    assert (
        "  on Buy: sell Constant(1.0), in parallel [call Pay, send Pack], "
        "with probability 0.5 [publish Bought] otherwise [call Pay, call Pay]"
    ) in str(MIXED).splitlines()
    assert "shop (instances 2, workers 3, inbox 5)" in str(MIXED).splitlines()
    assert "  on Pay: nothing" in str(MIXED).splitlines()


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_jupyterlab_gets_text_and_mermaid(name: str) -> None:
    """A notebook shows the diagram where it can, and the text where it cannot."""
    scenario = CATALOG[name]()
    assert scenario._repr_mimebundle_() == {
        "text/plain": str(scenario),
        "text/vnd.mermaid": scenario.to_mermaid(),
    }
