"""The instances of a service: who is up, who dies, who comes back.

What can become of one is ``rules.lifecycle.INSTANCE``. A fault that hits an instance which is
not there yet, or is not wanted any more, keeps it from coming up for as long as it lasts.
"""

from collections.abc import Iterable, Iterator

from eda_sim.engine.worker import Employer, Worker
from eda_sim.rules.lifecycle import ABSENT, DOWN, STARTING, STOPPING, UP, State


class Instance:
    """One copy of a service."""

    def __init__(self, number: int, state: State) -> None:
        self.number = number
        self.state = state
        self.outages = 0  # faults that hit it now
        self.workers: list[Worker] = []

    @property
    def is_busy(self) -> bool:
        """Whether one of its workers has a job."""
        return any(worker.job is not None for worker in self.workers)


class Instances:
    """All copies of one service that there can be."""

    def __init__(self, service: Employer, present: int, most: int, workers: int) -> None:
        self._all = [Instance(number, UP if number < present else ABSENT) for number in range(most)]
        # Idle workers take turns: the first of each instance stand before the second ones.
        for number in range(workers):
            for instance in self._all:
                instance.workers.append(Worker(service, instance, number))

    def __iter__(self) -> Iterator[Instance]:
        return iter(self._all)

    @property
    def up(self) -> list[int]:
        """The numbers of the instances that are up."""
        return [instance.number for instance in self._all if instance.state is UP]

    @property
    def are_down(self) -> bool:
        """Whether no instance is up."""
        return all(instance.state is not UP for instance in self._all)

    @property
    def present(self) -> int:
        """How many there are, down or up, but for those that nobody wants any more."""
        return sum(instance.state is UP or instance.state is DOWN for instance in self._all)

    @property
    def busy_workers(self) -> int:
        """How many workers have a job now."""
        return sum(worker.job is not None for each in self._all for worker in each.workers)

    def die(self, numbers: Iterable[int]) -> list[Instance]:
        """A fault hits instances; return those that it kills."""
        hit = [self._all[number] for number in numbers]
        for instance in hit:
            instance.outages += 1
        killed = [instance for instance in hit if instance.outages == 1]
        for instance in killed:
            if "died" in instance.state:
                instance.state = instance.state["died"]
        return killed

    def recover(self, numbers: Iterable[int]) -> list[Instance]:
        """A fault is over; return the instances that are up again."""
        back = []
        for number in numbers:
            instance = self._all[number]
            instance.outages -= 1
            if instance.outages == 0 and instance.state is DOWN:
                instance.state = instance.state["repaired"]
                back.append(instance)
        return back

    def order(self, number: int) -> None:
        """One more is wanted: it comes up after a while."""
        instance = self._all[number]
        instance.state = instance.state["ordered"]

    def start(self, number: int) -> Instance:
        """One that was ordered comes up, unless a fault keeps it down."""
        instance = self._all[number]
        instance.state = instance.state["started, broken" if instance.outages else "started"]
        return instance

    def retire(self, number: int) -> bool:
        """One is not wanted any more: it finishes what it does. Say whether it had come up."""
        instance = self._all[number]
        was_there = instance.state is not STARTING
        instance.state = instance.state["retired"]
        self.finish(number)
        return was_there

    def finish(self, number: int) -> None:
        """Where nothing is left to do, one that is not wanted any more is gone."""
        instance = self._all[number]
        if instance.state is STOPPING and not instance.is_busy:
            instance.state = instance.state["finished"]
