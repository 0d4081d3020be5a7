"""What a run writes down: the tables, their columns, types and units.

Columns are arrays, not rows of objects; ids join the tables. A time is in
seconds since the start of the run, and NaN where it never came. Names are
stored as codes into a list of names, and shown as categories.

The last column is the one that closes a row. Rows come in an order that no
engine decides: by the table's first time, then by its ids, then by all other columns.
"""

from typing import Literal, NamedTuple

from eda_sim.rules.outcomes import (
    ATTEMPT_OUTCOMES,
    CALL_OUTCOMES,
    DELIVERY_OUTCOMES,
    REQUEST_OUTCOMES,
)

Type = Literal["id", "count", "time", "name"]

# How a column of each type is kept: the codes of ``array`` and of numpy agree.
TYPECODES: dict[Type, str] = {"id": "q", "count": "i", "time": "d", "name": "i"}


class Column(NamedTuple):
    """A column: its name, its type and what it says."""

    name: str
    type: Type
    meaning: str


class Table(NamedTuple):
    """A table: one row for each what, its columns, and the columns that order its rows."""

    name: str
    row: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]

    def positions(self, *names: str) -> tuple[int, ...]:
        """Return where the columns ``names`` stand in a row.

        >>> REQUESTS.positions("request", "key")
        (0, 2)
        """
        all_names = [column.name for column in self.columns]
        return tuple(map(all_names.index, names))


_REQUEST = Column("request", "id", "the request that all this belongs to (correlation id)")
_MESSAGE = Column("message", "id", "the command or event")
_SERVICE = Column("service", "name", "the service that handles it")

REQUESTS = Table(
    "requests",
    "request",
    (
        Column("request", "id", "its id: its number within its source, and the source"),
        Column("source", "name", "the source of traffic"),
        Column("key", "id", "the aggregate that it is about"),
        Column("started_at", "time", "when the client started it"),
        Column("answered_at", "time", "when the client had its answer, or gave up"),
        Column("outcome", "name", f"one of {', '.join(REQUEST_OUTCOMES)}"),
    ),
    ("started_at", "request"),
)

MESSAGES = Table(
    "messages",
    "command or event",
    (
        Column("message", "id", "its id"),
        _REQUEST,
        Column("node", "count", "where it is made, in the plan of its request"),
        Column("name", "name", "its name"),
        Column("kind", "name", "command or event"),
        Column("sender", "name", "the service or source that made it"),
        Column("cause", "id", "the message whose handling made it (causation id); -1: a client"),
        Column("key", "id", "the aggregate that it is about"),
        Column("version", "count", "the version of its schema"),
        Column("published_at", "time", "when its sender made it"),
        Column("accepted_at", "time", "when the broker had accepted it; NaN for a call"),
    ),
    ("published_at", "message"),
)

CALLS = Table(
    "calls",
    "call, as its caller sees it",
    (
        _MESSAGE,
        _REQUEST,
        Column("caller", "name", "the service or source that waits"),
        _SERVICE,
        Column("started_at", "time", "when the caller began to wait"),
        Column("ended_at", "time", "when it had its reply, or gave up for good"),
        Column("attempts", "count", "how often it was tried"),
        Column("outcome", "name", f"one of {', '.join(CALL_OUTCOMES)}"),
    ),
    ("started_at", "message"),
)

ATTEMPTS = Table(
    "attempts",
    "try at handling a call or a delivery",
    (
        _MESSAGE,
        _REQUEST,
        _SERVICE,
        Column("instance", "count", "the copy of the service, from 0; -1: none took it"),
        Column("worker", "count", "the thread within the copy, from 0; -1: none took it"),
        Column("name", "name", "the name of the message"),
        Column("attempt", "count", "the number of the try, from 1; a copy of one has the same"),
        Column(
            "redelivered",
            "count",
            "1 where the broker delivers it again: after another try, or after an instance that "
            "had not begun with it; else 0, as for a call",
        ),
        Column("sent_at", "time", "when its sender (a caller, the broker) sent it"),
        Column("queued_at", "time", "when it began to wait for a worker"),
        Column("started_at", "time", "when a worker took it"),
        Column(
            "ended_at",
            "time",
            "when that worker was free again, a delivery's acknowledgement included",
        ),
        Column("outcome", "name", f"one of {', '.join(ATTEMPT_OUTCOMES)}"),
        Column("heard_at", "time", "when its sender heard how it had ended; NaN if it never did"),
    ),
    ("queued_at", "message", "service", "attempt"),
)

EFFECTS = Table(
    "effects",
    "completed work",
    (
        _REQUEST,
        _MESSAGE,
        Column("node", "count", "the work, in the plan of its request"),
        Column("service", "name", "the service that did it"),
        Column("label", "name", "the work"),
        Column("at", "time", "when it was complete"),
        Column("undone_at", "time", "when it was compensated; NaN if it was not"),
    ),
    ("at", "message", "service", "label"),
)

DELIVERIES = Table(
    "deliveries",
    "message and subscriber",
    (
        _MESSAGE,
        _REQUEST,
        Column("subscriber", "name", "the service that it is for"),
        Column("published_at", "time", "when its sender made the message"),
        Column("available_at", "time", "when it first waited for a worker"),
        Column("ended_at", "time", "when it was handled, dead-lettered or lost"),
        Column("attempts", "count", "how often it was tried"),
        Column("outcome", "name", f"one of {', '.join(DELIVERY_OUTCOMES)}"),
    ),
    ("published_at", "message", "subscriber"),
)

FAULTS = Table(
    "faults",
    "fault",
    (
        Column("fault", "count", "its position in the scenario"),
        Column("kind", "name", "what kind of fault, as in the scenario"),
        Column("target", "name", "the service, the broker or the link that it hits"),
        Column("instances", "count", "how many copies an outage hits; 0 for others"),
        Column("factor", "time", "how many times as long work takes; NaN but for a slowdown"),
        Column("started_at", "time", "when it began"),
        Column("ended_at", "time", "when it was over; NaN if it outlived the run"),
    ),
    ("started_at", "fault"),
)

SCALING = Table(
    "scaling",
    "change of a service's number of instances by its autoscaler",
    (
        Column("service", "name", "the service"),
        Column("instances", "count", "how many instances it has from now on"),
        Column("retired", "count", "how many were not wanted any more; 0 where one came up"),
        Column("at", "time", "when"),
    ),
    ("at", "service", "retired"),
)

INCIDENTS = Table(
    "incidents",
    "thing that went wrong with a message",
    (
        _MESSAGE,
        _REQUEST,
        Column("service", "name", "who handles it; its sender, where it never got to the broker"),
        Column("attempt", "count", "the number of the try; -1: none in particular"),
        Column("what", "name", "one of those in rules.incidents"),
        Column("node", "count", "the work that failed, in the plan; -1 where it was none"),
        Column("label", "name", "its label; empty where it was none"),
        Column("fault", "count", "the position of its fault in the scenario; -1: no fault"),
        Column("at", "time", "when"),
    ),
    ("at", "message", "service", "attempt", "what", "label", "fault"),
)

TABLES = {
    table.name: table
    for table in (
        REQUESTS,
        MESSAGES,
        CALLS,
        ATTEMPTS,
        EFFECTS,
        DELIVERIES,
        FAULTS,
        SCALING,
        INCIDENTS,
    )
}
