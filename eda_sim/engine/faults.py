"""Faults: what breaks, when, and for how long.

A scheduled fault is one process that waits, breaks and repairs; a random one
does so again and again while traffic arrives, with its own luck.
"""

from typing import TYPE_CHECKING

from eda_sim.engine.job import Process
from eda_sim.engine.recorder import NEVER, OPEN
from eda_sim.rules.luck import Times
from eda_sim.rules.order import Rank, turn
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import Fault, Outage, Slowdown

if TYPE_CHECKING:
    from eda_sim.engine.world import World


def _alike(fault: Fault, other: Fault) -> bool:
    """Say whether two random faults have the same name, and so need two places."""
    kinds = (fault.kind, fault.service), (other.kind, other.service)
    return kinds[0] == kinds[1] and None not in (fault.mtbf, other.mtbf)


class FaultActor:
    """One fault of the scenario in a run."""

    def __init__(self, world: "World", number: int, fault: Fault) -> None:
        self._clock = world.clock
        self._luck = world.luck
        self._number = number
        self._fault = fault
        self._place = sum(_alike(fault, earlier) for earlier in world.scenario.faults[:number])
        self._service = world.services[fault.service]
        self._duration = world.scenario.duration
        self._record = world.recorder.faults.add
        code = world.recorder.names.code
        self._kind, self._target = code(fault.kind), code(fault.service)
        present = self._service.service.instances
        hit = fault.instances if isinstance(fault, Outage) else None
        self._instances = range(hit or present)
        self._begins = turn(Rank.FAULT_BEGINS, number)
        self._ends = turn(Rank.FAULT_ENDS, number)
        world.clock.process(self._scheduled() if fault.at is not None else self._random())

    def _scheduled(self) -> Process:
        assert self._fault.at is not None
        assert self._fault.lasts is not None
        yield self._clock.wait_until(self._fault.at, self._begins)
        yield from self._break(self._fault.at + self._fault.lasts)

    def _random(self) -> Process:
        assert self._fault.mtbf is not None
        assert self._fault.mttr is not None
        name = f"{self._fault.kind} of {self._fault.service}"
        up = Times(
            self._luck.stream(name, "up", self._place), Exponential(self._fault.mtbf).quantile
        )
        down = Times(
            self._luck.stream(name, "down", self._place), Exponential(self._fault.mttr).quantile
        )
        time, occurrence = 0.0, 0
        while (time := time + up(occurrence, 0)) < self._duration:
            yield self._clock.wait_until(time, self._begins)
            time += down(occurrence, 0)
            yield from self._break(time)
            occurrence += 1

    def _break(self, until: float) -> Process:
        factor = self._fault.factor if isinstance(self._fault, Slowdown) else NEVER
        hit, now = len(self._instances), self._clock.now
        row = [self._number, self._kind, self._target, hit, factor, now, OPEN]
        self._record(row)
        self._begin()
        yield self._clock.wait_until(until, self._ends)
        row[-1] = self._clock.now
        self._end()

    def _begin(self) -> None:
        if isinstance(self._fault, Slowdown):
            self._service.slow_down(self._fault.factor)
        else:
            self._service.instances_down(self._instances)

    def _end(self) -> None:
        if isinstance(self._fault, Slowdown):
            self._service.recover_from(self._fault.factor)
        else:
            self._service.instances_up(self._instances)
