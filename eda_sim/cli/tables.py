"""What a run and a comparison look like in a terminal."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from yaml import safe_dump

from eda_sim.cli.inputs import about, parameters
from eda_sim.results.words import number_text, share_text
from eda_sim.scenario.plain import to_plain

if TYPE_CHECKING:
    import pandas as pd

    from eda_sim.experiments.compare import Comparison
    from eda_sim.results.run import Run
    from eda_sim.scenario.scenario import Scenario

# Where nobody's window sets a width, a table need not be squeezed into a narrow one.
PIPED_WIDTH = 160

_MOST_REASONS = 12


def show(*renderables: Any) -> None:
    """Print tables to stdout."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    for renderable in renderables:
        console.print(renderable)


def catalogue_table(functions: Mapping[str, Callable[..., "Scenario"]]) -> Table:
    """Return the ready scenarios: what each is, and what of it can be set."""
    table = _table("ready scenarios", ["name", "what it is, and its settings"], numbers=False)
    table.show_lines = True
    for name, function in functions.items():
        settings = "  ".join(_setting(k, v) for k, v in parameters(function).items())
        table.add_row(Text(name), Text(f"{about(function)}\n{settings}"))
    return table


def _setting(name: str, default: Any) -> str:
    return name if default is Parameter.empty else f"{name}={typed(default)}"


def typed(value: Any) -> str:
    """Write a default as one would type it after ``--set``.

    >>> from eda_sim.scenario.delivery import Retry
    >>> typed(0.05), typed(None), typed(Retry(max_attempts=3))
    ('0.05', 'null', '{max_attempts: 3}')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float, str)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return safe_dump(to_plain(value), default_flow_style=True, width=PIPED_WIDTH).strip()


def run_tables(run: "Run") -> list[Table]:
    """Return a run's summary, its services and what became of its requests."""
    summary = _table(f"{run.scenario.name}, seed {run.seed}", ["metric", "value", "unit"])
    for metric, value in run.summary().items():
        summary.add_row(Text(str(metric)), number_text(float(value)), unit_of(str(metric)))
    services = _frame_table("services", run.services().T)
    tables = [summary, services, _ledger_table(verdicts(run))]
    reasons = audited(run)
    return [*tables, _audit_table(reasons)] if reasons else tables


def audited(run: "Run") -> list[dict[str, Any]]:
    """Return what made effects missing, repeated or late, the most frequent first.

    One entry for each problem, incident, fault or setting behind it, and policy: how many
    ``effects`` of how many ``requests``.
    """
    reason = ["problem", "what", "by", "policy"]
    groups = run.audit().groupby(reason, sort=True)["request"]
    counts = groups.agg(effects="size", requests="nunique").reset_index()
    counts = counts.sort_values("effects", ascending=False, kind="stable")
    return [{str(name): value for name, value in row.items()} for row in counts.to_dict("records")]


def verdicts(run: "Run") -> dict[str, int]:
    """Return how many requests the ledger judges how, leaving out what never happened."""
    return {str(verdict): int(n) for verdict, n in run.verdicts().items() if n > 0}


def unit_of(metric: str) -> str:
    """Return the unit of a metric of ``Run.summary()``.

    >>> unit_of("response_time_p99"), unit_of("dlq_rate"), unit_of("throughput")
    ('s', 'fraction', '1/s')
    """
    if metric.startswith(("response_time", "completion_time", "consistency_lag", "delivery_lag")):
        return "s"
    if metric.endswith("_rate"):
        return "fraction"
    return {"throughput": "1/s", "requests": "count"}.get(metric, "")


def comparison_tables(comparison: "Comparison") -> list[Table]:
    """Return the estimates, and the differences from the first architecture."""
    others = list(comparison.scenarios)[1:]
    return [_estimates(comparison), *(_differences(comparison, name) for name in others)]


def _estimates(comparison: "Comparison") -> Table:
    from eda_sim.experiments.text import among_text, estimate_text

    table = _table(comparison.title(), ["metric", *comparison.scenarios, "unit"])
    estimates = comparison.table()
    for metric, row in estimates.iterrows():
        cells = [
            estimate_text(row[name, "mean"], row[name, "half_width"])
            + among_text(int(row[name, "replications"]), len(comparison.seeds))
            for name in comparison.scenarios
        ]
        table.add_row(str(metric), *cells, unit_of(str(metric)))
    return table


def _differences(comparison: "Comparison", name: str) -> Table:
    from eda_sim.experiments.text import among_text, estimate_text

    first = next(iter(comparison.scenarios))
    columns = ["metric", "difference", "unpaired", "narrower", "differs", "unit"]
    table = _table(f"{name} minus {first}, paired", columns)
    for metric, row in comparison.differences().xs(name).iterrows():
        if row["replications"] == 0:  # one of the two knows no such thing, as deliveries
            continue
        table.add_row(
            str(metric),
            estimate_text(row["difference"], row["half_width"], sign=True)
            + among_text(int(row["replications"]), len(comparison.seeds)),
            f"± {number_text(row['unpaired_half_width'])}",
            _times(row["narrower"]),
            "yes" if row["excludes_zero"] else "",
            unit_of(str(metric)),
        )
    return table


def _times(factor: float) -> str:
    if isfinite(factor):
        return f"{number_text(factor)} x"
    return "" if isnan(factor) else "∞"


def _ledger_table(counts: Mapping[str, int]) -> Table:
    table = _table("ledger of all requests", ["verdict", "requests", "share"])
    total = sum(counts.values())
    for verdict, n in counts.items():
        table.add_row(verdict, number_text(n), share_text(n / total))
    return table


def _audit_table(reasons: Sequence[Mapping[str, Any]]) -> Table:
    columns = ["effects", "requests", "problem", "what happened", "by", "policy"]
    rest = f", the commonest {_MOST_REASONS} of {len(reasons)} reasons"
    title = "audit: why" + (rest if len(reasons) > _MOST_REASONS else "")
    table = _table(title, columns, numbers=False)
    for reason in reasons[:_MOST_REASONS]:
        counts = (number_text(reason[name]) for name in ("effects", "requests"))
        names = (Text(str(reason[name])) for name in ("problem", "what", "by", "policy"))
        table.add_row(*counts, *names)
    return table


def _frame_table(title: str, frame: "pd.DataFrame") -> Table:
    table = _table(title, ["", *map(str, frame.columns)])
    for label, row in frame.iterrows():
        cells = (number_text(v) if isinstance(v, (int, float)) else str(v) for v in row)
        table.add_row(Text(str(label)), *cells)
    return table


def _table(title: str, columns: list[str], numbers: bool = True) -> Table:
    """Return an empty table; names stand left, numbers right."""
    table = Table(title=Text(title), title_justify="left")
    for i, column in enumerate(columns):
        number = numbers and i > 0 and column != "unit"
        table.add_column(Text(column), justify="right" if number else "left")
    return table
