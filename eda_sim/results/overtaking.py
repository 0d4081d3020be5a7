"""What was handled out of order: work for a key that came after work for a later message.

Two messages of one name and one key (the aggregate that they are about) are meant to be
handled by a service in the order in which the broker had accepted them; calls, in the order
in which they were made. A work that is done first for the later of the two is an overtaking:
the earlier message then finds, or overwrites, what is newer than itself. Only the first time
that a work is done for a message counts here; when it is done again it is repeated, not late.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from eda_sim.later.pandas import pd
from eda_sim.results.record import Record

COLUMNS: Final = (
    "request", "message", "node", "service", "label", "said_at", "done_at",
    "overtaken_by", "overtaken_at",
)  # fmt: skip
_QUEUE: Final = ["service", "label", "name", "key"]


def overtaken(record: Record) -> pd.DataFrame:
    """Return one row for each work that was done after work for a later message.

    Columns: ``request``, ``message``, ``node``, ``service`` and ``label`` of the work, when its
    message was accepted by the broker or its call made (``said_at``, seconds), when it was done
    (``done_at``), and which request's work was done before it (``overtaken_by``), and when
    (``overtaken_at``): the first of them.
    """
    if record.requests["key"].is_unique:
        return pd.DataFrame(columns=list(COLUMNS))
    done = _first_times(record)
    # What was said at one instant has no order: it is taken to be said as it was done.
    done = done.sort_values([*_QUEUE, "said_at", "done_at"], kind="stable", ignore_index=True)
    queue = done.groupby(_QUEUE, observed=True, sort=False).ngroup().to_numpy()
    row = _first_done_of_later(queue, done["done_at"].to_numpy(float))
    late = np.flatnonzero(row >= 0)
    found = done.iloc[late].reset_index(drop=True)
    first = done.iloc[row[late]].reset_index(drop=True)
    found = found.assign(overtaken_by=first["request"], overtaken_at=first["done_at"])
    return found[list(COLUMNS)].sort_values(["done_at", "message"], ignore_index=True)


def _first_times(record: Record) -> pd.DataFrame:
    """Return when each work was first done for each message that a request means."""
    effects = record.effects.drop_duplicates(["request", "node"])  # by time
    messages = record.messages.drop_duplicates("message").set_index("message")
    said = messages["accepted_at"].fillna(messages["published_at"])
    which = effects["message"]
    return pd.DataFrame(
        {
            "request": effects["request"],
            "message": which,
            "node": effects["node"],
            "service": effects["service"],
            "label": effects["label"],
            "name": which.map(messages["name"]),
            "key": which.map(messages["key"]),
            "said_at": which.map(said),
            "done_at": effects["at"],
        }
    )


def _first_done_of_later(queue: np.ndarray, done: np.ndarray) -> np.ndarray:
    """Return, for each row, the later row of its queue that was done first, if before it.

    Rows come queue by queue, each in the order of saying; -1 where there is none.
    """
    result = np.full(len(queue), -1)
    first = -1  # of all later rows the one that was done first
    for row in range(len(queue) - 1, -1, -1):
        if row + 1 == len(queue) or queue[row + 1] != queue[row]:
            first = -1
        if first >= 0 and done[first] < done[row]:
            result[row] = first
        else:
            first = row
    return result
