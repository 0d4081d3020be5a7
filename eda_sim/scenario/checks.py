"""What must hold between the parts of a scenario.

Each part checks itself when it is built; these are the rules that only the
whole can break. Every message says where, which rule, which value, and what to do.

What can be right but is hardly meant is a warning, once everything else has been
found right.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from operator import itemgetter
from typing import assert_never

from eda_sim.errors import InvalidInput, nearest, warn
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.endless import check_ends
from eda_sim.scenario.faults import (
    BROKER,
    BadDeployment,
    BrokerOutage,
    LinkFault,
    NetworkPartition,
    Outage,
    PoisonMessages,
    ServiceFault,
    overlap,
)
from eda_sim.scenario.messages import Mention, by_message, edges, flatten, mentions, name_of
from eda_sim.scenario.parts import Parts
from eda_sim.scenario.recordings import cut_traces, shared_recordings
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import Call, MessageStep, Publish, Send, Work


def check(scenario: Parts) -> None:
    """Raise ``InvalidInput`` for the first broken rule, in the order of a reader's interest."""
    _unique("services", [service.name for service in scenario.services])
    _unique("traffic", [source.name for source in scenario.traffic])
    said = list(mentions(scenario.traffic, scenario.services))
    _apart(scenario, said)
    _commands_and_events(said)
    handling = by_message(scenario.services)
    for mention in said:
        _handled_once(mention, handling)
    _broker_present(said, scenario)
    _no_cycle(scenario)
    _faults(scenario)
    _outages_apart(scenario)
    _redrives(scenario)
    _outboxes(scenario)
    if not scenario.warmup < scenario.duration:
        raise InvalidInput(
            f"warmup must be < duration ({scenario.duration}), got {scenario.warmup}: "
            "statistics would have nothing left"
        )
    check_ends(scenario)
    for oddity in oddities(scenario):
        warn(oddity)


def oddities(scenario: Parts) -> Iterator[str]:
    """Yield what can be right in a scenario but is hardly meant, a line each."""
    ways = [
        (type(mention.step), name_of(mention.step))
        for mention in mentions(scenario.traffic, scenario.services)
    ]
    said, called = {name for _, name in ways}, {name for way, name in ways if way is Call}
    for service in scenario.services:
        names = [name for name in service.handlers if name in said]
        if called.isdisjoint(names):
            yield from _idle_workers(service, names, scenario)
    yield from cut_traces(scenario)
    yield from shared_recordings(scenario)


def _unique(room: str, names: Sequence[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise InvalidInput(
                f"{room} must have different names, got {name!r} {times} times: "
                f"rename one (name=...)"
            )


def _apart(scenario: Parts, said: Sequence[Mention]) -> None:
    services = {service.name for service in scenario.services}
    if BROKER in services:
        raise InvalidInput(
            f"services[{BROKER!r}] must not be named like the broker: give it another name"
        )
    for source in scenario.traffic:
        if source.name in services or source.name == BROKER:
            raise InvalidInput(
                f"traffic[{source.name!r}] must not be named like a service or the broker: "
                "give it another name="
            )
    events = {name_of(m.step) for m in said if isinstance(m.step, Publish)}
    for name in sorted(events & (services | {source.name for source in scenario.traffic})):
        raise InvalidInput(
            f"event {name!r} must not be named like a service or a source of traffic: "
            "name it as a fact, in the past tense"
        )


def _commands_and_events(said: Sequence[Mention]) -> None:
    events = {name_of(m.step): m for m in said if isinstance(m.step, Publish)}
    for mention in said:
        name = name_of(mention.step)
        if not isinstance(mention.step, Publish) and name in events:
            raise InvalidInput(
                f"{name!r} must be either a command or an event, but {mention.sender!r} "
                f"{_verb(mention.step)[0]} it and "
                f"{events[name].sender!r} publishes it: use two names"
            )


def _handled_once(mention: Mention, by_name: Mapping[str, Sequence[Service]]) -> None:
    if isinstance(mention.step, Publish):
        return
    name, (_, verb) = name_of(mention.step), _verb(mention.step)
    handling = by_name.get(name, ())
    if not handling:
        raise InvalidInput(
            f"{name} is {verb} by {mention.sender!r} but no service handles it: "
            f"add it to a service's on= ({nearest(name, by_name)})"
        )
    if len(handling) > 1:
        owners = " and ".join(repr(service.name) for service in handling)
        raise InvalidInput(
            f"{name} is a command, which exactly one service handles, but {owners} do: "
            "remove it from all on= but one, or publish an event instead"
        )


def _verb(step: MessageStep) -> tuple[str, str]:
    """Return what a sender does to a message, and what is done to the message."""
    match step:
        case Call():
            return "calls", "called"
        case Send():
            return "sends", "sent"
        case Publish():
            return "publishes", "published"
        case _:
            assert_never(step)


def _broker_present(said: Sequence[Mention], scenario: Parts) -> None:
    for mention in said:
        if not isinstance(mention.step, Call) and scenario.broker is None:
            raise InvalidInput(
                f"broker is missing, but {mention.sender!r} "
                f"{_verb(mention.step)[0]} {name_of(mention.step)!r}: add broker=Broker()"
            )


def _no_cycle(scenario: Parts) -> None:
    # Sorted, so that the same cycle is named whatever order the hashes give.
    follows = {name: sorted(made) for name, made in edges(scenario.services).items()}
    try:
        TopologicalSorter(follows).prepare()
    except CycleError as error:
        cycle = " -> ".join(reversed(error.args[1]))
        raise InvalidInput(
            f"messages must not cause themselves, got the cycle {cycle}: "
            "it would never end; break it, or model a repetition as a retry"
        ) from None


def _faults(scenario: Parts) -> None:
    services = {service.name: service for service in scenario.services}
    sources = {source.name for source in scenario.traffic}
    broker = {BROKER} if scenario.broker is not None else set()
    for i, fault in enumerate(scenario.faults):
        if isinstance(fault, ServiceFault):
            _known(f"faults[{i}].service", fault.service, services, "a service")
        elif isinstance(fault, BrokerOutage) and not broker:
            raise InvalidInput(
                f"faults[{i}] must hit a broker, but there is none: add broker=Broker()"
            )
        elif isinstance(fault, LinkFault):
            for side in _sides(fault):
                _known(f"faults[{i}]", side, {*services, *sources, *broker}, "a side of a link")
        if isinstance(fault, Outage) and fault.instances is not None:
            present = services[fault.service].instances
            if fault.instances > present:
                raise InvalidInput(
                    f"faults[{i}].instances must be <= {present}, the instances of "
                    f"{fault.service!r}, got {fault.instances}"
                )
        if isinstance(fault, (PoisonMessages, BadDeployment)) and fault.label is not None:
            labels = _labels(services[fault.service])
            _known(f"faults[{i}].label", fault.label, labels, f"a work of {fault.service!r}")


def _outages_apart(scenario: Parts) -> None:
    """Refuse scheduled outages which together need more copies of a service than it has."""
    for service in scenario.services:
        begun: list[tuple[float, int, Outage]] = []
        for i, fault in enumerate(scenario.faults):
            if isinstance(fault, Outage) and fault.service == service.name and fault.window:
                begun.append((fault.window[0], i, fault))
        begun.sort(key=itemgetter(0, 1))
        for n, (_, i, fault) in enumerate(begun):
            down = {j: other for _, j, other in begun[:n] if overlap(other, fault)}
            needed = sum(each.instances or service.instances for each in (fault, *down.values()))
            if down and needed > service.instances:
                raise InvalidInput(_down_twice({**down, i: fault}, service, needed))


def _down_twice(outages: Mapping[int, Outage], service: Service, needed: int) -> str:
    *others, last = sorted(outages)
    windows = [outage.window or (0.0, 0.0) for _, outage in sorted(outages.items())]
    began, ended = min(begin for begin, _ in windows[:-1]), max(end for _, end in windows[:-1])
    begin, end = windows[-1]
    return (
        f"faults[{last}] must not overlap {' and '.join(f'faults[{i}]' for i in others)}, which "
        f"{'have' if len(others) > 1 else 'has'} copies of {service.name!r} down from "
        f"{began:.12g} to {ended:.12g} s, got {begin:.12g} to {end:.12g} s: together they hit "
        f"{needed} copies of {service.instances}, and what is down cannot go down again; let it "
        "begin later, or make one outage of both"
    )


def _known(where: str, name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        raise InvalidInput(f"{where} must name {what}, got {name!r}: {nearest(name, known)}")


def _sides(fault: LinkFault) -> Sequence[str]:
    if isinstance(fault, NetworkPartition):
        return (*fault.side, *fault.other)
    return tuple(fault.between or ())


def _labels(service: Service) -> set[str]:
    steps = [step for handler in service.handlers.values() for step in flatten(handler.steps)]
    return {step.label for step in steps if isinstance(step, Work)}


def _idle_workers(service: Service, names: Sequence[str], scenario: Parts) -> Iterator[str]:
    """Say how many workers never have anything to do, because partitions have one worker each.

    ``names`` are the messages that come to the service, none of them called. Only where the
    ordered topics are all that comes to the service: calls, unordered deliveries and what a retry
    topic brings again are for every worker.
    """
    policies = [_policy(service.handlers[name], scenario) for name in names]
    broker = scenario.broker
    if broker is None or not names:
        return
    if not all(policy and policy.ordered and not policy.retry_topic for policy in policies):
        return
    workers = service.most_instances * service.workers
    partitions = sum(map(broker.partitions_of, names))
    if (idle := workers - partitions) > 0:
        yield (
            f"{service.name!r} {'has' if service.autoscale is None else 'can have'} {workers} "
            f"workers for the {partitions} partition{'s' if partitions > 1 else ''} of "
            f"{' and '.join(names)}: {idle} {'stay' if idle > 1 else 'stays'} idle; "
            "add partitions, or take workers away"
        )


def _redrives(scenario: Parts) -> None:
    services = {service.name: service for service in scenario.services}
    delivered = {
        name_of(mention.step)
        for mention in mentions(scenario.traffic, scenario.services)
        if not isinstance(mention.step, Call)
    }
    for i, redrive in enumerate(scenario.redrives):
        _known(f"redrives[{i}].service", redrive.service, services, "a service")
        handlers = services[redrive.service].handlers
        names = delivered.intersection(handlers)
        if redrive.message is not None:
            what = f"a message delivered to {redrive.service!r}"
            _known(f"redrives[{i}].message", redrive.message, names, what)
            names = {redrive.message}
        if not any(_has_dead_letters(scenario, handlers[name]) for name in names):
            raise InvalidInput(
                f"redrives[{i}] must redrive from a queue that can have dead letters, got "
                f"{redrive.service!r}, whose deliveries are at most once, without dead letters, "
                "or none at all: set dead_letter=True, or leave the redrive out"
            )


def _policy(handler: Handler, scenario: Parts) -> DeliveryPolicy | None:
    """Return how the broker delivers to a handler; None without a broker."""
    if handler.delivery is None and scenario.broker is not None:
        return scenario.broker.delivery
    return handler.delivery


def _has_dead_letters(scenario: Parts, handler: Handler) -> bool:
    policy = _policy(handler, scenario)
    return policy is not None and policy.dead_letter and policy.guarantee == "at_least_once"


def _outboxes(scenario: Parts) -> None:
    for source in scenario.traffic:
        if isinstance(source.message, Publish) and source.message.outbox is not None:
            raise InvalidInput(
                f"traffic[{source.name!r}].message.outbox must be left out: an outbox belongs to a "
                "service, which writes it together with its work"
            )
