"""NATS JetStream: a consumer whose messages are redelivered until they are acknowledged.

Workers pull one message each, as JetStream's pull consumers do. A handler answers a
failure that another try may not meet with ``nak``, one that every try meets with ``term``.
Durations are seconds, or texts such as ``"30s"``, ``"500ms"``, ``"2m"``; the server's JSON
counts nanoseconds.
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import MOST_ATTEMPTS, Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.presets.given import Given
from eda_sim.scenario.presets.table import NUMBER, SECONDS, Page, Preset, behaviour, setting
from eda_sim.units import hour, minute, second

_CONSUMERS = Page("Consumers", "https://docs.nats.io/nats-concepts/jetstream/consumers")
_RESPONSES = Page(
    "Ack responses and redelivery", "https://docs.nats.io/learn/jetstream/acknowledgment"
)
_DELIVERY = Page(
    "Delivery and acknowledgment",
    "https://docs.nats.io/learn/jetstream/delivery-and-acknowledgment",
)
_STREAMS = Page(
    "JetStream Model Deep Dive",
    "https://docs.nats.io/using-nats/developer/develop_jetstream/model_deep_dive",
)

PENDING: Final = 1000
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": second / 1000, "s": second, "m": minute, "h": hour}
_POLICIES = {
    "AckExplicit": "explicit",
    "explicit": "explicit",
    "AckNone": "none",
    "none": "none",
}

NATS: Final = Preset(
    "nats",
    (
        setting(
            "AckPolicy",
            "AckExplicit, AckNone or AckAll",
            "AckExplicit",
            "delivery.guarantee: AckExplicit is at_least_once, AckNone at_most_once. AckAll "
            "cannot be expressed: each message is acknowledged for itself",
            _CONSUMERS,
        ),
        setting("AckWait", SECONDS, 30, "delivery.ack_timeout", _RESPONSES),
        setting(
            "MaxDeliver",
            NUMBER,
            -1,
            "delivery.retry.max_attempts; -1 is None, without end",
            _CONSUMERS,
        ),
        setting(
            "MaxAckPending",
            "messages",
            PENDING,
            "1 is delivery.ordered with a single partition: nothing is delivered until the "
            f"message before is acknowledged. From {PENDING} on, and for -1, workers are the "
            "limit. Nothing in between can be expressed",
            _DELIVERY,
        ),
        setting(
            "BackOff",
            "a list of seconds",
            None,
            "delivery.ack_timeout instead of AckWait, if all of them are equal; a timeout that "
            "grows cannot be expressed",
            _CONSUMERS,
        ),
        setting("nakWithDelay", SECONDS, 0, "the wait of delivery.retry", _CONSUMERS),
        setting(
            "duplicate_window",
            SECONDS,
            120,
            "deduplicates: publishers give each message an id (Nats-Msg-Id), and the stream knows "
            "it for so long",
            _STREAMS,
        ),
    ),
    (
        behaviour(
            "a nak asks for redelivery right away",
            "delivery.retry waits for nothing, and delivery.requeue is head",
            _RESPONSES,
        ),
        behaviour(
            "a worker that crashes is noticed because its acknowledgement does not come",
            "delivery.ack_timeout, also after a crash",
            _DELIVERY,
        ),
        behaviour(
            "MaxDeliver counts every delivery, whether it ended with a nak or nobody answered "
            "(NATS 2)",
            "delivery.retry counts every try, after a crash by delivery.ack_timeout",
            _CONSUMERS,
        ),
        behaviour(
            "there is no dead-letter queue: what is given up (MaxDeliver, term) stays in the "
            "stream, and an advisory names it",
            "delivery.dead_letter is true: what is known and kept can be handled later",
            _RESPONSES,
        ),
    ),
    {
        "Nats-Msg-Id": "every message has an id of its own here, which its publisher gives: say "
        "for how long the stream knows it with duplicate_window",
        "InactiveThreshold": "no consumer is forgotten here: leave it out",
    },
)


def nats_fields(settings: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a broker that behaves like JetStream with these settings."""
    given = Given(NATS, settings, named)
    if given.value("AckPolicy") in ("AckAll", "all"):
        raise given.refused(
            "AckPolicy",
            "must be 'AckExplicit' or 'AckNone'",
            "each message is acknowledged for itself; use AckExplicit",
        )
    window = _seconds(given, "duplicate_window", given.value("duplicate_window"))
    policy = given.word("AckPolicy", _POLICIES, "'AckExplicit' or 'AckNone'")
    if policy == "none":
        needless = ("AckWait", "MaxDeliver", "MaxAckPending", "BackOff", "nakWithDelay")
        given.leave_out(needless, "AckPolicy='AckNone', which waits for no acknowledgement")
        delivery = DeliveryPolicy(
            retry=Retry(max_attempts=1),
            dead_letter=False,
            guarantee="at_most_once",
            requeue="head",
        )
        return {"delivery": delivery, "deduplicates": window}
    one_by_one, attempts = _one_by_one(given), _attempts(given)
    delay = _seconds(given, "nakWithDelay", given.value("nakWithDelay"), may_be_zero=True)
    delivery = DeliveryPolicy(
        retry=Retry(max_attempts=attempts, backoff=Backoff(delay, factor=1.0)),
        requeue="head",
        ack_timeout=_ack_wait(given, attempts),
        ordered=one_by_one,
    )
    fields: dict[str, Any] = {"delivery": delivery, "deduplicates": window}
    return fields | ({"partitions": 1, "rebalance": 0.0} if one_by_one else {})


def _attempts(given: Given) -> int | None:
    if given.value("MaxDeliver") == -1:
        return None
    return given.number("MaxDeliver", 1, MOST_ATTEMPTS, "give one in between, or -1 for no limit")


def _one_by_one(given: Given) -> bool:
    pending = given.number("MaxAckPending", -1, 10**9)
    if pending == 1:
        return True
    if -1 < pending < PENDING:
        raise given.refused(
            "MaxAckPending",
            f"must be 1, -1, or at least {PENDING}",
            "no limit holds for several instances together; give the service that many workers",
        )
    return False


def _ack_wait(given: Given, attempts: int | None) -> float:
    if "BackOff" not in given:
        return _seconds(given, "AckWait", given.value("AckWait"))
    given.leave_out(("AckWait",), "BackOff, which overrides it")
    waits = given.value("BackOff")
    if not isinstance(waits, (list, tuple)) or not waits:
        raise given.refused("BackOff", "must be a list of durations", "give [30, 30], for example")
    seconds = {_seconds(given, "BackOff", wait) for wait in waits}
    if len(seconds) > 1:
        raise given.refused(
            "BackOff",
            "must hold the same duration throughout",
            "an acknowledgement timeout does not grow here; set AckWait, or "
            "nakWithDelay for the wait after a nak",
        )
    if attempts is not None and len(waits) > attempts:
        raise given.refused(
            "BackOff",
            f"must be no longer than MaxDeliver ({attempts})",
            "leave the last ones out",
        )
    return seconds.pop()


def _seconds(given: Given, name: str, value: object, *, may_be_zero: bool = False) -> float:
    """Return a duration in seconds: a number of them, or a text with its unit."""
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        seconds = float(found[1]) * _UNITS[found[2]] if found else -1.0
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        seconds = float(value)
    else:
        seconds = -1.0
    if seconds < 0 or (seconds == 0 and not may_be_zero):
        raise _no_duration(given, name)
    return seconds


def _no_duration(given: Given, name: str) -> InvalidInput:
    return given.refused(
        name, "must be seconds, or a text with one of ms, s, m, h", "give 30, or '30s'"
    )
