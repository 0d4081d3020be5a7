"""What a picture is of: one run, or several by name."""

from collections.abc import Mapping

from eda_sim.errors import InvalidInput
from eda_sim.results.run import Run


def named(runs: "Run | Mapping[str, Run]") -> dict[str, Run]:
    """Return the runs by name; a single run goes by its scenario's name.

    Raises:
        InvalidInput: if there are none, or something else is among them.
    """
    by_name = {runs.scenario.name: runs} if isinstance(runs, Run) else runs
    if not isinstance(by_name, Mapping):
        raise InvalidInput(
            f"runs must be a Run or map a name to each Run, got {type(runs).__name__}: "
            "write {'sync': run}"
        )
    if not by_name:
        raise InvalidInput("runs must hold at least one Run, got {}: name one")
    for name, run in by_name.items():
        if not isinstance(run, Run):
            raise InvalidInput(
                f"runs[{name!r}] must be a Run, got {type(run).__name__}: "
                "simulate(scenario) makes one"
            )
    return {str(name): run for name, run in by_name.items()}
