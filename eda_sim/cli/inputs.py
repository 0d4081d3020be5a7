"""What was typed, turned into scenarios.

``NAME|FILE`` is a ready scenario of the catalogue or a YAML file; a name of the
catalogue wins, ``./name`` is always a file. ``--set key=value`` gives a
catalogue function its keyword argument; any other key, and every key for a
file, is a path of ``Scenario.replace``. Keyword arguments come first, then the
paths in the order typed. The value is YAML, so that a description can be typed
as it stands in a file: it is checked as the argument or the path would check
it. ``--over key=a,b`` is one ``--set`` for each value.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import Parameter, getdoc, signature
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eda_sim.errors import EdaSimWarning, InvalidInput, nearest, warn

if TYPE_CHECKING:
    from eda_sim.scenario.scenario import Scenario

_WORDS = {"true": True, "false": False, "null": None, "none": None}
_PATH = re.compile(r"[.\[]")


def scenario_of(source: str, settings: Sequence[str] = ()) -> "Scenario":
    """Return the scenario that ``NAME|FILE`` and its ``--set`` options describe.

    Raises:
        InvalidInput: one line, with the nearest known name where there is one.
    """
    from eda_sim.scenario.checks import oddities

    # On the way to what was typed a scenario may be odd in ways that the next setting mends.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EdaSimWarning)
        scenario = _scenario_of(source, dict(map(parsed_setting, settings)))
    for oddity in oddities(scenario):
        warn(oddity)
    return scenario


def _scenario_of(source: str, given: Mapping[str, Any]) -> "Scenario":
    if source in (functions := catalogue()):
        return _built(source, functions[source], given)
    scenario = _read(source, functions)
    for path, value in given.items():
        scenario = scenario.replace(path, value)
    return scenario


def scenarios_over(source: str, over: str, settings: Sequence[str] = ()) -> dict[str, "Scenario"]:
    """Return what ``NAME|FILE`` becomes under each value of ``--over key=a,b,c``, by ``key=a``.

    Raises:
        InvalidInput: one line, also if there are fewer than two values, or two alike.
    """
    key, equals, typed = (part.strip() for part in over.partition("="))
    if not key or not equals:
        raise InvalidInput(
            f"--over must be key=value,value, got {over!r}: write e.g. --over payment_workers=2,4"
        )
    if key in (parsed_setting(setting)[0] for setting in settings):
        raise InvalidInput(f"{key} is given by --set and by --over: leave one of them out")
    values = _apart(typed)
    if len(values) < 2:
        raise InvalidInput(
            f"--over {key} must have two values or more, got {typed!r}: put a comma between them"
        )
    read = [_value(key, value) for value in values]
    for value, meant in zip(values, read, strict=True):
        if read.count(meant) > 1:
            raise InvalidInput(f"--over {key} has {value} twice: name different values")
    return {
        f"{key}={value}": scenario_of(source, [*settings, f"{key}={value}"]) for value in values
    }


def _apart(typed: str) -> list[str]:
    """Split at the commas that stand in no bracket and no quotes.

    >>> _apart("1, 4"), _apart("[1, 2],{kind: constant, value: 0}"), _apart("'a,b',c")
    (['1', '4'], ['[1, 2]', '{kind: constant, value: 0}'], ["'a,b'", 'c'])
    """
    values, depth, quote = [""], 0, ""
    for letter in typed:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not quote and depth == 0:
            values.append("")
        else:
            values[-1] += letter
    return [value.strip() for value in values]


def catalogue() -> Mapping[str, Callable[..., "Scenario"]]:
    """Return the ready scenarios: a function by name."""
    from eda_sim.catalog import CATALOG

    return CATALOG


def about(function: Callable[..., "Scenario"]) -> str:
    """Return the first line of a catalogue function's docstring."""
    return (getdoc(function) or "").split("\n", 1)[0].replace("``", "'")


def parameters(function: Callable[..., "Scenario"]) -> dict[str, Any]:
    """Return the keyword arguments of a catalogue function with their defaults."""
    return {
        name: parameter.default
        for name, parameter in signature(function).parameters.items()
        if parameter.kind in (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    }


def parsed_setting(setting: str) -> tuple[str, Any]:
    """Split ``key=value`` and read the value as a number, true, false, null, a list or a text.

    >>> parsed_setting("payment_workers=8"), parsed_setting("name=pub/sub")
    (('payment_workers', 8), ('name', 'pub/sub'))
    """
    key, equals, value = (part.strip() for part in setting.partition("="))
    if not key or not equals:
        raise InvalidInput(
            f"--set must be key=value, got {setting!r}: write e.g. --set payment_workers=8"
        )
    return key, _value(key, value)


def _value(key: str, text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text[:1] in tuple("[{'\""):
        return _structure(key, text)
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        # A service may be called nan, but no number may.
        return number if isfinite(number) else text
    return text


def _structure(key: str, text: str) -> Any:
    from yaml import YAMLError

    from eda_sim.scenario.yaml_text import load

    try:
        return load(text)
    except YAMLError:
        raise InvalidInput(
            f"--set {key} must be a number, a text, a [list] or a {{mapping: of}} them, "
            f"got {text!r}: close every bracket and quote"
        ) from None


def _built(name: str, function: Callable[..., "Scenario"], given: Mapping[str, Any]) -> "Scenario":
    known = parameters(function)
    scenario = _called(name, function, {k: v for k, v in given.items() if k in known})
    for key, value in given.items():
        if key in known:
            continue
        settings = {*known, *_paths(scenario)}
        if not _PATH.search(key) and key not in settings:
            raise InvalidInput(f"{name} has no setting {key!r}: {nearest(key, settings)}")
        scenario = scenario.replace(key, value)
    return scenario


def _paths(scenario: "Scenario") -> Iterator[str]:
    """Yield the paths that people who type a plain key may mean."""
    yield from vars(scenario)
    yield from (source.name for source in scenario.traffic)
    for service in scenario.services:
        yield from (service.name, f"{service.name}.workers")


def _called(name: str, function: Callable[..., "Scenario"], given: Mapping[str, Any]) -> "Scenario":
    from pydantic import ConfigDict, ValidationError, validate_call

    from eda_sim.scenario.explain import explain

    checked = validate_call(config=ConfigDict(allow_inf_nan=False))(function)
    try:
        return checked(**given)
    except ValidationError as error:
        raise InvalidInput(explain(error, "", given)) from None
    except ArithmeticError as error:
        # The function computed with what was typed, before any description could check it.
        typed = ", ".join(f"{key}={value!r}" for key, value in given.items())
        raise InvalidInput(
            f"{name} cannot be built with {typed}: {error} (see eda-sim list for the defaults)"
        ) from error


def _read(source: str, known: Mapping[str, Any]) -> "Scenario":
    from eda_sim.scenario.scenario import Scenario

    path = Path(source)
    if path.is_file():
        return Scenario.from_yaml(path)
    if path.is_dir():
        raise InvalidInput(f"{source} is a directory: name a scenario file in it")
    if path.suffix or path.name != source:
        raise InvalidInput(f"there is no file {source}: check the path, or see eda-sim list")
    raise InvalidInput(
        f"{source!r} is neither a ready scenario nor a file: {nearest(source, known)}"
    )
