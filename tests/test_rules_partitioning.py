"""Partitions are shared out evenly, and no more of them move than must."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim.rules.partitioning import NOBODY, share_out

instances = st.lists(st.integers(0, 6), min_size=1, max_size=6, unique=True).map(sorted)
owned = st.lists(st.integers(NOBODY, 6), max_size=24)


def is_even(owners: tuple[int, ...], up: list[int]) -> bool:
    """Whether no instance has two partitions more than another."""
    sizes = [owners.count(instance) for instance in up]
    return max(sizes) - min(sizes) <= 1


def moves(before: list[int], after: tuple[int, ...]) -> int:
    """How many partitions change hands."""
    return sum(one != other for one, other in zip(before, after, strict=True))


@given(owned, instances)
def test_every_partition_has_an_owner_and_sizes_differ_by_at_most_one(
    owners: list[int], up: list[int]
) -> None:
    """Whoever had what: afterwards all of it is in the hands of those who are up, evenly."""
    shared = share_out(owners, up)
    assert len(shared) == len(owners)
    assert set(shared) <= set(up)
    assert is_even(tuple(shared), up)


@pytest.mark.parametrize("up", [[0], [1], [0, 1], [0, 2], [1, 2], [0, 1, 2]], ids=str)
def test_no_other_even_sharing_moves_fewer(up: list[int]) -> None:
    """All sharings of up to five partitions among up to three instances, tried one by one."""
    for partitions in range(6):
        even = [owners for owners in product(up, repeat=partitions) if is_even(owners, up)]
        for owners in product([NOBODY, 0, 1, 2], repeat=partitions):
            fewest = min(moves(list(owners), other) for other in even)
            assert moves(list(owners), tuple(share_out(owners, up))) == fewest


@given(owned, instances)
def test_what_is_shared_out_stays_where_it_is(owners: list[int], up: list[int]) -> None:
    """Sharing out again moves nothing, and writes into nobody's list."""
    before = list(owners)
    shared = share_out(owners, up)
    assert owners == before
    assert share_out(shared, up) == shared


@given(st.integers(0, 6), instances)
def test_at_first_partitions_are_dealt_like_cards(rounds: int, up: list[int]) -> None:
    """With no owner yet, and enough for all, they go to one instance after the other."""
    assert share_out([NOBODY] * (rounds * len(up)), up) == up * rounds


def test_what_moves_goes_to_whom_most_is_missing() -> None:
    """By hand: 0 has six of nine, 1 has one, 2 nothing; who has most already keeps its three."""
    assert share_out([0, 0, 0, 0, 0, 0, 1, NOBODY, NOBODY], [0, 1, 2]) == [
        0,
        0,
        0,
        2,
        1,
        2,
        1,
        1,
        2,
    ]


def test_who_has_most_keeps_one_more() -> None:
    """Seven among three: the instance with five keeps three, the others have two each."""
    shared = share_out([2, 2, 2, 2, 2, 0, 1], [0, 1, 2])
    assert Counter(shared) == {2: 3, 0: 2, 1: 2}
    assert shared == [2, 2, 2, 0, 1, 0, 1]


def test_what_the_dead_owned_is_shared_among_the_others() -> None:
    """Instance 1 is gone: only its partitions move, and come back to nobody."""
    assert share_out([0, 1, 2, 0, 1, 2], [0, 2]) == [0, 0, 2, 0, 2, 2]
