"""What cannot be right is refused when it is given: path, rule, value and remedy, in one line."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from eda_sim.errors import EdaSimError, InvalidInput, nearest
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, CircuitBreaker, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import (
    Constant,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Pareto,
    Uniform,
)
from eda_sim.scenario.faults import Outage, Slowdown
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Parallel, Publish, Send, Work
from eda_sim.scenario.traffic import (
    Bursts,
    Diurnal,
    Poisson,
    Spike,
    Trace,
    Traffic,
    UniformKeys,
    ZipfKeys,
)

Build = Callable[[], Any]

WORK = Work(Constant(0.01), "work")


def world(
    *services: Service, message: Any = None, broker: Broker | None = None, **settings: Any
) -> Scenario:
    """A scenario of these services, with clients that call ``Do`` unless told otherwise."""
    traffic = [Traffic(message or Call("Do"), Poisson(rate=1))]
    return Scenario("world", traffic=traffic, services=services, broker=broker, **settings)


def doer(*steps: AnyStep, name: str = "doer") -> Service:
    """A service that handles ``Do`` with these steps."""
    return Service(name, on={"Do": list(steps)})


def refusal(build: Build) -> str:
    """Return the one line with which something is refused."""
    with pytest.raises(InvalidInput) as caught:
        build()
    assert isinstance(caught.value, EdaSimError)
    assert isinstance(caught.value, ValueError)
    text = str(caught.value)
    assert "\n" not in text
    return text


def yaml_of(**changes: Any) -> dict[str, Any]:
    """Plain data of a scenario with one service, changed at the top."""
    return {**world(doer(WORK)).to_dict(), **changes}


# -- single parts ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: Service("billing", workers=0), "Service('billing').workers must be >= 1, got 0"),
        (
            lambda: Service("billing", workers=1.5),
            "Service('billing').workers must be a whole number, got 1.5",
        ),
        (
            lambda: Service("billing", wrkers=1),
            "Service('billing').wrkers is not a known setting: did you mean 'workers'?",
        ),
        (lambda: Service("billing", inbox=-1), "Service('billing').inbox must be >= 0, got -1"),
        (lambda: Service(""), "Service.name must not be empty, got ''"),
        (lambda: Service(3), "Service.name must be a text, got 3"),
        (lambda: Service(), "Service.name is missing: give it a value"),
        (
            lambda: Service("billing", on=[WORK]),
            "Service('billing').on must be a mapping of names, got [Work(Constant(0.01), 'work')]",
        ),
        (
            lambda: Service("billing", on={"Pay": WORK}),
            "Service('billing').on['Pay'] must be a list of steps, or Handler(...), "
            "got Work(Constant(0.01), 'work')",
        ),
        (
            lambda: Service("billing", on={"Pay": [Constant(1)]}),
            "Service('billing').on['Pay'][0] must be of a kind among 'work', 'call', 'send', "
            "'publish', 'parallel', 'branch', got Constant(1.0)",
        ),
        (
            lambda: Service("billing", on={"Pay": [0.05]}),
            "Service('billing').on['Pay'][0] must be a description, "
            "such as Work(Exponential(0.05), 'charge card'), got 0.05",
        ),
        (
            lambda: Work(0.05, "pay"),
            "Work('pay').duration must be a description, such as Exponential(0.05), got 0.05",
        ),
        (
            lambda: Work(Constant(1), "pay", transient=1.5),
            "Work('pay').transient must be <= 1, got 1.5",
        ),
        (
            lambda: Work(Constant(1), "pay", permanent=-0.1),
            "Work('pay').permanent must be >= 0, got -0.1",
        ),
        (lambda: Call("Pay", timeout=0), "Call('Pay').timeout must be > 0, got 0"),
        (lambda: Publish("Paid", version=0), "Publish('Paid').version must be >= 1, got 0"),
        (
            lambda: Publish("Paid", data={"amount": Constant(1)}),
            "Publish('Paid').data.amount must be plain data: texts, numbers, lists and mappings, "
            "got Constant(1.0)",
        ),
        (
            lambda: Publish("Paid", data={"amount": float("nan")}),
            "Publish('Paid').data must hold finite numbers only, got nan",
        ),
        (lambda: Parallel([]), "Parallel.steps must have at least 1 item(s), got []"),
        (lambda: Parallel("ab"), "Parallel.steps must be a list, got 'ab'"),
        (lambda: Branch(2, [WORK]), "Branch.probability must be <= 1, got 2"),
        (lambda: Retry(max_attempts=0), "Retry.max_attempts must be >= 1, got 0"),
        (lambda: Retry(max_attempts=100_001), "Retry.max_attempts must be <= 100000, got 100001"),
        (lambda: Backoff(-1), "Backoff.base must be >= 0, got -1"),
        (lambda: Backoff(1, factor=0.5), "Backoff.factor must be >= 1, got 0.5"),
        (
            lambda: Backoff(1, jitter="half"),
            "Backoff.jitter must be 'none', 'full' or 'decorrelated', got 'half'",
        ),
        (lambda: CircuitBreaker(failures=0), "CircuitBreaker.failures must be >= 1, got 0"),
        (
            lambda: DeliveryPolicy(dead_letter="x"),
            "DeliveryPolicy.dead_letter must be true or false, got 'x'",
        ),
        (
            lambda: Broker(deliver=0.005),
            "Broker.deliver must be a description, such as Exponential(0.05), got 0.005",
        ),
    ],
)
def test_a_part_that_cannot_be_right(build: Build, line: str) -> None:
    """A part says where it is wrong, what the rule is, and what it got."""
    assert refusal(build) == line


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: Exponential(0), "Exponential.mean must be > 0, got 0"),
        (lambda: Exponential("soon"), "Exponential.mean must be a number, got 'soon'"),
        (
            lambda: Exponential(float("inf")),
            "Exponential.mean must be a finite number, got inf",
        ),
        (
            lambda: Exponential(0.05, 1.0),
            "Exponential takes only mean by position, got 1.0: leave it out",
        ),
        (lambda: Constant(-1), "Constant.value must be >= 0, got -1"),
        (lambda: LogNormal(1, cv=0), "LogNormal.cv must be > 0, got 0"),
        (lambda: Gamma(1, cv=21), "Gamma.cv must be <= 20, got 21"),
        (lambda: Gamma(1, cv=0), "Gamma.cv must be >= 0.001, got 0"),
        (lambda: Uniform(3, 1), "Uniform: must have low <= high, got low=3.0, high=1.0"),
        (lambda: Pareto(1, shape=1), "Pareto.shape must be > 1, got 1"),
        (lambda: Empirical([]), "Empirical.samples must have at least 1 item(s), got []"),
        (lambda: Empirical([0.1, -0.1]), "Empirical.samples[1] must be >= 0, got -0.1"),
        (lambda: Poisson(0), "Poisson.rate must be > 0, got 0"),
        (lambda: Bursts(1, size=0), "Bursts.size must be >= 1, got 0"),
        (
            lambda: Diurnal(10, 30, 60),
            "Diurnal: must have mean_rate <= peak_rate <= 2 * mean_rate, got mean_rate=10.0, "
            "peak_rate=30.0: at the trough the rate is 2 * mean_rate - peak_rate and cannot be "
            "negative",
        ),
        (lambda: Spike(1, at=-1, lasts=1, factor=2), "Spike.at must be >= 0, got -1"),
        (
            lambda: Trace([1, 3, 2]),
            "Trace.times must be ascending, got 2.0 after 3.0: sort the times",
        ),
        (lambda: UniformKeys(0), "UniformKeys.n must be >= 1, got 0"),
        (lambda: ZipfKeys(3, s=-1), "ZipfKeys.s must be >= 0, got -1"),
        (
            lambda: Traffic(Call("Do"), 40),
            "Traffic.arrivals must be a description, such as Poisson(rate=40), got 40",
        ),
        (
            lambda: Traffic(WORK, Poisson(1)),
            "Traffic.message must be of a kind among 'call', 'send', 'publish', "
            "got Work(Constant(0.01), 'work')",
        ),
        (
            lambda: Traffic(Call("Do"), Poisson(1), name=""),
            "Traffic.name must not be empty, got ''",
        ),
    ],
)
def test_a_number_that_cannot_be_right(build: Build, line: str) -> None:
    """Distributions, arrivals and keys say which of their numbers is wrong, and why."""
    assert refusal(build) == line


@pytest.mark.parametrize(
    ("when", "got"),
    [
        ({}, "neither"),
        ({"at": 1}, "at=1.0"),
        ({"lasts": 1}, "lasts=1.0"),
        ({"mtbf": 1}, "mtbf=1.0"),
        ({"at": 1, "mttr": 2}, "at=1.0, mttr=2.0"),
        ({"at": 1, "lasts": 2, "mtbf": 3, "mttr": 4}, "at=1.0, lasts=2.0, mtbf=3.0, mttr=4.0"),
    ],
)
def test_a_fault_is_scheduled_or_random(when: dict[str, float], got: str) -> None:
    """A fault is either scheduled or random; half of one, or a bit of both, is refused."""
    line = f"must be either scheduled (at= and lasts=) or random (mtbf= and mttr=), got {got}"
    assert refusal(lambda: Outage("doer", **when)) == f"Outage: {line}"
    assert refusal(lambda: Slowdown("doer", 2, **when)) == f"Slowdown: {line}"


# -- the whole ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (
            lambda: world(Service("doer", on={"Doo": [WORK]})),
            "Do is called by 'clients' but no service handles it: add it to a service's on= "
            "(did you mean 'Doo'?)",
        ),
        (
            lambda: world(doer(Send("Mail")), broker=Broker()),
            "Mail is sent by 'doer' but no service handles it: add it to a service's on= "
            "(known: Do)",
        ),
        (
            lambda: world(doer(), doer(name="other")),
            "Do is a command, which exactly one service handles, but 'doer' and 'other' do: "
            "remove it from all on= but one, or publish an event instead",
        ),
        (
            lambda: world(doer(Publish("Do")), broker=Broker()),
            "'Do' must be either a command or an event, but 'clients' calls it and 'doer' "
            "publishes it: use two names",
        ),
        (
            lambda: world(doer(Publish("Done"))),
            "broker is missing, but 'doer' publishes 'Done': add broker=Broker()",
        ),
        (
            lambda: world(doer(), message=Send("Do")),
            "broker is missing, but 'clients' sends 'Do': add broker=Broker()",
        ),
        (
            lambda: world(doer(), doer()),
            "services must have different names, got 'doer' 2 times: rename one (name=...)",
        ),
        (
            lambda: world(doer(), Service("clients")),
            "traffic['clients'] must not be named like a service or the broker: "
            "give it another name=",
        ),
        (
            lambda: world(doer(Publish("doer")), broker=Broker()),
            "event 'doer' must not be named like a service or a source of traffic: "
            "name it as a fact, in the past tense",
        ),
        (
            lambda: world(doer(), faults=[Outage("doers", at=1, lasts=1)]),
            "faults[0].service must name a service, got 'doers': did you mean 'doer'?",
        ),
        (
            lambda: world(doer(), faults=[Outage("doer", instances=2, at=1, lasts=1)]),
            "faults[0].instances must be <= 1, the instances of 'doer', got 2",
        ),
        (
            lambda: world(doer(), duration=60, warmup=60),
            "warmup must be < duration (60.0), got 60.0: statistics would have nothing left",
        ),
    ],
)
def test_parts_that_do_not_fit_together(build: Build, line: str) -> None:
    """The whole refuses what no part alone can know, and names the remedy."""
    assert refusal(build) == f"Scenario('world'): {line}"


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (
            lambda: Scenario("world", traffic=Traffic(Call("Do"), Poisson(1)), services=[doer()]),
            "Scenario('world').traffic must be a list, got Traffic(Call('Do'), Poisson(1.0))",
        ),
        (
            lambda: Scenario("world", traffic=[], services=[doer()]),
            "Scenario('world').traffic must have at least 1 item(s), got []",
        ),
        (
            lambda: world(doer(), duration=0),
            "Scenario('world').duration must be > 0, got 0",
        ),
        (
            lambda: world(doer(), faults=["payment is down"]),
            "Scenario('world').faults[0] must be a description, "
            "such as Outage('payment', at=300, lasts=60), got 'payment is down'",
        ),
    ],
)
def test_a_whole_of_the_wrong_shape(build: Build, line: str) -> None:
    """A scenario says which of its own settings is of the wrong shape."""
    assert refusal(build) == line


@pytest.mark.parametrize("verb", [Call, Send, Publish])
def test_messages_that_cause_themselves(verb: Any) -> None:
    """A cycle is refused and shown, whether it is made of calls, sends or events."""
    scenario = refusal(
        lambda: world(
            Service("a", on={"A": [verb("B")]}),
            Service("b", on={"B": [verb("C")], "C": [Parallel([verb("A")])]}),
            message=verb("A"),
            broker=Broker(),
        )
    )
    cycles = ("A -> B -> C -> A", "B -> C -> A -> B", "C -> A -> B -> C")
    assert any(f"got the cycle {cycle}: it would never end" in scenario for cycle in cycles)
    assert "must not cause themselves" in scenario


def test_a_service_that_calls_itself_for_the_same() -> None:
    """The shortest cycle is a handler that asks for what it is doing."""
    assert "got the cycle Do -> Do" in refusal(lambda: world(doer(Call("Do"))))


def test_many_ways_are_no_cycle() -> None:
    """Sixty diamonds in a row have 2**60 ways through and no cycle; they are accepted at once."""

    def diamond(n: int) -> dict[str, Sequence[AnyStep]]:
        down: list[AnyStep] = [Call(f"Top {n + 1}")] if n < 59 else []
        sides: list[AnyStep] = [Call(f"Left {n}"), Call(f"Right {n}")]
        return {f"Top {n}": sides, f"Left {n}": down, f"Right {n}": down}

    on: dict[str, Sequence[AnyStep]] = {}
    for n in range(60):
        on |= diamond(n)
    scenario = world(Service("deep", on=on), message=Call("Top 0"))
    assert len(scenario.services[0].handlers) == 180


# -- plain data -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "line"),
    [
        (
            yaml_of(
                services=[
                    {
                        "name": "billing",
                        "on": {"Do": {"steps": [], "delivery": {"retry": {"max_attempts": 0}}}},
                    }
                ]
            ),
            "services['billing'].on['Do'].delivery.retry.max_attempts must be >= 1, got 0",
        ),
        (
            yaml_of(services=[{"name": "billing", "wrkers": 3}]),
            "services['billing'].wrkers is not a known setting: did you mean 'workers'?",
        ),
        (
            yaml_of(trafic=[]),
            "trafic is not a known setting: did you mean 'traffic'?",
        ),
        (
            yaml_of(network={"kind": "exponential", "mean": 0.001, "cv": 2}),
            "network.cv is not a known setting: known: mean",
        ),
        (
            yaml_of(network={"kind": "exponental", "mean": 0.001}),
            "network must be of a kind among 'constant', 'exponential', 'log_normal', 'gamma', "
            "'uniform', 'pareto', 'empirical', 'recorded', "
            "got {'kind': 'exponental', 'mean': 0.001}",
        ),
        (yaml_of(network={"mean": 0.001}), "network must name its kind, got {'mean': 0.001}"),
        (
            yaml_of(
                services=[
                    {
                        "name": "doer",
                        "on": {
                            "Do": [
                                {
                                    "kind": "work",
                                    "label": "w",
                                    "duration": {"kind": "gamma", "mean": -1},
                                }
                            ]
                        },
                    }
                ]
            ),
            "services['doer'].on['Do'][0].duration.mean must be > 0, got -1",
        ),
        (yaml_of(services=[{"workers": 3}]), "services[0].name is missing: give it a value"),
        (
            yaml_of(broker="rabbitmq"),
            "broker must be Broker(...) or a mapping of its fields, got 'rabbitmq'",
        ),
        ("just text", "a scenario must be a mapping of its parts, got 'just text'"),
        ([], "a scenario must be a mapping of its parts, got []"),
        (
            yaml_of(faults=[{"kind": "outage", "service": "doer", "at": 3}]),
            "faults[0] must be either scheduled (at= and lasts=) or random (mtbf= and mttr=), "
            "got at=3.0",
        ),
        (
            yaml_of(warmup=600),
            "warmup must be < duration (600.0), got 600.0: statistics would have nothing left",
        ),
    ],
)
def test_a_file_says_where_it_is_wrong(plain: Any, line: str) -> None:
    """In a file, the path leads from the whole to the wrong number."""
    assert refusal(lambda: Scenario.from_dict(plain)) == line


def test_several_mistakes() -> None:
    """The first mistake is shown, and how many there are; a misspelt name goes first."""
    plain = yaml_of(duraton=3, warmup=-1)
    assert refusal(lambda: Scenario.from_dict(plain)) == (
        "duraton is not a known setting: did you mean 'duration'? (the first of 2 errors)"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [x", "must be YAML, but in line 1 expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n b: 2", "must be YAML, but in line 2 mapping values are not allowed here"),
        ("", "a scenario must be a mapping of its parts, got None"),
        (
            "!!python/name:os.system",
            "must be YAML, but in line 1 could not determine a "
            "constructor for the tag 'tag:yaml.org,2002:python/name:os.system'",
        ),
    ],
)
def test_text_that_is_no_scenario(text: str, line: str, tmp_path: Path) -> None:
    """Broken YAML is refused with its line, and a file with its name."""
    assert refusal(lambda: Scenario.from_yaml(text)) == line
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    assert refusal(lambda: Scenario.from_yaml(path)) == f"{path}: {line}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is wrong input, not a crash."""
    path = tmp_path / "nowhere.yaml"
    assert refusal(lambda: Scenario.from_yaml(path)).startswith(f"{path}: cannot be read: ")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    """A file of another kind is wrong input, not a crash."""
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\x89PNG\xff\xfe\x00")
    assert refusal(lambda: Scenario.from_yaml(path)).startswith(f"{path}: cannot be read: ")


def test_the_nearest_word() -> None:
    """A remedy names the nearest word, or all there are, or that there are none."""
    assert nearest("paymnt", ["orders", "payment"]) == "did you mean 'payment'?"
    assert nearest("x", ["orders", "payment"]) == "known: orders, payment"
    assert nearest("x", []) == "there are none"


@pytest.mark.parametrize(
    "build", [lambda: Parallel([]), lambda: Branch(2, []), lambda: Retry(max_attempts=0)]
)
def test_refused_again_and_again(build: Build) -> None:
    """Refusing once does not change how the same mistake is refused later."""
    assert refusal(build) == refusal(build) == refusal(build)
