"""The journey of one request: who did what, when, and what had to come first.

A journey is read off the tables of a run. Every step but the first names the
step that it came from, so the steps form a tree that begins with the client, and
their order is causal even where several share one instant. ``story`` builds it;
the sequence diagrams in ``views`` are drawn from its arrows and activities.

What the tables do not keep is not made up. A call that is tried again has one
row for all its tries, so a later try's departure is known only where the timeout
and a backoff without jitter fix it; elsewhere its arrow departs at NaN, and its
step says when at the latest. So is the arrival of a reply that did not end the
call: its step says when it left.
"""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from eda_sim.errors import InvalidInput
from eda_sim.results.words import seconds_text

if TYPE_CHECKING:
    from eda_sim.results.run import Run


class Arrow(NamedTuple):
    """Something on its way between two participants; times in seconds since the run's start.

    ``kind`` is ``call``, ``reply``, ``publish`` or ``send`` (to the broker), or
    ``deliver`` (from it). ``outcome`` is that of a reply's attempt, else empty.
    """

    kind: str
    name: str
    sender: str
    receiver: str
    departs: float
    arrives: float
    attempt: int
    outcome: str


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


@dataclass(frozen=True, eq=False, repr=False)
class Journey:
    """The causal story of one request.

    Attributes:
        request: its id.
        source: the client that started it.
        outcome: how it was answered, one of ``rules.tables.REQUEST_OUTCOMES``.
        verdict: what the ledger says became of it.
        started_at, answered_at, completed_at: seconds since the run's start; NaN for never.
            All that was meant was applied at ``completed_at``.
        participants: who takes part, in the order of appearance; the broker is one of them.
        arrows: everything that travelled.
        activities: every attempt that a worker took.
        steps: a row for each step, causes before effects: ``at`` (seconds since the run's
            start), ``after`` (seconds since the request's), ``who``, ``what``, ``to``,
            ``message``, ``note``, and ``because``, the row of the step that came first
            (-1 for the first row).

    Example:
        >>> from eda_sim import order_chain, simulate
        >>> journey = simulate(order_chain(duration=5, warmup=0)).journey(0)
        >>> journey.participants[:2], journey.steps["what"].iloc[0], journey.steps["what"].iloc[-1]
        (('customers', 'orders'), 'sent', 'answered')
    """

    request: int
    source: str
    outcome: str
    verdict: str
    started_at: float
    answered_at: float
    completed_at: float
    participants: tuple[str, ...]
    arrows: tuple[Arrow, ...]
    activities: tuple[Activity, ...]
    steps: pd.DataFrame

    @property
    def title(self) -> str:
        """How it went, in one line."""
        answer = seconds_text(self.answered_at - self.started_at)
        applied = seconds_text(self.completed_at - self.started_at)
        answered = f"{self.outcome.replace('_', ' ')} after {answer}"
        if self.outcome == "unfinished":
            answered = "never answered"
        return (
            f"request {self.request} of {self.source}: {answered}; all applied: "
            f"{'' if applied == 'never' else 'after '}{applied} ({self.verdict.replace('_', ' ')})"
        )

    def __str__(self) -> str:
        return "\n".join([self.title, *map("  ".join, self._columns())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell.strip())}</td>" for cell in row) + "</tr>"
            for row in self._columns()
        )
        head = "<tr><th>after</th><th>who</th><th>what</th></tr>"
        return f"<p>{escape(self.title)}</p><table>{head}{rows}</table>"

    def _columns(self) -> list[tuple[str, str, str]]:
        after = [seconds_text(seconds) for seconds in self.steps["after"]]
        width, widest = max(map(len, after)), max(map(len, self.participants))
        rows = self.steps.itertuples()
        return [
            (when.rjust(width), str(row.who).ljust(widest), _sentence(row))
            for when, row in zip(after, rows, strict=True)
        ]


def _sentence(step: object) -> str:
    what, message, to, note = (getattr(step, n) for n in ("what", "message", "to", "note"))
    text = f"{what} {message}"
    if to:
        text += f" to {to}"
    return f"{text} ({note})" if note else text


def journey(run: "Run", request: int) -> Journey:
    """Return the causal story of one request of ``run``.

    Raises:
        InvalidInput: if the run has no such request.
    """
    from eda_sim.results.story import Story

    found = run.requests.index[run.requests["request"] == request]
    if isinstance(request, bool) or len(found) != 1:
        raise InvalidInput(_unknown(run, request))
    row = run.requests.loc[found[0]]
    judged = run.ledger().loc[found[0]]
    story = Story(run, int(request))
    return Journey(
        request=int(request),
        source=str(row["source"]),
        outcome=str(row["outcome"]),
        verdict=str(judged["verdict"]),
        started_at=float(row["started_at"]),
        answered_at=float(row["answered_at"]),
        completed_at=float(judged["completed_at"]),
        participants=story.participants(),
        arrows=tuple(story.arrows),
        activities=tuple(story.activities),
        steps=story.table(float(row["started_at"])),
    )


def _unknown(run: "Run", request: object) -> str:
    rule = f"request must be the id of one of the run's requests, got {request!r}"
    if run.requests.empty:
        return f"{rule}: the run has none, let it last longer"
    ids = run.requests["request"]
    return f"{rule}: take one from run.requests, such as {ids.iloc[0]} or {ids.iloc[-1]}"
