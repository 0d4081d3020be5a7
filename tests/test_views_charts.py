"""Charts show the run's numbers: their lines, bars and words are what ``results`` says."""

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from eda_sim import (
    InvalidInput,
    Outage,
    Retry,
    Run,
    describe,
    draw_distribution,
    draw_headline,
    draw_ledger,
    draw_system,
    draw_timeline,
    fan_out,
    order_chain,
    order_pubsub,
    simulate,
)
from eda_sim.results.step_function import StepFunction
from eda_sim.results.summary import measured
from eda_sim.results.timelines import KINDS
from eda_sim.results.words import seconds_text, share_text
from eda_sim.views import timelines
from eda_sim.views.canvas import spread
from eda_sim.views.distributions import exceedance
from eda_sim.views.style import SMALL, look
from eda_sim.views.timelines import stretches

SETTINGS: dict[str, Any] = {
    "duration": 120.0, "warmup": 10.0, "faults": [Outage("payment", at=40, lasts=20)],
    "payment_transient": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Two minutes of orders through both architectures, payment down for 20 s."""
    return {
        "sync": simulate(order_chain(**SETTINGS), seed=3),
        "pub/sub": simulate(order_pubsub(**SETTINGS, retry=Retry(max_attempts=2)), seed=3),
    }


def curves(ax: Axes) -> list[Line2D]:
    """The step curves of a chart."""
    return [line for line in ax.lines if line.get_drawstyle() == "steps-post"]


def words_of(ax: Axes) -> str:
    """All that is written on a chart."""
    return "\n".join(text.get_text() for text in ax.texts)


# -- distributions ---------------------------------------------------------------


def test_exceedance_is_the_share_that_is_greater() -> None:
    """Against counting: for each value, how many are greater."""
    sample = np.sort(np.array([3.0, 1.0, 2.0, 2.0, 5.0]))
    times, share = exceedance(sample)
    assert share.tolist() == [np.mean(sample > t) for t in times]


def test_a_long_sample_is_thinned_to_points_that_are_exact() -> None:
    """Of 100,000 points 2,000 are enough, the first and the last among them."""
    sample = np.arange(100_000.0)
    times, share = exceedance(sample)
    assert len(times) <= 2001
    assert {0.0, 99_999.0} <= set(times)
    assert np.array_equal(share, (99_999 - times) / 100_000)


@pytest.mark.parametrize("metric", ["response_time", "completion_time", "delivery_lag"])
def test_the_curve_is_the_run_and_its_marks_are_the_summary(
    runs: dict[str, Run], metric: str
) -> None:
    """Each curve lies on the measured times; p50, p95 and p99 are marked where they are."""
    run = runs["pub/sub"]
    ax = draw_distribution(run, metric)
    sample = measured(run, run.ledger())[metric].to_numpy()
    (curve,) = curves(ax)
    x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    expected = [np.mean(sample > t) for t in x[1::50]]
    np.testing.assert_allclose(y[1::50], expected)
    (marks,) = (line for line in ax.lines if line.get_marker() == look(0).marker)
    summary = run.summary()
    assert marks.get_xdata().tolist() == [summary[f"{metric}_{q}"] for q in ("p50", "p95", "p99")]  # type: ignore[union-attr]
    assert marks.get_ydata().tolist() == [0.5, 0.05, 0.01]  # type: ignore[union-attr]


def test_the_words_of_a_distribution_are_the_summary(runs: dict[str, Run]) -> None:
    """Title, labels and description carry the same numbers as the summary."""
    ax = draw_distribution(runs)
    words = describe(ax)
    for name, run in runs.items():
        for quantile in ("p50", "p95", "p99"):
            value = seconds_text(run.summary()[f"response_time_{quantile}"])
            assert f"{quantile} {value}" in words
            assert value in words_of(ax)
        assert f"{name}: {len(measured(run, run.ledger())['response_time']):,} requests" in words
        assert f"{name} {seconds_text(run.summary()['response_time_p50'])}" in words.splitlines()[0]


def test_zero_has_no_place_on_a_log_axis_but_in_the_legend(runs: dict[str, Run]) -> None:
    """A synchronous order is consistent at once, or never: both are counted in words."""
    ax = draw_distribution(runs, "consistency_lag")
    assert len(curves(ax)) == 1
    legend = ax.get_legend()
    assert legend is not None
    sync = next(t.get_text() for t in legend.get_texts() if t.get_text().startswith("sync"))
    run = runs["sync"]
    defined = len(measured(run, run.ledger())["consistency_lag"])
    never = int(run.summary()["requests"]) - defined
    assert never > 0
    assert sync == f"sync: {defined:,} requests, all 0 s; {never:,} never complete"


# -- timelines -------------------------------------------------------------------


@pytest.mark.parametrize("what", KINDS)
def test_a_timeline_is_the_step_function(
    runs: dict[str, Run], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all changes fit, the line goes through every one of them."""
    monkeypatch.setattr(timelines, "MOST_CHANGES", 10**9)
    ax = draw_timeline(runs, what)
    for line, run in zip(curves(ax), runs.values(), strict=True):
        function = run.timeline(what)
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        inside = (function.times > x[0]) & (function.times < x[-1])
        np.testing.assert_array_equal(x[1:-1], function.times[inside])
        np.testing.assert_array_equal(y[1:-1], function.values[inside])


def test_a_crowded_timeline_is_cut_and_hides_no_peak(
    runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The band reaches the greatest value of the run, the legend explains line and band."""
    monkeypatch.setattr(timelines, "MOST_CHANGES", 100)
    ax = draw_timeline(runs["pub/sub"], "queue", "payment")
    (line,) = curves(ax)
    assert len(np.asarray(line.get_xdata())) == timelines.STRETCHES + 1
    band = ax.collections[0].get_paths()[0].vertices
    assert np.max(band[:, 1]) == runs["pub/sub"].timeline("queue", "payment").max()  # type: ignore[call-overload]
    legend = ax.get_legend()
    assert legend is not None
    assert any("band: least to greatest" in text.get_text() for text in legend.get_texts())


def test_stretches_agree_with_the_step_function() -> None:
    """Least, mean and greatest of each stretch, against the function itself."""
    times = np.array([0.5, 1.0, 1.5, 3.25, 7.0])
    function = StepFunction("x", times, np.array([1.0, 5.0, 2.0, 8.0, 0.0]))
    edges = np.linspace(0.0, 8.0, 9)
    least, mean, greatest = stretches(function, edges)
    for i, (begin, end) in enumerate(pairwise(edges)):
        inside = np.linspace(begin, end, 401)[:-1]
        assert mean[i] == pytest.approx(function.mean(begin, end))
        assert greatest[i] == function.sampled(inside).max()
        assert least[i] == function.sampled(inside).min()


def test_faults_and_warm_up_are_shaded_and_named(runs: dict[str, Run]) -> None:
    """The outage from 40 to 60 s, shared by both runs, is shaded once; so is the warm-up."""
    ax = draw_timeline(runs, "queue")
    spans = [p for p in ax.patches if isinstance(p, Rectangle)]
    places = [(p.get_x(), p.get_x() + p.get_width()) for p in spans]
    assert places == [(0.0, 10.0), (40.0, 60.0)]
    assert [bool(p.get_hatch()) for p in spans] == [False, True]
    assert [text.get_text() for text in ax.texts] == ["warm-up", "payment down"]
    assert "payment down from 40 s to 60 s" in describe(ax)


def test_an_outage_of_some_instances_says_so() -> None:
    """One of two instances down is not the service down."""
    faults = [Outage("payment", at=20, lasts=10)]
    outage = order_pubsub(duration=60, warmup=0, faults=faults)
    some = outage.replace("payment.instances", 2).replace("faults[0].instances", 1)
    assert "1 of 2 payment down" in describe(draw_timeline(simulate(some), "queue"))
    whole = outage.replace("payment.instances", 2)
    assert "Shaded: payment down" in describe(draw_timeline(simulate(whole), "queue"))


def test_the_peak_in_the_title_is_the_run_s(runs: dict[str, Run]) -> None:
    """The finding is computed from the step functions, not from the pixels."""
    title = draw_timeline(runs, "queue", "payment").get_title(loc="left")
    for name, run in runs.items():
        assert f"{name} {run.timeline('queue', 'payment').max(0.0):,.0f}" in title


def test_where_nothing_was_delivered_there_is_no_lag(runs: dict[str, Run]) -> None:
    """A chain delivers nothing; its lag is none, not 0."""
    ax = draw_timeline(runs, "lag", "payment")
    assert "sync none" in ax.get_title(loc="left")
    assert "sync: none." in describe(ax)


# -- the ledger --------------------------------------------------------------------


def test_bars_are_the_shares_of_the_verdicts(runs: dict[str, Run]) -> None:
    """A part for each verdict that occurs, as wide as its share, its count written."""
    ax = draw_ledger(runs)
    for row, run in enumerate(runs.values()):
        verdicts = run.verdicts()
        bars = [p for p in ax.patches if isinstance(p, Rectangle) and abs(p.get_y() - row) < 0.5]
        widths = {str(bar.get_label()): bar.get_width() for bar in _with_labels(ax, bars)}
        present = {v: n for v, n in verdicts.items() if n}
        assert sorted(widths.values()) == pytest.approx(
            sorted(n / len(run.requests) for n in present.values())
        )
        for verdict, count in present.items():
            assert f"{count:,} {str(verdict).replace('_', ' ')}" in words_of(ax)
            assert f"{count:,} {str(verdict).replace('_', ' ')} " in describe(ax)


def _with_labels(ax: Axes, bars: list[Rectangle]) -> list[Rectangle]:
    for number, bar in enumerate(bars):
        bar.set_label(str(number))
    return bars


def test_small_parts_keep_their_counts_apart() -> None:
    """However thin its part, every count can be read; none lies on another."""
    twice = Retry(max_attempts=2)
    run = simulate(order_pubsub(duration=60, warmup=0, payment_transient=0.3, retry=twice))
    ax = draw_ledger({"a": run, "b": run})
    ax.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    boxes = [text.get_window_extent().padded(-0.5) for text in ax.texts]
    assert len(boxes) >= 4
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_spread_moves_texts_apart_and_no_further() -> None:
    """Those that touch end up side by side in their order; one that is alone stays."""
    placed = spread([0.0, 0.1, 5.0], [1.0, 1.0, 1.0], 0.2)
    assert placed == pytest.approx([-0.55, 0.65, 5.0])


# -- the headline ------------------------------------------------------------------


def test_the_headline_has_four_panels_of_the_same_runs(runs: dict[str, Run]) -> None:
    """Response time, lag, queue and ledger; a finding above each; the outage in three."""
    figure = draw_headline(runs)
    assert len(figure.axes) == 4
    assert all(ax.get_title(loc="left") for ax in figure.axes)
    shaded = ["payment down" in words_of(ax) for ax in figure.axes]
    assert shaded == [True, True, True, False]
    assert figure.axes[2].get_ylabel() == "waiting for payment"


def test_the_headline_says_the_numbers_of_the_runs(runs: dict[str, Run]) -> None:
    """Medians, shares answered ok, orders half done: each as the run itself says."""
    words = " ".join(describe(draw_headline(runs)).split())
    for name, run in runs.items():
        summary, half_done = run.summary(), run.verdicts()["half_done"]
        median = seconds_text(summary["response_time_p50"])
        assert f"{name} answers in {median} and leaves {half_done:,} half done" in words
        assert f"{name} {median} ({share_text(summary['ok_rate'])} ok)" in words
        assert f"p99 {seconds_text(summary['consistency_lag_p99'])}" in words
        never = int(run.ledger()["completed_at"].isna().sum())
        assert f"never complete {never:,} of {len(run.requests):,} requests" in words


def test_the_lag_panel_shows_how_far_behind_each_answer_was(runs: dict[str, Run]) -> None:
    """After each answer the line is the consistency lag of that request, 0 for the chain."""
    lags = draw_headline(runs).axes[1]
    for line, run in zip(curves(lags), runs.values(), strict=True):
        ledger, requests = run.ledger(), run.requests
        counted = ledger["completed_at"].notna() & (requests["started_at"] >= SETTINGS["warmup"])
        late = (ledger["completed_at"] - requests["answered_at"]).clip(lower=0)[counted]
        expected = late.to_numpy()[np.argsort(requests["answered_at"][counted], kind="stable")]
        drawn = np.asarray(line.get_ydata())[1:-1]
        np.testing.assert_allclose(drawn, expected[: len(drawn)])
        assert len(drawn) >= len(expected) - 1


def test_orders_that_are_never_consistent_are_marked_as_such(runs: dict[str, Run]) -> None:
    """There is a mark for each, at the time when it started."""
    lags = draw_headline(runs).axes[1]
    marks = {str(m.get_label()): m for m in lags.lines if m.get_marker() == "|"}
    for name, run in runs.items():
        never = run.ledger()["completed_at"].isna().to_numpy()
        x = marks[f"{name}: never"].get_xdata() if never.any() else []
        assert list(x) == run.requests["started_at"][never].tolist()  # type: ignore[arg-type]


def test_the_headline_without_a_fault_shows_the_busiest_service() -> None:
    """Nobody is down, so the queue is that of the service with the highest utilisation."""
    run = simulate(order_chain(duration=30, warmup=0))
    queue = draw_headline({"sync": run}).axes[2]
    assert queue.get_ylabel() == f"waiting for {run.services()['utilisation'].idxmax()}"


# -- all of them -------------------------------------------------------------------

CHARTS: dict[str, Callable[..., Axes]] = {
    "distribution": draw_distribution,
    "timeline": lambda runs, ax=None, title=None: draw_timeline(runs, "busy", ax=ax, title=title),
    "ledger": draw_ledger,
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_takes_the_user_s_axes_and_title(runs: dict[str, Run], name: str) -> None:
    """Given Axes are drawn on and returned; a given title replaces the finding."""
    _, mine = plt.subplots()
    before = plt.get_fignums()
    assert CHARTS[name](runs, ax=mine, title="Mine") is mine
    assert mine.get_title(loc="left") == "Mine"
    assert plt.get_fignums() == before


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_units_words_and_a_legend_below_the_data(
    runs: dict[str, Run], name: str
) -> None:
    """Both axes say what they are, the legend hides nothing, the words begin with the title."""
    ax = CHARTS[name](runs)
    assert ax.get_xlabel()
    assert ax.get_ylabel() or all(label.get_text() for label in ax.get_yticklabels())
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    legend = ax.get_legend()
    assert legend is not None
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())
    title = " ".join(ax.get_title(loc="left").split())
    assert " ".join(describe(ax).split()).startswith(title)


@pytest.mark.parametrize("name", CHARTS)
def test_no_text_of_a_chart_is_small(runs: dict[str, Run], name: str) -> None:
    """From the back of a room: nothing under 12 points at the figure's own size."""
    ax = CHARTS[name](runs)
    sizes = [t.get_fontsize() for t in ax.texts]  # type: ignore[attr-defined]
    sizes += [t.get_fontsize() for t in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    sizes += [ax.xaxis.label.get_fontsize(), ax.yaxis.label.get_fontsize()]
    assert min(sizes) >= SMALL == 12


@pytest.mark.parametrize("draw", [draw_distribution, draw_ledger, draw_headline])
@pytest.mark.parametrize("nothing", [{}, None, {"sync": "run"}])
def test_what_is_no_run_is_refused(draw: Callable[..., Any], nothing: Any) -> None:
    """The error names the argument and says what to write."""
    with pytest.raises(InvalidInput, match=r"^runs.*must (be|map|hold)"):
        draw(nothing)


def test_unknown_names_are_refused_with_the_nearest_known(runs: dict[str, Run]) -> None:
    """A slip of the keyboard gets a suggestion."""
    with pytest.raises(InvalidInput, match="did you mean 'response_time'"):
        draw_distribution(runs, "respons_time")
    with pytest.raises(InvalidInput, match="did you mean 'payment'"):
        draw_headline(runs, subject="payments")
    with pytest.raises(InvalidInput, match="did you mean 'queue'"):
        draw_timeline(runs, "queues")


def test_describe_needs_a_picture() -> None:
    """A figure that no draw_ function made says nothing."""
    figure, ax = plt.subplots()
    for picture in (figure, ax, None, 7):
        with pytest.raises(InvalidInput, match="describe needs what a draw_ function returned"):
            describe(picture)  # type: ignore[arg-type]


def test_a_figure_speaks_for_the_axes_in_it(runs: dict[str, Run]) -> None:
    """Two pictures in one figure: the description has both."""
    figure, (left, right) = plt.subplots(1, 2)
    draw_ledger(runs, left)
    draw_distribution(runs, ax=right)
    assert describe(figure) == f"{describe(left)}\n\n{describe(right)}"


def test_a_notebook_s_value_is_the_description(runs: dict[str, Run]) -> None:
    """Where a cell ends with a picture, its words are printed, not an address."""
    ax = draw_ledger(runs)
    assert repr(ax).split() == describe(ax).split()


def test_an_empty_run_is_drawn_too() -> None:
    """No requests, no deliveries: axes and words, no warning and no division by zero."""
    run = simulate(order_pubsub(rate=0.001, duration=1, warmup=0))
    assert run.requests.empty
    for chart in CHARTS.values():
        assert describe(chart({"none": run}))
    assert describe(draw_headline({"none": run}))
    assert describe(draw_system(fan_out(subscribers=0)))
