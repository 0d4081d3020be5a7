"""The nodes of a plan: one for each step at each place that a request may reach.

They are a closed sum: a step's node is a work, a call, a publication, a parallel or a branch,
and below each message stand its handlings, one for each service that handles it. Every node
says what is ``inside`` it, so whoever walks a plan needs to know no kind, and whoever must
tell the kinds apart matches them all.

A node also says, of what happens at it, at which address its random numbers are found
(``rules.addresses``) and in which turn it comes at one instant (``rules.order``). Nobody else
chooses either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from eda_sim.rules.addresses import Address
from eda_sim.rules.order import Rank, turn
from eda_sim.scenario.broker import Topic
from eda_sim.scenario.delivery import DeliveryPolicy
from eda_sim.scenario.messages import name_of
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import Branch, Call, Outbox, Parallel, Publish, Send, Work


@dataclass(eq=False)
class _Node:
    """What all nodes have.

    Attributes:
        source: the source of traffic from whose requests it is reached.
        owner: the service (or source) that does it.
        text: its address, without the place.
        parent: the node in which it is; None for what a client does.
        latest: the position of the latest-declared service on the way to it.
        place: which of the several times that a request reaches its address, from 0.
        number: its own within the plan of its source, from 0.
    """

    source: str
    owner: str
    text: str
    parent: "Node | None"
    latest: int
    place: int = field(default=0, kw_only=True)
    number: int = field(default=0, kw_only=True)

    @property
    def address(self) -> Address:
        """Where its random numbers are found."""
        return Address(self.text, self.source, self.place)

    @property
    def inside(self) -> Sequence["Node"]:
        """The nodes right below it, in the order of the description."""
        return ()

    def turn(self, rank: Rank) -> int:
        """Return the turn of something that happens here."""
        return turn(rank, self.number)


@dataclass(eq=False, kw_only=True)
class WorkNode(_Node):
    """A piece of work."""

    step: Work

    @property
    def ends(self) -> int:
        """The turn in which the work is over."""
        return self.turn(Rank.WORK_ENDS)


@dataclass(eq=False, kw_only=True)
class CallNode(_Node):
    """A command that is called; whoever calls waits for the reply."""

    step: Call
    inside: tuple["HandlerNode", ...] = ()

    @property
    def name(self) -> str:
        """The name of the command."""
        return self.step.command

    @property
    def handler(self) -> "HandlerNode":
        """What its one handler does."""
        return self.inside[0]

    @property
    def arrives(self) -> int:
        """The turn in which a try reaches the callee."""
        return self.turn(Rank.MESSAGE_ARRIVES)

    @property
    def replies(self) -> int:
        """The turn in which a reply reaches the caller."""
        return self.turn(Rank.REPLY_ARRIVES)

    @property
    def times_out(self) -> int:
        """The turn in which the caller gives up."""
        return self.turn(Rank.TIMEOUT)

    @property
    def is_due(self) -> int:
        """The turn in which it is tried again."""
        return self.turn(Rank.RETRY_DUE)


@dataclass(eq=False, kw_only=True)
class PublicationNode(_Node):
    """A command that is sent or an event that is published, through the broker.

    Attributes:
        topic: what the broker has been told about this message name alone.
    """

    step: Send | Publish
    topic: Topic
    inside: tuple["HandlerNode", ...] = ()

    @property
    def name(self) -> str:
        """The name of the command or event."""
        return name_of(self.step)

    @property
    def event(self) -> Publish | None:
        """What is published; None for a command, which has no data, no version and no outbox."""
        match self.step:
            case Publish() as event:
                return event
            case Send():
                return None
            case _:
                assert_never(self.step)

    @property
    def outbox(self) -> Outbox | None:
        """Where it waits until a relay publishes it, if it does."""
        return None if self.event is None else self.event.outbox

    @property
    def accepted(self) -> int:
        """The turn in which the broker has accepted it."""
        return self.turn(Rank.ACCEPTED)

    @property
    def is_due(self) -> int:
        """The turn in which it is published again, having got no answer."""
        return self.turn(Rank.REPUBLISHED)


@dataclass(eq=False, kw_only=True)
class HandlerNode(_Node):
    """What one service does with one message at one place, and what it has been promised.

    Attributes:
        message: the message that is handled.
        policy: the delivery policy in force: the handler's own, else the broker's; None for a
            call, which nobody delivers.
        partitions: how many its topic has, where it is ordered.
    """

    service: Service
    handler: Handler
    message: "MessageNode"
    policy: DeliveryPolicy | None
    partitions: int
    inside: tuple["StepNode", ...] = ()

    @property
    def arrives(self) -> int:
        """The turn in which a delivery reaches the subscriber."""
        return self.turn(Rank.MESSAGE_ARRIVES)

    @property
    def sent_again(self) -> int:
        """The turn in which the broker sends a delivery again that got lost on the way."""
        return self.turn(Rank.REPUBLISHED)

    @property
    def acknowledged(self) -> int:
        """The turn in which an acknowledgement is back."""
        return self.turn(Rank.ACKNOWLEDGED)

    @property
    def times_out(self) -> int:
        """The turn in which the broker takes an attempt for dead."""
        return self.turn(Rank.TIMEOUT)

    @property
    def is_due(self) -> int:
        """The turn in which a delivery is tried again."""
        return self.turn(Rank.RETRY_DUE)


@dataclass(eq=False, kw_only=True)
class ParallelNode(_Node):
    """Steps side by side."""

    step: Parallel
    inside: tuple["StepNode", ...] = ()


@dataclass(eq=False, kw_only=True)
class BranchNode(_Node):
    """A business decision, and what follows from it."""

    step: Branch
    then: tuple["StepNode", ...] = ()
    otherwise: tuple["StepNode", ...] = ()

    @property
    def inside(self) -> Sequence["Node"]:
        """Both ways."""
        return (*self.then, *self.otherwise)


MessageNode = CallNode | PublicationNode
StepNode = WorkNode | CallNode | PublicationNode | ParallelNode | BranchNode
Node = StepNode | HandlerNode
