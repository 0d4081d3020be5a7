"""The figure of the README is that of the first notebook, and the project makes it itself."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib import pyplot as plt

import eda_sim
from tools import notebooks as suite
from tools import readme_figure

NOTEBOOK = suite.FOLDER / "00_start_here.ipynb"
FIRST_OF_A_PNG = b"\x89PNG\r\n\x1a\n"


class Simulated(Exception):  # noqa: N818  (it says how far the notebook has come)
    """Raised in place of the second run: from here on the notebook would need results."""


def runs_of_the_notebook() -> list[tuple[eda_sim.Scenario, int]]:
    """The scenarios and seeds that the notebook's first cells simulate, without simulating."""
    asked_for: list[tuple[eda_sim.Scenario, int]] = []

    def instead(scenario: eda_sim.Scenario, seed: int) -> None:
        asked_for.append((scenario, seed))
        if len(asked_for) == 2:
            raise Simulated

    names: dict[str, Any] = {}
    with pytest.raises(Simulated):
        for cell in suite.code_cells(suite.read(NOTEBOOK)):
            exec(cell.source, names)
            names["simulate"] = instead
    return asked_for


def test_the_readme_shows_the_runs_of_the_first_notebook() -> None:
    """Notebook and figure run equal scenarios with the same seed."""
    scenarios = readme_figure.architectures().values()
    assert runs_of_the_notebook() == [(scenario, readme_figure.SEED) for scenario in scenarios]


def test_the_figure_is_drawn_and_stored(tmp_path: Path) -> None:
    """A minute of the same shop is enough for a picture with every panel titled."""
    short = {
        name: scenario.replace(duration=60.0, warmup=0.0, faults=[eda_sim.Outage("payment", at=20, lasts=10)])
        for name, scenario in readme_figure.architectures().items()
    }
    figure = readme_figure.headline(short)
    readme_figure.save(figure, tmp_path / "docs" / "figure.png")
    plt.close(figure)
    stored = (tmp_path / "docs" / "figure.png").read_bytes()
    assert stored.startswith(FIRST_OF_A_PNG)
    assert len(stored) > 10_000
