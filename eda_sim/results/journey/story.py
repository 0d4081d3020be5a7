"""What a journey tells: what happened and because of what, what travelled, and who worked."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from eda_sim.later.pandas import pd

# What went wrong, and is written at the lifeline where it did.
WRONG: Final = (
    "failed", "crashed", "refused", "rejected", "timed out", "short-circuited",
    "dead-lettered", "lost", "abandoned",
)  # fmt: skip
# What is noted of a reply that got lost, or was still on its way when the run ended.
NEVER_ARRIVED: Final = "never arrived"


class Arrow(NamedTuple):
    """Something on its way between two participants; times in seconds since the run's start.

    ``kind`` is ``call``, ``reply``, ``publish`` or ``send`` (to the broker), or
    ``deliver`` (from it). ``arrives`` is NaN if it never did. ``outcome`` is that of a
    reply's attempt, else empty; a reply is ``too_late`` if nobody waited for it any more.
    """

    kind: str
    name: str
    sender: str
    receiver: str
    departs: float
    arrives: float
    attempt: int = 1
    outcome: str = ""
    too_late: bool = False


class Activity(NamedTuple):
    """A worker that handles a message; times in seconds since the run's start.

    ``works`` are the labels of what it completed. ``ends`` is NaN if the run ended first.
    """

    who: str
    name: str
    attempt: int
    begins: float
    ends: float
    outcome: str
    works: tuple[str, ...]


@dataclass(eq=False)
class Happening:
    """Something that happened, and what it came from."""

    at: float
    who: str
    what: str
    message: str
    to: str = ""
    note: str = ""
    because: Happening | None = None


class Story:
    """All that is told of one request, in whatever order it is told."""

    def __init__(self) -> None:
        self.happenings: list[Happening] = []
        self.arrows: list[Arrow] = []
        self.activities: list[Activity] = []

    def tell(
        self, at: float, who: str, what: str, message: str, to: str = "", note: str = "",
        because: Happening | None = None,
    ) -> Happening:  # fmt: skip
        """Tell that something happened, and return it as what others may come from."""
        happening = Happening(float(at), who, what, message, to, note, because)
        self.happenings.append(happening)
        return happening

    def participants(self) -> tuple[str, ...]:
        """Return who takes part, in the order of appearance."""
        seen: dict[str, None] = {}
        for each in self._in_order():
            seen.setdefault(each.who)
            if each.to:
                seen.setdefault(each.to)
        return tuple(seen)

    def table(self, started_at: float) -> pd.DataFrame:
        """Return what happened as a table, causes before effects."""
        told = list(self._in_order())
        row = {id(each): i for i, each in enumerate(told)}
        because = [row[id(each.because)] if each.because else -1 for each in told]
        columns = {
            name: [getattr(each, name) for each in told]
            for name in ("at", "who", "what", "to", "message", "note")
        }
        table = pd.DataFrame(columns | {"because": because})
        table.insert(1, "after", table["at"] - started_at)
        return table

    def _in_order(self) -> Iterator[Happening]:
        """Yield what happened by time, and causes before effects where the time is the same."""
        number = {id(each): i for i, each in enumerate(self.happenings)}
        follow: dict[int, list[Happening]] = defaultdict(list)
        ready = []
        for each in self.happenings:
            if each.because is None:
                ready.append((each.at, number[id(each)], each))
            else:
                follow[id(each.because)].append(each)
        heapq.heapify(ready)
        while ready:
            _, _, each = heapq.heappop(ready)
            yield each
            for effect in follow[id(each)]:
                heapq.heappush(ready, (effect.at, number[id(effect)], effect))
