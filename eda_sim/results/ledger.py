"""The ledger: what became of each request, beside what it was meant to do.

One row a request, one verdict, the first that applies:

``pending``
    something is missing, and something of it is still under way;
``half_done``
    some of the meant effects are there, and some will never be;
``lost``
    nothing of what was meant was done, yet the client was told that all is well;
``duplicated``
    all is done, and something was done more often than meant;
``out_of_order``
    all is done, but some of it after work of the same kind for a later message with the same
    key (see ``overtaking``);
``consistent``
    all was done, once and in order; or nothing was, and the client was not told otherwise.

The same rules judge every architecture: they look at effects and answers, not at
how those came about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from eda_sim.later.pandas import pd
from eda_sim.results.meant import meant_by_source
from eda_sim.results.record import Record
from eda_sim.results.under_way import under_way
from eda_sim.rules.identity import number_of, source_of
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.plan import WorkNode

VERDICTS: Final = ("consistent", "duplicated", "half_done", "lost", "out_of_order", "pending")

Counts = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Account:
    """Meant and done, for each request (row) and each work at its place (column)."""

    works: tuple[WorkNode, ...]
    meant: Counts
    done: Counts
    completed_at: Times  # one for each request; NaN where something is missing


def account(record: Record) -> Account:
    """Compare what each request was meant to do with its effects."""
    requests, ids = record.requests, record.requests["request"].to_numpy()
    works, meant = _meant(record, ids)
    row, column, at = _found(record, ids, works)
    done = np.zeros_like(meant)
    np.add.at(done, (row, column), 1)
    return Account(works, meant, done, _completed_at(requests, meant, done, row, column, at))


def _meant(record: Record, ids: Counts) -> tuple[tuple[WorkNode, ...], Counts]:
    sizes = {str(name): int(n) for name, n in record.requests["source"].value_counts().items()}
    by_source = meant_by_source(record.plan, record.seed, sizes)
    works = tuple(work for meant in by_source.values() for work in meant)
    meant = np.zeros((len(ids), len(works)), np.int64)
    column = 0
    for position, of_source in enumerate(by_source.values()):
        mine = source_of(ids) == position
        for mask in of_source.values():
            meant[mine, column] = mask[number_of(ids[mine])]
            column += 1
    return works, meant


def _found(
    record: Record, ids: Counts, works: tuple[WorkNode, ...]
) -> tuple[Counts, Counts, Times]:
    """Return the row, the column and the time of each effect."""
    effects = record.effects
    rows = pd.Index(ids).get_indexer(pd.Index(effects["request"]))
    position = {source.name: i for i, source in enumerate(record.scenario.traffic)}
    most = max((work.number for work in works), default=0)
    column_of = np.full((len(position), most + 1), -1)
    for column, work in enumerate(works):
        column_of[position[work.source], work.number] = column
    sources = source_of(effects["request"].to_numpy(np.int64))
    columns = column_of[sources, effects["node"].to_numpy(np.int64)]
    return rows.astype(np.int64), columns.astype(np.int64), effects["at"].to_numpy()


def _completed_at(
    requests: pd.DataFrame,
    meant: Counts,
    done: Counts,
    row: Counts,
    column: Counts,
    at: Times,
) -> Times:
    """Return when the last effect that was meant was there, for each request."""
    order = np.lexsort((at, column, row))
    row, column, at = row[order], column[order], at[order]
    new = np.r_[True, (row[1:] != row[:-1]) | (column[1:] != column[:-1])][: len(row)]
    first = np.maximum.accumulate(np.where(new, np.arange(len(row)), 0))
    is_meant = np.arange(len(row)) - first < meant[row, column]
    completed = requests["started_at"].to_numpy().copy()
    np.maximum.at(completed, row[is_meant], at[is_meant])
    completed[(done < meant).any(axis=1)] = np.nan
    return completed


def ledger(record: Record, judged: Account, overtaken: pd.DataFrame) -> pd.DataFrame:
    """Return one row a request, with its verdict; ``overtaken`` are works done out of order."""
    requests = record.requests
    meant, done = judged.meant.sum(axis=1), judged.done.sum(axis=1)
    missing = np.maximum(judged.meant - judged.done, 0).sum(axis=1)
    repeated = np.maximum(judged.done - judged.meant, 0).sum(axis=1)
    told_ok = (requests["outcome"] == Outcome.OK).to_numpy()
    late = requests["request"].map(overtaken["request"].value_counts()).fillna(0)
    out_of_order = late.to_numpy(np.int64)
    nothing = (done == 0) & (meant > 0)
    verdict = np.select(
        [
            (missing > 0) & under_way(record),
            (missing > 0) & ~nothing,
            nothing & told_ok,
            repeated > 0,
            out_of_order > 0,
        ],
        ["pending", "half_done", "lost", "duplicated", "out_of_order"],
        default="consistent",
    )
    return pd.DataFrame(
        {
            "request": requests["request"],
            "source": requests["source"],
            "outcome": requests["outcome"],
            "meant": meant,
            "done": done,
            "missing": missing,
            "repeated": repeated,
            "out_of_order": out_of_order,
            "completed_at": judged.completed_at,
            "verdict": pd.Categorical(verdict, categories=pd.Index(VERDICTS, dtype="str")),
        }
    )
