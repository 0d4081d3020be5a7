"""Products, said as descriptions: what a broker's own settings mean in a ``Broker``.

``Broker.rabbitmq()``, ``.kafka()``, ``.sqs()``, ``.nats()`` and ``.redis_streams()`` take a
product's settings under their own names and units and return an ordinary ``Broker``, equal to
one written by hand. What a setting means, its default, and the page of the product's
documentation that says so are data (``preset_settings``), a file for each product.

Three rules hold for all of them. A setting that a description cannot express, or a value of
one, is refused and never ignored. Where the product's own default is such a value, the table
says what is taken instead, and why. And where a product retries without end and has no
dead-letter queue, a description, which refuses both together, says the nearest true thing;
the tables name it.
"""

from collections.abc import Mapping
from typing import Final

from eda_sim.errors import InvalidInput, nearest
from eda_sim.scenario.presets.kafka import KAFKA
from eda_sim.scenario.presets.nats import NATS
from eda_sim.scenario.presets.rabbitmq import RABBITMQ
from eda_sim.scenario.presets.redis_streams import REDIS_STREAMS
from eda_sim.scenario.presets.sqs import SQS
from eda_sim.scenario.presets.table import Behaviour, Preset, Setting

__all__ = [
    "PRESETS",
    "Behaviour",
    "Preset",
    "Setting",
    "preset_behaviours",
    "preset_settings",
]

PRESETS: Final[Mapping[str, Preset]] = {
    preset.product: preset for preset in (RABBITMQ, KAFKA, SQS, NATS, REDIS_STREAMS)
}


def preset_settings(product: str) -> tuple[Setting, ...]:
    """Return the settings that a preset knows, each with unit, defaults, meaning and page.

    >>> wait = next(row for row in preset_settings("nats") if row.name == "AckWait")
    >>> wait.default, wait.unit, wait.becomes, wait.title
    (30, 'seconds', 'delivery.ack_timeout', 'Ack responses and redelivery')
    """
    return _preset(product).settings


def preset_behaviours(product: str) -> tuple[Behaviour, ...]:
    """Return what a product does without being told, and what that is in a description.

    >>> preset_behaviours("kafka")[0].becomes
    'delivery.ordered is true'
    """
    return _preset(product).behaviours


def _preset(product: str) -> Preset:
    if product not in PRESETS:
        raise InvalidInput(
            f"product must be one that has a preset, got {product!r}: "
            f"{nearest(str(product), PRESETS)}"
        )
    return PRESETS[product]
