"""Steps, nodes, distributions and arrivals are closed sums: who tells kinds apart handles each.

``match`` ends with ``assert_never``, so the type checker names every place that a new kind is
missed at. Here a kind is added to a copy of the package, and the type checker is asked.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import eda_sim

PACKAGE = Path(eda_sim.__file__).parent
STEPS, NODES = "scenario/steps.py", "rules/plan/nodes.py"
TIMES, TRAFFIC = "scenario/distributions.py", "scenario/traffic.py"
FORGOTTEN = re.compile(r'^(\S+?):(\d+): error: Argument 1 to "assert_never"', re.MULTILINE)
# What others publish is left out: it says nothing about kinds, and takes most of the time.
QUICK = [
    "--config-file=",
    "--no-site-packages",
    "--ignore-missing-imports",
    "--follow-imports=silent",
    f"--cache-dir={os.devnull}",
]

A_STEP = """
class Ask:
    name = kind = "ask"
    inside: ClassVar["Ways"] = ()


"""
A_NODE = """
@dataclass(eq=False, kw_only=True)
class AskNode(_Node):
    step: Ask
    name = "ask"
    inside: tuple["HandlerNode", ...] = ()


"""
OTHER = """
class Other:
    mean: float = 0.0


"""


def syntax(package: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every piece of code of a package, and its file."""
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield path.relative_to(package).as_posix(), node


def places(package: Path) -> Iterator[tuple[str, int]]:
    """Every ``assert_never(…)``: its file and line."""
    for name, node in syntax(package):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "assert_never":
            yield name, node.lineno


def forgotten(package: Path) -> set[tuple[str, int]]:
    """Every place at which the type checker says that a kind is missed."""
    files = sorted({str(package / name) for name, _ in places(package)})
    command = [sys.executable, "-m", "mypy", *QUICK, *files]
    said = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=False)
    assert said.returncode in (0, 1), said.stderr
    return {
        (Path(name).relative_to(package.name).as_posix(), int(line))
        for name, line in FORGOTTEN.findall(said.stdout.replace(f"{package.parent}/", ""))
    }


def add(package: Path, name: str, kind: str, before: str, sums: dict[str, str]) -> None:
    """Write a kind into a file of a package, and into its sums, each by how it begins."""
    path = package / name
    text = path.read_text()
    assert text.count(f"\n{before}") == 1
    text = text.replace(f"\n{before}", f"{kind}{before}")
    for begin, new in sums.items():
        assert text.count(f"\n{begin}") == 1
        text = text.replace(f"\n{begin}", f"\n{begin}{new} | ")
    path.write_text(text)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to be changed."""
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_new_kind_is_missed_wherever_kinds_are_told_apart(package: Path) -> None:
    """With one step, node, distribution and arrival more, every ``assert_never`` is reached."""
    assert forgotten(package) == set()
    steps = {"AnyStep = ": "Ask", "MessageStep = ": "Ask"}
    nodes = {"MessageNode = ": "AskNode", "StepNode = ": "AskNode"}
    add(package, STEPS, A_STEP, "Step = Annotated[", steps)
    add(package, NODES, A_NODE, "MessageNode = ", nodes)
    for name, begin in [(TIMES, "Distribution = Annotated["), (TRAFFIC, "Arrivals = Annotated[")]:
        add(package, name, OTHER, begin, {f"{begin}\n    ": "Other"})
    text = (package / NODES).read_text()
    (package / NODES).write_text(
        text.replace("steps import Branch", "steps import Ask, Branch").replace(
            "step: Send | Publish", "step: Send | Publish | Ask"
        )
    )
    assert forgotten(package) == set(places(package))


KIND = re.compile(r"\b(Work|Call|Send|Publish|Parallel|Branch|Handler|Publication)(Node)?\b")


def test_every_match_of_kinds_is_complete() -> None:
    """Whoever matches kinds of steps or nodes ends with ``assert_never``."""
    matches = [
        (name, node)
        for name, node in syntax(PACKAGE)
        if isinstance(node, ast.Match) and KIND.search(ast.unparse(node.cases[0].pattern))
    ]
    assert matches
    for name, match in matches:
        last = ast.unparse(match.cases[-1].body[-1])
        assert last.startswith("assert_never("), f"{name}:{match.lineno}"


def test_no_else_means_the_last_kind() -> None:
    """Nobody asks whether a step is of one kind, and takes all others for the last one."""
    steps = re.compile(r"isinstance\([^)]*\b(step|message\.step)\b")
    found = [
        f"{name}:{node.lineno}: {ast.unparse(node.test)}"
        for name, node in syntax(PACKAGE)
        if isinstance(node, (ast.If, ast.IfExp)) and node.orelse
        if steps.search(test := ast.unparse(node.test)) and KIND.search(test)
    ]
    assert found == []
