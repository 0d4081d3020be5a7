"""The floors of the house hold, and its front door is small and light."""

import builtins
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import eda_sim
from tools.contract import PYPROJECT, circles, has_no_circle, keeps_contract

# Each takes from a tenth of a second to a second to import, and a scenario needs none of them.
HEAVY = {
    "IPython", "loky", "matplotlib", "networkx", "pandas", "pyarrow", "rich", "scipy", "simpy",
    "tqdm", "typer",
}  # fmt: skip
# What a scenario needs, and ``import eda_sim`` alone does not.
OF_SCENARIOS = {"numpy", "pydantic", "yaml"}

# A public name must not turn into the module of the same name once that module is imported.
USE_EVERY_MODULE_THEN_EVERY_NAME = """
import importlib, pkgutil, types
import eda_sim
for module in pkgutil.walk_packages(eda_sim.__path__, "eda_sim."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
values = {name: getattr(eda_sim, name) for name in eda_sim.__all__}
print(*(name for name, value in values.items() if isinstance(value, types.ModuleType)))
"""


def python(script: str) -> list[str]:
    """The words that a script prints in an interpreter of its own."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_imports_point_downwards() -> None:
    """Every import of the package respects the contract in pyproject.toml."""
    assert keeps_contract()


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    """Were errors a floor above scenario, the check would fail: scenario imports errors."""
    upside_down = """
        [tool.importlinter]
        root_package = "eda_sim"
        [[tool.importlinter.contracts]]
        name = "upside down"
        type = "layers"
        layers = ["eda_sim.errors", "eda_sim.scenario"]
    """
    config = tmp_path / "pyproject.toml"
    config.write_text(upside_down, encoding="utf-8")
    assert not keeps_contract(config)


def test_every_room_has_its_floor() -> None:
    """The contract names the rooms that exist, so that none escapes it by being new."""
    contracts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
    (floors,) = [each for each in contracts["contracts"] if each["type"] == "layers"]
    assert floors["exhaustive"]
    named = {room.strip(" ()") for floor in floors["layers"] for room in floor.split("|")}
    package = Path(eda_sim.__file__).parent
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    assert modules | rooms <= named


def test_no_file_imports_one_that_imports_it() -> None:
    """Not directly nor through others, nor for its types, nor inside a function."""
    assert has_no_circle()


def write_package(folder: Path, files: dict[str, str]) -> None:
    """Write a package of these files, imports in their bodies."""
    folder.mkdir()
    for name, body in files.items():
        (folder / f"{name}.py").write_text(body, encoding="utf-8")


def test_every_way_to_import_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One imports for types, one inside a function, one by way of its room; a fourth is outside."""
    files = {
        "__init__": "",
        "first": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a_round.second",
        "second": "def late():\n    from a_round.third import value",
        "third": "from a_round import first\nvalue = 3",
        "fourth": "import a_round.first",
    }
    write_package(tmp_path / "a_round", files)
    monkeypatch.syspath_prepend(tmp_path)
    circle = ["a_round.first", "a_round.second", "a_round.third"]
    assert circles("a_round") == [circle]
    monkeypatch.setattr("tools.contract.circles", lambda: [circle])
    assert not has_no_circle()
    assert capsys.readouterr().out.split()[-3:] == circle


def loaded_by(statement: str) -> set[str]:
    """The packages that one statement loads in a new interpreter."""
    modules = python(f"import sys\n{statement}\nprint(*sys.modules)")
    return {name.partition(".")[0] for name in modules}


def test_importing_eda_sim_imports_nothing_heavy() -> None:
    """``import eda_sim`` stays quick because libraries wait until they are needed."""
    loaded = loaded_by("import eda_sim")
    assert "eda_sim" in loaded
    assert loaded & (HEAVY | OF_SCENARIOS) == set()


def test_the_star_import_brings_names_and_no_heavy_library() -> None:
    """What every notebook begins with binds all names; drawing and tables load theirs when used."""
    loaded = loaded_by("from eda_sim import *")
    assert loaded >= OF_SCENARIOS
    assert loaded & HEAVY == set()


def test_a_scenario_is_described_and_checked_without_a_heavy_library() -> None:
    """Descriptions need pydantic alone; only drawing, running and comparing need more."""
    loaded = loaded_by("from eda_sim import *\norder_pubsub().to_yaml()")
    assert loaded & HEAVY == set()


def test_no_module_takes_the_place_of_a_public_name() -> None:
    """``eda_sim.simulate`` is the function, whatever was imported before it was asked for."""
    assert python(USE_EVERY_MODULE_THEN_EVERY_NAME) == ["catalog", "lifecycle", "style", "theory"]


def test_the_star_import_hides_nothing_of_python() -> None:
    """No public name shadows a builtin."""
    assert set(eda_sim.__all__) & set(dir(builtins)) == set()


def test_the_engine_says_in_which_order_to_read_it() -> None:
    """Its docstring names each of its files, and every step and actor by its name."""
    engine = Path(eda_sim.__file__).parent / "engine"
    said = set(re.findall(r"``(\w+)``", (engine / "__init__.py").read_text(encoding="utf-8")))
    files = [path for path in engine.glob("*.py") if path.name != "__init__.py"]
    assert {path.stem for path in files} <= said
    classes = {
        name
        for path in files
        for name in re.findall(
            r"^class (\w+(?:Step|Actor))\b", path.read_text("utf-8"), re.MULTILINE
        )
    }
    assert classes == {name for name in said if name.endswith(("Step", "Actor"))}
