"""What a description holds does not change either: sequences, mappings, plain data."""

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, JsonValue

MOST_NESTED: Final = 50


class FrozenDict(dict[str, Any]):
    """A dict that refuses to change, so that a description stays what it is."""

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("a description does not change: use scenario.replace(...) for a copy")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = _refuse
    __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenDict, (dict(self),))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self)))


def _freeze(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return FrozenDict(value)


freeze_mapping = AfterValidator(_freeze)
freeze_sequence = AfterValidator(tuple)


def _thawed(value: Any, depth: int = 0) -> Any:
    """Return plain data with lists for tuples, which is how pydantic knows it."""
    if depth > MOST_NESTED:
        raise ValueError(f"must be nested at most {MOST_NESTED} deep, got more: flatten it")
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"must hold finite numbers only, got {value}")
    if isinstance(value, Mapping):
        return {key: _thawed(item, depth + 1) for key, item in value.items()}
    return (
        [_thawed(item, depth + 1) for item in value] if isinstance(value, (list, tuple)) else value
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return FrozenDict({key: _frozen(item) for key, item in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


# Texts, numbers, lists and mappings, frozen all the way down.
if TYPE_CHECKING:
    PlainData = Mapping[str, Any]
else:
    PlainData = Annotated[
        Mapping[str, JsonValue], BeforeValidator(_thawed), AfterValidator(_frozen)
    ]
