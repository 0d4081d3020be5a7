"""Random worlds: small, valid and varied scenarios for laws that hold for all of them.

A world is built back to front. The handlers of the last message make none, those of
each earlier one make only later ones, so nothing can cause itself. Arrivals are then
made few enough for what one of them causes, so that a run takes milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from hypothesis import strategies as st

from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, CircuitBreaker, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Pareto,
    Recorded,
    Uniform,
)
from eda_sim.scenario.faults import Fault, Outage, Slowdown
from eda_sim.scenario.messages import flatten, name_of
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Parallel, Publish, Send, Work
from eda_sim.scenario.traffic import (
    Bursts,
    Diurnal,
    Poisson,
    Regular,
    Spike,
    Trace,
    Traffic,
    UniformKeys,
    ZipfKeys,
)
from eda_sim.units import ms

MOST_REQUESTS = 200  # expected, from all sources together
MOST_ATTEMPTS = 400  # expected, without retries
# A run with more requests than a recording has values stops with an error: no run gets here.
RECORDING = 3 * MOST_REQUESTS

probabilities = st.sampled_from([0.0, 0.1, 0.5, 1.0])
labels = st.sampled_from(["work", "check", "write down"])


def build(make: Callable[..., Any], *args: Any, **kwargs: Any) -> st.SearchStrategy[Any]:
    """Call ``make`` with what the strategies draw, and with nothing else."""
    parts = st.tuples(st.tuples(*args), st.fixed_dictionaries(kwargs))
    return parts.map(lambda drawn: make(*drawn[0], **drawn[1]))


def times(low: int, high: int) -> st.SearchStrategy[float]:
    """Whole milliseconds, in seconds: round numbers make ties, which is where order matters."""
    return st.integers(low, high).map(lambda n: n * ms)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """None, or something."""
    return st.none() | strategy


# -- distributions, arrivals, keys ----------------------------------------------


def distributions(most: int = 30) -> st.SearchStrategy[Distribution]:
    """Every distribution, with means up to ``most`` milliseconds."""
    mean, cv = times(1, most), st.sampled_from([0.2, 1.0, 2.0])
    return st.one_of(
        build(Constant, times(0, most)),
        build(Exponential, mean),
        build(LogNormal, mean, cv=cv),
        build(Gamma, mean, cv=cv),
        build(lambda low, width: Uniform(low, low + width), mean, times(0, most)),
        build(Pareto, mean, shape=st.sampled_from([1.5, 2.5])),
        build(Empirical, st.lists(times(0, most), min_size=1, max_size=4)),
        build(
            lambda values: Recorded((values * RECORDING)[:RECORDING]),
            st.lists(times(0, most), min_size=1, max_size=3),
        ),
    )


def arrivals(requests: int, duration: float) -> st.SearchStrategy[Any]:
    """Every arrival process, with about ``requests`` expected in ``duration`` seconds."""
    rate = requests / duration
    moments = st.floats(0, duration, exclude_max=True, allow_subnormal=False)
    return st.one_of(
        st.just(Poisson(rate)),
        st.just(Regular(rate)),
        build(Bursts, st.just(rate), st.integers(1, 4)),
        build(
            lambda swing, period: Diurnal(rate, rate * (1 + swing), period),
            probabilities,
            st.sampled_from([duration / 3, duration, 2 * duration]),
        ),
        build(
            Spike,
            st.just(rate / 2),
            at=times(0, int(duration * 500)),
            lasts=st.just(duration / 5),
            factor=st.sampled_from([0.5, 2.0, 5.0]),
        ),
        st.lists(moments, max_size=min(requests, 20)).map(lambda moments: Trace(sorted(moments))),
    )


keys = build(UniformKeys, st.integers(1, 20)) | build(
    ZipfKeys, st.integers(1, 20), s=st.sampled_from([0.0, 1.0, 2.0])
)

# -- policies --------------------------------------------------------------------

backoffs = build(
    Backoff,
    times(0, 100),
    factor=st.sampled_from([1.0, 2.0]),
    jitter=st.sampled_from(["none", "full"]),
    maximum=maybe(times(1, 200)),
)
retries = build(Retry, max_attempts=st.integers(1, 3), backoff=backoffs)
breakers = build(
    CircuitBreaker, failures=st.integers(1, 3), window=times(10, 1000), open_for=times(10, 1000)
)
deliveries = build(DeliveryPolicy, retry=retries, dead_letter=st.booleans())
brokers = build(
    Broker,
    publish=distributions(5),
    deliver=distributions(5),
    turnaround=distributions(5),
    delivery=deliveries,
)

# -- steps -----------------------------------------------------------------------

# Failing in one work of five keeps most requests going, so that later steps are reached.
works = build(
    Work,
    distributions(),
    labels,
    transient=st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.5]),
    permanent=st.sampled_from([0.0, 0.0, 0.0, 0.1, 1.0]),
)


payloads = st.sampled_from([{}, {"currency": "EUR", "items": [{"sku": "A1", "n": 2}, {}]}])


def messages(names: Sequence[str]) -> st.SearchStrategy[Any]:
    """A call or a sending of one of the commands, or a publication of one of the events."""
    events = [name for name in names if name.startswith("Done")]
    commands = [name for name in names if name not in events]
    ways: list[st.SearchStrategy[Any]] = []
    if commands:
        command = st.sampled_from(commands)
        ways.append(
            build(
                Call,
                command,
                timeout=maybe(times(5, 300)),
                retry=maybe(retries),
                breaker=maybe(breakers),
            )
        )
        ways.append(build(Send, command))
    if events:
        ways.append(
            build(Publish, st.sampled_from(events), data=payloads, version=st.integers(1, 2))
        )
    return st.one_of(ways)


def steps(names: Sequence[str]) -> st.SearchStrategy[list[AnyStep]]:
    """Up to three steps, which make no message but those named."""
    plain = works | messages(names) if names else works
    several = st.lists(plain, min_size=1, max_size=2)
    branch = build(
        Branch, probabilities, several, otherwise=st.lists(plain, max_size=1), label=labels
    )
    step = st.one_of(
        plain, plain, branch, build(Parallel, st.lists(plain | branch, min_size=1, max_size=2))
    )
    return st.sampled_from([2, 1, 3, 0]).flatmap(lambda n: st.lists(step, min_size=n, max_size=n))


# -- the whole -------------------------------------------------------------------


@st.composite
def _services(draw: st.DrawFn, names: Sequence[str]) -> list[Service]:
    owners = [f"service-{n}" for n in range(draw(st.integers(1, 4)))]
    on: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for position, name in reversed(list(enumerate(names))):
        later = names[position + 1 :]
        handlers = draw(st.sampled_from([1, 2, 2, 0])) if name.startswith("Done") else 1
        for owner in draw(st.permutations(owners))[:handlers]:
            on[owner][name] = Handler(draw(steps(later)), delivery=draw(maybe(deliveries)))
    return [
        Service(
            owner,
            instances=draw(st.integers(1, 3)),
            workers=draw(st.integers(1, 3)),
            inbox=draw(st.sampled_from([None, None, None, 0, 2, 10])),
            on=on[owner],
        )
        for owner in owners
    ]


@st.composite
def _faults(draw: st.DrawFn, services: Sequence[Service], duration: float) -> Fault:
    service = draw(st.sampled_from(services))
    end = int(duration * 1000)
    when: dict[str, float] = draw(
        st.fixed_dictionaries({"at": times(0, end), "lasts": times(1, end)})
        | st.fixed_dictionaries({"mtbf": times(100, 2 * end), "mttr": times(1, end // 2)})
    )
    if draw(st.booleans()):
        return Slowdown(service.name, draw(st.sampled_from([0.5, 3.0, 20.0])), **when)
    return Outage(service.name, instances=draw(maybe(st.integers(1, service.instances))), **when)


def apart(faults: Sequence[Fault]) -> list[Fault]:
    """The faults without scheduled outages that overlap an earlier one of the same service.

    Such a pair is refused; random outages still overlap them and each other.
    """
    kept: list[Fault] = []
    for fault in faults:
        others = [f for f in kept if isinstance(f, Outage) and isinstance(fault, Outage)]
        if not any(overlap(fault, other) for other in others):
            kept.append(fault)
    return kept


def overlap(one: Any, other: Any) -> bool:
    """Say whether two outages are of one service, scheduled, and at the same time."""
    if one.service != other.service or one.at is None or other.at is None:
        return False
    return bool(one.at < other.at + other.lasts and other.at < one.at + one.lasts)


@st.composite
def _traffic(
    draw: st.DrawFn, names: Sequence[str], services: Sequence[Service], duration: float
) -> list[Traffic]:
    said = [draw(messages(names[: n + 1])) for n in range(draw(st.integers(1, 2)))]
    caused = sum(weight(name_of(step), services) for step in said)
    most = max(1, min(MOST_REQUESTS, MOST_ATTEMPTS // max(1, caused)) // len(said))
    return [
        Traffic(
            step,
            draw(arrivals(draw(st.integers(1, most)), duration)),
            keys=draw(maybe(keys)),
            name=f"clients-{n}",
        )
        for n, step in enumerate(said)
    ]


def weight(name: str, services: Sequence[Service]) -> int:
    """How many attempts a message causes at most, itself included and without retries."""
    total = 0
    for service in services:
        if name in service.handlers:
            made = flatten(service.handlers[name].steps)
            said = (name_of(s) for s in made if isinstance(s, (Call, Send, Publish)))
            total += 1 + sum(weight(each, services) for each in said)
    return total


@st.composite
def scenarios(draw: st.DrawFn, *, faults: bool = True) -> Scenario:
    """A small valid scenario of a few seconds; without ``faults``, nothing goes down or slow."""
    kinds = st.sampled_from(["Do", "Done"])
    names = [f"{draw(kinds)}-{n}" for n in range(draw(st.sampled_from([3, 2, 4, 1])))]
    duration = draw(st.sampled_from([1.0, 2.0, 5.0]))
    services = draw(_services(names))
    return Scenario(
        "a random world",
        traffic=draw(_traffic(names, services, duration)),
        services=services,
        broker=draw(brokers),
        network=draw(distributions(5)),
        faults=apart(draw(st.lists(_faults(services, duration), max_size=3))) if faults else (),
        duration=duration,
        warmup=draw(st.sampled_from([0.0, duration / 2])),
        drain=draw(st.sampled_from([0.0, 1.0, 60.0])),
    )


# -- the same world, slower ----------------------------------------------------------

_TIMES = (
    *("mean", "value", "low", "high", "samples", "values"),  # distributions
    *("times", "period", "at", "lasts", "mtbf", "mttr"),  # arrivals and faults
    *("timeout", "maximum", "window", "open_for"),  # policies
    *("duration", "warmup", "drain"),
)
_RATES = ("rate", "mean_rate", "peak_rate")


def stretched(part: Any, factor: float) -> Any:
    """Return the description with every time ``factor`` times as long, every rate as much lower."""
    if isinstance(part, dict):
        return {key: stretched(item, factor) for key, item in part.items()}
    if isinstance(part, tuple):
        return tuple(stretched(item, factor) for item in part)
    if not is_dataclass(part) or isinstance(part, type):
        return part
    changes: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        scale = _scale(part, field.name, factor)
        if isinstance(value, float):
            changes[field.name] = value * scale
        elif isinstance(value, tuple) and scale != 1:
            changes[field.name] = tuple(item * scale for item in value)
        else:
            changes[field.name] = stretched(value, factor)
    return replace(part, **changes)


def _scale(part: Any, name: str, factor: float) -> float:
    if name == "base":  # the first wait of a backoff
        return factor
    return factor if name in _TIMES else 1 / factor if name in _RATES else 1.0
