"""Redis Streams: a consumer group whose pending entries others may claim.

A worker reads one entry, and acknowledges it (``XACK``) once it is handled. Redis learns of
nothing else: after a failure or a crash the entry is pending until it has been idle for
``min-idle-time`` and someone claims it. Claims are made before new entries are read. Idle
time is counted from the reading after a crash, as Redis does, and from the failure after a
failure, which is later by the time that the failed attempt took.
"""

from collections.abc import Mapping
from typing import Any, Final

from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.presets.given import Given
from eda_sim.scenario.presets.table import (
    MILLISECONDS,
    TRUTH,
    Page,
    Preset,
    behaviour,
    setting,
)

_COMMANDS = "https://redis.io/docs/latest/commands"
_READ = Page("XREADGROUP", f"{_COMMANDS}/xreadgroup/")
_CLAIM = Page("XAUTOCLAIM", f"{_COMMANDS}/xautoclaim/")
_STREAMS = Page("Redis Streams", "https://redis.io/docs/latest/develop/data-types/streams/")

LONGEST: Final = 10**12

REDIS_STREAMS: Final = Preset(
    "redis_streams",
    (
        setting(
            "min-idle-time",
            MILLISECONDS,
            None,
            "delivery.ack_timeout, and the wait of delivery.retry. XAUTOCLAIM has no default; "
            "where nothing is given it is the hour of its page's example",
            _CLAIM,
            preset=3_600_000,
        ),
        setting(
            "COUNT",
            "entries",
            None,
            "how many entries a worker reads. Only 1 can be expressed, and is meant where nothing "
            "is given: more would be idle before their handling begins",
            _READ,
            preset=1,
        ),
        setting(
            "NOACK",
            TRUTH,
            False,
            "delivery.guarantee: at_most_once if true, else at_least_once",
            _READ,
        ),
    ),
    (
        behaviour(
            "after a crash a consumer goes through its pending entries first, and then reads new "
            "ones",
            "delivery.requeue is head",
            _READ,
        ),
        behaviour(
            "an entry stays pending until it is acknowledged, however often it was delivered",
            "delivery.retry has no end",
            _STREAMS,
        ),
        behaviour(
            "what cannot be processed is put in another stream, which is how Redis Streams "
            "implements dead letters",
            "delivery.dead_letter is true",
            _STREAMS,
        ),
    ),
    {
        "MAXLEN": "it evicts the oldest entries, handled or not, and nothing here does: leave it "
        "out, or bound a topic with Topic(capacity=...), which refuses the newest",
        "MINID": "nothing is deleted for its age: leave it out",
        "BLOCK": "nobody polls: a free worker gets an entry as soon as there is one; leave it out",
    },
)


def redis_streams_fields(
    settings: Mapping[str, Any] | None, named: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a broker that behaves like Redis Streams with these settings."""
    given = Given(REDIS_STREAMS, settings, named)
    given.number("COUNT", 1, 1, "a worker reads one entry at a time: give the service more workers")
    if given.truth("NOACK"):
        given.leave_out(("min-idle-time",), "NOACK=True, which leaves nothing pending")
        delivery = DeliveryPolicy(
            retry=Retry(max_attempts=1),
            dead_letter=False,
            guarantee="at_most_once",
            requeue="head",
        )
    else:
        idle = given.milliseconds("min-idle-time", 1, LONGEST)
        delivery = DeliveryPolicy(
            retry=Retry(max_attempts=None, backoff=Backoff(idle, factor=1.0)),
            requeue="head",
            ack_timeout=idle,
        )
    return {"delivery": delivery}
