"""The terminal: what each command prints and writes, and one line for whatever is wrong."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eda_sim import (
    Backoff,
    DeliveryPolicy,
    EdaSimWarning,
    InvalidInput,
    Outage,
    Retry,
    Run,
    Scenario,
    order_chain,
    order_pubsub,
    simulate,
)
from eda_sim.catalog import CATALOG
from eda_sim.cli import app
from eda_sim.cli.files import json_text
from eda_sim.cli.inputs import parameters, parsed_setting, scenario_of, scenarios_over
from eda_sim.cli.tables import typed
from eda_sim.experiments.compare import compare

SHORT = ("--set", "duration=6", "--set", "warmup=1")


def cli(*arguments: str | Path) -> Result:
    """Run a command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def ok(*arguments: str | Path) -> str:
    """Run a command line that succeeds without a word on stderr; return its stdout."""
    result = cli(*arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def refused(*arguments: str | Path) -> str:
    """Run a command line that is wrong input; return the one line that it answers."""
    result = cli(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def in_a_process(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run ``python -m eda_sim`` as people do."""
    return subprocess.run(
        [sys.executable, "-m", "eda_sim", *arguments], capture_output=True, text=True, **settings
    )


@pytest.fixture
def chain_file(tmp_path: Path) -> Path:
    """A scenario file, short enough for tests."""
    path = tmp_path / "chain.yaml"
    order_chain(duration=6, warmup=1).to_yaml(path)
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


# -- help ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["run"], ["compare"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    """--help prints the usage on stdout and succeeds."""
    assert "Usage" in ok(*command, "--help")


def test_help_has_examples_that_work() -> None:
    """Each example of the help has known options, and settings that its scenario has."""
    pages = [ok("--help"), *(ok(command, "--help") for command in ("show", "run", "compare"))]
    examples = [
        shlex.split(line.split("eda-sim ", 1)[1])
        for page in pages
        for line in map(str.strip, page.splitlines())
        if line.startswith("eda-sim ")
    ]
    assert len(examples) >= 8
    for command, *words in examples:
        settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        for name in set(words) & set(CATALOG):
            scenario_of(name, settings)
            for over in (words[i + 1] for i, word in enumerate(words) if word == "--over"):
                assert len(scenarios_over(name, over, settings)) > 1
        options = {word for word in words if word.startswith("--")}
        assert all(option in ok(command, "--help") for option in options)


def test_version_is_the_packages() -> None:
    """--version prints the name and the version, which is that of the package."""
    import eda_sim

    assert ok("--version") == f"eda-sim {eda_sim.__version__}\n"


def test_help_comes_without_the_heavy_libraries() -> None:
    """Help needs none of the libraries that simulate, compute or draw."""
    code = (
        "import sys, contextlib, io; from eda_sim.cli import app\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    app(['--help'])\n"
        "heavy = {'pandas', 'numpy', 'scipy', 'matplotlib', 'simpy', 'networkx', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- list and show ---------------------------------------------------------------------


def test_list_shows_every_scenario_with_its_settings_and_defaults() -> None:
    """All names, descriptions, keyword arguments and their defaults are there."""
    listed = " ".join(re.sub("[│┃]", " ", ok("list")).split())
    for name, function in CATALOG.items():
        assert name in listed
        assert (function.__doc__ or "").split("\n")[0].replace("``", "'") in listed
        for key in parameters(function):
            assert f" {key}=" in listed
    assert "payment_workers=4 " in listed
    assert "faults=[] " in listed
    assert "retry={max_attempts: 3} " in listed


def test_listed_defaults_can_be_typed() -> None:
    """Giving every listed default back with --set changes nothing."""
    listed = " ".join(re.sub("[│┃]", " ", ok("list")).split())
    section = listed[listed.index("order_chain") : listed.index("order_pubsub")]
    settings = [word for word in section.split() if "=" in word]
    assert len(settings) == len(parameters(order_chain))
    assert scenario_of("order_chain", settings) == order_chain()


@pytest.mark.parametrize("name", CATALOG)
def test_defaults_of_every_scenario_can_be_typed(name: str) -> None:
    """What is listed for an argument, descriptions included, is what ``--set`` reads."""
    for key, default in parameters(CATALOG[name]).items():
        assert scenario_of(name, [f"{key}={typed(default)}"]) == CATALOG[name]()


@pytest.mark.parametrize("name", CATALOG)
def test_show_prints_each_form(name: str) -> None:
    """Text, Mermaid and YAML are the scenario's own, and the YAML is the scenario again."""
    scenario = CATALOG[name]()
    assert ok("show", name) == f"{scenario}\n"
    assert ok("show", name, "--format", "mermaid") == scenario.to_mermaid()
    assert Scenario.from_yaml(ok("show", name, "--format", "yaml")) == scenario
    assert json.loads(ok("show", "--format", "schema")) == Scenario.json_schema()


def test_show_writes_what_the_file_name_says(elsewhere: Path, chain_file: Path) -> None:
    """--out takes its format from the file's name; nothing else is written anywhere."""
    ok("show", chain_file, "--out", "copy.yaml")
    ok("show", chain_file, "--out", "copy.mmd")
    ok("show", chain_file, "--out", "copy.png")
    ok("show", "--out", "schema.json", "--format", "schema")
    scenario = Scenario.from_yaml(chain_file)
    assert Scenario.from_yaml(Path("copy.yaml")) == scenario
    assert Path("copy.mmd").read_text("utf-8") == scenario.to_mermaid()
    assert Path("copy.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(os.listdir()) == ["copy.mmd", "copy.png", "copy.yaml", "schema.json"]


# -- settings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("-1", -1),
        ("0.05", 0.05),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("none", None),
        ("payment", "payment"),
        ("'8'", "8"),
        ("[1, 2.5]", [1, 2.5]),
        ("{kind: constant, value: 0}", {"kind": "constant", "value": 0}),
        ("a=b", "a=b"),
        ("nan", "nan"),
        ("", ""),
    ],
)
def test_values_are_read_as_people_mean_them(text: str, value: Any) -> None:
    """Numbers, true, false, null, lists, mappings; all else is a text."""
    key, read = parsed_setting(f"key={text}")
    assert key == "key"
    assert read == value
    assert type(read) is type(value)


def test_a_name_takes_keyword_arguments_and_paths() -> None:
    """A plain key is the function's argument, a path or a scenario's field is replaced after."""
    assert scenario_of("order_chain", ["payment_workers=8"]) == order_chain(payment_workers=8)
    assert scenario_of(
        "order_chain", ["inventory.workers=3", "drain=9", "payment_workers=8"]
    ) == order_chain(payment_workers=8).replace("inventory.workers", 3).replace(drain=9)


def test_a_file_takes_paths(chain_file: Path) -> None:
    """Every key is a path of Scenario.replace."""
    changed = scenario_of(str(chain_file), ["payment.workers=8", "duration=20"])
    assert changed == order_chain(duration=6, warmup=1).replace(duration=20).replace(
        "payment.workers", 8
    )


def test_a_distribution_can_be_set_as_a_mapping() -> None:
    """A whole part is typed as it stands in a file."""
    changed = scenario_of("order_chain", ["network={kind: constant, value: 0.25}"])
    assert changed.network.value == 0.25  # type: ignore[union-attr]


OUTAGE = "{kind: outage, service: payment, at: 60, lasts: 30}"


def test_a_description_can_be_set_as_a_mapping(chain_file: Path) -> None:
    """For an argument and for a path alike, in a ready scenario and in a file."""
    faults, retry = [Outage("payment", at=60, lasts=30)], Retry(max_attempts=2)
    typed = [f"faults=[{OUTAGE}]", "retry={max_attempts: 2}"]
    assert scenario_of("order_chain", typed) == order_chain(faults=faults, retry=retry)
    path = "orders.PlaceOrder[ProcessPayment].retry"
    for source in ("order_chain", str(chain_file)):
        changed = scenario_of(source, [f"faults=[{OUTAGE}]", f"{path}={{max_attempts: 2}}"])
        assert changed == scenario_of(source).replace(path, retry).replace(faults=faults)


def test_a_path_reaches_into_what_an_argument_gave() -> None:
    """Arguments come first, whichever is typed first."""
    typed = ["broker.delivery.retry.max_attempts=2", "retry={backoff: {base: 3}}"]
    expected = order_pubsub(retry=Retry(max_attempts=2, backoff=Backoff(3.0)))
    assert scenario_of("order_pubsub", typed) == expected


def test_a_whole_service_can_be_set_by_its_name() -> None:
    """A name alone is a path, too."""
    typed = "payment={name: payment, workers: 9, on: {ProcessPayment: []}}"
    assert scenario_of("order_chain", [typed]).service("payment").workers == 9


def test_a_ready_scenario_wins_over_a_file_of_its_name(elsewhere: Path) -> None:
    """Whatever lies about in the directory, a catalogue name means the catalogue."""
    Path("order_chain").write_text("nonsense", "utf-8")
    assert ok("show", "order_chain") == f"{order_chain()}\n"
    assert "scenario must be a mapping" in refused("show", "./order_chain")


# -- run -------------------------------------------------------------------------------


def test_run_prints_summary_services_and_ledger() -> None:
    """Every metric, every service and every verdict has its line."""
    printed = ok("run", "order_pubsub", *SHORT, "--seed", "3")
    run = simulate(order_pubsub(duration=6, warmup=1), seed=3)
    for name in [*run.summary().index, *run.services().index, *run.ledger()["verdict"].unique()]:
        assert f" {name} " in printed
    assert "seed 3" in printed


def test_run_as_json_is_the_run() -> None:
    """The numbers are those of simulate(), an undefined one is null, and it is strictly JSON."""
    data = json.loads(ok("run", "order_chain", *SHORT, "--seed", "3", "--json"), parse_constant=_no)
    run = simulate(order_chain(duration=6, warmup=1), seed=3)
    summary = run.summary().astype(float)
    assert data["summary"] == {k: None if v != v else v for k, v in summary.items()}
    assert None in data["summary"].values()  # nothing is published in the chain
    assert sum(data["ledger"].values()) == len(run.ledger())
    assert set(data["services"]) == {service.name for service in run.scenario.services}
    assert (data["seed"], data["scenario"]) == (3, run.scenario.name)


def test_run_says_why_orders_went_wrong() -> None:
    """The fault or setting behind each kind of wrong effect, with the number of them."""
    typed = "faults=[{kind: outage, service: payment, at: 10, lasts: 60}]"
    outage = ["order_chain", "--set", "duration=20", "--set", "warmup=0", "--set", typed]
    fault = "faults[0] = Outage('payment', at=10.0, lasts=60.0)"
    printed = ok("run", *outage)
    assert "audit: why" in printed
    assert fault in printed
    found = json.loads(ok("run", *outage, "--json"))["audit"]
    refused_ = [row for row in found if row["what"] == "refused"]
    assert [(row["by"], row["problem"]) for row in refused_] == [(fault, "missing")]
    faults = [Outage("payment", at=10, lasts=60)]
    run = simulate(order_chain(duration=20, warmup=0, faults=faults))
    assert refused_[0]["effects"] == (run.audit()["what"] == "refused").sum()
    assert sum(row["effects"] for row in found) == len(run.audit())
    assert "audit" not in ok("run", "fan_out", "--set", "duration=2", "--set", "warmup=0")


def _no(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_undefined_numbers_are_null() -> None:
    """NaN and infinity have no place in JSON, at any depth."""
    assert json.loads(json_text({"a": [float("nan"), {"b": float("inf")}]})) == {
        "a": [None, {"b": None}]
    }


def test_run_out_can_be_run_and_read_again(elsewhere: Path) -> None:
    """The directory has the scenario, the summary and all tables, and nothing stays beside it."""
    data = json.loads(ok("run", "order_chain", *SHORT, "--seed", "3", "--json", "--out", "r/first"))
    assert os.listdir() == ["r"]
    assert os.listdir("r") == ["first"]
    written = Path("r/first")
    scenario = order_chain(duration=6, warmup=1)
    assert Scenario.from_yaml(written / "scenario.yaml") == scenario
    stored = json.loads((written / "summary.json").read_text("utf-8"))
    assert {**data, "files": stored["files"]} == stored
    assert sorted(p.name for p in written.iterdir()) == stored["files"]
    again, run = Run.from_parquet(written), simulate(scenario, seed=3)
    assert again.effects.equals(run.effects)
    assert again.requests.equals(run.requests)


def test_run_out_replaces_only_a_run(elsewhere: Path) -> None:
    """An earlier run gives way to a later one; a directory with anything else in it does not."""
    run = ("run", "order_chain", *SHORT, "--out", "results")
    Path("results").mkdir()
    ok(*run)
    ok(*run, "--seed", "5")
    assert json.loads(Path("results/summary.json").read_text("utf-8"))["seed"] == 5
    Path("results/notes.txt").write_text("mine", "utf-8")
    assert "notes.txt" in refused(*run)
    assert Path("results/notes.txt").read_text("utf-8") == "mine"
    assert json.loads(Path("results/summary.json").read_text("utf-8"))["seed"] == 5


def test_run_out_leaves_others_directories_alone(elsewhere: Path) -> None:
    """A directory that no run wrote, even one with an empty directory in it, is refused."""
    Path("home/music").mkdir(parents=True)
    assert "holds files that no run wrote" in refused("run", "order_chain", "--out", "home")
    Path("file").write_text("x", "utf-8")
    assert "is a file" in refused("run", "order_chain", "--out", "file")
    assert "cannot be written" in refused("run", "order_chain", *SHORT, "--out", "file/inside")
    assert sorted(os.listdir()) == ["file", "home"]


def test_nothing_half_written_stays(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle leaves the earlier run as it was, and no debris."""
    run = ("run", "order_chain", *SHORT, "--out", "results")
    ok(*run)
    before = {p: p.read_bytes() for p in Path("results").rglob("*") if p.is_file()}

    def full(self: Run, directory: Path) -> None:
        (Path(directory) / "requests.parquet").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "to_parquet", full)
    assert refused(*run, "--seed", "1") == "results cannot be written: No space left on device"
    assert {p: p.read_bytes() for p in Path("results").rglob("*") if p.is_file()} == before
    assert os.listdir() == ["results"]


# -- compare ---------------------------------------------------------------------------


def test_compare_prints_estimates_and_paired_differences(chain_file: Path) -> None:
    """A table of both architectures, and one of the differences from the first."""
    printed = ok("compare", chain_file, "order_pubsub", *SHORT, "--replications", "2")
    assert "2 replications of each, 95% intervals" in printed
    # A long path is broken over two lines.
    assert f"order_pubsubminus{chain_file},paired" in "".join(printed.split())
    assert "response_time_mean" in printed
    assert "±" in printed


def test_compare_as_json_is_the_comparison() -> None:
    """The numbers are those of compare(), and stdout is JSON alone."""
    data = json.loads(
        ok("compare", "order_chain", "order_pubsub", *SHORT, "-n", "2", "--seed", "4", "--json"),
        parse_constant=_no,
    )
    architectures = {f.__name__: f(duration=6, warmup=1) for f in (order_chain, order_pubsub)}
    expected = compare(architectures, replications=2, seed=4, progress=False)
    assert data == json.loads(json_text({"seed": 4, **expected.to_dict()}))
    assert data["differences"]["order_pubsub"]["requests"]["difference"] == 0


def test_compare_draws_a_picture(elsewhere: Path) -> None:
    """--plot writes the picture that its name asks for, and nothing else."""
    ok("compare", "order_chain", "order_pubsub", *SHORT, "-n", "2", "--plot", "both.svg")
    assert "<svg" in Path("both.svg").read_text("utf-8")
    assert os.listdir() == ["both.svg"]


def test_compare_over_the_values_of_one_setting() -> None:
    """One scenario under several values: a column each, the first the baseline, as compare()."""
    data = json.loads(
        ok("compare", "order_pubsub", *SHORT, "--over", "rate=20, 40", "-n", "2", "--json"),
        parse_constant=_no,
    )
    architectures = {f"rate={n}": order_pubsub(duration=6, warmup=1, rate=n) for n in (20, 40)}
    expected = compare(architectures, replications=2, progress=False)
    assert data == json.loads(json_text({"seed": 0, **expected.to_dict()}))
    assert data["architectures"] == ["rate=20", "rate=40"]
    assert list(data["differences"]) == ["rate=40"]


def test_over_takes_paths_and_descriptions_too() -> None:
    """A path into a ready scenario, and a description as an argument's value, one column each."""
    paths = scenarios_over("order_pubsub", "broker.delivery.retry.max_attempts=1,2")
    described = scenarios_over("order_pubsub", "retry={max_attempts: 1},{max_attempts: 2}")
    expected = [order_pubsub(retry=Retry(max_attempts=n)) for n in (1, 2)]
    assert list(paths.values()) == list(described.values()) == expected
    faults = scenarios_over("order_chain", f"faults=[],[{OUTAGE}]")
    assert [len(scenario.faults) for scenario in faults.values()] == [0, 1]


def test_compare_over_a_path_of_a_file(chain_file: Path) -> None:
    """In a file the setting is a path, and the tables are headed by it."""
    printed = ok("compare", chain_file, "--over", "payment.workers=4,8,2", "-n", "2")
    assert all(f"payment.workers={n}" in printed for n in (4, 8, 2))
    assert "payment.workers=2 minus payment.workers=4, paired" in printed


def test_values_are_apart_where_a_comma_is_in_no_bracket() -> None:
    """A whole part can be a value, as it can after --set."""
    over = "network=[{kind: constant, value: 0}, 1],{kind: exponential, mean: 0.5}"
    wrong = "--set network must be"
    with pytest.raises(InvalidInput, match="network must be a description"):
        scenarios_over("order_chain", over)
    with pytest.raises(InvalidInput, match=wrong):
        scenarios_over("order_chain", "network=3,[")
    found = scenarios_over("order_chain", over.replace("[{", "{").replace(", 1]", ""))
    assert list(found) == [
        "network={kind: constant, value: 0}",
        "network={kind: exponential, mean: 0.5}",
    ]
    assert [scenario.network.mean for scenario in found.values()] == [0, 0.5]


# -- what is odd -----------------------------------------------------------------------

IDLE = "'payment' has {} workers for the 8 partitions of OrderPlaced: {} stay idle"


@pytest.fixture
def ordered_file(tmp_path: Path) -> Path:
    """A scenario file with 10 workers for 8 partitions."""
    ordered = DeliveryPolicy(ordered=True)
    scenario = order_pubsub(duration=6, warmup=1, payment_workers=8)
    path = tmp_path / "ordered.yaml"
    with pytest.warns(EdaSimWarning):
        scenario.replace("broker.delivery", ordered).replace("payment.workers", 10).to_yaml(path)
    return path


def test_what_is_odd_is_one_line_and_changes_nothing(ordered_file: Path) -> None:
    """A warning goes to stderr, once; stdout and the exit code are as ever."""
    result = cli("run", ordered_file, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["summary"]["requests"] > 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: " + IDLE.format(10, 2))


def test_only_what_was_typed_is_odd(ordered_file: Path) -> None:
    """Settings that mend it leave nothing to warn of; each value of --over is looked at."""
    assert cli("show", ordered_file, "--set", "broker.partitions=10").stderr == ""
    result = cli("compare", ordered_file, "--over", "payment.workers=8,9,12", "-n", "2")
    assert result.exit_code == 0
    assert [line.split(";")[0] for line in result.stderr.splitlines()] == [
        "warning: " + IDLE.format(9, "1").replace("stay idle", "stays idle"),
        "warning: " + IDLE.format(12, 4),
    ]
    same = cli("compare", ordered_file, "--over", "drain=1,2", "-n", "2").stderr
    assert same.startswith("warning: " + IDLE.format(10, 2))
    assert same.count("\n") == 1


def test_a_program_warns_in_one_line_too(ordered_file: Path) -> None:
    """Nothing of Python's own way to show a warning is seen."""
    done = in_a_process("show", str(ordered_file))
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith("warning: 'payment' has 10 workers")


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("run order_chian", "'order_chian' is neither a ready scenario nor a file: did you mean"),
        ("run zzz", "'zzz' is neither a ready scenario nor a file: known: "),
        ("run missing.yaml", "there is no file missing.yaml"),
        ("run ./missing", "there is no file ./missing"),
        ("run .", ". is a directory"),
        ("run broken.yaml", "broken.yaml: must be YAML, but in line 2"),
        ("run list.yaml", "list.yaml: a scenario must be a mapping"),
        ("run binary.yaml", "binary.yaml: cannot be read"),
        ("run zero.yaml", "zero.yaml: services['orders'].workers must be >= 1, got 0"),
        ("run order_chain --set payment_worker=8", "order_chain has no setting 'payment_worker'"),
        ("run order_chain --set payment_workers", "--set must be key=value"),
        ("run order_chain --set =8", "--set must be key=value"),
        ("run order_chain --set payment_workers=0", "Service('payment').workers must be >= 1"),
        ("run order_chain --set payment_workers=many", "payment_workers must be a whole number"),
        ("run order_chain --set rate=fast", "rate must be a number, got 'fast'"),
        ("run order_chain --set rate=nan", "rate must be a finite number, got 'nan'"),
        ("run order_chain --set duration=long", "duration must be a number, got 'long'"),
        (
            "run order_chain --set email_worker=8",
            "order_chain has no setting 'email_worker': did you mean 'email_workers'?",
        ),
        (
            "run order_crash --set email_workers=8",
            "order_crash has no setting 'email_workers': did you mean 'email.workers'?",
        ),
        ("run order_chain --set paymnt=8", "order_chain has no setting 'paymnt': did you mean"),
        ("run order_chain --set retry=4", "retry must be Retry(...) or a mapping of its fields"),
        (
            "run order_chain --set 'retry={max_attempts: 0}'",
            "retry.max_attempts must be >= 1, got 0",
        ),
        (
            "run order_chain --set 'retry={max_atempts: 4}'",
            "retry.max_atempts is not a known setting: did you mean 'max_attempts'?",
        ),
        ("run order_chain --set faults=outage", "faults must be a list, got 'outage'"),
        (
            "run order_chain --set 'faults=[{kind: outage, service: payment, at: 60}]'",
            "faults[0] must be either scheduled (at= and lasts=) or random (mtbf= and mttr=)",
        ),
        (
            "run order_chain --set 'faults=[{kind: outage, service: paymnt, at: 6, lasts: 3}]'",
            "Scenario('synchronous chain'): faults[0].service must name a service, got 'paymnt': "
            "did you mean 'payment'?",
        ),
        (
            "run order_pubsub --set 'broker.delivery.retry={max_atempts: 4}'",
            "DeliveryPolicy.retry.max_atempts is not a known setting: did you mean 'max_attempts'?",
        ),
        (
            "run event_bus --set user_rate=0 --set order_rate=0 --set payment_rate=0",
            "event_bus cannot be built with user_rate=0, order_rate=0, payment_rate=0: ",
        ),
        ("run order_chain --set paymnt.workers=8", "path 'paymnt.workers' names nothing"),
        ("run order_chain --set faults=[", "--set faults must be"),
        ("run zero.yaml --set x=1", "zero.yaml: services['orders'].workers"),
        ("run order_chain --seed x", "Invalid value for '--seed'"),
        ("run order_chain --seed", "Option '--seed' requires an argument"),
        ("run order_chain --sead 3", "No such option: --sead"),
        ("run", "Missing argument 'NAME|FILE'"),
        ("walk", "No such command 'walk'"),
        ("compare order_chain order_pubsub --replications -2", "replications must be >= 1, got -2"),
        ("compare order_chain order_pubsub -n many", "Invalid value for '--replications'"),
        ("compare order_chain order_chain", "order_chain is given twice"),
        ("compare order_chain order_pubsub --plot both.xyz", "both.xyz must end in a picture"),
        ("compare order_chain fan_out --set payment_workers=8", "fan_out has no setting"),
        ("compare", "Missing argument"),
        (
            "compare order_chain order_pubsub --over rate=1,2",
            "--over compares one architecture, got",
        ),
        (
            "compare order_chain --over rate=1,2 --over payment_workers=1,2",
            "--over must be given once",
        ),
        ("compare order_chain --over rate", "--over must be key=value,value, got 'rate'"),
        ("compare order_chain --over =1,2", "--over must be key=value,value, got '=1,2'"),
        ("compare order_chain --over rate=1", "--over rate must have two values or more, got '1'"),
        ("compare order_chain --over rate=1,1.0", "--over rate has 1 twice: name different values"),
        ("compare order_chain --over rat=1,2", "order_chain has no setting 'rat': did you mean"),
        ("compare order_chain --over rate=20,fast", "rate must be a number, got 'fast'"),
        (
            "compare order_chain --over 'retry={max_attempts: 1},{max_attempts: x}'",
            "retry.max_attempts must be a whole number, got 'x'",
        ),
        (
            "compare order_chain --over rate=2,3 --set rate=4",
            "rate is given by --set and by --over",
        ),
        ("compare order_chain --over", "Option '--over' requires an argument"),
        ("show", "NAME|FILE is missing"),
        ("show order_chain --format gif", "Invalid value for '--format'"),
        ("show order_chain --format png", "--format png must come with --out FILE"),
        ("show order_chain --out .", ". is a directory"),
        ("show order_chain --out missing/x.yaml", "missing/x.yaml cannot be written: No such"),
    ],
)
def test_wrong_input_is_one_line(arguments: str, line: str, elsewhere: Path) -> None:
    """Exit code 2, nothing on stdout, one line on stderr, nothing written."""
    Path("broken.yaml").write_text("name: x\nservices: [", "utf-8")
    Path("list.yaml").write_text("- a\n", "utf-8")
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00")
    zero = order_chain().to_yaml().replace("workers: 32", "workers: 0")
    Path("zero.yaml").write_text(zero, "utf-8")
    before = sorted(os.listdir())
    assert refused(*shlex.split(arguments)).startswith(line)
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("name", CATALOG)
def test_no_setting_of_the_catalogue_breaks_the_program(name: str) -> None:
    """Whatever is typed for a setting, the answer is a scenario or one line, never a traceback."""
    for key in parameters(CATALOG[name]):
        for value in ("0", "-1", "word", "null", "true", "[1]", "{a: 1}", "1e308", "0.5"):
            result = cli("show", name, "--set", f"{key}={value}")
            assert result.exit_code in (0, 2), (key, value, result.exception)
            said = result.stderr.splitlines()
            errors = [line for line in said if not line.startswith("warning: ")]
            assert len(errors) == (result.exit_code == 2), (key, value)


def test_a_failure_while_running_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot go on is no wrong input: exit code 1."""
    from eda_sim import SimulationError

    def fails(scenario: Scenario, seed: int = 0) -> None:
        raise SimulationError("the run cannot go on\nat 3 s")

    monkeypatch.setattr(import_module("eda_sim.simulate"), "simulate", fails)
    result = cli("run", "order_chain")
    assert (result.exit_code, result.stderr) == (1, "error: the run cannot go on at 3 s\n")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is nobody's input keeps its traceback."""

    def fails(scenario: Scenario, seed: int = 0) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(import_module("eda_sim.simulate"), "simulate", fails)
    assert isinstance(cli("run", "order_chain").exception, ZeroDivisionError)


def test_an_interruption_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with exit code 130, as shells expect."""

    def interrupted(scenario: Scenario, seed: int = 0) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("eda_sim.simulate"), "simulate", interrupted)
    result = cli("run", "order_chain")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "interrupted\n")


# -- as a process -----------------------------------------------------------------------


def test_the_module_runs_as_a_program() -> None:
    """``python -m eda_sim`` has a clean stderr and the same exit codes."""
    done = in_a_process("run", "order_chain", *SHORT, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["summary"]["requests"] > 0
    wrong = in_a_process("run", "order_chan")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1
    assert "did you mean 'order_chain'" in wrong.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["program", "terminal"])
def test_ctrl_c_stops_a_comparison(send: Callable[[int, int], None]) -> None:
    """Interrupted in the middle, a comparison ends with 130, one line, and no process left.

    A terminal sends the signal to the workers too. Whoever still lived would hold
    the pipes open, and they would not come to their end.
    """
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", _LONG],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "under way\n"
    send(process.pid, signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


# Says so once the first replication is done, when the workers are at the next ones.
_LONG = """
from eda_sim.cli import app
import eda_sim.experiments.replications as replications

as_completed = replications.as_completed

def announced(futures):
    for number, future in enumerate(as_completed(futures)):
        if number == 0:
            print("under way")
        yield future

replications.as_completed = announced
app("compare order_chain order_pubsub --set duration=200 --replications 1000".split())
"""


def test_a_failure_in_a_worker_process_is_one_line(chain_file: Path) -> None:
    """An error in the middle of a comparison ends it at once, and nothing but its line is seen."""
    recorded = "orders.PlaceOrder[accept order].duration={kind: recorded, values: [0.01]}"
    done = in_a_process("compare", str(chain_file), "--set", recorded, "-n", "40")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: orders/accept order: Recorded has 1 value")
    assert done.stderr.count("\n") == 1
