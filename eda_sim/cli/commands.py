"""The commands of ``eda-sim``: what each takes, and in which order it does things.

Whatever can be refused is refused before anything runs, the place where results
will go included.
"""

import sys
from collections.abc import Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from eda_sim.cli.group import OneLineErrors
from eda_sim.cli.inputs import catalogue, scenario_of, scenarios_over
from eda_sim.errors import InvalidInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eda_sim.scenario.scenario import Scenario

app = typer.Typer(
    cls=OneLineErrors,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    str, typer.Argument(metavar="NAME|FILE", help="A ready scenario, or a YAML file.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Change one setting, such as payment_workers=8 or 'retry={max_attempts: 4}', or one "
        "part by its path, such as email.workers=8. Can be given again.",
    ),
]
Seed = Annotated[int, typer.Option(help="The luck: the same seed gives the same numbers.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines, and nothing else.")]


class Format(StrEnum):
    """How a scenario can be shown."""

    text = "text"
    mermaid = "mermaid"
    png = "png"
    yaml = "yaml"
    schema = "schema"


_FORMAT_OF_SUFFIX = {
    ".mmd": Format.mermaid,
    ".yaml": Format.yaml,
    ".yml": Format.yaml,
    # A picture can be any kind of file that matplotlib writes; its name says which.
    ".png": Format.png,
    ".svg": Format.png,
    ".pdf": Format.png,
}


def _version(wanted: bool) -> None:
    if wanted:
        # By name, because the front door is above every room and this room does not enter it.
        typer.echo(f"eda-sim {import_module('eda_sim').__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Ask what would happen if these services talked through events.

    eda-sim list
    eda-sim show order_pubsub
    eda-sim run order_pubsub --set payment_workers=8 --seed 7
    eda-sim compare order_chain order_pubsub --replications 20
    """


@app.command("list")
def list_scenarios() -> None:
    """List the ready scenarios and what of each can be set."""
    from eda_sim.cli.tables import catalogue_table, show

    show(catalogue_table(catalogue()))


@app.command()
def show(
    source: Annotated[
        str | None, typer.Argument(metavar="NAME|FILE", help="A ready scenario, or a YAML file.")
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help=f"One of {', '.join(Format)}; by default as --out ends, or text.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file.")] = None,
    settings: Settings = None,
) -> None:
    """Show a scenario: as text, a Mermaid or PNG diagram, YAML; or the schema of such YAML.

    eda-sim show order_chain
    eda-sim show order_pubsub --out pubsub.png
    eda-sim show order_pubsub --set rate=80 --format yaml --out busy.yaml
    eda-sim show --format schema --out scenario.schema.json
    """
    from eda_sim.cli.files import written

    suffix = out.suffix.lower() if out is not None else ""
    chosen = format or _FORMAT_OF_SUFFIX.get(suffix, Format.text)
    if chosen is Format.png:
        _draw_system(source, settings, out)
        return
    text = _shown(source, settings, chosen)
    if out is None:
        typer.echo(text)
        return
    with written(out) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def _shown(source: str | None, settings: list[str] | None, chosen: Format) -> str:
    from eda_sim.cli.files import json_text
    from eda_sim.scenario.scenario import Scenario

    if chosen is Format.schema:
        return json_text(Scenario.json_schema())
    scenario = scenario_of(_present(source), settings or ())
    if chosen is Format.text:
        return str(scenario)
    return (scenario.to_yaml() if chosen is Format.yaml else scenario.to_mermaid()).rstrip()


def _present(source: str | None) -> str:
    if source is None:
        raise InvalidInput("NAME|FILE is missing: name a ready scenario (eda-sim list) or a file")
    return source


def _draw_system(source: str | None, settings: list[str] | None, out: Path | None) -> None:
    from eda_sim.cli.files import checked_picture, written

    if out is None:
        raise InvalidInput("--format png must come with --out FILE, got none: add --out system.png")
    picture = checked_picture(out, otherwise=".png")
    scenario = scenario_of(_present(source), settings or ())
    from eda_sim.views.system import draw_system

    with written(out) as draft:
        _figure(draw_system(scenario)).savefig(draft, format=picture)


def _figure(drawn: "Axes | Figure") -> "Figure":
    """Return what a picture is saved as, whether it is one Axes or a Figure."""
    return cast("Figure", drawn.figure)


@app.command()
def run(
    source: Source,
    settings: Settings = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write scenario, summary and all tables to a directory."),
    ] = None,
    json: Json = False,
) -> None:
    """Run a scenario once: its summary, its services, and what became of every request.

    eda-sim run order_chain --seed 7
    eda-sim run order_chain --set 'retry={max_attempts: 4}' --set email.workers=8
    eda-sim run my_system.yaml --set payment.workers=8 --out results/
    """
    from eda_sim.cli.files import check_directory, json_text, write_run
    from eda_sim.cli.tables import audited, run_tables, verdicts
    from eda_sim.cli.tables import show as show_tables

    if out is not None:
        check_directory(out)
    scenario = scenario_of(source, settings or ())
    from eda_sim.simulate import simulate

    done = simulate(scenario, seed=seed)
    facts = {
        "scenario": scenario.name,
        "seed": seed,
        "summary": done.summary().to_dict(),
        "services": done.services().to_dict("index"),
        "ledger": verdicts(done),
        "audit": audited(done),
    }
    if out is not None:
        write_run(done, facts, out)
    if json:
        typer.echo(json_text(facts))
    else:
        show_tables(*run_tables(done))


@app.command()
def compare(
    sources: Annotated[
        list[str], typer.Argument(metavar="NAME|FILE", help="Architectures, the baseline first.")
    ],
    replications: Annotated[
        int, typer.Option("--replications", "-n", help="Runs of each; intervals need 2 or more.")
    ] = 10,
    seed: Seed = 0,
    settings: Settings = None,
    json: Json = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it to a file, as .png, .svg or .pdf.")
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=A,B,C",
            help="Compare one architecture under several values of a setting, the baseline first.",
        ),
    ] = None,
) -> None:
    """Compare architectures on the same orders and luck, with the interval of every difference.

    Settings are for all of them; change one alone with eda-sim show --format yaml.

    eda-sim compare order_chain order_pubsub --replications 20
    eda-sim compare order_chain order_pubsub --set rate=60 --plot rate60.png
    eda-sim compare order_pubsub --over broker.delivery.retry.max_attempts=1,4
    """
    from eda_sim.cli.files import checked_picture, json_text, written
    from eda_sim.cli.tables import comparison_tables
    from eda_sim.cli.tables import show as show_tables

    for source in sources:
        if sources.count(source) > 1:
            raise InvalidInput(f"{source} is given twice: name different architectures")
    picture = None if plot is None else checked_picture(plot)
    scenarios = _side_by_side(sources, settings or (), over or ())
    from eda_sim.experiments.compare import compare as compare_scenarios

    comparison = compare_scenarios(
        scenarios, replications=replications, seed=seed, progress=sys.stderr.isatty()
    )
    if plot is not None:
        from eda_sim.views.comparison import draw_comparison

        with written(plot) as draft:
            _figure(draw_comparison(comparison)).savefig(draft, format=picture)
    if json:
        typer.echo(json_text({"seed": seed, **comparison.to_dict()}))
    else:
        show_tables(*comparison_tables(comparison))


def _side_by_side(
    sources: list[str], settings: Sequence[str], over: Sequence[str]
) -> dict[str, "Scenario"]:
    """Return what to compare, by name: the sources, or the one source under several values."""
    if not over:
        return {source: scenario_of(source, settings) for source in sources}
    if len(over) > 1:
        raise InvalidInput(f"--over must be given once, got {' and '.join(over)}: vary one setting")
    if len(sources) > 1:
        raise InvalidInput(
            f"--over compares one architecture, got {' and '.join(sources)}: name one of them"
        )
    return scenarios_over(sources[0], over[0], settings)
