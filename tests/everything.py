"""Random worlds with everything at once: every policy, every protection and every fault.

Small worlds of a few dozen requests. Many times are sixteenths of a second, which floats add
exactly, so that what should happen at one instant does; the others are drawn from
distributions. As in ``tests.strategies`` a world is built back to front: handlers make later
messages only.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from eda_sim.scenario.broker import Broker, Topic
from eda_sim.scenario.delivery import (
    Backoff,
    CircuitBreaker,
    Deduplication,
    DeliveryPolicy,
    Retry,
    RetryBudget,
)
from eda_sim.scenario.distributions import Constant, Distribution, Exponential, Gamma, LogNormal
from eda_sim.scenario.faults import (
    BROKER,
    BadDeployment,
    BrokerOutage,
    Duplicates,
    Fault,
    Loss,
    NetworkPartition,
    Outage,
    PoisonMessages,
    Reordering,
    Slowdown,
)
from eda_sim.scenario.messages import flatten, mentions, name_of
from eda_sim.scenario.redrive import Redrive
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Autoscale, Handler, RateLimit, Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Outbox, Parallel, Publish, Send, Work
from eda_sim.scenario.traffic import Bursts, Poisson, Regular, Trace, Traffic
from tests.strategies import build, keys, maybe, weight

TICK = 1 / 16
DURATION = 2.0
MOST_ATTEMPTS = 200  # expected, without retries and duplicates
ROOM_FOR_RETRIES = 3.0  # seconds of drain after which nearly all has ended


def ticks(low: int, high: int) -> st.SearchStrategy[float]:
    """Sixteenths of a second."""
    return st.integers(low, high).map(lambda n: n * TICK)


def rarely(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw something in one world of three."""
    return st.sampled_from([False, False, True]).flatmap(
        lambda there: strategy if there else st.none()
    )


durations: st.SearchStrategy[Distribution] = st.one_of(
    build(Constant, ticks(0, 3)),
    build(Exponential, st.sampled_from([0.01, 0.05, 0.1])),
    st.sampled_from([LogNormal(0.05, cv=1.0), Gamma(0.02, cv=0.5)]),
)
latencies: st.SearchStrategy[Distribution] = st.one_of(
    build(Constant, ticks(0, 1)), build(Exponential, st.sampled_from([0.002, 0.02]))
)
chances = st.sampled_from([0.1, 0.3, 0.6, 1.0])

# -- policies ----------------------------------------------------------------------------------

backoffs = build(
    Backoff,
    ticks(1, 6),
    factor=st.sampled_from([1.0, 2.0]),
    jitter=st.sampled_from(["none", "full", "decorrelated"]),
    maximum=maybe(ticks(2, 8)),
)
endless = st.just(Retry(max_attempts=None, backoff=Backoff(4 * TICK, factor=1.0)))
retries = build(Retry, max_attempts=st.integers(1, 3), backoff=backoffs)
budgets = build(RetryBudget, ratio=st.sampled_from([0.0, 0.1, 0.5]), burst=st.integers(1, 3))
call_retries = build(Retry, max_attempts=st.integers(2, 4), backoff=backoffs, budget=maybe(budgets))
breakers = build(
    CircuitBreaker, failures=st.integers(1, 3), window=ticks(1, 16), open_for=ticks(1, 16)
)
deduplications = build(Deduplication, window=maybe(ticks(1, 8)), size=maybe(st.integers(1, 5)))
how_they_wait = st.sampled_from(
    [
        {},
        {"ordered": True},
        {"ordered": True},
        {"ordered": True, "retry_topic": True},
        {"prefetch": 1},
        {"prefetch": 3},
    ]
)


def policy(guarantee: str, retry: Retry, waits: dict[str, Any], **others: Any) -> DeliveryPolicy:
    """Make a policy without contradictions."""
    if guarantee == "at_most_once":
        others |= {"idempotent": False, "ack_timeout": None, "counts_crashes": False}
    if retry.max_attempts is None:
        others |= {"dead_letter": True}
    return DeliveryPolicy(retry=retry, guarantee=guarantee, **waits, **others)  # type: ignore[arg-type]


policies = build(
    policy,
    st.sampled_from(["at_least_once", "at_least_once", "at_least_once", "at_most_once"]),
    st.one_of(retries, retries, retries, endless),
    how_they_wait,
    dead_letter=st.sampled_from([True, True, False]),
    requeue=st.sampled_from(["tail", "head"]),
    idempotent=st.sampled_from([False, False, True]) | deduplications,
    ack_timeout=rarely(ticks(1, 6)),
    counts_crashes=st.booleans(),
)

# -- steps -------------------------------------------------------------------------------------

works = build(
    Work,
    durations,
    st.sampled_from(["work", "check", "write down"]),
    transient=st.sampled_from([0.0, 0.0, 0.2]),
    permanent=st.sampled_from([0.0, 0.0, 0.0, 0.1]),
)


def _call(command: str, timeout: float | None, deadline: bool, **others: Any) -> Call:
    return Call(
        command, timeout=timeout, propagate_deadline=deadline and timeout is not None, **others
    )


@cache
def messages(names: tuple[str, ...], outbox: bool = True) -> st.SearchStrategy[Any]:
    """A call or a sending of one of the commands, or a publication of one of the events."""
    events = [name for name in names if name.startswith("Done")]
    commands = [name for name in names if name not in events]
    ways: list[st.SearchStrategy[Any]] = []
    if commands:
        command = st.sampled_from(commands)
        call = build(
            _call,
            command,
            maybe(ticks(1, 8)),
            st.sampled_from([True, True, False]),
            retry=maybe(call_retries),
            breaker=maybe(breakers),
            bulkhead=rarely(st.integers(1, 3)),
        )
        ways += [call, call, build(Send, command)]
    if events:
        boxes = build(Outbox, poll=ticks(1, 6), batch=st.sampled_from([1, 2, 100]))
        publish = build(Publish, st.sampled_from(events))
        kept = build(Publish, st.sampled_from(events), outbox=boxes)
        ways += [publish, kept if outbox else publish]
    return st.one_of(ways)


@cache
def steps(names: tuple[str, ...]) -> st.SearchStrategy[list[AnyStep]]:
    """Up to three steps, which make no message but those named."""
    plain = works | messages(names) | messages(names) if names else works
    several = st.lists(plain, min_size=1, max_size=2)
    otherwise, labels = st.lists(plain, max_size=1), st.sampled_from(["is big", "is new"])
    branch = build(
        Branch, st.sampled_from([0.0, 0.5, 1.0]), several, otherwise=otherwise, label=labels
    )
    parallel = build(Parallel, st.lists(plain | branch, min_size=1, max_size=3))
    step = st.one_of(plain, plain, plain, branch, parallel)
    # Few handlers do nothing at all: something must be there to go wrong.
    return st.sampled_from([2, 1, 3, 2, 1, 0]).flatmap(
        lambda n: st.lists(step, min_size=n, max_size=n)
    )


# -- services ----------------------------------------------------------------------------------


@st.composite
def _autoscale(draw: st.DrawFn, instances: int) -> Autoscale:
    by = draw(st.sampled_from(["utilisation", "backlog"]))
    return Autoscale(
        most=instances + draw(st.integers(0, 2)),
        target=draw(st.sampled_from([0.3, 0.8] if by == "utilisation" else [1.0, 3.0])),
        by=by,
        least=draw(st.integers(1, instances)),
        every=draw(ticks(2, 8)),
        start_delay=draw(ticks(0, 6)),
    )


@st.composite
def _services(draw: st.DrawFn, names: tuple[str, ...]) -> list[Service]:
    owners = [f"service-{n}" for n in range(draw(st.sampled_from([2, 3, 1])))]
    on: dict[str, dict[str, Handler]] = {owner: {} for owner in owners}
    for position, name in reversed(list(enumerate(names))):
        handlers = draw(st.sampled_from([1, 1, 2, 0])) if name.startswith("Done") else 1
        for owner in draw(st.permutations(owners))[:handlers]:
            made = draw(steps(names[position + 1 :]))
            on[owner][name] = Handler(made, delivery=draw(st.one_of(st.none(), policies, policies)))
    return [draw(_service(owner, handlers)) for owner, handlers in on.items()]


limits = build(RateLimit, st.sampled_from([4.0, 16.0]), burst=st.integers(1, 5))


@st.composite
def _service(draw: st.DrawFn, name: str, on: dict[str, Handler]) -> Service:
    instances = draw(st.integers(1, 3))
    return Service(
        name,
        instances=instances,
        workers=draw(st.sampled_from([1, 1, 2, 3])),
        inbox=draw(rarely(st.integers(0, 4))),
        rate_limit=draw(rarely(limits)),
        shed_after=draw(maybe(ticks(0, 2))),
        autoscale=draw(rarely(_autoscale(instances))),
        on=on,
    )


topics = build(
    Topic,
    partitions=maybe(st.integers(1, 3)),
    capacity=st.sampled_from([None, 1, 1, 3]),
    when_full=st.sampled_from(["wait", "drop"]),
)


@st.composite
def _brokers(draw: st.DrawFn, names: tuple[str, ...]) -> Broker:
    return Broker(
        publish=draw(latencies),
        deliver=draw(latencies),
        turnaround=draw(latencies),
        delivery=draw(policies),
        partitions=draw(st.integers(1, 4)),
        rebalance=draw(ticks(0, 4)),
        when_unreachable=draw(st.sampled_from(["wait", "wait", "fail", "lose"])),
        republish_after=draw(ticks(1, 6)),
        deduplicates=draw(st.sampled_from([None, None, None, "session", 4 * TICK])),
        topics=draw(st.dictionaries(st.sampled_from(names), topics, max_size=2)),
    )


# -- faults ------------------------------------------------------------------------------------

LINK_FAULTS = (Loss, Duplicates, Reordering)
KINDS = (
    *LINK_FAULTS,
    Outage,
    Slowdown,
    BrokerOutage,
    NetworkPartition,
    PoisonMessages,
    BadDeployment,
)

scheduled = st.fixed_dictionaries({"at": ticks(0, 24), "lasts": ticks(1, 16)})
random = st.fixed_dictionaries(
    {"mtbf": st.sampled_from([0.3, 1.0]), "mttr": st.sampled_from([0.05, 0.3])}
)


@st.composite
def fault_of(
    draw: st.DrawFn, kind: Any, services: Sequence[Service], sources: Sequence[str]
) -> Fault:
    """A fault of a kind, at any time."""
    when: dict[str, float] = draw(
        st.one_of(scheduled, random, *([st.just({})] if kind in LINK_FAULTS else []))
    )
    # What hits a service with nothing to do hits nobody.
    service = draw(st.sampled_from([each for each in services if each.on] or services))
    sides = [BROKER, *sources, *(each.name for each in services if each is not service)]
    if kind in LINK_FAULTS:
        between = draw(maybe(st.sampled_from(sides).map(lambda side: [side, service.name])))
        delay = {"delay": draw(durations)} if kind is Reordering else {}
        return kind(draw(chances), between=between, **delay, **when)
    if kind is Outage:
        return Outage(
            service.name, instances=draw(maybe(st.integers(1, service.instances))), **when
        )
    if kind is Slowdown:
        return Slowdown(service.name, draw(st.sampled_from([0.5, 4.0])), **when)
    if kind is BrokerOutage:
        return BrokerOutage(**when)
    if kind is NetworkPartition:
        other = draw(st.lists(st.sampled_from(sides), min_size=1, max_size=2, unique=True))
        return NetworkPartition([service.name], other, **when)
    done = [step for handler in service.handlers.values() for step in flatten(handler.steps)]
    labels = sorted({step.label for step in done if isinstance(step, Work)})
    label = draw(maybe(st.sampled_from(labels))) if labels else None
    return kind(service.name, draw(chances), label=label, **when)


def _copies_apart(faults: Sequence[Fault], services: Sequence[Service]) -> list[Fault]:
    """Leave out the scheduled outages for which a service has no copies left: each dies once."""
    copies = {service.name: service.instances for service in services}
    left = dict(copies)
    kept: list[Fault] = []
    for fault in faults:
        if isinstance(fault, Outage) and fault.at is not None:
            needed = fault.instances or copies[fault.service]
            if needed > left[fault.service]:
                continue
            left[fault.service] -= needed
        kept.append(fault)
    return kept


def _redrivable(scenario: Scenario) -> list[tuple[str, str]]:
    """The services and messages whose deliveries can become dead letters."""
    said = mentions(scenario.traffic, scenario.services)
    delivered = {name_of(mention.step) for mention in said if not isinstance(mention.step, Call)}
    assert scenario.broker is not None
    found = []
    for service in scenario.services:
        for name in sorted(delivered.intersection(service.handlers)):
            rules = service.handlers[name].delivery or scenario.broker.delivery
            if rules.dead_letter and rules.guarantee == "at_least_once":
                found.append((service.name, name))
    return found


def _redrive(of: tuple[str, str], any_message: bool, at: float, rate: float | None) -> Redrive:
    service, message = of
    return Redrive(service, at, rate=rate, message=None if any_message else message)


# -- the whole ---------------------------------------------------------------------------------


@st.composite
def _arrivals(draw: st.DrawFn, requests: int) -> Any:
    moments = st.lists(ticks(0, 31), max_size=requests)
    return draw(
        st.one_of(
            st.just(Regular(min(16.0, requests / DURATION))),
            st.just(Poisson(requests / DURATION)),
            st.just(Bursts(requests / DURATION, min(5, requests))),
            build(lambda times: Trace(sorted(times)), moments),
        )
    )


@st.composite
def _traffic(draw: st.DrawFn, names: tuple[str, ...], services: Sequence[Service]) -> list[Traffic]:
    said = [draw(messages(names[: n + 2], outbox=False)) for n in range(draw(st.integers(1, 2)))]
    caused = sum(weight(name_of(step), services) for step in said)
    most = max(4, min(40, MOST_ATTEMPTS // max(1, caused)))
    return [
        Traffic(
            step,
            draw(_arrivals(draw(st.integers(most // 2, most)))),
            keys=draw(maybe(keys)),
            name=f"clients-{n}",
        )
        for n, step in enumerate(said)
    ]


@st.composite
def everything(draw: st.DrawFn) -> Scenario:
    """A small world in which anything may be switched on, alone or together."""
    kinds = st.sampled_from(["Do", "Done"])
    names = tuple(f"{draw(kinds)}-{n}" for n in range(draw(st.sampled_from([3, 2, 4]))))
    services = draw(_services(names))
    traffic = draw(_traffic(names, services))
    sources = [source.name for source in traffic]
    # Alone, or many together, and now and then two of a kind.
    kinds_of_fault = [*draw(st.permutations(KINDS)), draw(st.sampled_from(KINDS))]
    count = draw(st.sampled_from([3, 6, 1, 10, 0]))
    faults = [draw(fault_of(kind, services, sources)) for kind in kinds_of_fault[-count:] if count]
    scenario = Scenario(
        "everything at once",
        traffic=traffic,
        services=services,
        broker=draw(_brokers(names)),
        network=draw(latencies),
        faults=_copies_apart(faults, services),
        duration=DURATION,
        drain=draw(st.sampled_from([0.5, ROOM_FOR_RETRIES, 20.0])),
    )
    dead = _redrivable(scenario)
    if not dead:
        return scenario
    rates = maybe(st.sampled_from([2.0, 16.0]))
    redrives = build(_redrive, st.sampled_from(dead), st.booleans(), ticks(8, 48), rates)
    return scenario.replace(redrives=draw(st.lists(redrives, max_size=2)))
