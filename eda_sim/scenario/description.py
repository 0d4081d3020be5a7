"""How every description behaves: frozen, checked at birth, readable.

``@description`` turns a class into a frozen pydantic dataclass, so that it can
be built positionally in Python, validated from YAML and described by a JSON
Schema, and translates what pydantic has to say into one line with the path,
the rule, the value and the remedy.

A union of descriptions is told apart by the field ``kind``, which has one
possible value for each class and never needs to be written in Python.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from functools import wraps
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.dataclasses import rebuild_dataclass

from eda_sim.errors import InvalidInput, nearest

T = TypeVar("T")

Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]
PositiveSeconds = Annotated[float, Field(gt=0)]
PositiveRate = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)


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


def _thawed(value: Any) -> Any:
    """Return plain data with lists for tuples, which is how pydantic knows it."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"must hold finite numbers only, got {value}")
    if isinstance(value, Mapping):
        return {key: _thawed(item) for key, item in value.items()}
    return [_thawed(item) for item in value] if isinstance(value, (list, tuple)) else value


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

# The settings of each description, for the remedy when a name is wrong.
_SETTINGS: dict[type, set[str]] = {}


@dataclass_transform(frozen_default=True)
def description(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen, validated description."""
    checked = pydantic_dataclass(cls, frozen=True, config=_CONFIG)
    _translate_errors(checked)
    checked.__repr__ = _readable  # type: ignore[method-assign]
    _SETTINGS[checked] = {field.name for field in fields(cast(Any, checked))}
    return cast(type[T], checked)


def complete(*classes: Any) -> None:
    """Complete descriptions that hold steps, and so themselves, once ``Step`` is known.

    Left alone, pydantic would do so at first use, and undo the translation of its errors.
    """
    for cls in classes:
        rebuild_dataclass(cls, force=True)
        _translate_errors(cls)


def _translate_errors(cls: Any) -> None:
    build: Callable[..., None] = cls.__init__
    names = [field.name for field in fields(cls)]

    @wraps(build)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        settings = [name for name in names if name != "kind"]
        if len(args) > len(settings):
            raise InvalidInput(
                f"{cls.__name__} takes only {', '.join(settings)}, got {len(args)} values: "
                f"leave out {args[len(settings)]!r}"
            )
        try:
            build(self, *args, **kwargs)
        except ValidationError as error:
            given = dict(zip(names, args, strict=False)) | kwargs
            raise InvalidInput(explain(error, _title(cls, given), given, names)) from None

    cls.__init__ = __init__


def _title(cls: type, given: Mapping[str, Any]) -> str:
    name = given.get("name") or given.get("label") or given.get("command") or given.get("event")
    return f"{cls.__name__}({name!r})" if isinstance(name, str) else cls.__name__


def _readable(self: Any) -> str:
    """Write the call that builds this description, leaving out defaults."""
    return f"{type(self).__name__}({', '.join(_arguments(self))})"


def _arguments(self: Any) -> Iterator[str]:
    positional = True
    for field in fields(self):
        value = getattr(self, field.name)
        if field.name == "kind":
            continue
        if is_default(field, value):
            positional = False
            continue
        required = field.default is MISSING and field.default_factory is MISSING
        positional = positional and required
        yield repr(value) if positional else f"{field.name}={value!r}"


def is_default(field: Any, value: Any) -> bool:
    """Say whether a dataclass field stands at its default."""
    if field.default is not MISSING:
        return bool(value == field.default)
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return False


# -- one line for what pydantic found -----------------------------------------

_RULES = {
    "greater_than_equal": "must be >= {ge:g}",
    "greater_than": "must be > {gt:g}",
    "less_than_equal": "must be <= {le:g}",
    "less_than": "must be < {lt:g}",
    "too_short": "must have at least {min_length} item(s)",
    "string_too_short": "must not be empty",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of names",
    "mapping_type": "must be a mapping of names",
    "dataclass_type": "must be {class_name}(...) or a mapping of its fields",
    "sequence_str": "must be a list",
    "is_instance_of": "must be a list",
    "invalid-json-value": "must be plain data: texts, numbers, lists and mappings",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be of a kind among {expected_tags}",
    "union_tag_not_found": "must name its kind",
}


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")

# What a description may look like, by the setting that holds it; durations otherwise.
_EXAMPLES = {
    "arrivals": "Poisson(rate=40)",
    "keys": "UniformKeys(1000)",
    "message": "Call('PlaceOrder')",
    "faults": "Outage('payment', at=300, lasts=60)",
    **dict.fromkeys(("steps", "then", "otherwise"), "Work(Exponential(0.05), 'charge card')"),
}


def explain(error: ValidationError, title: str, data: Any, known: list[str] | None = None) -> str:
    """Say in one line what a validation error found first in ``data``.

    ``known`` are the settings of the description itself, if ``data`` are its arguments.
    """
    details = error.errors(include_url=False)
    # A misspelt name also makes what was meant missing: the misspelling is the cause.
    first = min(details, key=lambda detail: detail["type"] not in _UNKNOWN)
    location = first["loc"]
    if known and location and isinstance(location[0], int):  # a positional argument
        location = (known[location[0]], *location[1:])
    path, part = _path(title, location, data)
    settings = known if known and len(location) == 1 else _settings(part)
    line = f"{path} {_rule(first, location, settings)}".strip()
    return line if len(details) == 1 else f"{line} (the first of {len(details)} errors)"


def _rule(detail: Any, location: tuple[Any, ...], settings: Iterable[str]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("missing", "missing_argument"):
        return "is missing: give it a value"
    if kind in _UNKNOWN:
        known = [name for name in settings if name != "kind"]
        return f"is not a known setting: {nearest(str(location[-1]), known)}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", detail["msg"]))
    if kind == "model_attributes_type":
        text = f"must be a description, such as {_example(location)}"
    else:
        text = _RULES[kind].format(**context) if kind in _RULES else str(detail["msg"])
    return f"{text}, got {_short(detail['input'])}"


def _settings(part: Any) -> set[str]:
    """Return the settings of the descriptions that a mapping can stand for.

    They are those of its kind, among them the ones that know most of its names.
    """
    if not isinstance(part, Mapping):
        return set()
    of_its_kind = [
        names for cls, names in _SETTINGS.items() if getattr(cls, "kind", None) == part.get("kind")
    ]
    most = max((len(names & part.keys()) for names in of_its_kind), default=0)
    return set[str]().union(*(n for n in of_its_kind if len(n & part.keys()) == most))


def _example(location: tuple[Any, ...]) -> str:
    """Return what a description at ``location`` may look like."""
    room = location[-2] if isinstance(location[-1], int) and len(location) > 1 else location[-1]
    return _EXAMPLES.get(str(room), "Exponential(0.05)")


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _path(title: str, location: tuple[Any, ...], data: Any) -> tuple[str, Any]:
    """Write a location as a reader would, ``services['payment'].workers``.

    Returns that and what holds the last step.
    """
    path, value, holder = title, data, data
    if not location and title:
        return f"{title}:", data
    for depth, step in enumerate(location, start=1):
        holder = value
        text, value = _descend(value, step, last=depth == len(location))
        path += text
    return path.removeprefix("."), holder


def _descend(value: Any, step: Any, last: bool) -> tuple[str, Any]:
    """Go one step into the data; return how to write the step, and what is there.

    What pydantic adds to tell the members of a union apart is not in the data: it
    is passed over, unless it is the last step, which may name what is missing.
    """
    if isinstance(step, int):
        inside = value[step] if isinstance(value, (list, tuple)) and step < len(value) else None
        name = inside.get("name") if isinstance(inside, Mapping) else getattr(inside, "name", None)
        return f"[{name!r}]" if isinstance(name, str) else f"[{step}]", inside
    text = f".{step}" if str(step).isidentifier() and str(step).islower() else f"[{step!r}]"
    if isinstance(value, Mapping):
        if step in value:
            return text, value[step]
        return (text, None) if last and step != value.get("kind") else ("", value)
    if hasattr(value, "__dataclass_fields__"):
        return (text, getattr(value, step)) if hasattr(value, str(step)) else ("", value)
    return "", value
