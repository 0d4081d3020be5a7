"""What the stored notebooks show is what their code printed, and holds on any machine.

Whether the outputs are *right* is nbval's part (``make test``), which runs every cell and compares.
It cannot see a cell that was stored without being run, or a figure that it skips; these tests do.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebooks as suite

PATHS = suite.stored_notebooks()

# A path below one of the folders where people and systems keep files, on any operating system.
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/-])/(?:home|Users|root|tmp|private|var|opt|usr|mnt|work|srv)/|\b[A-Za-z]:\\\w"
)
# What %time, %timeit and progress bars print.
TIMING = re.compile(
    r"\b(?:Wall time|CPU times)\b|per loop\b|\d\s?(?:it/s|s/it)\b|\d\d:\d\d<\d\d:\d\d"
)
# Comments and tags by which nbval would run a cell without comparing it.
EXCUSE = re.compile(r"NBVAL_(?:SKIP|IGNORE_OUTPUT)|PYTEST_VALIDATE_IGNORE_OUTPUT")
# What ``from eda_sim import *`` brings that has parts: whoever takes the name hides them.
PARTS = {"catalog", "lifecycle", "style", "theory"}


def syntax(source: str) -> Iterator[ast.AST]:
    """Every piece of a cell's code, magics included."""
    yield from ast.walk(ast.parse(TransformerManager().transform_cell(source)))


def imported(source: str) -> Iterator[str]:
    """The modules that a cell imports, or imports from."""
    for node in syntax(source):
        match node:
            case ast.ImportFrom(module=str(module)):
                yield module
            case ast.Import(names=names):
                yield from (each.name for each in names)


def is_inner(module: str) -> bool:
    """Whether a module is the package's own, and not public."""
    return module.startswith("eda_sim.") and module not in ("eda_sim.catalog", "eda_sim.theory")


def names_given(source: str) -> set[str]:
    """The variables that a cell sets."""
    names = (node for node in syntax(source) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def texts(output: Any) -> list[str]:
    """All text of one output that a reader can see; pictures are left out."""
    found = [output.get("text", "")]
    for kind, content in output.get("data", {}).items():
        if not kind.startswith("image/") or kind == "image/svg+xml":
            found.append(content if isinstance(content, str) else repr(content))
    return found


def flaws(notebook: Any) -> list[str]:
    """Everything wrong with a stored notebook, a line each."""
    found = []
    cells = suite.code_cells(notebook)
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        found.append("not every code cell was run, once and from top to bottom")
    for number, cell in enumerate(cells, start=1):
        printed = "\n".join(text for output in cell.outputs for text in texts(output))
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"code cell {number} ended in an error")
        if any(output.get("name") == "stderr" for output in cell.outputs):
            found.append(f"code cell {number} shows a warning")
        if ABSOLUTE_PATH.search(printed) or ABSOLUTE_PATH.search(cell.source):
            found.append(f"code cell {number} holds a path of one machine")
        if TIMING.search(printed):
            found.append(f"code cell {number} prints how long it took")
        tags = " ".join(cell.metadata.get("tags", [])).upper().replace("-", "_")
        if EXCUSE.search(cell.source) or EXCUSE.search(tags):
            found.append(f"code cell {number} is excused from comparison")
        if cell.source.rstrip().endswith(";"):
            found.append(f"code cell {number} ends in a semicolon")
        if any(map(is_inner, imported(cell.source))):
            found.append(f"code cell {number} imports from an inner module")
        if names_given(cell.source) & PARTS:
            found.append(f"code cell {number} hides a part of the package")
    return found


def notebook_with(source: str = "1 + 1", **changes: Any) -> Any:
    """A notebook of one code cell, run and sound but for the changes."""
    cell = new_code_cell(source, execution_count=1) | changes
    return new_notebook(cells=[new_markdown_cell("# Title"), nbformat.from_dict(cell)])


def stream(text: str, name: str = "stdout") -> list[Any]:
    """The outputs of a cell that prints ``text``."""
    return [new_output("stream", text=text, name=name)]


def test_make_lab_has_a_notebook_to_open() -> None:
    """The suite is there and starts where ``make lab`` opens it."""
    makefile = (suite.ROOT / "Makefile").read_text(encoding="utf-8")
    (opened,) = set(re.findall(r"notebooks/(\w+\.ipynb)$", makefile, re.MULTILINE))
    assert PATHS[0].name == opened


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_stored_notebook_is_whole(path: Path) -> None:
    """Every cell was run in order; no error, warning, local path or timing is stored."""
    assert flaws(suite.read(path)) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_stored_notebook_is_in_normal_form(path: Path) -> None:
    """`make notebooks` would change nothing but outputs: metadata tells of no one machine."""
    notebook = suite.read(path)
    nbformat.validate(notebook)
    assert suite.normalise(suite.read(path)) == notebook


def test_a_sound_notebook_has_no_flaws() -> None:
    """Web addresses, fractions and seconds as such are nobody's local path or timing."""
    harmless = stream("waits 1.5 s; see https://example.org/home/usr/ and services/orders: 3/4\n")
    assert flaws(notebook_with(outputs=harmless)) == []


@pytest.mark.parametrize(
    ("broken", "flaw"),
    [
        (notebook_with(execution_count=None), "not every code cell was run"),
        (notebook_with(execution_count=2), "not every code cell was run"),
        (notebook_with(outputs=[new_output("error", ename="E", evalue="")]), "error"),
        (notebook_with(outputs=stream("careful", name="stderr")), "warning"),
        (notebook_with(outputs=stream("saved to /home/ada/run.parquet")), "path"),
        (notebook_with(outputs=stream(r"saved to C:\Users\ada")), "path"),
        (notebook_with("open('/tmp/orders.csv')"), "path"),
        (notebook_with(outputs=stream("100%|####| 20/20 [00:03<00:00, 6.1it/s]")), "how long"),
        (notebook_with(outputs=stream("Wall time: 3 s")), "how long"),
        (notebook_with("# NBVAL_IGNORE_OUTPUT\n1"), "excused"),
        (notebook_with(metadata={"tags": ["nbval-skip"]}), "excused"),
        (notebook_with("plot();"), "semicolon"),
        (notebook_with("from eda_sim.rules.lifecycle import BREAKER"), "inner module"),
        (notebook_with("import eda_sim.views.style as look"), "inner module"),
        (notebook_with("for style in 'ab':\n    print(style)"), "hides"),
        (notebook_with("theory, found = 1, 2"), "hides"),
    ],
)
def test_each_flaw_is_found(broken: Any, flaw: str) -> None:
    """One thing wrong with a notebook is one flaw, named."""
    (found,) = flaws(broken)
    assert flaw in found


def test_normal_form_forgets_the_machine() -> None:
    """Versions, timings, widget ids and counts differ between two runs; normal forms do not."""
    here, there = (_as_run_by(machine) for machine in ("here", "there"))
    assert here != there
    assert suite.normalise(here) == suite.normalise(there)


def test_normal_form_keeps_what_the_author_wrote() -> None:
    """Text, code, tags, ids and outputs survive; doing it twice changes nothing more."""
    notebook = _as_run_by("here")
    ids = [cell.id for cell in notebook.cells]
    once = suite.normalise(notebook)
    assert [cell.id for cell in once.cells] == ids
    assert once.cells[1].source == "bar"
    assert once.cells[1].metadata == {"tags": ["predict"]}
    assert once.cells[1].outputs[0].data == {"text/plain": "HBox()"}
    again = suite.normalise(nbformat.reads(nbformat.writes(once), as_version=4))
    assert again == once


def test_a_failed_notebook_is_left_as_it_was(tmp_path: Path) -> None:
    """Storing is all or nothing: an invalid notebook leaves the old file and no other."""
    path = tmp_path / "old.ipynb"
    suite.store(notebook_with(), path)
    before = path.read_bytes()
    invalid = notebook_with()
    invalid.cells[0].cell_type = "neither"
    with pytest.raises(nbformat.ValidationError):
        suite.store(invalid, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def _as_run_by(machine: str) -> Any:
    data = {"text/plain": "HBox()", suite.WIDGET_VIEW: {"model_id": machine}}
    count = 7 if machine == "here" else 3
    cell = new_code_cell(
        "bar",
        id="experiment",
        execution_count=count,
        metadata={"tags": ["predict"], "execution": {"iopub.execute_input": machine}},
        outputs=[new_output("execute_result", data=data, execution_count=count)],
    )
    title = new_markdown_cell("# Title", id="title")
    return new_notebook(cells=[title, cell], metadata={"language_info": {"name": machine}})
