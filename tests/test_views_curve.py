"""`draw_curve` shows the numbers it was given, and says them."""

import numpy as np
import pandas as pd
import pytest

from eda_sim import InvalidInput
from eda_sim.views.curve import draw_curve
from eda_sim.views.description import describe

DEPTH = pd.Index([1, 2, 4], name="depth")
MEASURED = pd.DataFrame(
    {"mean": [1.0, 2.5, 4.0], "half_width": [0.1, 0.1, 0.1], "theory": [1.0, 2.0, 4.0]},
    index=DEPTH,
)


def test_points_and_theory_are_what_was_given() -> None:
    """Theory is one line, the measured points another, with their intervals."""
    ax = draw_curve({"wait": MEASURED}, title="It grows", ylabel="seconds")
    theory, points = (line for line in ax.lines if len(line.get_xdata()) == 3 and not _cap(line))
    np.testing.assert_array_equal(theory.get_ydata(), MEASURED["theory"])
    np.testing.assert_array_equal(points.get_ydata(), MEASURED["mean"])
    ends = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(ends[0], [0.9, 1.1])


def test_the_words_say_where_theory_misses() -> None:
    """At depth 2 theory is five half-widths away; the description does not hide it."""
    words = describe(draw_curve({"wait": MEASURED}, title="It grows", ylabel="seconds"))
    assert words.startswith("It grows.")
    assert "1 at 1, 4 at 4" in words
    assert "within the interval at 2 of 3 points" in words


def test_each_line_has_its_legend_and_the_parameter_its_label() -> None:
    """Several lines are told apart by name; the index names the x axis."""
    ax = draw_curve({"a": MEASURED["mean"], "b": MEASURED["theory"]}, title="Two", ylabel="s")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert ax.get_xlabel() == "depth"


def test_many_points_have_no_markers() -> None:
    """A hundred markers would hide the line they lie on."""
    ax = draw_curve({"a": pd.Series(np.arange(100.0))}, title="Long", ylabel="s")
    assert ax.lines[0].get_marker() in ("", "None")


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ({}, "at least one line"),
        ({"a": pd.DataFrame({"value": [1.0]})}, "column 'mean'"),
        ({"a": pd.Series(dtype=float)}, "column 'mean'"),
        ({"a": pd.Series([1.0], index=["1"])}, "numbers as its index"),
    ],
)
def test_what_cannot_be_drawn_is_refused(lines: dict[str, pd.DataFrame], rule: str) -> None:
    """The error names the line, the rule and what was given."""
    with pytest.raises(InvalidInput, match=rule):
        draw_curve(lines, title="Nothing", ylabel="s")


def _cap(line: object) -> bool:
    return getattr(line, "get_marker")() in ("_", "|")  # noqa: B009
