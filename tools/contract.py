"""Check which file may import which: ``python -m tools.contract``.

The floors of the house are a contract in ``pyproject.toml``; inside a room no file may import,
directly or through others, one that imports it. These are rules for whoever writes code, so both
``make check`` and the unit tests ask here. The whole package is read anew each time: no cache is
left behind, or believed.
"""

import sys
from pathlib import Path

import grimp
import networkx
from importlinter.cli import lint_imports

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def keeps_contract(config: Path = PYPROJECT) -> bool:
    """Whether every import respects the floors; broken contracts are printed."""
    status: int = lint_imports(config_filename=str(config), no_cache=True, no_logo=True)
    return status == 0


def circles(package: str = "eda_sim") -> list[list[str]]:
    """Return the files that import each other, directly or through others, circle by circle.

    Imports for types only and imports inside functions count like any others.
    """
    graph = grimp.build_graph(package, cache_dir=None)
    imports = networkx.DiGraph()
    for file in graph.modules:
        for imported in graph.find_modules_directly_imported_by(file):
            imports.add_edge(file, imported)
    groups = networkx.strongly_connected_components(imports)
    return sorted(sorted(group) for group in groups if len(group) > 1)


def has_no_circle() -> bool:
    """Whether no file imports one that imports it; the files of each circle are printed."""
    found = circles()
    for circle in found:
        print("These import each other:", *circle, sep="\n    ")
    return not found


if __name__ == "__main__":
    sys.exit(0 if all([keeps_contract(), has_no_circle()]) else 1)
