"""A record: the tables of one run, with the scenario and the seed that made them.

It is what an engine has written down, and nothing else: whatever can be derived is a function of
a record, in a file of its own, and ``Run`` remembers what was asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from eda_sim.rules.tables import TABLES

if TYPE_CHECKING:
    import pandas as pd

    from eda_sim.rules.plan import Plan
    from eda_sim.scenario.scenario import Scenario


class RecordedTables(Mapping[str, "pd.DataFrame"]):
    """The tables of a run, each made into a DataFrame when it is first looked at."""

    def __init__(self, columns: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> None:
        self._columns = columns
        self._names = names
        self._frames: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> "pd.DataFrame":
        from eda_sim.results.frames import frame

        if name not in self._frames:
            self._frames[name] = frame(TABLES[name], self._columns[name], self._names)
        return self._frames[name]

    def size(self, name: str) -> int:
        """Return how many rows a table has, without building it."""
        return len(next(iter(self._columns[name].values())))

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class Record:
    """What was written down when a scenario ran once.

    Attributes:
        scenario: what was run.
        seed: the seed of its luck.
        tables: every table by name, as DataFrames.
    """

    def __init__(
        self, scenario: "Scenario", seed: int, tables: Mapping[str, "pd.DataFrame"]
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.tables = tables

    @classmethod
    def from_columns(
        cls,
        scenario: "Scenario",
        seed: int,
        columns: Mapping[str, Mapping[str, Any]],
        names: Sequence[str],
    ) -> Self:
        """Build it from what an engine recorded: columns, and the names behind codes."""
        return cls(scenario, seed, RecordedTables(columns, names))

    @cached_property
    def plan(self) -> "Plan":
        """What the scenario means, unfolded."""
        from eda_sim.rules.plan import Plan

        return Plan(self.scenario)

    @property
    def requests(self) -> "pd.DataFrame":
        """One row for each request: key, start, answer and outcome."""
        return self.tables["requests"]

    @property
    def messages(self) -> "pd.DataFrame":
        """One row for each command or event: its name, sender, cause and times."""
        return self.tables["messages"]

    @property
    def calls(self) -> "pd.DataFrame":
        """One row for each call, as its caller sees it: attempts and outcome."""
        return self.tables["calls"]

    @property
    def attempts(self) -> "pd.DataFrame":
        """One row for each try at handling a call or a delivery."""
        return self.tables["attempts"]

    @property
    def effects(self) -> "pd.DataFrame":
        """One row for each completed piece of work."""
        return self.tables["effects"]

    @property
    def deliveries(self) -> "pd.DataFrame":
        """One row for each message and subscriber: times, attempts and outcome."""
        return self.tables["deliveries"]

    @property
    def faults(self) -> "pd.DataFrame":
        """One row for each fault that happened."""
        return self.tables["faults"]

    @property
    def scaling(self) -> "pd.DataFrame":
        """One row for each change of a service's number of instances by its autoscaler."""
        return self.tables["scaling"]

    @property
    def incidents(self) -> "pd.DataFrame":
        """One row for each thing that went wrong with a message: what, where, when, which fault."""
        return self.tables["incidents"]
