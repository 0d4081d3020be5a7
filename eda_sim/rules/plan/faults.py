"""The faults of a plan: where the random numbers of each are found, and which copies it hits.

A fault is known by its *name*: its kind, whom it hits, and whether it comes as scheduled, at
random, or is always there. When, for how long, how often and how likely it is stands in no
name: changed, they rescale the same luck. Of faults with one name, those that may be there at
one time are numbered, in the order of the scenario: each takes the lowest number that none of
those before it has. So a fault that is added, behind the others or in front of them, changes
nobody's luck but that of its like, where these are there at the same time and stand behind it.

Which copies of a service an outage hits is in ``outages``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from eda_sim.rules.addresses import Address, escaped
from eda_sim.rules.plan.outages import Copies, copies_hit
from eda_sim.scenario.faults import (
    BROKER,
    BadDeployment,
    BrokerOutage,
    Fault,
    NetworkPartition,
    Outage,
    PoisonMessages,
    Slowdown,
    overlap,
)
from eda_sim.scenario.service import Service


@dataclass(frozen=True, eq=False)
class PlannedFault:
    """A fault of the scenario, where its random numbers are found, and which copies it hits.

    Attributes:
        position: its own among the faults of the scenario, from 0.
        fault: what it is.
        number: its own among its like.
        copies: the copies of its service that an outage hits; none for others.
    """

    position: int
    fault: Fault
    number: int
    copies: Copies = ()

    def times(self, phase: str) -> Address:
        """Return the address of the times for which it is absent (``up``) or there (``down``)."""
        return Address(_name(self.fault), phase, self.number)

    def hits(self, address: Address) -> Address:
        """Return the address of whether it hits what happens at an address."""
        return address.of(f"{_when(self.fault)} {_name(self.fault)} {self.number}")


def planned(faults: Sequence[Fault], services: Sequence[Service]) -> tuple[PlannedFault, ...]:
    """Plan the faults of a scenario."""
    copies = {i: hit for service in services for i, hit in copies_hit(faults, service).items()}
    return tuple(
        PlannedFault(i, fault, number, copies.get(i, ()))
        for i, (fault, number) in enumerate(zip(faults, numbers(faults), strict=True))
    )


def numbers(faults: Sequence[Fault]) -> list[int]:
    """Return the number of each fault among its like.

    >>> from eda_sim.scenario.faults import Loss
    >>> more, burst = Loss(0.5, at=9, lasts=1), Loss(0.3, at=10, lasts=5)
    >>> numbers([more, burst, Loss(0.1), Loss(0.2, at=14, lasts=1)])
    [0, 0, 0, 1]
    """
    found: list[int] = []
    for fault in faults:
        before = zip(found, faults, strict=False)
        taken = {number for number, other in before if _need_two_numbers(fault, other)}
        found.append(next(number for number in count() if number not in taken))
    return found


def _need_two_numbers(one: Fault, other: Fault) -> bool:
    """Say whether two faults have the same name and may be there at one time."""
    return (_when(one), _name(one)) == (_when(other), _name(other)) and overlap(one, other)


def _when(fault: Fault) -> str:
    if fault.at is not None:
        return "scheduled"
    return "constant" if fault.mtbf is None else "random"


def _name(fault: Fault) -> str:
    return f"{fault.kind} of {_whom(fault)}"


def _whom(fault: Fault) -> str:
    """Return whom a fault hits, as it stands in an address."""
    match fault:
        case Outage() | Slowdown():
            return escaped(fault.service)
        case PoisonMessages() | BadDeployment():
            service = escaped(fault.service)
            return service if fault.label is None else f"{service}/{escaped(fault.label)}"
        case BrokerOutage():
            return BROKER
        case NetworkPartition():
            return f"{_side(fault.side)} | {_side(fault.other)}"
        case _:
            return " | ".join(map(escaped, fault.between)) if fault.between else "every link"


def _side(names: Sequence[str]) -> str:
    return ", ".join(map(escaped, names))
