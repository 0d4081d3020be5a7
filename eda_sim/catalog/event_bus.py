"""An event bus: a publish API, a router, topics, subscribers, a dead-letter queue.

Applications hand every event to one service, ``bus``, which validates it and routes
it by its kind to one of three topics; a subscriber hears the topics that it handles
and no others (topic filtering). The broker keeps each delivery until it is
acknowledged, tries a failed one again, and keeps what it gives up as a dead letter.

``email`` subscribes to user events, ``inventory`` to order events, ``notification`` to
payment events, ``audit`` to all. At 34 events a second, a failure in five attempts and
three attempts at most, audit is offered 34/s × 1.24 attempts × 21 ms (handling, and the
way of the acknowledgement) = 0.89 erlang for 4 workers, the others less.
"""

from collections.abc import Sequence
from typing import Final

from eda_sim.catalog.latency import latency
from eda_sim.catalog.warmup import warmup_of
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import Fault
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Branch, Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from eda_sim.units import minute, ms

_USER, _ORDER, _PAYMENT = "UserChanged", "OrderChanged", "PaymentChanged"
_SUBSCRIPTIONS = {
    "email": (_USER,),
    "inventory": (_ORDER,),
    "notification": (_PAYMENT,),
    "audit": (_USER, _ORDER, _PAYMENT),
}

_WARMUP: Final = 1 * minute


def event_bus(
    *,
    user_rate: float = 20.0,
    order_rate: float = 10.0,
    payment_rate: float = 4.0,
    bus_workers: int = 8,
    subscriber_workers: int = 4,
    validate_mean: float = 2 * ms,
    handle_mean: float = 20 * ms,
    transient: float = 0.2,
    permanent: float = 0.0,
    retry: Retry = Retry(max_attempts=3),
    network_mean: float = 1 * ms,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    turnaround_mean: float = 1 * ms,
    faults: Sequence[Fault] = (),
    duration: float = 10 * minute,
    warmup: float | None = None,
) -> Scenario:
    """Events enter through one API, are routed to topics, and are delivered at least once.

    Args:
        user_rate: user events, 1/second (Poisson, as all events together are).
        order_rate: order events, 1/second.
        payment_rate: payment events, 1/second.
        bus_workers: threads of ``bus``, each held until the broker has accepted.
        subscriber_workers: threads of each subscriber.
        validate_mean: mean time to validate an event, seconds (exponential).
        handle_mean: mean time of one attempt at handling it, seconds (exponential).
        transient: probability that an attempt fails and may be tried again.
        permanent: probability that a subscriber can never handle an event.
        retry: when each delivery is tried again, and how often before it is given up; by
            default after 1 and 2 s.
        network_mean: mean latency of each way of a call, seconds (exponential).
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to each subscriber, seconds (exponential).
        turnaround_mean: mean time until an acknowledgement is back, seconds (exponential).
        faults: what goes wrong, such as ``[Outage("audit", at=200, lasts=60)]``.
        duration: events come this long, seconds.
        warmup: statistics leave out what was published earlier, seconds; None for a minute, or
            a tenth of ``duration`` where that is less.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import event_bus
        >>> [list(event_bus().service(name).handlers) for name in ("email", "inventory")]
        [['UserChanged'], ['OrderChanged']]
    """
    total = user_rate + order_rate + payment_rate
    not_user = order_rate + payment_rate
    route = Branch(
        user_rate / total,
        then=[Publish(_USER)],
        otherwise=[
            Branch(
                order_rate / not_user if not_user else 1.0,
                then=[Publish(_ORDER)],
                otherwise=[Publish(_PAYMENT)],
                label="is it about an order",
            )
        ],
        label="is it about a user",
    )
    validate = Work(Exponential(validate_mean), "validate")
    handle = Work(Exponential(handle_mean), "handle", transient=transient, permanent=permanent)
    return Scenario(
        "event bus",
        traffic=[Traffic(Call("AcceptEvent"), Poisson(total), name="applications")],
        services=[
            Service("bus", workers=bus_workers, on={"AcceptEvent": [validate, route]}),
            *(
                Service(name, workers=subscriber_workers, on={t: [handle] for t in topics})
                for name, topics in _SUBSCRIPTIONS.items()
            ),
        ],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            turnaround=latency(turnaround_mean),
            delivery=DeliveryPolicy(retry=retry),
        ),
        network=latency(network_mean),
        faults=faults,
        duration=duration,
        warmup=warmup_of(warmup, _WARMUP, duration),
    )
