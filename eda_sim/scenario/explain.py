"""One line for what pydantic found: the path, the rule, the value and the remedy."""

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from eda_sim.errors import nearest
from eda_sim.scenario.settings import settings

# The settings of each description, for the remedy when a name is wrong.
_SETTINGS: dict[type, set[str]] = {}


def know(cls: type) -> None:
    """Remember the settings of a description, to suggest what a misspelt name may mean."""
    _SETTINGS[cls] = {field.name for field in settings(cls)}


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
    return f"{text}, got {short(detail['input'])}"


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


def short(value: Any, limit: int = 60) -> str:
    """Return how a value is written, or its beginning."""
    try:
        text = repr(value)
    except RecursionError:  # nested so deeply that only its outside can be written
        text = reprlib.repr(value)
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
