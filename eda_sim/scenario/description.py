"""How every description behaves: frozen, checked at birth, readable.

``@description`` turns a class into a frozen pydantic dataclass, so that it can
be built in Python, validated from YAML and described by a JSON Schema, and
translates what pydantic has to say into one line with the path, the rule, the
value and the remedy.

What has no default may be given by position, what has one is named: after
``_: KW_ONLY`` everything has a default, and nothing before it. A union of
descriptions is told apart by the field ``kind``, which has one possible value for
each class and never needs to be written in Python.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from inspect import Parameter, Signature
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.dataclasses import rebuild_dataclass

from eda_sim.errors import InvalidInput
from eda_sim.scenario.explain import explain, know, short
from eda_sim.scenario.settings import decisions, settings
from eda_sim.scenario.signature import signature_of

T = TypeVar("T")

Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]
PositiveSeconds = Annotated[float, Field(gt=0)]
PositiveRate = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)


@dataclass_transform(frozen_default=True)
def description(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen, validated description."""
    checked = pydantic_dataclass(cls, frozen=True, config=_CONFIG)
    _finish(checked)
    checked.__repr__ = _readable  # type: ignore[method-assign]
    know(checked)
    return cast(type[T], checked)


def complete(*classes: Any) -> None:
    """Complete descriptions that hold steps, and so themselves, once ``Step`` is known.

    Left alone, pydantic would do so at first use, and undo the translation of its errors.
    """
    for cls in classes:
        rebuild_dataclass(cls, force=True)
        _finish(cls)


def _finish(cls: Any) -> None:
    """Do what pydantic, which writes how a class is built, would undo."""
    cls.__signature__ = signature_of(cls)
    _translate_errors(cls)


def _translate_errors(cls: Any) -> None:
    build: Callable[..., None] = cls.__init__
    names = [field.name for field in settings(cls)]
    nameless = sum(not field.kw_only for field in settings(cls))

    @wraps(build)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) > nameless:
            raise InvalidInput(_unnamed(cls, args[nameless], names[:nameless], names[nameless:]))
        try:
            build(self, *args, **kwargs)
        except ValidationError as error:
            given = dict(zip(names, args, strict=False)) | kwargs
            raise InvalidInput(explain(error, _title(cls, given), given, names)) from None

    own = Parameter("self", Parameter.POSITIONAL_ONLY)
    shown = [own, *cls.__signature__.parameters.values()]
    __init__.__signature__ = Signature(shown)  # type: ignore[attr-defined]
    cls.__init__ = __init__


def _unnamed(cls: type, value: object, nameless: Sequence[str], named: Sequence[str]) -> str:
    """Say what to do about a value that stands where no setting goes without its name."""
    takes = f"only {', '.join(nameless)} by position" if nameless else "no positional values"
    others = f" (or {'=, '.join(named[1:])}=)" if len(named) > 1 else ""
    remedy = f"write {named[0]}={short(value)}{others}" if named else "leave it out"
    return f"{cls.__name__} takes {takes}, got {short(value)}: {remedy}"


def _title(cls: type, given: Mapping[str, Any]) -> str:
    name = given.get("name") or given.get("label") or given.get("command") or given.get("event")
    return f"{cls.__name__}({name!r})" if isinstance(name, str) else cls.__name__


def _readable(self: Any) -> str:
    """Write the call that builds this description, leaving out defaults."""
    return f"{type(self).__name__}({', '.join(_arguments(self))})"


def _arguments(self: Any) -> Iterator[str]:
    for field in decisions(self):
        value = repr(getattr(self, field.name))
        yield f"{field.name}={value}" if field.kw_only else value
