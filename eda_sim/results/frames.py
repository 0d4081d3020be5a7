"""Recorded columns as pandas tables, with documented types.

=========  ==================  ==============================================
type       dtype               holds
=========  ==================  ==============================================
``id``     int64               requests, messages, keys; -1 where there is none
``count``  int32               small whole numbers
``time``   float64             seconds since the start; NaN where it never came
``name``   category            names and outcomes
=========  ==================  ==============================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from eda_sim.later.pandas import pd
from eda_sim.rules.tables import TYPECODES, Column, Table

# What the recorder hands over: any buffer of the column's type.
Columns = Mapping[str, "np.ndarray | memoryview"]


def frame(table: Table, columns: Mapping[str, object], names: Sequence[str]) -> pd.DataFrame:
    """Return a recorded table as a DataFrame, its rows in the table's own order."""
    arrays = {
        column.name: np.frombuffer(columns[column.name], dtype=TYPECODES[column.type])  # type: ignore[call-overload]
        for column in table.columns
    }
    order = _order(table, arrays, names)
    return pd.DataFrame(
        {
            column.name: _series(arrays[column.name][order], column, names)
            for column in table.columns
        }
    )


def _order(
    table: Table, arrays: Mapping[str, np.ndarray], names: Sequence[str]
) -> npt.NDArray[np.intp]:
    """Return the order of the rows: by the table's own columns, then by all others.

    Few rows need the others, so only those that are alike so far are looked at again.
    """
    keys = {
        name: _sortable(arrays[name], _column(table, name), names)
        for name in dict.fromkeys((*table.order, *arrays))
    }
    order = np.lexsort([keys[name] for name in reversed(table.order)])
    differs = np.zeros(max(len(order) - 1, 0), bool)
    for name in table.order:
        sorted_key = keys[name][order]
        differs |= sorted_key[1:] != sorted_key[:-1]
    alike = ~(np.r_[True, differs] & np.r_[differs, True])[: len(order)]
    if alike.any():
        some = order[alike]
        order[alike] = some[np.lexsort([key[some] for key in reversed(keys.values())])]
    return order


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)


def _sortable(values: np.ndarray, column: Column, names: Sequence[str]) -> np.ndarray:
    """Names go by the alphabet: the codes depend on who was named first."""
    if column.type != "name":
        return values
    ranks = np.empty(len(names), dtype=np.int64)
    ranks[np.argsort(np.array(names, dtype=object))] = np.arange(len(names))
    result: np.ndarray = ranks[values]
    return result


def _series(values: np.ndarray, column: Column, names: Sequence[str]) -> object:
    if column.type != "name":
        return values
    present = sorted(names[code] for code in np.unique(values))
    position = {name: i for i, name in enumerate(present)}
    codes = np.array([position.get(name, -1) for name in names], dtype=np.int32)
    return pd.Categorical.from_codes(codes[values], categories=pd.Index(present, dtype="str"))
