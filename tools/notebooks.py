"""Re-execute notebooks and store their outputs: ``python -m tools.notebooks [NOTEBOOK ...]``.

A stored notebook is a published result, so what is stored has to be true, and running the suite
twice must leave nothing for git to show. Hence two parts:

- *execution*, each notebook in a fresh kernel of this very Python, in its own folder, two side by
  side. A notebook that fails is left as it was, and the command fails;
- *normal form*, which keeps what a reader sees and drops what varies from machine to machine:
  versions and timings in metadata, the random ids and states of widgets.

The same normal form is what the tests ask of every stored notebook.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"

# Notebooks side by side: their experiments use every core themselves.
SIDE_BY_SIDE = 2
CELL_TIMEOUT = 600  # seconds

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
# What an author may say about a cell; everything else there is a tool's bookkeeping.
CELL_METADATA = {"deletable", "editable", "jupyter", "slideshow", "tags"}
# A widget lives in its kernel: stored, it is a random id with nothing behind it.
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def stored_notebooks() -> list[Path]:
    """Every notebook of the suite, in reading order."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    """The notebook at ``path``, in the current format (a ``NotebookNode``)."""
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    """The code cells of a notebook, from top to bottom."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def normalise(notebook: Any) -> Any:
    """Bring a notebook into normal form, in place, and return it.

    Cell ids are kept, so that a diff follows a cell through its edits; a missing or doubled one
    becomes the cell's position.
    """
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(METADATA)
    seen: set[str] = set()
    for position, cell in enumerate(notebook.cells):
        if cell.get("id", "") in seen | {""}:
            cell.id = f"cell-{position:02d}"
        seen.add(cell.id)
        kept = {key: value for key, value in cell.metadata.items() if key in CELL_METADATA}
        cell.metadata = nbformat.from_dict(kept)
    for count, cell in enumerate(executed(code_cells(notebook)), start=1):
        cell.execution_count = count
        for output in cell.outputs:
            _normalise_output(output, count)
    return notebook


def executed(cells: Iterable[Any]) -> list[Any]:
    """The cells that have run: an empty one never does, and has no number."""
    return [cell for cell in cells if cell.execution_count is not None]


def _normalise_output(output: Any, count: int) -> None:
    if "execution_count" in output:
        output.execution_count = count
    output.get("data", {}).pop(WIDGET_VIEW, None)


def store(notebook: Any, path: Path) -> None:
    """Write the notebook as a whole or not at all: an interruption leaves the old one."""
    beside = path.with_suffix(".ipynb.new")
    nbformat.validate(notebook)
    nbformat.write(notebook, beside)
    os.replace(beside, path)


async def execute(path: Path) -> Any:
    """Run every cell of the notebook at ``path`` in a fresh kernel; return it with its outputs."""
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    await client.async_execute()
    return notebook


async def refresh(path: Path, turn: asyncio.Semaphore) -> bool:
    """Execute one notebook and store it; say what happened and whether it went well."""
    async with turn:
        print(f"{path.name} ...", flush=True)
        try:
            notebook = await execute(path)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as failure:
            print(f"error: {path.name} is left as it was\n{failure}", file=sys.stderr)
            return False
        store(normalise(notebook), path)
        print(f"{path.name} stored, {len(code_cells(notebook))} code cells", flush=True)
        return True


async def refresh_all(paths: Sequence[Path]) -> bool:
    """Execute and store notebooks, a few side by side; whether all went well."""
    turn = asyncio.Semaphore(SIDE_BY_SIDE)
    return all(await asyncio.gather(*(refresh(path, turn) for path in paths)))


def main() -> int:
    """Refresh the notebooks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: the whole suite")
    paths = parser.parse_args().notebooks or stored_notebooks()
    missing = [str(path) for path in paths if not path.is_file()]
    if missing or not paths:
        print(f"error: no such notebook: {', '.join(missing) or FOLDER.name}", file=sys.stderr)
        return 2
    return 0 if asyncio.run(refresh_all(paths)) else 1


if __name__ == "__main__":
    sys.exit(main())
