"""What a handler does: a list of steps.

Work occupies the worker, a call occupies it until the reply, a send or a
publish until the broker has accepted; ``Parallel`` and ``Branch`` hold steps.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from eda_sim.scenario.delivery import CircuitBreaker, Retry
from eda_sim.scenario.description import (
    Count,
    FrozenDict,
    Name,
    PlainData,
    PositiveSeconds,
    Probability,
    complete,
    description,
    freeze_sequence,
)
from eda_sim.scenario.distributions import Distribution


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
    transient: Probability = 0.0
    permanent: Probability = 0.0
    kind: Literal["work"] = "work"


@description
class Call:
    """Call the one handler of ``command`` and hold the worker until the reply.

    After ``timeout`` seconds the caller gives up, though the callee still does the
    work. ``retry`` repeats a failed or timed-out call; ``breaker`` protects it.

    >>> Call("ProcessPayment", timeout=2.0, retry=Retry(max_attempts=2))
    Call('ProcessPayment', timeout=2.0, retry=Retry(max_attempts=2))
    """

    command: Name
    timeout: PositiveSeconds | None = None
    retry: Retry | None = None
    breaker: CircuitBreaker | None = None
    kind: Literal["call"] = "call"


@description
class Send:
    """Send ``command`` through the broker to its one handler; go on once it is accepted.

    >>> Send("SendConfirmation").command
    'SendConfirmation'
    """

    command: Name
    kind: Literal["send"] = "send"


@description
class Publish:
    """Publish ``event`` through the broker to every subscriber; go on once it is accepted.

    ``data`` (texts, numbers, lists, mappings) and ``version`` are what its envelope carries.

    >>> Publish("OrderPlaced", {"currency": "EUR"}, version=2)
    Publish('OrderPlaced', data={'currency': 'EUR'}, version=2)
    """

    event: Name
    data: PlainData = field(default_factory=FrozenDict)
    version: Count = 1
    kind: Literal["publish"] = "publish"


@description
class Parallel:
    """Do the ``steps`` side by side; done when all are.

    >>> Parallel([Call("ReserveItems"), Call("ProcessPayment")])
    Parallel((Call('ReserveItems'), Call('ProcessPayment')))
    """

    steps: Annotated[Sequence["Step"], Field(min_length=1), freeze_sequence]
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
    otherwise: Annotated[Sequence["Step"], freeze_sequence] = ()
    label: Name = "branch"
    kind: Literal["branch"] = "branch"


Step = Annotated[Work | Call | Send | Publish | Parallel | Branch, Field(discriminator="kind")]

AnyStep = Work | Call | Send | Publish | Parallel | Branch

complete(Parallel, Branch)
