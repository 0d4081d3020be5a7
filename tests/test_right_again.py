"""What is published again: lost confirmations, links that double, relays that die, and the broker
that knows what it has or does not."""

from typing import Any

import pytest

from eda_sim import (
    Constant,
    Deduplication,
    DeliveryPolicy,
    Duplicates,
    Loss,
    Outage,
    Outbox,
    Publish,
    Reordering,
    Run,
    Service,
    simulate,
)
from tests.brokered import SUBSCRIBER, takes, world
from tests.worlds import rows

LINK = ["clients", "broker"]


def run_with(
    *faults: Any, at: Any = (0.0,), broker: Any = None, policy: Any = None, **more: Any
) -> Run:
    """Publications of clients on a troubled link, for a subscriber that works a quarter second."""
    settings = {"republish_after": 1.0} | (broker or {})
    scenario = world(
        list(at), takes(0.25), policy, workers=4, broker=settings, faults=faults, **more
    )
    return simulate(scenario, seed=1)


def incidents(run: Run) -> list[str]:
    """What went wrong, in order."""
    return list(run.incidents.sort_values(["at"], kind="stable")["what"])


def verdicts(run: Run) -> set[str]:
    """The verdicts of the ledger."""
    return set(run.ledger()["verdict"])


def lost_confirmation(broker: Any = None, policy: Any = None) -> Run:
    """Twenty messages, one a second, on a link that loses half of all that travels on it."""
    lossy = Loss(0.5, between=LINK)
    return run_with(lossy, at=range(20), broker=broker, policy=policy)


def test_a_publisher_without_confirmation_publishes_again_what_the_broker_has() -> None:
    """Each lost confirmation is followed by the same message again, under its own id."""
    run = lost_confirmation()
    again = run.incidents[run.incidents["what"] == "accepted_again"]
    lost = run.incidents[run.incidents["what"] == "confirmation_lost"]
    assert 5 < len(lost) == len(again)
    assert len(run.messages) == 20
    assert len(run.deliveries) == 20 + len(again)
    assert set(run.deliveries["outcome"]) == {"handled"}
    assert len(run.effects) == 20 + len(again)
    assert verdicts(run) == {"consistent", "duplicated"}
    assert set(run.ledger().query("verdict == 'duplicated'")["request"]) == set(again["request"])
    assert set(run.requests["outcome"]) == {"ok"}  # in the end each had its confirmation


def test_a_broker_that_deduplicates_accepts_it_once() -> None:
    """The window counts from the acceptance: a second and a half knows one repetition, not two."""
    for memory in (120.0, "session"):
        run = lost_confirmation({"deduplicates": memory})
        assert len(run.effects) == len(run.deliveries) == 20
        assert verdicts(run) == {"consistent"}
        assert "deduplicated" in incidents(run)
        assert "accepted_again" not in incidents(run)
    short = lost_confirmation({"deduplicates": 1.5})
    assert 20 < len(short.deliveries) < len(lost_confirmation().deliveries)


def test_an_idempotent_handler_knows_the_id_of_what_is_accepted_again() -> None:
    """Both deliveries are handled, and the work is done once."""
    run = lost_confirmation(policy=DeliveryPolicy(idempotent=True))
    assert len(run.deliveries) > 20
    assert len(run.effects) == 20
    assert verdicts(run) == {"consistent"}
    forgetful = DeliveryPolicy(idempotent=Deduplication(window=0.5))
    assert "duplicated" in verdicts(lost_confirmation(policy=forgetful))


@pytest.mark.parametrize("policy", ["fail", "lose"])
def test_who_does_not_wait_publishes_nothing_again(policy: str) -> None:
    """One that fails is told so although the broker has it; one that loses never asks."""
    run = lost_confirmation({"when_unreachable": policy})
    assert "accepted_again" not in incidents(run)
    assert ("confirmation_lost" in incidents(run)) == (policy == "fail")
    told = run.requests.set_index("request")["outcome"]
    for request, accepted_at in rows(run.messages, "request", "accepted_at"):
        if policy == "fail" and told[request] == "ok":
            assert accepted_at is not None
        if policy == "lose":
            assert told[request] == "ok"
    if policy == "fail":
        had_it = run.messages[run.messages["accepted_at"].notna()]["request"]
        assert set(told[list(had_it)]) == {"ok", "failed"}


def test_a_link_that_doubles_lets_the_broker_accept_twice() -> None:
    """Every publication arrives twice: two deliveries, two effects; with deduplication one."""
    run = run_with(Duplicates(1.0, between=LINK))
    assert sorted(incidents(run)) == ["accepted_again", "doubled"]
    assert rows(run.deliveries, "outcome", "available_at") == [("handled", 0.0), ("handled", 0.0)]
    assert len(run.messages) == 1
    assert verdicts(run) == {"duplicated"}
    for memory in (1e-6, "session"):
        known = run_with(Duplicates(1.0, between=LINK), broker={"deduplicates": memory})
        assert sorted(incidents(known)) == ["deduplicated", "doubled"]
        assert verdicts(known) == {"consistent"}


def test_the_copy_of_a_publication_has_luck_of_its_own() -> None:
    """Work that fails half the time fails for one of both in half the cases."""
    half = takes(0.25, transient=0.5)
    once = DeliveryPolicy(guarantee="at_most_once")
    scenario = world([0.0] * 200, half, once, workers=400, faults=[Duplicates(1.0, between=LINK)])
    run = simulate(scenario, seed=1)
    outcomes = run.deliveries.groupby("message")["outcome"].agg(lambda each: len(set(each)))
    assert 70 < (outcomes == 2).sum() < 130


def test_a_link_that_holds_up_lets_others_overtake_on_the_way_to_the_broker() -> None:
    """Held up for five seconds in half the cases; the publisher waits as long."""
    late = Reordering(0.5, delay=Constant(5.0), between=LINK)
    run = run_with(late, at=range(20))
    took = run.messages["accepted_at"] - run.messages["published_at"]
    assert set(took) == {0.0, 5.0}
    assert 4 < (took == 5.0).sum() == incidents(run).count("held_up") < 16
    waited = run.requests["answered_at"] - run.requests["started_at"]
    assert list(waited) == list(took)
    assert not run.messages.sort_values("published_at")["accepted_at"].is_monotonic_increasing


def relayed(broker: Any = None, policy: Any = None) -> Run:
    """An event handed over from 1 to 1.5 s by a relay that dies at 1.25 s, and is back at 2.5 s."""
    listener = Service("listener", on={"Announced": [takes(0.25, "listen")]})
    announce = Publish("Announced", outbox=Outbox(poll=1.0))
    down = Outage(SUBSCRIBER, at=1.25, lasts=1.25)
    slow = {"publish": Constant(0.5), "delivery": policy or DeliveryPolicy()} | (broker or {})
    return simulate(world([0.0], announce, broker=slow, services=[listener], faults=[down]))


def test_an_outbox_is_at_least_once() -> None:
    """What the relay had not noted it publishes again at 3 s: the listener hears it twice."""
    run = relayed()
    heard = run.deliveries[run.deliveries["subscriber"] == "listener"]
    assert list(heard["available_at"]) == [1.5, 3.5]
    assert verdicts(run) == {"duplicated"}
    assert verdicts(relayed(policy=DeliveryPolicy(idempotent=True))) == {"consistent"}


def test_a_relay_that_is_back_is_another_publisher_for_a_broker_that_knows_sessions() -> None:
    """Deduplication by time knows the event again; that of a session ended with the relay."""
    assert verdicts(relayed({"deduplicates": 120.0})) == {"consistent"}
    assert verdicts(relayed({"deduplicates": 1.0})) == {"duplicated"}
    assert verdicts(relayed({"deduplicates": "session"})) == {"duplicated"}


def test_the_audit_names_what_made_it_come_again_and_who_would_have_known() -> None:
    """The fault did it, and the broker's deduplication is what it takes."""
    cases = [
        (lost_confirmation(), "faults[0] = Loss"),
        (run_with(Duplicates(1.0, between=LINK)), "faults[0] = Duplicates"),
        (relayed(), "faults[0] = Outage"),
    ]
    for run, by in cases:
        found = run.audit()
        assert set(found["what"]) == {"accepted_again"}
        assert all(each.startswith(by) for each in found["by"])
        assert set(found["policy"]) == {"broker.deduplicates = None"}
        cured = simulate(run.scenario.replace("broker.deduplicates", 1000.0), run.seed)
        assert cured.audit().empty


def test_a_journey_tells_of_both_arrivals() -> None:
    """The broker accepted it once more, and its subscriber worked twice."""
    journey = run_with(Duplicates(1.0, between=LINK)).journey(0)
    assert str(journey).count("worked") == 2
