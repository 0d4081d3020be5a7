"""One crash, three promises: the shop of ``orders`` whose payment dies again and again.

A crash finds an attempt in one of two places. Before its effect: at most once then loses it,
because the broker has been told already that all is well. Between its effect and the moment
at which the broker knows of it: at least once then does it twice, because the broker has not
been told yet. Neither place can be closed; by Little's law a crash of everything finds

    rate × time of the work      orders in the first, and
    rate × turnaround            orders in the second,

on average: 40/s × 60 ms = 2.4 and 40/s × 20 ms = 0.8 by default. What at least once does
twice an idempotent handler recognises by its message id, as long as it remembers it: that is
effectively once.

The crash is of payment alone; the guarantee is the broker's, for all four subscribers. Nothing
else fails, so whatever the ledger shows is the crash.
"""

from dataclasses import replace
from math import ceil
from typing import Any, Final, Literal, get_args

from eda_sim.catalog.latency import latency
from eda_sim.catalog.orders import order_pubsub
from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import Deduplication, DeliveryPolicy, Retry
from eda_sim.scenario.faults import Outage
from eda_sim.scenario.scenario import Scenario
from eda_sim.units import minute, ms

Guarantee = Literal["at_most_once", "at_least_once", "effectively_once"]
GUARANTEES: Final[tuple[str, ...]] = get_args(Guarantee)

MOST_CRASHES: Final = 1000

_CRASHING = "payment"


def order_crash(
    *,
    guarantee: Guarantee = "at_least_once",
    rate: float = 40.0,
    instances: int = 2,
    payment_workers: int = 4,
    payment_mean: float = 60 * ms,
    payment_transient: float = 0.0,
    crash_at: float | None = 10.0,
    crash_lasts: float = 1.0,
    crash_every: float | None = 10.0,
    crash_instances: int | None = None,
    turnaround_mean: float = 20 * ms,
    retry: Retry = Retry(max_attempts=4),
    prefetch: int | None = None,
    ack_timeout: float | None = None,
    memory: Deduplication = Deduplication(),
    duration: float = 3 * minute,
    warmup: float = 0.0,
) -> Scenario:
    """Orders by events, and payment crashes: what is lost, and what is done twice.

    Customers, work and labels are those of ``order_pubsub``, so that each order has the same
    luck there, and under every guarantee.

    Args:
        guarantee: ``at_most_once``, ``at_least_once``, or ``effectively_once``, which is at
            least once with idempotent handlers.
        rate: orders placed, 1/second (Poisson).
        instances: copies of ``payment``.
        payment_workers: threads of each copy.
        payment_mean: mean time to charge a card, seconds (log-normal).
        payment_transient: probability that one try at charging fails.
        crash_at: when ``payment`` first crashes, seconds; None for never.
        crash_lasts: how long until it is up again, seconds.
        crash_every: when it crashes the next time, seconds later; None for only once.
        crash_instances: how many copies crash; None for all.
        turnaround_mean: mean time until an acknowledgement is back, seconds (exponential).
        retry: when each delivery is tried again, and how often before it is a dead letter; by
            default after 1, 2 and 4 s.
        prefetch: how many unacknowledged deliveries the broker pushes to each copy; None: a
            free worker takes the next.
        ack_timeout: after how long the broker takes an attempt for dead, seconds; None: it
            sees a crash at once. At most once has none.
        memory: for how long, and how many, messages ``effectively_once`` remembers; by default
            all, for ever.
        duration: orders arrive this long, seconds.
        warmup: statistics leave out orders that started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import order_crash, simulate
        >>> for guarantee in ("at_most_once", "at_least_once", "effectively_once"):
        ...     run = simulate(order_crash(guarantee=guarantee, duration=60), seed=7)
        ...     found = run.summary()[["half_done_rate", "duplicate_rate"]] > 0
        ...     print(guarantee, *found.index[found])
        at_most_once half_done_rate
        at_least_once duplicate_rate
        effectively_once
    """
    shop = order_pubsub(
        rate=rate,
        payment_workers=payment_workers,
        payment_mean=payment_mean,
        payment_transient=payment_transient,
        duration=duration,
        warmup=warmup,
    )
    promise = _promise(guarantee, ack_timeout, memory)
    assert shop.broker is not None
    broker = replace(
        shop.broker,
        turnaround=latency(turnaround_mean),
        delivery=DeliveryPolicy(retry=retry, prefetch=prefetch, **promise),
    )
    staffed = shop.replace(f"{_CRASHING}.instances", instances)
    return staffed.replace(
        name=f"crash, {guarantee.replace('_', ' ')}",
        broker=broker,
        faults=_crashes(crash_at, crash_lasts, crash_every, crash_instances, shop.duration),
    )


def _promise(guarantee: str, ack_timeout: float | None, memory: Deduplication) -> dict[str, Any]:
    """Return the settings of a ``DeliveryPolicy`` that keep a guarantee."""
    if guarantee not in GUARANTEES:
        raise InvalidInput(
            f"guarantee must be one of {', '.join(GUARANTEES)}, got {guarantee!r}: choose which "
            "mistake you can live with, or effectively_once"
        )
    if guarantee == "at_most_once":
        return {"guarantee": guarantee}
    promise: dict[str, Any] = {"ack_timeout": ack_timeout}
    if guarantee == "effectively_once":
        promise["idempotent"] = memory
    return promise


def _crashes(
    at: float | None, lasts: float, every: float | None, instances: int | None, end: float
) -> list[Outage]:
    if at is None:
        return []
    first = Outage(_CRASHING, at=at, lasts=lasts, instances=instances)
    if every is None:
        return [first]
    if not every > lasts:
        raise InvalidInput(
            f"crash_every must be > crash_lasts = {lasts:g}, got {every!r}: what is down cannot "
            "crash; leave more time in between, or use None for a single crash"
        )
    crashes = max(1, ceil((end - at) / every))
    if crashes > MOST_CRASHES:
        raise InvalidInput(
            f"crash_every must leave at most {MOST_CRASHES} crashes until {end:g} s, "
            f"got {every!r}, which makes {crashes:.3g}: crash less often, or end sooner"
        )
    times = (at + n * every for n in range(crashes))
    return [replace(first, at=each) for each in times]
