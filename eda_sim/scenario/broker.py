"""What stands between publishers and subscribers, and what it costs."""

from eda_sim.scenario.delivery import Delivery
from eda_sim.scenario.description import description
from eda_sim.scenario.distributions import Constant, Distribution


@description
class Broker:
    """Latencies of the broker, and its default delivery policy.

    ``publish`` is how long a publisher waits until its message is accepted,
    ``deliver`` how long an accepted message travels to each subscriber, and
    ``turnaround`` how long a worker stays occupied after handling, until its
    acknowledgement has come back. All are distributions, in seconds.

    >>> from eda_sim import Delivery, Exponential, Retry, ms
    >>> broker = Broker(deliver=Exponential(5 * ms), delivery=Delivery(Retry(max_attempts=2)))
    >>> broker.publish, broker.deliver
    (Constant(0.0), Exponential(0.005))
    """

    publish: Distribution = Constant(0.0)
    deliver: Distribution = Constant(0.0)
    turnaround: Distribution = Constant(0.0)
    delivery: Delivery = Delivery()
