"""The dead-letter queue of a service, where the scenario redrives from it.

Otherwise nobody looks at dead letters again during a run, and the deliveries table
says all about them.
"""

from typing import TYPE_CHECKING

from eda_sim.engine.clock import Clock
from eda_sim.engine.job import Process
from eda_sim.rules.order import Rank, turn
from eda_sim.scenario.redrive import Redrive

if TYPE_CHECKING:
    from eda_sim.engine.delivery import Delivery

_REDRIVES = turn(Rank.RETRY_DUE)


class DeadLetters:
    """What has been given up by one service, in the order of giving up."""

    def __init__(self, clock: Clock, redrives: list[Redrive]) -> None:
        self._clock = clock
        self._letters: dict[Delivery, None] = {}  # in the order of giving up
        for redrive in redrives:
            clock.process(self._redrive(redrive))

    def add(self, delivery: "Delivery") -> None:
        """A delivery was given up."""
        self._letters[delivery] = None

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
