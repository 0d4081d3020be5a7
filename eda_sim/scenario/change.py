"""Changed copies of a description, addressed by a path.

A path goes from the whole to a part by names or positions, with dots or
brackets: ``payment.workers``, ``traffic[0].arrivals.rate``,
``payment.ProcessPayment[charge card].duration.mean``. A service is found by its
name, a handler by its message, a step by its label or message; a number is a position, even
where something is called like it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from eda_sim.errors import InvalidInput, nearest

_TOKEN = re.compile(r"([^.\[\]]+)|\[([^\[\]]+)\]")

# Where the parts of a whole are looked for by name, without naming the room.
_ROOMS = ("services", "traffic", "on", "steps")


def changed(described: Any, path: str, value: Any) -> Any:
    """Return a copy of ``described`` in which ``path`` holds ``value``.

    Raises ``InvalidInput`` if the path leads nowhere or the value cannot be right.
    """
    tokens = [(dotted or bracketed).strip("'\"") for dotted, bracketed in _TOKEN.findall(path)]
    if not tokens:
        raise InvalidInput(f"path must name a setting, got {path!r}: write e.g. 'payment.workers'")
    return _change(described, tokens, value, path)


def _change(part: Any, tokens: Sequence[str], value: Any, path: str) -> Any:
    if not tokens:
        return value
    token, rest = tokens[0], tokens[1:]
    if is_dataclass(part) and not isinstance(part, type):
        return _change_field(part, token, rest, value, path)
    if isinstance(part, Mapping):
        if token not in part:
            raise _nowhere(token, path, part)
        return {**part, token: _change(part[token], rest, value, path)}
    if isinstance(part, tuple):
        position = _position(part, token, path)
        changed_item = _change(part[position], rest, value, path)
        return (*part[:position], changed_item, *part[position + 1 :])
    raise InvalidInput(f"{path!r} leads into {part!r}, which has no parts: end it before {token!r}")


def _change_field(part: Any, token: str, rest: Sequence[str], value: Any, path: str) -> Any:
    names = [field.name for field in fields(part)]
    if token in names:
        return replace(part, **{token: _change(getattr(part, token), rest, value, path)})
    for room in _ROOMS:
        inside = getattr(part, room, None)
        if inside is not None and token in _known(inside):
            return replace(part, **{room: _change(inside, (token, *rest), value, path)})
    if token.isdigit() and "steps" in names:
        return replace(part, steps=_change(part.steps, (token, *rest), value, path))
    rooms = [name for room in _ROOMS for name in _known(getattr(part, room, ()))]
    raise _nowhere(token, path, [*names, *rooms])


def _position(items: tuple[Any, ...], token: str, path: str) -> int:
    if token.isdigit() and int(token) < len(items):
        return int(token)
    positions = [position for position, item in enumerate(items) if _name(item) == token]
    if len(positions) > 1:
        raise InvalidInput(
            f"path {path!r} names {len(positions)} parts at {token!r}: "
            f"give a position, {' or '.join(map(str, positions))}"
        )
    if positions:
        return positions[0]
    raise _nowhere(token, path, [*_known(items), *map(str, range(len(items)))])


def _known(items: Any) -> list[str]:
    """Return the names of the parts that have one."""
    if isinstance(items, Mapping):
        return list(items)
    return [name for item in items if (name := _name(item)) is not None]


def _name(item: Any) -> str | None:
    for attribute in ("name", "label", "command", "event"):
        if isinstance(name := getattr(item, attribute, None), str):
            return name
    return None


def _nowhere(token: str, path: str, known: Any) -> InvalidInput:
    names = [name for name in known if name != "kind"]
    return InvalidInput(f"path {path!r} names nothing at {token!r}: {nearest(token, names)}")
