"""The audit: worlds in which one thing goes wrong, and what the audit says of it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eda_sim import (
    Autoscale,
    BadDeployment,
    Broker,
    BrokerOutage,
    Call,
    CircuitBreaker,
    Constant,
    Deduplication,
    DeliveryPolicy,
    Duplicates,
    InvalidInput,
    Loss,
    NetworkPartition,
    Outage,
    Outbox,
    Parallel,
    PoisonMessages,
    Publish,
    RateLimit,
    Recorded,
    Redrive,
    Reordering,
    Retry,
    RetryBudget,
    Run,
    Scenario,
    Service,
    Slowdown,
    Topic,
    Trace,
    Traffic,
    UniformKeys,
    Work,
    order_chain,
    simulate,
)
from eda_sim.results.audit import PROBLEMS, REASONS
from eda_sim.results.audit.paths import Paths
from eda_sim.results.audit.remedies import NONE
from eda_sim.rules.plan import Plan, WorkNode
from eda_sim.scenario.steps import AnyStep, Branch
from tests.everything import everything
from tests.remedies import Effect, outcome_of_advice
from tests.worlds import takes, world

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ONCE = Retry(max_attempts=1)
AT_MOST_ONCE, NO_OTHER_TRY = DeliveryPolicy(guarantee="at_most_once"), DeliveryPolicy(retry=ONCE)
TWICE = Retry(max_attempts=2)
DOWN = Outage("payment", at=20, lasts=10)
SLOW_ACKNOWLEDGEMENT = {"turnaround": Constant(1.0)}


def told(steps: Any = None, at: list[float] | None = None, **more: Any) -> Scenario:
    """An event that ``stock`` hears, with work of a second; ``broker`` settings among ``more``."""
    service: dict[str, Any] = {
        name: more.pop(name) for name in ("workers", "instances") if name in more
    }
    stock = Service("stock", on={"Sold": steps or [takes(1.0)]}, **service)
    keys = more.pop("keys", None)
    names = [name for name in more if name in Broker.__dataclass_fields__]
    broker = Broker(**{name: more.pop(name) for name in names})
    scenario = world(Publish("Sold"), at or [0.0], [stock], broker=broker, **more)
    return scenario.replace("traffic[0].name", "shop").replace("traffic[0].keys", keys)


def called(call: Call, at: list[float] | None = None, **more: Any) -> Scenario:
    """A call to ``bank``, with work of a second, between works that make the order half done."""
    own = ("workers", "instances", "inbox", "rate_limit", "shed_after")
    service: dict[str, Any] = {name: more.pop(name) for name in own if name in more}
    steps = more.pop("steps", None) or [takes(1.0)]
    bank = Service("bank", on={"Pay": steps}, **service)
    shop = Service("shop", workers=9, on={"Buy": [takes(0.0, "greet"), call, takes(0.5, "thank")]})
    return world(Call("Buy"), at or [0.0], [shop, bank], **more).replace(
        "traffic[0].name", "people"
    )


class Verdict(NamedTuple):
    """What the audit is to say of one effect."""

    problem: str
    what: str
    at: float
    by: str
    policy: str


def said(problem: str, what: str, at: float, by: str, policy: str) -> Verdict:
    """Say what is expected."""
    return Verdict(problem, what, at, by, policy)


PAY = "shop.Buy[Pay]"
RETRY = f"{PAY}.retry = None"

CASES: dict[str, tuple[Scenario, Verdict]] = {
    "a crash at most once": (
        told(faults=[Outage("stock", at=0.5, lasts=1.0)], delivery=AT_MOST_ONCE),
        said("missing", "crashed", 0.5, "faults[0] = Outage('stock', at=0.5, lasts=1.0)",
             "broker.delivery.guarantee = 'at_most_once'"),
    ),
    "a crash of who only held it, where crashes count": (
        told(at=[0.0, 0.0], faults=[Outage("stock", at=0.5, lasts=1.0)],
             delivery=DeliveryPolicy(retry=ONCE, prefetch=2, counts_crashes=True)),
        said("missing", "returned", 0.5, "faults[0] = Outage('stock', at=0.5, lasts=1.0)",
             "broker.delivery.retry.max_attempts = 1"),
    ),
    "a crash after the work and before its acknowledgement": (
        told(faults=[Outage("stock", at=1.5, lasts=1.0)], **SLOW_ACKNOWLEDGEMENT),
        said("repeated", "crashed", 1.5, "faults[0] = Outage('stock', at=1.5, lasts=1.0)",
             "broker.delivery.guarantee = 'at_least_once'"),
    ),
    "the same, remembered for too short": (
        told(faults=[Outage("stock", at=1.5, lasts=5.0)], delivery=DeliveryPolicy(
            idempotent=Deduplication(window=2.0)), **SLOW_ACKNOWLEDGEMENT),
        said("repeated", "crashed", 1.5, "faults[0] = Outage('stock', at=1.5, lasts=5.0)",
             "broker.delivery.idempotent = Deduplication(window=2.0)"),
    ),
    "a lost acknowledgement": (
        told(faults=[Loss(1.0, between=["stock", "broker"], at=0.5, lasts=1.0)]),
        said("repeated", "acknowledgement_lost", 1.0, "faults[0] = Loss(",
             "broker.delivery.guarantee = 'at_least_once'"),
    ),
    "a visibility timeout shorter than the work": (
        told(delivery=DeliveryPolicy(ack_timeout=0.5, retry=TWICE), workers=2),
        said("repeated", "acknowledgement_timed_out", 0.5, "broker.delivery.ack_timeout = 0.5",
             "broker.delivery.idempotent = False"),
    ),
    "a message that arrives twice": (
        told(faults=[Duplicates(1.0, between=["stock", "broker"])]),
        said("repeated", "doubled", 0.0, "faults[0] = Duplicates(1.0, between=",
             "broker.delivery.idempotent = False"),
    ),
    "a call that arrives twice": (
        called(Call("Pay"), faults=[Duplicates(1.0, between=["shop", "bank"])]),
        said("repeated", "doubled", 0.0, "faults[0] = Duplicates(", NONE),
    ),
    "two attempts side by side, each of which publishes": (
        world(Publish("Sold"), [0.0], [
            Service("stock", workers=2, on={"Sold": [takes(1.0), Publish("Taken")]}),
            Service("press", on={"Taken": [takes(0.25, "print")]}),
        ], broker=Broker(publish=Constant(0.5), delivery=DeliveryPolicy(
            retry=TWICE, idempotent=True, ack_timeout=1.25))),
        said("repeated", "acknowledgement_timed_out", 1.75,
             "broker.delivery.ack_timeout = 1.25", "broker.delivery.ack_timeout = 1.25"),
    ),
    "a message that arrives twice at most once": (
        told(faults=[Duplicates(1.0, between=["stock", "broker"])], delivery=AT_MOST_ONCE),
        said("repeated", "doubled", 0.0, "faults[0] = Duplicates(1.0, between=",
             "broker.delivery = DeliveryPolicy(guarantee='at_most_once')"),
    ),
    "a crash while what publishes is remembered": (
        world(Publish("Sold"), [0.0], [
            Service("stock", on={"Sold": [takes(1.0), Call("Pay")]}),
            Service("bank", workers=2, on={"Pay": [takes(1.0, "charge")]}),
        ], broker=Broker(delivery=DeliveryPolicy(idempotent=True)),
           faults=[Outage("stock", at=1.5, lasts=1.0)]),
        said("repeated", "crashed", 1.5, "faults[0] = Outage('stock'",
             "broker.delivery = DeliveryPolicy(idempotent=True)"),
    ),
    "a publication that the broker gets twice": (
        told().replace(faults=[Duplicates(1.0, between=["shop", "broker"])]),
        said("repeated", "accepted_again", 0.0, "faults[0] = Duplicates(",
             "broker.deduplicates = None"),
    ),
    "a publisher who fails because he does not hear that the broker has it": (
        world(Call("Buy"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [
            Service("shop", on={
                "Buy": [takes(0.0, "greet"), Publish("Sold"), takes(0.5, "thank")]}),
            Service("stock", on={"Sold": [takes(1.0)]}),
        ], broker=Broker(when_unreachable="fail")).replace(
            faults=[Loss(0.5, between=["shop", "broker"])]),
        said("missing", "confirmation_lost", 5.0, "faults[0] = Loss(",
             "broker.when_unreachable = 'fail'"),
    ),
    "a redrive of what was half done": (
        told([takes(1.0), Work(Constant(1.0), "file", permanent=1.0)],
             redrives=[Redrive("stock", 5.0)]),
        said("repeated", "redriven", 5.0, "redrives[0] = Redrive('stock', 5.0)",
             "redrives[0] = Redrive('stock', 5.0)"),
    ),
    "attempts used up": (
        told([Work(Constant(1.0), "work", transient=1.0)], delivery=DeliveryPolicy(retry=TWICE)),
        said("missing", "transient_failure", 3.0, "stock.Sold[work].transient = 1.0",
             NONE),
    ),
    "an error for good": (
        told([Work(Constant(1.0), "work", permanent=1.0)]),
        said("missing", "permanent_failure", 1.0, "stock.Sold[work].permanent = 1.0",
             NONE),
    ),
    "a poison message": (
        told(faults=[PoisonMessages("stock", 1.0, at=0.0, lasts=1.0)]),
        said("missing", "poison_message", 1.0, "faults[0] = PoisonMessages(",
             NONE),
    ),
    "a bad deployment": (
        told(faults=[BadDeployment("stock", 1.0, at=0.0, lasts=5.0)], delivery=NO_OTHER_TRY),
        said("missing", "bad_deployment", 1.0, "faults[0] = BadDeployment(",
             "broker.delivery.retry.max_attempts = 1"),
    ),
    "a message lost before a consumer that is at most once": (
        told(faults=[Loss(1.0, between=["stock", "broker"], at=0.0, lasts=1.0)],
             delivery=AT_MOST_ONCE),
        said("missing", "lost_on_the_way", 0.0, "faults[0] = Loss(",
             "broker.delivery.guarantee = 'at_most_once'"),
    ),
    "a broker that is down, and a publisher that does not care": (
        told(faults=[BrokerOutage(at=0.0, lasts=1.0)], when_unreachable="lose", at=[0.5]),
        said("missing", "cut_off", 0.5, "faults[0] = BrokerOutage(at=0.0, lasts=1.0)",
             "broker.when_unreachable = 'lose'"),
    ),
    "a full topic": (
        told(at=[0.0, 0.25], topics={"Sold": Topic(capacity=1, when_full="drop")}),
        said("missing", "topic_full", 0.25, "broker.topics.Sold.capacity = 1",
             "broker.topics.Sold.when_full = 'drop'"),
    ),
    "a call to who is down": (
        called(Call("Pay"), steps=[Work(Constant(0.0), "work")],
               faults=[Outage("bank", at=0.0, lasts=1.0)], at=[0.5]),
        said("missing", "refused", 0.5, "faults[0] = Outage('bank', at=0.0, lasts=1.0)", RETRY),
    ),
    "a call that dies with its callee": (
        called(Call("Pay"), faults=[Outage("bank", at=0.5, lasts=1.0)]),
        said("missing", "crashed", 0.5, "faults[0] = Outage('bank', at=0.5, lasts=1.0)", RETRY),
    ),
    "a caller that dies while it waits": (
        called(Call("Pay"), faults=[Outage("shop", at=0.5, lasts=1.0)]),
        said("missing", "crashed", 0.5, "faults[0] = Outage('shop', at=0.5, lasts=1.0)",
             "people.message.retry = None"),
    ),
    "an impatient caller": (
        called(Call("Pay", timeout=0.5)),
        said("missing", "timed_out", 0.5, f"{PAY}.timeout = 0.5", f"{PAY}.timeout = 0.5"),
    ),
    "an impatient caller of a slow callee": (
        called(Call("Pay", timeout=2.0), at=[0.5], faults=[
            Slowdown("bank", 3.0, at=0.0, lasts=1.0), Slowdown("shop", 3.0, at=0.25, lasts=1.0)]),
        said("missing", "timed_out", 2.5, "faults[0] = Slowdown(", f"{PAY}.timeout = 2.0"),
    ),
    "a caller that asks again": (
        called(Call("Pay", timeout=0.75, retry=TWICE), steps=[Work(Recorded([1.0]), "work")]),
        said("repeated", "timed_out", 0.75, f"{PAY}.timeout = 0.75",
             f"{PAY}.retry = Retry(max_attempts=2)"),
    ),
    "a full inbox": (
        called(Call("Pay"), at=[0.0, 0.25], inbox=0),
        said("missing", "inbox_full", 0.25, "bank.inbox = 0", RETRY),
    ),
    "an empty bucket": (
        called(Call("Pay"), at=[0.0, 0.25], rate_limit=RateLimit(1.0)),
        said("missing", "rate_limited", 0.25, "bank.rate_limit = RateLimit(1.0)", RETRY),
    ),
    "a load that is shed": (
        called(Call("Pay"), at=[0.0, 0.25, 0.75], shed_after=0.25),
        said("missing", "shed", 0.75, "bank.shed_after = 0.25", RETRY),
    ),
    "a full bulkhead": (
        called(Call("Pay", bulkhead=1), at=[0.0, 0.25], workers=9),
        said("missing", "bulkhead_full", 0.25, f"{PAY}.bulkhead = 1", RETRY),
    ),
    "an open breaker": (
        called(Call("Pay", breaker=CircuitBreaker(failures=1), bulkhead=None),
               at=[0.0, 2.0], steps=[Work(Constant(0.0), "work")],
               faults=[Loss(1.0, between=["shop", "bank"], at=50.0, lasts=1.0),
                       BadDeployment("bank", 1.0, at=0.0, lasts=1.0)]),
        said("missing", "short_circuited", 2.0, f"{PAY}.breaker = CircuitBreaker(failures=1)",
             RETRY),
    ),
    "a deadline that passes in the queue": (
        called(Call("Pay", timeout=0.75, propagate_deadline=True), at=[0.0, 0.25],
               steps=[Work(Constant(0.75), "work")]),
        said("missing", "timed_out", 1.0, f"{PAY}.timeout = 0.75", f"{PAY}.timeout = 0.75"),
    ),
    "a deadline that came from further up": (
        called(Call("Pay"), at=[0.5]).replace("shop.Buy[greet].duration.value", 0.75).replace(
            "people.message", Call("Buy", timeout=0.5, propagate_deadline=True)),
        said("missing", "deadline_passed", 1.25, "people.message.propagate_deadline = True",
             "people.message.propagate_deadline = True"),
    ),
    "a budget without another try": (
        called(Call("Pay", retry=Retry(max_attempts=2, budget=RetryBudget(ratio=0.0, burst=1))),
               at=[0.0, 9.0], steps=[Work(Constant(1.0), "work", transient=1.0)]),
        said("missing", "budget_exhausted", 10.0, f"{PAY}.retry = Retry(", f"{PAY}.retry = Retry("),
    ),
    "a network that lets nothing through": (
        called(Call("Pay"), faults=[NetworkPartition(["shop"], ["bank"], at=0.0, lasts=9.0)]),
        said("missing", "cut_off", 0.0, "faults[0] = NetworkPartition(",
             f"{PAY}.timeout = None and {RETRY}"),
    ),
    "a call that gets lost, and would be tried again": (
        called(Call("Pay", retry=TWICE), faults=[
            Loss(1.0, between=["shop", "bank"], at=0.0, lasts=1.0)]),
        said("missing", "lost_on_the_way", 0.0, "faults[0] = Loss(", f"{PAY}.timeout = None"),
    ),
    "a call that gets lost while a delivery is handled": (
        world(Publish("Sold"), [0.0], [
            Service("stock", on={"Sold": [takes(1.0), Call("Pay")]}),
            Service("bank", on={"Pay": [takes(1.0, "charge")]}),
        ], broker=Broker(delivery=DeliveryPolicy(idempotent=True)),
           faults=[Loss(1.0, between=["stock", "bank"], at=0.5, lasts=1.0)]),
        said("missing", "lost_on_the_way", 1.0, "faults[0] = Loss(",
             "stock.Sold[Pay].timeout = None"),
    ),
    "a caller whose patience ends because its call got lost": (
        called(Call("Pay", timeout=0.5), faults=[
            Loss(1.0, between=["shop", "bank"], at=0.0, lasts=0.25)]),
        said("missing", "timed_out", 0.5, "faults[0] = Loss(", RETRY),
    ),
    "a caller whose patience ends because a call further on got lost": (
        world(Call("Buy"), [0.0], [
            Service("shop", on={"Buy": [Call("Pay", timeout=5.0), takes(0.5, "thank")]}),
            Service("bank", on={"Pay": [takes(1.0), Call("Book")]}),
            Service("books", on={"Book": [takes(0.25)]}),
        ], faults=[Loss(1.0, between=["bank", "books"], at=0.5, lasts=1.0)]),
        said("missing", "timed_out", 5.0, "faults[0] = Loss(",
             "bank.Pay[Book].timeout = None and bank.Pay[Book].retry = None"),
    ),
    "a network that loses what it has doubled": (
        called(Call("Pay"), faults=[
            Loss(1.0, between=["shop", "bank"]), Duplicates(1.0, between=["shop", "bank"])]),
        said("missing", "lost_on_the_way", 0.0, "faults[0] = Loss(", NONE),
    ),
    "a message that was pushed to an instance which died": (
        told([Work(Recorded([4.0, 4.0, 1.0, 1.0]), "work")], at=[0.0, 0.25, 0.5, 0.75],
             instances=2, keys=UniformKeys(1), delivery=DeliveryPolicy(prefetch=2),
             faults=[Outage("stock", at=2.0, lasts=50.0, instances=1)]),
        said("out_of_order", "returned", 2.0, "faults[0] = Outage('stock', instances=1",
             "broker.delivery = DeliveryPolicy(prefetch=2)"),
    ),
    "a message that is held up": (
        told(at=[0.0, 2.0], keys=UniformKeys(1),
             faults=[Reordering(
                 1.0, delay=Constant(5.0), at=0.0, lasts=1.0, between=["stock", "broker"])]),
        said("out_of_order", "held_up", 0.0, "faults[0] = Reordering(",
             "broker.delivery.ordered = False"),
    ),
    "two workers side by side": (
        told([Work(Recorded([5.0, 1.0]), "work")], at=[0.0, 1.0], workers=2, keys=UniformKeys(1)),
        said("out_of_order", "side_by_side", 2.0, "broker.delivery.ordered = False",
             "broker.delivery.ordered = False"),
    ),
    "two instances to which messages are pushed": (
        told([Work(Recorded([5.0, 1.0]), "work")], at=[0.0, 1.0], instances=2,
             keys=UniformKeys(1), delivery=DeliveryPolicy(prefetch=1)),
        said("out_of_order", "side_by_side", 2.0, "broker.delivery.ordered = False",
             "broker.delivery = DeliveryPolicy(prefetch=1)"),
    ),
    "calls to several instances side by side": (
        world(Call("M0"), [0.0, 1.0], [
            Service("a", instances=2, workers=2, on={"M0": [Work(Recorded([5.0, 1.0]), "work")]}),
        ]).replace("traffic[0].keys", UniformKeys(1)),
        said("out_of_order", "side_by_side", 2.0, "a.workers = 2",
             "a.workers = 2 and a.instances = 2"),
    ),
    "calls side by side": (
        world(Call("M0"), [0.0, 1.0],
              [Service("a", workers=2, on={"M0": [Work(Recorded([5.0, 1.0]), "work")]})]
              ).replace("traffic[0].keys", UniformKeys(1)),
        said("out_of_order", "side_by_side", 2.0, "a.workers = 2", "a.workers = 2"),
    ),
    "the end of the run": (
        told(at=[99.5], duration=100.0, drain=0.25),
        said("missing", "still_under_way", 100.25, "drain = 0.25", "drain = 0.25"),
    ),
    "an outage that outlives the run": (
        told(at=[99.0], drain=1.0, faults=[Outage("stock", at=90.0, lasts=60.0)]),
        said("missing", "still_under_way", 101.0, "faults[0] = Outage(", "drain = 1.0"),
    ),
    "an event that is still in the outbox": (
        world(Call("Buy"), [99.0], [
            Service("shop", on={"Buy": [takes(0.25), Publish("Sold", outbox=Outbox(poll=40.0))]}),
            Service("stock", on={"Sold": [takes(1.0)]}),
        ], drain=5.0),
        said("missing", "still_under_way", 105.0, "drain = 5.0", "drain = 5.0"),
    ),
    "a step inside others": (
        called(Call("Pay"), steps=[Parallel([
            Branch(1.0, [takes(0.5, "a"), Work(Constant(0.5), "b", transient=1.0)], label="way"),
            takes(0.25, "c"),
        ])]),
        said("missing", "transient_failure", 1.0,
             "bank.Pay[0].steps[way].then[b].transient = 1.0", NONE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_thing_goes_wrong_and_is_named(name: str) -> None:
    """What happened and when, the fault or setting that did it, and the policy that let it stand.

    Of the effects of the request that it happened to, the last is looked at: what failed itself,
    or what was to come after it.
    """
    scenario, expected = CASES[name]
    found = simulate(scenario).audit()
    matching = found[found["problem"] == expected.problem]
    assert len(matching) > 0
    last = matching.iloc[-1]
    assert (last["what"], last["at"]) == (expected.what, expected.at)
    assert last["by"].startswith(expected.by)
    assert last["policy"].startswith(expected.policy)
    assert last["by"] in last["explanation"]


@pytest.mark.parametrize("name", CASES)
def test_what_the_audit_advises_helps_or_it_says_that_nothing_would(name: str) -> None:
    """With the setting changed that the audit names, and the same luck, the effect is as meant.

    Where it names none, it says so in its explanation.
    """
    scenario, expected = CASES[name]
    found = simulate(scenario).audit()
    last = found[found["problem"] == expected.problem].iloc[-1]
    outcome, followed = outcome_of_advice(scenario, 0, Effect.of(last))
    if expected.policy == NONE:
        assert last["explanation"].endswith("and no policy would have helped")
        assert not followed
    elif name != "a budget without another try":  # its work always fails, says the next audit
        assert outcome == "mended"


def test_the_cases_have_every_reason_that_can_make_an_effect_wrong() -> None:
    """Each reason stands in some case above."""
    assert {verdict.what for _, verdict in CASES.values()} == set(REASONS)
    assert {verdict.problem for _, verdict in CASES.values()} == set(PROBLEMS)


def test_one_request_can_be_asked_for() -> None:
    """Every effect of one order that failed in the outage, and none of the others."""
    run = simulate(order_chain(duration=60, warmup=0, faults=[DOWN]), seed=7)
    failed = int(run.ledger().query("verdict == 'half_done'")["request"].iloc[0])
    whole = run.audit()
    pd.testing.assert_frame_equal(
        run.audit(failed), whole[whole["request"] == failed].reset_index(drop=True)
    )
    assert run.audit(0).empty
    with pytest.raises(InvalidInput, match=r"^request must be the id of one .*, got 10000000"):
        run.audit(10_000_000)


@pytest.mark.parametrize("calls", [["Pay", "Pack"], ["Pack", "Pay"]])
def test_what_fails_beside_a_call_is_not_what_the_call_failed_for(calls: list[str]) -> None:
    """Of two calls side by side the later failure is not to blame for what the earlier lacks."""
    side_by_side = Parallel([Call(name) for name in calls])
    shop = Service("shop", on={"Buy": [takes(0.0, "greet"), side_by_side]})
    bank = Service("bank", on={"Pay": [Work(Constant(1.0), "charge", transient=1.0)]})
    store = Service("store", on={"Pack": [Work(Constant(2.0), "pack", transient=1.0)]})
    found = simulate(world(Call("Buy"), [0.0], [shop, bank, store])).audit().set_index("label")
    assert found["at"].to_dict() == {"charge": 1.0, "pack": 2.0}
    assert found.loc["charge", "by"] == "bank.Pay[charge].transient = 1.0"
    assert found.loc["pack", "by"] == "store.Pack[pack].transient = 1.0"


def found_in(*services: Service, **more: Any) -> pd.DataFrame:
    """What the audit says of one order of ``Buy``."""
    return simulate(world(Call("Buy"), [0.0], services, **more)).audit()


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_one_label_in_both_ways_of_a_branch_behind_a_call_that_fails(probability: float) -> None:
    """The way that is meant is missing for the call; of the other nothing is said."""
    ways = Branch(probability, [takes(1.0, "note")], otherwise=[takes(1.0, "note")], label="way")
    shop = Service("shop", on={"Buy": [takes(0.5, "greet"), Call("Pay"), ways]})
    bank = Service("bank", on={"Pay": [Work(Constant(1.0), "note", transient=1.0)]})
    found = found_in(shop, bank)
    assert found["label"].tolist() == ["note", "note"]
    assert found["service"].tolist() == ["bank", "shop"]
    assert set(found["by"]) == {"bank.Pay[note].transient = 1.0"}


@pytest.mark.parametrize("worse", [0, 1, 2])
def test_of_works_with_one_label_the_one_that_failed_is_to_blame(worse: int) -> None:
    """Also side by side and in both ways of a branch; never one that cannot fail."""
    works = [Work(Constant(1.0), "work", transient=float(n == worse)) for n in range(3)]
    branch = Branch(1.0, [works[2]], otherwise=[takes(1.0, "work")], label="work")
    shop = Service(
        "shop", on={"Buy": [takes(0.0, "greet"), works[0], Parallel([works[1], branch])]}
    )
    paths = ["shop.Buy[work]", "shop.Buy[2].steps[0]", "shop.Buy[2].steps[1].then[work]"]
    assert set(found_in(shop)["by"]) == {f"{paths[worse]}.transient = 1.0"}


def test_of_two_calls_of_one_command_the_one_that_gave_up_is_named() -> None:
    """The first is patient and the second is not: it is the second's timeout that counts."""
    calls = [Call("Pay", timeout=9.0), Call("Pay", timeout=0.5, retry=TWICE)]
    shop = Service("shop", on={"Buy": [takes(0.0, "greet"), *calls, takes(0.0, "thank")]})
    bank = Service("bank", on={"Pay": [takes(1.0)]})
    found = found_in(shop, bank)
    missing = found[found["problem"] == "missing"].iloc[-1]
    assert (missing["label"], missing["by"]) == ("thank", "shop.Buy[2].timeout = 0.5")
    repeated = found[found["problem"] == "repeated"].iloc[-1]
    assert repeated["policy"].startswith("shop.Buy[2].retry = Retry(")


def test_of_one_label_in_two_handlers_and_sources_the_one_that_failed_is_named() -> None:
    """Two clients, two messages, one service, one label: each finding names its own step."""
    on = {
        name: [Work(Constant(1.0), "work", transient=transient), takes(0.0, "end")]
        for name, transient in {"Buy": 0.0, "Sell": 1.0}.items()
    }
    run = simulate(
        Scenario(
            "two sources",
            traffic=[Traffic(Call(name), Trace([0.0]), name=f"who can {name}") for name in on],
            services=[Service("shop", workers=2, on={**on, "Lend": [Call("Sell")]})],
            duration=10.0,
        )
    )
    assert run.audit(0).empty
    assert set(run.audit()["by"]) <= {"shop.Sell[work].transient = 1.0"}


AWKWARD = ["a.b", "[x]", "'x'", "1", "0", "steps", "delivery", "work", "work"]


@pytest.mark.parametrize("service", ["shop", "network", "a.b", "a[0]", "0"])
@pytest.mark.parametrize("message", ["Buy", "workers", "Do it. Now", "7"])
def test_a_path_leads_to_exactly_the_step_whatever_it_is_called(service: str, message: str) -> None:
    """Labels twice, like settings, like positions, with dots and brackets: the step is found."""
    works = [takes(1.0, label) for label in AWKWARD]
    steps = [*works, Parallel(works), Branch(0.5, works, otherwise=works, label="work")]
    scenario = Scenario(
        "awkward",
        traffic=[Traffic(Call(message), Trace([0.0]), name="traffic")],
        services=[Service(service, on={message: steps})],
        duration=1.0,
    )
    paths = Paths(scenario)
    nodes = Plan(scenario).unfoldings[0].nodes
    for node in nodes:
        if isinstance(node, WorkNode):
            changed = scenario.replace(f"{paths.to_step(node)}.transient", 0.5)
            steps_now = [
                each.step
                for each in Plan(changed).unfoldings[0].nodes
                if isinstance(each, WorkNode) and each.step.transient
            ]
            assert steps_now == [replace(node.step, transient=0.5)]
            assert Plan(changed).unfoldings[0].nodes[node.number].step == steps_now[0]
    assert scenario.replace(f"{paths.to_source('traffic')}.message.timeout", 1.0) != scenario


def test_what_the_audit_does_not_know_is_explained_by_its_name() -> None:
    """An incident of a kind without a rule: it is told as it is called, and nothing is guessed."""
    run = simulate(CASES["an error for good"][0])
    names = {"permanent_failure": "eaten_up"}
    run.tables["incidents"]["what"] = run.incidents["what"].cat.rename_categories(names)
    (row,) = run.audit().itertuples()
    assert (row.what, row.by) == ("eaten_up", "")
    assert "was never done: at 1 s eaten up, and" in row.explanation


def test_what_is_still_in_the_outbox_is_pending() -> None:
    """The order is not half done for good: its event is written, and will go out."""
    run = simulate(CASES["an event that is still in the outbox"][0])
    assert run.ledger()["verdict"].tolist() == ["pending"]


def test_a_refusal_is_written_down_with_the_outage_behind_it() -> None:
    """Also in the table of incidents: what, where, when and which fault."""
    (row,) = simulate(CASES["a call to who is down"][0]).incidents.itertuples()
    assert (row.what, row.service, row.at, row.fault) == ("refused", "bank", 0.5, 0)


def test_a_run_without_incidents_has_nothing_to_explain() -> None:
    """The audit is empty, with its columns."""
    found = simulate(told()).audit()
    assert found.empty
    assert {"request", "problem", "what", "at", "by", "policy", "explanation"} <= set(found)


def test_a_stored_run_has_the_same_audit(tmp_path: Any) -> None:
    """All that the audit needs is in the tables, the scenario and the seed."""
    run = simulate(CASES["a caller that asks again"][0], seed=3)
    again = Run.from_parquet(run.to_parquet(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.audit(), run.audit())


PATH = re.compile(r"^(.+?) = ")


def leads_somewhere(scenario: Scenario, setting: str) -> bool:
    """Say whether ``path = value`` names a part of the scenario."""
    match = PATH.match(setting)
    assert match is not None
    try:
        scenario.replace(match[1], object())
    except InvalidInput as error:
        return "names nothing" not in str(error) and "leads into" not in str(error)
    return True


@given(everything(), st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_every_inconsistent_request_is_explained(scenario: Scenario, seed: int) -> None:
    """Whatever is switched on: one finding for each effect that the ledger counts, and no other.

    Each names a reason of the list, a time within the run, and settings that can be changed.
    """
    run = simulate(scenario, seed)
    found, ledger = run.audit(), run.ledger().set_index("request")
    wrong = ledger[ledger["verdict"] != "consistent"]
    assert set(found["request"]) == set(wrong.index)
    for problem in PROBLEMS:
        counted = found.loc[found["problem"] == problem, "request"].value_counts()
        assert counted.reindex(wrong.index, fill_value=0).tolist() == wrong[problem].tolist()
    assert set(found["what"]) <= set(REASONS)
    assert found["at"].between(0, scenario.duration + scenario.drain).all()
    for setting in {*found["by"], *found["policy"]} - {NONE}:
        assert leads_somewhere(scenario, setting), setting


def of_one_label(steps: Sequence[AnyStep]) -> list[AnyStep]:
    """Steps whose works and decisions all have one label, and once more in a branch."""
    alike: list[AnyStep] = []
    for step in steps:
        match step:
            case Work():
                alike.append(replace(step, label="work"))
            case Parallel():
                alike.append(Parallel(of_one_label(step.steps)))
            case Branch():
                ways = of_one_label(step.then), of_one_label(step.otherwise)
                alike.append(Branch(step.probability, ways[0], otherwise=ways[1], label="work"))
            case _:
                alike.append(step)
    return alike


@given(everything(), st.integers(0, 2**32))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_works_of_one_label_are_told_apart(scenario: Scenario, seed: int) -> None:
    """With one label everywhere, in both ways of branches: each finding has a cause that can be.

    No work that cannot fail is blamed for a failure, and every effect of the ledger is explained.
    """
    services = [
        replace(service, on={
            name: replace(handler, steps=[
                Branch(0.5, of_one_label(handler.steps),
                       otherwise=of_one_label(handler.steps)[::-1], label="work"),
                takes(0.0, "work"),
            ])
            for name, handler in service.handlers.items()
        })
        for service in scenario.services
    ]  # fmt: skip
    faults = [replace(f, label=None) if hasattr(f, "label") else f for f in scenario.faults]
    run = simulate(scenario.replace(services=services, faults=faults), seed)
    found, ledger = run.audit(), run.ledger()
    assert len(found) == sum(
        ledger.loc[ledger["verdict"] != "consistent", problem].sum() for problem in PROBLEMS
    )
    failures = found[found["what"].isin(["transient_failure", "permanent_failure"])]
    assert not failures["by"].str.endswith(" = 0.0").any()


def test_removing_what_the_audit_blames_mends_the_order() -> None:
    """The fault that did it, taken away, leaves every order of the shop consistent."""
    scenario = order_chain(duration=60, warmup=0, faults=[DOWN], payment_transient=0.0)
    blamed = set(simulate(scenario, seed=5).audit()["by"])
    assert blamed == {"faults[0] = Outage('payment', at=20.0, lasts=10.0)"}
    assert simulate(scenario.replace(faults=[]), seed=5).audit().empty


def test_an_autoscaled_service_that_is_down_is_down_with_all_its_instances() -> None:
    """An outage of all hits instances that an autoscaler has started, too."""
    scenario = world(
        Call("M0"), [n / 4 for n in range(80)],
        [Service("a", on={"M0": [takes(1.0)]}, autoscale=Autoscale(
            most=3, target=0.5, every=1.0, start_delay=0.0))],
        faults=[Outage("a", at=10.0, lasts=5.0)],
    )  # fmt: skip
    run = simulate(scenario)
    down = run.attempts[run.attempts["queued_at"].between(10.0, 14.9)]
    assert (down["outcome"] == "refused").all()
    assert run.timeline("busy", "a").max(10.0, 15.0) == 0
