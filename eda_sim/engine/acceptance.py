"""The broker's side of a publication: what has arrived there is accepted, and goes on to everybody.

A message that arrives again, because its publisher does not know that the broker has it, is
accepted again: each time it has a delivery for each subscriber, and luck of its own. A broker that
deduplicates knows its id, for a while or for the session of a publisher, which ends with his life.
"""

from collections.abc import Sequence

from eda_sim.engine.clock import Clock
from eda_sim.engine.incidents import NO_FAULT
from eda_sim.engine.recorder import Row
from eda_sim.engine.request import Request
from eda_sim.engine.subscription import Subscription
from eda_sim.engine.topic import Held, Topic
from eda_sim.rules.luck import fold_copy
from eda_sim.rules.memory import UNBOUNDED, remembers
from eda_sim.rules.tables import MESSAGES

_PUBLISHED_AT, _ACCEPTED_AT = MESSAGES.positions("published_at", "accepted_at")


class Published:
    """A message from when its publisher makes it until it needs nobody to publish it any more."""

    __slots__ = (
        "accepted",
        "accepted_at",
        "accepted_in",
        "attempts",
        "fault",
        "message",
        "request",
        "row",
        "session",
        "tries",
    )

    def __init__(self, request: Request, message: int, tries: int, row: Row) -> None:
        self.request = request
        self.message = message
        self.tries = tries  # of the attempts that led to it
        self.row = row
        self.attempts = 0  # how often it was handed over
        self.session = 0  # of its publisher: how often that has died over it
        self.accepted = 0  # how often the broker has accepted it, and when and in which session
        self.accepted_at = self.accepted_in = -1.0
        self.fault = NO_FAULT  # that makes it arrive again

    def begin_again(self, fault: int) -> None:
        """Its publisher has died and does not know whether it arrived."""
        self.session += 1
        self.fault = fault


class Acceptance:
    """What the broker does with the messages that are made at one node of the plan."""

    def __init__(
        self,
        clock: Clock,
        deduplicates: float | str | None,
        subscriptions: Sequence[Subscription],
        topic: Topic | None,
    ) -> None:
        self._clock = clock
        self._deduplicates = deduplicates
        self._subscriptions = subscriptions
        self.topic = topic

    def knows(self, published: Published, session: int) -> bool:
        """Say whether the broker has it and knows that, in a session of its publisher."""
        window = self._deduplicates
        if window is None or not published.accepted:
            return False
        if isinstance(window, str):
            return published.accepted_in == session
        return remembers(published.accepted_at, self._clock.now, window, 0, UNBOUNDED)

    def accept(self, published: Published, session: int = 0) -> None:
        """The broker has it, and there is room: it goes on to every subscriber."""
        row, tries = published.row, published.tries
        if published.accepted:
            # A link's copy of the attempt that published it is number 1.
            tries = fold_copy(tries, published.accepted + 1)
            for each in self._subscriptions:
                each.comes_again(published.request, published.message, published.fault)
        else:
            row[_ACCEPTED_AT] = self._clock.now
        published.accepted += 1
        published.accepted_at, published.accepted_in = self._clock.now, session
        held = None if self.topic is None else Held(self.topic, len(self._subscriptions))
        published_at = row[_PUBLISHED_AT]
        for each in self._subscriptions:
            each.deliver(published.request, published.message, tries, published_at, held)

    def lose(self, published: Published) -> None:
        """The broker will never have it: each subscriber loses it."""
        published_at = published.row[_PUBLISHED_AT]
        for each in self._subscriptions:
            each.lose(published.request, published.message, published_at)
