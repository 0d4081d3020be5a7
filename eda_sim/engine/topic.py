"""A topic with a capacity: what the broker holds of it, and who waits for room.

A message is held from its acceptance until it has ended for every subscriber.
"""

from collections import deque

from simpy import Event

from eda_sim.engine.clock import Clock


class Topic:
    """How full one topic is."""

    def __init__(self, clock: Clock, capacity: int) -> None:
        self._clock = clock
        self._capacity = capacity
        self._held = 0
        self._waiting: deque[Event] = deque()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for one more message, or others wait for it already."""
        return self._held >= self._capacity or bool(self._waiting)

    def enter(self) -> None:
        """A message is accepted."""
        self._held += 1

    def wait(self) -> Event:
        """Return what happens when it is the caller's turn to enter."""
        room = Event(self._clock)
        self._waiting.append(room)
        return room

    def give_up(self, room: Event) -> None:
        """Whoever waited for ``room`` is dead."""
        if room.triggered:
            self.leave()
        else:
            self._waiting.remove(room)

    def leave(self) -> None:
        """A message has ended: the place goes to who has waited longest."""
        if self._waiting:
            self._waiting.popleft().succeed()
        else:
            self._held -= 1


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
