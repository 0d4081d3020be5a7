"""A journey as a sequence diagram in Mermaid text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eda_sim.later.pandas import pd
from eda_sim.results.journey.story import NEVER_ARRIVED, WRONG, Activity, Arrow
from eda_sim.results.words import seconds_text


def as_mermaid(
    participants: Sequence[str],
    steps: pd.DataFrame,
    arrows: Sequence[Arrow],
    activities: Sequence[Activity],
) -> str:
    """Return a journey's steps as Mermaid text; see ``Journey.to_mermaid``."""
    diagram = _Diagram(participants, arrows, activities)
    lines = ["sequenceDiagram", *diagram.heads()]
    for step in steps.itertuples():
        lines += diagram.lines(step)
    return "\n    ".join(lines) + "\n"


class _Diagram:
    def __init__(
        self, participants: Sequence[str], arrows: Sequence[Arrow], activities: Sequence[Activity]
    ) -> None:
        self._ids = {name: f"p{i}" for i, name in enumerate(participants)}
        self._brokers = {a.receiver for a in arrows if a.kind in ("publish", "send")}
        self._workers = {activity.who for activity in activities}

    def heads(self) -> list[str]:
        """Name the participants."""
        return [f"participant {id_} as {_escaped(who)}" for who, id_ in self._ids.items()]

    def lines(self, step: Any) -> list[str]:
        """Draw one step."""
        who = self._ids[step.who]
        if step.to:
            return [f"{who}{self._arrow(step)}"]
        if step.what == "started":
            return [f"activate {who}"]
        if step.what == "worked":
            return [_note(who, step.note, step)]
        lines = []
        if step.what in WRONG:
            lines.append(_note(who, f"✗ {step.what}{_aside(step)}", step))
        if step.what in ("ended", "failed", "crashed") and step.who in self._workers:
            lines.append(f"deactivate {who}")
        return lines

    def _arrow(self, step: Any) -> str:
        head, text = "->>", step.message
        if step.what.startswith("replied"):
            in_vain = step.what == "replied too late" or step.note == NEVER_ARRIVED
            head = "--x" if in_vain else "-->>"
            text = step.note or "ok"
        elif step.what == "delivered":
            head = "--)"
        elif step.to in self._brokers:
            head = "-)"
        if step.what == "sent":
            text += _aside(step)
        return f"{head}{self._ids[step.to]}: {_escaped(text)} ({seconds_text(step.after)})"


def _note(who: str, text: str, step: Any) -> str:
    return f"Note over {who}: {_escaped(text)} ({seconds_text(step.after)})"


def _aside(step: Any) -> str:
    return f", {step.note}" if step.note else ""


def _escaped(text: str) -> str:
    """Replace what Mermaid would take for its own: entities, and the end of a statement."""
    return text.translate({ord("#"): "#35;", ord(";"): "#59;"})
