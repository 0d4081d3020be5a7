"""Presets: each product's settings, under its own names, build what its page says."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

import pytest

from eda_sim.errors import InvalidInput
from eda_sim.results.run import Run
from eda_sim.scenario.broker import Broker, Topic
from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry
from eda_sim.scenario.distributions import Constant, Exponential
from eda_sim.scenario.faults import BadDeployment, BrokerOutage, Outage
from eda_sim.scenario.presets import PRESETS, preset_behaviours, preset_settings
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.traffic import UniformKeys
from eda_sim.simulate import simulate
from tests.brokered import HALF, effects, ends, handling, seed_where, takes, world

# Whose documentation may be cited for a product.
HOSTS = {
    "rabbitmq": "www.rabbitmq.com",
    "kafka": "kafka.apache.org",
    "sqs": "docs.aws.amazon.com",
    "nats": "docs.nats.io",
    "redis_streams": "redis.io",
}
ENDLESS = 10**9  # RabbitMQ's "no limit", as a number that no run reaches
AGAIN_AT_ONCE = Backoff(0.0, factor=1.0)
ONCE = Retry(max_attempts=1)
AT_MOST_ONCE = DeliveryPolicy(
    retry=ONCE, dead_letter=False, guarantee="at_most_once", requeue="head"
)
ROWS = [(product, row) for product, preset in PRESETS.items() for row in preset.settings]


def preset(product: str) -> Callable[..., Broker]:
    """The classmethod of a product."""
    return getattr(Broker, product)


def every(seconds: float, attempts: int | None = None) -> Retry:
    """The same wait after each attempt."""
    return Retry(max_attempts=attempts, backoff=Backoff(seconds, factor=1.0))


def rabbit(**changes: Any) -> Broker:
    """RabbitMQ by hand: a quorum queue without dead letters, confirms or prefetch limit."""
    policy = {
        "retry": Retry(max_attempts=21, backoff=AGAIN_AT_ONCE),
        "dead_letter": False,
        "requeue": "head",
        "counts_crashes": True,
        "prefetch": ENDLESS,
    }
    own = {"when_unreachable": "lose"} | {k: v for k, v in changes.items() if k not in DELIVERY}
    policy |= {k: v for k, v in changes.items() if k in DELIVERY}
    return Broker(delivery=DeliveryPolicy(**policy), **own)


DELIVERY = {field.name for field in fields(DeliveryPolicy)}


def kafka(dead_letter: bool = False, **changes: Any) -> Broker:
    """Kafka by hand: one partition, in order, without any second try."""
    settings = {"partitions": 1, "rebalance": 45.0, "republish_after": 30.0} | changes
    # A producer that sends again is idempotent, unless it is told not to be.
    settings = {"deduplicates": None if "when_unreachable" in settings else "session"} | settings
    return Broker(
        delivery=DeliveryPolicy(retry=ONCE, dead_letter=dead_letter, ordered=True), **settings
    )


def sqs(visibility: float = 30.0, attempts: int = 1000, **changes: Any) -> Broker:
    """SQS by hand: invisible for half a minute, and no dead-letter queue."""
    policy = {
        "retry": every(visibility, attempts),
        "dead_letter": attempts < 1000,
        "requeue": "head",
        "ack_timeout": visibility,
    }
    policy |= {k: v for k, v in changes.items() if k in DELIVERY}
    return Broker(
        delivery=DeliveryPolicy(**policy), **{k: v for k, v in changes.items() if k not in DELIVERY}
    )


def nats(retry: Retry | None = None, wait: float = 30.0, **changes: Any) -> Broker:
    """JetStream by hand: explicit acknowledgement within half a minute, without end."""
    policy = {"retry": retry or every(0.0), "requeue": "head", "ack_timeout": wait}
    policy |= {k: v for k, v in changes.items() if k in DELIVERY}
    settings = {"deduplicates": 120.0} | changes
    return Broker(
        delivery=DeliveryPolicy(**policy),
        **{k: v for k, v in settings.items() if k not in DELIVERY},
    )


def redis(idle: float) -> Broker:
    """Redis Streams by hand: claimed after a while, without end."""
    return Broker(delivery=DeliveryPolicy(retry=every(idle), requeue="head", ack_timeout=idle))


# -- what is built -------------------------------------------------------------------

BUILT: list[tuple[str, dict[str, Any], Broker]] = [
    ("rabbitmq", {}, rabbit()),
    ("rabbitmq", {"prefetch_count": 20}, rabbit(prefetch=20)),
    ("rabbitmq", {"prefetch_count": 0}, rabbit()),
    (
        "rabbitmq",
        {"auto_ack": True},
        Broker(
            delivery=DeliveryPolicy(
                retry=ONCE,
                dead_letter=False,
                guarantee="at_most_once",
                requeue="head",
                prefetch=ENDLESS,
            ),
            when_unreachable="lose",
        ),
    ),
    (
        "rabbitmq",
        {"requeue": False},
        rabbit(retry=Retry(max_attempts=1, backoff=AGAIN_AT_ONCE), counts_crashes=False),
    ),
    (
        "rabbitmq",
        {"requeue": False, "x-dead-letter-exchange": "dlx"},
        rabbit(
            retry=Retry(max_attempts=1, backoff=AGAIN_AT_ONCE),
            dead_letter=True,
            counts_crashes=False,
        ),
    ),
    ("rabbitmq", {"x-dead-letter-exchange": "dlx"}, rabbit(dead_letter=True)),
    ("rabbitmq", {"x-dead-letter-exchange": ""}, rabbit(dead_letter=True)),
    ("rabbitmq", {"x-delivery-limit": 2}, rabbit(retry=every(0.0, 3))),
    ("rabbitmq", {"x-delivery-limit": 0}, rabbit(retry=every(0.0, 1))),
    (
        "rabbitmq",
        {"x-delivery-limit": -1, "x-dead-letter-exchange": "dlx"},
        rabbit(retry=every(0.0), dead_letter=True, requeue="tail", counts_crashes=False),
    ),
    (
        "rabbitmq",
        {"x-queue-type": "classic", "x-dead-letter-exchange": "dlx"},
        rabbit(retry=every(0.0), dead_letter=True, counts_crashes=False),
    ),
    (
        "rabbitmq",
        {"x-queue-type": "classic", "requeue": False},
        rabbit(retry=every(0.0, 1), counts_crashes=False),
    ),
    (
        "rabbitmq",
        {
            "x-max-length": 1000,
            "x-overflow": "reject-publish",
            "prefetch_count": 1,
            "topics": ["Placed", "Paid"],
        },
        rabbit(
            prefetch=1,
            topics={name: Topic(capacity=1000, when_full="drop") for name in ("Placed", "Paid")},
        ),
    ),
    ("rabbitmq", {"confirm.select": True}, rabbit(when_unreachable="wait")),
    ("kafka", {}, kafka()),
    ("kafka", {"acks": -1}, kafka()),
    ("kafka", {"acks": "0"}, kafka(when_unreachable="lose")),
    ("kafka", {"acks": 0, "enable.idempotence": False}, kafka(when_unreachable="lose")),
    ("kafka", {"enable.idempotence": False}, kafka(deduplicates=None)),
    ("kafka", {"retries": 0}, kafka(when_unreachable="fail")),
    ("kafka", {"retries": 0, "enable.idempotence": False}, kafka(when_unreachable="fail")),
    ("kafka", {"request.timeout.ms": 500}, kafka(republish_after=0.5)),
    ("kafka", {"num.partitions": 12}, kafka(partitions=12)),
    ("kafka", {"max.poll.records": 1}, kafka()),
    ("kafka", {"session.timeout.ms": 6000}, kafka(rebalance=6.0)),
    ("kafka", {"errors.tolerance": "all"}, kafka()),
    (
        "kafka",
        {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq"},
        kafka(dead_letter=True),
    ),
    ("sqs", {}, sqs()),
    ("sqs", {"VisibilityTimeout": 43_200}, sqs(43_200.0)),
    ("sqs", {"maxReceiveCount": 5}, sqs(attempts=5)),
    (
        "sqs",
        {"FifoQueue": True},
        sqs(ordered=True, partitions=1000, rebalance=0.0, deduplicates=300.0),
    ),
    (
        "sqs",
        {"FifoQueue": True, "partitions": 7},
        sqs(ordered=True, partitions=7, rebalance=0.0, deduplicates=300.0),
    ),
    ("sqs", {"DelaySeconds": 15}, sqs(deliver=Constant(15.0))),
    ("nats", {}, nats()),
    ("nats", {"AckPolicy": "explicit"}, nats()),
    ("nats", {"AckPolicy": "AckNone"}, Broker(delivery=AT_MOST_ONCE, deduplicates=120.0)),
    ("nats", {"duplicate_window": "30s"}, nats(deduplicates=30.0)),
    ("nats", {"AckWait": 12.5}, nats(wait=12.5)),
    ("nats", {"AckWait": "500ms"}, nats(wait=0.5)),
    ("nats", {"AckWait": "1.5h"}, nats(wait=5400.0)),
    ("nats", {"MaxDeliver": 5}, nats(every(0.0, 5))),
    ("nats", {"MaxAckPending": 1}, nats(ordered=True, partitions=1, rebalance=0.0)),
    ("nats", {"MaxAckPending": -1}, nats()),
    ("nats", {"MaxAckPending": 5000}, nats()),
    ("nats", {"BackOff": ["2m", 120], "MaxDeliver": 2}, nats(every(0.0, 2), wait=120.0)),
    ("nats", {"nakWithDelay": "5s"}, nats(every(5.0))),
    ("redis_streams", {}, redis(3600.0)),
    ("redis_streams", {"min-idle-time": 30_000}, redis(30.0)),
    ("redis_streams", {"COUNT": 1}, redis(3600.0)),
    ("redis_streams", {"NOACK": True}, Broker(delivery=AT_MOST_ONCE)),
]


def build(product: str, settings: dict[str, Any]) -> Broker:
    """Call a preset with product settings as a mapping, and with the model's own by keyword."""
    own = {name: settings[name] for name in ("topics", "partitions") if name in settings}
    return preset(product)({k: v for k, v in settings.items() if k not in own}, **own)


@pytest.mark.parametrize(("product", "settings", "by_hand"), BUILT)
def test_a_preset_builds_the_broker_that_one_would_write(
    product: str, settings: dict[str, Any], by_hand: Broker
) -> None:
    """A setting becomes what its table says: the broker is equal to one written by hand."""
    assert build(product, settings) == by_hand


def test_every_setting_is_changed_somewhere() -> None:
    """The cases above leave no setting of any table out."""
    tried = {(product, name) for product, settings, _ in BUILT for name in settings}
    only_one_value = {("kafka", "enable.auto.commit")}
    assert {(product, row.name) for product, row in ROWS} - tried == only_one_value


@pytest.mark.parametrize(("product", "settings", "by_hand"), BUILT)
def test_keywords_say_the_same_as_a_mapping(
    product: str, settings: dict[str, Any], by_hand: Broker
) -> None:
    """Settings may be given by keyword or in a mapping, and some in each."""
    assert preset(product)(**settings) == by_hand


@pytest.mark.parametrize("product", PRESETS)
def test_latencies_are_this_models_own_words(product: str) -> None:
    """What no product names is said with publish, deliver and turnaround."""
    times = {
        "publish": Constant(0.002),
        "deliver": Exponential(0.005),
        "turnaround": Constant(0.001),
    }
    by_hand = {field.name: getattr(preset(product)(), field.name) for field in fields(Broker)}
    assert preset(product)(**times) == Broker(**(by_hand | times))


@pytest.mark.parametrize(("product", "settings", "by_hand"), BUILT)
def test_a_preset_is_plain_data(product: str, settings: dict[str, Any], by_hand: Broker) -> None:
    """A scenario with a preset goes through YAML unchanged; nothing of the preset is left."""
    scenario = world([0.0], takes(1.0)).replace(broker=build(product, settings))
    text = scenario.to_yaml()
    assert type(scenario.broker) is Broker
    assert Scenario.from_yaml(text) == scenario
    assert product not in text


# -- the tables ----------------------------------------------------------------------


@pytest.mark.parametrize(("product", "row"), ROWS)
def test_saying_what_is_taken_anyway_changes_nothing(product: str, row: Any) -> None:
    """The code takes its defaults from the table: given explicitly, each builds the same."""
    if row.preset is None or row.name == "x-overflow":  # which needs x-max-length
        return
    assert build(product, {row.name: row.preset}) == preset(product)()


def test_only_defaults_that_cannot_be_expressed_are_replaced() -> None:
    """A preset differs from the product's own default only where saying that is refused."""
    replaced = [(product, row) for product, row in ROWS if row.default != row.preset]
    assert {(product, row.name) for product, row in replaced} == {
        ("rabbitmq", "requeue"),
        ("rabbitmq", "x-queue-type"),
        ("kafka", "enable.auto.commit"),
        ("kafka", "errors.tolerance"),
        ("redis_streams", "min-idle-time"),
        ("redis_streams", "COUNT"),
    }
    for product, row in replaced:
        with pytest.raises(InvalidInput, match=re.escape(f"Broker.{product}: {row.name} ")):
            build(product, {row.name: row.default})


def test_every_row_cites_a_page_of_its_product() -> None:
    """Each setting and each behaviour names title and address of the product's own page."""
    for product in PRESETS:
        for row in (*preset_settings(product), *preset_behaviours(product)):
            assert row.title
            assert urlsplit(row.url)[:2] == ("https", HOSTS[product])


def test_rows_speak_of_fields_that_exist() -> None:
    """Wherever a row says delivery.something, a delivery has that field."""
    known = {"delivery." + name for name in DELIVERY} | {
        "delivery.retry." + field.name for field in fields(Retry)
    }
    for product in PRESETS:
        for row in (*preset_settings(product), *preset_behaviours(product)):
            said = {name.rstrip(".") for name in re.findall(r"\bdelivery\.[a-z_.]+", row.becomes)}
            assert said <= known | {"delivery.timeout.ms"}, row


@pytest.mark.parametrize("product", PRESETS)
def test_the_docstring_has_the_table(product: str) -> None:
    """Help for a preset names each setting with its unit, its default and its page."""
    text = inspect.getdoc(preset(product)) or ""
    for row in preset_settings(product):
        default = "no default" if row.default is None else f"default {row.default!r}"
        assert f"``{row.name}`` ({row.unit}; {default}" in text
        assert f"{row.title}, {row.url}" in text


def test_a_table_is_asked_for_by_a_known_product() -> None:
    """A misspelt product is refused with the nearest one."""
    with pytest.raises(InvalidInput) as caught:
        preset_settings("rabbit")
    assert str(caught.value) == (
        "product must be one that has a preset, got 'rabbit': did you mean 'rabbitmq'?"
    )


# -- what is refused -----------------------------------------------------------------

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "kafka",
        {"max.poll.record": 100},
        "max.poll.record is not a known setting, got 100: did you mean 'max.poll.records'?",
    ),
    (
        "kafka",
        {"session_timeout_ms": 6000},
        "session_timeout_ms is not a known setting, got 6000: did you mean 'session.timeout.ms'?",
    ),
    (
        "rabbitmq",
        {"prefetch": 5},
        "prefetch is not a known setting, got 5: did you mean 'prefetch_count'?",
    ),
    (
        "sqs",
        {"VisibilityTimeOut": 5},
        "VisibilityTimeOut is not a known setting, got 5: did you mean 'VisibilityTimeout'?",
    ),
    (
        "nats",
        {"ack_wait": 5},
        "ack_wait is not a known setting, got 5: did you mean 'AckWait'?",
    ),
    (
        "redis_streams",
        {"MIN_IDLE": 5},
        "MIN_IDLE is not a known setting, got 5: did you mean 'MINID'?",
    ),
    (
        "rabbitmq",
        {"prefetch_count": -1},
        "prefetch_count must be a whole number from 0 to 1000000000, got -1: give one in between",
    ),
    (
        "rabbitmq",
        {"auto_ack": 1},
        "auto_ack must be true or false, got 1: give True or False",
    ),
    (
        "rabbitmq",
        {"x-dead-letter-exchange": True},
        "x-dead-letter-exchange must be a text, got True: give it a name, or leave it out",
    ),
    (
        "rabbitmq",
        {"x-queue-type": "stream"},
        "x-queue-type must be 'quorum' or 'classic', got 'stream': give one of them",
    ),
    (
        "rabbitmq",
        {"x-delivery-limit": 1000},
        "x-delivery-limit must be a whole number from -1 to 999, got 1000: give one in between, "
        "-1 for no limit",
    ),
    (
        "rabbitmq",
        {"x-delivery-limit": -1},
        "x-delivery-limit needs x-dead-letter-exchange, got -1: a message that always fails would "
        "be requeued for ever; set that, or requeue=False, or an x-delivery-limit on a quorum "
        "queue",
    ),
    (
        "rabbitmq",
        {"x-queue-type": "classic"},
        "x-queue-type needs x-dead-letter-exchange, got 'classic': a message that always fails "
        "would be requeued for ever; set that, or requeue=False, or an x-delivery-limit on a "
        "quorum queue",
    ),
    (
        "rabbitmq",
        {"x-queue-type": "classic", "x-delivery-limit": 3},
        "x-delivery-limit contradicts x-queue-type='classic': only quorum queues have it, got 3: "
        "leave one of them out",
    ),
    (
        "rabbitmq",
        {"requeue": False, "x-delivery-limit": 3},
        "x-delivery-limit contradicts requeue=False, which returns nothing to the queue, got 3: "
        "leave one of them out",
    ),
    (
        "rabbitmq",
        {"auto_ack": True, "x-dead-letter-exchange": "dlx"},
        "x-dead-letter-exchange contradicts auto_ack=True, which acknowledges before handling, "
        "got 'dlx': leave one of them out",
    ),
    (
        "rabbitmq",
        {"auto_ack": True, "prefetch_count": 5},
        "prefetch_count contradicts auto_ack=True, which knows no limit, got 5: leave one of them "
        "out",
    ),
    (
        "rabbitmq",
        {"x-max-length": 5, "prefetch_count": 1, "topics": ["Placed"]},
        "x-overflow must be 'reject-publish', got 'drop-head': a full topic refuses the newest "
        "message, and drops neither the oldest nor into a dead-letter queue; set it, or leave "
        "x-max-length out",
    ),
    (
        "rabbitmq",
        {"x-max-length": 5, "x-overflow": "reject-publish", "topics": ["Placed"]},
        "x-max-length needs a prefetch_count, got 5: consumers without limit take all there is, "
        "and nothing is left for RabbitMQ to count; set prefetch_count, or leave x-max-length out",
    ),
    (
        "rabbitmq",
        {"x-max-length": 5, "x-overflow": "reject-publish", "prefetch_count": 1},
        "topics must name the messages that x-max-length holds for, got (): give "
        "topics=['OrderPlaced', ...]",
    ),
    (
        "rabbitmq",
        {"topics": ["Placed"]},
        "topics must be left out without x-max-length, got ['Placed']: they name the messages "
        "whose queues are bounded",
    ),
    (
        "rabbitmq",
        {"x-overflow": "reject-publish"},
        "x-overflow contradicts a queue without x-max-length, which never overflows, got "
        "'reject-publish': leave one of them out",
    ),
    (
        "rabbitmq",
        {"consumer_timeout": 60_000},
        "consumer_timeout cannot be expressed here, got 60000: a description's acknowledgement "
        "timeout is also how the broker learns of a crash, and RabbitMQ sees the connection "
        "close: leave it out",
    ),
    (
        "kafka",
        {"acks": 1},
        "acks must be 'all' or 0, got 1: this broker has no replicas and loses nothing that it "
        "has accepted; set 'all'",
    ),
    ("kafka", {"acks": "most"}, "acks must be 'all' or 0, got 'most': give one of them"),
    (
        "kafka",
        {"enable.auto.commit": True},
        "enable.auto.commit must be False, got True: records are committed one by one, when they "
        "are handled, and not every few seconds; leave it out",
    ),
    (
        "kafka",
        {"acks": 0, "enable.idempotence": True},
        "enable.idempotence contradicts acks=0: it needs acks='all' and retries, got True: leave "
        "one of them out",
    ),
    (
        "kafka",
        {"acks": 0, "retries": 0},
        "retries contradicts acks=0, which never learns of a failure, got 0: leave one of them out",
    ),
    (
        "kafka",
        {"retries": 3},
        "retries must be 0 or 2147483647, got 3: a publisher fails at once, or waits until the "
        "broker is back; set one of them",
    ),
    (
        "kafka",
        {"num.partitions": 0},
        "num.partitions must be a whole number from 1 to 2147483647, got 0: give one in between",
    ),
    (
        "kafka",
        {"session.timeout.ms": 4.5},
        "session.timeout.ms must be a whole number from 1 to 2147483647, got 4.5: give one in "
        "between",
    ),
    (
        "kafka",
        {"max.poll.records": 0},
        "max.poll.records must be a whole number from 1 to 2147483647, got 0: give one in between",
    ),
    (
        "kafka",
        {"errors.tolerance": "none"},
        "errors.tolerance must be 'all', got 'none': no failure stops a subscriber; set 'all', or "
        "leave it out",
    ),
    (
        "kafka",
        {"errors.deadletterqueue.topic.name": "dlq"},
        "errors.deadletterqueue.topic.name needs errors.tolerance='all', got 'dlq': by default "
        "Kafka Connect stops at the first failure; set that too",
    ),
    (
        "sqs",
        {"VisibilityTimeout": 0},
        "VisibilityTimeout must be a whole number from 1 to 43200, got 0: give one in between; "
        "with 0 every message would be doubled",
    ),
    (
        "sqs",
        {"maxReceiveCount": 1001},
        "maxReceiveCount must be a whole number from 1 to 1000, got 1001: give one in between",
    ),
    (
        "sqs",
        {"ContentBasedDeduplication": True},
        "ContentBasedDeduplication cannot be expressed here, got True: every publication is a "
        "message of its own, and nobody looks at its content: leave it out",
    ),
    (
        "sqs",
        {"DelaySeconds": 901},
        "DelaySeconds must be a whole number from 0 to 900, got 901: give one in between",
    ),
    (
        "sqs",
        {"DelaySeconds": 5, "deliver": Constant(1.0)},
        "DelaySeconds contradicts deliver=Constant(1.0), got 5: say with deliver= how long a "
        "message travels in all, and leave it out",
    ),
    (
        "sqs",
        {"partitions": 4},
        "partitions must be left out without FifoQueue=True, got 4: a standard queue has no "
        "message groups",
    ),
    (
        "nats",
        {"AckWait": "30 sec"},
        "AckWait must be seconds, or a text with one of ms, s, m, h, got '30 sec': give 30, or "
        "'30s'",
    ),
    (
        "nats",
        {"AckWait": 0},
        "AckWait must be seconds, or a text with one of ms, s, m, h, got 0: give 30, or '30s'",
    ),
    (
        "nats",
        {"AckPolicy": "AckAll"},
        "AckPolicy must be 'AckExplicit' or 'AckNone', got 'AckAll': each message is acknowledged "
        "for itself; use AckExplicit",
    ),
    (
        "nats",
        {"AckPolicy": "AckNone", "AckWait": 5},
        "AckWait contradicts AckPolicy='AckNone', which waits for no acknowledgement, got 5: "
        "leave one of them out",
    ),
    (
        "nats",
        {"MaxDeliver": 0},
        "MaxDeliver must be a whole number from 1 to 100000, got 0: give one in between, or -1 for "
        "no limit",
    ),
    (
        "nats",
        {"MaxAckPending": 10},
        "MaxAckPending must be 1, -1, or at least 1000, got 10: no limit holds for several "
        "instances together; give the service that many workers",
    ),
    (
        "nats",
        {"BackOff": [1, 5, 30]},
        "BackOff must hold the same duration throughout, got [1, 5, 30]: an acknowledgement "
        "timeout does not grow here; set AckWait, or nakWithDelay for the wait after a nak",
    ),
    (
        "nats",
        {"BackOff": [5], "AckWait": 5},
        "AckWait contradicts BackOff, which overrides it, got 5: leave one of them out",
    ),
    (
        "nats",
        {"BackOff": [5, 5, 5], "MaxDeliver": 2},
        "BackOff must be no longer than MaxDeliver (2), got [5, 5, 5]: leave the last ones out",
    ),
    (
        "nats",
        {"BackOff": 5},
        "BackOff must be a list of durations, got 5: give [30, 30], for example",
    ),
    (
        "redis_streams",
        {"COUNT": 10},
        "COUNT must be 1, got 10: a worker reads one entry at a time: "
        "give the service more workers",
    ),
    (
        "redis_streams",
        {"NOACK": True, "min-idle-time": 1000},
        "min-idle-time contradicts NOACK=True, which leaves nothing pending, got 1000: leave one "
        "of them out",
    ),
    (
        "redis_streams",
        {"min-idle-time": "30s"},
        "min-idle-time must be a whole number from 1 to 1000000000000, got '30s': give one in "
        "between",
    ),
    (
        "redis_streams",
        {"MAXLEN": 1000},
        "MAXLEN cannot be expressed here, got 1000: it evicts the oldest entries, handled or not, "
        "and nothing here does: leave it out, or bound a topic with Topic(capacity=...), which "
        "refuses the newest",
    ),
]


@pytest.mark.parametrize(("product", "settings", "line"), REFUSED)
def test_what_cannot_be_said_is_refused_in_one_line(
    product: str, settings: dict[str, Any], line: str
) -> None:
    """Unknown names, wrong values, contradictions and what has no words: place, rule, remedy."""
    with pytest.raises(InvalidInput) as caught:
        preset(product)(**settings)
    assert str(caught.value) == f"Broker.{product}: {line}"


@pytest.mark.parametrize("product", PRESETS)
def test_nothing_that_is_inexpressible_is_ignored(product: str) -> None:
    """Whatever a table calls inexpressible is refused with its reason, whatever its value."""
    for name, reason in PRESETS[product].inexpressible.items():
        for value in (0, 1000, True, "any"):
            with pytest.raises(InvalidInput, match=re.escape(reason)):
                preset(product)({name: value})


def test_a_setting_is_given_once() -> None:
    """A setting in the mapping and by keyword is refused, rather than one of them ignored."""
    with pytest.raises(InvalidInput) as caught:
        Broker.rabbitmq({"prefetch_count": 5}, prefetch_count=6)
    assert str(caught.value) == (
        "Broker.rabbitmq: prefetch_count must be given once, got 5 and 6: leave one out"
    )
    with pytest.raises(InvalidInput) as caught:
        Broker.kafka(["acks"])  # type: ignore[arg-type]
    assert str(caught.value) == (
        "Broker.kafka takes a mapping of setting names, got ['acks']: give {'acks': ...}, or "
        "keyword arguments"
    )


# -- what it does --------------------------------------------------------------------


def run(broker: Broker, at: list[float], work: Any, seed: int = 0, **settings: Any) -> Run:
    """One subscriber of a preset's messages."""
    return simulate(world(at, work, **settings).replace(broker=broker), seed)


CRASH = {"instances": 2, "faults": [Outage("worker", at=2.0, lasts=1.0, instances=1)]}


@pytest.mark.parametrize(
    ("broker", "again_at"),
    [
        (Broker.sqs(), 30.0),
        (Broker.sqs(VisibilityTimeout=8), 8.0),
        (Broker.nats(AckWait="10s"), 10.0),
        (Broker.redis_streams({"min-idle-time": 12_000}), 12.0),
        (Broker.rabbitmq(), 2.0),
    ],
)
def test_a_crashed_consumers_message_comes_again(broker: Broker, again_at: float) -> None:
    """After the timeout, counted from the receipt; at once where the connection tells."""
    crashed = run(broker, [0.0], takes(5.0), **CRASH)
    assert handling(crashed) == [(0, 0.0), (0, again_at)]
    assert effects(crashed) == [(0, again_at + 5.0)]


@pytest.mark.parametrize(
    ("broker", "crashes", "end"),
    [
        # Two receipts, each of which dies at half of its second of work.
        (Broker.rabbitmq({"x-delivery-limit": 1}), (0.5, 1.5), ("lost", 1.5, 2)),
        (
            Broker.rabbitmq({"x-delivery-limit": 1, "x-dead-letter-exchange": "dlx"}),
            (0.5, 1.5),
            ("dead_lettered", 1.5, 2),
        ),
        (Broker.sqs(VisibilityTimeout=2, maxReceiveCount=2), (0.5, 2.5), ("dead_lettered", 4.0, 2)),
        (Broker.nats(AckWait="2s", MaxDeliver=2), (0.5, 2.5), ("dead_lettered", 4.0, 2)),
        # One more would have been allowed.
        (Broker.rabbitmq({"x-delivery-limit": 2}), (0.5, 1.5), ("handled", 2.75, 3)),
        (Broker.sqs(VisibilityTimeout=2, maxReceiveCount=3), (0.5, 2.5), ("handled", 5.0, 3)),
        (Broker.nats(AckWait="2s", MaxDeliver=3), (0.5, 2.5), ("handled", 5.0, 3)),
        # These know no limit, or one that counts rejections only.
        (
            Broker.rabbitmq({"x-queue-type": "classic", "x-dead-letter-exchange": "dlx"}),
            (0.5, 1.5),
            ("handled", 2.75, 3),
        ),
        (Broker.rabbitmq(requeue=False), (0.5, 1.5), ("handled", 2.75, 3)),
        (Broker.kafka({"session.timeout.ms": 1000}), (0.5, 2.25), ("handled", 4.25, 3)),
        (Broker.redis_streams({"min-idle-time": 2000}), (0.5, 2.5), ("handled", 5.0, 3)),
    ],
)
def test_a_crash_counts_where_the_product_counts_it(
    broker: Broker, crashes: tuple[float, float], end: tuple[str, float, int]
) -> None:
    """A message whose first two attempts die: given up where both count, otherwise handled."""
    faults = [Outage("worker", at=at, lasts=0.25) for at in crashes]
    assert ends(run(broker, [0.0], takes(1.0), faults=faults)) == [end]


def test_a_partition_stands_still_until_the_session_has_timed_out() -> None:
    """A Kafka consumer that dies at 2 s and is back at 3 s reads on at 8 s, from the record that
    it had not committed, and in order."""
    broker = Broker.kafka({"session.timeout.ms": 6000})
    outage = Outage("worker", at=2.0, lasts=1.0)
    crashed = run(broker, [0.0, 0.5], takes(5.0), keys=UniformKeys(1), faults=[outage])
    assert handling(crashed) == [(0, 0.0), (0, 8.0), (1, 13.0)]


@pytest.mark.parametrize(
    "broker",
    [
        Broker.rabbitmq(auto_ack=True),
        Broker.nats(AckPolicy="AckNone"),
        Broker.redis_streams(NOACK=True),
    ],
)
def test_what_is_acknowledged_before_is_lost_in_a_crash(broker: Broker) -> None:
    """Automatic acknowledgement is at most once: the crash loses the message in hand."""
    crashed = run(broker, [0.0], takes(5.0), **CRASH)
    assert ends(crashed) == [("lost", 2.0, 1)]


@pytest.mark.parametrize(
    ("broker", "order"),
    [
        (Broker.nats(), [0, 0, 1, 2]),
        (Broker.rabbitmq(prefetch_count=1), [0, 0, 1, 2]),
        (Broker.rabbitmq(), [0, 1, 2, 0]),
        (
            Broker.rabbitmq(
                {"x-delivery-limit": -1, "x-dead-letter-exchange": "dlx"}, prefetch_count=1
            ),
            [0, 1, 2, 0],
        ),
        (Broker.sqs(VisibilityTimeout=4), [0, 1, 2, 0]),
        (Broker.kafka(), [0, 1, 2]),
    ],
)
def test_a_failed_message_comes_back_where_the_broker_puts_it(
    broker: Broker, order: list[int]
) -> None:
    """A nak comes back first, and what RabbitMQ requeues does so if the others are still in the
    queue; without a delivery limit it comes last. SQS keeps it invisible for longer than the
    others take; Kafka reads on."""
    failing = run(
        broker,
        [0.0, 0.25, 0.5],
        takes(1.0, transient=HALF),
        seed=seed_where({0: [True, False]}, 3),
    )
    assert [request for request, _ in handling(failing)] == order


ALWAYS = {"faults": [BadDeployment("worker", 1.0, at=0.0, lasts=100.0)]}


@pytest.mark.parametrize(
    ("broker", "end"),
    [
        (Broker.rabbitmq({"x-delivery-limit": 2}), ("lost", 3.0, 3)),
        (
            Broker.rabbitmq({"x-delivery-limit": 2, "x-dead-letter-exchange": "dlx"}),
            ("dead_lettered", 3.0, 3),
        ),
        (Broker.rabbitmq(requeue=False), ("lost", 1.0, 1)),
        (Broker.kafka(), ("lost", 1.0, 1)),
        (Broker.sqs(VisibilityTimeout=10, maxReceiveCount=2), ("dead_lettered", 12.0, 2)),
        (Broker.nats(MaxDeliver=3, nakWithDelay=5), ("dead_lettered", 13.0, 3)),
    ],
)
def test_a_message_that_always_fails_is_given_up(
    broker: Broker, end: tuple[str, float, int]
) -> None:
    """As often as the limit says, after the product's waits, and then where the product puts it."""
    assert ends(run(broker, [0.0], takes(1.0), **ALWAYS)) == [end]


def test_without_a_prefetch_count_rabbitmq_pushes_everything() -> None:
    """No limit is no fairness: what was pushed to a busy consumer waits there, though the other
    one is idle. With a prefetch count of 1 it goes to whoever is free."""
    at, work = [0.0, 0.25, 0.5], takes([10.0, 1.0, 1.0])
    pushed = run(Broker.rabbitmq(), at, work, instances=2)
    assert handling(pushed) == [(0, 0.0), (1, 0.25), (2, 10.0)]
    fair = run(Broker.rabbitmq(prefetch_count=1), at, work, instances=2)
    assert handling(fair) == [(0, 0.0), (1, 0.25), (2, 1.25)]


@pytest.mark.parametrize(
    "broker", [Broker.kafka({"num.partitions": 4}), Broker.sqs(FifoQueue=True, partitions=4)]
)
def test_a_key_stays_in_order(broker: Broker) -> None:
    """With one key, four partitions and four workers nothing is handled side by side."""
    at = [0.0, 0.25, 0.5]
    ordered = run(broker, at, takes([3.0, 2.0, 1.0]), workers=4, keys=UniformKeys(1))
    assert handling(ordered) == [(0, 0.0), (1, 3.0), (2, 5.0)]
    unordered = run(Broker.sqs(), at, takes([3.0, 2.0, 1.0]), workers=4, keys=UniformKeys(1))
    assert handling(unordered) == [(0, 0.0), (1, 0.25), (2, 0.5)]


def test_one_pending_acknowledgement_is_strict_order() -> None:
    """With MaxAckPending 1 the next message waits for the one before, its redelivery included."""
    at, seed = [0.0, 0.25], seed_where({0: [True, False]}, 2)
    work = takes(1.0, transient=HALF)
    one = run(Broker.nats(MaxAckPending=1, nakWithDelay=2), at, work, seed)
    assert handling(one) == [(0, 0.0), (0, 3.0), (1, 4.0)]
    many = run(Broker.nats(nakWithDelay=2), at, work, seed)
    assert handling(many) == [(0, 0.0), (1, 1.0), (0, 3.0)]


@pytest.mark.parametrize(
    ("broker", "fate"),
    [
        (Broker.rabbitmq(), "lost"),
        (Broker.rabbitmq({"confirm.select": True}), "handled"),
        (Broker.kafka(), "handled"),
        (Broker.kafka(acks=0), "lost"),
    ],
)
def test_only_who_waits_for_a_confirmation_loses_nothing(broker: Broker, fate: str) -> None:
    """While the broker is down, a publisher without confirmation loses what it publishes."""
    down = run(broker, [2.0], takes(1.0), faults=[BrokerOutage(at=1.0, lasts=5.0)])
    assert [end[0] for end in ends(down)] == [fate]


def test_a_full_queue_rejects_the_newest() -> None:
    """With x-max-length 2 the third message of three at once is not accepted."""
    broker = Broker.rabbitmq(
        {"x-max-length": 2, "x-overflow": "reject-publish"}, prefetch_count=1, topics=["Placed"]
    )
    full = run(broker, [0.0, 0.25, 0.5], takes(10.0))
    assert [end[0] for end in ends(full)] == ["handled", "handled", "lost"]
