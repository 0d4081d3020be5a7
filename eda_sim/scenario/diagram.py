"""The system as a graph, and as the text and Mermaid drawn from that graph.

One graph stands behind every picture. Its nodes are sources of traffic,
services and topics (one for each event), its edges are calls, sends,
publications and subscriptions; nodes and edges carry their ``kind``. To count
coupling, count edges: an edge is somebody who has to know somebody.
"""

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from eda_sim.later.networkx import networkx
from eda_sim.scenario.messages import Mention, handlers_of, mentions, name_of
from eda_sim.scenario.parts import Parts
from eda_sim.scenario.settings import decisions
from eda_sim.scenario.steps import AnyStep, Branch, Call, Parallel, Publish, Send, Work

ARROWS = {"call": "-->", "send": "-.->", "publish": "==>", "subscribe": "==>"}


def graph(scenario: Parts) -> "networkx.MultiDiGraph[str]":
    """Return the system as a directed graph, its nodes and edges as ``Scenario.graph`` says."""
    result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=scenario.name)
    for source in scenario.traffic:
        result.add_node(source.name, kind="source")
    for service in scenario.services:
        result.add_node(service.name, kind="service")
    for mention in mentions(scenario.traffic, scenario.services):
        for start, end, kind, message in _edges(mention, scenario):
            if end not in result:
                result.add_node(end, kind="topic")
            # The key makes the same message said in several places one edge.
            result.add_edge(start, end, key=f"{kind} {message}", kind=kind, message=message)
    return result


def _edges(mention: Mention, scenario: Parts) -> Iterator[tuple[str, str, str, str]]:
    step = mention.step
    match step:
        case Publish():
            yield mention.sender, step.event, step.kind, step.event
            for service in handlers_of(step.event, scenario.services):
                yield step.event, service.name, "subscribe", step.event
        case Call() | Send():
            (service,) = handlers_of(step.command, scenario.services)
            yield mention.sender, service.name, step.kind, step.command
        case _:
            assert_never(step)


def flowchart(scenario: Parts) -> str:
    """Return a Mermaid flowchart: solid calls, dotted sends, thick events, round topics."""
    drawn = graph(scenario)
    ids = {node: f"n{i}" for i, node in enumerate(drawn)}
    lines = ["flowchart LR"]
    for node, kind in drawn.nodes(data="kind"):
        lines.append(f"    {ids[node]}{_shape(_quoted(_title(node, kind, scenario)), kind)}")
    for start, end, data in drawn.edges(data=True):
        label = "" if data["kind"] == "subscribe" else f'|"{_quoted(_label(data))}"|'
        lines.append(f"    {ids[start]} {ARROWS[data['kind']]}{label} {ids[end]}")
    return "\n".join(lines) + "\n"


def _shape(title: str, kind: str) -> str:
    opening, closing = {"source": ("([", "])"), "service": ("[", "]"), "topic": ("((", "))")}[kind]
    return f'{opening}"{title}"{closing}'


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _label(data: dict[str, Any]) -> str:
    return "publishes" if data["kind"] == "publish" else str(data["message"])


def _title(node: str, kind: str, scenario: Parts) -> str:
    if kind != "service":
        return node
    service = scenario.service(node)
    return f"{node} {service.instances} x {service.workers}"


def as_text(scenario: Parts) -> str:
    """Return the system for a terminal: who does what, and what goes wrong when."""
    lines = [scenario.name, "=" * len(scenario.name)]
    for source in scenario.traffic:
        message = source.message
        lines.append(f"{source.name} {message.kind} {name_of(message)}, {source.arrivals!r}")
    for service in scenario.services:
        lines.append(f"{service.name} ({_size(service)})")
        for name, handler in service.handlers.items():
            lines.append(f"  on {name}: {_steps(handler.steps) or 'nothing'}")
    if scenario.broker is not None:
        lines.append(repr(scenario.broker))
    lines.append(f"network: {scenario.network!r}")
    lines += [f"fault: {fault!r}" for fault in scenario.faults]
    lines.append(
        f"for {scenario.duration:g} s, warm-up {scenario.warmup:g} s, drain {scenario.drain:g} s"
    )
    return "\n".join(lines)


def _size(service: Any) -> str:
    inbox = "" if service.inbox is None else f", inbox {service.inbox}"
    return f"instances {service.instances}, workers {service.workers}{inbox}"


def _settings(step: Any, *shown: str) -> str:
    """Write what else was decided: settings that do not stand at their default."""
    decided = [
        f"{field.name}={getattr(step, field.name)!r}"
        for field in decisions(step)
        if field.name not in shown
    ]
    return f" ({', '.join(decided)})" if decided else ""


def _step(step: AnyStep) -> str:
    match step:
        case Work():
            return f"{step.label} {step.duration!r}{_settings(step, 'duration', 'label')}"
        case Call() | Send() | Publish():
            return f"{step.kind} {name_of(step)}{_settings(step, 'command', 'event')}"
        case Parallel():
            return f"in parallel [{_steps(step.steps)}]"
        case Branch():
            then, otherwise = (_steps(way) or "nothing" for way in step.inside)
            return f"with probability {step.probability:g} [{then}] otherwise [{otherwise}]"
        case _:
            assert_never(step)


def _steps(steps: Sequence[AnyStep]) -> str:
    return ", ".join(map(_step, steps))
