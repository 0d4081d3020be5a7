"""One thing changed: ``replace`` gives a checked copy, and leaves the original alone."""

from typing import Any

import pytest

from eda_sim.catalog import order_chain, order_pubsub
from eda_sim.errors import InvalidInput
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Constant, Exponential
from eda_sim.scenario.faults import Outage
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import Branch, Call, Parallel, Work
from eda_sim.scenario.traffic import Poisson, Regular, Traffic

CHAIN = order_chain(faults=[Outage("payment", at=300, lasts=60)])
PUBSUB = order_pubsub()
LABELLED = Scenario(
    "steps within steps",
    traffic=[Traffic(Call("Do"), Poisson(1))],
    services=[
        Service(
            "doer",
            on={
                "Do": [
                    Work(Constant(1), "twice"),
                    Parallel([Work(Constant(2), "inner"), Work(Constant(3), "other")]),
                    Branch(
                        0.5,
                        [Work(Constant(4), "if")],
                        otherwise=[Work(Constant(5), "else")],
                        label="decide",
                    ),
                    Work(Constant(6), "twice"),
                ]
            },
        )
    ],
)


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("payment.workers", 8, lambda s: s.service("payment").workers),
        ("services.payment.workers", 8, lambda s: s.service("payment").workers),
        ("services[payment].workers", 8, lambda s: s.service("payment").workers),
        ("services['payment'].workers", 8, lambda s: s.service("payment").workers),
        ("services[1].workers", 8, lambda s: s.services[1].workers),
        ("traffic[0].arrivals.rate", 9.0, lambda s: s.traffic[0].arrivals.rate),
        ("customers.arrivals.rate", 9.0, lambda s: s.traffic[0].arrivals.rate),
        ("customers.arrivals", Regular(9), lambda s: s.traffic[0].arrivals),
        ("customers.message.timeout", 3.0, lambda s: s.traffic[0].message.timeout),
        ("faults[0].lasts", 5.0, lambda s: s.faults[0].lasts),
        ("faults", (), lambda s: s.faults),
        ("network", Constant(0.5), lambda s: s.network),
        ("network.mean", 0.5, lambda s: s.network.mean),
        ("name", "other", lambda s: s.name),
        ("duration", 60.0 * 60, lambda s: s.duration),
        (
            "payment.ProcessPayment[charge card].duration.mean",
            0.5,
            lambda s: s.service("payment").handlers["ProcessPayment"].steps[0].duration.mean,
        ),
        (
            "payment.on.ProcessPayment.steps[0].transient",
            0.5,
            lambda s: s.service("payment").handlers["ProcessPayment"].steps[0].transient,
        ),
        (
            "orders.PlaceOrder.SendConfirmation.timeout",
            0.5,
            lambda s: s.service("orders").handlers["PlaceOrder"].steps[3].timeout,
        ),
        (
            "orders.PlaceOrder[3].timeout",
            0.5,
            lambda s: s.service("orders").handlers["PlaceOrder"].steps[3].timeout,
        ),
        (
            "payment.ProcessPayment.delivery",
            DeliveryPolicy(dead_letter=False),
            lambda s: s.service("payment").handlers["ProcessPayment"].delivery,
        ),
    ],
)
def test_a_path_leads_to_one_part(path: str, value: Any, read: Any) -> None:
    """A path names a part by fields, names, labels or positions; only that part changes."""
    before = repr(CHAIN)
    changed = CHAIN.replace(path, value)
    assert read(changed) == value
    assert read(CHAIN) != value
    assert changed.replace(path, read(CHAIN)) == CHAIN
    assert repr(CHAIN) == before


@pytest.mark.parametrize(
    ("path", "position"),
    [("doer.Do[1].inner.duration.value", 0), ("doer.Do[1][1].duration.value", 1)],
)
def test_a_step_inside_a_parallel(path: str, position: int) -> None:
    """Steps inside ``Parallel`` are reached by position and label."""
    changed = LABELLED.replace(path, 9)
    assert changed.services[0].handlers["Do"].steps[1].steps[position].duration == Constant(9)


@pytest.mark.parametrize(("side", "label"), [("then", "if"), ("otherwise", "else")])
def test_a_step_inside_a_branch(side: str, label: str) -> None:
    """Steps inside ``Branch`` are reached by the branch's label and the side."""
    changed = LABELLED.replace(f"doer.Do.decide.{side}.{label}.duration.value", 9)
    branch = changed.services[0].handlers["Do"].steps[2]
    assert getattr(branch, side)[0].duration == Constant(9)


def test_several_settings_at_once() -> None:
    """Settings of the scenario itself can be given by name, several at once."""
    changed = CHAIN.replace(duration=60, warmup=10)
    assert (changed.duration, changed.warmup) == (60.0, 10.0)
    # In one step there and back, though either order of single steps is refused one way.
    assert changed.replace(duration=CHAIN.duration, warmup=CHAIN.warmup) == CHAIN


def test_the_broker_and_its_policy() -> None:
    """The broker's default policy is a part like any other."""
    changed = PUBSUB.replace("broker.delivery.retry.max_attempts", 9)
    assert changed.broker is not None
    assert changed.broker.delivery.retry.max_attempts == 9
    assert PUBSUB.replace("broker", Broker()).broker == Broker()


def test_a_list_of_steps_for_a_handler() -> None:
    """A handler can be replaced by a list of steps, as it could be written so."""
    steps = [Work(Exponential(1), "w")]
    changed = PUBSUB.replace("email.OrderPlaced", steps)
    assert changed.service("email").handlers["OrderPlaced"] == Handler(steps)


def test_names_with_dots_go_in_brackets() -> None:
    """A name that contains a dot or a space is written in brackets."""
    scenario = Scenario(
        "dots",
        traffic=[Traffic(Call("Do it. Now"), Poisson(1), name="web.eu")],
        services=[Service("a.b", on={"Do it. Now": []})],
    )
    assert scenario.replace("services[a.b].workers", 3).services[0].workers == 3
    assert scenario.replace("[a.b].workers", 3).services[0].workers == 3
    assert scenario.replace("[web.eu].arrivals.rate", 3).traffic[0].arrivals == Poisson(3)


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("payment.workers", 0, "Service('payment').workers must be >= 1, got 0"),
        (
            "paiment.workers",
            8,
            "path 'paiment.workers' names nothing at 'paiment': did you mean 'payment'?",
        ),
        (
            "payment.wrkers",
            8,
            "path 'payment.wrkers' names nothing at 'wrkers': did you mean 'workers'?",
        ),
        (
            "payment.ProcessPayment.charge.transient",
            0,
            "path 'payment.ProcessPayment.charge.transient' names nothing at 'charge': "
            "did you mean 'charge card'?",
        ),
        (
            "services[9].workers",
            8,
            "path 'services[9].workers' names nothing at '9': known: 0, 1, 2, 3, 4, analytics, "
            "email, inventory, orders, payment",
        ),
        ("", 8, "path must name a setting, got '': write e.g. 'payment.workers'"),
        (
            "duration.mean",
            8,
            "'duration.mean' leads into 1800.0, which has no parts: end it before 'mean'",
        ),
        (
            "broker.deliver",
            Constant(1),
            "'broker.deliver' leads into None, which has no parts: end it before 'deliver'",
        ),
        (
            "faults[0].service",
            "paiment",
            "Scenario('synchronous chain'): faults[0].service must name a service, "
            "got 'paiment': did you mean 'payment'?",
        ),
    ],
)
def test_a_change_that_cannot_be_right(path: str, value: Any, line: str) -> None:
    """A path that leads nowhere and a value that cannot be right are refused, with the remedy."""
    with pytest.raises(InvalidInput) as caught:
        CHAIN.replace(path, value)
    assert str(caught.value) == line


def test_a_label_that_is_there_twice() -> None:
    """Where a name means several parts, none is changed by guessing."""
    with pytest.raises(InvalidInput, match=r"names 2 parts at 'twice': give a position, 0 or 3$"):
        LABELLED.replace("doer.Do.twice.duration.value", 9)
    assert LABELLED.replace("doer.Do[3].duration.value", 9) != LABELLED


def test_a_setting_that_is_not_there() -> None:
    """A misspelt setting given by name is refused like a path."""
    with pytest.raises(InvalidInput, match=r"names nothing at 'duratoin': did you mean 'duration'"):
        CHAIN.replace(duratoin=60)


def test_a_retry_where_there_was_none() -> None:
    """None can be replaced by a whole description, and the other way round."""
    path = "orders.PlaceOrder.ProcessPayment.retry"
    changed = CHAIN.replace(path, Retry(max_attempts=2))
    assert changed.replace(path, None) == CHAIN
    assert changed != CHAIN
