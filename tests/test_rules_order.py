"""What comes first at one instant is written down, and the tables say what they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim.rules.order import Rank, request_turn, turn
from eda_sim.rules.tables import DELIVERIES, TABLES, TYPECODES, Table
from eda_sim.rules.unfolding import MOST_MESSAGES, message_id, request_id

ranks = st.sampled_from(list(Rank))
requests = st.builds(request_id, st.integers(0, 200), st.integers(0, 10**9 - 1))
places = st.integers(0, 2**16 - 1)
dues = st.tuples(ranks, requests, places)


@given(dues, dues)
def test_turns_go_by_rank_then_request_then_place(
    one: tuple[Rank, int, int], other: tuple[Rank, int, int]
) -> None:
    """One integer compares as the three things that it stands for."""

    def as_turn(due: tuple[Rank, int, int]) -> int:
        rank, request, place = due
        return turn(rank, place) + request_turn(request)

    assert (as_turn(one) < as_turn(other)) == (one < other)


def test_every_turn_comes_after_what_follows_at_once() -> None:
    """SimPy's own priorities are 0 and 1: the least turn is greater."""
    assert min(turn(rank) for rank in Rank) > 1


messages = st.tuples(requests, st.integers(0, MOST_MESSAGES - 1), st.integers(0, 999))


@given(messages, messages)
def test_message_ids_order_by_request_number_and_repetition(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    """Two messages never share an id, and ids fit into 64 bits."""
    assert (message_id(*one) < message_id(*other)) == (one < other)
    assert message_id(*one) < 2**63


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_tables_are_ordered_by_their_first_time_and_ids(table: Table) -> None:
    """Rows are ordered by columns that the table has, the first of them a time."""
    types = {column.name: column.type for column in table.columns}
    first, *others = table.order
    assert types[first] == "time"
    assert set(others) <= set(types)
    assert len(types) == len(table.columns)
    assert set(types.values()) <= set(TYPECODES)
    assert all(column.meaning for column in table.columns)


def test_positions_are_those_of_the_columns() -> None:
    """An engine that fills a row by position fills the column it means."""
    names = [column.name for column in DELIVERIES.columns]
    assert [names[i] for i in DELIVERIES.positions("outcome", "message")] == ["outcome", "message"]
