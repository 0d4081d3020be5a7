"""A scenario with everything on: all policies, protections and faults, each at a moderate level.

A shop takes orders by calls and announces them to five subscribers, each of which has a
delivery policy of its own. No hand-written twin does the same work, so what it costs is
compared with ``fan_out`` by the same engine, in the same run.
"""

from eda_sim import (
    Autoscale,
    Backoff,
    BadDeployment,
    Branch,
    Broker,
    BrokerOutage,
    Call,
    CircuitBreaker,
    Deduplication,
    DeliveryPolicy,
    Duplicates,
    Exponential,
    Handler,
    LogNormal,
    Loss,
    NetworkPartition,
    Outage,
    Outbox,
    Parallel,
    PoisonMessages,
    Poisson,
    Publish,
    RateLimit,
    Redrive,
    Reordering,
    Retry,
    RetryBudget,
    Scenario,
    Send,
    Service,
    Slowdown,
    Topic,
    Traffic,
    Work,
    ZipfKeys,
    ms,
)
from eda_sim.scenario.faults import Fault

RATE = 50.0  # orders a second; each makes about six deliveries
BREAKER = CircuitBreaker(failures=20, window=10, open_for=2)
BUDGET = Retry(
    max_attempts=3,
    backoff=Backoff(0.05, jitter="full", maximum=1.0),
    budget=RetryBudget(ratio=0.1, burst=20),
)


def _services() -> list[Service]:
    pay = Call(
        "Pay", timeout=1.0, retry=BUDGET, breaker=BREAKER, bulkhead=30, propagate_deadline=True
    )
    order = [
        Work(Exponential(2 * ms), "accept"),
        Parallel([pay, Call("Reserve", timeout=1.0, propagate_deadline=True)]),
        Branch(0.3, [Send("Wrap")], label="is a gift"),
        Publish("Placed", outbox=Outbox(poll=0.1)),
    ]

    def subscriber(name: str, mean: float, policy: DeliveryPolicy, **settings: object) -> Service:
        work = Work(LogNormal(mean, cv=1.0), name, transient=0.02)
        return Service(name, on={"Placed": Handler([work], delivery=policy)}, **settings)  # type: ignore[arg-type]

    retry = Retry(max_attempts=4, backoff=Backoff(0.1, jitter="decorrelated", maximum=2.0))
    scale = Autoscale(most=6, least=2, target=5, by="backlog", every=5, start_delay=2)
    return [
        Service("orders", instances=2, workers=40, inbox=50, on={"Place": order}),
        Service(
            "payment",
            instances=2,
            workers=4,
            rate_limit=RateLimit(200, burst=50),
            on={"Pay": [Work(Exponential(30 * ms), "pay", permanent=0.001)]},
        ),
        Service(
            "store",
            instances=2,
            workers=4,
            shed_after=0.5,
            on={
                "Reserve": [Work(Exponential(20 * ms), "reserve")],
                "Wrap": [Work(Exponential(50 * ms), "wrap")],
            },
        ),
        subscriber("mail", 30 * ms, DeliveryPolicy(retry=retry), instances=2, autoscale=scale),
        subscriber(
            "stock",
            20 * ms,
            DeliveryPolicy(retry=retry, ordered=True, idempotent=Deduplication(window=60)),
            instances=3,
            workers=2,
        ),
        subscriber(
            "search",
            20 * ms,
            DeliveryPolicy(retry=retry, prefetch=10, ack_timeout=1.0, requeue="head"),
            workers=4,
        ),
        subscriber("metrics", 5 * ms, DeliveryPolicy(guarantee="at_most_once"), workers=2),
        subscriber(
            "invoices",
            30 * ms,
            DeliveryPolicy(retry=retry, ordered=True, retry_topic=True),
            instances=4,
        ),
    ]


def _faults() -> list[Fault]:
    now_and_then = {"mtbf": 60.0, "mttr": 1.0}
    return [
        Outage("stock", instances=1, **now_and_then),
        Outage("orders", instances=1, **now_and_then),
        Slowdown("payment", 3.0, **now_and_then),
        BrokerOutage(**now_and_then),
        NetworkPartition(["store"], ["broker"], **now_and_then),
        Loss(0.002),
        Duplicates(0.002),
        Reordering(0.01, delay=Exponential(0.2), between=["broker", "mail"]),
        PoisonMessages("stock", 0.02, **now_and_then),
        BadDeployment("search", 0.2, **now_and_then),
    ]


def everything_on(orders: int) -> Scenario:
    """Describe about so many ``orders`` with everything on."""
    duration = orders / RATE
    return Scenario(
        "everything on",
        traffic=[
            Traffic(
                Call("Place", timeout=5.0), Poisson(RATE), keys=ZipfKeys(1000), name="customers"
            )
        ],
        services=_services(),
        broker=Broker(
            publish=Exponential(2 * ms),
            deliver=Exponential(5 * ms),
            turnaround=Exponential(1 * ms),
            topics={"Placed": Topic(partitions=16, capacity=5_000)},
        ),
        network=Exponential(1 * ms),
        faults=_faults(),
        redrives=[Redrive("stock", at=duration / 2, rate=20)],
        duration=duration,
        drain=60,
    )
