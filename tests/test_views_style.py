"""Whatever a colour says, something else says too; and nobody's settings are changed."""

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from eda_sim import (
    InvalidInput,
    Run,
    draw_headline,
    draw_timeline,
    order_chain,
    order_pubsub,
    simulate,
)
from eda_sim.results.ledger import VERDICTS
from eda_sim.views.style import LOOKS, OKABE_ITO, VERDICT_LOOKS, look, looks, styled


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Half a minute of orders through both architectures."""
    return {
        "sync": simulate(order_chain(duration=30, warmup=0), seed=3),
        "pub/sub": simulate(order_pubsub(duration=30, warmup=0), seed=3),
    }


def curves(ax: Axes) -> list[Line2D]:
    """The step curves of a chart."""
    return [line for line in ax.lines if line.get_drawstyle() == "steps-post"]


def test_looks_differ_in_each_way_alone() -> None:
    """Seven colours of Okabe and Ito's, and as many markers, dashes and hatches."""
    for part in ("color", "marker", "line", "hatch"):
        assert len({getattr(each, part) for each in LOOKS}) == len(LOOKS)
    assert {each.color for each in LOOKS} <= set(OKABE_ITO)
    assert set(VERDICT_LOOKS) == set(VERDICTS)
    assert len({each.hatch for each in VERDICT_LOOKS.values()}) == len(VERDICTS)


def test_lines_of_a_chart_differ_without_colour(runs: dict[str, Run]) -> None:
    """Two architectures have two line styles on the chart itself."""
    first, second = curves(draw_timeline(runs, "queue"))
    assert first.get_linestyle() != second.get_linestyle()
    assert looks(runs)["sync"] == look(0)


def refuse() -> None:
    """Fail in the middle of a picture."""
    assert matplotlib.rcParams["font.size"] == 13
    raise InvalidInput("no")


def test_the_user_s_settings_are_left_alone(runs: dict[str, Run]) -> None:
    """Drawing changes no rcParams, not even if it fails half-way."""
    before = dict(matplotlib.rcParams)
    draw_headline(runs)
    with pytest.raises(InvalidInput), styled():
        refuse()
    assert dict(matplotlib.rcParams) == before
