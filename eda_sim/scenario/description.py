"""How every description behaves: frozen, checked at birth, readable.

``@description`` turns a class into a frozen pydantic dataclass, so that it can
be built positionally in Python, validated from YAML and described by a JSON
Schema, and translates what pydantic has to say into one line with the path,
the rule, the value and the remedy.

A union of descriptions is told apart by the field ``kind``, which has one
possible value for each class and never needs to be written in Python.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from functools import wraps
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

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
    __ior__ = _refuse  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenDict, (dict(self),))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self)))


def _freeze(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return FrozenDict(value)


freeze_mapping = AfterValidator(_freeze)
freeze_sequence = AfterValidator(tuple)


@dataclass_transform(frozen_default=True)
def description(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen, validated description."""
    checked = pydantic_dataclass(cls, frozen=True, config=_CONFIG)
    _translate_errors(checked)
    checked.__repr__ = _readable  # type: ignore[assignment]
    return cast(type[T], checked)


def _translate_errors(cls: Any) -> None:
    build: Callable[..., None] = cls.__init__

    @wraps(build)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            build(self, *args, **kwargs)
        except ValidationError as error:
            names = [f.name for f in fields(cls)]
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
    "model_attributes_type": "must be a description, such as Exponential(0.05) for a duration",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "must be of a kind among {expected_tags}",
    "union_tag_not_found": "must name its kind",
}


def explain(
    error: ValidationError, title: str, data: Any, known: list[str] | None = None
) -> str:
    """Say in one line what a validation error found first in ``data``."""
    details = error.errors(include_url=False)
    first = details[0]
    location = first["loc"]
    if known and location and isinstance(location[0], int):  # a positional argument
        location = (known[location[0]], *location[1:])
    line = f"{_path(title, location, data)} {_rule(first, known or [])}".strip()
    return line if len(details) == 1 else f"{line} (the first of {len(details)} errors)"


def _rule(detail: Any, known: list[str]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("missing", "missing_argument"):
        return "is missing: give it a value"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        names = [name for name in known if name != "kind"]
        return f"is not a known setting: {nearest(str(detail['loc'][-1]), names)}" if names else (
            "is not a known setting: remove it or correct its name"
        )
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", detail["msg"]))
    rule = _RULES.get(kind)
    text = rule.format(**context) if rule else str(detail["msg"])
    return f"{text}, got {_short(detail['input'])}"


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _path(title: str, location: tuple[Any, ...], data: Any) -> str:
    """Write a location as a reader would: ``services['payment'].workers``."""
    path, value = title, data
    if not location and title:
        return f"{title}:"
    for depth, step in enumerate(location, start=1):
        text, value = _descend(value, step, last=depth == len(location))
        path += text
    return path.removeprefix(".")


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
