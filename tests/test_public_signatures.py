"""What ``?``, ``help()`` and Shift-Tab show: readable signatures, and every argument explained."""

import inspect
import pydoc
import re
from typing import Any

import pytest
from IPython.core.oinspect import Inspector

import eda_sim
from eda_sim import Autoscale, Broker, Outage, Publish, Retry, Service, Traffic

PUBLIC = [getattr(eda_sim, name) for name in eda_sim.__all__]
# Exceptions are caught, not built: they take one message.
CLASSES = [each for each in PUBLIC if inspect.isclass(each) and not issubclass(each, Exception)]
FUNCTIONS = [each for each in PUBLIC if inspect.isfunction(each)]
METHODS = [
    method
    for cls in CLASSES
    for name, method in inspect.getmembers(cls, callable)
    if not name.startswith("_")
]
# What only pydantic needs to know.
MACHINERY = re.compile(r"Annotated|FieldInfo|Discriminator|<factory>|<function|object at 0x")


def explained(cls: type) -> list[str]:
    """The names in the ``Args:`` list of a docstring, in its order."""
    _, _, listed = inspect.cleandoc(cls.__doc__ or "").partition("\nArgs:\n")
    return re.findall(r"^    (\w+): \S", listed.partition("\n\n")[0], re.MULTILINE)


@pytest.mark.parametrize("shown", [*CLASSES, *FUNCTIONS, *METHODS])
def test_a_signature_holds_no_machinery(shown: Any) -> None:
    """Whatever is public shows types that a reader knows, and defaults that can be written."""
    assert not MACHINERY.search(str(inspect.signature(shown)))


@pytest.mark.parametrize("cls", CLASSES)
def test_every_argument_is_explained(cls: type) -> None:
    """The docstring's ``Args:`` names exactly what the class takes, in the same order."""
    assert explained(cls) == list(inspect.signature(cls).parameters)


@pytest.mark.parametrize(
    ("cls", "signature"),
    [
        (
            Retry,
            "(*, max_attempts: int | None = 4, backoff: Backoff = Backoff(1.0), "
            "budget: RetryBudget | None = None)",
        ),
        (
            Outage,
            "(service: str, *, instances: int | None = None, at: float | None = None, "
            "lasts: float | None = None, mtbf: float | None = None, mttr: float | None = None)",
        ),
        (
            Traffic,
            "(message: Call | Send | Publish, arrivals: Arrivals, *, keys: Keys | None = None, "
            "name: str = 'clients')",
        ),
        (
            Publish,
            "(event: str, *, data: Mapping[str, JsonValue] = {}, version: int = 1, "
            "outbox: Outbox | None = None)",
        ),
        (
            Autoscale,
            "(most: int, target: float, *, by: Literal['utilisation', 'backlog'] = 'utilisation', "
            "least: int = 1, every: float = 15.0, start_delay: float = 30.0)",
        ),
    ],
)
def test_a_signature_is_what_one_would_write(cls: type, signature: str) -> None:
    """Types by their short names, real defaults, no ``kind``, times of a fault at the end."""
    assert str(inspect.signature(cls)) == signature


@pytest.mark.parametrize("cls", [Broker, Outage, Service])
def test_jupyter_shows_the_readable_signature(cls: type) -> None:
    """``Service?`` and Shift-Tab begin with it, the docstring follows."""
    info = Inspector(theme_name="nocolor").info(cls, oname=cls.__name__)
    shown = re.sub(r"\s+", " ", str(info["init_definition"])).replace("( ", "(")
    assert shown.startswith(f"{cls.__name__}(")
    assert not MACHINERY.search(shown)
    assert [name for name in inspect.signature(cls).parameters if f"{name}: " not in shown] == []
    assert info["docstring"] == inspect.getdoc(cls)


@pytest.mark.parametrize("cls", [Broker, Outage, Service])
def test_help_shows_the_readable_signature(cls: type) -> None:
    """``help(Service)`` has it above the docstring, and again where it lists ``__init__``."""
    text = pydoc.plain(pydoc.render_doc(cls))
    signature = str(inspect.signature(cls))
    assert f"{cls.__name__}{signature}" in text.partition("Args:")[0]
    assert f"__init__(self, /, {signature[1:]}" in text
