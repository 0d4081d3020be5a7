"""The dead-letter queue of a service, where the scenario redrives from it.

Otherwise nobody looks at dead letters again during a run, and the deliveries table
says all about them.
"""

from collections.abc import Sequence
from typing import Protocol

from eda_sim.engine.clock import Clock
from eda_sim.engine.job import Process
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

    def __init__(self, clock: Clock, redrives: Sequence[Redrive]) -> None:
        self._clock = clock
        self._letters: dict[Letter, None] = {}  # in the order of giving up
        for redrive in redrives:
            clock.process(self._redrive(redrive))

    def add(self, letter: Letter) -> None:
        """A delivery was given up."""
        self._letters[letter] = None

    def _redrive(self, redrive: Redrive) -> Process:
        yield self._clock.wait_until(redrive.at, _REDRIVES)
        chosen = [
            letter for letter in self._letters if redrive.message in (None, letter.message_name)
        ]
        for number, letter in enumerate(chosen):
            if number and redrive.rate is not None:
                yield self._clock.wait_until(redrive.at + number / redrive.rate, _REDRIVES)
            if letter in self._letters:  # another redrive may have been quicker
                del self._letters[letter]
                letter.redrive()

    def close(self) -> None:
        """The run is over: what is still here stays dead."""
        for letter in self._letters:
            letter.stays_dead()
