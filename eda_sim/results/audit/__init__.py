"""The audit: for every request that is not consistent, what is wrong with which effect, and why.

The ledger counts; the audit explains. Each missing, repeated or late effect gets one row with
what happened (one of ``rules.incidents``, or that it was still under way, or handled side by
side), when, the fault or the setting that did it, and the policy that let it stand: the setting
that would have helped, or two, or that none would. All are written as paths of
``Scenario.replace``: what to change to see it go well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from eda_sim.errors import InvalidInput
from eda_sim.later.pandas import pd
from eda_sim.results.audit.blame import OUTCOMES, SIDE_BY_SIDE, STILL_UNDER_WAY, Blame, Judge
from eda_sim.results.audit.remedies import NONE
from eda_sim.results.audit.routes import Routes
from eda_sim.results.audit.troubles import again
from eda_sim.results.case import Case, cases, grouped, rows
from eda_sim.results.ledger import Account
from eda_sim.results.record import Record
from eda_sim.results.words import seconds_text
from eda_sim.rules.incidents import INCIDENTS
from eda_sim.rules.plan import WorkNode

PROBLEMS: Final = ("missing", "repeated", "out_of_order")

_WITHOUT_INCIDENT: Final = {
    STILL_UNDER_WAY: "it was still under way when the run ended",
    SIDE_BY_SIDE: "it was handled side by side with others",
}
REASONS: Final = {
    what: INCIDENTS[what] for what in INCIDENTS if what not in OUTCOMES
} | _WITHOUT_INCIDENT


class Finding(NamedTuple):
    """One effect of one request that is not as it was meant."""

    request: int
    verdict: str
    problem: str
    service: str
    label: str
    message: str
    what: str
    at: float
    by: str
    policy: str
    explanation: str


def audit(
    record: Record,
    account: Account,
    ledger: pd.DataFrame,
    overtaken: pd.DataFrame,
    request: int | None = None,
) -> pd.DataFrame:
    """See ``Run.audit``."""
    if request is not None and not (ledger["request"] == request).any():
        raise InvalidInput(f"request must be the id of one of the run's requests, got {request!r}")
    suspects = ledger[ledger["verdict"] != "consistent"]
    if request is not None:
        suspects = ledger[ledger["request"] == request]
    findings = _findings(record, account, suspects, overtaken)
    return pd.DataFrame(findings, columns=list(Finding._fields))


def _findings(
    record: Record, account: Account, suspects: pd.DataFrame, overtaken: pd.DataFrame
) -> Iterator[Finding]:
    judge = Judge(record)
    routes = {each.source.name: Routes(each) for each in record.plan.unfoldings}
    late = grouped(rows(overtaken), lambda row: row.request)
    position = pd.Index(record.requests["request"])
    for case, row in zip(cases(record, suspects["request"]), rows(suspects), strict=True):
        i = position.get_loc(row.request)
        missing = np.maximum(account.meant[i] - account.done[i], 0)
        blamed = _Blamed(judge, case, routes[row.source])
        works = [(j, work) for j, work in enumerate(account.works) if work.source == row.source]
        for j, work in works:
            if missing[j]:
                yield blamed.finding(row.verdict, "missing", work, judge.missing(*blamed(work)))
        for j, work in works:
            for first, second in again(case, work, account.meant[i, j]):
                blame = judge.repeated(*blamed(work), first, second)
                yield blamed.finding(row.verdict, "repeated", work, blame)
        for each in late[row.request]:
            work = blamed.routes.work(each.node)
            blame = judge.out_of_order(*blamed(work), each)
            yield blamed.finding(row.verdict, "out_of_order", work, blame)


class _Blamed(NamedTuple):
    """A case before its judge."""

    judge: Judge
    case: Case
    routes: Routes

    def __call__(self, work: WorkNode) -> tuple[Case, Routes, WorkNode]:
        return self.case, self.routes, work

    def finding(self, verdict: str, problem: str, work: WorkNode, blame: Blame) -> Finding:
        """Write down what was found."""
        message = self.routes.to(work)[-1].message.name
        return Finding(
            self.case.id, verdict, problem, work.owner, work.step.label, message, blame.what,
            blame.at, blame.by, blame.policy, _explanation(problem, work, message, blame),
        )  # fmt: skip


_SAID: Final = {
    "missing": ("was never done", "let it stand"),
    "repeated": ("was done again", "had it done again"),
    "out_of_order": ("was done after a later one", "let it be overtaken"),
}


def _explanation(problem: str, work: WorkNode, message: str, blame: Blame) -> str:
    """Say it in one sentence."""
    happened, so = _SAID[problem]
    said_of_it = REASONS.get(blame.what, blame.what.replace("_", " "))
    by = f" ({blame.by})" if blame.by else ""
    text = (
        f"{work.step.label!r} of {work.owner} for {message} {happened}: at "
        f"{seconds_text(blame.at)} {said_of_it}{by}"
    )
    if blame.policy == NONE:
        return f"{text}, and no policy would have helped"
    return text if blame.policy == blame.by else f"{text}, and {blame.policy} {so}"
