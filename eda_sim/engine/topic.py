"""A topic with a capacity: what the broker holds of it, and who waits for room.

A message is held from its acceptance until it has ended for every subscriber. Whoever waits for
room has been heard already and goes on waiting while the broker is down or cut off from him; he is
admitted when there is room and the broker is there, before all that came after him.
"""

from collections import deque

from simpy import Event

from eda_sim.engine.clock import Clock
from eda_sim.engine.links import Condition, Link


class Topic:
    """How full one topic is."""

    def __init__(self, clock: Clock, capacity: int) -> None:
        self._clock = clock
        self._capacity = capacity
        self._held = 0
        self._waiting: deque[tuple[Event, Link | None]] = deque()  # for room, and their links
        self._awaited: set[Condition] = set()  # faults after which some of them are admitted

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more message, or others are admitted before it."""
        return self._held >= self._capacity or any(_cut(link) is None for _, link in self._waiting)

    def enter(self) -> None:
        """A message is accepted."""
        self._held += 1

    def wait(self, link: Link | None) -> Event:
        """Return what happens when it is the turn of a publisher behind ``link`` to enter."""
        room = Event(self._clock)
        self._waiting.append((room, link))
        return room

    def give_up(self, room: Event) -> None:
        """Whoever waited for ``room`` is dead."""
        if room.triggered:
            self.leave()
        else:
            self._waiting = deque(each for each in self._waiting if each[0] is not room)

    def leave(self) -> None:
        """A message has ended: the place goes to who has waited longest."""
        self._held -= 1
        self._admit()

    def _admit(self) -> None:
        """Let in whom the broker can hear, as long as there is room."""
        for waiting in tuple(self._waiting):
            if self._held >= self._capacity:
                return
            room, link = waiting
            cut = _cut(link)
            if cut is None:
                self._waiting.remove(waiting)
                self._held += 1
                room.succeed()
            elif cut not in self._awaited:
                self._admit_after(cut)

    def _admit_after(self, cut: Condition) -> None:
        def admit(_: Event) -> None:
            self._awaited.discard(cut)
            self._admit()

        self._awaited.add(cut)
        assert cut.over.callbacks is not None
        cut.over.callbacks.append(admit)


def _cut(link: Link | None) -> Condition | None:
    """Return what keeps the broker from hearing a publisher now, if anything does."""
    return None if link is None else link.cut


class Held:
    """A message in a topic with a capacity, until the last of its deliveries ends."""

    __slots__ = ("_left", "_topic")

    def __init__(self, topic: Topic, deliveries: int) -> None:
        self._topic = topic
        self._left = deliveries
        if deliveries == 0:
            topic.leave()

    def ended(self) -> None:
        """One of the deliveries has ended."""
        self._left -= 1
        if self._left == 0:
            self._topic.leave()
