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

from collections.abc import Sequence
from typing import Final

from eda_sim.catalog.latency import latency
from eda_sim.catalog.warmup import warmup_of
from eda_sim.scenario.broker import Broker, Topic
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.distributions import Constant, Exponential, Gamma
from eda_sim.scenario.faults import Fault
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic, UniformKeys, ZipfKeys
from eda_sim.units import minute, ms

_GROUP, _EVENT = "stock", "ItemSold"

_WARMUP: Final = 10.0


def consumer_group(
    *,
    rate: float = 200.0,
    products: int = 1000,
    skew: float = 0.0,
    instances: int = 4,
    workers: int = 2,
    partitions: int = 8,
    rebalance: float = 3.0,
    delivery: DeliveryPolicy = DeliveryPolicy(ordered=True),
    topic: Topic = Topic(),
    work_mean: float = 25 * ms,
    work_cv: float = 1.0,
    transient: float = 0.0,
    permanent: float = 0.0,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    faults: Sequence[Fault] = (),
    duration: float = 2 * minute,
    warmup: float | None = None,
) -> Scenario:
    """Sales are published to one topic, and a group of consumers books them.

    Args:
        rate: sales, 1/second (Poisson).
        products: how many products there are; a sale's product is its key.
        skew: exponent of Zipf's law: the k-th best seller is sold ``1 / k**skew`` times as
            often as the first. 0: all equally often.
        instances: copies of ``stock``, the members of the group.
        workers: threads of each copy.
        partitions: how many partitions the topic has, if it is ordered.
        rebalance: how long partitions stand still when a copy dies or joins, seconds.
        delivery: whether the sales of a product are booked in order (``ordered``), when a sale
            is tried again (``retry``, ``retry_topic``), how many a copy may hold (``prefetch``);
            by default in order, and again after 1, 2 and 4 s.
        topic: how many sales the broker holds at most (``capacity``), and whether the shop
            waits for room or the broker drops a sale (``when_full``).
        work_mean: mean time to book a sale, seconds.
        work_cv: coefficient of variation of that time (gamma; 1 is exponential, 0 constant).
        transient: probability that an attempt at booking fails and may be tried again.
        permanent: probability that a sale can never be booked.
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to the group, seconds (exponential).
        faults: what goes wrong, such as ``[Outage("stock", at=20, lasts=60, instances=1)]``.
        duration: customers come this long, seconds.
        warmup: statistics leave out what started earlier, seconds; None for 10 s, or a tenth
            of ``duration`` where that is less.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import consumer_group
        >>> group = consumer_group(partitions=16, skew=1.1)
        >>> group.broker.partitions, group.broker.delivery.ordered, group.traffic[0].keys
        (16, True, ZipfKeys(1000, s=1.1))
    """
    time = _time(work_mean, work_cv)
    book = Work(time, "book sale", transient=transient, permanent=permanent)
    return Scenario(
        f"{'ordered' if delivery.ordered else 'unordered'} consumer group",
        traffic=[
            Traffic(
                Call("SellItem"),
                Poisson(rate),
                keys=UniformKeys(products) if skew == 0 else ZipfKeys(products, s=skew),
                name="customers",
            )
        ],
        services=[
            Service("shop", workers=32, on={"SellItem": [Publish(_EVENT)]}),
            Service(_GROUP, instances=instances, workers=workers, on={_EVENT: [book]}),
        ],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            delivery=delivery,
            partitions=partitions,
            rebalance=rebalance,
            topics={_EVENT: topic},
        ),
        network=Exponential(1 * ms),
        faults=faults,
        duration=duration,
        warmup=warmup_of(warmup, _WARMUP, duration),
    )


def _time(mean: float, cv: float) -> Constant | Exponential | Gamma:
    """Return a gamma time, in the plain form that it has for the cv 0 and 1."""
    if cv == 0:
        return Constant(mean)
    return Exponential(mean) if cv == 1 else Gamma(mean, cv=cv)
