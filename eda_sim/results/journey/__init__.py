"""The journey of one request: who did what, when, and what had to come first.

A journey is read off the tables of a run. Every step but the first names the
step that it came from, so the steps form a tree that begins with the client, and
their order is causal even where several share one instant. ``telling`` reads the
tables, ``story`` keeps what is told; the sequence diagrams in ``views`` are drawn
from its arrows and activities.

Nothing is guessed. The tables keep when each try was sent, when its sender gave up
and when the reply came, also where nobody waited for it any more; what never
arrived has an arrow that arrives at NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from eda_sim.errors import InvalidInput
from eda_sim.later.pandas import pd
from eda_sim.results.case import cases
from eda_sim.results.journey.mermaid import as_mermaid
from eda_sim.results.journey.story import Activity, Arrow
from eda_sim.results.journey.telling import Telling
from eda_sim.results.record import Record
from eda_sim.results.words import seconds_text
from eda_sim.rules.outcomes import Outcome


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
        if self.outcome == Outcome.UNFINISHED:
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

    def to_mermaid(self) -> str:
        """Return it as Mermaid text, which JupyterLab and many sites draw.

        Every arrow is a line: ``->>`` a call, ``-->>`` a reply (``--x`` one that found nobody),
        ``-)`` what goes to the broker, ``--)`` what it delivers.

        >>> from eda_sim import order_chain, simulate
        >>> journey = simulate(order_chain(duration=5, warmup=0), seed=7).journey(0)
        >>> print(journey.to_mermaid().splitlines()[0])
        sequenceDiagram
        """
        return as_mermaid(self.participants, self.steps, self.arrows, self.activities)

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


def journey(record: Record, ledger: pd.DataFrame, request: int) -> Journey:
    """See ``Run.journey``."""
    judged = ledger[ledger["request"] == request]
    if isinstance(request, bool) or len(judged) != 1:
        raise InvalidInput(_unknown(record.requests["request"], request))
    (case,) = cases(record, [request])
    row, story = case.request, Telling(record.scenario, case).story
    return Journey(
        request=int(request),
        source=row.source,
        outcome=row.outcome,
        verdict=str(judged["verdict"].iloc[0]),
        started_at=row.started_at,
        answered_at=row.answered_at,
        completed_at=float(judged["completed_at"].iloc[0]),
        participants=story.participants(),
        arrows=tuple(story.arrows),
        activities=tuple(story.activities),
        steps=story.table(row.started_at),
    )


def _unknown(ids: pd.Series, request: object) -> str:
    rule = f"request must be the id of one of the run's requests, got {request!r}"
    if ids.empty:
        return f"{rule}: the run has none, let it last longer"
    return f"{rule}: take one from run.requests, such as {ids.iloc[0]} or {ids.iloc[-1]}"
