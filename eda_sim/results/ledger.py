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
``consistent``
    all was done, once; or nothing was, and the client was not told otherwise.

The same rules judge every architecture: they look at effects and answers, not at
how those came about.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from eda_sim.results.meant import Work, meant_by_source
from eda_sim.rules.unfolding import request_id
from eda_sim.scenario.scenario import Scenario

VERDICTS: Final = ("consistent", "duplicated", "half_done", "lost", "pending")

Counts = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Account:
    """Meant and done, for each request (row) and each work (column)."""

    works: tuple[Work, ...]
    meant: Counts
    done: Counts
    completed_at: Times  # one for each request; NaN where something is missing


def account(
    scenario: Scenario, seed: int, requests: pd.DataFrame, effects: pd.DataFrame
) -> Account:
    """Compare what each request was meant to do with its effects."""
    ids = requests["request"].to_numpy()
    works, meant = _meant(scenario, seed, requests, ids)
    row, column, at = _places(effects, ids, works)
    done = np.zeros_like(meant)
    np.add.at(done, (row, column), 1)
    return Account(works, meant, done, _completed_at(requests, meant, done, row, column, at))


def _meant(
    scenario: Scenario, seed: int, requests: pd.DataFrame, ids: Counts
) -> tuple[tuple[Work, ...], Counts]:
    sizes = {str(name): int(n) for name, n in requests["source"].value_counts().items()}
    by_source = meant_by_source(scenario, seed, sizes)
    works = tuple(dict.fromkeys(work for counts in by_source.values() for work in counts))
    meant = np.zeros((len(ids), len(works)), np.int64)
    for position, source in enumerate(scenario.traffic):
        mine = (requests["source"] == source.name).to_numpy()
        numbers = ids[mine] - request_id(position, 0)
        for work, counts in by_source[source.name].items():
            meant[mine, works.index(work)] = counts[numbers]
    return works, meant


def _places(
    effects: pd.DataFrame, ids: Counts, works: tuple[Work, ...]
) -> tuple[Counts, Counts, Times]:
    """Return the row, the column and the time of each effect."""
    rows = pd.Index(ids).get_indexer(pd.Index(effects["request"]))
    services, labels = effects["service"].cat, effects["label"].cat
    column_of = np.full((len(services.categories), len(labels.categories)), -1)
    for column, (service, label) in enumerate(works):
        if service in services.categories and label in labels.categories:
            where = services.categories.get_loc(service), labels.categories.get_loc(label)
            column_of[where] = column
    columns = column_of[services.codes, labels.codes]
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


def ledger(
    requests: pd.DataFrame, judged: Account, under_way: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """Return one row a request, with its verdict.

    ``under_way`` says for each request whether anything of it had not ended.
    """
    meant, done = judged.meant.sum(axis=1), judged.done.sum(axis=1)
    missing = np.maximum(judged.meant - judged.done, 0).sum(axis=1)
    repeated = np.maximum(judged.done - judged.meant, 0).sum(axis=1)
    told_ok = (requests["outcome"] == "ok").to_numpy()
    nothing = (done == 0) & (meant > 0)
    verdict = np.select(
        [
            (missing > 0) & under_way,
            (missing > 0) & ~nothing,
            nothing & told_ok,
            repeated > 0,
        ],
        ["pending", "half_done", "lost", "duplicated"],
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
            "completed_at": judged.completed_at,
            "verdict": pd.Categorical(verdict, categories=pd.Index(VERDICTS, dtype="str")),
        }
    )
