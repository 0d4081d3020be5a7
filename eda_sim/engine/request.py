"""One client interaction, and the ids of what it causes."""

from eda_sim.rules.identity import message_id, message_made_again, request_id
from eda_sim.rules.order import request_turn


class Request:
    """A request: its number in its source, its key, and its turn at one instant."""

    __slots__ = ("_again", "id", "key", "number", "started_at", "tried_again", "turn")

    def __init__(self, source: int, number: int, started_at: float) -> None:
        self.number = number
        self.id = request_id(source, number)
        self.key = self.id
        self.started_at = started_at
        self.turn = request_turn(self.id)
        self.tried_again = 0  # how often anything of it was
        self._again: set[int] | None = None  # ids of messages that were made again

    def message(self, node: int, tries: int) -> int:
        """Return the id of the message made at a node after the folded ``tries``."""
        if not tries:
            return message_id(self.id, node)
        if self._again is None:
            self._again = set()
        message = message_made_again(self.id, node, tries, self._again)
        self._again.add(message)
        return message
