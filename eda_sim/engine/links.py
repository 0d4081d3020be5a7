"""The network between any two sides, where it is troubled.

Where no fault of the scenario can ever touch a link there is no ``Link``, and a
message just takes its latency. Otherwise a link knows the faults that may be
active on it, and draws, for each message, whether it is lost, doubled or held up.
"""

from collections.abc import Iterator, Sequence
from math import inf

from simpy import Event

from eda_sim.engine.clock import Clock
from eda_sim.rules.addresses import Address
from eda_sim.rules.luck import Chance, Draw, Luck, times
from eda_sim.rules.plan import PlannedFault, WorkNode
from eda_sim.scenario.faults import (
    BROKER,
    BadDeployment,
    BrokerOutage,
    Fault,
    LinkFault,
    Loss,
    NetworkPartition,
    Outage,
    PoisonMessages,
    Reordering,
    Slowdown,
)


class Condition:
    """A fault that is or is not active now; it tells whoever waits for its end."""

    def __init__(self, clock: Clock, planned: PlannedFault) -> None:
        self._clock = clock
        self.fault = planned.fault
        self.number = planned.position
        self.hits = planned.hits
        self.active = False
        self.over = Event(clock)
        self._windows: list[list[float]] = []

    def covers(self, time: float) -> bool:
        """Say whether the fault was active at an earlier ``time``."""
        return any(begin <= time < end for begin, end in self._windows)

    def begin(self) -> None:
        """The fault begins."""
        self.active = True
        self._windows.append([self._clock.now, inf])
        self.over = Event(self._clock)

    def end(self) -> None:
        """The fault is over."""
        self.active = False
        self._windows[-1][1] = self._clock.now
        self.over.succeed()


def touches(fault: Fault, one: str, other: str) -> bool:
    """Say whether a fault can trouble messages between two sides."""
    if isinstance(fault, BrokerOutage):
        return BROKER in (one, other)
    if isinstance(fault, NetworkPartition):
        return (one in fault.side and other in fault.other) or (
            one in fault.other and other in fault.side
        )
    if isinstance(fault, LinkFault):
        return fault.between is None or {one, other} == set(fault.between)
    return False


class Network:
    """The conditions of a run: which faults of links, the broker and work are active."""

    def __init__(self, clock: Clock, luck: Luck, faults: Sequence[PlannedFault]) -> None:
        self._clock = clock
        self._luck = luck
        self.conditions = {
            planned.position: Condition(clock, planned)
            for planned in faults
            if not isinstance(planned.fault, (Outage, Slowdown))
        }
        self._broker_outages = [
            each for each in self.conditions.values() if isinstance(each.fault, BrokerOutage)
        ]

    @property
    def broker_outage(self) -> Condition | None:
        """What keeps the broker down now, if anything does: it does nothing meanwhile."""
        return next((each for each in self._broker_outages if each.active), None)

    def link(self, one: str, other: str, address: Address) -> "Link | None":
        """Return the link for one message's way, or None if it can never be troubled."""
        conditions = [c for c in self.conditions.values() if touches(c.fault, one, other)]
        if not conditions:
            return None
        return Link(self._luck, conditions, address)

    def of_work(self, node: WorkNode) -> list[tuple[Condition, Chance]]:
        """Return the conditions under which a work may fail, and how likely that is."""
        found = []
        for condition in self.conditions.values():
            fault = condition.fault
            if not isinstance(fault, (PoisonMessages, BadDeployment)):
                continue
            if fault.service == node.owner and fault.label in (None, node.step.label):
                where = condition.hits(node.address)
                found.append((condition, Chance(self._luck.stream(*where), fault.probability)))
        return found


class Link:
    """The way of one message at one place in the plan."""

    def __init__(self, luck: Luck, conditions: list[Condition], address: Address) -> None:
        self._cuts = [
            c for c in conditions if isinstance(c.fault, (BrokerOutage, NetworkPartition))
        ]
        self._losses: list[tuple[Condition, Chance]] = []
        self._doublings: list[tuple[Condition, Chance]] = []
        self._delays: list[tuple[Condition, Chance, Draw]] = []
        for condition in conditions:
            fault = condition.fault
            if not isinstance(fault, LinkFault) or isinstance(fault, NetworkPartition):
                continue
            where = condition.hits(address)
            chance = Chance(luck.stream(*where), fault.probability)
            if isinstance(fault, Loss):
                self._losses.append((condition, chance))
            elif isinstance(fault, Reordering):
                delay = times(luck, fault.delay, *where.of("delay"))
                self._delays.append((condition, chance, delay))
            else:
                self._doublings.append((condition, chance))

    @property
    def cut(self) -> Condition | None:
        """What lets nothing pass now, if anything does."""
        return next((cut for cut in self._cuts if cut.active), None)

    def loses(self, request: int, tries: int) -> Condition | None:
        """Return what makes a message get lost that is sent now, if anything does."""
        return _first_active(self._losses, request, tries)

    def stops(self, request: int, tries: int) -> Condition | None:
        """Return what keeps a message from arriving that is sent now, if anything does."""
        return self.cut or self.loses(request, tries)

    def holds_up(self, request: int, tries: int) -> Iterator[tuple[Condition, float]]:
        """Yield what makes a message travel longer that is sent now, and by how many seconds."""
        for condition, chance, delay in self._delays:
            if condition.active and chance(request, tries):
                yield condition, delay(request, tries)

    def doubles(self, request: int, tries: int) -> Condition | None:
        """Return what makes a message arrive twice that is sent now, if anything does."""
        return _first_active(self._doublings, request, tries)


def how_stopped(condition: Condition) -> str:
    """Return the incident of a message that ``condition`` has kept from arriving."""
    return "lost_on_the_way" if isinstance(condition.fault, Loss) else "cut_off"


def _first_active(
    troubles: list[tuple[Condition, Chance]], request: int, tries: int
) -> Condition | None:
    return next((c for c, chance in troubles if c.active and chance(request, tries)), None)
