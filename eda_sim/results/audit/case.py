"""The file of one request: its rows of every table, and how they hang together."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from eda_sim.results.meant import Place
from eda_sim.rules.unfolding import message_number

if TYPE_CHECKING:
    from eda_sim.results.run import Run

_TABLES = ("requests", "messages", "calls", "attempts", "effects", "deliveries", "incidents")

Rows = list[Any]

NOWHERE: Mapping[int, frozenset[int]] = {}


class Case:
    """All that a run has written down about one request."""

    def __init__(self, request: int, found: Mapping[str, Rows]) -> None:
        self.request = request
        self.is_answered = found["requests"][0].outcome != "unfinished"
        self.messages = {row.message: row for row in found["messages"]}
        self.calls = {row.message: row for row in found["calls"]}
        self.deliveries = {(row.message, row.subscriber): row for row in found["deliveries"]}
        self.attempts = grouped(found["attempts"], lambda row: (row.message, row.service))
        self.effects = grouped(found["effects"], _place_of)
        self._incidents = grouped(found["incidents"], lambda row: (row.message, row.service))
        self._by_number = grouped(found["messages"], lambda row: message_number(row.message))
        self._caused = grouped(found["messages"], lambda row: (row.cause, row.sender))

    def made(self, number: int) -> Rows:
        """Return the messages of a place in the unfolding, again and again, by time."""
        return self._by_number[number]

    def incidents(self, message: int, service: str) -> Rows:
        """Return what happened to a message at a service itself, by time."""
        return self._incidents[message, service]

    def troubles(
        self, message: int, service: str, ways: Mapping[int, frozenset[int]] = NOWHERE
    ) -> Iterator[Any]:
        """Yield what went wrong while a service handled a message.

        That is what happened to the message there, and to those that were made for it and on
        which the handler depends: its calls, with all that these depend on, and what it could
        not hand over to the broker. ``ways`` narrows what is made for messages of such numbers.
        """
        yield from self._incidents[message, service]
        way = ways.get(message_number(message))
        for made in self._caused[message, service]:
            if way is not None and message_number(made.message) not in way:
                continue
            call = self.calls.get(made.message)
            if call is not None:
                yield from self.troubles(call.message, call.service, ways)
            else:
                yield from self._incidents[made.message, service]

    def again(self, place: Place, meant: int) -> list[tuple[Any, Any]]:
        """Return each effect of a place that is one too many, after the one that it repeats.

        What is done for a message beyond what is meant repeats what was done for it; what is
        done for a message that was made again repeats what was done for the first.
        """
        effects = self.effects[place]
        by_message = grouped(effects, lambda effect: effect.message)
        pairs: list[tuple[Any, Any]] = []
        for done in by_message.values():
            pairs += zip(done, done[meant:], strict=False)
            if done[0].message != effects[0].message:
                pairs += [(effects[0], effect) for effect in done[:meant]]
        pairs.sort(key=lambda pair: pair[1].at)
        too_many = len(effects) - meant
        return pairs[len(pairs) - too_many :] if too_many > 0 else []

    def begun(self, effect: Any) -> float:
        """Return until when something may have led to the attempt that had an effect.

        That is when the attempt came to wait; of a first one it may be any time before the effect,
        for another attempt may have been quicker.
        """
        attempts = (
            row
            for row in self.attempts[effect.message, effect.service]
            if row.started_at <= effect.at and not row.ended_at < effect.at
        )
        last = max(attempts, key=lambda row: row.started_at)
        return float(last.queued_at if last.attempt > 1 else effect.at)

    def is_delivered(self, message: int) -> bool:
        """Say whether the broker has, or has given up, the message for any subscriber."""
        return any(number == message for number, _ in self.deliveries)

    def is_under_way(self, message: int, service: str) -> bool:
        """Say whether a message is still to be handled, or being handled, when the run ends."""
        delivery = self.deliveries.get((message, service))
        if delivery is not None and delivery.outcome == "pending":
            return True
        if any(row.outcome == "unfinished" for row in self.attempts[message, service]):
            return True
        call = self.calls.get(message)
        return call is not None and call.outcome == "unfinished"


def cases(run: "Run", requests: Iterable[int]) -> Iterator[Case]:
    """Yield the file of each of the ``requests``."""
    wanted = list(requests)
    found = {name: _by_request(run.tables[name], wanted) for name in _TABLES}
    for request in wanted:
        yield Case(request, {name: found[name][request] for name in _TABLES})


def _by_request(table: pd.DataFrame, wanted: list[int]) -> Mapping[int, Rows]:
    return grouped(rows(table[table["request"].isin(wanted)]), lambda row: row.request)


def _place_of(effect: Any) -> Place:
    return Place(effect.service, effect.label, message_number(effect.message))


def rows(table: pd.DataFrame) -> Rows:
    """Return the rows of a table, in its order, with a field for each column."""
    return list(table.itertuples())


def grouped(rows: Rows, key: Callable[[Any], Any]) -> "defaultdict[Any, Rows]":
    """Return rows by a key of theirs, an empty list where there are none."""
    groups: defaultdict[Any, Rows] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
