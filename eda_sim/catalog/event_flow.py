"""A small company that talks in events: three services tell, four listen.

``users``, ``orders`` and ``payment`` each do what a client asks and publish what
happened; none of them knows who is interested. ``email`` welcomes new users,
``inventory`` reserves what was ordered, ``notification`` confirms payments, and
``analytics`` hears everything. Commands are imperative and reach one service;
events are in the past tense and reach every subscriber, be it none.

By default the listeners have room to spare: email is offered 5/s × 50 ms = 0.25
erlang for 2 workers, inventory 20/s × 30 ms = 0.6 for 2, notification 18/s × 20 ms
= 0.36 for 2, and analytics 43/s × 10 ms = 0.43 for 2.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eda_sim.catalog.latency import latency
from eda_sim.catalog.warmup import warmup_of
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import Fault
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic, UniformKeys
from eda_sim.units import minute, ms

EVENTS = ("UserRegistered", "OrderPlaced", "PaymentProcessed")

_WARMUP: Final = 1 * minute


def event_flow(
    *,
    user_rate: float = 5.0,
    order_rate: float = 20.0,
    payment_rate: float = 18.0,
    customers: int = 1000,
    producer_workers: int = 4,
    subscriber_workers: int = 2,
    accept_mean: float = 5 * ms,
    email_mean: float = 50 * ms,
    inventory_mean: float = 30 * ms,
    analytics_mean: float = 10 * ms,
    notification_mean: float = 20 * ms,
    network_mean: float = 1 * ms,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    retry: Retry = Retry(max_attempts=4),
    faults: Sequence[Fault] = (),
    duration: float = 10 * minute,
    warmup: float | None = None,
) -> Scenario:
    """Users, orders and payments are announced; email, inventory, analytics and others listen.

    Args:
        user_rate: users who register, 1/second (Poisson).
        order_rate: orders placed, 1/second (Poisson).
        payment_rate: payments processed, 1/second (Poisson).
        customers: how many customers orders and payments are about, equally often each.
        producer_workers: threads of each of ``users``, ``orders`` and ``payment``.
        subscriber_workers: threads of each of ``email``, ``inventory``, ``analytics`` and
            ``notification``.
        accept_mean: mean time to accept what a client asks for, seconds (exponential).
        email_mean: mean time to send a welcome mail, seconds (exponential).
        inventory_mean: mean time to reserve items, seconds (exponential).
        analytics_mean: mean time to record an event, seconds (exponential).
        notification_mean: mean time to confirm a payment, seconds (exponential).
        network_mean: mean latency of each way of a client's call, seconds (exponential).
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to each subscriber, seconds (exponential).
        retry: when each delivery is tried again, and how often before it is a dead letter; by
            default after 1, 2 and 4 s.
        faults: what goes wrong, such as ``[Outage("email", at=200, lasts=60)]``.
        duration: clients come this long, seconds.
        warmup: statistics leave out what started earlier, seconds; None for a minute, or a
            tenth of ``duration`` where that is less.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import event_flow
        >>> list(event_flow().service("analytics").handlers)
        ['UserRegistered', 'OrderPlaced', 'PaymentProcessed']
    """
    accept = Exponential(accept_mean)
    record = [Work(Exponential(analytics_mean), "record event")]
    placed = {"currency": "EUR", "lines": [{"sku": "tea", "quantity": 2}]}
    return Scenario(
        "event flow",
        traffic=[
            Traffic(Call("RegisterUser"), Poisson(user_rate), name="visitors"),
            _asking("PlaceOrder", order_rate, customers, "shoppers"),
            _asking("ProcessPayment", payment_rate, customers, "payers"),
        ],
        services=[
            _producer("users", producer_workers, "RegisterUser", Work(accept, "create account"),
                      Publish("UserRegistered", data={"plan": "free"}, version=2)),
            _producer("orders", producer_workers, "PlaceOrder", Work(accept, "accept order"),
                      Publish("OrderPlaced", data=placed)),
            _producer("payment", producer_workers, "ProcessPayment", Work(accept, "charge card"),
                      Publish("PaymentProcessed", data={"currency": "EUR", "method": "card"})),
            _subscriber("email", subscriber_workers, {
                "UserRegistered": [Work(Exponential(email_mean), "send welcome mail")]}),
            _subscriber("inventory", subscriber_workers, {
                "OrderPlaced": [Work(Exponential(inventory_mean), "reserve items")]}),
            _subscriber("analytics", subscriber_workers, dict.fromkeys(EVENTS, record)),
            _subscriber("notification", subscriber_workers, {
                "PaymentProcessed": [Work(Exponential(notification_mean), "confirm payment")]}),
        ],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            delivery=DeliveryPolicy(retry=retry),
        ),
        network=latency(network_mean),
        faults=faults,
        duration=duration,
        warmup=warmup_of(warmup, _WARMUP, duration),
    )  # fmt: skip


def _asking(command: str, rate: float, customers: int, name: str) -> Traffic:
    return Traffic(Call(command), Poisson(rate), keys=UniformKeys(customers), name=name)


def _producer(name: str, workers: int, command: str, work: Work, event: Publish) -> Service:
    return Service(name, workers=workers, on={command: [work, event]})


def _subscriber(name: str, workers: int, on: Mapping[str, Any]) -> Service:
    return Service(name, workers=workers, on=on)
