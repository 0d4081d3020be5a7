"""What a handler does: a list of steps.

Work occupies the worker, a call occupies it until the reply, a send or a
publish until the broker has accepted; ``Parallel`` and ``Branch`` hold steps.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, field
from typing import Annotated, Literal

from pydantic import Field, model_validator

from eda_sim.scenario.delivery import CircuitBreaker, Retry
from eda_sim.scenario.description import (
    Count,
    Name,
    PositiveSeconds,
    Probability,
    complete,
    description,
)
from eda_sim.scenario.distributions import Distribution
from eda_sim.scenario.frozen import FrozenDict, PlainData, freeze_sequence


@description
class Work:
    """Hold the worker for a drawn ``duration`` (seconds), then perhaps fail.

    ``transient`` is the probability of a failure that another try may not meet,
    drawn for each attempt; ``permanent`` that of one which every try meets (a
    poison message), drawn once for each request. Completed work is an effect,
    known by its ``label``: give the same work the same label in every
    architecture, and it has the same luck there.

    >>> from eda_sim import LogNormal, ms
    >>> Work(LogNormal(60 * ms, cv=0.5), "charge card", transient=0.01)
    Work(LogNormal(0.06, cv=0.5), 'charge card', transient=0.01)
    """

    duration: Distribution
    label: Name
    _: KW_ONLY
    transient: Probability = 0.0
    permanent: Probability = 0.0
    kind: Literal["work"] = "work"


@description
class Call:
    """Call the one handler of ``command`` and hold the worker until the reply.

    After ``timeout`` seconds the caller gives up, though the callee still does the
    work. ``retry`` repeats a failed or timed-out call; ``breaker`` protects it;
    ``bulkhead`` limits how many such calls the caller has under way at once (one more is
    rejected). With ``propagate_deadline`` the timeout travels with the call: what nobody waits for
    any more is not begun, and calls on its behalf wait no longer than that.

    >>> Call("ProcessPayment", timeout=2.0, retry=Retry(max_attempts=2))
    Call('ProcessPayment', timeout=2.0, retry=Retry(max_attempts=2))
    """

    command: Name
    _: KW_ONLY
    timeout: PositiveSeconds | None = None
    retry: Retry | None = None
    breaker: CircuitBreaker | None = None
    bulkhead: Count | None = None
    propagate_deadline: bool = False
    kind: Literal["call"] = "call"

    @model_validator(mode="after")
    def _has_a_deadline(self) -> "Call":
        if self.propagate_deadline and self.timeout is None:
            raise ValueError(
                "propagate_deadline=True needs a timeout, got None: say how long the caller waits"
            )
        return self


@description
class Send:
    """Send ``command`` through the broker to its one handler; go on once it is accepted.

    >>> Send("SendConfirmation").command
    'SendConfirmation'
    """

    command: Name
    _: KW_ONLY
    kind: Literal["send"] = "send"


@description
class Outbox:
    """Where an event waits that was written together with the work before it.

    A relay looks every ``poll`` seconds and publishes up to ``batch`` events, as long as an
    instance of the service is up. A crash loses none, and each is later by the wait.
    """

    _: KW_ONLY
    poll: PositiveSeconds = 1.0
    batch: Count = 100


@description
class Publish:
    """Publish ``event`` through the broker to every subscriber; go on once it is accepted.

    ``data`` (texts, numbers, lists, mappings) and ``version`` are what its envelope carries.

    >>> Publish("OrderPlaced", data={"currency": "EUR"}, version=2)
    Publish('OrderPlaced', data={'currency': 'EUR'}, version=2)
    """

    event: Name
    _: KW_ONLY
    data: PlainData = field(default_factory=FrozenDict)
    version: Count = 1
    outbox: Outbox | None = None
    kind: Literal["publish"] = "publish"


@description
class Parallel:
    """Do the ``steps`` side by side; done when all are.

    >>> Parallel([Call("ReserveItems"), Call("ProcessPayment")])
    Parallel((Call('ReserveItems'), Call('ProcessPayment')))
    """

    steps: Annotated[Sequence["Step"], Field(min_length=1), freeze_sequence]
    _: KW_ONLY
    kind: Literal["parallel"] = "parallel"


@description
class Branch:
    """A business decision, drawn for each request: ``then`` with ``probability``.

    A ``label`` gives the decision the same luck in every architecture.

    >>> Branch(0.2, then=[Send("CheckForFraud")], label="looks odd").otherwise
    ()
    """

    probability: Probability
    then: Annotated[Sequence["Step"], freeze_sequence]
    _: KW_ONLY
    otherwise: Annotated[Sequence["Step"], freeze_sequence] = ()
    label: Name = "branch"
    kind: Literal["branch"] = "branch"


Step = Annotated[Work | Call | Send | Publish | Parallel | Branch, Field(discriminator="kind")]

AnyStep = Work | Call | Send | Publish | Parallel | Branch

complete(Parallel, Branch)
