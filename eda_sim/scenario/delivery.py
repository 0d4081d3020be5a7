"""What happens when handling fails: backoff, retry, breaker, delivery policy."""

from dataclasses import KW_ONLY
from math import inf
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from eda_sim.scenario.description import Count, PositiveSeconds, Seconds, description

MOST_ATTEMPTS: Final = 100_000  # of a retry that has a limit


@description
class Backoff:
    """How long to wait before try n + 1: ``base * factor**(n - 1)`` seconds, after try n.

    Args:
        base: the wait after the first try, in seconds.
        factor: how many times longer each wait is than the one before.
        jitter: ``full`` draws the wait uniformly between 0 and that, ``decorrelated`` between
            ``base`` and three times the wait before; ``none`` draws nothing.
        maximum: the longest wait, in seconds; None: without bound.

    Example:
        >>> [Backoff(1.0, factor=2.0).after(n) for n in (1, 2, 3)]
        [1.0, 2.0, 4.0]
    """

    base: Seconds
    _: KW_ONLY
    factor: Annotated[float, Field(ge=1)] = 2.0
    jitter: Literal["none", "full", "decorrelated"] = "none"
    maximum: PositiveSeconds | None = None

    def after(self, attempt: int) -> float:
        """Return the wait, in seconds and before any jitter, after try ``attempt`` (from 1)."""
        try:
            wait = self.base * self.factor ** (attempt - 1)
        except OverflowError:
            wait = float("inf") if self.base else 0.0
        return wait if self.maximum is None else min(wait, self.maximum)


@description
class RetryBudget:
    """How many calls a caller may repeat at all; one that it may not has failed.

    All workers of the caller share it.

    Args:
        ratio: repeats for each call, a fraction.
        burst: how many repeats it may make at once beyond that.
    """

    _: KW_ONLY
    ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    burst: Count = 10


@description
class Retry:
    """When to try again, and how often.

    Args:
        max_attempts: tries in all, the first included; None: without end.
        backoff: how long to wait in between.
        budget: how many calls of a caller are repeated at all; None: all. For calls only.

    Example:
        >>> Retry(max_attempts=3).backoff.after(1)
        1.0
    """

    _: KW_ONLY
    max_attempts: Annotated[Count, Field(le=MOST_ATTEMPTS)] | None = 4
    backoff: Backoff = Backoff(1.0)
    budget: RetryBudget | None = None

    def allows(self, attempt: int) -> bool:
        """Say whether there may be another try after try ``attempt`` (from 1)."""
        return self.max_attempts is None or attempt < self.max_attempts

    @property
    def shortest_wait(self) -> float:
        """How long tries wait at least, sooner or later, in seconds; ``inf`` if they end."""
        backoff = self.backoff
        if self.max_attempts is not None or self.budget is not None:
            return inf
        grows = backoff.base > 0 and (backoff.factor > 1 or backoff.jitter == "decorrelated")
        return (backoff.maximum or inf) if grows else backoff.after(1)


@description
class CircuitBreaker:
    """Stop calling who keeps failing.

    A breaker that has opened short-circuits every call, then lets one trial through: its success
    closes the breaker, its failure opens it again. All workers of a caller share it (Nygard,
    *Release It!*, 2nd ed. 2018, chapter 5).

    Args:
        failures: how many failed calls open it.
        window: within how many seconds.
        open_for: how long it stays open, in seconds.

    Example:
        >>> CircuitBreaker(failures=3).open_for
        30.0
    """

    _: KW_ONLY
    failures: Count = 5
    window: PositiveSeconds = 10.0
    open_for: PositiveSeconds = 30.0


@description
class Deduplication:
    """What an idempotent handler remembers of the messages it has handled.

    A duplicate that comes later is not known any more.

    Args:
        window: for how many seconds the steps done for a message id are remembered; None: for ever.
        size: for how many of the latest message ids; None: for all.
    """

    _: KW_ONLY
    window: PositiveSeconds | None = None
    size: Count | None = None


@description
class DeliveryPolicy:
    """How the broker delivers to a handler, and what a failure means.

    Args:
        retry: when a transient failure is tried again, and how often.
        dead_letter: what is given up goes to the dead-letter queue; otherwise it is lost.
        guarantee: ``at_least_once`` acknowledges after handling, so a crash or a lost
            acknowledgement brings a message again; ``at_most_once`` acknowledges before, so a
            failed or crashed attempt is lost.
        requeue: where it rejoins its queue, at the ``tail`` (a RabbitMQ retry queue) or the
            ``head`` (a NATS negative acknowledgement). Several that come back to the head keep
            their order. What nobody has answered (a crash, a lost acknowledgement, a timeout)
            comes back to the head as well, and with ``tail`` to the place that it had.
        counts_crashes: whether a crash uses up one of ``retry``'s tries, as a failure does, and so
            can end the delivery (a RabbitMQ delivery limit). So does then a connection that
            breaks, and a crash of the instance that only held it. Otherwise none of them counts.
            With ``ack_timeout`` every try counts that ends by it, for whatever reason.
        idempotent: the handler knows the message ids that it has handled and skips what it
            has done for them (``True``: for ever; or a ``Deduplication``).
        ack_timeout: seconds after a worker has taken it until the broker takes an
            unacknowledged attempt for dead and delivers again, even if it is still being
            worked on (a visibility timeout). That is then also how it learns of a crash.
        ordered: messages with the same key are handled in order, in one of the topic's
            partitions, by one worker at a time; one that fails keeps those behind it.
        retry_topic: with ``ordered``, one that fails is tried again beside the order.
        prefetch: how many unacknowledged deliveries the broker pushes to an instance, those of all
            message names together; None: a free worker takes the next from the broker, and none
            of these count. Where the handlers of a service differ, each delivery is pushed only
            where fewer are held than its own handler says.

    Example:
        >>> DeliveryPolicy(guarantee="at_most_once").retry.max_attempts
        4
        >>> DeliveryPolicy(guarantee="at_most_once", idempotent=True)
        Traceback (most recent call last):
        ...
        eda_sim.errors.InvalidInput: DeliveryPolicy: idempotent needs guarantee='at_least_once', ...
    """

    _: KW_ONLY
    retry: Retry = Retry()
    dead_letter: bool = True
    guarantee: Literal["at_least_once", "at_most_once"] = "at_least_once"
    requeue: Literal["tail", "head"] = "tail"
    counts_crashes: bool = False
    idempotent: bool | Deduplication = False
    ack_timeout: PositiveSeconds | None = None
    ordered: bool = False
    retry_topic: bool = False
    prefetch: Count | None = None

    @model_validator(mode="after")
    def _compatible(self) -> "DeliveryPolicy":
        if self.guarantee == "at_most_once":
            if self.idempotent:
                raise ValueError(
                    "idempotent needs guarantee='at_least_once', got 'at_most_once': what comes "
                    "once at most needs no deduplication; leave idempotent out"
                )
            if self.counts_crashes:
                raise ValueError(
                    "counts_crashes needs guarantee='at_least_once', got 'at_most_once': what "
                    "crashes is lost; leave counts_crashes out"
                )
            if self.ack_timeout is not None:
                raise ValueError(
                    f"ack_timeout={self.ack_timeout} needs guarantee='at_least_once', got "
                    "'at_most_once', which acknowledges before handling: leave ack_timeout out"
                )
        if self.retry.budget is not None:
            raise ValueError(
                f"retry.budget={self.retry.budget!r} is for calls, and a delivery has none: leave "
                "budget out, and limit max_attempts"
            )
        if self.retry.max_attempts is None and not self.dead_letter:
            raise ValueError(
                "retry.max_attempts must be a number where dead_letter=False, got None: a message "
                "that always fails would be tried for ever; limit it, or allow dead letters"
            )
        if self.retry_topic and not self.ordered:
            raise ValueError(
                "retry_topic needs ordered=True, got False: unordered deliveries are tried again "
                "without keeping others; leave retry_topic out"
            )
        if self.ordered and self.prefetch is not None:
            raise ValueError(
                f"prefetch={self.prefetch} needs ordered=False, got True: a partition is handled "
                "one message at a time; leave prefetch out"
            )
        return self

    @property
    def deduplication(self) -> Deduplication | None:
        """What the handler remembers; None if it is not idempotent."""
        if isinstance(self.idempotent, Deduplication):
            return self.idempotent
        return Deduplication() if self.idempotent else None
