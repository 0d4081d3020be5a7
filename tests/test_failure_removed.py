"""What each protection is for: without it, the ledger of the same orders is worse.

Those that a storm needs (breaker, bulkhead, deadline, retry budget, inbox, shedding, rate
limit, autoscaling) are in ``tests.test_failure_protection``; here are the others, and the
numbers that the textbooks give for a crash and for shedding.
"""

from typing import Any

import pytest

from eda_sim import (
    Autoscale,
    Backoff,
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
    Outbox,
    PoisonMessages,
    Poisson,
    Publish,
    Redrive,
    Regular,
    Reordering,
    Retry,
    Run,
    Scenario,
    Service,
    Slowdown,
    Topic,
    Trace,
    Traffic,
    Work,
    simulate,
    theory,
)
from eda_sim.scenario.faults import Fault
from tests.test_right_queueing import agrees, mean_wait, rejected, replicated
from tests.worlds import queue

SEED = 5
CUT = {"at": 5.0, "lasts": 3.0}


def verdicts(run: Run) -> dict[str, int]:
    """How many orders have each verdict, those that some have."""
    return {str(name): int(n) for name, n in run.verdicts().items() if n}


def consistent(run: Run) -> int:
    """How many orders are done once, or were refused and not done at all."""
    return int(run.verdicts()["consistent"])


# -- nothing is lost under at least once -------------------------------------------------------

FAULTS: list[Fault] = [
    Outage("stock", **CUT),
    Slowdown("stock", 20.0, **CUT),
    BrokerOutage(**CUT),
    NetworkPartition(["broker"], ["stock", "orders"], **CUT),
    Loss(0.2),
    Duplicates(0.2),
    Reordering(0.2, delay=Constant(0.5)),
    PoisonMessages("stock", 0.5, **CUT),
    BadDeployment("stock", 0.7, **CUT),
]


def broken(faults: list[Fault], **policy: Any) -> Run:
    """Orders that are announced to two copies of ``stock``."""
    on = {"Placed": [Work(Exponential(0.03), "reserve")]}
    return simulate(
        Scenario(
            "broken",
            traffic=[Traffic(Call("Place"), Poisson(20))],
            services=[
                Service("orders", workers=99, on={"Place": [Publish("Placed")]}),
                Service("stock", instances=2, workers=2, on=on),
            ],
            broker=Broker(
                delivery=DeliveryPolicy(retry=Retry(max_attempts=3, backoff=Backoff(0.1)), **policy)
            ),
            faults=faults,
            duration=20,
            drain=200,
        ),
        SEED,
    )


@pytest.mark.parametrize(
    "faults", [*([each] for each in FAULTS), FAULTS], ids=lambda f: f"{len(f)}"
)
@pytest.mark.parametrize("ack_timeout", [None, 1.0])
def test_at_least_once_loses_nothing_but_exhausted_retries(
    faults: list[Fault], ack_timeout: float | None
) -> None:
    """Each fault alone and all together: with dead letters nothing is lost; without, only those.

    What is lost then has failed for good, or as often as the policy allows.
    """
    kept = broken(faults, ack_timeout=ack_timeout).deliveries
    assert set(kept["outcome"]) <= {"handled", "dead_lettered"}
    run = broken(faults, ack_timeout=ack_timeout, dead_letter=False)
    given_up = run.deliveries[run.deliveries["outcome"] != "handled"]
    assert set(given_up["outcome"]) <= {"lost"}
    for_good = set(run.attempts[run.attempts["outcome"] == "failed_permanently"]["message"])
    tried_out = set(run.deliveries[run.deliveries["attempts"] >= 3]["message"])
    assert set(given_up["message"]) <= for_good | tried_out
    assert len(given_up) == (kept["outcome"] == "dead_lettered").sum()


# -- crash and shedding, beside their formulas -------------------------------------------------


def test_a_crash_leaves_the_backlog_of_the_textbook() -> None:
    """40 messages a second, two copies that do 25 a second each, one of them down for 20 s.

    The backlog grows by 15 a second to 300, and is gone 30 s later, when 50 are done and 40 come.
    Regular messages and constant work: within the three that may be under way.
    """
    on = {"Placed": [Work(Constant(0.04), "reserve")]}
    run = simulate(
        Scenario(
            "crash",
            traffic=[Traffic(Publish("Placed"), Regular(40))],
            services=[Service("stock", instances=2, on=on)],
            broker=Broker(),
            faults=[Outage("stock", at=10, lasts=20, instances=1)],
            duration=100,
        ),
        SEED,
    )
    backlog = run.timeline("backlog", "stock")
    peak = theory.backlog_after_outage(40, remaining_capacity=25, downtime=20)
    assert backlog.at(30) == pytest.approx(peak, abs=3)
    back = 30 + theory.drain_time(peak, arrival_rate=40, capacity=50)
    assert backlog.at(back - 1) > 5
    assert backlog.at(back + 0.5) <= 3


@pytest.mark.parametrize("workers", [1, 2])
def test_shedding_whoever_finds_another_waiting_is_a_queue_with_one_place(workers: int) -> None:
    """``shed_after=0``: c are served, one waits, M/M/c/c+1; loss and wait within 8 %."""
    known = theory.mmck(80 * workers, 0.010, servers=workers, capacity=workers + 1)
    scenario = queue(80 * workers, Exponential(0.010), requests=10_000, workers=workers, warmup=5)
    losses, waits = replicated(scenario.replace("server.shed_after", 0.0), 8, rejected, mean_wait)
    agrees(losses, known.blocking_probability, 0.08)
    agrees(waits, known.mean_wait, 0.08)


# -- each protection, and the same without it --------------------------------------------------


def waiting(timeout: float | None) -> Run:
    """Orders whose payment cannot be reached for three seconds: the link is silent."""
    place = [Call("Pay", timeout=timeout), Work(Constant(0.01), "accept")]
    pay = {"Pay": [Work(Constant(0.01), "pay")]}
    return simulate(
        Scenario(
            "silence",
            traffic=[Traffic(Call("Place"), Regular(10))],
            services=[
                Service("orders", workers=4, inbox=4, on={"Place": place}),
                Service("payment", on=pay),
            ],
            faults=[NetworkPartition(["orders"], ["payment"], **CUT)],
            duration=20,
        ),
        SEED,
    )


def test_without_a_timeout_a_short_silence_is_the_end() -> None:
    """All workers wait for replies that never come; after the silence nobody is served.

    With a timeout of half a second everybody is, who comes after the silence.
    """
    hanging, patient = waiting(None).requests, waiting(0.5).requests
    assert (hanging[hanging["started_at"] > 9]["outcome"] != "ok").all()
    assert (patient[patient["started_at"] > 9]["outcome"] == "ok").all()
    assert consistent(waiting(0.5)) > consistent(waiting(None))


def overloaded(topics: dict[str, Topic]) -> Run:
    """Twice as many orders as the stock can book, for twenty seconds."""
    return simulate(
        Scenario(
            "overload",
            traffic=[Traffic(Call("Place"), Poisson(20))],
            services=[
                Service("orders", workers=2, inbox=2, on={"Place": [Publish("Placed")]}),
                Service("stock", on={"Placed": [Work(Exponential(0.1), "reserve")]}),
            ],
            broker=Broker(topics=topics),
            duration=20,
            drain=2,
        ),
        SEED,
    )


def test_without_a_capacity_orders_are_accepted_that_cannot_be_done() -> None:
    """A bounded topic holds publishers until clients are refused; otherwise work is left over."""
    bounded, unbounded = overloaded({"Placed": Topic(capacity=10)}), overloaded({})
    assert verdicts(bounded) == {"consistent": len(bounded.requests)}
    assert (bounded.requests["outcome"] == "rejected").sum() > 100
    assert verdicts(unbounded)["pending"] > 100


def crowd(jitter: str) -> Run:
    """Sixty orders at one instant for a till that serves one at a time and lets nobody wait."""
    again = Retry(max_attempts=5, backoff=Backoff(1.0, factor=1.0, jitter=jitter))  # type: ignore[arg-type]
    place = [Work(Constant(0.0), "accept"), Call("Pay", retry=again)]
    return simulate(
        Scenario(
            "crowd",
            traffic=[Traffic(Call("Place"), Trace([0.0] * 60))],
            services=[
                Service("orders", workers=60, on={"Place": place}),
                Service("till", inbox=0, on={"Pay": [Work(Constant(0.02), "pay")]}),
            ],
            duration=10,
        ),
        SEED,
    )


@pytest.mark.parametrize("jitter", ["full", "decorrelated"])
def test_without_jitter_those_who_met_meet_again(jitter: str) -> None:
    """In step, one of the crowd is served in each of five rounds; spread out, most are."""
    assert verdicts(crowd("none")) == {"consistent": 5, "half_done": 55}
    assert consistent(crowd(jitter)) > 40


def repeated(**policy: Any) -> Run:
    """Work that takes longer than the broker waits for its acknowledgement, one time in seven."""
    on = {"Placed": [Work(Exponential(0.05), "reserve")]}
    delivery = DeliveryPolicy(ack_timeout=0.1, **policy)
    return simulate(
        Scenario(
            "impatient",
            traffic=[Traffic(Publish("Placed"), Poisson(20))],
            services=[Service("stock", workers=20, on=on)],
            broker=Broker(delivery=delivery),
            duration=30,
        ),
        SEED,
    )


def test_without_deduplication_what_comes_again_is_done_again() -> None:
    """exp(-2) of the orders take longer than the timeout and are doubled; idempotent, none is."""
    once, often = repeated(idempotent=True), repeated()
    assert verdicts(once) == {"consistent": len(once.requests)}
    n, share = len(often.requests), 0.135335
    tolerance = 4 * (n * share * (1 - share)) ** 0.5
    assert abs(verdicts(often)["duplicated"] - n * share) < tolerance


def deployed(redrives: list[Redrive], **policy: Any) -> Run:
    """Half a minute with ten seconds of a deployment that fails every message."""
    delivery = DeliveryPolicy(**({"retry": Retry(max_attempts=2, backoff=Backoff(0.5))} | policy))
    return simulate(
        Scenario(
            "deployment",
            traffic=[Traffic(Publish("Placed"), Regular(5))],
            services=[Service("stock", on={"Placed": [Work(Constant(0.01), "reserve")]})],
            broker=Broker(delivery=delivery),
            faults=[BadDeployment("stock", 1.0, at=5, lasts=10)],
            redrives=redrives,
            duration=30,
        ),
        SEED,
    )


def test_without_dead_letters_and_a_redrive_orders_stay_lost() -> None:
    """What the bad deployment cost is done after a redrive, and only then."""
    redriven = deployed([Redrive("stock", at=20)])
    dead, gone = deployed([]), deployed([], dead_letter=False)
    assert verdicts(redriven) == {"consistent": 150}
    assert verdicts(dead) == verdicts(gone)
    assert verdicts(dead)["lost"] >= 45
    assert set(gone.deliveries["outcome"]) == {"handled", "lost"}


def test_without_retries_a_short_fault_is_for_good() -> None:
    """Retried for longer than the deployment lasts all are done; tried once, 50 are lost."""
    patient = Retry(max_attempts=6, backoff=Backoff(0.5))  # the last try comes after 15.5 s
    assert verdicts(deployed([], retry=patient)) == {"consistent": 150}
    assert verdicts(deployed([], retry=Retry(max_attempts=1)))["lost"] == 50


def dual_write(outbox: Outbox | None) -> Run:
    """Orders written and announced by a service that crashes every now and then."""
    place = [Work(Exponential(0.01), "write"), Publish("Placed", outbox=outbox)]
    return simulate(
        Scenario(
            "dual write",
            traffic=[Traffic(Call("Place"), Poisson(20))],
            services=[
                Service("orders", workers=4, on={"Place": place}),
                Service("stock", workers=4, on={"Placed": [Work(Exponential(0.01), "reserve")]}),
            ],
            broker=Broker(publish=Constant(0.02)),
            faults=[Outage("orders", mtbf=1.0, mttr=0.1)],
            duration=60,
        ),
        SEED,
    )


def test_without_an_outbox_crashes_lose_announcements() -> None:
    """Half done is what was written and not announced; with an outbox there is nothing of it."""
    assert "half_done" not in verdicts(dual_write(Outbox(poll=0.5)))
    assert verdicts(dual_write(None))["half_done"] > 5


def growing(autoscale: Autoscale | None) -> Run:
    """More messages than one instance can handle, and half a minute for them."""
    on = {"Placed": [Work(Exponential(0.1), "reserve")]}
    return simulate(
        Scenario(
            "growth",
            traffic=[Traffic(Publish("Placed"), Poisson(25))],
            services=[Service("stock", autoscale=autoscale, on=on)],
            broker=Broker(),
            duration=30,
            drain=5,
        ),
        SEED,
    )


def test_without_autoscaling_a_backlog_stays_behind() -> None:
    """By backlog up to five instances handle all; one alone leaves more than half undone."""
    scale = Autoscale(most=5, by="backlog", target=5, every=2, start_delay=1)
    assert verdicts(growing(scale)) == {"consistent": len(growing(scale).requests)}
    assert verdicts(growing(None))["pending"] > len(growing(None).requests) / 2
