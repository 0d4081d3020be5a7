"""Protection: each means makes the ledger of the same storm better, and does what it says.

The storm: payment runs near its capacity, becomes six times slower for a while, and
its callers give up early and try again. Without protection that never ends.
"""

from functools import cache
from typing import Any

import pytest

from eda_sim import (
    Autoscale,
    Backoff,
    BadDeployment,
    Broker,
    BrokerOutage,
    Call,
    CircuitBreaker,
    Constant,
    DeliveryPolicy,
    Exponential,
    InvalidInput,
    Outage,
    Outbox,
    Poisson,
    Publish,
    RateLimit,
    Redrive,
    Retry,
    RetryBudget,
    Run,
    Scenario,
    Service,
    Slowdown,
    Trace,
    Traffic,
    Work,
    simulate,
)

STORM = Retry(max_attempts=4, backoff=Backoff(0.05))


def storm(call: dict[str, Any] | None = None, service: dict[str, Any] | None = None) -> Scenario:
    """Orders that call a payment service which is slow between 20 and 25 s."""
    pay = Call("Pay", **{"timeout": 0.3, "retry": STORM, **(call or {})})
    return Scenario(
        "storm",
        traffic=[Traffic(Call("PlaceOrder", timeout=1.0), Poisson(50))],
        services=[
            Service(
                "orders", workers=32, on={"PlaceOrder": [Work(Exponential(0.001), "accept"), pay]}
            ),
            Service(
                "payment",
                **{"workers": 2, **(service or {})},
                on={"Pay": [Work(Exponential(0.03), "pay")]},
            ),
        ],
        faults=[Slowdown("payment", 6.0, at=20, lasts=5)],
        duration=60,
    )


@cache
def unprotected() -> Run:
    """The storm as it comes."""
    return simulate(storm(), seed=1)


def consistent(run: Run) -> int:
    """How many orders are paid once, and neither twice nor not at all."""
    return int(run.verdicts()["consistent"])


def test_the_storm_outlives_its_cause() -> None:
    """Twenty seconds after payment is quick again, still nobody is answered ok."""
    requests = unprotected().requests
    late = requests[requests["started_at"] > 45]
    assert len(late) > 500
    assert (late["outcome"] != "ok").all()


@pytest.mark.parametrize(
    "protection",
    [
        {"call": {"breaker": CircuitBreaker(failures=5, window=10, open_for=5)}},
        {"call": {"bulkhead": 4}},
        {"call": {"propagate_deadline": True}},
        {
            "call": {
                "retry": Retry(
                    max_attempts=4, backoff=Backoff(0.05), budget=RetryBudget(ratio=0.1, burst=10)
                )
            }
        },
        {"service": {"inbox": 4}},
        {"service": {"shed_after": 0.1}},
        {"service": {"rate_limit": RateLimit(60, burst=20)}},
        {"service": {"autoscale": Autoscale(most=6, target=0.6, every=2, start_delay=1)}},
    ],
    ids=[
        "breaker",
        "bulkhead",
        "deadline",
        "budget",
        "inbox",
        "shedding",
        "rate limit",
        "autoscale",
    ],
)
def test_each_protection_makes_the_ledger_better(protection: dict[str, Any]) -> None:
    """On the same orders and luck, at least half as many again are paid exactly once."""
    protected = simulate(storm(**protection), seed=1)
    assert consistent(protected) > 1.5 * consistent(unprotected())


def test_a_bulkhead_bounds_the_calls_under_way() -> None:
    """Never more than four at a time; the others are rejected at once."""
    run = simulate(storm(call={"bulkhead": 4, "retry": None}), seed=1)
    calls = run.calls[run.calls["caller"] == "orders"]
    rejected = calls["outcome"] == "rejected"
    assert rejected.sum() > 20
    assert (calls["ended_at"] == calls["started_at"])[rejected].all()
    changes = sorted(
        [(at, 1) for at in calls["started_at"][~rejected]]
        + [(at, -1) for at in calls["ended_at"][~rejected]]
    )
    level = most = 0
    for _, change in changes:
        level += change
        most = max(most, level)
    assert most == 4


def test_a_token_bucket_lets_its_burst_and_its_rate_through() -> None:
    """Ten calls at 0 s, a bucket of 3, two tokens a second: 3 pass, at 1 s two of four more."""
    run = simulate(
        Scenario(
            "bucket",
            traffic=[Traffic(Call("Ask"), Trace([0.0] * 10 + [1.0] * 4))],
            services=[
                Service(
                    "desk",
                    workers=20,
                    rate_limit=RateLimit(2, burst=3),
                    on={"Ask": [Work(Constant(0.1), "answer")]},
                )
            ],
            duration=2,
        )
    )
    ok = run.requests[run.requests["outcome"] == "ok"]["started_at"]
    assert list(ok) == [0.0] * 3 + [1.0] * 2


def test_a_deadline_travels_with_the_call() -> None:
    """By hand: the second caller has left at 1.5 s, so at 2 s its attempt is dropped unworked."""
    run = simulate(
        Scenario(
            "deadline",
            traffic=[Traffic(Call("Ask", timeout=1.5, propagate_deadline=True), Trace([0.0, 0.0]))],
            services=[
                Service("front", workers=2, on={"Ask": [Call("Look", timeout=10.0)]}),
                Service("back", on={"Look": [Work(Constant(2.0), "look")]}),
            ],
            duration=1,
        )
    )
    back = run.attempts[run.attempts["service"] == "back"]
    assert list(back["outcome"]) == ["ok", "expired"]
    assert list(back["ended_at"]) == [2.0, 2.0]
    # The calls on behalf of the clients waited no longer than the clients.
    assert list(run.calls["ended_at"]) == [1.5] * 4
    assert list(run.effects["at"]) == [2.0]


def test_shedding_looks_at_how_long_the_first_has_waited() -> None:
    """By hand: work of 1 s, shed after 1.5 s: the call at 2.1 s meets a wait of 1.9 s."""
    arrivals = [0.0, 0.1, 0.2, 1.0, 2.15, 2.25]
    run = simulate(
        Scenario(
            "shed",
            traffic=[Traffic(Call("Ask"), Trace(arrivals))],
            services=[Service("desk", shed_after=1.5, on={"Ask": [Work(Constant(1.0), "answer")]})],
            duration=3,
        )
    )
    # At 2.15 s the third call has just been taken (at 2.0 s) and the fourth has waited 1.15 s.
    assert list(run.requests["outcome"]) == ["ok"] * 6
    slower = simulate(
        Scenario(
            "shed",
            traffic=[Traffic(Call("Ask"), Trace([0.0, 0.1, 1.7]))],
            services=[Service("desk", shed_after=1.5, on={"Ask": [Work(Constant(5.0), "answer")]})],
            duration=3,
        )
    )
    assert list(slower.requests["outcome"]) == ["ok", "ok", "rejected"]


def dual_write(outbox: Outbox | None, **more: Any) -> Run:
    """A service that crashes between its work and the broker's acceptance, at 1.05 s."""
    return simulate(
        Scenario(
            "dual write",
            traffic=[Traffic(Call("Place"), Trace([0.0, 1.0, 2.0]))],
            services=[
                Service(
                    "orders",
                    on={"Place": [Work(Constant(0.01), "write"), Publish("Placed", outbox=outbox)]},
                ),
                Service("mail", on={"Placed": [Work(Constant(0.01), "send")]}),
            ],
            broker=Broker(
                publish=Constant(0.1),
                delivery=DeliveryPolicy(idempotent=True),
                **more.pop("broker", {}),
            ),
            faults=[Outage("orders", at=1.05, lasts=0.2)] if not more else more["faults"],
            duration=3,
        )
    )


def test_a_dual_write_loses_the_event_and_an_outbox_does_not() -> None:
    """The order of 1 s is written and never announced; from the outbox it is, at 2.2 s."""
    without = dual_write(None)
    assert list(without.ledger()["verdict"]) == ["consistent", "half_done", "consistent"]
    kept = dual_write(Outbox(poll=1.0))
    assert list(kept.ledger()["verdict"]) == ["consistent"] * 3
    # Looks at 1, 2 and 3 s, one event after the other with 0.1 s for each acceptance. The first
    # was on its way as the service crashed: at 2 s, not knowing, the relay publishes it again.
    assert [round(at, 9) for at in kept.messages["accepted_at"].dropna()] == [1.1, 2.2, 3.1]


def test_an_outbox_waits_for_the_broker() -> None:
    """While the broker is down the relay fails, keeps the event, and tries at its next look."""
    kept = dual_write(
        Outbox(poll=1.0),
        broker={"when_unreachable": "fail"},
        faults=[BrokerOutage(at=0.5, lasts=1.0)],
    )
    assert list(kept.ledger()["verdict"]) == ["consistent"] * 3
    assert (kept.requests["outcome"] == "ok").all()


def repaired(redrives: list[Redrive], **policy: Any) -> Run:
    """A deployment that fails every attempt until 10 s; three messages come at 0, 1 and 2 s."""
    return simulate(
        Scenario(
            "redrive",
            traffic=[Traffic(Publish("Placed"), Trace([0.0, 1.0, 2.0]))],
            services=[Service("mail", on={"Placed": [Work(Constant(0.1), "send")]})],
            broker=Broker(
                delivery=DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(1.0)), **policy)
            ),
            faults=[BadDeployment("mail", 1.0, at=0, lasts=10)],
            redrives=redrives,
            duration=30,
        )
    )


@pytest.mark.parametrize("ordered", [False, True])
def test_a_redrive_handles_dead_letters_again_at_its_rate(ordered: bool) -> None:
    """Redriven at 20, 20.5 and 21 s, each is handled 0.1 s later, and nobody is dead any more."""
    run = repaired([Redrive("mail", at=20, rate=2)], ordered=ordered)
    assert list(run.deliveries["outcome"]) == ["handled"] * 3
    assert [round(at, 9) for at in run.deliveries["ended_at"]] == [20.1, 20.6, 21.1]
    assert list(run.deliveries["attempts"]) == [3, 3, 3]


def test_what_is_redriven_later_was_a_dead_letter_all_the_same() -> None:
    """The timeline has each when it was given up, a second and two tries after it came."""
    died = repaired([Redrive("mail", at=20)]).timeline("dead_letters", "mail")
    assert [round(at, 9) for at in died.times] == [1.2, 2.2, 3.2]
    assert list(died.values) == [1, 2, 3]


def test_without_a_redrive_dead_letters_stay_dead() -> None:
    """Each is given up after its second failure; a redrive that comes too early helps nobody."""
    assert list(repaired([]).deliveries["outcome"]) == ["dead_lettered"] * 3
    early = repaired([Redrive("mail", at=5)])
    assert list(early.deliveries["outcome"]) == ["dead_lettered"] * 3
    assert list(early.deliveries["attempts"]) == [4, 4, 4]


def test_an_autoscaler_starts_what_it_wants_after_the_delay() -> None:
    """By hand: at 10 s ten jobs wait, two for each instance wanted: five, four more at 13 s."""
    scale = Autoscale(most=8, by="backlog", target=2, every=10, start_delay=3)
    run = simulate(
        Scenario(
            "scale",
            traffic=[Traffic(Call("Ask"), Trace([9.0] * 11))],
            services=[
                Service("desk", autoscale=scale, on={"Ask": [Work(Constant(60.0), "answer")]})
            ],
            duration=15,
        )
    )
    assert list(run.scaling["instances"]) == [2, 3, 4, 5]
    assert list(run.scaling["at"]) == [13.0] * 4
    assert run.timeline("busy", "desk").at(13.5) == 5


def test_decorrelated_jitter_stays_between_its_bounds() -> None:
    """Each wait lies between the base and three times the wait before, and under the maximum."""
    backoff = Backoff(0.1, jitter="decorrelated", maximum=0.5)
    run = simulate(
        Scenario(
            "jitter",
            traffic=[Traffic(Publish("Placed"), Poisson(20))],
            services=[
                Service(
                    "mail",
                    workers=500,
                    on={"Placed": [Work(Constant(0.01), "send", transient=0.7)]},
                )
            ],
            broker=Broker(delivery=DeliveryPolicy(retry=Retry(max_attempts=5, backoff=backoff))),
            duration=20,
        )
    )
    attempts = run.attempts.sort_values(["message", "attempt"])
    wait = attempts["queued_at"] - attempts.groupby("message")["ended_at"].shift()
    before = wait.groupby(attempts["message"]).shift().fillna(0.1)
    known = wait.notna()
    assert known.sum() > 300
    assert (wait[known] >= 0.1 - 1e-9).all()
    assert (wait[known] <= (3 * before[known]).clip(upper=0.5) + 1e-9).all()
    assert wait[known].nunique() > 200


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Call("Ask", propagate_deadline=True), "propagate_deadline=True needs a timeout"),
        (lambda: DeliveryPolicy(guarantee="at_most_once", idempotent=True), "leave idempotent out"),
        (
            lambda: DeliveryPolicy(retry=Retry(max_attempts=None), dead_letter=False),
            "would be tried for ever",
        ),
        (
            lambda: DeliveryPolicy(retry=Retry(max_attempts=2, budget=RetryBudget())),
            "leave budget out",
        ),
        (lambda: repaired([Redrive("mail", at=1)], dead_letter=False), "can have dead letters"),
        (lambda: repaired([Redrive("male", at=1)]), "did you mean 'mail'?"),
        (lambda: Autoscale(most=2, target=2.0), "target must be <= 1 by utilisation"),
        (
            lambda: Service("a", instances=5, autoscale=Autoscale(most=2, target=0.5)),
            "instances must be between",
        ),
    ],
)
def test_contradictions_are_refused_with_the_remedy(build: object, message: str) -> None:
    """One line says which rule is broken and what to do."""
    with pytest.raises(InvalidInput) as refusal:
        build()  # type: ignore[operator]
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_deadline_leaves_a_later_call_what_is_left_of_it() -> None:
    """A second of patience, a quarter of it gone: the call further on gives up at one second."""
    first = Call("Buy", timeout=1.0, propagate_deadline=True)
    shop = Service("shop", on={"Buy": [Work(Constant(0.25), "greet"), Call("Pay")]})
    bank = Service("bank", on={"Pay": [Work(Constant(5.0), "charge")]})
    run = simulate(
        Scenario(
            "deadline", traffic=[Traffic(first, Trace([0.0]))], services=[shop, bank], duration=9.0
        )
    )
    further = run.calls[run.calls["service"] == "bank"]
    assert further["ended_at"].tolist() == [1.0]


def test_every_call_fills_the_budget_of_its_caller() -> None:
    """With a repeat for each call and room for one, each of five calls is repeated once."""
    often = Retry(max_attempts=3, backoff=Backoff(0.25), budget=RetryBudget(ratio=1.0, burst=1))
    shop = Service("shop", on={"Buy": [Work(Constant(0.0), "sell", transient=1.0)]})
    source = Traffic(Call("Buy", retry=often), Trace([float(n) for n in range(5)]))
    run = simulate(Scenario("budget", traffic=[source], services=[shop], duration=9.0))
    assert run.calls["attempts"].tolist() == [2] * 5
