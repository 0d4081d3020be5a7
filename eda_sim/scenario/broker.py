"""What stands between publishers and subscribers, and what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from typing import Annotated, Any, Literal

from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.description import Count, Name, PositiveSeconds, Seconds, description
from eda_sim.scenario.distributions import Constant, Distribution
from eda_sim.scenario.frozen import FrozenDict, freeze_mapping
from eda_sim.scenario.presets.kafka import KAFKA, kafka_fields
from eda_sim.scenario.presets.nats import NATS, nats_fields
from eda_sim.scenario.presets.rabbitmq import RABBITMQ, rabbitmq_fields
from eda_sim.scenario.presets.redis_streams import REDIS_STREAMS, redis_streams_fields
from eda_sim.scenario.presets.sqs import SQS, sqs_fields
from eda_sim.scenario.presets.table import documented

Settings = Mapping[str, Any]  # of a product, under its own names
_NO_TIME: Distribution = Constant(0.0)


@description
class Topic:
    """What one message name has of its own.

    Args:
        partitions: how many it has if it is ordered; None: as many as the broker says.
        capacity: how many messages the broker holds, accepted and not yet ended for every
            subscriber; None: without bound.
        when_full: what a full topic does: publishers ``wait``, their workers held, until there is
            room and a broker that they can reach, or it ``drop``s what they publish.
    """

    _: KW_ONLY
    partitions: Count | None = None
    capacity: Count | None = None
    when_full: Literal["wait", "drop"] = "wait"


@description
class Broker:
    """What stands between publishers and subscribers: its latencies and its default policy.

    Args:
        publish: how long a publisher waits until its message is accepted, in seconds.
        deliver: how long an accepted message travels to each subscriber, in seconds. It travels
            once: what is delivered again (a retry, after a crash, a redrive) is there already.
        turnaround: how long a worker stays occupied after handling, well or not, until its
            acknowledgement has come back, in seconds. Only then a retry's wait begins.
        delivery: the policy for every handler that has none of its own.
        partitions: how many an ordered topic has, unless ``topics`` says otherwise.
        rebalance: how long partitions stand still before they move when an instance dies or joins,
            in seconds.
        when_unreachable: what publishers do while the broker is down, cut off, or has not
            confirmed: ``wait`` until it has (their workers held), ``fail`` their attempt, or
            ``lose`` the message and go on.
        republish_after: seconds after which a publisher that waits publishes again.
        deduplicates: for how many seconds the broker knows the id of what it has accepted, so that
            what its publisher publishes again is not accepted again; ``session``: for as long as
            the publisher lives (the relay of an outbox that has died is another one); None: not
            at all.
        topics: what a topic has of its own, by message name.

    Example:
        >>> from eda_sim import DeliveryPolicy, Exponential, Retry, ms
        >>> broker = Broker(
        ...     deliver=Exponential(5 * ms), delivery=DeliveryPolicy(retry=Retry(max_attempts=2))
        ... )
        >>> broker.publish, broker.deliver
        (Constant(0.0), Exponential(0.005))
    """

    _: KW_ONLY
    publish: Distribution = Constant(0.0)
    deliver: Distribution = Constant(0.0)
    turnaround: Distribution = Constant(0.0)
    delivery: DeliveryPolicy = DeliveryPolicy()
    partitions: Count = 8
    rebalance: Seconds = 3.0
    when_unreachable: Literal["wait", "fail", "lose"] = "wait"
    republish_after: PositiveSeconds = 1.0
    deduplicates: PositiveSeconds | Literal["session"] | None = None
    topics: Annotated[Mapping[Name, Topic], freeze_mapping] = field(default_factory=FrozenDict)

    def partitions_of(self, name: str) -> int:
        """Return how many partitions the topic of a message name has."""
        topic = self.topics.get(name)
        return self.partitions if topic is None or topic.partitions is None else topic.partitions

    # -- products: ``publish``, ``deliver`` and ``turnaround`` are this model's own words, all
    # -- the rest is said under the product's names

    @classmethod
    @documented(RABBITMQ)
    def rabbitmq(
        cls,
        settings: Settings | None = None,
        /,
        *,
        publish: Distribution = _NO_TIME,
        deliver: Distribution = _NO_TIME,
        turnaround: Distribution = _NO_TIME,
        topics: Sequence[str] = (),
        **named: Any,
    ) -> "Broker":
        """Return what RabbitMQ does with these settings, as an ordinary broker.

        ``topics`` are the message names that ``x-max-length`` holds for.

        >>> broker = Broker.rabbitmq({"x-dead-letter-exchange": "dlx"}, prefetch_count=10)
        >>> broker.delivery.prefetch, broker.delivery.requeue, broker.delivery.retry.max_attempts
        (10, 'head', 21)
        """
        own: dict[str, Any] = {"publish": publish, "deliver": deliver, "turnaround": turnaround}
        return cls(**own, **rabbitmq_fields(settings, named, topics))

    @classmethod
    @documented(KAFKA)
    def kafka(
        cls,
        settings: Settings | None = None,
        /,
        *,
        publish: Distribution = _NO_TIME,
        deliver: Distribution = _NO_TIME,
        turnaround: Distribution = _NO_TIME,
        **named: Any,
    ) -> "Broker":
        """Return what Kafka does with these settings, as an ordinary broker.

        >>> broker = Broker.kafka({"num.partitions": 12}, acks="all")
        >>> broker.partitions, broker.rebalance, broker.delivery.ordered
        (12, 45.0, True)
        """
        own: dict[str, Any] = {"publish": publish, "deliver": deliver, "turnaround": turnaround}
        return cls(**own, **kafka_fields(settings, named))

    @classmethod
    @documented(SQS)
    def sqs(
        cls,
        settings: Settings | None = None,
        /,
        *,
        publish: Distribution = _NO_TIME,
        deliver: Distribution | None = None,
        turnaround: Distribution = _NO_TIME,
        partitions: int | None = None,
        **named: Any,
    ) -> "Broker":
        """Return what Amazon SQS does with these settings, as an ordinary broker.

        ``partitions`` is how many the message groups of a FIFO queue share.

        >>> broker = Broker.sqs(VisibilityTimeout=60, maxReceiveCount=5)
        >>> broker.delivery.ack_timeout, broker.delivery.retry.max_attempts
        (60.0, 5)
        """
        fields = sqs_fields(settings, named, deliver, partitions)
        if deliver is not None:
            fields["deliver"] = deliver
        return cls(publish=publish, turnaround=turnaround, **fields)

    @classmethod
    @documented(NATS)
    def nats(
        cls,
        settings: Settings | None = None,
        /,
        *,
        publish: Distribution = _NO_TIME,
        deliver: Distribution = _NO_TIME,
        turnaround: Distribution = _NO_TIME,
        **named: Any,
    ) -> "Broker":
        """Return what NATS JetStream does with these settings, as an ordinary broker.

        >>> broker = Broker.nats(AckWait="10s", MaxDeliver=5, nakWithDelay=1)
        >>> broker.delivery.ack_timeout, broker.delivery.retry
        (10.0, Retry(max_attempts=5, backoff=Backoff(1.0, factor=1.0)))
        """
        own: dict[str, Any] = {"publish": publish, "deliver": deliver, "turnaround": turnaround}
        return cls(**own, **nats_fields(settings, named))

    @classmethod
    @documented(REDIS_STREAMS)
    def redis_streams(
        cls,
        settings: Settings | None = None,
        /,
        *,
        publish: Distribution = _NO_TIME,
        deliver: Distribution = _NO_TIME,
        turnaround: Distribution = _NO_TIME,
        **named: Any,
    ) -> "Broker":
        """Return what Redis Streams do with these settings, as an ordinary broker.

        >>> Broker.redis_streams({"min-idle-time": 30_000}).delivery.ack_timeout
        30.0
        """
        own: dict[str, Any] = {"publish": publish, "deliver": deliver, "turnaround": turnaround}
        return cls(**own, **redis_streams_fields(settings, named))
