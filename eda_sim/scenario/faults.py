"""What goes wrong: scheduled (``at``, ``lasts``) or random (``mtbf``, ``mttr``).

Random faults come and go for as long as traffic arrives: up for an exponential
time with mean ``mtbf``, down for one with mean ``mttr``, all in seconds. A fault
of a link that says neither lasts for the whole run.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eda_sim.scenario.description import (
    Count,
    Name,
    PositiveSeconds,
    Probability,
    Seconds,
    description,
)
from eda_sim.scenario.distributions import Constant, Distribution
from eda_sim.scenario.frozen import freeze_sequence

BROKER = "broker"  # how the sides of a link call the broker


@description
class Timed:
    """What all faults share: when they happen, and that this is said in one way."""

    _: KW_ONLY
    at: Seconds | None = None
    lasts: PositiveSeconds | None = None
    mtbf: PositiveSeconds | None = None
    mttr: PositiveSeconds | None = None

    @model_validator(mode="after")
    def _when(self) -> Self:
        times = {"at": self.at, "lasts": self.lasts, "mtbf": self.mtbf, "mttr": self.mttr}
        given = {name: value for name, value in times.items() if value is not None}
        if set(given) not in self._may_be_given():
            said = ", ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(
                "must be either scheduled (at= and lasts=) or random (mtbf= and mttr=), "
                f"got {said or 'neither'}"
            )
        return self

    @staticmethod
    def _may_be_given() -> list[set[str]]:
        return [{"at", "lasts"}, {"mtbf", "mttr"}]


@description
class TimedOrAlways(Timed):
    """A fault that lasts for the whole run if nothing is said."""

    @staticmethod
    def _may_be_given() -> list[set[str]]:
        return [*Timed._may_be_given(), set()]


@description
class Outage(Timed):
    """``instances`` copies of ``service`` are down (all of them, if not said).

    Attempts in progress on them die, calls are refused while no copy is up, and
    deliveries wait.

    >>> Outage("payment", at=300, lasts=60)  # all of it, from 300 s to 360 s
    Outage('payment', at=300.0, lasts=60.0)
    >>> Outage("payment", instances=1, mtbf=3600, mttr=30).mttr  # now and then, one copy
    30.0
    """

    service: Name
    _: KW_ONLY
    instances: Count | None = None
    kind: Literal["outage"] = "outage"


@description
class Slowdown(Timed):
    """Work that ``service`` starts meanwhile takes ``factor`` times as long.

    >>> Slowdown("payment", factor=10, at=300, lasts=60).factor
    10.0
    """

    service: Name
    factor: Annotated[float, Field(gt=0)]
    _: KW_ONLY
    kind: Literal["slowdown"] = "slowdown"


@description
class BrokerOutage(Timed):
    """The broker is down.

    Publishers wait, fail or lose their message, as ``Broker.when_unreachable`` says; nothing
    is dispatched; acknowledgements do not arrive, so what was being handled comes again.
    """

    _: KW_ONLY
    kind: Literal["broker_outage"] = "broker_outage"


Side = Annotated[Sequence[Name], Field(min_length=1), freeze_sequence]


@description
class NetworkPartition(Timed):
    """Nothing passes between two sides of the network, in either direction.

    A side is a list of services, sources of traffic and ``"broker"``. A call that cannot
    pass is not refused: its caller hears nothing until its timeout.
    """

    side: Side
    other: Side
    _: KW_ONLY
    kind: Literal["network_partition"] = "network_partition"

    @model_validator(mode="after")
    def _two_sides(self) -> "NetworkPartition":
        if both := sorted(set(self.side) & set(self.other)):
            raise ValueError(
                f"must have two different sides, got {both[0]!r} on both: leave it out"
            )
        return self


Between = Annotated[Sequence[Name], Field(min_length=2, max_length=2), freeze_sequence]


@description
class Loss(TimedOrAlways):
    """A message gets lost with ``probability`` on a link (on all links, if not said).

    What a lost message means depends on who sent it: a call waits for its timeout, a
    publisher waits, fails or loses it (``Broker.when_unreachable``), the broker delivers
    again unless at most once, and a lost acknowledgement brings the message again.
    """

    probability: Probability
    _: KW_ONLY
    between: Between | None = None
    kind: Literal["loss"] = "loss"


@description
class Duplicates(TimedOrAlways):
    """A call or a delivery arrives twice with ``probability`` on a link."""

    probability: Probability
    _: KW_ONLY
    between: Between | None = None
    kind: Literal["duplicates"] = "duplicates"


@description
class Reordering(TimedOrAlways):
    """A call or a delivery is held up by ``delay`` with ``probability``: others overtake it."""

    probability: Probability
    _: KW_ONLY
    delay: Distribution = Constant(1.0)
    between: Between | None = None
    kind: Literal["reordering"] = "reordering"


@description
class PoisonMessages(Timed):
    """Of the requests that start meanwhile, ``probability`` fail for good at a work of ``service``.

    Which work: the one with ``label``, or all of them.
    """

    service: Name
    probability: Probability
    _: KW_ONLY
    label: Name | None = None
    kind: Literal["poison_messages"] = "poison_messages"


@description
class BadDeployment(Timed):
    """Work that ``service`` starts meanwhile fails with ``probability``, until the rollback.

    The failures are transient: they may not meet another try. ``label`` narrows it to one
    work.
    """

    service: Name
    probability: Probability
    _: KW_ONLY
    label: Name | None = None
    kind: Literal["bad_deployment"] = "bad_deployment"


ServiceFault = Outage | Slowdown | PoisonMessages | BadDeployment
LinkFault = NetworkPartition | Loss | Duplicates | Reordering

Fault = Annotated[
    Outage
    | Slowdown
    | BrokerOutage
    | NetworkPartition
    | Loss
    | Duplicates
    | Reordering
    | PoisonMessages
    | BadDeployment,
    Field(discriminator="kind"),
]


def target(fault: Fault) -> str:
    """Return whom a fault hits, readably.

    >>> target(NetworkPartition(["orders"], ["broker"], at=1, lasts=1))
    'orders | broker'
    """
    if isinstance(fault, ServiceFault):
        return fault.service
    if isinstance(fault, BrokerOutage):
        return BROKER
    if isinstance(fault, NetworkPartition):
        return f"{', '.join(fault.side)} | {', '.join(fault.other)}"
    return " | ".join(fault.between) if fault.between else "every link"
