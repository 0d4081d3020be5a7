"""The envelope of a message: what travels around its data, so that strangers can read it.

A message that only its sender understands cannot be routed, deduplicated, traced or
kept. So every message of a run can be shown in the envelope that CloudEvents 1.0
defines, in its JSON format (https://cloudevents.io): an id, who made it, what it is
called, what it is about, when, and the data. Three extension attributes, which
CloudEvents allows any sender to add, say what the specification leaves open:

- ``dataversion``: the version of the data's schema;
- ``correlationid``: the request that all this belongs to;
- ``causationid``: the id of the message whose handling made this one; absent where a
  client made it.

A simulation has no calendar. Its second 0 is ``EPOCH``, so that times are valid and
the same run always has the same ones.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from eda_sim.errors import InvalidInput
from eda_sim.results.record import Record
from eda_sim.rules.identity import source_of
from eda_sim.rules.plan import PublicationNode
from eda_sim.scenario.plain import to_plain

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
SPECIFICATION: Final = "1.0"


def envelope(record: Record, message: int) -> dict[str, Any]:
    """See ``Run.envelope``."""
    rows = record.messages[record.messages["message"] == message]
    if rows.empty:
        raise InvalidInput(
            f"message must be the id of a message of this run, got {message}: "
            "look in the column 'message' of run.messages"
        )
    row = rows.iloc[0]
    result = {
        "specversion": SPECIFICATION,
        "id": str(row["message"]),
        "source": quote(row["sender"], safe=""),
        "type": row["name"],
        "subject": str(row["key"]),
        "time": timestamp(float(row["published_at"])),
        "datacontenttype": "application/json",
        "dataversion": int(row["version"]),
        "correlationid": str(row["request"]),
    }
    if row["cause"] >= 0:
        result["causationid"] = str(row["cause"])
    return {**result, "data": _data(record, int(row["request"]), int(row["node"]))}


def timestamp(seconds: float) -> str:
    """Return a time of a run as RFC 3339 text, to the microsecond, in UTC.

    >>> timestamp(0.25), timestamp(3600)
    ('2026-01-01T00:00:00.250000Z', '2026-01-01T01:00:00.000000Z')
    """
    moment = EPOCH + timedelta(seconds=seconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _data(record: Record, request: int, node: int) -> dict[str, Any]:
    """Return what the step that made a message gave it to carry; a command carries nothing."""
    made = record.plan.unfoldings[source_of(request)].nodes[node]
    event = made.event if isinstance(made, PublicationNode) else None
    data: dict[str, Any] = {} if event is None else to_plain(event.data)
    return data
