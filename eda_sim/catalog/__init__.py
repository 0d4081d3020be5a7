"""Ready scenarios: functions whose keyword arguments are what people sweep.

Each returns a ``Scenario``, which is data: print it, draw it, change it with
``replace``, run it, compare it. ``CATALOG`` finds each function by its name.

Rates, workers, mean times and probabilities are numbers: a time is in seconds, a
rate in 1/second, a probability a fraction. What a description says better is a
description: ``faults``, ``retry``, ``breaker``, ``delivery``, ``topic``, ``redrives``.
Arguments are few; whatever has none is a path of ``replace``. Where the warm-up is
not given it has its usual length, but at most a tenth of the duration.

>>> sorted(CATALOG)
['consumer_group', 'event_bus', 'event_flow', 'fan_out', 'order_chain', 'order_crash',
 'order_pubsub', 'retry_ladder', 'retry_storm', 'service_chain', 'town_announcement',
 'town_conversation']
>>> CATALOG["order_chain"](payment_workers=8).replace("email.inbox", 6).service("email").inbox
6
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from eda_sim.catalog.chains import service_chain
from eda_sim.catalog.consumer_group import consumer_group
from eda_sim.catalog.crash import order_crash
from eda_sim.catalog.event_bus import event_bus
from eda_sim.catalog.event_flow import event_flow
from eda_sim.catalog.fan_out import fan_out
from eda_sim.catalog.orders import order_chain, order_pubsub
from eda_sim.catalog.retries import retry_ladder, retry_storm
from eda_sim.catalog.town_square import town_announcement, town_conversation
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.signature import show_plainly

CATALOG: Final[Mapping[str, Callable[..., Scenario]]] = MappingProxyType(
    {
        "order_chain": order_chain,
        "order_pubsub": order_pubsub,
        "service_chain": service_chain,
        "fan_out": fan_out,
        "town_conversation": town_conversation,
        "town_announcement": town_announcement,
        "event_flow": event_flow,
        "event_bus": event_bus,
        "retry_ladder": retry_ladder,
        "retry_storm": retry_storm,
        "consumer_group": consumer_group,
        "order_crash": order_crash,
    }
)
for _make in CATALOG.values():
    show_plainly(_make)

__all__ = [
    "CATALOG",
    "consumer_group",
    "event_bus",
    "event_flow",
    "fan_out",
    "order_chain",
    "order_crash",
    "order_pubsub",
    "retry_ladder",
    "retry_storm",
    "service_chain",
    "town_announcement",
    "town_conversation",
]
