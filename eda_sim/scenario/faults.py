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
from eda_sim.scenario.signature import ShownAs

BROKER = "broker"  # how the sides of a link call the broker
_ROUNDING = 1e-13  # of the times that are added up; ``eda_sim.rules.rounding`` says why


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

    @property
    def window(self) -> tuple[float, float] | None:
        """From when until when it is there, in seconds, if that is scheduled."""
        return None if self.at is None or self.lasts is None else (self.at, self.at + self.lasts)


@description
class TimedOrAlways(Timed):
    """A fault that lasts for the whole run if nothing is said."""

    @staticmethod
    def _may_be_given() -> list[set[str]]:
        return [*Timed._may_be_given(), set()]


@description
class Outage(Timed):
    """Copies of a service are down.

    Attempts in progress on them die, calls are refused while no copy is up, and deliveries wait.
    Outages of one service hit different copies if they can: the first random one of one copy hits
    copy 0, the next copy 1, whenever they come.

    Args:
        service: whose copies.
        instances: how many of them; None: all.
        at: when it begins, in seconds; with ``lasts``.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.

    Example:
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
    """Work that a service starts meanwhile takes longer.

    Args:
        service: whose work.
        factor: how many times as long.
        at: when it begins, in seconds; with ``lasts``.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.

    Example:
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

    Publishers wait, fail or lose their message, as ``Broker.when_unreachable`` says; who waits for
    room in a full topic goes on waiting. Nothing is admitted, dispatched, dead-lettered or
    redriven: what falls due meanwhile the broker does when it is back. Acknowledgements do not
    arrive, so what was being handled comes again.

    Args:
        at: when it begins, in seconds; with ``lasts``.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.
    """

    _: KW_ONLY
    kind: Literal["broker_outage"] = "broker_outage"


Side = Annotated[Sequence[Name], Field(min_length=1), freeze_sequence]


@description
class NetworkPartition(Timed):
    """Nothing passes between two sides of the network, in either direction.

    A call that cannot pass is not refused: its caller hears nothing until its timeout.

    Args:
        side: services, sources of traffic and ``"broker"``.
        other: those whom nothing reaches from there.
        at: when it begins, in seconds; with ``lasts``.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.
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
    """A message gets lost on a link.

    What a lost message means depends on who sent it: a call waits for its timeout, a publisher
    waits, fails or loses it (``Broker.when_unreachable``), the broker delivers again unless at
    most once, and a lost acknowledgement brings the message again. The broker's confirmation may
    get lost as well: its publisher takes the message for lost, and one that publishes it again
    makes the broker have it twice, unless it deduplicates (``Broker.deduplicates``).

    Args:
        probability: of each message, a fraction.
        between: the two ends of the link: services, sources of traffic or ``"broker"``; None: all
            links.
        at: when it begins, in seconds; with ``lasts``. Without any time it lasts for the whole run.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.
    """

    probability: Probability
    _: KW_ONLY
    between: Between | None = None
    kind: Literal["loss"] = "loss"


@description
class Duplicates(TimedOrAlways):
    """A call, a publication or a delivery arrives twice on a link.

    A publication that arrives twice is accepted twice, with a delivery more for each subscriber,
    unless the broker deduplicates (``Broker.deduplicates``).

    The copy travels with the other and goes by the number of the same try; its luck is its own.

    Args:
        probability: of each call, publication and delivery, a fraction.
        between: the two ends of the link: services, sources of traffic or ``"broker"``; None: all
            links.
        at: when it begins, in seconds; with ``lasts``. Without any time it lasts for the whole run.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.
    """

    probability: Probability
    _: KW_ONLY
    between: Between | None = None
    kind: Literal["duplicates"] = "duplicates"


@description
class Reordering(TimedOrAlways):
    """A call, a publication or a delivery is held up on a link: others overtake it.

    Args:
        probability: of each call, publication and delivery, a fraction.
        delay: for how long, in seconds.
        between: the two ends of the link: services, sources of traffic or ``"broker"``; None: all
            links.
        at: when it begins, in seconds; with ``lasts``. Without any time it lasts for the whole run.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.
    """

    probability: Probability
    _: KW_ONLY
    delay: Distribution = Constant(1.0)
    between: Between | None = None
    kind: Literal["reordering"] = "reordering"


@description
class PoisonMessages(Timed):
    """Requests that start meanwhile fail for good at a work of a service.

    Args:
        service: whose work.
        probability: of each request, a fraction.
        label: which work of the service; None: all of it.
        at: when it begins, in seconds; with ``lasts``.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.
    """

    service: Name
    probability: Probability
    _: KW_ONLY
    label: Name | None = None
    kind: Literal["poison_messages"] = "poison_messages"


@description
class BadDeployment(Timed):
    """Work that a service starts meanwhile fails, until the rollback.

    The failures are transient: they may not meet another try.

    Args:
        service: whose work.
        probability: of each attempt, a fraction.
        label: which work of the service; None: all of it.
        at: when it begins, in seconds; with ``lasts``.
        lasts: for how many seconds.
        mtbf: mean time without it, in seconds; with ``mttr``, at random instead of ``at``.
        mttr: mean time until it is over, in seconds.
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
    ShownAs("Fault"),
]


def overlap(one: Timed, other: Timed) -> bool:
    """Say whether two faults may be there at one time; of which is not scheduled nobody knows.

    One that begins as the other ends may seem to begin before, by a rounding.

    >>> overlap(Outage("a", at=0.1, lasts=0.2), Outage("a", at=0.3, lasts=1))
    False
    """
    if one.window is None or other.window is None:
        return True
    (begins, ends), (others_begin, others_end) = one.window, other.window
    together = min(ends, others_end) - max(begins, others_begin)
    return together > _ROUNDING * max(ends, others_end)


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
