"""How long to wait before trying again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eda_sim.scenario.delivery import Backoff, DeliveryPolicy, Retry


def test_waits_double() -> None:
    """After tries 1, 2, 3 a doubling backoff of 1 s waits 1, 2, 4 s."""
    assert [Backoff(1.0).after(n) for n in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert [Backoff(0.5, factor=3).after(n) for n in (1, 2, 3)] == [0.5, 1.5, 4.5]


def test_a_factor_of_one_waits_the_same() -> None:
    """With factor 1 every wait is the base; with base 0 there is none."""
    assert {Backoff(2.0, factor=1).after(n) for n in range(1, 50)} == {2.0}
    assert {Backoff(0.0).after(n) for n in range(1, 50)} == {0.0}


@pytest.mark.parametrize(("maximum", "waits"), [(3.0, [1.0, 2.0, 3.0, 3.0]), (0.5, [0.5] * 4)])
def test_a_maximum_caps_each_wait(maximum: float, waits: list[float]) -> None:
    """No wait is longer than the maximum, however many tries there were."""
    backoff = Backoff(1.0, maximum=maximum)
    assert [backoff.after(n) for n in (1, 2, 3, 4)] == waits
    assert backoff.after(1000) == maximum


@given(st.floats(1, 1e6), st.floats(1, 10), st.integers(1, 5000))
def test_waits_never_shrink(base: float, factor: float, attempt: int) -> None:
    """Each wait is at least the one before, even where it exceeds what a float can hold."""
    backoff = Backoff(base, factor=factor)
    assert backoff.after(attempt + 1) >= backoff.after(attempt) >= base


def test_the_defaults_are_three_retries() -> None:
    """By default a delivery is tried four times, after 1, 2 and 4 s, then dead-lettered."""
    retry = DeliveryPolicy().retry
    assert retry == Retry(max_attempts=4, backoff=Backoff(1.0, factor=2.0))
    assert [retry.backoff.after(n) for n in range(1, retry.max_attempts)] == [1.0, 2.0, 4.0]
    assert DeliveryPolicy().dead_letter
