"""`service_chain`: two shapes of waiting, the same work, and what holds a worker."""

import numpy as np
import pandas as pd
import pytest

from eda_sim import Backoff, InvalidInput, Outage, Retry, Run, service_chain, simulate
from eda_sim.theory import erlang_b, mmc


def one_step_each(run: Run) -> pd.DataFrame:
    """How long each request's attempt took at each service: a row a request."""
    attempts = run.attempts.assign(took=run.attempts["ended_at"] - run.attempts["started_at"])
    return attempts.pivot_table(index="request", columns="service", values="took", observed=True)


def response_times(run: Run) -> np.ndarray:
    """Seconds from each request's start to its answer."""
    return (run.requests["answered_at"] - run.requests["started_at"]).to_numpy()


def test_both_shapes_do_the_same_work_on_the_same_luck() -> None:
    """Where nobody waits for a worker, nesting the calls changes no response time."""
    roomy = {"depth": 4, "workers": 500, "network_mean": 0.0, "duration": 20, "warmup": 0}
    sequence, nested = (
        simulate(service_chain(nested=nested, **roomy), seed=3) for nested in (False, True)
    )
    assert len(sequence.requests) > 500
    np.testing.assert_allclose(response_times(nested), response_times(sequence), rtol=1e-9)


def test_a_nested_service_is_held_for_all_that_follows() -> None:
    """Each service is busy for longer than the next, which it waits for; a sequence is not."""
    held = one_step_each(
        simulate(service_chain(depth=3, nested=True, workers=500, duration=10, warmup=0))
    )
    assert (held["service-1"] > held["service-2"]).all()
    assert (held["service-2"] > held["service-3"]).all()
    free = one_step_each(simulate(service_chain(depth=3, workers=500, duration=10, warmup=0)))
    assert not (free["service-1"] > free["service-2"]).all()


def test_a_sequence_is_a_tandem_of_queues() -> None:
    """Departures of M/M/c are Poisson, so even the last service's wait is that of M/M/c.

    The interval of one long run is wide near 0.75 load; 12 % is three of its standard errors.
    """
    run = simulate(service_chain(depth=3, rate=60, duration=400, warmup=20), seed=5)
    for service in ("service-1", "service-3"):
        wait = run.services().loc[service, "wait_mean"]
        assert wait == pytest.approx(mmc(60, 0.050, servers=4).mean_wait, rel=0.12)


def test_an_inbox_of_none_leaves_a_loss_system() -> None:
    """With no room to wait, Erlang B says how many are rejected (2 erlang on 2 workers: 0.4).

    24,000 calls make a standard error of about 0.005.
    """
    chain = service_chain(depth=1, workers=2, inbox=0, duration=600, warmup=0)
    rejected = simulate(chain, seed=2).services().loc["service-1", "rejected_rate"]
    assert rejected == pytest.approx(erlang_b(2.0, servers=2), abs=0.015)


def test_retries_at_every_layer_multiply() -> None:
    """Three tries at each of three nested calls are 27 tries at the service that is down."""
    down = service_chain(
        depth=3, nested=True, rate=0.2, workers=50, duration=60, warmup=0,
        retry=Retry(max_attempts=3, backoff=Backoff(0.1)),
        faults=[Outage("service-3", at=0, lasts=10_000)],
    )  # fmt: skip
    run = simulate(down)
    tries = (run.attempts["service"] == "service-3").sum()
    assert len(run.requests) > 0
    assert tries == 27 * len(run.requests)


def test_faults_are_those_that_are_given() -> None:
    """None by default; whoever wants each service behind the front to break says so of each."""
    faults = tuple(Outage(f"service-{n}", mtbf=100, mttr=5) for n in (1, 2, 3))
    assert service_chain(depth=3, faults=faults).faults == faults
    assert service_chain(depth=3).faults == ()


@pytest.mark.parametrize("depth", [0, -1])
def test_a_chain_has_a_service_behind_the_front(depth: int) -> None:
    """A chain of nothing is refused in one line that says what to do."""
    with pytest.raises(InvalidInput, match=r"depth must be >= 1, got .*: put a service"):
        service_chain(depth=depth)
