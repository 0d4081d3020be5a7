"""An autoscaler wants what Kubernetes' formula says, within its bounds."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eda_sim.rules.scaling import instances_wanted

counts = st.integers(0, 10**6)
bounds = st.tuples(st.integers(1, 50), st.integers(0, 50)).map(lambda b: (b[0], b[0] + b[1]))
targets = st.integers(1, 100)
UNBOUNDED = (1, 10**12)


@given(st.integers(0, 1000), st.integers(1, 64), targets)
def test_by_utilisation_it_is_kubernetes_formula(busy: int, workers: int, percent: int) -> None:
    """ceil(instances x load / target) in exact arithmetic, whatever the floats have lost.

    Loads are fractions of busy workers and targets whole percents, so what is not a whole
    number of instances is further from one than rounding reaches.
    """
    exact = ceil(Fraction(busy, workers) / Fraction(percent, 100))
    assert instances_wanted(busy / workers, percent / 100, *UNBOUNDED) == max(exact, 1)


@example(20_000_001, 900)
@given(st.integers(1, 10**12), st.integers(1, 1000))
def test_rounding_never_wants_one_too_many(instances: int, thousandths: int) -> None:
    """However many instances the load fills to the target, so many are wanted."""
    target = thousandths / 1000
    assert instances_wanted(instances * target, target, *UNBOUNDED) == instances


@given(counts, targets)
def test_by_backlog_it_is_kubernetes_formula(waiting: int, target: int) -> None:
    """As many instances as the waiting jobs need at ``target`` for each."""
    assert instances_wanted(waiting, target, *UNBOUNDED) == max(ceil(Fraction(waiting, target)), 1)


@given(st.floats(0, 1e300), st.floats(1e-300, 1e6), bounds)
def test_wanted_is_within_bounds_for_any_load(
    load: float, target: float, bounds: tuple[int, int]
) -> None:
    """A whole number between the least and the most, also where the load knows no bounds."""
    least, most = bounds
    wanted = instances_wanted(load, target, least, most)
    assert isinstance(wanted, int)
    assert least <= wanted <= most


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.01, 1e3), bounds)
def test_more_load_never_wants_fewer(
    one: float, other: float, target: float, bounds: tuple[int, int]
) -> None:
    """The number wanted grows with the load, and falls with the target."""
    low, high = sorted((one, other))
    wanted = instances_wanted(low, target, *bounds)
    assert wanted <= instances_wanted(high, target, *bounds)
    assert wanted >= instances_wanted(low, 2 * target, *bounds)


@pytest.mark.parametrize("instances", [1, 2, 3, 7, 100])
def test_at_its_target_a_service_stays_as_it_is(instances: int) -> None:
    """With every instance loaded to 0.7 exactly, as many are wanted as there are."""
    assert instances_wanted(instances * 0.7, 0.7, *UNBOUNDED) == instances
    assert instances_wanted(instances * 0.7 + 0.001, 0.7, *UNBOUNDED) == instances + 1
