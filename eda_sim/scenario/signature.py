"""What ``?``, ``help()`` and Shift-Tab show of a description: its settings, readably.

The types that pydantic checks hold their bounds too (``Annotated[float, FieldInfo(…)]``).
A reader wants to know that it is a ``float``; bounds and units are in the docstring.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field
from inspect import Parameter, Signature, signature
from types import UnionType
from typing import Annotated, Any, ForwardRef, Literal, NamedTuple, Union, get_args, get_origin

from eda_sim.scenario.settings import settings


class ShownAs(NamedTuple):
    """What a type is called where it is shown; it stands among what annotates the type."""

    name: str


class _Text(str):
    """A type as text, which a signature shows without quotes."""

    def __repr__(self) -> str:
        return str(self)


def signature_of(cls: type) -> Signature:
    """Return how a description is built: its settings, readable types and real defaults.

    >>> from eda_sim.scenario.delivery import Retry
    >>> print(signature_of(Retry))
    (*, max_attempts: int | None = 4, backoff: Backoff = Backoff(1.0),
     budget: RetryBudget | None = None)
    """
    return Signature([_parameter(field) for field in settings(cls)])


def show_plainly(function: Callable[..., Any]) -> None:
    """Let a function of descriptions show readable types too."""
    shown = signature(function)
    parameters = [
        each.replace(annotation=_written(each.annotation)) for each in shown.parameters.values()
    ]
    returned = _written(shown.return_annotation)
    function.__signature__ = shown.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=returned
    )


def _parameter(field: Field[Any]) -> Parameter:
    kind = Parameter.KEYWORD_ONLY if field.kw_only else Parameter.POSITIONAL_OR_KEYWORD
    return Parameter(field.name, kind, default=_default(field), annotation=_written(field.type))


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return Parameter.empty if field.default is MISSING else field.default


def _written(annotation: Any) -> Any:
    return annotation if annotation is Parameter.empty else _Text(_text(annotation))


def _text(annotation: Any) -> str:
    """Write a type as people do, without what only pydantic needs to know.

    >>> _text(Annotated[float, "positive"] | None)
    'float | None'
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        names = [each.name for each in annotation.__metadata__ if isinstance(each, ShownAs)]
        return names[0] if names else _text(arguments[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_text, arguments))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if arguments:
        return f"{origin.__name__}[{', '.join(map(_text, arguments))}]"
    if isinstance(annotation, (str, ForwardRef)):
        return getattr(annotation, "__forward_arg__", str(annotation))
    return "None" if annotation is type(None) else str(annotation.__name__)
