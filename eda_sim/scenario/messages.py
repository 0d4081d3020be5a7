"""Who says what to whom: the messages of a scenario, read off its steps.

Subscriptions are nowhere declared apart: a service subscribes to an event by
having a handler for it. Everything that asks "who calls whom" (the checks, the
diagram, the plan) asks here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, assert_never

from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Call, MessageStep, Publish, Send
from eda_sim.scenario.traffic import Traffic


class Mention(NamedTuple):
    """One place in a description where a message is called, sent or published."""

    sender: str
    on: str | None  # the message being handled there; None for clients
    step: MessageStep


def name_of(step: MessageStep) -> str:
    """Return the name of the message that a step makes.

    >>> name_of(Publish("OrderPlaced"))
    'OrderPlaced'
    """
    match step:
        case Call() | Send():
            return step.command
        case Publish():
            return step.event
        case _:
            assert_never(step)


def flatten(steps: Sequence[AnyStep]) -> Iterator[AnyStep]:
    """Yield every step, also those inside ``Parallel`` and ``Branch``, in order.

    >>> from eda_sim.scenario.steps import Parallel
    >>> [
    ...     name_of(step)
    ...     for step in flatten([Parallel([Call("A"), Call("B")])])
    ...     if isinstance(step, Call)
    ... ]
    ['A', 'B']
    """
    for step in steps:
        yield step
        for way in step.inside:
            yield from flatten(way)


def mentions(traffic: Sequence[Traffic], services: Sequence[Service]) -> Iterator[Mention]:
    """Yield every place where a message is made: clients first, then services."""
    for source in traffic:
        yield Mention(source.name, None, source.message)
    for service in services:
        for on, handler in service.handlers.items():
            for step in flatten(handler.steps):
                if isinstance(step, MessageStep):
                    yield Mention(service.name, on, step)


def handlers_of(name: str, services: Sequence[Service]) -> tuple[Service, ...]:
    """Return the services that handle the message ``name``, as declared."""
    return tuple(service for service in services if name in service.handlers)


def by_message(services: Sequence[Service]) -> Mapping[str, Sequence[Service]]:
    """Return the services that handle each message name, as declared."""
    result: dict[str, list[Service]] = {}
    for service in services:
        for name in service.handlers:
            result.setdefault(name, []).append(service)
    return result


def edges(services: Sequence[Service]) -> Mapping[str, set[str]]:
    """Return, for each message name, the names of the messages its handlers make."""
    result: dict[str, set[str]] = {}
    for mention in mentions((), services):
        result.setdefault(str(mention.on), set()).add(name_of(mention.step))
    return result
