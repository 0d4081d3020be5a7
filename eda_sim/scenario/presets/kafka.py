"""Kafka: partitions that consumers read in order, one consumer to a partition.

An instance is a consumer that hands each partition's records to its workers one at a time
and commits each record once it is handled. Kafka itself tries nothing again: a running
consumer reads on, and only a crash brings a record back, at the last committed position.
What fails is skipped, unless the settings of a Kafka Connect sink put it into a dead-letter
topic. Retries are the application's: say them with ``DeliveryPolicy(retry=..., ordered=True)``.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from eda_sim.scenario.delivery import DeliveryPolicy, Retry
from eda_sim.scenario.presets.given import Given
from eda_sim.scenario.presets.table import (
    MILLISECONDS,
    NUMBER,
    TEXT,
    TRUTH,
    Page,
    Preset,
    behaviour,
    setting,
)

_DOCUMENTATION = "https://kafka.apache.org/documentation/"
_PRODUCER = Page("Producer Configs", f"{_DOCUMENTATION}#producerconfigs")
_CONSUMER = Page("Consumer Configs", f"{_DOCUMENTATION}#consumerconfigs")
_BROKER = Page("Broker Configs", f"{_DOCUMENTATION}#brokerconfigs")
_CONNECT = Page("Kafka Connect Configs", f"{_DOCUMENTATION}#connectconfigs")
_KAFKA_CONSUMER = Page(
    "KafkaConsumer (javadoc)",
    "https://kafka.apache.org/43/javadoc/org/apache/kafka/clients/consumer/KafkaConsumer.html",
)
_DESIGN = Page("Consumer Position", f"{_DOCUMENTATION}#design_consumerposition")

LARGEST: Final = 2**31 - 1  # what Kafka's int holds

_ACKS: Final = {"all": "all", "-1": "all", -1: "all", "0": "none", 0: "none"}

KAFKA: Final = Preset(
    "kafka",
    (
        setting(
            "acks",
            "all (-1), 0 or 1",
            "all",
            "when_unreachable: all is wait (fail with retries=0), 0 is lose. 1 cannot be "
            "expressed: this broker has no replicas and loses nothing that it has accepted",
            _PRODUCER,
        ),
        setting(
            "enable.idempotence",
            TRUTH,
            True,
            "deduplicates: session where a publisher sends again, since a producer that has died "
            "and is back is another one. False is None: what is sent again is written again",
            _PRODUCER,
        ),
        setting(
            "retries",
            NUMBER,
            LARGEST,
            "when_unreachable: 0 is fail, the default is wait, without Kafka's "
            "delivery.timeout.ms; no other number can be expressed",
            _PRODUCER,
        ),
        setting(
            "request.timeout.ms",
            MILLISECONDS,
            30_000,
            "republish_after: when what got no answer is sent again",
            _PRODUCER,
        ),
        setting("num.partitions", "partitions of a topic", 1, "partitions", _BROKER),
        setting(
            "max.poll.records",
            "records",
            500,
            "nothing to set: however many a poll returns, a partition's records are handled one "
            "at a time, and each is committed once it is handled",
            _CONSUMER,
        ),
        setting(
            "enable.auto.commit",
            TRUTH,
            True,
            "false is delivery.guarantee at_least_once, committed record by record. True cannot "
            "be expressed, since what a crash repeats or misses then depends on the moment of the "
            "last commit; it is false here where nothing is given",
            _KAFKA_CONSUMER,
            preset=False,
        ),
        setting(
            "session.timeout.ms",
            MILLISECONDS,
            45_000,
            "rebalance: how long partitions of a dead consumer stand still. One that joins waits "
            "as long here",
            _CONSUMER,
        ),
        setting(
            "errors.tolerance",
            "none or all",
            "none",
            "all skips what fails, as a plain consumer does, which has no such setting. None "
            "cannot be expressed: no failure stops a subscriber",
            _CONNECT,
            preset=None,
        ),
        setting(
            "errors.deadletterqueue.topic.name",
            TEXT,
            "",
            "delivery.dead_letter, if it is set",
            _CONNECT,
        ),
    ),
    (
        behaviour(
            "a topic is a set of totally ordered partitions, each consumed by exactly one "
            "consumer of a group at a time",
            "delivery.ordered is true",
            _DESIGN,
        ),
        behaviour(
            "the position advances with every poll, whatever becomes of the records",
            "delivery.retry is a single attempt, and delivery.dead_letter is false",
            _KAFKA_CONSUMER,
        ),
        behaviour(
            "a consumer that restarts, or takes a partition over, begins at the last committed "
            "position",
            "delivery.guarantee is at_least_once",
            _KAFKA_CONSUMER,
        ),
    ),
    {
        "auto.commit.interval.ms": "every record is committed once it is handled: leave it out",
        "delivery.timeout.ms": "publishers wait until the broker is back, or fail at once: set "
        "retries=0 for the latter",
        "linger.ms": "say how long a publication takes with publish=",
        "max.poll.interval.ms": "a description's acknowledgement timeout would also be how the "
        "group learns of a crash, and Kafka learns it by session.timeout.ms: leave it out",
        "retry.backoff.ms": "the wait before sending again does not grow here: say it with "
        "request.timeout.ms",
        "errors.retry.timeout": "attempts are counted, not timed: say it with "
        "DeliveryPolicy(retry=Retry(max_attempts=...))",
    },
)


def kafka_fields(settings: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a broker that behaves like Kafka with these settings."""
    given = Given(KAFKA, settings, named)
    given.number("max.poll.records", 1, LARGEST)
    if given.truth("enable.auto.commit"):
        raise given.refused(
            "enable.auto.commit",
            "must be False",
            "records are committed one by one, when they are handled, and not every few seconds; "
            "leave it out",
        )
    return {
        "delivery": DeliveryPolicy(
            retry=Retry(max_attempts=1), dead_letter=_dead_letters(given), ordered=True
        ),
        "partitions": given.number("num.partitions", 1, LARGEST),
        "rebalance": given.milliseconds("session.timeout.ms", 1, LARGEST),
        "when_unreachable": (policy := _when_unreachable(given)),
        "deduplicates": "session" if policy == "wait" and _is_idempotent(given) else None,
        "republish_after": given.milliseconds("request.timeout.ms", 1, LARGEST),
    }


def _when_unreachable(given: Given) -> Literal["wait", "fail", "lose"]:
    if given.value("acks") in ("1", 1) and not isinstance(given.value("acks"), bool):
        raise given.refused(
            "acks",
            "must be 'all' or 0",
            "this broker has no replicas and loses nothing that it has accepted; set 'all'",
        )
    acks = given.word("acks", _ACKS, "'all' or 0")
    retries = _retries(given)
    if _is_idempotent(given) and (acks == "none" or not retries):
        conflict = "acks=0" if acks == "none" else "retries=0"
        given.leave_out(("enable.idempotence",), f"{conflict}: it needs acks='all' and retries")
    if acks == "none":
        given.leave_out(("retries",), "acks=0, which never learns of a failure")
        return "lose"
    return "wait" if retries else "fail"


def _is_idempotent(given: Given) -> bool:
    return given.truth("enable.idempotence")


def _retries(given: Given) -> bool:
    """Say whether a publisher sends again."""
    if given.number("retries", 0, LARGEST) not in (0, LARGEST):
        raise given.refused(
            "retries",
            f"must be 0 or {LARGEST}",
            "a publisher fails at once, or waits until the broker is back; set one of them",
        )
    return bool(given.value("retries"))


def _dead_letters(given: Given) -> bool:
    if "errors.tolerance" in given:
        if given.value("errors.tolerance") == "none":
            raise given.refused(
                "errors.tolerance",
                "must be 'all'",
                "no failure stops a subscriber; set 'all', or leave it out",
            )
        given.word("errors.tolerance", {"all": "all"}, "'all'")
    if not given.text("errors.deadletterqueue.topic.name"):
        return False
    if "errors.tolerance" not in given:
        raise given.refused(
            "errors.deadletterqueue.topic.name",
            "needs errors.tolerance='all'",
            "by default Kafka Connect stops at the first failure; set that too",
        )
    return True
