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

from typing import Literal

from eda_sim.catalog.latency import latency
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.delivery import Backoff, CircuitBreaker, DeliveryPolicy, Retry, RetryBudget
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import BadDeployment, Fault, Outage, Slowdown
from eda_sim.scenario.redrive import Redrive
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Branch, Call, Publish, Work
from eda_sim.scenario.traffic import Bursts, Poisson, Traffic, UniformKeys
from eda_sim.units import minute, ms

Jitter = Literal["none", "full", "decorrelated"]

_PLACED, _CANCELLED = "OrderPlaced", "OrderCancelled"
_SUBSCRIBER, _CALLEE = "payment", "stock"


def retry_ladder(
    *,
    rate: float = 20.0,
    cancel_rate: float = 0.0,
    keys: int | None = None,
    workers: int = 4,
    partitions: int = 8,
    validate_mean: float = 5 * ms,
    work_mean: float = 50 * ms,
    invalid: float = 0.0,
    transient: float = 0.2,
    permanent: float = 0.0,
    poison: float = 0.0,
    max_attempts: int | None = 4,
    backoff_base: float = 1.0,
    backoff_factor: float = 2.0,
    jitter: Jitter = "none",
    dead_letter: bool = True,
    requeue: Literal["tail", "head"] = "tail",
    ordered: bool = False,
    retry_topic: bool = False,
    idempotent: bool = False,
    bad_deployment_at: float | None = None,
    bad_deployment_lasts: float = 60.0,
    bad_deployment_failure: float = 1.0,
    redrive_at: float | None = None,
    redrive_rate: float | None = None,
    redrive_message: str | None = None,
    broker_publish_mean: float = 2 * ms,
    broker_deliver_mean: float = 5 * ms,
    turnaround_mean: float = 1 * ms,
    duration: float = 5 * minute,
    warmup: float = 0.0,
) -> Scenario:
    """``payment`` handles orders: validate, charge, try again, give up.

    Args:
        rate: orders placed (``OrderPlaced``), 1/second (Poisson).
        cancel_rate: orders cancelled (``OrderCancelled``), 1/second; 0 for none.
        keys: how many customers there are, equally busy; None: each order has its own.
        workers: threads of ``payment``.
        partitions: partitions of each topic, where ``ordered``.
        validate_mean: mean time to validate a message, seconds (exponential).
        work_mean: mean time of the business logic, seconds (exponential).
        invalid: probability that a message is not valid: a dead letter at once.
        transient: probability that one try at the business logic fails and may be repeated.
        permanent: probability that it can never succeed, which the handler recognises:
            a dead letter at once.
        poison: probability that it can never succeed and is taken for transient: a dead
            letter after the last try.
        max_attempts: tries at each delivery, the first included; None for no end.
        backoff_base: wait after the first failed try, seconds.
        backoff_factor: how many times longer each further wait is.
        jitter: ``none``, ``full`` or ``decorrelated``, as in ``Backoff``.
        dead_letter: whether what is given up is kept; else it is lost.
        requeue: where a message that is tried again rejoins its queue: ``tail`` or ``head``.
        ordered: whether each partition is handled in order, one message at a time.
        retry_topic: with ``ordered``, whether a message is tried again beside the order.
        idempotent: whether a repeated try skips the steps that it has done.
        bad_deployment_at: when a bad version of ``payment`` is deployed, seconds; None for never.
        bad_deployment_lasts: until it is rolled back, seconds.
        bad_deployment_failure: probability that a try at anything fails meanwhile.
        redrive_at: when dead letters are sent back, seconds; None for never.
        redrive_rate: how many go back, 1/second; None for all at once.
        redrive_message: which ones, by message name; None for all.
        broker_publish_mean: mean time until the broker has accepted, seconds (exponential).
        broker_deliver_mean: mean time from there to the subscriber, seconds (exponential).
        turnaround_mean: mean time until an acknowledgement is back, seconds (exponential).
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
            traffic.append(Traffic(Publish(message), Poisson(arriving), about, source))
            on[message] = [validate, *stumble, business]
    return Scenario(
        "retry ladder",
        traffic=traffic,
        services=[Service(_SUBSCRIBER, workers=workers, on=on)],
        broker=Broker(
            publish=latency(broker_publish_mean),
            deliver=latency(broker_deliver_mean),
            turnaround=latency(turnaround_mean),
            partitions=partitions,
            delivery=DeliveryPolicy(
                Retry(max_attempts, Backoff(backoff_base, backoff_factor, jitter)),
                dead_letter=dead_letter,
                requeue=requeue,
                ordered=ordered,
                retry_topic=retry_topic,
                idempotent=idempotent,
            ),
        ),
        faults=_bad_deployment(bad_deployment_at, bad_deployment_lasts, bad_deployment_failure),
        redrives=_redrive(redrive_at, redrive_rate, redrive_message),
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
    max_attempts: int = 4,
    backoff_base: float = 1.0,
    backoff_factor: float = 2.0,
    backoff_maximum: float | None = None,
    jitter: Jitter = "none",
    budget_ratio: float | None = None,
    budget_burst: int = 10,
    breaker_failures: int | None = None,
    breaker_window: float = 10.0,
    breaker_open_for: float = 5.0,
    outage_at: float | None = None,
    outage_lasts: float = 10.0,
    slowdown_at: float | None = None,
    slowdown_lasts: float = 10.0,
    slowdown_factor: float = 4.0,
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
        propagate_deadline: whether the timeout travels along, so that what nobody waits for any more
            is not begun.
        max_attempts: tries at each call, the first included.
        backoff_base: wait after the first failed try, seconds.
        backoff_factor: how many times longer each further wait is.
        backoff_maximum: the longest wait, seconds; None for any.
        jitter: ``none``, ``full`` or ``decorrelated``, as in ``Backoff``.
        budget_ratio: how many retries each call pays for; None for no retry budget.
        budget_burst: how many retries can be saved up.
        breaker_failures: failed calls that open the circuit breaker; None for no breaker.
        breaker_window: within how long they must fall, seconds.
        breaker_open_for: how long the breaker stays open, seconds.
        outage_at: when ``stock`` goes down, seconds; None for no outage.
        outage_lasts: how long it stays down, seconds.
        slowdown_at: when ``stock`` becomes slow, seconds; None for never.
        slowdown_lasts: how long it stays slow, seconds.
        slowdown_factor: how many times longer its work then takes.
        network_mean: mean latency of each way of a call, seconds (exponential).
        duration: calls come this long, seconds.
        warmup: statistics leave out calls that started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import retry_storm
        >>> retry_storm(jitter="full", budget_ratio=0.1).traffic[0].message.retry
        Retry(backoff=Backoff(1.0, jitter='full'), budget=RetryBudget())
    """
    budget = None if budget_ratio is None else RetryBudget(budget_ratio, budget_burst)
    breaker = None
    if breaker_failures is not None:
        breaker = CircuitBreaker(breaker_failures, breaker_window, breaker_open_for)
    ask = Call(
        "CheckStock",
        timeout,
        Retry(max_attempts, Backoff(backoff_base, backoff_factor, jitter, backoff_maximum), budget),
        breaker,
        propagate_deadline=propagate_deadline,
    )
    faults: list[Fault] = []
    if outage_at is not None:
        faults.append(Outage(_CALLEE, at=outage_at, lasts=outage_lasts))
    if slowdown_at is not None:
        faults.append(Slowdown(_CALLEE, slowdown_factor, at=slowdown_at, lasts=slowdown_lasts))
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


def _bad_deployment(at: float | None, lasts: float, failure: float) -> list[Fault]:
    return [] if at is None else [BadDeployment(_SUBSCRIBER, failure, at=at, lasts=lasts)]


def _redrive(at: float | None, rate: float | None, message: str | None) -> list[Redrive]:
    return [] if at is None else [Redrive(_SUBSCRIBER, at, rate, message)]
