"""A retry is load: one handler that retries and gives up, and one service that is retried at.

``retry_ladder`` is the error-handling strategy of a subscriber. A message is validated; an
invalid one is dead-lettered at once. The business logic then succeeds and is acknowledged,
fails in a way that may pass, and climbs the ladder (by default again after 1, 2 and 4 s, then
a dead letter), or fails for good: a dead letter at once. With failures that are independent a
message ends dead with probability

    1 - (1 - invalid) (1 - permanent) (1 - transient ** max_attempts).

Worst is the message that fails at every try and that the handler takes for one that may pass:
it climbs the whole ladder, and in an ordered topic everyone behind it waits meanwhile. That is
``poison``. By default 20 orders a second are offered as 20/s × 1.25 attempts × 56 ms = 1.4
erlang to 4 workers, each held until its acknowledgement is back.

``retry_storm`` is the same idea seen by a service with many callers: 30 calls a second of
100 ms each, 3 erlang for 4 workers, with timeouts and retries that a blip sets off. Two ways
lead to it. An overload that holds itself up comes from retries being *many*: a budget, a
breaker, a travelling deadline take them away. A herd comes from retries being *together*:
jitter takes that away, and only that.
"""

from collections.abc import Sequence

from eda_sim.catalog.latency import latency
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import CircuitBreaker, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import Fault
from eda_sim.scenario.redrive import Redrive
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Publish, Work
from eda_sim.scenario.traffic import Bursts, Poisson, Traffic, UniformKeys
from eda_sim.units import minute, ms

_PLACED, _CANCELLED = "OrderPlaced", "OrderCancelled"
_SUBSCRIBER, _CALLEE = "payment", "stock"


def retry_ladder(
    *,
    rate: float = 20.0,
    cancel_rate: float = 0.0,
    keys: int | None = None,
    workers: int = 4,
    validate_mean: float = 5 * ms,
    work_mean: float = 50 * ms,
    invalid: float = 0.0,
    transient: float = 0.2,
    permanent: float = 0.0,
    poison: float = 0.0,
    delivery: DeliveryPolicy = DeliveryPolicy(),
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    turnaround_mean: float = 1 * ms,
    faults: Sequence[Fault] = (),
    redrives: Sequence[Redrive] = (),
    duration: float = 5 * minute,
    warmup: float = 0.0,
) -> Scenario:
    """``payment`` handles orders: validate, charge, try again, give up.

    Args:
        rate: orders placed (``OrderPlaced``), 1/second (Poisson).
        cancel_rate: orders cancelled (``OrderCancelled``), 1/second; 0 for none.
        keys: how many customers there are, equally busy; None: each order has its own.
        workers: threads of ``payment``.
        validate_mean: mean time to validate a message, seconds (exponential).
        work_mean: mean time of the business logic, seconds (exponential).
        invalid: probability that a message is not valid: a dead letter at once.
        transient: probability that one try at the business logic fails and may be repeated.
        permanent: probability that it can never succeed, which the handler recognises:
            a dead letter at once.
        poison: probability that it can never succeed and is taken for transient: a dead
            letter after the last try.
        delivery: when a delivery is tried again (``retry``, by default after 1, 2 and 4 s),
            whether beside the order (``ordered``, ``retry_topic``), at which end of its queue
            (``requeue``), whether it skips the steps that it has done (``idempotent``), and
            whether what is given up is kept (``dead_letter``).
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to the subscriber, seconds (exponential).
        turnaround_mean: mean time until an acknowledgement is back, seconds (exponential).
        faults: what goes wrong, such as ``[BadDeployment("payment", 1.0, at=60, lasts=60)]``.
        redrives: when dead letters are sent back, such as ``[Redrive("payment", at=180)]``.
        duration: orders arrive this long, seconds.
        warmup: statistics leave out orders that started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import retry_ladder, simulate
        >>> run = simulate(retry_ladder(transient=1.0, rate=1, duration=10), seed=7)
        >>> set(run.deliveries["outcome"]), set(run.deliveries["attempts"])
        ({'dead_lettered'}, {4})
    """
    validate = Work(Exponential(validate_mean), "validate", permanent=invalid)
    stumble: list[AnyStep] = []
    if poison:
        tripping = Work(Exponential(work_mean), "stumble", transient=1.0)
        stumble = [Branch(poison, [tripping], label="is poison")]
    traffic, on = [], {}
    for source, message, arriving, label in (
        ("customers", _PLACED, rate, "charge card"),
        ("regretful customers", _CANCELLED, cancel_rate, "refund"),
    ):
        if arriving:
            business = Work(Exponential(work_mean), label, transient=transient, permanent=permanent)
            about = None if keys is None else UniformKeys(keys)
            traffic.append(Traffic(Publish(message), Poisson(arriving), keys=about, name=source))
            on[message] = [validate, *stumble, business]
    return Scenario(
        "retry ladder",
        traffic=traffic,
        services=[Service(_SUBSCRIBER, workers=workers, on=on)],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            turnaround=latency(turnaround_mean),
            delivery=delivery,
        ),
        faults=faults,
        redrives=redrives,
        duration=duration,
        warmup=warmup,
    )


def retry_storm(
    *,
    rate: float = 30.0,
    herd: int = 1,
    workers: int = 4,
    inbox: int | None = None,
    work_mean: float = 100 * ms,
    timeout: float = 1.0,
    propagate_deadline: bool = False,
    retry: Retry | None = Retry(max_attempts=4),
    breaker: CircuitBreaker | None = None,
    faults: Sequence[Fault] = (),
    network_mean: float = 1 * ms,
    duration: float = 3 * minute,
    warmup: float = 0.0,
) -> Scenario:
    """Tills call ``stock``, give up after a timeout and try again; a blip sets them off.

    Args:
        rate: calls, 1/second.
        herd: how many come at the same instant; 1 for Poisson.
        workers: threads of ``stock``.
        inbox: how many calls may wait there, one more being rejected; None for any number.
        work_mean: mean time of looking something up, seconds (exponential).
        timeout: how long a till waits for one try, seconds.
        propagate_deadline: whether the timeout travels along, so that what nobody waits for any
            more is not begun.
        retry: when each call is tried again, and what bounds that; by default after 1, 2 and 4 s,
            without jitter and without a budget. None for never.
        breaker: the circuit breaker of the tills; None for none.
        faults: what goes wrong, such as ``[Slowdown("stock", factor=4, at=30, lasts=10)]``.
        network_mean: mean latency of each way of a call, seconds (exponential).
        duration: calls come this long, seconds.
        warmup: statistics leave out calls that started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import Retry, RetryBudget, retry_storm
        >>> retry_storm(retry=Retry(budget=RetryBudget(ratio=0.2))).traffic[0].message
        Call('CheckStock', timeout=1.0, retry=Retry(budget=RetryBudget(ratio=0.2)))
    """
    ask = Call(
        "CheckStock",
        timeout=timeout,
        retry=retry,
        breaker=breaker,
        propagate_deadline=propagate_deadline,
    )
    look_up = Work(Exponential(work_mean), "look up")
    return Scenario(
        "retry storm",
        traffic=[Traffic(ask, Poisson(rate) if herd == 1 else Bursts(rate, herd), name="tills")],
        services=[Service(_CALLEE, workers=workers, inbox=inbox, on={"CheckStock": [look_up]})],
        network=latency(network_mean),
        faults=faults,
        duration=duration,
        warmup=warmup,
    )
