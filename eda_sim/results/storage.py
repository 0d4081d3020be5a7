"""A run on disk: one Parquet file a table, the scenario as YAML, the rest as JSON.

A run is written beside its place and moved there when it is whole, so that a
directory either holds a run or does not exist.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from eda_sim.errors import InvalidInput
from eda_sim.later.pandas import pd
from eda_sim.results.record import Record
from eda_sim.rules.tables import TABLES
from eda_sim.scenario.scenario import Scenario

_FORMAT = 1


def write(record: Record, directory: Path) -> Path:
    """Write a run into ``directory``, which must be empty or not exist."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InvalidInput(f"{directory} must be a new or empty directory: name another")
    directory.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        record.scenario.to_yaml(beside / "scenario.yaml")
        (beside / "run.json").write_text(
            json.dumps({"format": _FORMAT, "seed": record.seed}) + "\n"
        )
        for name in TABLES:
            record.tables[name].to_parquet(beside / f"{name}.parquet", index=False)
        beside.chmod(0o755)
        if directory.exists():
            directory.rmdir()
        beside.rename(directory)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return directory


def read(directory: Path) -> tuple[Scenario, int, Mapping[str, pd.DataFrame]]:
    """Return the scenario, the seed and the tables stored in ``directory``."""
    try:
        about = json.loads((directory / "run.json").read_text())
        tables = {name: pd.read_parquet(directory / f"{name}.parquet") for name in TABLES}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{directory} must hold a stored run, but: {error}") from None
    if about.get("format") != _FORMAT:
        raise InvalidInput(
            f"{directory} must be of format {_FORMAT}, got {about.get('format')}: "
            "read it with the version that wrote it"
        )
    return Scenario.from_yaml(directory / "scenario.yaml"), int(about["seed"]), tables
