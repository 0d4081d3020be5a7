"""The ready scenarios: the same business twice, and one event to many."""

import inspect
import re
from typing import Any

import pytest

import eda_sim
import eda_sim.catalog
from eda_sim.catalog import CATALOG, fan_out, order_chain, order_pubsub
from eda_sim.errors import InvalidInput
from eda_sim.scenario.distributions import Constant, Exponential, LogNormal
from eda_sim.scenario.faults import Outage, Slowdown
from eda_sim.scenario.messages import flatten
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.steps import Call, Publish, Work
from eda_sim.theory import offered_load


def parameters(make: Any) -> dict[str, inspect.Parameter]:
    """The keyword arguments of a ready scenario."""
    return dict(inspect.signature(make).parameters)


def works(scenario: Scenario) -> dict[tuple[str, str], Work]:
    """Every work by the address of its luck: service and label."""
    return {
        (service.name, step.label): step
        for service in scenario.services
        for handler in service.handlers.values()
        for step in flatten(handler.steps)
        if isinstance(step, Work)
    }


def calls(scenario: Scenario) -> list[Call]:
    """The calls that orders makes, in order."""
    steps = scenario.service("orders").handlers["PlaceOrder"].steps
    return [step for step in steps if isinstance(step, Call)]


SHARED = sorted(parameters(order_chain).keys() & parameters(order_pubsub).keys())

# A value, other than the default, for every argument of the two shops.
OTHERS: dict[str, Any] = {
    "rate": 20.0,
    "order_workers": 9,
    "payment_workers": 9,
    "inventory_workers": 9,
    "email_workers": 9,
    "analytics_workers": 9,
    "order_mean": 0.5,
    "payment_mean": 0.5,
    "payment_cv": 0.5,
    "inventory_mean": 0.5,
    "email_mean": 0.5,
    "analytics_mean": 0.5,
    "payment_transient": 0.5,
    "payment_permanent": 0.5,
    "outage_at": 5.0,
    "slowdown_at": 5.0,
    "network_mean": 0.5,
    "patience": 5.0,
    "timeout": 5.0,
    "call_attempts": 5,
    "breaker_failures": 5,
    "broker_publish_mean": 0.5,
    "broker_deliver_mean": 0.5,
    "turnaround_mean": 0.5,
    "max_attempts": 9,
    "backoff_base": 9.0,
    "backoff_factor": 9.0,
    "duration": 900.0,
    "warmup": 9.0,
    "outage_lasts": 9.0,
    "outage_of": "email",
    "slowdown_lasts": 9.0,
    "slowdown_factor": 9.0,
    "slowdown_of": "email",
    "breaker_window": 9.0,
    "breaker_open_for": 9.0,
}
# Arguments that say something only beside another.
BESIDE: dict[str, dict[str, Any]] = {
    "outage_lasts": {"outage_at": 5.0},
    "outage_of": {"outage_at": 5.0},
    "slowdown_lasts": {"slowdown_at": 5.0},
    "slowdown_factor": {"slowdown_at": 5.0},
    "slowdown_of": {"slowdown_at": 5.0},
    "breaker_window": {"breaker_failures": 5},
    "breaker_open_for": {"breaker_failures": 5},
}

# -- the registry ----------------------------------------------------------------------


def test_the_catalog_finds_each_function_by_its_name() -> None:
    """The registry's names are the functions' names, and all of them are public."""
    assert {"CATALOG", *CATALOG} == set(eda_sim.catalog.__all__)
    assert CATALOG.keys() >= {"order_chain", "order_pubsub", "fan_out"}
    for name, make in CATALOG.items():
        assert make.__name__ == name
        assert getattr(eda_sim, name) is make


def test_the_catalog_does_not_change() -> None:
    """Nobody can add to the registry by accident."""
    with pytest.raises(TypeError):
        CATALOG["mine"] = fan_out  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_ready_scenario_needs_no_argument(name: str) -> None:
    """Each builds as it is, twice alike, and every argument is by keyword with a default."""
    make = CATALOG[name]
    assert make() == make()
    for parameter in parameters(make).values():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is not inspect.Parameter.empty


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_argument_is_documented(name: str) -> None:
    """The docstring explains each argument once, in the order of the signature."""
    text = inspect.getdoc(CATALOG[name]) or ""
    section = text.partition("\nArgs:\n")[2].partition("\nRaises:")[0]
    assert re.findall(r"^ {4}(\w+): ", section, re.MULTILINE) == list(parameters(CATALOG[name]))


# -- the two shops -----------------------------------------------------------------------


def test_both_shops_share_their_defaults() -> None:
    """An argument that both know has the same default in both."""
    for name in SHARED:
        assert parameters(order_chain)[name] == parameters(order_pubsub)[name]


def test_what_only_one_shop_knows() -> None:
    """Calls belong to the chain, the broker to publish/subscribe; all else is shared."""
    of_calls = {"timeout", "call_attempts"}
    of_breakers = {"breaker_failures", "breaker_window", "breaker_open_for"}
    of_broker = {"broker_publish_mean", "broker_deliver_mean", "turnaround_mean", "max_attempts"}
    assert parameters(order_chain).keys() - set(SHARED) == of_calls | of_breakers
    assert parameters(order_pubsub).keys() - set(SHARED) == of_broker


@pytest.mark.parametrize(
    "changes",
    [{}, {"payment_mean": 0.1, "payment_cv": 2, "email_mean": 0.2, "payment_permanent": 0.1}],
)
def test_both_shops_have_the_same_business(changes: dict[str, Any]) -> None:
    """Same customers, same services and sizes, same work under the same label: same luck."""
    chain, pubsub = order_chain(**changes), order_pubsub(**changes)
    assert works(chain) == works(pubsub)
    assert works(chain).keys() == {
        ("orders", "accept order"),
        ("payment", "charge card"),
        ("inventory", "reserve items"),
        ("email", "send mail"),
        ("analytics", "record sale"),
    }
    assert chain.traffic == pubsub.traffic
    assert chain.traffic[0].name == "customers"
    assert (chain.network, chain.duration) == (pubsub.network, pubsub.duration)
    sizes = [[(s.name, s.instances, s.workers) for s in each.services] for each in (chain, pubsub)]
    assert sizes[0] == sizes[1]


def test_the_chain_calls_one_after_the_other() -> None:
    """Orders calls payment, inventory, email and analytics in this order, each within 2 s."""
    chain = order_chain()
    names = ["ProcessPayment", "ReserveItems", "SendConfirmation", "RecordSale"]
    assert [call.command for call in calls(chain)] == names
    assert {call.timeout for call in calls(chain)} == {2.0}
    assert chain.broker is None


def test_publish_subscribe_publishes_one_event() -> None:
    """Orders publishes and is done; the other four subscribe."""
    pubsub = order_pubsub()
    steps = pubsub.service("orders").handlers["PlaceOrder"].steps
    assert steps[1:] == (Publish("OrderPlaced"),)
    subscribers = [s.name for s in pubsub.services if "OrderPlaced" in s.on]
    assert subscribers == ["payment", "inventory", "email", "analytics"]
    assert pubsub.broker is not None
    assert pubsub.broker.publish == Exponential(0.002)
    assert pubsub.broker.deliver == Exponential(0.005)


def test_the_default_numbers_of_the_business() -> None:
    """The default times are those of the design's example."""
    found = {label: work.duration for (_, label), work in works(order_chain()).items()}
    assert found["charge card"] == LogNormal(0.06, cv=1.0)
    assert found["reserve items"] == Exponential(0.03)
    assert found["send mail"] == Exponential(0.05)
    assert works(order_chain())["payment", "charge card"].transient == 0.01


def test_the_default_shop_is_stable() -> None:
    """Offered loads are below the number of workers, also of orders, which waits for all.

    Held time of orders: all work and ten ways over the network, without any waiting; twice
    that still fits.
    """
    chain = order_chain()
    rate = chain.traffic[0].arrivals.rate
    for (name, _), work in works(chain).items():
        if name != "orders":
            load = offered_load(rate, work.duration.mean)
            assert load < 0.7 * chain.service(name).workers
    held = sum(work.duration.mean for work in works(chain).values()) + 8 * chain.network.mean
    assert 2 * offered_load(rate, held) < chain.service("orders").workers


@pytest.mark.parametrize("make", [order_chain, order_pubsub])
def test_every_argument_changes_something(make: Any) -> None:
    """No argument is for show: another value gives another scenario."""
    for name in parameters(make):
        others = dict(BESIDE.get(name, {}))
        if make is order_chain and name.startswith("backoff"):
            others["call_attempts"] = 2
        assert make(**others, **{name: OTHERS[name]}) != make(**others), name


@pytest.mark.parametrize("make", [order_chain, order_pubsub])
def test_faults_hit_payment_unless_told_otherwise(make: Any) -> None:
    """There is no fault by default; a time makes one, another service may have it."""
    assert make().faults == ()
    assert make(outage_at=300).faults == (Outage("payment", at=300, lasts=60),)
    assert make(outage_at=0, outage_lasts=5, outage_of="email").faults == (
        Outage("email", at=0, lasts=5),
    )
    slow = make(slowdown_at=10, slowdown_factor=3).faults
    assert slow == (Slowdown("payment", 3, at=10, lasts=60),)
    assert len(make(outage_at=1, slowdown_at=1).faults) == 2


def test_retries_and_breakers_of_the_chain() -> None:
    """Calls are neither repeated nor protected by default; all four are when asked for."""
    assert all(call.retry is None and call.breaker is None for call in calls(order_chain()))
    careful = order_chain(call_attempts=3, backoff_base=0.1, breaker_failures=5)
    for call in calls(careful):
        assert call.retry is not None
        assert call.breaker is not None
        assert call.retry.max_attempts == 3
        assert call.retry.backoff.after(2) == 0.2
        assert call.breaker.failures == 5


@pytest.mark.parametrize("make", [order_chain, order_pubsub])
def test_a_latency_of_zero_is_none(make: Any) -> None:
    """A sweep over latencies may start at 0, where an exponential would not exist."""
    assert make(network_mean=0).network == Constant(0)


# -- one event to many ------------------------------------------------------------------------


def test_fan_out_is_the_workload_it_says() -> None:
    """By default 400/s to 3 subscribers with 4 workers, retried after 1, 2, 4 s, for 250 s."""
    scenario = fan_out()
    assert [s.name for s in scenario.services] == [f"subscriber-{n}" for n in (1, 2, 3)]
    assert {s.workers for s in scenario.services} == {4}
    assert set(works(scenario).values()) == {Work(Exponential(0.008), "handle", transient=0.05)}
    assert scenario.broker is not None
    assert scenario.broker.publish == scenario.broker.turnaround == Constant(0)
    assert scenario.broker.deliver == Exponential(0.005)
    retry = scenario.broker.delivery.retry
    assert [retry.backoff.after(n) for n in range(1, retry.max_attempts)] == [1.0, 2.0, 4.0]
    assert scenario.duration * scenario.traffic[0].arrivals.rate == 100_000


@pytest.mark.parametrize("subscribers", [0, 1, 5])
def test_fan_out_has_as_many_subscribers_as_asked(subscribers: int) -> None:
    """Subscribers are equal and counted from 1; there may be none."""
    scenario = fan_out(subscribers=subscribers)
    assert [s.name for s in scenario.services] == [
        f"subscriber-{n + 1}" for n in range(subscribers)
    ]
    assert len({s.on["MessagePublished"] for s in scenario.services}) == min(subscribers, 1)


# -- wrong arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "changes", "line"),
    [
        (order_chain, {"rate": 0}, "Poisson.rate must be > 0, got 0"),
        (order_chain, {"payment_workers": 0}, "Service('payment').workers must be >= 1, got 0"),
        (
            order_chain,
            {"payment_transient": 2},
            "Work('charge card').transient must be <= 1, got 2",
        ),
        (order_chain, {"timeout": 0}, "Call('ProcessPayment').timeout must be > 0, got 0"),
        (order_chain, {"call_attempts": 0}, "Retry.max_attempts must be >= 1, got 0"),
        (order_chain, {"breaker_failures": 0}, "CircuitBreaker.failures must be >= 1, got 0"),
        (order_pubsub, {"network_mean": -1}, "Exponential.mean must be > 0, got -1"),
        (order_pubsub, {"max_attempts": 0}, "Retry.max_attempts must be >= 1, got 0"),
        (
            order_pubsub,
            {"outage_at": 1, "outage_of": "paymnt"},
            "Scenario('publish/subscribe'): faults[0].service must name a service, "
            "got 'paymnt': did you mean 'payment'?",
        ),
        (
            order_pubsub,
            {"duration": 60},
            "Scenario('publish/subscribe'): warmup must be < duration (60.0), got 120.0: "
            "statistics would have nothing left",
        ),
        (fan_out, {"rate": 0}, "Poisson.rate must be > 0, got 0"),
        (fan_out, {"messages": 0}, "Scenario('fan-out').duration must be > 0, got 0.0"),
        (
            fan_out,
            {"subscribers": -1},
            "subscribers must be >= 0, got -1: say how many services handle the event",
        ),
    ],
)
def test_a_wrong_value(make: Any, changes: dict[str, Any], line: str) -> None:
    """A value that cannot be right is refused in one line."""
    with pytest.raises(InvalidInput) as caught:
        make(**changes)
    assert str(caught.value) == line


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_wrong_name(name: str) -> None:
    """An argument that does not exist is an ordinary TypeError, and none is positional."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrkers'"):
        CATALOG[name](wrkers=1)
    with pytest.raises(TypeError, match="positional"):
        CATALOG[name](40)
