"""The settings of a description, in the order in which people write them."""

from dataclasses import MISSING, Field, fields
from typing import Any


def settings(described: Any) -> list[Field[Any]]:
    """Return the fields of a description (or of its class), without its ``kind``.

    First those that need no name, then its own, and last those that it shares with others,
    such as when a fault happens.

    >>> from eda_sim.scenario.faults import Outage
    >>> [field.name for field in settings(Outage)]
    ['service', 'instances', 'at', 'lasts', 'mtbf', 'mttr']
    """
    cls = described if isinstance(described, type) else type(described)
    own = cls.__annotations__
    return sorted(
        (field for field in fields(cls) if field.name != "kind"),
        key=lambda field: (field.kw_only, field.name not in own),
    )


def decisions(described: Any) -> list[Field[Any]]:
    """Return the settings that do not stand at their default: what its author decided.

    >>> from eda_sim.scenario.delivery import Retry
    >>> [field.name for field in decisions(Retry(max_attempts=2))]
    ['max_attempts']
    """
    return [
        field
        for field in settings(described)
        if not _is_default(field, getattr(described, field.name))
    ]


def _is_default(field: Field[Any], value: Any) -> bool:
    if field.default is not MISSING:
        return bool(value == field.default)
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return False
