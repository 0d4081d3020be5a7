"""A consumer group on one topic: what order costs, and what a broker does with too much.

A shop sells products. ``shop`` publishes each sale as ``ItemSold``, with the product as
its key, and answers as soon as the broker has accepted. The consumer group ``stock``,
several instances with several workers each, books the sales. Nothing else happens, so
that all that is seen is the broker's doing: how the topic is shared out, kept in order,
pushed and bounded.

Two ends of one scale:

- *unordered*, the group is one queue with ``instances × workers`` servers, M/M/c for
  exponential work: sales leave ``shop`` as a Poisson process (P. Burke, "The Output of a
  Queuing System", Operations Research 4, 1956);
- *ordered*, with a worker free for each partition, every partition is a queue of its
  own with one server, M/M/1: independent thinning of a Poisson process by key gives
  Poisson processes (J. Kingman, *Poisson Processes*, 1993, section 5.1). Its load is
  ``rate × share of its keys × work_mean``, whoever else is idle.

By default 200/s × 25 ms = 5 erlang come for 8 workers, 0.625 erlang for each of 8 partitions.
"""

from typing import Literal

from eda_sim.catalog.latency import latency
from eda_sim.scenario.broker import Broker, Topic
from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Constant, Exponential, Gamma
from eda_sim.scenario.faults import Fault, Outage
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic, UniformKeys, ZipfKeys
from eda_sim.units import minute, ms

_GROUP, _EVENT = "stock", "ItemSold"


def consumer_group(
    *,
    rate: float = 200.0,
    products: int = 1000,
    skew: float = 0.0,
    shop_workers: int = 32,
    instances: int = 4,
    workers: int = 2,
    ordered: bool = True,
    partitions: int = 8,
    rebalance: float = 3.0,
    prefetch: int | None = None,
    capacity: int | None = None,
    when_full: Literal["wait", "drop"] = "wait",
    work_mean: float = 25 * ms,
    work_cv: float = 1.0,
    transient: float = 0.0,
    permanent: float = 0.0,
    max_attempts: int = 4,
    backoff_base: float = 1.0,
    backoff_factor: float = 2.0,
    retry_topic: bool = False,
    outage_at: float | None = None,
    outage_lasts: float = 60.0,
    outage_instances: int | None = 1,
    network_mean: float = 1 * ms,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    turnaround_mean: float = 0.0,
    patience: float | None = None,
    duration: float = 2 * minute,
    warmup: float = 10.0,
) -> Scenario:
    """Sales are published to one topic, and a group of consumers books them.

    Args:
        rate: sales, 1/second (Poisson).
        products: how many products there are; a sale's product is its key.
        skew: exponent of Zipf's law: the k-th best seller is sold ``1 / k**skew`` times as
            often as the first. 0: all equally often.
        shop_workers: threads of ``shop``, each held until the broker has accepted.
        instances: copies of ``stock``, the members of the group.
        workers: threads of each copy.
        ordered: whether the sales of a product are booked in order; else a free worker takes
            the next sale, whichever it is.
        partitions: how many partitions the topic has, if it is ordered.
        rebalance: how long partitions stand still when a copy dies or joins, seconds.
        prefetch: how many unacknowledged sales a copy may hold, if it is not ordered; None: a
            free worker takes the next from the broker.
        capacity: how many sales the broker holds at most, accepted and not yet ended; None for
            any number.
        when_full: whether the shop must ``wait`` for room, or the broker ``drop``s the sale.
        work_mean: mean time to book a sale, seconds.
        work_cv: coefficient of variation of that time (gamma; 1 is exponential, 0 constant).
        transient: probability that an attempt at booking fails and may be tried again.
        permanent: probability that a sale can never be booked.
        max_attempts: tries at each sale, the first included; then it is a dead letter.
        backoff_base: wait after the first failed try, seconds.
        backoff_factor: how many times longer each further wait is.
        retry_topic: whether a sale that failed is tried again beside the order, if there is one.
        outage_at: when copies of ``stock`` go down, seconds; None for never.
        outage_lasts: how long they stay down, seconds.
        outage_instances: how many go down; None for all.
        network_mean: mean latency of each way of the customer's call, seconds (exponential).
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to the group, seconds (exponential).
        turnaround_mean: mean time until an acknowledgement is back, seconds (exponential).
        patience: how long a customer waits for the answer, seconds; None for ever.
        duration: customers come this long, seconds.
        warmup: statistics leave out what started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import consumer_group
        >>> group = consumer_group(partitions=16, skew=1.1)
        >>> group.broker.partitions, group.broker.delivery.ordered, group.traffic[0].keys
        (16, True, ZipfKeys(1000, s=1.1))
    """
    faults: list[Fault] = []
    if outage_at is not None:
        faults.append(Outage(_GROUP, outage_at, outage_lasts, outage_instances))
    book = Work(_time(work_mean, work_cv), "book sale", transient, permanent)
    return Scenario(
        f"{'ordered' if ordered else 'unordered'} consumer group",
        traffic=[
            Traffic(
                Call("SellItem", timeout=patience),
                Poisson(rate),
                UniformKeys(products) if skew == 0 else ZipfKeys(products, skew),
                name="customers",
            )
        ],
        services=[
            Service("shop", workers=shop_workers, on={"SellItem": [Publish(_EVENT)]}),
            Service(_GROUP, instances=instances, workers=workers, on={_EVENT: [book]}),
        ],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            turnaround=latency(turnaround_mean),
            delivery=DeliveryPolicy(
                Retry(max_attempts, Backoff(backoff_base, factor=backoff_factor)),
                ordered=ordered,
                retry_topic=retry_topic,
                prefetch=prefetch,
            ),
            partitions=partitions,
            rebalance=rebalance,
            topics={_EVENT: Topic(capacity=capacity, when_full=when_full)},
        ),
        network=latency(network_mean),
        faults=faults,
        duration=duration,
        warmup=warmup,
    )


def _time(mean: float, cv: float) -> Constant | Exponential | Gamma:
    """Return a gamma time, in the plain form that it has for the cv 0 and 1."""
    if cv == 0:
        return Constant(mean)
    return Exponential(mean) if cv == 1 else Gamma(mean, cv)
