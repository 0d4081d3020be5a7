"""Draw the figure of ``README.md``: ``python -m tools.readme_figure``.

It is the figure of ``notebooks/00_start_here.ipynb``: the same two scenarios, the same seed. The
tests hold the two together, so that a reader who opens the notebook finds what the README promised.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

from eda_sim import Outage, minute, simulate
from eda_sim.catalog import order_chain, order_pubsub
from eda_sim.scenario.scenario import Scenario
from eda_sim.views.headline import draw_headline

TARGET = Path(__file__).resolve().parents[1] / "docs" / "headline.png"
SEED = 7
DPI = 100


def architectures() -> dict[str, Scenario]:
    """Both architectures by name, each with a minute without payment, ten minutes in."""
    faults = [Outage("payment", at=10 * minute, lasts=60)]
    return {"sync": order_chain(faults=faults), "pub/sub": order_pubsub(faults=faults)}


def headline(scenarios: dict[str, Scenario]) -> Figure:
    """Run each scenario with the notebook's seed, and draw what became of them."""
    runs = {name: simulate(scenario, seed=SEED) for name, scenario in scenarios.items()}
    return draw_headline(runs)


def save(figure: Figure, path: Path) -> None:
    """Write ``figure`` as PNG; nothing in the file tells which versions made it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight", metadata={"Software": None})


def main() -> int:
    """Draw the figure anew."""
    save(headline(architectures()), TARGET)
    print(TARGET.relative_to(TARGET.parents[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
