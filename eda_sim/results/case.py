"""The file of one request: its rows of every table, and how they hang together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from eda_sim.later.pandas import pd
from eda_sim.results.record import Record
from eda_sim.rules.outcomes import Outcome

_TABLES = ("requests", "messages", "calls", "attempts", "effects", "deliveries", "incidents")

Rows = list[Any]


class Case:
    """All that a run has written down about one request, each kind of row by time.

    Attributes:
        id: of the request.
        request: its own row.
        messages, calls: a row for each id of a message.
        attempts, incidents: rows for each message and service.
        caused: the messages that a sender made while handling a message; -1: none.
    """

    def __init__(self, found: Mapping[str, Rows]) -> None:
        (self.request,) = found["requests"]
        self.id = self.request.request
        self.messages = {row.message: row for row in found["messages"]}
        self.calls = {row.message: row for row in found["calls"]}
        self.attempts = grouped(found["attempts"], lambda row: (row.message, row.service))
        self.incidents = grouped(found["incidents"], lambda row: (row.message, row.service))
        self.caused = grouped(found["messages"], lambda row: (row.cause, row.sender))
        self._effects = found["effects"]
        self._deliveries = found["deliveries"]

    def made(self, node: int) -> Rows:
        """Return the messages that were made at a node of the plan, again and again."""
        return [row for row in self.messages.values() if row.node == node]

    def effects(self, message: int, service: str) -> Rows:
        """Return the work that a service completed for a message."""
        return [e for e in self._effects if (e.message, e.service) == (message, service)]

    def effects_at(self, node: int) -> Rows:
        """Return the work that was completed at a node of the plan, again and again."""
        return [e for e in self._effects if e.node == node]

    def deliveries(self, message: int) -> Rows:
        """Return the deliveries of a message."""
        return [row for row in self._deliveries if row.message == message]

    def is_under_way(self, message: int, service: str) -> bool:
        """Say whether a message is still to be handled, or being handled, when the run ends."""
        call = self.calls.get(message)
        return (
            any(row.outcome == Outcome.PENDING and row.subscriber == service
                for row in self.deliveries(message))
            or any(row.outcome == Outcome.UNFINISHED for row in self.attempts[message, service])
            or (call is not None and call.outcome == Outcome.UNFINISHED)
        )  # fmt: skip


def cases(record: Record, requests: Iterable[int]) -> Iterator[Case]:
    """Yield the file of each of the ``requests``."""
    wanted = list(requests)
    found = {name: _by_request(record.tables[name], wanted) for name in _TABLES}
    for request in wanted:
        yield Case({name: found[name][request] for name in _TABLES})


def _by_request(table: pd.DataFrame, wanted: list[int]) -> Mapping[int, Rows]:
    return grouped(rows(table[table["request"].isin(wanted)]), lambda row: row.request)


def rows(table: pd.DataFrame) -> Rows:
    """Return the rows of a table, in its order, with a field for each column."""
    return list(table.itertuples(index=False))


def grouped(rows: Rows, key: Callable[[Any], Any]) -> defaultdict[Any, Rows]:
    """Return rows by a key of theirs, an empty list where there are none."""
    groups: defaultdict[Any, Rows] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
