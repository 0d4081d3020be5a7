"""The ready scenarios: the same business twice, and one event to many."""

import inspect
import re
from typing import Any

import pytest

import eda_sim
import eda_sim.catalog
from eda_sim.catalog import CATALOG, fan_out, order_chain, order_pubsub
from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import Backoff, CircuitBreaker, DeliveryPolicy, Retry
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
    "network_mean": 0.5,
    "timeout": 5.0,
    "retry": Retry(max_attempts=9),
    "breaker": CircuitBreaker(),
    "broker_publish_mean": 0.5,
    "broker_deliver_mean": 0.5,
    "faults": [Outage("email", at=5, lasts=9)],
    "duration": 900.0,
    "warmup": 9.0,
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


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_arguments_are_few_and_say_nothing_that_a_description_says(name: str) -> None:
    """No more than two dozen; retries, breakers, faults and redrives come as descriptions."""
    found = parameters(CATALOG[name])
    assert len(found) <= 22
    said = r"outage|slowdown|breaker_|backoff|redrive_|bad_deployment|attempts|jitter|budget"
    assert not [argument for argument in found if re.search(said, argument)]


# What statistics leave out by default, in seconds; elsewhere nothing.
WARMUPS = {
    "order_chain": 120.0, "order_pubsub": 120.0, "service_chain": 30.0, "event_bus": 60.0,
    "event_flow": 60.0, "consumer_group": 10.0,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_the_warm_up_is_as_usual_in_a_run_of_usual_length(name: str) -> None:
    """By default the warm-up has its own number, which is at most a tenth of the duration."""
    scenario = CATALOG[name]()
    assert scenario.warmup == WARMUPS.get(name, 0.0) <= scenario.duration / 10


@pytest.mark.parametrize("name", sorted(WARMUPS))
def test_a_short_run_has_a_short_warm_up(name: str) -> None:
    """A tenth of the duration, where the usual number is more; whoever gives one gets it."""
    make = CATALOG[name]
    assert make(duration=20).warmup == 2.0
    assert make(duration=1e5).warmup == WARMUPS[name]
    assert make(duration=20, warmup=0).warmup == 0.0
    assert make(duration=20, warmup=19).warmup == 19.0
    with pytest.raises(InvalidInput, match=r"warmup must be < duration \(20\.0\), got 20\.0"):
        make(duration=20, warmup=20)


def test_both_shops_share_their_defaults() -> None:
    """An argument that both know has the same default in both; only calls are not tried again."""
    for name in set(SHARED) - {"retry"}:
        assert parameters(order_chain)[name] == parameters(order_pubsub)[name]


def test_what_only_one_shop_knows() -> None:
    """Calls belong to the chain, the broker to publish/subscribe; all else is shared."""
    of_calls = {"timeout", "breaker"}
    of_broker = {"broker_publish_mean", "broker_deliver_mean"}
    assert parameters(order_chain).keys() - set(SHARED) == of_calls
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
        assert make(**{name: OTHERS[name]}) != make(), name


@pytest.mark.parametrize("make", [order_chain, order_pubsub])
def test_faults_are_those_that_are_given(make: Any) -> None:
    """There is none by default; any may be given, in this order."""
    assert make().faults == ()
    faults = (Outage("payment", at=300, lasts=60), Slowdown("email", factor=3, at=10, lasts=60))
    assert make(faults=faults).faults == faults


def test_retries_of_publish_subscribe() -> None:
    """By default a delivery is tried four times, after 1, 2 and 4 s; or as is said."""
    usual, other = order_pubsub().broker, order_pubsub(retry=Retry(max_attempts=2)).broker
    assert usual is not None
    assert other is not None
    assert usual.delivery.retry.max_attempts == 4
    assert [usual.delivery.retry.backoff.after(n) for n in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert other.delivery == DeliveryPolicy(retry=Retry(max_attempts=2))


def test_retries_and_breakers_of_the_chain() -> None:
    """Calls are neither repeated nor protected by default; all four are when asked for."""
    assert all(call.retry is None and call.breaker is None for call in calls(order_chain()))
    retry, breaker = Retry(max_attempts=3, backoff=Backoff(0.1)), CircuitBreaker(failures=5)
    careful = calls(order_chain(retry=retry, breaker=breaker))
    assert [(call.retry, call.breaker) for call in careful] == [(retry, breaker)] * 4


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
        (
            order_chain,
            {"retry": {"max_attempts": 0}},
            "Call('ProcessPayment').retry.max_attempts must be >= 1, got 0",
        ),
        (
            order_chain,
            {"duration": "long"},
            "Scenario('synchronous chain').duration must be a number, got 'long'",
        ),
        (order_pubsub, {"network_mean": -1}, "Exponential.mean must be > 0, got -1"),
        (
            order_pubsub,
            {"faults": [Outage("paymnt", at=1, lasts=60)]},
            "Scenario('publish/subscribe'): faults[0].service must name a service, "
            "got 'paymnt': did you mean 'payment'?",
        ),
        (
            order_pubsub,
            {"duration": 60, "warmup": 120},
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
