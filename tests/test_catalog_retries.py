"""`retry_ladder` and `retry_storm`: what is tried again, what is given up, and what it costs."""

import inspect
from typing import Any

import numpy as np
import pytest

from eda_sim import (
    Backoff,
    BadDeployment,
    CircuitBreaker,
    DeliveryPolicy,
    Outage,
    Redrive,
    Retry,
    RetryBudget,
    Run,
    Scenario,
    Slowdown,
    retry_ladder,
    retry_storm,
    simulate,
)
from eda_sim.theory import dead_letter_probability, expected_attempts
from tests.worlds import within

# Nothing else fails, nobody waits for long, and nothing takes time on its way.
PLAIN: dict[str, Any] = {
    "workers": 50,
    "broker_publish_mean": 0.0,
    "broker_deliver_mean": 0.0,
    "turnaround_mean": 0.0,
}

OTHERS: dict[str, dict[str, Any]] = {
    "retry_ladder": {
        "rate": 7.0,
        "cancel_rate": 7.0,
        "keys": 7,
        "workers": 7,
        "validate_mean": 0.7,
        "work_mean": 0.7,
        "invalid": 0.7,
        "transient": 0.7,
        "permanent": 0.7,
        "poison": 0.7,
        "delivery": DeliveryPolicy(requeue="head"),
        "broker_publish_mean": 0.7,
        "broker_deliver_mean": 0.7,
        "turnaround_mean": 0.7,
        "faults": [BadDeployment("payment", 0.7, at=7, lasts=7)],
        "redrives": [Redrive("payment", at=7)],
        "duration": 700.0,
        "warmup": 7.0,
    },
    "retry_storm": {
        "rate": 7.0,
        "herd": 7,
        "workers": 7,
        "inbox": 7,
        "work_mean": 0.7,
        "timeout": 7.0,
        "propagate_deadline": True,
        "retry": None,
        "breaker": CircuitBreaker(),
        "faults": [Outage("stock", at=7, lasts=7)],
        "network_mean": 0.7,
        "duration": 700.0,
        "warmup": 7.0,
    },
}
MAKERS = {"retry_ladder": retry_ladder, "retry_storm": retry_storm}


def ladder(**arguments: Any) -> Run:
    """A run of the plain ladder: everything else has to be asked for."""
    return simulate(retry_ladder(**(PLAIN | {"transient": 0.0} | arguments)), seed=5)


def dead(run: Run) -> np.ndarray:
    """Which deliveries ended dead."""
    return (run.deliveries["outcome"] == "dead_lettered").to_numpy(dtype=float)


def scenario(name: str, **arguments: Any) -> Scenario:
    """A scenario of the catalogue by name."""
    return MAKERS[name](**arguments)


@pytest.mark.parametrize(("name", "argument"), [(n, a) for n in OTHERS for a in OTHERS[n]])
def test_every_argument_reaches_the_scenario(name: str, argument: str) -> None:
    """Another value of any one argument is another scenario."""
    assert scenario(name, **{argument: OTHERS[name][argument]}) != scenario(name)


@pytest.mark.parametrize("name", OTHERS)
def test_no_argument_is_forgotten_above(name: str) -> None:
    """The test before this one knows them all."""
    assert list(OTHERS[name]) == list(inspect.signature(MAKERS[name]).parameters)


# -- the ladder ------------------------------------------------------------------------------


@pytest.mark.parametrize(("q", "n"), [(0.2, 3), (0.5, 4)])
def test_dead_letters_and_attempts_are_those_of_the_geometric_distribution(
    q: float, n: int
) -> None:
    """Of failures with q, n in a row happen with q^n, after (1-q^n)/(1-q) attempts on average."""
    policy = DeliveryPolicy(retry=Retry(max_attempts=n))
    run = ladder(transient=q, delivery=policy, rate=100, duration=100)
    p = dead_letter_probability(q, n)
    assert within(dead(run), p, np.sqrt(p * (1 - p)))
    attempts = run.deliveries["attempts"].to_numpy(dtype=float)
    assert within(attempts, expected_attempts(q, n), attempts.std())


def test_the_waits_are_one_two_and_four_seconds() -> None:
    """From the end of a try to the moment when the next may begin, to the rounding of a float."""
    run = ladder(transient=1.0, rate=5, duration=20)
    tries = run.attempts.pivot(index="message", columns="attempt")
    for attempt, wait in ((1, 1.0), (2, 2.0), (3, 4.0)):
        waited = tries["queued_at", attempt + 1] - tries["ended_at", attempt]
        np.testing.assert_allclose(waited, wait, rtol=1e-12)
    assert list(tries["outcome"].columns) == [1, 2, 3, 4]


def test_three_ways_to_die_multiply() -> None:
    """1 - (1 - invalid)(1 - permanent)(1 - q^n), as the module's docstring says."""
    run = ladder(invalid=0.05, permanent=0.1, transient=0.5, rate=100, duration=100)
    p = 1 - 0.95 * 0.9 * (1 - 0.5**4)
    assert within(dead(run), p, np.sqrt(p * (1 - p)))


def test_what_is_invalid_is_never_charged() -> None:
    """It is dead after one try, and the business logic has not begun."""
    run = ladder(invalid=1.0, duration=10)
    assert dead(run).all()
    assert set(run.deliveries["attempts"]) == {1}
    assert len(run.effects) == 0


def test_a_recognised_failure_is_tried_once_and_poison_to_the_end() -> None:
    """Both can never succeed; what the handler takes them for makes the difference."""
    recognised, poison = ladder(permanent=1.0, duration=10), ladder(poison=1.0, duration=10)
    assert dead(recognised).all()
    assert dead(poison).all()
    assert set(recognised.deliveries["attempts"]) == {1}
    assert set(poison.deliveries["attempts"]) == {4}


def test_poison_changes_nobody_elses_luck() -> None:
    """The messages that are not poison take as long as if there were none."""
    without, some = ladder(duration=60), ladder(poison=0.2, duration=60)
    charged = some.effects[some.effects["label"] == "charge card"]
    before = without.effects[without.effects["label"] == "charge card"]
    both = before.merge(charged, on="request")
    assert 0 < len(both) < len(before)
    assert both["at_x"].equals(both["at_y"])


def test_the_ladder_reaches_over_seven_seconds() -> None:
    """A bad deployment of 6.5 s kills nothing; of 30 s, whatever came in its first 23 s.

    A try that fails takes milliseconds itself, which move that border by less than half a second.
    """
    short = ladder(faults=[BadDeployment("payment", 1.0, at=20, lasts=6.5)], duration=60)
    assert not dead(short).any()
    long = ladder(faults=[BadDeployment("payment", 1.0, at=20, lasts=30)], duration=60)
    published = long.deliveries["published_at"]
    assert dead(long)[(published > 20) & (published < 42.5)].all()
    assert not dead(long)[(published < 19.5) | (published > 43)].any()


def test_who_repeats_repeats_what_had_worked() -> None:
    """A second try validates again, and the ledger says so; an idempotent one does not."""
    plain, idempotent = (
        ladder(transient=0.5, duration=60, delivery=DeliveryPolicy(idempotent=i))
        for i in (False, True)
    )
    assert plain.verdicts()["duplicated"] > 0
    assert idempotent.verdicts()["duplicated"] == 0


# -- in order --------------------------------------------------------------------------------


def ordered_ladder(**arguments: Any) -> Run:
    """A run of the plain ladder with four workers for four partitions."""
    arguments = PLAIN | {"transient": 0.0, "duration": 120, "workers": 4} | arguments
    return simulate(retry_ladder(**arguments).replace("broker.partitions", 4), seed=5)


def longest_wait(run: Run) -> float:
    """The longest that any first try waited for its turn, seconds."""
    first = run.attempts[run.attempts["attempt"] == 1]
    return float((first["started_at"] - first["queued_at"]).max())


def test_poison_blocks_its_partition_for_the_whole_ladder() -> None:
    """In order, someone waits for seven seconds; beside the order, or recognised, nobody does."""
    in_order = DeliveryPolicy(ordered=True)
    beside = DeliveryPolicy(ordered=True, retry_topic=True)
    assert longest_wait(ordered_ladder(poison=0.01, delivery=in_order)) > 7
    assert longest_wait(ordered_ladder(poison=0.01, delivery=beside)) < 2
    assert longest_wait(ordered_ladder(permanent=0.01, delivery=in_order)) < 2


# -- redrive ---------------------------------------------------------------------------------

BROKEN: dict[str, Any] = {
    "faults": [BadDeployment("payment", 1.0, at=10, lasts=30)],
    "duration": 120,
}


def test_after_the_rollback_a_redrive_brings_all_back() -> None:
    """What a bad deployment left dead is handled, once each."""
    assert dead(ladder(**BROKEN)).sum() > 300
    redriven = ladder(redrives=[Redrive("payment", at=60)], **BROKEN)
    assert set(redriven.deliveries["outcome"]) == {"handled"}
    charged = redriven.effects[redriven.effects["label"] == "charge card"]
    assert charged["request"].is_unique
    assert len(charged) == len(redriven.requests)


def test_a_redrive_at_a_rate_takes_its_time() -> None:
    """The n-th letter goes back n / rate seconds after the first."""
    run = ladder(redrives=[Redrive("payment", at=60, rate=5)], **BROKEN)
    back = run.attempts[run.attempts["attempt"] == 5]["queued_at"].sort_values().to_numpy()
    np.testing.assert_allclose(back, 60 + np.arange(len(back)) / 5)


def test_a_redrive_may_be_filtered_by_message() -> None:
    """Orders come back, cancellations stay dead."""
    orders = Redrive("payment", at=60, message="OrderPlaced")
    run = ladder(cancel_rate=5.0, redrives=[orders], **BROKEN)
    names = run.messages.set_index("message")["name"].astype(str)
    still_dead = run.deliveries["message"][dead(run) == 1]
    assert len(still_dead) > 0
    assert set(names[still_dead]) == {"OrderCancelled"}


# -- the storm -------------------------------------------------------------------------------

BLIP: dict[str, Any] = {
    "faults": [Slowdown("stock", factor=4, at=30, lasts=10)],
    "duration": 120,
}


SPREAD = Retry(backoff=Backoff(1.0, jitter="full"))


def succeeding(run: Run, since: float) -> float:
    """The fraction of calls ok, of those that began from ``since`` on."""
    late = run.requests[run.requests["started_at"] > since]
    return float((late["outcome"] == "ok").mean())


def test_a_storm_outlives_its_blip_and_jitter_does_not_end_it() -> None:
    """Half a minute after ten slow seconds nobody gets an answer, with jitter or without."""
    for retry in (Retry(), SPREAD):
        assert succeeding(simulate(retry_storm(retry=retry, **BLIP)), since=70) < 0.05
    assert succeeding(simulate(retry_storm(retry=None, **BLIP)), since=70) > 0.95


def test_a_budget_bounds_the_tries_whatever_happens() -> None:
    """Never more than ratio × calls + burst are repeated, and so the storm ends."""
    run = simulate(retry_storm(retry=Retry(budget=RetryBudget(ratio=0.1, burst=10)), **BLIP))
    repeated = (run.calls["attempts"] - 1).sum()
    assert 10 < repeated <= 0.1 * len(run.calls) + 10
    assert succeeding(run, since=90) > 0.95


def test_a_herd_without_jitter_comes_back_as_a_herd() -> None:
    """Each of four waves gets room for inbox and workers, so that 4 × 24 of 100 are served."""
    herd: dict[str, Any] = {
        "herd": 100, "rate": 1.0, "inbox": 20, "work_mean": 0.01, "timeout": 5.0,
        "network_mean": 0.0, "duration": 300,
    }  # fmt: skip
    together, apart = (simulate(retry_storm(retry=r, **herd)) for r in (Retry(), SPREAD))
    served = together.requests["outcome"].eq("ok").groupby(together.requests["started_at"]).sum()
    assert len(served) > 1
    assert set(served) == {96}
    assert (apart.requests["outcome"] == "ok").all()
