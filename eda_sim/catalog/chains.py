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

from eda_sim.catalog.latency import latency
from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import Backoff, Retry
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import Fault, Outage, Slowdown
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Call, Work
from eda_sim.scenario.traffic import Poisson, Traffic
from eda_sim.units import minute, ms

_FRONT = "front"
_REQUEST = "DoAll"


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
    call_attempts: int = 1,
    backoff_base: float = 0.1,
    backoff_factor: float = 2.0,
    mtbf: float | None = None,
    mttr: float = 10.0,
    slowdown_at: float | None = None,
    slowdown_lasts: float = 60.0,
    slowdown_factor: float = 3.0,
    duration: float = 10 * minute,
    warmup: float = 30.0,
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
        call_attempts: tries at each call, the first included.
        backoff_base: wait after the first failed try, seconds.
        backoff_factor: how many times longer each further wait is.
        mtbf: mean time from a repair to the next outage of each service behind the
            front, seconds; None for no outages.
        mttr: mean time that such an outage lasts, seconds.
        slowdown_at: when the last service becomes slow, seconds; None for never.
        slowdown_lasts: how long it stays slow, seconds.
        slowdown_factor: how many times longer its work then takes.
        duration: requests arrive this long, seconds.
        warmup: statistics leave out requests that started earlier, seconds.

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
    retry = None
    if call_attempts != 1:
        retry = Retry(call_attempts, Backoff(backoff_base, factor=backoff_factor))
    numbers = range(1, depth + 1)
    works = {n: Work(Exponential(step_mean), f"step {n}") for n in numbers}
    calls = {n: Call(f"DoStep{n}", timeout, retry) for n in numbers}
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
        faults=[
            *_outages(depth, mtbf, mttr),
            *_slowdown(depth, slowdown_at, slowdown_lasts, slowdown_factor),
        ],
        duration=duration,
        warmup=warmup,
    )


def _service(number: int) -> str:
    return f"service-{number}"


def _then(calls: dict[int, Call], number: int, nested: bool) -> list[AnyStep]:
    """Return what service ``number`` does after its own step."""
    return [calls[number + 1]] if nested and number + 1 in calls else []


def _outages(depth: int, mtbf: float | None, mttr: float) -> list[Fault]:
    if mtbf is None:
        return []
    return [Outage(_service(n), mtbf=mtbf, mttr=mttr) for n in range(1, depth + 1)]


def _slowdown(depth: int, at: float | None, lasts: float, factor: float) -> list[Fault]:
    return [] if at is None else [Slowdown(_service(depth), factor, at=at, lasts=lasts)]
