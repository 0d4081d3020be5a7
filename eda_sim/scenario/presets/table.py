"""What a preset is made of: a table of settings, each with the page that documents it.

The tables are data, so that they can be read, shown and checked: the code that turns
settings into a broker takes every default from here. They hold three kinds of rows:

- a ``Setting`` is a name that the product knows and that a description can express;
- a ``Behaviour`` is what the product does and no setting says, but a description must;
- an inexpressible setting is one that the product knows and a description has no words
  for: it is refused with its reason, because to ignore it would be to promise it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from eda_sim.scenario.signature import show_plainly

T = TypeVar("T", bound=Callable[..., Any])


class Page(NamedTuple):
    """A page of a product's documentation."""

    title: str
    url: str


class Setting(NamedTuple):
    """One setting of a product.

    ``default`` is the product's own (None: it has none), ``preset`` what the preset takes
    where nothing is given. They differ only where the product's default cannot be expressed;
    ``becomes`` then says why.
    """

    name: str
    unit: str
    default: Any
    preset: Any
    becomes: str
    title: str
    url: str


class Behaviour(NamedTuple):
    """What a product does without being told, and what that is in a description."""

    does: str
    becomes: str
    title: str
    url: str


class Preset(NamedTuple):
    """The table of one product."""

    product: str
    settings: tuple[Setting, ...]
    behaviours: tuple[Behaviour, ...]
    inexpressible: Mapping[str, str]

    @property
    def call(self) -> str:
        """How the preset is called, for messages."""
        return f"Broker.{self.product}"


_SAME: Final = object()


def setting(
    name: str, unit: str, default: Any, becomes: str, page: Page, *, preset: Any = _SAME
) -> Setting:
    """Return a row of the table; ``preset`` only where it is not the product's default."""
    taken = default if preset is _SAME else preset
    return Setting(name, unit, default, taken, becomes, page.title, page.url)


def behaviour(does: str, becomes: str, page: Page) -> Behaviour:
    """Return what a product does without being told."""
    return Behaviour(does, becomes, page.title, page.url)


NUMBER: Final = "a whole number"
TRUTH: Final = "true or false"
TEXT: Final = "a text"
MILLISECONDS: Final = "milliseconds"
SECONDS: Final = "seconds"


def documented(preset: Preset) -> Callable[[T], T]:
    """Write the table of a preset into the docstring of the method that builds it."""

    def with_table(method: T) -> T:
        rows = [line for row in preset.settings for line in _lines(row)]
        text = "\n        ".join(rows)
        method.__doc__ = (
            f"{(method.__doc__ or '').rstrip()}\n\n        Settings:\n\n        {text}\n"
        )
        show_plainly(method)
        return method

    return with_table


def _lines(row: Setting) -> tuple[str, ...]:
    default = "no default" if row.default is None else f"default {row.default!r}"
    if row.preset != row.default:
        default += f", here {row.preset!r}"
    return (
        f"``{row.name}`` ({row.unit}; {default})",
        f"    {row.becomes}.",
        f"    {row.title}, {row.url}",
    )
