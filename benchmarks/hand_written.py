"""The fan-out workload as a good SimPy user would write it by hand.

A process for each delivery, a ``Resource`` of 4 workers for each subscriber,
random numbers from ``random``, and a list of lags: nothing else is recorded.
"""

import random
from collections.abc import Generator
from typing import Any

import simpy


def fan_out(messages: int, seed: int = 1, subscribers: int = 3, workers: int = 4) -> list[float]:
    """Run the workload and return the lag of every handled delivery, in seconds."""
    rng = random.Random(seed)
    env = simpy.Environment()
    pools = [simpy.Resource(env, capacity=workers) for _ in range(subscribers)]
    lags: list[float] = []
    dead_letters: list[float] = []

    def deliver(pool: simpy.Resource) -> Generator[simpy.Event, Any, None]:
        published = env.now
        yield env.timeout(rng.expovariate(1 / 0.005))
        for wait in (1.0, 2.0, 4.0, None):
            with pool.request() as worker:
                yield worker
                yield env.timeout(rng.expovariate(1 / 0.008))
            if rng.random() >= 0.05:
                lags.append(env.now - published)
                return
            if wait is not None:
                yield env.timeout(wait)
        dead_letters.append(env.now)

    def publish() -> Generator[simpy.Event, Any, None]:
        for _ in range(messages):
            yield env.timeout(rng.expovariate(400))
            for pool in pools:
                env.process(deliver(pool))

    env.process(publish())
    env.run()
    return lags


def single_server(requests: int, seed: int = 1) -> list[float]:
    """Run an M/M/1 queue, 80 arrivals a second, 10 ms of service; return the response times."""
    rng = random.Random(seed)
    env = simpy.Environment()
    server = simpy.Resource(env, capacity=1)
    response_times: list[float] = []

    def ask() -> Generator[simpy.Event, Any, None]:
        started = env.now
        with server.request() as turn:
            yield turn
            yield env.timeout(rng.expovariate(100))
        response_times.append(env.now - started)

    def arrive() -> Generator[simpy.Event, Any, None]:
        for _ in range(requests):
            yield env.timeout(rng.expovariate(80))
            env.process(ask())

    env.process(arrive())
    env.run()
    return response_times
