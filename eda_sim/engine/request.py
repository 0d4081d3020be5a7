"""One client interaction, and the ids of what it causes."""

from eda_sim.errors import SimulationError
from eda_sim.rules.order import request_turn
from eda_sim.rules.unfolding import message_id, request_id


class Request:
    """A request: its number in its source, its key, and its turn at one instant."""

    __slots__ = ("_repetitions", "id", "key", "number", "started_at", "turn")

    def __init__(self, source: int, number: int, started_at: float) -> None:
        self.number = number
        self.id = request_id(source, number)
        self.key = self.id
        self.started_at = started_at
        self.turn = request_turn(self.id)
        self._repetitions: dict[int, int] | None = None

    def message(self, number: int, tries: int) -> int:
        """Return the id of a message made after the folded ``tries``.

        Where all tries were first there is only one; the others are counted.
        """
        repetition = 0
        if tries:
            if self._repetitions is None:
                self._repetitions = {}
            repetition = self._repetitions[number] = self._repetitions.get(number, 0) + 1
            if repetition == 1000:
                raise SimulationError(
                    f"request {self.id} made one message 1000 times: allow fewer attempts"
                )
        return message_id(self.id, number, repetition)
