"""Random numbers are addressed, uniform, independent, and the same bits every way."""

from collections.abc import Iterator
from itertools import islice, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eda_sim import Constant, Exponential, Gamma, LogNormal, Recorded, SimulationError
from eda_sim.rules import luck as luck_module
from eda_sim.rules import quantiles
from eda_sim.rules.luck import Chance, Fixed, Luck, Stream, Times, fold, fold_copy, mix, times

MASK = 2**64 - 1
keys = st.integers(0, MASK)
attempts = st.integers(1, 1000)

# One test in a thousand of a good generator falls below this p; seeds are fixed for good.
LEAST_P = 1e-3


def folded(tries: tuple[int, ...]) -> int:
    """Fold a list of attempts, outermost first; -1 stands for the first copy, and so on."""
    result = 0
    for number in tries:
        result = fold(result, number) if number > 0 else fold_copy(result, -number)
    return result


# -- the same bits every way -----------------------------------------------------------


@given(keys, st.integers(0, 10**6), st.integers(1, 50))
def test_a_block_is_what_single_draws_are(key: int, first: int, size: int) -> None:
    """Vectorised blocks and single numbers agree in every bit."""
    stream = Stream(key)
    single = [stream.uniform(n) for n in range(first, first + size)]
    assert stream.block(first, size).tolist() == single


def splitmix64(state: int) -> Iterator[int]:
    """The generator as its authors state it, with a state, computed in numpy's uint64."""
    with np.errstate(over="ignore"):
        x = np.uint64(state)
        while True:
            x = x + np.uint64(0x9E3779B97F4A7C15)
            z = x
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            yield int(z ^ (z >> np.uint64(31)))


def test_requests_walk_through_splitmix64() -> None:
    """Request n takes the generator's n-th output, whose known values are published."""
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert list(islice(splitmix64(1234567), 3)) == known
    outputs = islice(splitmix64(1234567), 100)
    expected = [((bits >> 12) + 0.5) * 2.0**-52 for bits in outputs]
    assert [Stream(1234567).uniform(n) for n in range(100)] == expected


@pytest.mark.parametrize("bits", [0, MASK])
def test_a_uniform_number_is_never_zero_or_one(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least and the greatest 64 bits lie strictly inside, where every quantile is finite."""
    monkeypatch.setattr(luck_module, "mix", lambda _: bits)
    u = Stream(1).uniform(0)
    assert 0 < u < 1
    assert 0 <= quantiles.of(Exponential(1.0))(u) < 40
    assert 0 < quantiles.of(LogNormal(1.0, cv=1.0))(u) < 1000


@given(keys, st.lists(st.integers(0, 5000), min_size=1, max_size=20))
def test_what_is_asked_first_changes_nothing(key: int, requests: list[int]) -> None:
    """Numbers kept a block ahead are those that would be drawn alone, in any order of asking."""
    stream, quantile = Stream(key), quantiles.of(Exponential(2.0))
    kept, chance = Times(stream, quantile), Chance(stream, 0.3)
    for request in requests:
        u = stream.uniform(request)
        assert kept(request, 0) == quantile(u)
        assert chance(request, 0) == (u < 0.3)


@given(keys, st.integers(0, 100), st.integers(1, MASK))
def test_later_tries_are_drawn_anew(key: int, request: int, tries: int) -> None:
    """A folded list of tries moves the number, for times and chances alike."""
    stream = Stream(key)
    u = stream.uniform(request, tries)
    assert u != stream.uniform(request)
    assert Times(stream, float)(request, tries) == u
    assert Chance(stream, 0.5)(request, tries) == (u < 0.5)


# -- addresses -------------------------------------------------------------------------


def test_every_part_of_an_address_counts() -> None:
    """Seed, address, source and place each make another stream; equal addresses the same."""
    parts = product((1, 2), ("payment/charge card", "payment/refund"), ("web", "shop"), (0, 1))
    streams = [Luck(seed).stream(*address).key for seed, *address in parts]
    assert len(set(streams)) == 16
    assert Luck(7).stream("a", "b", 3).key == Luck(7).stream("a", "b", 3).key


def test_neighbouring_parts_do_not_run_together() -> None:
    """Seed 1 of '2a' is not seed 12 of 'a'."""
    assert Luck(1).stream("2a", "s").key != Luck(12).stream("a", "s").key
    assert Luck(1).stream("a", "s1", 1).key != Luck(1).stream("a", "s", 11).key


# -- tries -----------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "most"), [(1, 1000), (2, 60), (3, 15), (4, 7)])
def test_no_two_lists_of_attempts_meet(depth: int, most: int) -> None:
    """At one depth, every list of attempts folds to a number of its own."""
    lists = list(product(range(1, most + 1), repeat=depth))
    assert len({folded(tries) for tries in lists}) == len(lists)


@given(st.integers(0, MASK), attempts, attempts)
def test_a_copy_never_meets_an_attempt(tries: int, attempt: int, copy: int) -> None:
    """Whatever came before, no attempt's number leads to a copy's branch, nor to none at all."""
    assert fold_copy(tries, copy) not in (0, tries, fold(tries, attempt))
    assert (fold_copy(tries, copy) == fold_copy(tries, attempt)) == (copy == attempt)


@pytest.mark.parametrize(("depth", "most"), [(1, 500), (2, 20), (3, 6)])
def test_no_two_lists_of_attempts_and_copies_meet(depth: int, most: int) -> None:
    """An attempt may be copied, and what it publishes accepted again, at every level."""
    accepted: list[tuple[int, ...]] = [(), (-2,), (-3,)]
    copied: list[tuple[int, ...]] = [(), (-1,)]
    one = [
        (*again, attempt, *copy)
        for attempt in range(1, most + 1)
        for again in accepted
        for copy in copied
    ]
    lists: list[tuple[int, ...]] = [sum(levels, ()) for levels in product(one, repeat=depth)]
    assert len({folded(tries) for tries in lists}) == len(lists)


@given(st.lists(attempts, max_size=5), st.integers(0, 5))
def test_first_attempts_at_the_front_are_left_out(tries: list[int], nested: int) -> None:
    """However deeply first attempts are nested, the luck is that of the attempts inside."""
    assert folded((1,) * nested + tuple(tries)) == folded(tuple(tries))


def test_only_first_attempts_fold_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero means "all were first", even where the mixing would give zero for a repetition."""
    monkeypatch.setattr(luck_module, "mix", lambda _: 0)
    assert fold(0, 1) == 0
    assert fold(0, 2) != 0


def test_mixing_loses_nothing() -> None:
    """Mixing is one to one: undoing its steps gives back what went in."""

    def undo(x: int) -> int:
        for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9)):
            x ^= (x >> shift) ^ (x >> 2 * shift)
            x = x * pow(factor, -1, 2**64) & MASK
        return x ^ (x >> 30) ^ (x >> 60)

    for x in (0, 1, 2**63, MASK, 0x9E3779B97F4A7C15, 1234567890123456789):
        assert undo(mix(x)) == x


# -- uniform and independent -----------------------------------------------------------


def drawn(
    address: str, n: int = 20_000, place: int = 0, tries: int = 0, seed: int = 1
) -> np.ndarray:
    """Numbers of requests 0 to n - 1."""
    stream = Luck(seed).stream(address, "clients", place)
    return np.array([stream.uniform(request, tries) for request in range(n)])


@pytest.mark.parametrize("tries", [0, folded((2,)), folded((3, 1, 2))])
@pytest.mark.parametrize("address", ["payment/charge card", "arrival", "orders -> Pay/there"])
def test_numbers_of_one_address_are_uniform(address: str, tries: int) -> None:
    """Kolmogorov-Smirnov over requests, for first attempts and for later ones."""
    assert stats.kstest(drawn(address, tries=tries), "uniform").pvalue > LEAST_P


def test_numbers_of_one_request_are_uniform_over_what_else_counts() -> None:
    """Over seeds, over addresses, over places and over tries of a single request."""
    n = 4000
    over = {
        "seeds": [Luck(seed).stream("a", "s").uniform(3) for seed in range(n)],
        "addresses": [Luck(1).stream(f"service-{i}/work", "s").uniform(3) for i in range(n)],
        "places": [Luck(1).stream("a", "s", place).uniform(3) for place in range(n)],
        "attempts": [Luck(1).stream("a", "s").uniform(3, fold(0, i + 2)) for i in range(n)],
    }
    for numbers in over.values():
        assert stats.kstest(numbers, "uniform").pvalue > LEAST_P


def independent(x: np.ndarray, y: np.ndarray) -> bool:
    """A chi-squared test of pairs on a grid of 16 by 16."""
    counts = np.histogram2d(x, y, bins=16, range=((0, 1), (0, 1)))[0]
    return bool(stats.chi2_contingency(counts).pvalue > LEAST_P)


def test_neighbours_are_independent() -> None:
    """The next request, place, attempt, address and seed say nothing about this one."""
    x = drawn("a")
    assert independent(x[:-1], x[1:])
    assert independent(x, drawn("a", place=1))
    assert independent(x, drawn("a", tries=fold(0, 2)))
    assert independent(drawn("a", tries=fold(0, 2)), drawn("a", tries=fold(0, 3)))
    assert independent(x, drawn("a", tries=fold_copy(0)))
    assert independent(drawn("a", tries=fold_copy(0)), drawn("a", tries=fold(0, 2)))
    assert independent(x, drawn("a/transient"))
    assert independent(x, drawn("a", seed=2))


def test_unit_gaps_are_exponential_with_mean_one() -> None:
    """What arrivals are made of, far beyond one block; Kolmogorov-Smirnov."""
    gaps = list(islice(Luck(3).unit_gaps("clients"), 20_000))
    assert stats.kstest(gaps, "expon").pvalue > LEAST_P


# -- what draws from a distribution ----------------------------------------------------


def test_constant_times_need_no_luck() -> None:
    """A constant is itself in every request and try."""
    draw = times(Luck(1), Constant(0.25), "a", "s", 0)
    assert isinstance(draw, Fixed)
    assert {draw(request, tries) for request in range(5) for tries in (0, 7)} == {0.25}


def test_recorded_times_go_by_request_and_end() -> None:
    """Request n takes the n-th value in every try; one more is an error that says what to do."""
    draw = times(Luck(1), Recorded([0.5, 0.25]), "mail/send", "s", 0)
    assert [draw(0, 0), draw(1, 0), draw(0, 99)] == [0.5, 0.25, 0.5]
    line = (
        "mail/send: Recorded has 2 values, but there is a request number 2: "
        "record more, or shorten the run"
    )
    with pytest.raises(SimulationError, match=f"^{line}$"):
        draw(2, 0)


@given(keys, st.integers(0, 2000), st.sampled_from([0, fold(0, 2)]))
def test_a_changed_mean_rescales_the_same_luck(key: int, request: int, tries: int) -> None:
    """Twice the mean is twice each time, exactly."""
    stream = Stream(key)
    for once, twice in (
        (Exponential(0.05), Exponential(0.1)),
        (LogNormal(0.05, cv=2.0), LogNormal(0.1, cv=2.0)),
        (Gamma(0.05, cv=0.5), Gamma(0.1, cv=0.5)),
    ):
        single = Times(stream, quantiles.of(once))(request, tries)
        assert Times(stream, quantiles.of(twice))(request, tries) == 2 * single
