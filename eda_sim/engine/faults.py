"""Faults: what breaks, when, and for how long.

A scheduled fault is one process that waits, breaks and repairs; a random one
does so again and again while traffic arrives, with its own luck.
"""

from collections.abc import Iterator, Mapping

from eda_sim.engine.job import Process
from eda_sim.engine.links import touches
from eda_sim.engine.recorder import NEVER, OPEN, Row
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.stage import Stage
from eda_sim.rules import quantiles
from eda_sim.rules.luck import Times
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.plan import PlannedFault
from eda_sim.scenario.distributions import Exponential
from eda_sim.scenario.faults import (
    BROKER,
    BrokerOutage,
    NetworkPartition,
    Outage,
    Slowdown,
    target,
)


class FaultActor:
    """One fault of the scenario in a run."""

    def __init__(
        self, stage: Stage, services: Mapping[str, ServiceActor], planned: PlannedFault
    ) -> None:
        fault = planned.fault
        self._services = services
        self._conditions = stage.network.conditions
        self._clock = stage.clock
        self._luck = stage.luck
        self._planned = planned
        self._number = planned.position
        self._fault = fault
        self._duration = stage.scenario.duration
        self._record = stage.recorder.faults.add
        code = stage.recorder.names.code
        self._kind, self._target = code(fault.kind), code(target(fault))
        self._instances = planned.copies
        self._begins = turn(Rank.FAULT_BEGINS, self._number)
        self._ends = turn(Rank.FAULT_ENDS, self._number)
        if fault.mtbf is not None:
            stage.clock.process(self._random())
        else:
            stage.clock.process(self._scheduled() if fault.at is not None else self._always())

    def _always(self) -> Process:
        """A link that is bad from beginning to end."""
        self._write_down()
        self._begin()
        return
        yield

    def _scheduled(self) -> Process:
        assert self._fault.at is not None
        assert self._fault.lasts is not None
        yield self._clock.wait_until(self._fault.at, self._begins)
        yield from self._break(self._fault.at + self._fault.lasts)

    def _random(self) -> Process:
        assert self._fault.mtbf is not None
        assert self._fault.mttr is not None
        up = self._times("up", self._fault.mtbf)
        down = self._times("down", self._fault.mttr)
        time, occurrence = 0.0, 0
        while (time := time + up(occurrence, 0)) < self._duration:
            yield self._clock.wait_until(time, self._begins)
            time += down(occurrence, 0)
            yield from self._break(time)
            occurrence += 1

    def _times(self, phase: str, mean: float) -> Times:
        where = self._planned.times(phase)
        return Times(self._luck.stream(*where), quantiles.of(Exponential(mean)))

    def _write_down(self) -> Row:
        fault = self._fault
        factor = fault.factor if isinstance(fault, Slowdown) else NEVER
        hit, now = len(self._instances), self._clock.now
        row = [self._number, self._kind, self._target, hit, factor, now, OPEN]
        self._record(row)
        return row

    def _break(self, until: float) -> Process:
        row = self._write_down()
        self._begin()
        yield self._clock.wait_until(until, self._ends)
        row[-1] = self._clock.now
        self._end()

    def _begin(self) -> None:
        fault = self._fault
        if isinstance(fault, Outage):
            self._services[fault.service].instances_down(self._instances, self._number)
        elif isinstance(fault, Slowdown):
            self._services[fault.service].slow_down(fault.factor)
        else:
            self._conditions[self._number].begin()
            for service in self._cut_off():
                service.pause_deliveries()

    def _end(self) -> None:
        fault = self._fault
        if isinstance(fault, Outage):
            self._services[fault.service].instances_up(self._instances, self._number)
        elif isinstance(fault, Slowdown):
            self._services[fault.service].recover_from(fault.factor)
        else:
            self._conditions[self._number].end()
            for service in self._cut_off():
                service.resume_deliveries()

    def _cut_off(self) -> Iterator[ServiceActor]:
        """Yield the services to which the broker cannot dispatch while this lasts."""
        if isinstance(self._fault, (BrokerOutage, NetworkPartition)):
            for name, service in self._services.items():
                if touches(self._fault, name, BROKER):
                    yield service
