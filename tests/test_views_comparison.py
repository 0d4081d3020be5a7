"""The picture of a comparison shows its estimates, its intervals and which differ from zero."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.container import ErrorbarContainer

from eda_sim import (
    Comparison,
    InvalidInput,
    compare,
    describe,
    draw_comparison,
    order_chain,
    order_pubsub,
)
from eda_sim.results.words import seconds_text
from eda_sim.views.comparison import METRICS

METRIC = "response_time_p50"
SHORT = {"duration": 20.0, "warmup": 0.0}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Three architectures; the third is the second under another name."""
    scenarios = {
        "sync": order_chain(duration=20, warmup=0),
        "pub/sub": order_pubsub(duration=20, warmup=0),
        "again": order_pubsub(duration=20, warmup=0),
    }
    return compare(scenarios, replications=3, progress=False)


def points(container: ErrorbarContainer) -> tuple[float, float, float]:
    """The estimate and the ends of its interval, as drawn."""
    (segment,) = container.lines[2][0].get_segments()
    value = container.lines[0].get_xdata()[0]  # type: ignore[union-attr, index]
    return float(value), float(segment[0, 0]), float(segment[1, 0])  # type: ignore[call-overload]


def test_a_row_for_each_metric_and_a_panel_for_the_differences(comparison: Comparison) -> None:
    """By default five metrics, each with its estimates and its differences."""
    figure = draw_comparison(comparison)
    assert len(figure.axes) == 2 * len(METRICS)
    titles = [ax.get_title(loc="left") for ax in figure.axes[::2]]
    assert titles == [metric.replace("_", " ") for metric in METRICS]


def test_dots_and_intervals_are_those_of_the_comparison(comparison: Comparison) -> None:
    """Each marker at its mean, each bar one half-width to either side."""
    left, right = draw_comparison(comparison, METRIC).axes
    table = comparison.table(METRIC).loc[METRIC]
    for container, name in zip(left.containers, comparison.scenarios, strict=True):
        mean, half = table[name]["mean"], table[name]["half_width"]
        assert points(container) == pytest.approx((mean, mean - half, mean + half))  # type: ignore[arg-type]
    differences = comparison.differences(metrics=METRIC)
    for container, name in zip(right.containers, ["pub/sub", "again"], strict=True):
        row = differences.loc[(name, METRIC)]
        mean, half = row["difference"], row["half_width"]
        assert points(container) == pytest.approx((mean, mean - half, mean + half))  # type: ignore[arg-type]


def test_a_difference_that_may_be_chance_has_a_hollow_marker(comparison: Comparison) -> None:
    """Full where the paired interval leaves zero out, and only there."""
    for metric in METRICS:
        _, right = draw_comparison(comparison, metric).axes
        rows = comparison.differences(metrics=metric)
        drawn = [c.lines[0].get_markerfacecolor() != "white" for c in right.containers]  # type: ignore[union-attr]
        assert drawn == rows["excludes_zero"].tolist()


def test_architectures_are_told_apart_without_colour(comparison: Comparison) -> None:
    """Each has a marker of its own, the same in both panels."""
    left, right = draw_comparison(comparison, METRIC).axes
    markers = [c.lines[0].get_marker() for c in left.containers]  # type: ignore[union-attr]
    assert len(set(markers)) == 3
    assert [c.lines[0].get_marker() for c in right.containers] == markers[1:]  # type: ignore[union-attr]


def test_the_words_are_the_estimates(comparison: Comparison) -> None:
    """Title and description say the difference in the unit of the metric, and what it rests on."""
    figure = draw_comparison(comparison, METRIC)
    row = comparison.differences(metrics=METRIC).loc[("pub/sub", METRIC)]
    change = f"−{seconds_text(-row['difference'])} ± {seconds_text(row['half_width'])}"
    words = describe(figure)
    assert words.splitlines()[0].startswith(
        f"Response time p50 against sync: pub/sub {change}; again {change}"
    )
    assert comparison.title() in words
    mean = comparison.table(METRIC).loc[METRIC, ("sync", "mean")]
    assert f"sync {seconds_text(mean)} ±" in words  # type: ignore[arg-type]
    suptitle = figure.get_suptitle()
    assert change in suptitle


def test_one_replication_has_dots_without_intervals() -> None:
    """Nothing is pretended about a single run."""
    once = compare({"sync": order_chain(**SHORT)}, replications=1, progress=False)
    figure = draw_comparison(once, [METRIC, "ok_rate"])
    assert len(figure.axes) == 2
    assert "no intervals" in describe(figure)
    for ax in figure.axes:
        assert not ax.containers[0].lines[2]  # type: ignore[union-attr]
        assert "±" not in ax.texts[0].get_text()


def test_what_is_undefined_is_left_out_and_said() -> None:
    """A chain delivers nothing: its delivery lag has no dot."""
    pair = {"sync": order_chain(**SHORT), "pub/sub": order_pubsub(**SHORT)}
    figure = draw_comparison(compare(pair, replications=2, progress=False), "delivery_lag_p50")
    assert len(figure.axes[0].containers) == 1
    assert "sync undefined" in describe(figure)


def test_it_fits_into_the_user_s_axes(comparison: Comparison) -> None:
    """Given Axes give their place; their figure is returned, and no other is made."""
    figure, ax = plt.subplots(figsize=(10, 4))
    before = plt.get_fignums()
    assert draw_comparison(comparison, METRIC, ax) is figure
    assert plt.get_fignums() == before
    assert len(ax.child_axes) == 2
    assert "Response time p50" in describe(ax)


def test_unknown_metrics_are_refused(comparison: Comparison) -> None:
    """With the nearest that is known, or with what to do."""
    with pytest.raises(InvalidInput, match="did you mean 'ok_rate'"):
        draw_comparison(comparison, "ok_rat")
    with pytest.raises(InvalidInput, match="at least one metric"):
        draw_comparison(comparison, [])
