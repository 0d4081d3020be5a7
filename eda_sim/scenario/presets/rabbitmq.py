"""RabbitMQ: a queue that pushes to its consumers, and requeues what they reject.

An instance is a consumer; its handler rejects what fails with ``basic.reject``, with
``requeue`` as set while another try may succeed, and with ``requeue=False`` once it may not.
The queue is a quorum queue, because a classic queue without a dead-letter exchange requeues
without end, which a description refuses.

A retry queue (a dead-letter exchange that leads to a queue whose messages expire) is no
setting but a topology: say it with ``DeliveryPolicy(retry=..., requeue="tail")``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.presets.given import Given
from eda_sim.scenario.presets.table import NUMBER, TEXT, TRUTH, Page, Preset, behaviour, setting

_PREFETCH = Page("Consumer Prefetch", "https://www.rabbitmq.com/docs/consumer-prefetch")
_CONFIRMS = Page(
    "Consumer Acknowledgements and Publisher Confirms", "https://www.rabbitmq.com/docs/confirms"
)
_QUORUM = Page("Quorum Queues", "https://www.rabbitmq.com/docs/quorum-queues")
_DLX = Page("Dead Letter Exchanges", "https://www.rabbitmq.com/docs/dlx")
_LENGTH = Page("Queue Length Limit", "https://www.rabbitmq.com/docs/maxlength")
_WORK_QUEUES = Page(
    "RabbitMQ tutorial: Work Queues", "https://www.rabbitmq.com/tutorials/tutorial-two-python"
)

NO_LIMIT: Final = 10**9  # more than any run has messages
MOST_RETURNS: Final = 999  # a delivery has at most 1000 attempts

_LINEAR = (
    "the waits of a retry grow by a factor, not by a constant: say them with "
    "DeliveryPolicy(retry=Retry(backoff=...))"
)
_ONE_TIMEOUT = (
    "a description's acknowledgement timeout is also how the broker learns of a crash, and "
    "RabbitMQ sees the connection close: leave it out"
)

RABBITMQ: Final = Preset(
    "rabbitmq",
    (
        setting(
            "prefetch_count",
            NUMBER,
            0,
            f"delivery.prefetch, for each instance; 0 is no limit, said as {NO_LIMIT}",
            _PREFETCH,
        ),
        setting(
            "auto_ack",
            TRUTH,
            False,
            "delivery.guarantee: at_most_once if true, else at_least_once. What a dying instance "
            "held and had not begun goes to others here, while RabbitMQ loses that too",
            _WORK_QUEUES,
        ),
        setting(
            "requeue",
            TRUTH,
            None,
            "delivery.retry: if true a failed attempt is tried again at once, as often as the "
            "queue allows; if false it is given up. Each rejection says it; where nothing is given "
            "it is true",
            _CONFIRMS,
            preset=True,
        ),
        setting(
            "x-queue-type",
            "quorum or classic",
            "classic",
            "which limit delivery.retry has: x-delivery-limit, or none. Where nothing is given it "
            "is quorum here, since a classic queue without x-dead-letter-exchange retries for ever",
            _QUORUM,
            preset="quorum",
        ),
        setting(
            "x-delivery-limit",
            "returns to the queue",
            20,
            "delivery.retry.max_attempts, which is one more, and delivery.counts_crashes is true; "
            "-1 is no limit, and then delivery.requeue is tail. With requeue=False the limit of "
            "RabbitMQ still ends what crashes too often, and nothing does here",
            _QUORUM,
        ),
        setting("x-dead-letter-exchange", TEXT, None, "delivery.dead_letter, if it is set", _DLX),
        setting(
            "x-max-length",
            "messages",
            None,
            "capacity of the topics named by topics=. RabbitMQ does not count what its consumers "
            "hold, a topic does: with a small prefetch_count they are nearly the same",
            _LENGTH,
        ),
        setting(
            "x-overflow",
            "drop-head, reject-publish or reject-publish-dlx",
            "drop-head",
            "when_full of the topics: reject-publish is drop; the others cannot be expressed",
            _LENGTH,
        ),
        setting(
            "confirm.select",
            TRUTH,
            False,
            "when_unreachable: wait for the confirmation if true, else lose",
            _CONFIRMS,
        ),
    ),
    (
        behaviour(
            "a quorum queue with a delivery limit requeues near the head, a classic queue to the "
            "original position if possible",
            "delivery.requeue is head",
            _QUORUM,
        ),
        behaviour(
            "a delivery counts as failed, towards the delivery limit, where it is rejected with "
            "basic.reject and where the client crashes or its connection is lost (RabbitMQ 4.3); "
            "all that such a consumer had not acknowledged is requeued",
            "with a limit delivery.counts_crashes is true, also for what was only prefetched",
            _QUORUM,
        ),
        behaviour(
            "what is not acknowledged is requeued as soon as the connection closes",
            "delivery.ack_timeout is None",
            _CONFIRMS,
        ),
        behaviour(
            "what is rejected with requeue=false goes to the dead-letter exchange, or is discarded",
            "delivery.dead_letter is false without x-dead-letter-exchange",
            _CONFIRMS,
        ),
    ),
    {
        "consumer_timeout": _ONE_TIMEOUT,
        "x-consumer-timeout": _ONE_TIMEOUT,
        "x-max-length-bytes": "messages have no size: limit their number with x-max-length",
        "x-delayed-retry-type": _LINEAR,
        "x-delayed-retry-min": _LINEAR,
        "x-delayed-retry-max": _LINEAR,
    },
)


def rabbitmq_fields(
    settings: Mapping[str, Any] | None, named: Mapping[str, Any], topics: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the fields of a broker that behaves like RabbitMQ with these settings."""
    given = Given(RABBITMQ, settings, named)
    prefetch = given.number("prefetch_count", 0, NO_LIMIT) or NO_LIMIT
    if given.truth("auto_ack"):
        delivery = _acknowledged_by_sending(given)
    else:
        delivery = _acknowledged_by_hand(given, prefetch)
    fields: dict[str, Any] = {
        "delivery": delivery,
        "when_unreachable": "wait" if given.truth("confirm.select") else "lose",
    }
    capacity = _capacity(given, topics)
    return fields | ({"topics": capacity} if capacity else {})


def _acknowledged_by_sending(given: Given) -> DeliveryPolicy:
    """What is sent counts as done: there is no limit, no second try and nothing to reject."""
    needless = ("requeue", "x-delivery-limit", "x-dead-letter-exchange")
    given.leave_out(needless, "auto_ack=True, which acknowledges before handling")
    if given.value("prefetch_count"):
        given.leave_out(("prefetch_count",), "auto_ack=True, which knows no limit")
    return DeliveryPolicy(
        retry=Retry(max_attempts=1),
        dead_letter=False,
        guarantee="at_most_once",
        requeue="head",
        prefetch=NO_LIMIT,
    )


def _acknowledged_by_hand(given: Given, prefetch: int) -> DeliveryPolicy:
    dead_letter = "x-dead-letter-exchange" in given
    if dead_letter:
        given.text("x-dead-letter-exchange")  # the default exchange has no name
    attempts = _attempts(given)
    if attempts is None and not dead_letter:
        name = "x-delivery-limit" if "x-delivery-limit" in given else "x-queue-type"
        raise given.refused(
            name,
            "needs x-dead-letter-exchange",
            "a message that always fails would be requeued for ever; set that, or requeue=False, "
            "or an x-delivery-limit on a quorum queue",
        )
    unlimited_quorum = attempts is None and given.value("x-queue-type") == "quorum"
    return DeliveryPolicy(
        retry=Retry(max_attempts=attempts, backoff=Backoff(0.0, factor=1.0)),
        dead_letter=dead_letter,
        requeue="tail" if unlimited_quorum else "head",
        counts_crashes=given.truth("requeue") and attempts is not None,
        prefetch=prefetch,
    )


def _attempts(given: Given) -> int | None:
    """How often a message is tried, or None: without end."""
    kind = given.word(
        "x-queue-type", {"quorum": "quorum", "classic": "classic"}, "'quorum' or 'classic'"
    )
    if kind == "classic":
        given.leave_out(("x-delivery-limit",), "x-queue-type='classic': only quorum queues have it")
    if not given.truth("requeue"):
        given.leave_out(("x-delivery-limit",), "requeue=False, which returns nothing to the queue")
        return 1
    if kind == "classic":
        return None
    limit = given.number(
        "x-delivery-limit", -1, MOST_RETURNS, "give one in between, -1 for no limit"
    )
    return None if limit == -1 else limit + 1


def _capacity(given: Given, topics: Sequence[str]) -> dict[str, Any]:
    """Return the topics that are bounded."""
    call = RABBITMQ.call
    if "x-max-length" not in given:
        given.leave_out(("x-overflow",), "a queue without x-max-length, which never overflows")
        if topics:
            raise InvalidInput(
                f"{call}: topics must be left out without x-max-length, got {topics!r}: "
                "they name the messages whose queues are bounded"
            )
        return {}
    if given.value("x-overflow") != "reject-publish":
        raise given.refused(
            "x-overflow",
            "must be 'reject-publish'",
            "a full topic refuses the newest message, and drops neither the oldest nor into a "
            "dead-letter queue; set it, or leave x-max-length out",
        )
    if given.value("auto_ack") or not given.value("prefetch_count"):
        raise given.refused(
            "x-max-length",
            "needs a prefetch_count",
            "consumers without limit take all there is, and nothing is left for RabbitMQ to "
            "count; set prefetch_count, or leave x-max-length out",
        )
    if not topics or isinstance(topics, str):
        raise InvalidInput(
            f"{call}: topics must name the messages that x-max-length holds for, got {topics!r}: "
            "give topics=['OrderPlaced', ...]"
        )
    bound = given.number("x-max-length", 1, NO_LIMIT)
    return {str(name): {"capacity": bound, "when_full": "drop"} for name in topics}
