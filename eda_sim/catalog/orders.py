"""The same shop twice: a chain of calls, and one published event.

An order is accepted, the card charged, the items reserved, the mail sent and
the sale recorded. In the chain, orders calls the four others one after the
other while the customer waits; with publish/subscribe it announces
``OrderPlaced``, answers, and they go about their work. Services, work and its
labels, the customers, and therefore every order's luck are the same, so that
what differs is the architecture alone.

By default nobody is short of workers. At 40 orders a second payment is offered
40/s × 60 ms = 2.4 erlang for 4 workers, email 2.0 and inventory 1.2 for 4,
analytics 0.4 for 2. In the chain each order also holds a worker of orders all
the while: about 40/s × 0.2 s = 8 erlang for 32.
"""

from collections.abc import Sequence
from typing import Final

from eda_sim.catalog.latency import latency
from eda_sim.catalog.warmup import warmup_of
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import CircuitBreaker, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential, LogNormal
from eda_sim.scenario.faults import Fault
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from eda_sim.units import minute, ms

_COMMANDS = ("ProcessPayment", "ReserveItems", "SendConfirmation", "RecordSale")
_EVENT = "OrderPlaced"

# Who handles the commands after the first, or the event beside payment: service and work.
_OTHERS: Final = (
    ("inventory", "reserve items"),
    ("email", "send mail"),
    ("analytics", "record sale"),
)

_WARMUP: Final = 2 * minute


def order_chain(
    *,
    rate: float = 40.0,
    order_workers: int = 32,
    payment_workers: int = 4,
    inventory_workers: int = 4,
    email_workers: int = 4,
    analytics_workers: int = 2,
    order_mean: float = 5 * ms,
    payment_mean: float = 60 * ms,
    payment_cv: float = 1.0,
    inventory_mean: float = 30 * ms,
    email_mean: float = 50 * ms,
    analytics_mean: float = 10 * ms,
    payment_transient: float = 0.01,
    payment_permanent: float = 0.0,
    network_mean: float = 1 * ms,
    timeout: float | None = 2.0,
    retry: Retry | None = None,
    breaker: CircuitBreaker | None = None,
    faults: Sequence[Fault] = (),
    duration: float = 30 * minute,
    warmup: float | None = None,
) -> Scenario:
    """Orders through a synchronous chain: the customer waits for all of it.

    ``orders`` calls payment, inventory, email and analytics one after the other; the
    first call that fails in the end fails the order, and what was done stays done.

    Args:
        rate: orders placed, 1/second (Poisson).
        order_workers: threads of ``orders``, each held while its order is under way.
        payment_workers: threads of ``payment``.
        inventory_workers: threads of ``inventory``.
        email_workers: threads of ``email``.
        analytics_workers: threads of ``analytics``.
        order_mean: mean time to accept an order, seconds (exponential).
        payment_mean: mean time to charge a card, seconds (log-normal).
        payment_cv: coefficient of variation of that time.
        inventory_mean: mean time to reserve items, seconds (exponential).
        email_mean: mean time to send the mail, seconds (exponential).
        analytics_mean: mean time to record the sale, seconds (exponential).
        payment_transient: probability that one try at charging fails.
        payment_permanent: probability that a card can never be charged.
        network_mean: mean latency of each way of a call, seconds (exponential).
        timeout: how long ``orders`` waits for each of its calls, seconds; None for ever.
        retry: when each of its calls is tried again; None for never.
        breaker: the circuit breaker that each of its calls has; None for none.
        faults: what goes wrong, such as ``[Outage("payment", at=600, lasts=60)]``.
        duration: orders arrive this long, seconds.
        warmup: statistics leave out orders that started earlier, seconds; None for 2 minutes,
            or a tenth of ``duration`` where that is less.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import Outage, Retry, order_chain
        >>> chain = order_chain(
        ...     retry=Retry(max_attempts=3), faults=[Outage("email", at=9, lasts=1)]
        ... )
        >>> chain.faults
        (Outage('email', at=9.0, lasts=1.0),)
        >>> chain.service("orders").handlers["PlaceOrder"].steps[1]
        Call('ProcessPayment', timeout=2.0, retry=Retry(max_attempts=3))
    """
    calls = [Call(name, timeout=timeout, retry=retry, breaker=breaker) for name in _COMMANDS]
    return Scenario(
        "synchronous chain",
        traffic=[_customers(rate)],
        services=[
            _orders(order_workers, order_mean, calls),
            *_departments(
                _COMMANDS,
                (payment_workers, inventory_workers, email_workers, analytics_workers),
                _charge_card(payment_mean, payment_cv, payment_transient, payment_permanent),
                (inventory_mean, email_mean, analytics_mean),
            ),
        ],
        network=latency(network_mean),
        faults=faults,
        duration=duration,
        warmup=warmup_of(warmup, _WARMUP, duration),
    )


def order_pubsub(
    *,
    rate: float = 40.0,
    order_workers: int = 32,
    payment_workers: int = 4,
    inventory_workers: int = 4,
    email_workers: int = 4,
    analytics_workers: int = 2,
    order_mean: float = 5 * ms,
    payment_mean: float = 60 * ms,
    payment_cv: float = 1.0,
    inventory_mean: float = 30 * ms,
    email_mean: float = 50 * ms,
    analytics_mean: float = 10 * ms,
    payment_transient: float = 0.01,
    payment_permanent: float = 0.0,
    network_mean: float = 1 * ms,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    retry: Retry = Retry(max_attempts=4),
    faults: Sequence[Fault] = (),
    duration: float = 30 * minute,
    warmup: float | None = None,
) -> Scenario:
    """Orders through publish/subscribe: the customer waits for ``orders`` alone.

    ``orders`` publishes ``OrderPlaced`` and answers; payment, inventory, email and
    analytics each handle it in their own time, and try again where they fail.

    Args:
        rate: orders placed, 1/second (Poisson).
        order_workers: threads of ``orders``, each held until the broker has accepted.
        payment_workers: threads of ``payment``.
        inventory_workers: threads of ``inventory``.
        email_workers: threads of ``email``.
        analytics_workers: threads of ``analytics``.
        order_mean: mean time to accept an order, seconds (exponential).
        payment_mean: mean time to charge a card, seconds (log-normal).
        payment_cv: coefficient of variation of that time.
        inventory_mean: mean time to reserve items, seconds (exponential).
        email_mean: mean time to send the mail, seconds (exponential).
        analytics_mean: mean time to record the sale, seconds (exponential).
        payment_transient: probability that one try at charging fails.
        payment_permanent: probability that a card can never be charged.
        network_mean: mean latency of each way of the customer's call, seconds (exponential).
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to each subscriber, seconds (exponential).
        retry: when each delivery is tried again, and how often before it is a dead letter; by
            default after 1, 2 and 4 s.
        faults: what goes wrong, such as ``[Outage("payment", at=600, lasts=60)]``.
        duration: orders arrive this long, seconds.
        warmup: statistics leave out orders that started earlier, seconds; None for 2 minutes,
            or a tenth of ``duration`` where that is less.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import Retry, order_pubsub
        >>> pubsub = order_pubsub(payment_workers=8, retry=Retry(max_attempts=2))
        >>> pubsub.service("payment").workers, pubsub.broker.delivery
        (8, DeliveryPolicy(retry=Retry(max_attempts=2)))
    """
    return Scenario(
        "publish/subscribe",
        traffic=[_customers(rate)],
        services=[
            _orders(order_workers, order_mean, [Publish(_EVENT)]),
            *_departments(
                [_EVENT] * len(_COMMANDS),
                (payment_workers, inventory_workers, email_workers, analytics_workers),
                _charge_card(payment_mean, payment_cv, payment_transient, payment_permanent),
                (inventory_mean, email_mean, analytics_mean),
            ),
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
    )


# -- what both have in common --------------------------------------------------


def _customers(rate: float) -> Traffic:
    return Traffic(Call("PlaceOrder"), Poisson(rate), name="customers")


def _orders(workers: int, mean: float, then: Sequence[AnyStep]) -> Service:
    accept = Work(Exponential(mean), "accept order")
    return Service("orders", workers=workers, on={"PlaceOrder": [accept, *then]})


def _charge_card(mean: float, cv: float, transient: float, permanent: float) -> Work:
    return Work(LogNormal(mean, cv=cv), "charge card", transient=transient, permanent=permanent)


def _departments(
    messages: Sequence[str], workers: Sequence[int], charge_card: Work, means: Sequence[float]
) -> list[Service]:
    others = [
        (name, Work(Exponential(mean), label))
        for (name, label), mean in zip(_OTHERS, means, strict=True)
    ]
    departments = [("payment", charge_card), *others]
    return [
        Service(name, workers=threads, on={message: [work]})
        for (name, work), message, threads in zip(departments, messages, workers, strict=True)
    ]
