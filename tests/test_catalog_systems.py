"""The ready systems do what they were made to show."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from eda_sim import (
    InvalidInput,
    Outage,
    Scenario,
    event_bus,
    event_flow,
    simulate,
    town_announcement,
    town_conversation,
)
from eda_sim.theory import dead_letter_probability, expected_attempts, pollaczek_khinchine

BUSY = {"busy_at": 120.0, "busy_lasts": 60.0}


def news(scenario: Scenario, seed: int = 1) -> pd.DataFrame:
    """The requests of the town hall in one run, with their response time in seconds."""
    requests = simulate(scenario, seed=seed).requests
    requests = requests[requests["source"] == "town hall"]
    return requests.assign(took=requests["answered_at"] - requests["started_at"])


# -- the town square ---------------------------------------------------------------


def test_one_busy_participant_stops_the_whole_conversation() -> None:
    """While the tailor has a customer no news gets through, and the crier is held all the time."""
    run = simulate(town_conversation(**BUSY), seed=1)
    customer = run.attempts.query("name == 'ServeCustomer'").iloc[0]
    begin, end = customer["started_at"], customer["ended_at"]
    answered = run.requests.query("source == 'town hall'")["answered_at"]
    assert end - begin == pytest.approx(60.0)
    assert not answered.between(begin + 10, end).any()
    assert run.timeline("busy", "crier").mean(begin + 10, end) == 1.0


def test_nobody_waits_for_who_listens_to_an_announcement() -> None:
    """A busy tailor changes no answer, and nothing for baker and smith: only the tailor lags."""
    calm, busy = simulate(town_announcement(), seed=1), simulate(town_announcement(**BUSY), seed=1)
    told = busy.requests[busy.requests["source"] == "town hall"]
    pd.testing.assert_frame_equal(
        told.drop(columns="source").reset_index(drop=True), calm.requests.drop(columns="source")
    )
    others = [
        run.deliveries[run.deliveries["subscriber"] != "tailor"].reset_index(drop=True)
        for run in (calm, busy)
    ]
    pd.testing.assert_frame_equal(*others)
    lag = busy.deliveries.eval("ended_at - published_at")
    assert lag[busy.deliveries["subscriber"] == "tailor"].max() > 30


def test_the_crier_is_an_mg1_queue() -> None:
    """Held for four exponential seconds (cv 1/2) or for one, as Pollaczek and Khinchine say.

    20,000 news; the tolerance is four times the standard error that the spread between
    20 stretches of the run gives.
    """
    long = {"duration": 200_000.0}
    for scenario, mean, cv in (
        (town_conversation(**long), 4.0, 0.5),
        (town_announcement(**long), 1.0, 1.0),
    ):
        took = news(scenario)["took"].to_numpy()
        stretches = [part.mean() for part in np.array_split(took, 20)]
        error = np.std(stretches, ddof=1) / np.sqrt(20)
        expected = pollaczek_khinchine(0.1, mean, cv).mean_response
        assert took.mean() == pytest.approx(expected, abs=4 * error)
        assert 4 * error < 0.1 * expected


@pytest.mark.parametrize("listeners", [1, 3, 8])
def test_who_speaks_to_whom(listeners: int) -> None:
    """In conversation all before the last wait for the last; announced, nobody waits for any."""
    talk = town_conversation(listeners=listeners, busy="baker").graph()
    square = town_announcement(listeners=listeners, busy="baker").graph()
    last = [node for node in talk if talk.out_degree(node) == 0]
    assert len(last) == 1
    assert len(nx.ancestors(talk, last[0])) == listeners + 1
    assert talk.out_degree("crier") == square.out_degree("crier") == 1
    assert square.in_degree("NewsAnnounced") == 1
    assert square.out_degree("NewsAnnounced") == listeners


def test_the_square_refuses_whom_it_does_not_know() -> None:
    """How many listen and who is busy are checked where they are given."""
    with pytest.raises(InvalidInput, match="listeners must be between 1 and 8, got 9"):
        town_announcement(listeners=9)
    with pytest.raises(InvalidInput, match="did you mean 'tailor'"):
        town_conversation(busy="taylor", busy_at=1.0)
    with pytest.raises(InvalidInput, match="busy must be a listener, got 'smith'"):
        town_conversation(listeners=2, busy="smith")


# -- the event flow ------------------------------------------------------------------


def test_each_event_reaches_exactly_its_subscribers() -> None:
    """Email hears of users, inventory of orders, notification of payments, analytics of all."""
    run = simulate(event_flow(duration=30, warmup=0), seed=3)
    names = run.messages.set_index("message")["name"]
    heard = pd.crosstab(run.deliveries["subscriber"], names[run.deliveries["message"]].to_numpy())
    published = names.value_counts()
    expected = {
        "email": ["UserRegistered"],
        "inventory": ["OrderPlaced"],
        "notification": ["PaymentProcessed"],
        "analytics": ["OrderPlaced", "PaymentProcessed", "UserRegistered"],
    }
    for subscriber, events in expected.items():
        got = heard.loc[subscriber]
        assert got[got > 0].to_dict() == {event: published[event] for event in events}


def test_producers_of_the_flow_know_nobody() -> None:
    """A producer's only edge leads to its event: no path of calls reaches a subscriber."""
    flow = event_flow().graph()
    for producer, event in (("users", "UserRegistered"), ("orders", "OrderPlaced")):
        assert list(flow.successors(producer)) == [event]
    calls = nx.DiGraph((a, b) for a, b, kind in flow.edges(data="kind") if kind == "call")
    assert set(calls) & {"email", "inventory", "analytics", "notification"} == set()


# -- the event bus ---------------------------------------------------------------------


def test_the_bus_routes_by_kind() -> None:
    """Topics share the events as their rates do (within five standard deviations), none twice."""
    run = simulate(event_bus(duration=120, warmup=0), seed=5)
    events = run.messages[run.messages["kind"] == "event"]
    assert not events["request"].duplicated().any()
    assert len(events) == len(run.requests)
    for name, share in (("UserChanged", 20 / 34), ("OrderChanged", 10 / 34)):
        sigma = (share * (1 - share) / len(events)) ** 0.5
        assert (events["name"] == name).mean() == pytest.approx(share, abs=5 * sigma)


def test_what_the_bus_gives_up_is_a_dead_letter() -> None:
    """Of three attempts that fail with 0.2 each: q**3 dead letters, 1.24 attempts a delivery.

    Both within five standard deviations of a mean of independent deliveries.
    """
    deliveries = simulate(event_bus(duration=300, warmup=0), seed=5).deliveries
    dead = deliveries["outcome"] == "dead_lettered"
    p, n = dead_letter_probability(0.2, 3), len(deliveries)
    assert dead.mean() == pytest.approx(p, abs=5 * (p * (1 - p) / n) ** 0.5)
    spread = deliveries["attempts"].std() / n**0.5
    assert deliveries["attempts"].mean() == pytest.approx(expected_attempts(0.2, 3), abs=5 * spread)


def test_the_bus_keeps_what_a_subscriber_missed() -> None:
    """An outage loses nothing: every delivery published before the end ends handled or dead."""
    faults = [Outage("audit", at=60, lasts=60)]
    deliveries = simulate(event_bus(duration=180, faults=faults, warmup=0), seed=5).deliveries
    assert set(deliveries["outcome"]) == {"handled", "dead_lettered"}
    lag = deliveries["ended_at"] - deliveries["published_at"]
    assert lag[deliveries["subscriber"] == "audit"].max() > 60
    assert lag[deliveries["subscriber"] != "audit"].max() < 15


def test_a_bus_without_a_dead_letter_queue_loses_what_it_gives_up() -> None:
    """The same luck, one setting changed: each dead letter is lost instead."""
    bus = event_bus(duration=60, warmup=0)
    kept, lost = (
        simulate(scenario, seed=5).deliveries["outcome"]
        for scenario in (bus, bus.replace("broker.delivery.dead_letter", False))
    )
    assert (kept == "dead_lettered").any()
    assert ((kept == "dead_lettered") == (lost == "lost")).all()


def test_a_bus_of_user_events_alone() -> None:
    """Rates of 0 leave topics empty, and divide by nothing."""
    run = simulate(event_bus(order_rate=0, payment_rate=0, duration=10, warmup=0), seed=5)
    assert set(run.messages["name"]) == {"AcceptEvent", "UserChanged"}
