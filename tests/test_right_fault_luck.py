"""What a fault does to the luck of others: nothing, wherever it stands among the faults."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from eda_sim import (
    BadDeployment,
    Broker,
    BrokerOutage,
    Call,
    Constant,
    DeliveryPolicy,
    Duplicates,
    Exponential,
    Loss,
    NetworkPartition,
    Outage,
    Parallel,
    PoisonMessages,
    Publish,
    Regular,
    Reordering,
    Retry,
    Run,
    Scenario,
    Service,
    Slowdown,
    Uniform,
    Work,
    simulate,
)
from eda_sim.rules.addresses import Address
from eda_sim.rules.luck import Luck
from eda_sim.rules.plan.faults import planned
from eda_sim.scenario.faults import BROKER, Fault, overlap
from tests.everything import KINDS, everything, fault_of
from tests.worlds import digest, within, world

# Many random worlds have idle workers, of which is warned.
pytestmark = pytest.mark.filterwarnings("ignore::eda_sim.EdaSimWarning")

LATE = {"at": 1e6, "lasts": 1.0}  # long after the end of every run
SHAKY: list[Fault] = [
    Loss(0.2),
    Loss(0.1, between=["a", BROKER]),
    Duplicates(0.2),
    Reordering(0.3, delay=Exponential(0.5)),
    BadDeployment("a", 0.3, at=10, lasts=60),
    PoisonMessages("a", 0.2, mtbf=20, mttr=20),
    Loss(0.5, mtbf=20, mttr=20),
]
WORLD = world(
    Call("Do", timeout=2.0),
    Regular(5),
    [
        Service("a", workers=9, on={"Do": [Work(Exponential(0.1), "w"), Publish("Done")]}),
        Service("b", workers=9, on={"Done": [Work(Exponential(0.1), "v")]}),
        Service("c", on={"Else": [Work(Constant(1), "idle")]}),
    ],
    broker=Broker(delivery=DeliveryPolicy(retry=Retry(max_attempts=3))),
    faults=SHAKY,
    duration=40.0,
)
NOT_THERE_YET: list[Fault] = [
    Loss(1.0, **LATE),
    Loss(1.0, between=["a", BROKER], **LATE),
    Duplicates(1.0, **LATE),
    Reordering(1.0, **LATE),
    BadDeployment("a", 1.0, **LATE),
    PoisonMessages("a", 1.0, **LATE),
    Slowdown("a", 9.0, **LATE),
    Outage("a", **LATE),
    BrokerOutage(**LATE),
]
ELSEWHERE: list[Fault] = [
    Loss(1.0, between=["c", BROKER]),
    Duplicates(1.0, between=["c", BROKER]),
    Reordering(1.0, between=["c", BROKER], mtbf=5, mttr=5),
    BadDeployment("c", 1.0, at=10, lasts=60),
    PoisonMessages("c", 1.0, mtbf=20, mttr=20),
    PoisonMessages("a", 0.0, label="w", mtbf=20, mttr=20),
    Outage("c", mtbf=5, mttr=5),
    NetworkPartition(["c"], [BROKER], mtbf=5, mttr=5),
]


def without_numbers(run: Run, added: int) -> dict[str, str]:
    """What happened, in every table, but for the faults' numbers and the fault that was added."""
    tables = {name: run.tables[name] for name in run.tables}
    assert not (tables["incidents"]["fault"] == added).any()
    tables["faults"] = tables["faults"][tables["faults"]["fault"] != added]
    return {
        name: digest(table.drop(columns="fault", errors="ignore")) for name, table in tables.items()
    }


def adding(scenario: Scenario, fault: Fault, position: int) -> Scenario:
    """The same world with one more fault."""
    faults = list(scenario.faults)
    return scenario.replace(faults=[*faults[:position], fault, *faults[position:]])


@pytest.fixture(scope="module")
def alone() -> dict[str, str]:
    """The world without the fault that is added."""
    return without_numbers(simulate(WORLD, seed=3), len(SHAKY))


@pytest.mark.parametrize("position", [0, 3, len(SHAKY)])
@pytest.mark.parametrize("fault", NOT_THERE_YET + ELSEWHERE, ids=repr)
def test_a_fault_that_hits_nothing_changes_nothing(
    fault: Fault, position: int, alone: dict[str, str]
) -> None:
    """In front of the others, among them or behind: every table is what it was, to the digit."""
    run = simulate(adding(WORLD, fault, position), seed=3)
    assert without_numbers(run, position) == alone


@given(everything(), st.data(), st.integers(0, 99))
def test_a_fault_that_never_comes_changes_no_random_world(
    scenario: Scenario, data: st.DataObject, seed: int
) -> None:
    """Of any kind, in front or behind, about the very services and links that others trouble."""
    sources = [source.name for source in scenario.traffic]
    fault = data.draw(fault_of(data.draw(st.sampled_from(KINDS)), scenario.services, sources))
    late = replace(fault, at=1e6, lasts=1.0, mtbf=None, mttr=None)
    position = data.draw(st.integers(0, len(scenario.faults)))
    run, other = simulate(scenario, seed), simulate(adding(scenario, late, position), seed)
    assert without_numbers(other, position) == without_numbers(run, len(scenario.faults))


# -- which faults are alike ------------------------------------------------------------


def drawn_at(fault: Fault, faults: Sequence[Fault]) -> tuple[Any, ...]:
    """Where the random numbers of one of some faults are found."""
    mine = next(each for each in planned(faults, ()) if each.fault is fault)
    return mine.times("up"), mine.hits(Address("a/w", "clients", 1))


DIFFERENT: list[Fault] = [
    *SHAKY,
    Loss(0.2, between=["a", "b"]),
    Loss(0.2, at=0, lasts=50),
    Loss(0.2, at=50, lasts=50),
    Duplicates(0.2, at=0, lasts=50),
    BadDeployment("a", 0.3, label="w", at=10, lasts=60),
    BadDeployment("b", 0.3, at=10, lasts=60),
    Outage("a", mtbf=5, mttr=5),
    Outage("b", mtbf=5, mttr=5),
    Slowdown("a", 2.0, mtbf=5, mttr=5),
    BrokerOutage(mtbf=5, mttr=5),
    NetworkPartition(["a"], ["b"], mtbf=5, mttr=5),
    NetworkPartition(["a", "b"], ["c"], mtbf=5, mttr=5),
    NetworkPartition(["a, b"], ["c"], mtbf=5, mttr=5),
]


@given(st.permutations(DIFFERENT), st.integers(0, len(DIFFERENT)))
def test_faults_that_differ_in_what_and_where_know_nothing_of_each_other(
    faults: list[Fault], kept: int
) -> None:
    """In any order, and with any of them left out, each finds its numbers where it does alone."""
    for fault in faults[:kept]:
        assert drawn_at(fault, faults[:kept]) == drawn_at(fault, [fault])


def test_faults_that_are_there_together_never_share_a_number() -> None:
    """Equal ones as well: told apart by their order, if they may be there at one time."""
    faults = [replace(fault) for fault in DIFFERENT for _ in range(3)]
    mine = [(fault, *drawn_at(fault, faults)) for fault in faults]
    for i, (one, _, hits) in enumerate(mine):
        for other, _, others_hits in mine[:i]:
            assert hits != others_hits or not overlap(one, other)
    up = [times for fault, times, _ in mine if fault.mtbf is not None]
    assert len(set(up)) == len(up)


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        (Loss(0.1), Loss(0.2)),
        (Loss(0.1, at=5, lasts=9), Loss(0.2, at=6, lasts=30)),
        (Reordering(0.1, delay=Constant(1)), Reordering(0.1, delay=Exponential(2))),
        (Outage("a", mtbf=9, mttr=1), Outage("a", mtbf=18, mttr=3, instances=1)),
        (Slowdown("a", 2.0, mtbf=9, mttr=1), Slowdown("a", 8.0, mtbf=9, mttr=1)),
    ],
)
def test_a_changed_number_rescales_the_same_luck(fault: Fault, changed: Fault) -> None:
    """How likely, how long, how often, when: what is swept is in no address."""
    assert drawn_at(fault, [fault]) == drawn_at(changed, [changed])


def test_a_loss_twice_as_likely_loses_what_was_lost_before() -> None:
    """The same calls get lost, and as many again: within 4 standard errors."""
    lost = []
    for share in (0.2, 0.4):
        scenario = world(Call("M0", timeout=1.0), Regular(20), {"a": []}, faults=[Loss(share)])
        found = simulate(scenario).incidents
        lost.append(set(found["request"][found["what"] == "lost_on_the_way"]))
    assert lost[0] < lost[1]


def test_two_equal_losses_lose_independently() -> None:
    """Two losses of a half let a quarter through, not a half: within 4 standard errors.

    A call that arrives must not be lost on its way back either.
    """
    half = Loss(0.5, between=["clients", "a"])
    scenario = world(Call("M0", timeout=1.0), Regular(20), {"a": []}, faults=[half, half])
    ok = (simulate(scenario).requests["outcome"] == "ok").to_numpy()
    assert within(ok, 1 / 16, (1 / 16 * 15 / 16) ** 0.5)


# -- no two things share an address ----------------------------------------------------


def streams(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Every stream of random numbers that a run asks for."""
    asked: list[tuple[Any, ...]] = []
    stream = Luck.stream

    def listen(self: Luck, *address: Any) -> Any:
        found = stream(self, *address)
        asked.append((found.key, *address))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Luck, "stream", listen)
        simulate(scenario)
    return asked


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(everything())
def test_nobody_asks_for_a_stream_twice(
    monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> None:
    """Whatever is switched on, each thing that is drawn has random numbers of its own.

    Scheduled faults that never meet may share theirs: each number is asked for in one of them.
    """
    asked = streams(scenario, monkeypatch)
    keys = [key for key, address, *_ in asked if "/scheduled " not in address]
    assert len(set(keys)) == len(keys)


SEPARATORS = ["/", " -> ", " | ", ", ", "%", "%2F", "\x1f", " of ", " 0"]
NAMES = ["x", "up", "there", "transient", "deliver", "loss", "outage of x", "every link", "x/y"]
names = st.lists(st.sampled_from([*SEPARATORS, *NAMES]), min_size=1, max_size=4).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, min_size=7, max_size=7, unique=True))
def test_names_may_hold_what_separates_addresses(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    """Services, sources, messages, labels and targets of faults, named like parts of addresses."""
    a, b, c, do, done, one, two = found
    exponential, always = Exponential(0.1), {"mtbf": 1.0, "mttr": 1.0}
    works = [Work(exponential, one, transient=0.5, permanent=0.5), Work(exponential, two)]
    scenario = world(
        Call(do, timeout=2.0),
        Regular(1),
        [
            Service(a, on={do: [*works, Publish(done)]}),
            Service(b, on={done: works}),
            Service(c, on={done: works}),
        ],
        network=exponential,
        broker=Broker(publish=exponential, deliver=exponential, turnaround=exponential),
        faults=[
            *(Loss(0.5, between=[one, other], **always) for one, other in ((a, b), (a, c), (b, c))),
            *(Outage(service, **always) for service in (a, b, c)),
            *(BadDeployment(a, 0.5, label=label, **always) for label in (None, one, two)),
            *(NetworkPartition([a, b], [c], **always), NetworkPartition([a], [b, c], **always)),
        ],
        duration=2.0,
    ).replace("traffic[0].name", done + "?")
    keys = [key for key, *_ in streams(scenario, monkeypatch)]
    assert len(set(keys)) == len(keys)
    assert len(keys) > 40


def test_a_label_that_names_a_failure_shares_no_luck_with_it() -> None:
    """The work ``x/transient`` takes as long whether or not ``x`` fails: chi-squared, p > 0.001."""
    work = Work(Constant(0), "x", transient=0.5)
    beside = Work(Uniform(0, 1), "x/transient")
    steps = [Parallel([beside, work])]
    run = simulate(world(Call("M0"), Regular(20), [Service("a", workers=99, on={"M0": steps})]))
    failed = run.attempts.set_index("request")["outcome"] == "failed"
    took = run.effects[run.effects["label"] == "x/transient"].set_index("request")["at"]
    long = (took - run.requests.set_index("request")["started_at"]) > 0.5
    table = np.array([[(long & failed).sum(), (long & ~failed).sum()],
                      [(~long & failed).sum(), (~long & ~failed).sum()]])  # fmt: skip
    assert stats.chi2_contingency(table).pvalue > 0.001
    assert table.sum() == 2000
