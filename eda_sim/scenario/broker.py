"""What stands between publishers and subscribers, and what it costs."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from eda_sim.scenario.delivery import Delivery
from eda_sim.scenario.description import (
    Count,
    FrozenDict,
    Name,
    PositiveSeconds,
    Seconds,
    description,
    freeze_mapping,
)
from eda_sim.scenario.distributions import Constant, Distribution


@description
class Topic:
    """What one message name has of its own.

    ``partitions`` is how many an ordered topic has. ``capacity`` bounds the messages that the
    broker holds, accepted and not yet ended for every subscriber: a full topic makes
    publishers ``wait``, their workers held, or it ``drop``s what they publish.
    """

    partitions: Count | None = None
    capacity: Count | None = None
    when_full: Literal["wait", "drop"] = "wait"


@description
class Broker:
    """Latencies of the broker, and its default delivery policy.

    ``publish`` is how long a publisher waits until its message is accepted,
    ``deliver`` how long an accepted message travels to each subscriber, and
    ``turnaround`` how long a worker stays occupied after handling, until its
    acknowledgement has come back. All are distributions, in seconds.

    ``partitions`` is how many an ordered topic has, unless ``topics`` says otherwise for
    its message name; ``rebalance`` how long, in seconds, partitions stand still before
    they move when an instance dies or joins.

    ``when_unreachable`` says what publishers do while the broker is down, cut off, or has
    not confirmed: ``wait`` until it has, publishing again every ``republish_after`` seconds
    (their workers held), ``fail`` their attempt, or ``lose`` the message and go on.

    >>> from eda_sim import Delivery, Exponential, Retry, ms
    >>> broker = Broker(deliver=Exponential(5 * ms), delivery=Delivery(retry=Retry(max_attempts=2)))
    >>> broker.publish, broker.deliver
    (Constant(0.0), Exponential(0.005))
    """

    publish: Distribution = Constant(0.0)
    deliver: Distribution = Constant(0.0)
    turnaround: Distribution = Constant(0.0)
    delivery: Delivery = Delivery()
    partitions: Count = 8
    rebalance: Seconds = 3.0
    when_unreachable: Literal["wait", "fail", "lose"] = "wait"
    republish_after: PositiveSeconds = 1.0
    topics: Annotated[Mapping[Name, Topic], freeze_mapping] = field(default_factory=FrozenDict)

    def partitions_of(self, name: str) -> int:
        """Return how many partitions the topic of a message name has."""
        topic = self.topics.get(name)
        return self.partitions if topic is None or topic.partitions is None else topic.partitions
