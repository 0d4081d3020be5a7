"""One run a replication: its seed, its place, and how its numbers come home.

A replication's seed is hashed from the experiment's seed and its number. So
every architecture meets replication r with the same luck, a longer experiment
begins with the replications of a shorter one, and the replications of seed 1
are not those of seed 0 moved by one.

Scenarios are shipped as data and only a summary returns. Whoever runs a
replication, in whatever order, its numbers depend on scenario and seed alone.
"""

import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import contextmanager
from hashlib import blake2b
from multiprocessing import current_process, resource_tracker

from eda_sim.errors import SimulationError
from eda_sim.scenario.scenario import Scenario
from eda_sim.simulate import simulate

Task = tuple[Scenario, int]
Summary = dict[str, float]


def replication_seed(seed: int, replication: int) -> int:
    """Return the seed of one replication (from 0): 32 bits, hashed from both numbers.

    The hash is BLAKE2b (RFC 7693), which is the same on every platform.

    >>> replication_seed(0, 1) == replication_seed(1, 0)
    False
    """
    digest = blake2b(f"{seed}/{replication}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")


def summarise(scenario: Scenario, seed: int) -> Summary:
    """Run one replication and return its summary; what a worker process does."""
    summary = simulate(scenario, seed=seed).summary()
    return {str(metric): float(value) for metric, value in summary.items()}


def summaries(
    tasks: Sequence[Task], executor: Executor | None = None, *, progress: bool = True
) -> list[Summary]:
    """Run every task, (scenario, seed), and return their summaries in the same order.

    ``executor`` is any ``concurrent.futures.Executor``; by default this machine's
    processes, or this process alone where one is enough or no others may be started.

    Raises:
        EdaSimError: the first that a run raises; what has not started is cancelled.
    """
    from tqdm.auto import tqdm

    results: dict[int, Summary] = {}
    # What stays of a finished bar would be a line in every stored notebook.
    with tqdm(total=len(tasks), unit="run", leave=False, disable=not progress) as bar:
        for position, summary in _as_they_come(tasks, executor):
            results[position] = summary
            bar.update()
    return [results[position] for position in range(len(tasks))]


def _as_they_come(
    tasks: Sequence[Task], executor: Executor | None
) -> Iterator[tuple[int, Summary]]:
    if executor is None and _alone(tasks):
        yield from ((position, summarise(*task)) for position, task in enumerate(tasks))
        return
    with _pool(executor) as (pool, futures):
        futures.update((pool.submit(summarise, *task), i) for i, task in enumerate(tasks))
        for future in as_completed(futures):
            yield futures[future], future.result()


def _alone(tasks: Sequence[Task]) -> bool:
    from loky import cpu_count

    return len(tasks) == 1 or cpu_count() == 1 or current_process().daemon


@contextmanager
def _pool(executor: Executor | None) -> Iterator[tuple[Executor, dict[Future[Summary], int]]]:
    """Lend the given executor, or this machine's processes, and end what it has not ended."""
    pool, own = (executor, False) if executor is not None else (_processes(), True)
    futures: dict[Future[Summary], int] = {}
    try:
        yield pool, futures
    except BrokenExecutor as error:
        raise SimulationError(
            "a worker process died while it ran a replication, perhaps for want of memory: "
            "use fewer processes (executor=), or a shorter duration"
        ) from error
    except (KeyboardInterrupt, GeneratorExit):
        if own:
            # Also ends the runs under way. It must find its futures as they are, not cancelled.
            pool.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]
            futures.clear()
        raise
    finally:
        for future in futures:
            future.cancel()


# After so many idle seconds a process stops. Soon enough that none is left over for long, and
# late enough that none stops just when there is something to do again.
_IDLE = 600


def _processes() -> Executor:
    """Return this machine's processes, started already."""
    from loky import get_reusable_executor

    with _deaf_to_interrupts():
        pool: Executor = get_reusable_executor(timeout=_IDLE)
        pool.submit(int)  # whatever comes first starts the processes
    return pool


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let processes that start now not hear Ctrl-C, which a terminal sends to all.

    This process hears it and ends them; otherwise each would write its own traceback.
    """
    if sys.platform == "win32":  # which has no such masks
        yield
        return
    # It starts with the first process at the latest, and unblocks interrupts when it does.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
