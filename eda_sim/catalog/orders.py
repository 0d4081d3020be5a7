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

from eda_sim.catalog.latency import latency
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, CircuitBreaker, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential, LogNormal
from eda_sim.scenario.faults import Fault, Outage, Slowdown
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from eda_sim.units import minute, ms

_DEPARTMENTS = ("payment", "inventory", "email", "analytics")
_COMMANDS = ("ProcessPayment", "ReserveItems", "SendConfirmation", "RecordSale")
_EVENT = "OrderPlaced"


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
    outage_at: float | None = None,
    outage_lasts: float = 60.0,
    outage_of: str = "payment",
    slowdown_at: float | None = None,
    slowdown_lasts: float = 60.0,
    slowdown_factor: float = 10.0,
    slowdown_of: str = "payment",
    network_mean: float = 1 * ms,
    patience: float | None = None,
    timeout: float | None = 2.0,
    call_attempts: int = 1,
    backoff_base: float = 1.0,
    backoff_factor: float = 2.0,
    breaker_failures: int | None = None,
    breaker_window: float = 10.0,
    breaker_open_for: float = 30.0,
    duration: float = 30 * minute,
    warmup: float = 2 * minute,
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
        outage_at: when ``outage_of`` goes down, seconds; None for no outage.
        outage_lasts: how long it stays down, seconds.
        outage_of: the service that goes down.
        slowdown_at: when ``slowdown_of`` becomes slow, seconds; None for never.
        slowdown_lasts: how long it stays slow, seconds.
        slowdown_factor: how many times longer its work then takes.
        slowdown_of: the service that becomes slow.
        network_mean: mean latency of each way of a call, seconds (exponential).
        patience: how long a customer waits for the answer, seconds; None for ever.
        timeout: how long ``orders`` waits for each of its calls, seconds; None for ever.
        call_attempts: tries at each call, the first included.
        backoff_base: wait after the first failed try, seconds.
        backoff_factor: how many times longer each further wait is.
        breaker_failures: failed calls that open a call's circuit breaker; None for no breaker.
        breaker_window: within how long they must fall, seconds.
        breaker_open_for: how long the breaker stays open, seconds.
        duration: orders arrive this long, seconds.
        warmup: statistics leave out orders that started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import order_chain
        >>> chain = order_chain(payment_workers=8, outage_at=300)
        >>> chain.service("payment").workers, chain.faults
        (8, (Outage('payment', at=300.0, lasts=60.0),))
    """
    retry = None
    if call_attempts != 1:
        retry = Retry(call_attempts, Backoff(backoff_base, factor=backoff_factor))
    breaker = None
    if breaker_failures is not None:
        breaker = CircuitBreaker(breaker_failures, breaker_window, breaker_open_for)
    return Scenario(
        "synchronous chain",
        traffic=[_customers(rate, patience)],
        services=[
            _orders(
                order_workers,
                order_mean,
                [Call(command, timeout, retry, breaker) for command in _COMMANDS],
            ),
            *_departments(
                _COMMANDS,
                (payment_workers, inventory_workers, email_workers, analytics_workers),
                (
                    _charge_card(payment_mean, payment_cv, payment_transient, payment_permanent),
                    *_the_rest(inventory_mean, email_mean, analytics_mean),
                ),
            ),
        ],
        network=latency(network_mean),
        faults=[
            *_outage(outage_of, outage_at, outage_lasts),
            *_slowdown(slowdown_of, slowdown_factor, slowdown_at, slowdown_lasts),
        ],
        duration=duration,
        warmup=warmup,
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
    outage_at: float | None = None,
    outage_lasts: float = 60.0,
    outage_of: str = "payment",
    slowdown_at: float | None = None,
    slowdown_lasts: float = 60.0,
    slowdown_factor: float = 10.0,
    slowdown_of: str = "payment",
    network_mean: float = 1 * ms,
    patience: float | None = None,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    turnaround_mean: float = 0.0,
    max_attempts: int = 4,
    backoff_base: float = 1.0,
    backoff_factor: float = 2.0,
    duration: float = 30 * minute,
    warmup: float = 2 * minute,
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
        outage_at: when ``outage_of`` goes down, seconds; None for no outage.
        outage_lasts: how long it stays down, seconds.
        outage_of: the service that goes down.
        slowdown_at: when ``slowdown_of`` becomes slow, seconds; None for never.
        slowdown_lasts: how long it stays slow, seconds.
        slowdown_factor: how many times longer its work then takes.
        slowdown_of: the service that becomes slow.
        network_mean: mean latency of each way of the customer's call, seconds (exponential).
        patience: how long a customer waits for the answer, seconds; None for ever.
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to each subscriber, seconds (exponential).
        turnaround_mean: mean time until an acknowledgement is back, seconds (exponential).
        max_attempts: tries at each delivery, the first included; then it is a dead letter.
        backoff_base: wait after the first failed try, seconds.
        backoff_factor: how many times longer each further wait is.
        duration: orders arrive this long, seconds.
        warmup: statistics leave out orders that started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import order_pubsub
        >>> pubsub = order_pubsub(payment_workers=8, max_attempts=2)
        >>> pubsub.broker.delivery.retry.max_attempts
        2
    """
    retry = Retry(max_attempts, Backoff(backoff_base, factor=backoff_factor))
    return Scenario(
        "publish/subscribe",
        traffic=[_customers(rate, patience)],
        services=[
            _orders(order_workers, order_mean, [Publish(_EVENT)]),
            *_departments(
                (_EVENT,) * len(_DEPARTMENTS),
                (payment_workers, inventory_workers, email_workers, analytics_workers),
                (
                    _charge_card(payment_mean, payment_cv, payment_transient, payment_permanent),
                    *_the_rest(inventory_mean, email_mean, analytics_mean),
                ),
            ),
        ],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            turnaround=latency(turnaround_mean),
            delivery=DeliveryPolicy(retry=retry),
        ),
        network=latency(network_mean),
        faults=[
            *_outage(outage_of, outage_at, outage_lasts),
            *_slowdown(slowdown_of, slowdown_factor, slowdown_at, slowdown_lasts),
        ],
        duration=duration,
        warmup=warmup,
    )


# -- what both have in common --------------------------------------------------


def _customers(rate: float, patience: float | None) -> Traffic:
    return Traffic(Call("PlaceOrder", timeout=patience), Poisson(rate), name="customers")


def _orders(workers: int, mean: float, then: Sequence[AnyStep]) -> Service:
    accept = Work(Exponential(mean), "accept order")
    return Service("orders", workers=workers, on={"PlaceOrder": [accept, *then]})


def _departments(
    messages: Sequence[str], workers: Sequence[int], works: Sequence[Work]
) -> list[Service]:
    parts = zip(_DEPARTMENTS, messages, workers, works, strict=True)
    return [
        Service(name, workers=count, on={message: [work]}) for name, message, count, work in parts
    ]


def _charge_card(mean: float, cv: float, transient: float, permanent: float) -> Work:
    return Work(LogNormal(mean, cv), "charge card", transient=transient, permanent=permanent)


def _the_rest(inventory: float, email: float, analytics: float) -> tuple[Work, ...]:
    return (
        Work(Exponential(inventory), "reserve items"),
        Work(Exponential(email), "send mail"),
        Work(Exponential(analytics), "record sale"),
    )


def _outage(service: str, at: float | None, lasts: float) -> list[Fault]:
    return [] if at is None else [Outage(service, at=at, lasts=lasts)]


def _slowdown(service: str, factor: float, at: float | None, lasts: float) -> list[Fault]:
    return [] if at is None else [Slowdown(service, factor, at=at, lasts=lasts)]
