"""A named program: its copies, its threads and what it does with each message."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.description import (
    Count,
    Name,
    PositiveRate,
    PositiveSeconds,
    Seconds,
    description,
)
from eda_sim.scenario.frozen import FrozenDict, freeze_mapping, freeze_sequence
from eda_sim.scenario.steps import Step


@description
class Handler:
    """What a service does with one message name, where that needs a policy of its own.

    Args:
        steps: what is done, one after the other.
        delivery: how the broker delivers to this subscriber; None: as the broker's default says.

    Example:
        >>> from eda_sim import Constant, Retry, Work
        >>> twice = DeliveryPolicy(retry=Retry(max_attempts=2))
        >>> Handler([Work(Constant(0.05), "send mail")], delivery=twice).delivery.retry
        Retry(max_attempts=2)
    """

    steps: Annotated[Sequence[Step], freeze_sequence]
    _: KW_ONLY
    delivery: DeliveryPolicy | None = None


if TYPE_CHECKING:
    Handlers = Mapping[str, Handler | Sequence[Step]]
else:

    def _shape(value: Any) -> str | None:
        if isinstance(value, (list, tuple)):
            return "steps"
        return "handler" if isinstance(value, (Handler, Mapping)) else None

    def _to_handler(value: Any) -> Handler:
        return value if isinstance(value, Handler) else Handler(value)

    # A list of steps is short for a handler without a policy of its own; what is
    # stored is always a Handler.
    _HandlerOrSteps = Annotated[
        Annotated[Handler, Tag("handler")] | Annotated[list[Step], Tag("steps")],
        Discriminator(
            _shape,
            custom_error_type="handler",
            custom_error_message="must be a list of steps, or Handler(...)",
        ),
        AfterValidator(_to_handler),
    ]
    Handlers = Annotated[dict[Name, _HandlerOrSteps], freeze_mapping]


@description
class RateLimit:
    """A token bucket: calls beyond it are rejected.

    Args:
        rate: calls a second.
        burst: how many calls may come at once.
    """

    rate: PositiveRate
    _: KW_ONLY
    burst: Count = 1


@description
class Autoscale:
    """The number of instances follows the load.

    As many instances are wanted as bring the load of each to the target: ceil(instances x load /
    target), as Kubernetes' horizontal autoscaler does. One that is not wanted finishes what it is
    doing.

    Args:
        most: how many instances there may be.
        target: the load wanted: a fraction by ``utilisation``, a number of jobs by ``backlog``.
        by: how the load of an instance is measured: ``utilisation`` is the fraction of its workers
            that are busy, ``backlog`` how many jobs wait for it.
        least: how many instances there are at least.
        every: how often the load is measured, in seconds.
        start_delay: how long a new instance needs to come up, in seconds.
    """

    most: Count
    target: PositiveRate
    _: KW_ONLY
    by: Literal["utilisation", "backlog"] = "utilisation"
    least: Count = 1
    every: PositiveSeconds = 15.0
    start_delay: Seconds = 30.0

    @model_validator(mode="after")
    def _ordered(self) -> "Autoscale":
        if self.most < self.least:
            raise ValueError(f"most must be >= least ({self.least}), got {self.most}")
        if self.by == "utilisation" and self.target > 1:
            raise ValueError(
                f"target must be <= 1 by utilisation, got {self.target}: give a fraction"
            )
        return self


@description
class Service:
    """A named program: copies with threads, one queue before them all.

    Args:
        name: by which others know it.
        instances: how many copies there are; with ``autoscale``, at the start.
        workers: how many threads each copy has.
        inbox: how many calls may wait, one more is rejected at once; None: without bound.
        rate_limit: rejects calls beyond a rate; None: none.
        shed_after: rejects calls while the one that has waited longest has waited for more than so
            many seconds; None: never.
        autoscale: lets the number of instances follow the load; None: it stays.
        on: what is done with each command or event, by name: a list of steps, or a ``Handler``.

    Example:
        >>> from eda_sim import Constant, Work
        >>> Service("email", on={"OrderPlaced": [Work(Constant(0.05), "send mail")]}).workers
        1
    """

    name: Name
    _: KW_ONLY
    instances: Count = 1
    workers: Count = 1
    inbox: Annotated[int, Field(ge=0)] | None = None
    rate_limit: RateLimit | None = None
    shed_after: Seconds | None = None
    autoscale: Autoscale | None = None
    on: Handlers = field(default_factory=FrozenDict)

    @model_validator(mode="after")
    def _within_bounds(self) -> "Service":
        scale = self.autoscale
        if scale is not None and not scale.least <= self.instances <= scale.most:
            raise ValueError(
                f"instances must be between autoscale's least ({scale.least}) and most "
                f"({scale.most}), got {self.instances}"
            )
        return self

    @property
    def most_instances(self) -> int:
        """How many instances there can be at a time."""
        return self.instances if self.autoscale is None else self.autoscale.most

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handler of each message name."""
        return self.on  # type: ignore[return-value]  # the validator made each a Handler
