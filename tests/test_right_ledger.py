"""The ledger: each verdict in the smallest world that has it, and why it is not another."""

import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from eda_sim import (
    Backoff,
    Branch,
    Broker,
    Call,
    Constant,
    DeliveryPolicy,
    Outage,
    Parallel,
    Poisson,
    Publish,
    Retry,
    Run,
    Scenario,
    Service,
    Trace,
    Traffic,
    simulate,
)
from tests.worlds import beside, handled, rows, takes, world

COLUMNS = ("meant", "done", "missing", "repeated", "completed_at", "verdict")
ONCE = DeliveryPolicy(retry=Retry(max_attempts=1))


def judged(scenario: Scenario) -> list[tuple[object, ...]]:
    """The ledger of a run: meant, done, missing, repeated, when complete, verdict."""
    return rows(simulate(scenario).ledger(), *COLUMNS)


# -- each verdict ----------------------------------------------------------------------


def test_consistent_all_was_done_once() -> None:
    """Two works meant and done, the last of them at 3 s, after the answer."""
    services = [
        Service("a", on={"M0": [takes(1, "accept"), Publish("E")]}),
        Service("b", on={"E": [takes(2, "follow")]}),
    ]
    assert judged(world(Call("M0"), [0], services)) == [(2, 2, 0, 0, 3.0, "consistent")]


def test_consistent_nothing_was_done_and_the_client_knows() -> None:
    """A request that failed before anything happened is as if it had never been."""
    scenario = world(Call("M0"), [0], {"a": [takes(1, transient=1.0)]})
    assert judged(scenario) == [(1, 0, 1, 0, None, "consistent")]


def test_consistent_is_also_what_was_done_though_the_client_gave_up() -> None:
    """Effects count, not answers: a late success is no harm to the books."""
    scenario = world(Call("M0", timeout=0.5), [0], {"a": [takes(1)]})
    assert judged(scenario) == [(1, 1, 0, 0, 1.0, "consistent")]


def test_consistent_where_nothing_was_meant() -> None:
    """A request that sets no work in motion is complete when it starts."""
    assert judged(world(Call("M0"), [2], {"a": []})) == [(0, 0, 0, 0, 2.0, "consistent")]


def test_half_done_the_first_step_stays_when_the_second_fails() -> None:
    """Charged, never reserved, and nothing under way that would."""
    services = {"a": [takes(1, "charge"), Call("M1")], "b": [takes(1, "reserve", transient=1.0)]}
    assert judged(world(Call("M0"), [0], services)) == [(2, 1, 1, 0, None, "half_done")]


def test_half_done_one_subscriber_of_two_has_given_up() -> None:
    """The client was told that all is well; a dead letter says otherwise."""
    services = [
        Service("a", on={"E": [takes(1)]}),
        Service("b", on={"E": handled(ONCE, takes(1, transient=1.0))}),
    ]
    assert judged(world(Publish("E"), [0], services)) == [(2, 1, 1, 0, None, "half_done")]


def test_half_done_outranks_duplicated() -> None:
    """Done twice and missing something else: what is missing is told first."""
    services = [Service("a", on={"E": [takes(1, "one"), takes(1, "two", transient=1.0)]})]
    broker = Broker(delivery=DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(0.0))))
    found = judged(world(Publish("E"), [0], services, broker=broker))
    assert found == [(2, 2, 1, 1, None, "half_done")]


@pytest.mark.parametrize("kept", [True, False])
def test_lost_nothing_was_done_and_the_client_was_told_otherwise(kept: bool) -> None:
    """Accepted by the broker, then given up: to the business it is the same with a DLQ."""
    policy = DeliveryPolicy(retry=Retry(max_attempts=1), dead_letter=kept)
    services = [Service("b", on={"E": handled(policy, takes(1, transient=1.0))})]
    assert judged(world(Publish("E"), [0], services)) == [(1, 0, 1, 0, None, "lost")]


def test_duplicated_a_retry_after_a_timeout_does_it_again() -> None:
    """Complete when it was first done, at 1 s; done again at 2 s."""
    call = Call("M0", timeout=0.5, retry=Retry(max_attempts=2, backoff=Backoff(0.5)))
    found = judged(world(call, [0], {"a": [takes(1)]}))
    assert found == [(1, 2, 0, 1, 1.0, "duplicated")]


def test_pending_a_retry_is_still_to_come() -> None:
    """The run ends at 6 s, the delivery would be tried again at 51 s."""
    policy = DeliveryPolicy(retry=Retry(max_attempts=2, backoff=Backoff(50.0)))
    services = [Service("b", on={"E": handled(policy, takes(1, transient=1.0))})]
    scenario = world(Publish("E"), [0], services, duration=1.0, drain=5.0)
    assert judged(scenario) == [(1, 0, 1, 0, None, "pending")]


@pytest.mark.parametrize("message", [Call("M0"), Call("M0", timeout=0.5), Publish("M0")])
def test_pending_work_is_not_finished_when_the_run_ends(message: Call | Publish) -> None:
    """Waiting or working, called or delivered, even where the client has given up."""
    services = [Service("a", on={"M0": [takes(1, "one"), takes(9, "two")]})]
    scenario = world(message, [0, 0], services, duration=1.0, drain=4.0)
    assert judged(scenario) == [
        (2, 1, 1, 0, None, "pending"),
        (2, 0, 2, 0, None, "pending"),
    ]


def test_what_is_complete_is_not_pending() -> None:
    """All is done; that an acknowledgement is still on its way changes nothing."""
    services = [Service("a", on={"E": [takes(1)]})]
    broker = Broker(turnaround=Constant(50))
    scenario = world(Publish("E"), [0], services, duration=1.0, drain=4.0, broker=broker)
    assert judged(scenario) == [(1, 1, 0, 0, 1.0, "consistent")]


# -- what was meant --------------------------------------------------------------------


def test_the_same_work_can_be_meant_twice() -> None:
    """Twice in one handler, and by calling it twice: complete with the fourth, at 4 s."""
    services = {"a": [Call("M1"), Call("M1")], "b": [takes(1), takes(1)]}
    assert judged(world(Call("M0"), [0], services)) == [(4, 4, 0, 0, 4.0, "consistent")]


def test_one_repetition_does_not_make_up_for_another_work() -> None:
    """Two of one and none of the other are two effects, but not the two that were meant."""
    steps = [Parallel([takes(1, "quick"), takes(2, "slow")])]
    services = [Service("a", on={"E": steps})]
    faults = [Outage("a", at=1.5, lasts=0.5), Outage("a", at=3.5, lasts=100)]
    scenario = world(Publish("E"), [0], services, faults=faults, duration=5.0, drain=0.0)
    assert judged(scenario) == [(2, 2, 1, 1, None, "pending")]


@pytest.fixture(scope="module")
def branching() -> Run:
    """Requests of which half are gifts; what is meant of them differs."""
    gift = [takes(0.01, "wrap"), Publish("Wrapped")]
    services = [
        Service(
            "a",
            workers=50,
            on={"M0": [Branch(0.5, gift, otherwise=[takes(0.01, "bag")], label="gift")]},
        ),
        Service("b", workers=50, on={"Wrapped": [takes(0.01, "label")]}),
    ]
    return simulate(world(Call("M0"), Poisson(20), services), seed=5)


def test_what_is_meant_depends_on_the_decisions(branching: Run) -> None:
    """Gifts mean two works, the others one, and every request is consistent."""
    ledger = branching.ledger()
    assert set(ledger["meant"]) == {1, 2}
    assert (ledger["verdict"] == "consistent").all()
    labels = branching.effects.groupby("request")["label"].agg(frozenset)
    by_meant = {meant: set(labels[group["request"]]) for meant, group in ledger.groupby("meant")}
    assert by_meant == {1: {frozenset({"bag"})}, 2: {frozenset({"wrap", "label"})}}


def test_sources_are_judged_by_their_own_messages() -> None:
    """Two sources, two commands: each request means its own."""
    services = {"a": [takes(1, "one")], "b": [takes(1, "x"), takes(1, "y", transient=1.0)]}
    scenario = beside(
        world(Call("M0"), [0.0, 0.5], services), Traffic(Call("M1"), Trace([0.25]), name="others")
    )
    run = simulate(scenario)
    columns = ("request", "source", "outcome", "meant", "verdict")
    assert rows(run.ledger(), *columns) == [
        (0, "clients", "ok", 1, "consistent"),
        (10**9, "others", "failed", 2, "half_done"),
        (1, "clients", "ok", 1, "consistent"),
    ]


def test_the_ledger_follows_the_requests_table(branching: Run) -> None:
    """A row a request, in the same order, and verdicts add up."""
    ledger = branching.ledger()
    assert_series_equal(ledger["request"], branching.requests["request"])
    assert branching.verdicts().sum() == len(branching.requests)
    assert list(branching.verdicts().index) == list(ledger["verdict"].cat.categories)


def test_a_ledger_that_was_changed_does_not_change_the_run(branching: Run) -> None:
    """What is handed out is a copy."""
    before = branching.ledger()
    for handed_out in (branching.ledger(), branching.summary()):
        handed_out.iloc[:] = handed_out.iloc[::-1].to_numpy()
    assert_frame_equal(branching.ledger(), before)
    assert branching.summary()["requests"] == len(before)
