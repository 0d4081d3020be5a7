"""One publisher, many equal subscribers: what a broker does, and nothing else.

The plainest world in which deliveries queue, fail, back off and are given up.
Its numbers are easy to reason about: by default a subscriber is offered
400/s × 8 ms × (1 - 0.05**4) / (1 - 0.05) attempts = 3.37 erlang for 4 workers.
"""

from eda_sim.catalog.latency import latency
from eda_sim.errors import InvalidInput
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import Publish, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from eda_sim.units import ms


def fan_out(
    *,
    rate: float = 400.0,
    subscribers: int = 3,
    workers: int = 4,
    service_mean: float = 8 * ms,
    transient: float = 0.05,
    publish_mean: float = 0.0,
    deliver_mean: float = 5 * ms,
    turnaround_mean: float = 0.0,
    retry: Retry = Retry(max_attempts=4),
    messages: float = 100_000,
    warmup: float = 0.0,
) -> Scenario:
    """Clients publish one event, which ``subscribers`` equal services handle.

    By default an attempt fails with probability 0.05 and is tried again after 1, 2
    and 4 s; the fourth failure is a dead letter.

    Args:
        rate: messages published, 1/second (Poisson).
        subscribers: how many services handle each message; 0 is allowed.
        workers: threads of each subscriber.
        service_mean: mean time of one attempt, seconds (exponential).
        transient: probability that an attempt fails and may be tried again.
        publish_mean: mean time until the broker has accepted, seconds (exponential).
        deliver_mean: mean time from there to each subscriber, seconds (exponential).
        turnaround_mean: mean time until an acknowledgement is back, seconds (exponential).
        retry: when a failed attempt is followed by another, and how many there are in all.
        messages: expected number of messages; the run lasts ``messages / rate`` seconds.
        warmup: statistics leave out what was published earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import fan_out
        >>> scenario = fan_out(subscribers=2, rate=100, messages=500)
        >>> [service.name for service in scenario.services], scenario.duration
        (['subscriber-1', 'subscriber-2'], 5.0)
    """
    if subscribers < 0:
        raise InvalidInput(
            f"subscribers must be >= 0, got {subscribers}: say how many services handle the event"
        )
    arrivals = Poisson(rate)
    work = Work(Exponential(service_mean), "handle", transient=transient)
    return Scenario(
        "fan-out",
        traffic=[Traffic(Publish("MessagePublished"), arrivals, name="publishers")],
        services=[
            Service(f"subscriber-{n}", workers=workers, on={"MessagePublished": [work]})
            for n in range(1, subscribers + 1)
        ],
        broker=Broker(
            publish=latency(publish_mean),
            deliver=latency(deliver_mean),
            turnaround=latency(turnaround_mean),
            delivery=DeliveryPolicy(retry=retry),
        ),
        duration=messages / rate,
        warmup=warmup,
    )
