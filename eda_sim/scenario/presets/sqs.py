"""SQS: a queue whose messages are invisible for a while once they are received.

A worker receives one message and deletes it once it is handled. SQS learns of nothing
else: a failure and a crash both end with the visibility timeout. It is counted from the
receipt after a crash, as SQS does, and from the failure after a failure, which is later
by the time that the failed attempt took.
"""

from collections.abc import Mapping
from typing import Any, Final

from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Constant
from eda_sim.scenario.presets.given import Given
from eda_sim.scenario.presets.table import (
    SECONDS,
    TRUTH,
    Page,
    Preset,
    behaviour,
    setting,
)

_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"
_REFERENCE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference"
_VISIBILITY = Page("Amazon SQS visibility timeout", f"{_GUIDE}/sqs-visibility-timeout.html")
_DEAD_LETTERS = Page("Amazon SQS dead-letter queues", f"{_GUIDE}/sqs-dead-letter-queues.html")
_DELAY = Page("Amazon SQS delay queues", f"{_GUIDE}/sqs-delay-queues.html")
_STANDARD = Page("Amazon SQS standard queues", f"{_GUIDE}/standard-queues.html")
_FIFO = Page("FIFO delivery logic", f"{_GUIDE}/FIFO-queues-understanding-logic.html")
_ONCE = Page(
    "Exactly-once processing in Amazon SQS", f"{_GUIDE}/FIFO-queues-exactly-once-processing.html"
)
_CREATE = Page("CreateQueue (API reference)", f"{_REFERENCE}/API_CreateQueue.html")

MOST_RECEIPTS: Final = 1000  # what a retry can count to
KNOWN_FOR: Final = 300.0  # seconds: the deduplication interval of a FIFO queue
MESSAGE_GROUPS: Final = 1000  # partitions of a FIFO queue, unless the caller says otherwise

SQS: Final = Preset(
    "sqs",
    (
        setting(
            "VisibilityTimeout",
            SECONDS,
            30,
            "delivery.ack_timeout, and the wait of delivery.retry",
            _VISIBILITY,
        ),
        setting(
            "maxReceiveCount",
            "receipts",
            None,
            "delivery.retry.max_attempts, and delivery.dead_letter is true. Without it there is "
            "no dead-letter queue and a message comes again until its retention ends: here "
            f"{MOST_RECEIPTS} times, the most that a retry can count, and then it is lost",
            _DEAD_LETTERS,
        ),
        setting(
            "FifoQueue",
            TRUTH,
            False,
            "delivery.ordered: the key of a request is its MessageGroupId. Keys share the "
            f"partitions, {MESSAGE_GROUPS} unless partitions= says otherwise, and a partition "
            "belongs to an instance, while any SQS consumer may receive any group",
            _FIFO,
        ),
        setting(
            "DelaySeconds",
            SECONDS,
            0,
            "deliver: a constant time, instead of deliver=",
            _DELAY,
        ),
    ),
    (
        behaviour(
            "messages are generally delivered in the order in which they were sent, so that what "
            "becomes visible again comes before what was sent later",
            "delivery.requeue is head",
            _STANDARD,
        ),
        behaviour(
            "a consumer that crashes is noticed by the visibility timeout alone",
            "delivery.ack_timeout, also after a crash",
            _VISIBILITY,
        ),
        behaviour(
            "maxReceiveCount counts every receipt without a deletion, whatever became of the "
            "consumer",
            "delivery.retry counts every try, after a crash by delivery.ack_timeout",
            _DEAD_LETTERS,
        ),
        behaviour(
            "no other message of a group is returned while one of them is in flight",
            "with FifoQueue, a partition stands still while its first message is tried again, and "
            "rebalance is 0: nothing but the visibility timeout keeps a group",
            _FIFO,
        ),
        behaviour(
            "a FIFO queue does not introduce a message again that is sent again within the "
            "deduplication interval of five minutes",
            "with FifoQueue, deduplicates is 300: publishers give each message an id",
            _ONCE,
        ),
    ),
    {
        "ContentBasedDeduplication": "every publication is a message of its own, and nobody looks "
        "at its content: leave it out",
        "MessageRetentionPeriod": "nothing is deleted for its age: limit the receipts with "
        "maxReceiveCount",
        "MaxNumberOfMessages": "each worker receives one message, so that its visibility timeout "
        "begins when its handling does: leave it out",
        "ReceiveMessageWaitTimeSeconds": "nobody polls: a free worker gets a message as soon as "
        "there is one; leave it out",
    },
)


def sqs_fields(
    settings: Mapping[str, Any] | None,
    named: Mapping[str, Any],
    deliver: object = None,
    partitions: int | None = None,
) -> dict[str, Any]:
    """Return the fields of a broker that behaves like SQS with these settings."""
    given = Given(SQS, settings, named)
    invisible = given.number(
        "VisibilityTimeout", 1, 43_200, "give one in between; with 0 every message would be doubled"
    )
    attempts, dead_letter = MOST_RECEIPTS, "maxReceiveCount" in given
    if dead_letter:
        attempts = given.number("maxReceiveCount", 1, MOST_RECEIPTS)
    ordered = given.truth("FifoQueue")
    delivery = DeliveryPolicy(
        retry=Retry(max_attempts=attempts, backoff=Backoff(float(invisible), factor=1.0)),
        dead_letter=dead_letter,
        requeue="head",
        ack_timeout=float(invisible),
        ordered=ordered,
    )
    fields: dict[str, Any] = {"delivery": delivery}
    if ordered:
        groups = MESSAGE_GROUPS if partitions is None else partitions
        fields |= {"partitions": groups, "rebalance": 0.0, "deduplicates": KNOWN_FOR}
    elif partitions is not None:
        raise InvalidInput(
            f"{SQS.call}: partitions must be left out without FifoQueue=True, got {partitions!r}: "
            "a standard queue has no message groups"
        )
    return fields | _delay(given, deliver)


def _delay(given: Given, deliver: object) -> dict[str, Any]:
    delay = given.number("DelaySeconds", 0, 900)
    if delay and deliver is not None:
        raise given.refused(
            "DelaySeconds",
            f"contradicts deliver={deliver!r}",
            "say with deliver= how long a message travels in all, and leave it out",
        )
    return {"deliver": Constant(float(delay))} if delay else {}
