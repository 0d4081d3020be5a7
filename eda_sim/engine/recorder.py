"""The recorder: fills the tables of ``rules.tables``, column by column.

A row is opened when its subject begins and completed when it ends; what never
ends keeps the outcome it was opened with, so a run that stops early loses
nothing.
"""

from array import array
from typing import Final

from eda_sim.rules.tables import (
    ATTEMPTS,
    CALLS,
    DELIVERIES,
    EFFECTS,
    FAULTS,
    MESSAGES,
    REQUESTS,
    TYPECODES,
    Table,
)

NEVER: Final = float("nan")
NOBODY: Final = -1


class Names:
    """The names of a run, each with the code that the tables keep."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        """Return the code of ``name``, a new one if it is new."""
        return self._codes.setdefault(name, len(self._codes))

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, in the order of the codes."""
        return tuple(self._codes)


class Rows:
    """The rows of one table, as one array a column."""

    def __init__(self, table: Table) -> None:
        self.columns: dict[str, array[int] | array[float]] = {
            column.name: array(TYPECODES[column.type]) for column in table.columns
        }
        self._appends = tuple(column.append for column in self.columns.values())
        self._first = next(iter(self.columns.values()))

    def add(self, *values: float) -> int:
        """Append a row, its values in the order of the table's columns; return its number."""
        for append, value in zip(self._appends, values, strict=False):
            append(value)  # type: ignore[arg-type]
        return len(self._first) - 1

    def __getitem__(self, column: str) -> "array[int] | array[float]":
        return self.columns[column]


class Recorder:
    """The tables of a run, as they fill."""

    def __init__(self) -> None:
        self.names = Names()
        self.requests = Rows(REQUESTS)
        self.messages = Rows(MESSAGES)
        self.calls = Rows(CALLS)
        self.attempts = Rows(ATTEMPTS)
        self.effects = Rows(EFFECTS)
        self.deliveries = Rows(DELIVERIES)
        self.faults = Rows(FAULTS)
        code = self.names.code
        self.unfinished = code("unfinished")
        self.pending = code("pending")
        self.command = code("command")
        self.event = code("event")

    @property
    def tables(self) -> dict[str, dict[str, "array[int] | array[float]"]]:
        """Every table as its columns."""
        rows = {
            "requests": self.requests,
            "messages": self.messages,
            "calls": self.calls,
            "attempts": self.attempts,
            "effects": self.effects,
            "deliveries": self.deliveries,
            "faults": self.faults,
        }
        return {name: table.columns for name, table in rows.items()}
