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

from collections.abc import Mapping
from typing import Any

from eda_sim.catalog.latency import latency
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic, UniformKeys
from eda_sim.units import minute, ms

EVENTS = ("UserRegistered", "OrderPlaced", "PaymentProcessed")


def event_flow(
    *,
    user_rate: float = 5.0,
    order_rate: float = 20.0,
    payment_rate: float = 18.0,
    customers: int = 1000,
    producer_workers: int = 4,
    email_workers: int = 2,
    inventory_workers: int = 2,
    analytics_workers: int = 2,
    notification_workers: int = 2,
    accept_mean: float = 5 * ms,
    email_mean: float = 50 * ms,
    inventory_mean: float = 30 * ms,
    analytics_mean: float = 10 * ms,
    notification_mean: float = 20 * ms,
    network_mean: float = 1 * ms,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    max_attempts: int = 4,
    backoff_base: float = 1.0,
    backoff_factor: float = 2.0,
    duration: float = 10 * minute,
    warmup: float = 1 * minute,
) -> Scenario:
    """Users, orders and payments are announced; email, inventory, analytics and others listen.

    Args:
        user_rate: users who register, 1/second (Poisson).
        order_rate: orders placed, 1/second (Poisson).
        payment_rate: payments processed, 1/second (Poisson).
        customers: how many customers orders and payments are about, equally often each.
        producer_workers: threads of each of ``users``, ``orders`` and ``payment``.
        email_workers: threads of ``email``.
        inventory_workers: threads of ``inventory``.
        analytics_workers: threads of ``analytics``.
        notification_workers: threads of ``notification``.
        accept_mean: mean time to accept what a client asks for, seconds (exponential).
        email_mean: mean time to send a welcome mail, seconds (exponential).
        inventory_mean: mean time to reserve items, seconds (exponential).
        analytics_mean: mean time to record an event, seconds (exponential).
        notification_mean: mean time to confirm a payment, seconds (exponential).
        network_mean: mean latency of each way of a client's call, seconds (exponential).
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to each subscriber, seconds (exponential).
        max_attempts: tries at each delivery, the first included; then it is a dead letter.
        backoff_base: wait after the first failed try, seconds.
        backoff_factor: how many times longer each further wait is.
        duration: clients come this long, seconds.
        warmup: statistics leave out what started earlier, seconds.

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
                      Publish("UserRegistered", {"plan": "free"}, version=2)),
            _producer("orders", producer_workers, "PlaceOrder", Work(accept, "accept order"),
                      Publish("OrderPlaced", placed)),
            _producer("payment", producer_workers, "ProcessPayment", Work(accept, "charge card"),
                      Publish("PaymentProcessed", {"currency": "EUR", "method": "card"})),
            _subscriber("email", email_workers, {
                "UserRegistered": [Work(Exponential(email_mean), "send welcome mail")]}),
            _subscriber("inventory", inventory_workers, {
                "OrderPlaced": [Work(Exponential(inventory_mean), "reserve items")]}),
            _subscriber("analytics", analytics_workers, dict.fromkeys(EVENTS, record)),
            _subscriber("notification", notification_workers, {
                "PaymentProcessed": [Work(Exponential(notification_mean), "confirm payment")]}),
        ],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            delivery=DeliveryPolicy(Retry(max_attempts, Backoff(backoff_base, factor=backoff_factor))),
        ),
        network=latency(network_mean),
        duration=duration,
        warmup=warmup,
    )  # fmt: skip


def _asking(command: str, rate: float, customers: int, name: str) -> Traffic:
    return Traffic(Call(command), Poisson(rate), UniformKeys(customers), name)


def _producer(name: str, workers: int, command: str, work: Work, event: Publish) -> Service:
    return Service(name, workers=workers, on={command: [work, event]})


def _subscriber(name: str, workers: int, on: Mapping[str, Any]) -> Service:
    return Service(name, workers=workers, on=on)
