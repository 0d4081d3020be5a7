"""Pictures: functions of a scenario, a run, several runs or a comparison.

A file draws one picture. Every ``draw_`` function takes ``ax=None`` and returns
the Axes it drew on, or a Figure where one Axes is not enough; none shows it, so
that a notebook shows it once. ``style`` says how things look, ``canvas`` what all
pictures share, and ``description`` keeps what each picture says in words.

Nothing is measured here. What a picture shows comes from ``results`` and
``experiments``.
"""

from eda_sim.views.comparison import draw_comparison
from eda_sim.views.curve import draw_curve
from eda_sim.views.description import describe
from eda_sim.views.distributions import draw_distribution
from eda_sim.views.headline import draw_headline
from eda_sim.views.journey import draw_journey
from eda_sim.views.ledger import draw_ledger
from eda_sim.views.lifecycle import draw_lifecycle
from eda_sim.views.system import draw_system
from eda_sim.views.timelines import draw_timeline

__all__ = [
    "describe",
    "draw_comparison",
    "draw_curve",
    "draw_distribution",
    "draw_headline",
    "draw_journey",
    "draw_ledger",
    "draw_lifecycle",
    "draw_system",
    "draw_timeline",
]
