"""What was recorded elsewhere and is hardly used as it is meant: traces cut, values used twice."""

from collections.abc import Collection, Iterator

from eda_sim.scenario.distributions import Distribution, Recorded
from eda_sim.scenario.faults import Reordering
from eda_sim.scenario.messages import edges, flatten, mentions, name_of
from eda_sim.scenario.parts import Parts
from eda_sim.scenario.steps import Call, Work
from eda_sim.scenario.traffic import Trace


def cut_traces(scenario: Parts) -> Iterator[str]:
    """Say how many arrivals of a trace never come, because the run has ended before."""
    for source in scenario.traffic:
        if not isinstance(source.arrivals, Trace):
            continue
        times = source.arrivals.times
        if cut := sum(time >= scenario.duration for time in times):
            yield (
                f"traffic[{source.name!r}].arrivals has {cut} of its {len(times)} times too late: "
                f"what comes at or after {scenario.duration:.12g} s, where traffic ends, is left "
                f"out; make duration longer than {times[-1]:.12g}, or cut the trace"
            )


def shared_recordings(scenario: Parts) -> Iterator[str]:
    """Say which sources of traffic take the same recorded values."""
    reached = {
        source.name: _reached(name_of(source.message), scenario) for source in scenario.traffic
    }
    for where, distribution, messages in _drawn(scenario):
        sources = [name for name, names in reached.items() if not names.isdisjoint(messages)]
        if isinstance(distribution, Recorded) and len(sources) > 1:
            yield (
                f"{where} is Recorded and reached by requests of "
                f"{' and '.join(map(repr, sources))}: request n of each takes the n-th value; give "
                "each source its own, or draw from Empirical"
            )


def _reached(message: str, scenario: Parts) -> set[str]:
    """Return the names of all messages that one leads to, its own included."""
    made, found, to_visit = edges(scenario.services), set[str](), [message]
    while to_visit:
        name = to_visit.pop()
        if name not in found:
            found.add(name)
            to_visit.extend(made.get(name, ()))
    return found


def _drawn(scenario: Parts) -> Iterator[tuple[str, Distribution, Collection[str]]]:
    """Yield each distribution, where it stands, and the messages for which it is drawn."""
    for service in scenario.services:
        for name, handler in service.handlers.items():
            for step in flatten(handler.steps):
                if isinstance(step, Work):
                    where = f"services[{service.name!r}].on[{name!r}]: the time of {step.label!r}"
                    yield where, step.duration, {name}
    said = list(mentions(scenario.traffic, scenario.services))
    called = {name_of(mention.step) for mention in said if isinstance(mention.step, Call)}
    delivered = {name_of(mention.step) for mention in said if not isinstance(mention.step, Call)}
    yield "network", scenario.network, called
    if scenario.broker is not None:
        yield "broker.publish", scenario.broker.publish, delivered
        yield "broker.deliver", scenario.broker.deliver, delivered
        yield "broker.turnaround", scenario.broker.turnaround, delivered
    for i, fault in enumerate(scenario.faults):
        if isinstance(fault, Reordering) and fault.between is None:
            yield f"faults[{i}].delay", fault.delay, called | delivered
