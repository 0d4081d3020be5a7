"""What comes first at one instant is written down, and the tables say what they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim.errors import SimulationError
from eda_sim.rules.identity import (
    MOST_SOURCES,
    message_id,
    message_made_again,
    number_of,
    request_id,
    source_of,
)
from eda_sim.rules.order import MOST_NODES, REQUEST_BITS, Rank, request_turn, turn
from eda_sim.rules.tables import DELIVERIES, TABLES, TYPECODES, Table

ranks = st.sampled_from(list(Rank))
requests = st.builds(request_id, st.integers(0, MOST_SOURCES - 1), st.integers(0, 10**9 - 1))
nodes = st.integers(0, MOST_NODES - 1)
dues = st.tuples(ranks, requests, nodes)


@given(dues, dues)
def test_turns_go_by_rank_then_request_then_node(
    one: tuple[Rank, int, int], other: tuple[Rank, int, int]
) -> None:
    """One integer compares as the three things that it stands for."""

    def as_turn(due: tuple[Rank, int, int]) -> int:
        rank, request, node = due
        return turn(rank, node) + request_turn(request)

    assert (as_turn(one) < as_turn(other)) == (one < other)


def test_a_turn_fits_into_64_bits() -> None:
    """The last turn that there can be: 6 bits of rank, 42 of request, 16 of node."""
    last = turn(max(Rank), MOST_NODES - 1) + request_turn(2**REQUEST_BITS - 1)
    assert last < 2**64
    assert max(Rank) < 2**6


tries = st.integers(1, 2**64 - 1)


@given(requests, nodes, tries)
def test_ids_can_be_taken_apart(request: int, node: int, tries: int) -> None:
    """A request knows its source; ids of its messages begin with its own, and fit into 63 bits."""
    assert request_id(source_of(request), number_of(request)) == request < 2**REQUEST_BITS
    first, later = message_id(request, node), message_made_again(request, node, tries, ())
    assert request * 10**6 <= first < later < (request + 1) * 10**6 <= 2**63


@given(st.lists(st.tuples(nodes, tries), max_size=50))
def test_a_message_made_again_is_known_by_its_tries(made: list[tuple[int, int]]) -> None:
    """Whatever else a request makes again first; only by chance do two meet, and share no id."""
    alone = [message_made_again(7, node, tries, ()) for node, tries in made]
    taken: set[int] = set()
    for node, tries in made:
        taken.add(message_made_again(7, node, tries, taken))
    assert len(taken) == len(made)
    assert taken == set(alone) or len(set(alone)) < len(alone)


def test_a_request_that_makes_messages_again_and_again_says_so() -> None:
    """There are 900,000 ids for the messages that one request makes again, and no more."""
    everything = range(7 * 10**6, 8 * 10**6)
    with pytest.raises(SimulationError, match=r"request 7 made hundreds of thousands"):
        message_made_again(7, 0, 1, everything)


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
