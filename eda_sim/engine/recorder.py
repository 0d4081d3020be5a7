"""The recorder: fills the tables of ``rules.tables``, column by column.

A row is a list, opened when its subject begins. Whoever opened it completes it;
while its last column is still ``OPEN`` it stays a list, afterwards it goes to the
columns with many others at once, which is far quicker than one by one. What
never ends is written down as ``unfinished``, so a run that stops loses nothing.
"""

from array import array
from typing import Any, Final

from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.tables import (
    ATTEMPTS,
    CALLS,
    DELIVERIES,
    EFFECTS,
    FAULTS,
    INCIDENTS,
    MESSAGES,
    REQUESTS,
    SCALING,
    TABLES,
    TYPECODES,
    Table,
)

NEVER: Final = float("nan")
NOBODY: Final = -1
OPEN: Final = None

_BATCH = 128  # few enough that the garbage collector never sees a row twice


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


Row = list[Any]


class Rows:
    """The rows of one table, as one array a column."""

    def __init__(self, table: Table, if_never_closed: float) -> None:
        self.columns: dict[str, array[Any]] = {
            column.name: array(TYPECODES[column.type]) for column in table.columns
        }
        self._if_never_closed = if_never_closed
        self._recent: list[Row] = []
        self._limit = _BATCH
        # Take a row, its values in the order of the table's columns. The commonest call of
        # a run, and so the list's own: the clock has ``store`` called now and then.
        self.add = self._recent.append

    def store(self) -> None:
        """Move the rows that are complete to the columns, if there are enough of them."""
        if len(self._recent) < self._limit:
            return
        self._store([row for row in self._recent if row[-1] is not OPEN])
        self._recent[:] = [row for row in self._recent if row[-1] is OPEN]
        # However many rows stay open, each is looked at a few times only.
        self._limit = max(_BATCH, 2 * len(self._recent))

    def close(self) -> None:
        """Store what is left; rows still open are closed as never having ended."""
        for row in self._recent:
            if row[-1] is OPEN:
                row[-1] = self._if_never_closed
        self._store(self._recent)
        self._recent.clear()

    def _store(self, rows: list[Row]) -> None:
        for column, values in zip(self.columns.values(), zip(*rows, strict=True), strict=False):
            column.extend(values)


class Recorder:
    """The tables of a run, as they fill."""

    def __init__(self) -> None:
        self.names = Names()
        code = self.names.code
        self.command, self.event = code("command"), code("event")
        self.codes: dict[str, int] = {each: code(each.value) for each in Outcome}
        unfinished = self.codes[Outcome.UNFINISHED]
        self.requests = Rows(REQUESTS, unfinished)
        self.messages = Rows(MESSAGES, NEVER)
        self.calls = Rows(CALLS, unfinished)
        self.attempts = Rows(ATTEMPTS, NEVER)
        self.effects = Rows(EFFECTS, NEVER)
        self.deliveries = Rows(DELIVERIES, self.codes[Outcome.PENDING])
        self.faults = Rows(FAULTS, NEVER)
        self.scaling = Rows(SCALING, NEVER)
        self.incidents = Rows(INCIDENTS, NEVER)
        self._all = tuple(getattr(self, name) for name in TABLES)

    def store(self) -> None:
        """Move what is complete to the columns; to be called every now and then."""
        for rows in self._all:
            rows.store()

    def tables(self) -> dict[str, dict[str, "array[Any]"]]:
        """Close the books, and return every table as its columns."""
        rows = {name: getattr(self, name) for name in TABLES}
        for table in rows.values():
            table.close()
        return {name: table.columns for name, table in rows.items()}
