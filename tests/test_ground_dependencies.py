"""What the project installs is said in three files, and the three agree."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

# conda-forge splits matplotlib: the base is what PyPI's package is, without a desktop toolkit.
CONDA_NAMES = {"matplotlib": "matplotlib-base"}
# The only packages that pip may bring into the conda environment.
NOT_ON_CONDA_FORGE = {"ciw", "cloudevents"}
# What the conda way needs and pip has by nature.
CONDA_ONLY = {"python", "pip"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)["project"]
    return table


@pytest.fixture(scope="module")
def environment() -> list[Any]:
    """The dependencies of environment.yml."""
    loaded = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    entries: list[Any] = loaded["dependencies"]
    return entries


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """Version by package name, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def bounds(requirements: list[str]) -> dict[str, str]:
    """Version bound by package name: ``{"simpy": ">=4.1"}``."""
    parsed = map(Requirement, requirements)
    return {canonicalize_name(each.name): str(each.specifier) for each in parsed}


def wanted(project: dict[str, Any]) -> dict[str, str]:
    """The bounds of everything that pyproject.toml names, extras included."""
    extras = project["optional-dependencies"].values()
    return bounds([*project["dependencies"], *(line for extra in extras for line in extra)])


def pip_section(environment: list[Any]) -> list[str]:
    """What environment.yml leaves to pip."""
    (section,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    lines: list[str] = section
    return lines


def test_conda_and_pip_ask_for_the_same(project: dict[str, Any], environment: list[Any]) -> None:
    """environment.yml names exactly pyproject's packages, with the same bounds."""
    by_conda = bounds([entry for entry in environment if isinstance(entry, str)])
    by_pip = bounds([line for line in pip_section(environment) if not line.startswith("-")])
    assert by_conda.pop("python") == project["requires-python"]
    given = by_pip | {name: by_conda[name] for name in by_conda.keys() - CONDA_ONLY}
    assert given == {CONDA_NAMES.get(name, name): bound for name, bound in wanted(project).items()}


def test_pip_brings_only_what_conda_forge_lacks(environment: list[Any]) -> None:
    """Beside eda_sim itself, conda's pip section holds what no conda-forge package offers."""
    lines = pip_section(environment)
    assert "-e ." in lines
    assert set(bounds([line for line in lines if line != "-e ."])) == NOT_ON_CONDA_FORGE


def test_every_requirement_has_a_lower_bound(project: dict[str, Any]) -> None:
    """Each package says which version is the oldest that serves, and sets no upper limit."""
    assert [name for name, bound in wanted(project).items() if not bound.startswith(">=")] == []
    assert [name for name, bound in wanted(project).items() if "," in bound] == []


def test_pins_satisfy_the_bounds(project: dict[str, Any], pins: dict[str, str]) -> None:
    """Every package that pyproject.toml names is pinned, at a version within its bound."""
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    for requirement in map(Requirement, lines):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier


def test_constraints_hold_exact_versions_and_nothing_else() -> None:
    """A line of constraints.txt is a comment or ``name==version``: no address, no option."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.+!]*")
    assert [line for line in lines if not line.startswith("#") and not pin.fullmatch(line)] == []
    assert not any("://" in line for line in lines)


@pytest.mark.parametrize(
    "name",
    ["Makefile", "README.md", "pyproject.toml", "constraints.txt", "environment.yml", ".ci/run"],
)
def test_no_file_names_a_package_registry(name: str) -> None:
    """Where packages come from is the machine's affair: no file sets or names an index."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"index[-_]url|find[-_]links|trusted[-_]host|/simple\b", text, re.IGNORECASE)
    assert found == []
