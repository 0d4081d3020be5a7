"""Scenarios as plain data: dictionaries, lists, numbers and texts.

What is left out is what stands at its default, so that a file shows what its
author decided; a handler that is only a list of steps is written as that list.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from eda_sim.scenario.description import is_default
from eda_sim.scenario.service import Handler


def to_plain(value: Any) -> Any:
    """Return a description as dictionaries, lists, numbers and texts.

    >>> from eda_sim.scenario.distributions import Exponential
    >>> to_plain(Exponential(0.05))
    {'kind': 'exponential', 'mean': 0.05}
    """
    if isinstance(value, Handler) and value.delivery is None:
        return to_plain(value.steps)
    if is_dataclass(value):
        return {
            field.name: to_plain(getattr(value, field.name))
            for field in sorted(fields(value), key=lambda field: field.name != "kind")
            if field.name == "kind" or not is_default(field, getattr(value, field.name))
        }
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value
