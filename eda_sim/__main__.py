"""``python -m eda_sim``: the terminal's ``eda-sim``, where no scripts are installed."""

from eda_sim.cli import app

if __name__ == "__main__":
    app(prog_name="eda-sim")
