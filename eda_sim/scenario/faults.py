"""What goes wrong: scheduled (``at``, ``lasts``) or random (``mtbf``, ``mttr``).

Random faults come and go for as long as traffic arrives: up for an exponential
time with mean ``mtbf``, down for one with mean ``mttr``, all in seconds.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from eda_sim.scenario.description import (
    Count,
    Name,
    PositiveSeconds,
    Seconds,
    description,
)


def _scheduled_or_random(fault: Any) -> None:
    scheduled = fault.at is not None, fault.lasts is not None
    random = fault.mtbf is not None, fault.mttr is not None
    if (scheduled, random) not in (((True, True), (False, False)), ((False, False), (True, True))):
        given = ", ".join(
            f"{name}={value}"
            for name in ("at", "lasts", "mtbf", "mttr")
            if (value := getattr(fault, name)) is not None
        )
        raise ValueError(
            "must be either scheduled (at= and lasts=) or random (mtbf= and mttr=), "
            f"got {given or 'neither'}"
        )


@description
class Outage:
    """``instances`` copies of ``service`` are down (all of them, if not said).

    Attempts in progress on them die, calls are refused while no copy is up, and
    deliveries wait.

    >>> Outage("payment", at=300, lasts=60)  # all of it, from 300 s to 360 s
    Outage('payment', at=300.0, lasts=60.0)
    >>> Outage("payment", instances=1, mtbf=3600, mttr=30).mttr  # now and then, one copy
    30.0
    """

    service: Name
    at: Seconds | None = None
    lasts: PositiveSeconds | None = None
    instances: Count | None = None
    mtbf: PositiveSeconds | None = None
    mttr: PositiveSeconds | None = None
    kind: Literal["outage"] = "outage"

    @model_validator(mode="after")
    def _when(self) -> "Outage":
        _scheduled_or_random(self)
        return self


@description
class Slowdown:
    """Work that ``service`` starts meanwhile takes ``factor`` times as long.

    >>> Slowdown("payment", factor=10, at=300, lasts=60).factor
    10.0
    """

    service: Name
    factor: Annotated[float, Field(gt=0)]
    at: Seconds | None = None
    lasts: PositiveSeconds | None = None
    mtbf: PositiveSeconds | None = None
    mttr: PositiveSeconds | None = None
    kind: Literal["slowdown"] = "slowdown"

    @model_validator(mode="after")
    def _when(self) -> "Slowdown":
        _scheduled_or_random(self)
        return self


Fault = Annotated[Outage | Slowdown, Field(discriminator="kind")]
