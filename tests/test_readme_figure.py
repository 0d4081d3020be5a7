"""The figure of the README is that of the first notebook, and the project makes it itself."""

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from eda_sim import Outage, Scenario
from tools import notebooks as suite
from tools import readme_figure

NOTEBOOK = suite.FOLDER / "00_start_here.ipynb"
FIRST_BYTES_OF_A_PNG = b"\x89PNG\r\n\x1a\n"


def first_simulations(notebook: Path, number: int) -> list[tuple[Scenario, int]]:
    """The first scenarios and seeds that a notebook simulates; nothing is simulated here."""
    asked_for: list[tuple[Scenario, int]] = []

    def simulate(scenario: Scenario, seed: int) -> None:
        asked_for.append((scenario, seed))

    names: dict[str, Any] = {}
    for cell in suite.code_cells(suite.read(notebook)):
        statements = compile(cell.source, cell.id, "exec")
        try:
            exec(statements, names)
        except AttributeError:  # a cell that looks at results, of which there are none
            if len(asked_for) < number:
                raise
        names["simulate"] = simulate
        if len(asked_for) >= number:
            break
    return asked_for[:number]


def test_the_readme_shows_the_runs_of_the_first_notebook() -> None:
    """Notebook and figure run equal scenarios with the same seed."""
    scenarios = readme_figure.architectures().values()
    expected = [(scenario, readme_figure.SEED) for scenario in scenarios]
    assert first_simulations(NOTEBOOK, len(expected)) == expected


def test_the_figure_is_drawn_and_stored(tmp_path: Path) -> None:
    """A minute of the same shops is enough for a picture, written where there was no folder."""
    outage = Outage("payment", at=20, lasts=10)
    short = {
        name: scenario.replace(duration=60.0, warmup=0.0, faults=[outage])
        for name, scenario in readme_figure.architectures().items()
    }
    figure = readme_figure.headline(short)
    readme_figure.save(figure, tmp_path / "docs" / "figure.png")
    plt.close(figure)
    stored = (tmp_path / "docs" / "figure.png").read_bytes()
    assert stored.startswith(FIRST_BYTES_OF_A_PNG)
    assert all(ax.get_title(loc="left") for ax in figure.axes)


def test_the_readme_holds_the_figure() -> None:
    """What the script writes is there, and it is what the README shows."""
    target = readme_figure.TARGET
    readme = (suite.ROOT / "README.md").read_text(encoding="utf-8")
    assert target.read_bytes().startswith(FIRST_BYTES_OF_A_PNG)
    assert f"({target.relative_to(suite.ROOT).as_posix()})" in readme
