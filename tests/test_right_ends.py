"""A run ends, or says why it would not: what stands still, what would take an age, what is refused.

Nothing is timed here: a test that hangs has failed.
"""

import pickle
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from eda_sim import (
    Autoscale,
    Backoff,
    BadDeployment,
    Branch,
    Broker,
    BrokerOutage,
    Call,
    CircuitBreaker,
    DeliveryPolicy,
    InvalidInput,
    Loss,
    Outage,
    Outbox,
    Parallel,
    Poisson,
    Publish,
    Retry,
    Run,
    Scenario,
    Send,
    Service,
    SimulationError,
    Slowdown,
    Uniform,
    Work,
    simulate,
)
from eda_sim.engine import clock, standstill
from eda_sim.scenario.traffic import Bursts, Diurnal, Regular, Spike
from tests.worlds import handled, takes, world

ENDLESS = Retry(max_attempts=None, backoff=Backoff(0.0))
AGAIN = DeliveryPolicy(retry=ENDLESS)
DOWN = Outage("callee", at=0.5, lasts=60.0)


def caller(*steps: Any, policy: DeliveryPolicy | None = None) -> list[Service]:
    """A service with these steps, and one that it may call."""
    first = handled(policy, *steps) if policy else list(steps)
    return [Service("caller", on={"Do": first}), Service("callee", on={"Help": [takes(0.0)]})]


# -- what stands still says so -----------------------------------------------------------------

HELP = Call("Help", retry=ENDLESS)
STANDING: dict[str, tuple[Callable[[], Scenario], str]] = {
    "a call of who is down, repeated by its caller": (
        lambda: world(Call("Do"), [1.0], caller(HELP), faults=[DOWN]),
        "at 1 s the run stands still: 'Help' of request 0 was tried .* by 'caller'",
    ),
    "a client's call of who is down": (
        lambda: world(HELP, [1.0], caller(), faults=[DOWN]),
        "at 1 s the run stands still: 'Help' of request 0 was tried .* by 'clients'",
    ),
    "a delivery whose handler calls who is down": (
        lambda: world(Send("Do"), [1.0], caller(Call("Help"), policy=AGAIN), faults=[DOWN]),
        "at 1 s the run stands still: 'Do' of request 0 was tried .* by 'caller'",
    ),
    "the same at the head of its queue": (
        lambda: world(
            Send("Do"),
            [1.0],
            caller(Call("Help"), policy=DeliveryPolicy(retry=ENDLESS, requeue="head")),
            faults=[DOWN],
        ),
        "'Do' of request 0",
    ),
    "the same in a partition": (
        lambda: world(
            Send("Do"),
            [1.0],
            caller(Call("Help"), policy=DeliveryPolicy(retry=ENDLESS, ordered=True)),
            faults=[DOWN],
        ),
        "'Do' of request 0",
    ),
    "the same with prefetching": (
        lambda: world(
            Send("Do"),
            [1.0],
            caller(Call("Help"), policy=DeliveryPolicy(retry=ENDLESS, prefetch=2)),
            faults=[DOWN],
        ),
        "'Do' of request 0",
    ),
    "a delivery whose handler cannot publish": (
        lambda: world(
            Call("Do"),
            [1.0],
            [
                Service("caller", on={"Do": [Call("Help", retry=ENDLESS)]}),
                Service("callee", on={"Help": [Publish("Helped")]}),
            ],
            broker=Broker(when_unreachable="fail"),
            faults=[BrokerOutage(at=0.5, lasts=60.0)],
        ),
        "'Help' of request 0",
    ),
    "work without time in a bad deployment": (
        lambda: world(
            Send("Help"),
            [1.0],
            caller(),
            broker=Broker(delivery=AGAIN),
            faults=[BadDeployment("callee", 1.0, at=0.5, lasts=60.0)],
        ),
        "'Help' of request 0 was tried .* by 'callee' while no time passed: let the retry",
    ),
    "a full inbox": (
        lambda: world(
            Call("Do"),
            [1.0, 1.0],
            [
                Service("caller", workers=2, on={"Do": [HELP]}),
                Service("callee", inbox=0, on={"Help": [takes(1.0)]}),
            ],
        ),
        "'Help' of request 1",
    ),
    "NATS as it comes, where neither work nor network takes time": (
        lambda: world(Send("Do"), [1.0], caller(Call("Help")), broker=Broker.nats(), faults=[DOWN]),
        "let the retry of its delivery wait",
    ),
}


@pytest.mark.parametrize("name", STANDING)
def test_what_stands_still_stops_with_the_reason(name: str, monkeypatch: Any) -> None:
    """Time, message, service and remedy, where it would else be tried for ever at one instant."""
    monkeypatch.setattr(standstill, "MOST_AT_ONE_INSTANT", 2000)
    make, said = STANDING[name]
    with pytest.raises(SimulationError, match=said):
        simulate(make())


CREEPING = {
    "work of next to no time": lambda: world(
        Send("Do"),
        [1.0],
        [Service("callee", on={"Do": [Work(Uniform(0.0, 1e-15), "work", transient=1.0)]})],
        broker=Broker(delivery=DeliveryPolicy(retry=ENDLESS)),
    ),
    "a timeout of a nanosecond": lambda: world(
        Call("Do", timeout=1e-9, retry=ENDLESS), [1.0], caller(), faults=[Loss(1.0)]
    ),
    "retries with a limit, one inside the other": lambda: world(
        Call("Do", retry=Retry(max_attempts=1000, backoff=Backoff(0.0))),
        [1.0],
        caller(Call("Help", retry=Retry(max_attempts=1000, backoff=Backoff(0.0)))),
        faults=[DOWN],
    ),
}


@pytest.mark.parametrize("name", CREEPING)
def test_what_hardly_goes_on_stops_with_the_reason(name: str, monkeypatch: Any) -> None:
    """A request that tries again so often in so little time would never see the run's end."""
    monkeypatch.setattr(standstill, "MOST_OF_A_REQUEST", 5000)
    said = "the run hardly goes on: request 0 has tried again 5,001 times within"
    with pytest.raises(SimulationError, match=said):
        simulate(CREEPING[name]())


def test_the_guard_needs_no_patience() -> None:
    """As it comes, without any limit changed, it is a matter of a few seconds."""
    with pytest.raises(SimulationError, match="was tried 100,001 times by 'caller'"):
        simulate(world(Call("Do"), [1.0], caller(HELP), faults=[DOWN]))


def test_a_retry_with_a_limit_never_stands_still() -> None:
    """Ten thousand tries at one instant are an end, and so are nested ones."""
    many = Retry(max_attempts=10_000, backoff=Backoff(0.0))
    run = simulate(world(Call("Do"), [1.0], caller(Call("Help", retry=many)), faults=[DOWN]))
    assert list(run.calls.sort_values("message")["attempts"]) == [1, 10_000]
    some = Retry(max_attempts=100, backoff=Backoff(0.0))
    both = world(Call("Do", retry=some), [1.0], caller(Call("Help", retry=some)), faults=[DOWN])
    run = simulate(both)
    assert run.calls.groupby("caller")["attempts"].sum().to_dict() == {
        "caller": 10_000,
        "clients": 100,
    }


def test_the_clock_itself_stops_what_nobody_else_has_noticed(monkeypatch: Any) -> None:
    """More happens at one instant than anybody would wait for: it says what would come next."""
    monkeypatch.setattr(clock, "MOST_AT_ONE_INSTANT", 500)
    burst = world(Call("Help"), [1.0] * 400, caller())
    with pytest.raises(SimulationError, match="at 1 s the run stands still: more than 500 things"):
        simulate(burst)


# -- what goes on for long ends with sensible tables --------------------------------------------


def down_for_a_minute(policy: DeliveryPolicy | None, broker: Broker | None = None) -> Run:
    """A message at 1 s whose handler works 10 ms and calls who is down from 0.5 to 60.5 s."""
    services = caller(takes(0.01, "prepare"), Call("Help"), policy=policy)
    more = {} if broker is None else {"broker": broker}
    return simulate(world(Send("Do"), [1.0], services, faults=[DOWN], drain=100.0, **more))


def test_retrying_for_a_minute_ends_when_the_callee_is_back() -> None:
    """Every 60 ms from 1 s to 60.5 s: a thousand tries, each with a call of its own."""
    run = down_for_a_minute(
        DeliveryPolicy(retry=Retry(max_attempts=None, backoff=Backoff(0.05, factor=1)))
    )
    (attempts,) = run.deliveries["attempts"]
    assert attempts == pytest.approx(59.5 / 0.06, abs=2)
    assert list(run.deliveries["outcome"]) == ["handled"]
    assert run.messages["message"].is_unique
    assert len(run.messages) == attempts + 1
    assert list(run.calls["outcome"][:-1].unique()) == ["failed"]
    assert list(run.ledger()["verdict"]) == ["duplicated"]  # what was prepared, each time


def test_nats_as_it_comes_goes_on_for_a_minute() -> None:
    """A nak is redelivered at once: every 10 ms, six thousand times."""
    run = down_for_a_minute(None, Broker.nats())
    (attempts,) = run.deliveries["attempts"]
    assert attempts == pytest.approx(59.5 / 0.01, abs=2)
    assert run.messages["message"].is_unique
    assert list(run.deliveries["outcome"]) == ["handled"]


# -- what the description already shows is refused ----------------------------------------------

TINY = 1e-9  # of 700 s and more
PERIODS: dict[str, tuple[dict[str, Any], str]] = {
    "a fault": (
        {"faults": [Slowdown("callee", 2.0, mtbf=TINY, mttr=TINY)]},
        "faults[0].mtbf + mttr must be >= ",
    ),
    "a publisher": ({"broker": Broker(republish_after=TINY)}, "broker.republish_after must be >= "),
    "an outbox": (
        {"services": caller(Publish("Done", outbox=Outbox(poll=TINY)))},
        "Done of 'caller': outbox.poll must be >= ",
    ),
    "an autoscaler": (
        {
            "services": [
                Service(
                    "caller", autoscale=Autoscale(most=2, target=0.5, every=TINY), on={"Do": []}
                )
            ]
        },
        "services['caller'].autoscale.every must be >= ",
    ),
    "a call": (
        {
            "services": caller(
                Call("Help", retry=Retry(max_attempts=None, backoff=Backoff(TINY, factor=1)))
            )
        },
        "Help of 'caller': retry.backoff must be >= ",
    ),
    "a delivery": (
        {
            "broker": Broker(
                delivery=DeliveryPolicy(
                    retry=Retry(max_attempts=None, backoff=Backoff(TINY, maximum=2 * TINY))
                )
            )
        },
        "broker.delivery.retry.backoff must be >= ",
    ),
}


@pytest.mark.parametrize("name", PERIODS)
def test_what_would_happen_too_often_to_end_is_refused(name: str) -> None:
    """Every nanosecond for ten minutes is 10**11 times: place, rule, value and remedy."""
    changed, said = PERIODS[name]
    settings = {"services": caller(), "duration": 600.0} | changed
    with pytest.raises(InvalidInput) as refused:
        world(Call("Do"), [1.0], **settings)
    assert f": {said}" in str(refused.value)
    assert "got 1e-09" in str(refused.value) or "got 2e-09" in str(refused.value)


@pytest.mark.parametrize(
    "arrivals",
    [
        Poisson(1e12),
        Regular(1e12),
        Bursts(1e12, 10),
        Diurnal(1e12, 1e12, 10.0),
        Spike(1.0, 1.0, 1.0, 1e12),
    ],
    ids=lambda arrivals: arrivals.kind,
)
def test_more_requests_than_a_run_can_count_are_refused(arrivals: Any) -> None:
    """A request's number within its source has nine digits."""
    with pytest.raises(InvalidInput, match="must make at most 1,000,000,000 requests"):
        world(Call("Do"), arrivals, caller())


def test_a_short_period_is_fine_where_the_run_is_short() -> None:
    """A nanosecond is no problem in a world of microseconds."""
    quick = {"duration": 1e-6, "drain": 0.0}
    fault = Slowdown("callee", 2.0, mtbf=TINY, mttr=TINY)
    run = simulate(world(Call("Help"), [0.0], caller(), faults=[fault], **quick))
    assert 100 < len(run.faults) < 1000


CERTAIN = takes(0.0, "vain", transient=1.0)


def test_what_fails_at_once_for_ever_is_refused() -> None:
    """Tried again without end and without wait, work that takes no time and always fails."""
    services = [Service("vain", on={"Try": handled(AGAIN, takes(0.0), CERTAIN)})]
    with pytest.raises(
        InvalidInput, match=r"services\['vain'\].on\['Try'\].delivery.retry must wait"
    ):
        world(Send("Try"), [0.0], services)
    services = [Service("vain", on={"Try": [CERTAIN]})]
    with pytest.raises(InvalidInput, match="Try of 'clients': retry must wait or end"):
        world(Call("Try", retry=ENDLESS), [0.0], services)
    # Where it takes time, or the way does, or a first try is all there is, it is a world like any.
    world(Call("Try"), [0.0], services)
    world(Call("Try", retry=ENDLESS), [0.0], services, network=takes(0.1).duration)
    slow = [Service("vain", on={"Try": [takes(0.1), CERTAIN]})]
    world(Call("Try", retry=ENDLESS), [0.0], slow)


@pytest.mark.parametrize("guard", [{"breaker": CircuitBreaker()}, {"bulkhead": 1}])
def test_a_guard_that_refuses_at_once_needs_a_retry_that_waits_or_ends(guard: Any) -> None:
    """While no time passes an open breaker stays open, and a full bulkhead full."""
    with pytest.raises(InvalidInput, match="must be a number where a"):
        Call("Help", retry=ENDLESS, **guard)
    Call("Help", retry=Retry(max_attempts=None, backoff=Backoff(0.1)), **guard)
    Call("Help", retry=Retry(max_attempts=3, backoff=Backoff(0.0)), **guard)


def test_a_link_that_loses_all_is_no_standstill() -> None:
    """A publisher that gets no answer publishes again every second, to the end of the run."""
    lossy = Loss(1.0, between=["clients", "broker"])
    run = simulate(world(Send("Help"), [0.0], caller(), faults=[lossy], drain=50.0))
    assert len(run.incidents) == 151
    assert list(run.requests["outcome"]) == ["unfinished"]


# -- however long and however deep --------------------------------------------------------------


def chain(length: int) -> Scenario:
    """One service calls itself, command after command."""
    commands = [f"Do{n}" for n in range(length)]
    calls = {name: [Call(then)] for name, then in pairwise(commands)}
    last = {commands[-1]: [takes(0.0, "end it")]}
    return world(Call("Do0"), [0.0], [Service("self", workers=length, on=calls | last)])


def test_five_thousand_calls_in_a_row_are_a_world_like_any() -> None:
    """Planned, performed, judged, told and explained without a stack that could overflow."""
    run = simulate(chain(5000))
    assert list(run.requests["outcome"]) == ["ok"]
    assert len(run.calls) == 5000
    assert list(run.ledger()["verdict"]) == ["consistent"]
    assert str(run.journey(0)).count("started") == 5000


def test_what_fails_fifteen_hundred_calls_down_is_explained() -> None:
    """Far below the client the last work fails for good, and the audit finds it."""
    scenario = chain(1500).replace("self.Do1499[end it].permanent", 1.0)
    found = simulate(scenario).audit(0)
    assert list(found["what"]) == ["permanent_failure"]


def test_a_run_may_have_more_names_than_sixteen_bits_can_tell_apart() -> None:
    """Thirty-three thousand labels, each of them its own in the table."""
    work = [takes(0.0, f"work {n}") for n in range(33_000)]
    run = simulate(world(Call("Do"), [0.0], [Service("many", on={"Do": work})]))
    assert list(run.effects["label"]) == sorted(step.label for step in work)


def nested(depth: int, kind: Any) -> Any:
    """A work inside so many steps of a kind."""
    step = takes(0.0)
    for _ in range(depth):
        step = kind(step)
    return step


BOTH = [lambda step: Parallel([step]), lambda step: Branch(1.0, [], otherwise=[step])]


@pytest.mark.parametrize("kind", BOTH)
def test_steps_stand_in_each_other_as_deep_as_people_can_read(kind: Any) -> None:
    """Fifty deep is written, read, run and shown; one more is refused, and so are thousands."""
    deepest = world(Call("Do"), [0.0], [Service("deep", on={"Do": [nested(50, kind)]})])
    assert Scenario.from_yaml(deepest.to_yaml()) == deepest
    assert "Work(Constant(0.0), 'work')" in repr(deepest)
    assert pickle.loads(pickle.dumps(deepest)) == deepest
    assert "Do" in str(deepest.to_mermaid())
    run = simulate(deepest)
    assert len(run.effects) == round(run.ledger()["meant"].sum())
    with pytest.raises(InvalidInput, match="steps must be nested at most 50 deep"):
        nested(51, kind)


def test_a_file_that_is_nested_too_deeply_is_refused_in_one_line() -> None:
    """Whether as YAML, as plain data, or as what an event carries."""
    step: Any = {"kind": "work", "duration": {"kind": "constant", "value": 0.0}, "label": "end"}
    data = world(Call("Do"), [0.0], [Service("deep", on={"Do": []})]).to_dict()
    for depth in (51, 5000):
        for _ in range(depth):
            step = {"kind": "parallel", "steps": [step]}
        data["services"][0]["on"]["Do"] = [step]
        with pytest.raises(InvalidInput):
            Scenario.from_dict(data)
    with pytest.raises(InvalidInput, match="nested too deeply"):
        Scenario.from_yaml("name: " + "[" * 2000 + "]" * 2000)
    carried: Any = {}
    for _ in range(10_000):
        carried = {"inside": [carried]}
    with pytest.raises(InvalidInput, match="must be nested at most 50 deep"):
        Publish("Done", data=carried)
