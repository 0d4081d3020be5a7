"""A named program: its copies, its threads and what it does with each message."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from eda_sim.scenario.delivery import Delivery
from eda_sim.scenario.description import (
    Count,
    FrozenDict,
    Name,
    PositiveRate,
    Seconds,
    description,
    freeze_mapping,
    freeze_sequence,
)
from eda_sim.scenario.steps import Step


@description
class Handler:
    """What a service does with one message name, where that needs a policy of its own.

    ``delivery`` overrides the broker's default for this subscriber.

    >>> from eda_sim import Constant, Retry, Work
    >>> Handler([Work(Constant(0.05), "send mail")], Delivery(Retry(max_attempts=2)))
    Handler((Work(Constant(0.05), 'send mail'),), delivery=Delivery(retry=Retry(max_attempts=2)))
    """

    steps: Annotated[Sequence[Step], freeze_sequence]
    delivery: Delivery | None = None


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
    """A token bucket: ``rate`` calls a second, and up to ``burst`` at once."""

    rate: PositiveRate
    burst: Count = 1


@description
class Service:
    """``instances`` copies, each with ``workers`` threads, one queue before them all.

    ``inbox`` bounds the calls that wait; one more is rejected at once. ``on`` maps
    a command or event name to a list of steps, or to a ``Handler``. ``rate_limit`` rejects
    calls beyond a rate; ``shed_after`` rejects calls while the one that has waited longest
    has waited for more than so many seconds.

    >>> from eda_sim import Constant, Work
    >>> Service("email", on={"OrderPlaced": [Work(Constant(0.05), "send mail")]}).workers
    1
    """

    name: Name
    instances: Count = 1
    workers: Count = 1
    inbox: Annotated[int, Field(ge=0)] | None = None
    rate_limit: RateLimit | None = None
    shed_after: Seconds | None = None
    on: Handlers = field(default_factory=FrozenDict)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handler of each message name."""
        return self.on  # type: ignore[return-value]  # the validator made each a Handler
