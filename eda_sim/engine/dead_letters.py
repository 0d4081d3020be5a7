"""The dead-letter queue of a service, where the scenario redrives from it, and each redrive.

The broker sends them back: what is due while it is down goes when it is there again. Otherwise
nobody looks at dead letters again during a run, and the deliveries table says all about them.
"""

from typing import Protocol

from eda_sim.engine.clock import Clock
from eda_sim.engine.job import Process
from eda_sim.engine.links import Network
from eda_sim.rules.order import Rank, turn
from eda_sim.scenario.redrive import Redrive

_REDRIVES = turn(Rank.REDRIVEN)


class Letter(Protocol):
    """A delivery that was given up."""

    @property
    def message_name(self) -> str:
        """The name of the message."""

    def redrive(self) -> None:
        """It is to be handled again."""

    def stays_dead(self) -> None:
        """The run is over, and nobody has redriven it."""


class DeadLetters:
    """What has been given up by one service, in the order of giving up."""

    def __init__(self) -> None:
        self._letters: dict[Letter, None] = {}

    def add(self, letter: Letter) -> None:
        """A delivery was given up."""
        self._letters[letter] = None

    def named(self, message: str | None) -> list[Letter]:
        """Return the letters with a message name, or all of them."""
        return [letter for letter in self._letters if message in (None, letter.message_name)]

    def redrive(self, letter: Letter) -> None:
        """Send a letter back, unless another redrive has been quicker."""
        if letter in self._letters:
            del self._letters[letter]
            letter.redrive()

    def close(self) -> None:
        """The run is over: what is still here stays dead."""
        for letter in self._letters:
            letter.stays_dead()


class RedriveActor:
    """One redrive of the scenario in a run."""

    def __init__(
        self, clock: Clock, network: Network, letters: DeadLetters, description: Redrive
    ) -> None:
        self._clock = clock
        self._network = network
        self._letters = letters
        self._description = description
        clock.process(self._redrive())

    def _redrive(self) -> Process:
        """At its time send back what is there, at its rate."""
        at, rate = self._description.at, self._description.rate
        yield from self._broker_is_there(at)
        for number, letter in enumerate(self._letters.named(self._description.message)):
            if number and rate is not None:
                yield from self._broker_is_there(at + number / rate)
            self._letters.redrive(letter)

    def _broker_is_there(self, time: float) -> Process:
        """Wait until ``time``, and until the broker is up."""
        if time >= self._clock.now:
            yield self._clock.wait_until(time, _REDRIVES)
        while (outage := self._network.broker_outage) is not None:
            yield outage.over
