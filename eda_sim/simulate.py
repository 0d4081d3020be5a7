"""One run: a scenario and a seed in, a ``Run`` out."""

from typing import TYPE_CHECKING

from eda_sim.errors import InvalidInput

if TYPE_CHECKING:
    from eda_sim.results.run import Run
    from eda_sim.scenario.scenario import Scenario


def simulate(scenario: "Scenario", seed: int = 0) -> "Run":
    """Let ``scenario`` happen once, with the luck of ``seed``.

    The same scenario and seed give the same run, digit for digit, on every machine;
    the same seed gives another architecture the same orders and the same luck.

    Args:
        scenario: what to run; it is not changed.
        seed: any whole number.

    Returns:
        The run: its tables and all that is derived from them.

    Raises:
        InvalidInput: if ``scenario`` is no scenario or ``seed`` no whole number.
        SimulationError: if the run cannot go on, for example when recorded values
            are used up.

    Example:
        >>> from eda_sim import order_pubsub, simulate
        >>> run = simulate(order_pubsub(duration=30, warmup=0), seed=7)
        >>> bool(run.summary()["consistency_lag_p50"] > 0)  # answered before all is done
        True
    """
    from eda_sim.engine.world import World
    from eda_sim.results.run import Run
    from eda_sim.rules.plan import Plan
    from eda_sim.scenario.scenario import Scenario

    if not isinstance(scenario, Scenario):
        raise InvalidInput(
            f"scenario must be a Scenario, got {type(scenario).__name__}: "
            "build one, or take one from the catalogue, such as order_chain()"
        )
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InvalidInput(f"seed must be a whole number, got {seed!r}")

    recorder = World(Plan(scenario), seed).run()
    return Run.from_columns(scenario, seed, recorder.tables(), recorder.names.all)
