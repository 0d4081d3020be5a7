"""The whole: services, traffic, broker, network and faults, checked together.

A scenario is data. It holds no callbacks and no state, two equal scenarios run
alike, and nothing that simulates, measures or draws ever writes into it.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError, model_validator
from yaml import YAMLError

from eda_sim.errors import InvalidInput
from eda_sim.later.networkx import networkx
from eda_sim.scenario.change import changed
from eda_sim.scenario.checks import check
from eda_sim.scenario.description import description
from eda_sim.scenario.diagram import as_text, flowchart, graph
from eda_sim.scenario.explain import explain
from eda_sim.scenario.parts import Parts
from eda_sim.scenario.plain import to_plain
from eda_sim.scenario.yaml_text import dump, load


@description
class Scenario(Parts):
    """A system and what happens to it.

    Args:
        name: what to call it in tables and plots.
        traffic: the sources of requests.
        services: the programs; who handles and who subscribes is read off their ``on=``.
        broker: needed as soon as anything is sent or published.
        network: latency of each way of a call, in seconds.
        faults: what goes wrong, scheduled or random.
        redrives: when dead letters are sent back to be handled.
        duration: requests arrive in ``[0, duration)``, in seconds.
        warmup: statistics leave out requests that started earlier, in seconds.
        drain: how long, after ``duration``, a run waits for what is under way, in seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import *
        >>> scenario = Scenario(
        ...     "one service",
        ...     traffic=[Traffic(Call("Greet"), Poisson(rate=80))],
        ...     services=[Service("greeter", on={"Greet": [Work(Exponential(10 * ms), "greet")]})],
        ... )
        >>> scenario.replace("greeter.workers", 2).services[0].workers
        2
    """

    @model_validator(mode="after")
    def _checked(self) -> "Scenario":
        check(self)
        return self

    # -- changed copies ----------------------------------------------------------

    def replace(self, path: str | None = None, value: Any = None, **settings: Any) -> "Scenario":
        """Return a copy with one part changed; the original stays as it is.

        ``path`` names a part by fields, names of services and messages, labels or
        positions: ``"payment.workers"``, ``"traffic[0].arrivals.rate"``,
        ``"payment.ProcessPayment[charge card].duration.mean"``. Settings of the
        scenario itself can be given by name: ``scenario.replace(duration=60)``.

        Raises:
            InvalidInput: if the path names nothing, or the value cannot be right.
        """
        copy: Scenario = self if path is None else changed(self, path, value)
        own = {field.name for field in fields(self)}
        for name in sorted(settings.keys() - own):
            copy = changed(copy, name, settings[name])
        # Together, because one at a time they may not fit: a shorter duration and warm-up.
        together = {name: settings[name] for name in settings.keys() & own}
        return replace(copy, **together) if together else copy

    # -- plain data --------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the scenario as plain data, without what stands at its default."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Scenario":
        """Build a scenario from plain data; raises ``InvalidInput`` with the path."""
        if not isinstance(data, Mapping):
            raise InvalidInput(f"a scenario must be a mapping of its parts, got {data!r}")
        try:
            return _adapter().validate_python(data)
        except ValidationError as error:
            raise InvalidInput(explain(error, "", data)) from None

    def to_yaml(self, path: str | Path | None = None) -> str:
        """Return the scenario as YAML, and write it to ``path`` if one is given."""
        text = dump(self.to_dict())
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_yaml(cls, source: str | Path) -> "Scenario":
        """Build a scenario from YAML text, or from a file if ``source`` is a ``Path``.

        Raises:
            InvalidInput: one line that says where and what, also for broken YAML.
        """
        text, where = source, ""
        if isinstance(source, Path):
            where = f"{source}: "
            try:
                text = source.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidInput(f"{source}: cannot be read: {error}") from None
        try:
            return cls.from_dict(load(str(text)))
        except YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            place = f" in line {line + 1}" if line is not None else ""
            problem = getattr(error, "problem", None) or "cannot be read"
            raise InvalidInput(f"{where}must be YAML, but{place} {problem}") from None
        except InvalidInput as error:
            raise InvalidInput(f"{where}{error}") from None

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema (draft 2020-12) of a scenario file, for editors."""
        schema = _adapter().json_schema()
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    # -- how it shows itself -----------------------------------------------------

    def graph(self) -> "networkx.MultiDiGraph[str]":
        """Return the system as a directed graph; to count coupling, count its edges.

        Nodes have a ``kind``: ``source``, ``service`` or ``topic``. Edges have a ``kind``
        (``call``, ``send``, ``publish`` or ``subscribe``) and the name of their ``message``.

        >>> from eda_sim.catalog import order_chain
        >>> sorted(order_chain().graph().successors("orders"))
        ['analytics', 'email', 'inventory', 'payment']
        """
        return graph(self)

    def to_mermaid(self) -> str:
        """Return the diagram as Mermaid text, which many editors and sites draw."""
        return flowchart(self)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": as_text(self), "text/vnd.mermaid": flowchart(self)}


def _adapter() -> TypeAdapter[Scenario]:
    return TypeAdapter(Scenario)
