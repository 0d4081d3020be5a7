"""The broker's side of a publication: what has arrived there is accepted, and goes on to everybody.

A message that arrives again, because its publisher does not know that the broker has it, is
accepted again: each time it has a delivery for each subscriber, and luck of its own.
"""

from collections.abc import Sequence

from eda_sim.engine.clock import Clock
from eda_sim.engine.recorder import OPEN, Row
from eda_sim.engine.request import Request
from eda_sim.engine.subscription import Subscription
from eda_sim.engine.topic import Held, Topic
from eda_sim.rules.luck import fold_copy
from eda_sim.rules.tables import MESSAGES

_PUBLISHED_AT, _ACCEPTED_AT = MESSAGES.positions("published_at", "accepted_at")


class Published:
    """A message from when its publisher makes it until it needs nobody to publish it any more."""

    __slots__ = ("accepted", "attempts", "message", "request", "row", "tries")

    def __init__(self, request: Request, message: int, tries: int, row: Row) -> None:
        self.request = request
        self.message = message
        self.tries = tries  # of the attempts that led to it
        self.row = row
        self.attempts = 0  # how often it was handed over
        self.accepted = 0  # how often the broker has accepted it


class Acceptance:
    """What the broker does with the messages that are made at one node of the plan."""

    def __init__(
        self, clock: Clock, subscriptions: Sequence[Subscription], topic: Topic | None
    ) -> None:
        self._clock = clock
        self._subscriptions = subscriptions
        self.topic = topic

    def accept(self, published: Published) -> None:
        """The broker has it, and there is room: it goes on to every subscriber."""
        row, tries = published.row, published.tries
        if row[_ACCEPTED_AT] is OPEN:
            row[_ACCEPTED_AT] = self._clock.now
        if published.accepted:
            tries = fold_copy(tries, published.accepted)
        published.accepted += 1
        held = None if self.topic is None else Held(self.topic, len(self._subscriptions))
        published_at = row[_PUBLISHED_AT]
        for each in self._subscriptions:
            each.deliver(published.request, published.message, tries, published_at, held)

    def lose(self, published: Published) -> None:
        """The broker will never have it: each subscriber loses it."""
        published_at = published.row[_PUBLISHED_AT]
        for each in self._subscriptions:
            each.lose(published.request, published.message, published_at)
