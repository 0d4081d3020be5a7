"""An autoscaler: looks at the load now and then, and starts or stops instances."""

from functools import partial

from simpy import Event

from eda_sim.engine.job import Process
from eda_sim.engine.service import ServiceActor
from eda_sim.engine.stage import Stage
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.rounding import before
from eda_sim.rules.scaling import instances_wanted
from eda_sim.scenario.service import Autoscale

_LOOKS, _STARTS = turn(Rank.AUTOSCALER_LOOKS), turn(Rank.INSTANCE_STARTS)


class AutoscalerActor:
    """The autoscaler of one service, at work while traffic arrives."""

    def __init__(self, stage: Stage, service: ServiceActor, description: Autoscale) -> None:
        self._clock = stage.clock
        self._duration = stage.scenario.duration
        self._service = service
        self._description = description
        self._wanted = service.service.instances
        self._orders: dict[int, object] = {}  # of instances that are coming up
        stage.clock.process(self._watch())

    def _watch(self) -> Process:
        looks = 1
        while before(time := looks * self._description.every, self._duration):
            yield self._clock.wait_until(time, _LOOKS)
            self._scale(self._measure())
            looks += 1

    def _measure(self) -> float:
        """Return the load of all instances together."""
        service = self._service
        if self._description.by == "backlog":
            return service.waiting
        return service.instances.busy_workers / service.service.workers

    def _scale(self, load: float) -> None:
        rules = self._description
        wanted = instances_wanted(load, rules.target, rules.least, rules.most)
        for instance in range(self._wanted, wanted):
            self._service.instances.order(instance)
            order = self._orders[instance] = object()
            start = partial(self._start, instance, order)
            self._clock.after(rules.start_delay, _STARTS, instance, start)
        unwanted = range(wanted, self._wanted)
        for instance in unwanted:
            self._orders.pop(instance, None)
        self._service.retire(unwanted)
        self._wanted = wanted

    def _start(self, instance: int, order: object, _: Event) -> None:
        if self._orders.get(instance) is order:  # it may have been cancelled, and ordered anew
            self._service.start(instance)
