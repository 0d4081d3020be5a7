"""What a handler does: a list of steps.

Work occupies the worker, a call occupies it until the reply, a send or a
publish until the broker has accepted; ``Parallel`` and ``Branch`` hold steps.

The kinds of steps are a closed sum. Each says which sequences of steps are
``inside`` it, so whoever walks a handler needs to know no kind, and whoever must
tell the kinds apart matches them all.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, field
from typing import Annotated, ClassVar, Literal

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
from eda_sim.scenario.frozen import MOST_NESTED, FrozenDict, PlainData, freeze_sequence
from eda_sim.scenario.signature import ShownAs


@description
class Work:
    """Hold the worker for a drawn time, then perhaps fail. Completed work is an effect.

    Args:
        duration: how long, in seconds.
        label: what the work is called; the same label has the same luck in every architecture.
        transient: probability, drawn for each attempt, of a failure that another try may not meet.
        permanent: probability, drawn once for each request, of a failure that every try meets (a
            poison message).

    Example:
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
    inside: ClassVar["Ways"] = ()


@description
class Call:
    """Call the one handler of a command and hold the worker until the reply.

    Args:
        command: what is to be done, imperative.
        timeout: seconds until the caller gives up, though the callee still does the work; None:
            never.
        retry: when a failed or timed-out call is repeated; None: never.
        breaker: stops calling who keeps failing; None: none.
        bulkhead: how many such calls the caller may have under way at once, one more is rejected;
            None: without bound.
        propagate_deadline: whether the timeout travels with the call: what nobody waits for any
            more is not begun, and calls on its behalf wait no longer than that.

    Example:
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
    inside: ClassVar["Ways"] = ()

    @model_validator(mode="after")
    def _has_a_deadline(self) -> "Call":
        if self.propagate_deadline and self.timeout is None:
            raise ValueError(
                "propagate_deadline=True needs a timeout, got None: say how long the caller waits"
            )
        return self

    @model_validator(mode="after")
    def _comes_to_an_end(self) -> "Call":
        refuses = "breaker" if self.breaker is not None else "bulkhead"
        stops = self.breaker is not None or self.bulkhead is not None
        if stops and self.retry is not None and self.retry.shortest_wait == 0:
            raise ValueError(
                f"retry.max_attempts must be a number where a {refuses} refuses at once and "
                "nothing waits, got None: what is refused would be tried again for ever at one "
                "instant; limit it, or give the retry a backoff"
            )
        return self


@description
class Send:
    """Send a command through the broker to its one handler; go on once it is accepted.

    Args:
        command: what is to be done, imperative.

    Example:
        >>> Send("SendConfirmation").command
        'SendConfirmation'
    """

    command: Name
    _: KW_ONLY
    kind: Literal["send"] = "send"
    inside: ClassVar["Ways"] = ()


@description
class Outbox:
    """Where an event waits that was written together with the work before it.

    A relay publishes them, as long as an instance of the service is up. A crash loses none, and
    each is later by the wait.

    Args:
        poll: how often the relay looks, in seconds.
        batch: how many events it publishes at a time, at most.
    """

    _: KW_ONLY
    poll: PositiveSeconds = 1.0
    batch: Count = 100


@description
class Publish:
    """Publish an event through the broker to every subscriber; go on once it is accepted.

    Args:
        event: what has happened, in the past tense.
        data: what its envelope carries: texts, numbers, lists, mappings.
        version: of the event's schema.
        outbox: where it waits until a relay publishes it; None: it is published at once.

    Example:
        >>> Publish("OrderPlaced", data={"currency": "EUR"}, version=2)
        Publish('OrderPlaced', data={'currency': 'EUR'}, version=2)
    """

    event: Name
    _: KW_ONLY
    data: PlainData = field(default_factory=FrozenDict)
    version: Count = 1
    outbox: Outbox | None = None
    kind: Literal["publish"] = "publish"
    inside: ClassVar["Ways"] = ()


@description
class Parallel:
    """Do steps side by side; done when all are.

    Args:
        steps: what is done.

    Example:
        >>> Parallel([Call("ReserveItems"), Call("ProcessPayment")])
        Parallel((Call('ReserveItems'), Call('ProcessPayment')))
    """

    steps: Annotated[Sequence["Step"], Field(min_length=1), freeze_sequence]
    _: KW_ONLY
    kind: Literal["parallel"] = "parallel"

    @property
    def inside(self) -> "Ways":
        """Its steps."""
        return (self.steps,)

    @model_validator(mode="after")
    def _not_too_deep(self) -> "Parallel":
        _check_depth(self)
        return self


@description
class Branch:
    """A business decision, drawn for each request.

    Args:
        probability: of ``then``, a fraction.
        then: the steps done with that probability.
        otherwise: the steps done without.
        label: what the decision is called; the same label has the same luck in every architecture.

    Example:
        >>> Branch(0.2, then=[Send("CheckForFraud")], label="looks odd").otherwise
        ()
    """

    probability: Probability
    then: Annotated[Sequence["Step"], freeze_sequence]
    _: KW_ONLY
    otherwise: Annotated[Sequence["Step"], freeze_sequence] = ()
    label: Name = "branch"
    kind: Literal["branch"] = "branch"

    @property
    def inside(self) -> "Ways":
        """Both ways."""
        return self.then, self.otherwise

    @model_validator(mode="after")
    def _not_too_deep(self) -> "Branch":
        _check_depth(self)
        return self


Step = Annotated[
    Work | Call | Send | Publish | Parallel | Branch,
    Field(discriminator="kind"),
    ShownAs("Step"),
]


def _check_depth(step: "Parallel | Branch") -> None:
    """Refuse steps that stand so deep in each other that nobody could read them."""
    depth, level = 0, [step.inside]
    while level := [each.inside for ways in level for way in ways for each in way]:
        depth += 1
        if depth > MOST_NESTED:
            raise ValueError(
                f"steps must be nested at most {MOST_NESTED} deep, got more: let a service do the "
                "inner ones on a message of their own"
            )


AnyStep = Work | Call | Send | Publish | Parallel | Branch
MessageStep = Call | Send | Publish
Ways = tuple[Sequence[AnyStep], ...]  # steps that are done one after the other, each way apart

complete(Parallel, Branch)
