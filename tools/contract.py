"""Check the import contract of ``pyproject.toml``: ``python -m tools.contract``.

The floors of the house are rules for whoever writes code, so both ``make check`` and the unit
tests ask here. The whole package is read anew each time: no cache is left behind, or believed.
"""

import sys
from pathlib import Path

from importlinter.cli import lint_imports

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def keeps_contract(config: Path = PYPROJECT) -> bool:
    """Whether every import respects the floors; broken contracts are printed."""
    status: int = lint_imports(config_filename=str(config), no_cache=True, no_logo=True)
    return status == 0


if __name__ == "__main__":
    sys.exit(0 if keeps_contract() else 1)
