"""A chain of any depth: calls that wait for calls.

Two shapes do the same work on the same luck. In a *sequence* the front calls one
service after the other, and each service holds a worker for its own step only. In
a *nested* chain each service calls the next when its own step is done, and so
holds its worker for all the steps that follow.

With a front that never runs out of workers, a sequence is a tandem of M/M/c
queues: Poisson arrivals, exponential work, and departures that are Poisson again
(P. Burke, "The Output of a Queuing System", Operations Research 4, 1956). By
default each service is offered 40/s x 50 ms = 2 erlang for 4 workers.
"""

from collections.abc import Sequence
from typing import Final

from eda_sim.catalog.latency import latency
from eda_sim.catalog.warmup import warmup_of
from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import Fault
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Call, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from eda_sim.units import minute, ms

_FRONT = "front"
_REQUEST = "DoAll"

_WARMUP: Final = 30.0


def service_chain(
    *,
    depth: int = 3,
    nested: bool = False,
    rate: float = 40.0,
    front_workers: int = 256,
    workers: int = 4,
    inbox: int | None = None,
    front_mean: float = 5 * ms,
    step_mean: float = 50 * ms,
    network_mean: float = 1 * ms,
    timeout: float | None = None,
    retry: Retry | None = None,
    faults: Sequence[Fault] = (),
    duration: float = 10 * minute,
    warmup: float | None = None,
) -> Scenario:
    """A front and ``depth`` equal services behind it, each with one step of work.

    Args:
        depth: how many services each request needs behind the front, at least 1.
        nested: whether each service calls the next; otherwise the front calls them all,
            one after the other.
        rate: requests, 1/second (Poisson).
        front_workers: threads of ``front``, each held while its request is under way.
        workers: threads of each service behind it. Nested, they are held for all the
            steps that follow too, and so must be more.
        inbox: how many calls may wait before each of them; None for any number.
        front_mean: mean time of the front's own work, seconds (exponential).
        step_mean: mean time of each service's step, seconds (exponential).
        network_mean: mean latency of each way of a call, seconds (exponential).
        timeout: how long each caller waits for its call, seconds; None for ever.
        retry: when each call is tried again; None for never.
        faults: what goes wrong, such as ``[Slowdown("service-3", factor=3, at=60, lasts=60)]``;
            the services behind the front are ``service-1``, ``service-2`` and so on.
        duration: requests arrive this long, seconds.
        warmup: statistics leave out requests that started earlier, seconds; None for 30 s, or
            a tenth of ``duration`` where that is less.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import service_chain
        >>> nested = service_chain(depth=2, nested=True)
        >>> nested.service("service-1").handlers["DoStep1"].steps
        (Work(Exponential(0.05), 'step 1'), Call('DoStep2'))
    """
    if depth < 1:
        raise InvalidInput(f"depth must be >= 1, got {depth}: put a service behind the front")
    numbers = range(1, depth + 1)
    works = {n: Work(Exponential(step_mean), f"step {n}") for n in numbers}
    calls = {n: Call(f"DoStep{n}", timeout=timeout, retry=retry) for n in numbers}
    front = [calls[1]] if nested else calls.values()
    return Scenario(
        f"{'nested' if nested else 'sequential'} chain of {depth}",
        traffic=[Traffic(Call(_REQUEST), Poisson(rate), name="customers")],
        services=[
            Service(
                _FRONT,
                workers=front_workers,
                on={_REQUEST: [Work(Exponential(front_mean), "accept"), *front]},
            ),
            *(
                Service(
                    _service(n),
                    workers=workers,
                    inbox=inbox,
                    on={f"DoStep{n}": [works[n], *_then(calls, n, nested)]},
                )
                for n in numbers
            ),
        ],
        network=latency(network_mean),
        faults=faults,
        duration=duration,
        warmup=warmup_of(warmup, _WARMUP, duration),
    )


def _service(number: int) -> str:
    return f"service-{number}"


def _then(calls: dict[int, Call], number: int, nested: bool) -> list[AnyStep]:
    """Return what service ``number`` does after its own step."""
    return [calls[number + 1]] if nested and number + 1 in calls else []
