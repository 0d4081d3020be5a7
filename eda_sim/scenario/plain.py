"""Scenarios as plain data: dictionaries, lists, numbers and texts.

What is left out is what stands at its default, so that a file shows what its
author decided; a handler that is only a list of steps is written as that list.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from eda_sim.scenario.service import Handler
from eda_sim.scenario.settings import decisions


def to_plain(value: Any) -> Any:
    """Return a description as dictionaries, lists, numbers and texts.

    >>> from eda_sim.scenario.distributions import Exponential
    >>> to_plain(Exponential(0.05))
    {'kind': 'exponential', 'mean': 0.05}
    """
    if isinstance(value, Handler) and value.delivery is None:
        return to_plain(value.steps)
    if is_dataclass(value):
        kind = {"kind": value.kind} if hasattr(value, "kind") else {}
        decided = {field.name: getattr(value, field.name) for field in decisions(value)}
        return kind | {name: to_plain(setting) for name, setting in decided.items()}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value
