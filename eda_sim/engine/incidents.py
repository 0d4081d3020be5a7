"""What goes wrong, written down where and when it happens.

A run in which nothing goes wrong pays nothing for this.
"""

from typing import Final

from eda_sim.engine.clock import Clock
from eda_sim.engine.recorder import NOBODY, Recorder
from eda_sim.engine.request import Request
from eda_sim.rules.incidents import INCIDENTS

NO_FAULT: Final = -1
NO_WORK: Final = -1


class Incidents:
    """The table of what went wrong, and the codes of its words."""

    def __init__(self, clock: Clock, recorder: Recorder) -> None:
        self._clock = clock
        self._record = recorder.incidents.add
        self._code = recorder.names.code

    def note(
        self,
        what: str,
        message: int,
        request: Request,
        service: int,
        attempt: int = NOBODY,
        fault: int = NO_FAULT,
        node: int = NO_WORK,
        label: str = "",
    ) -> None:
        """Write down that ``what`` happened now to one try of a message at a ``service``.

        ``node`` and ``label`` are those of the work that failed.
        """
        assert what in INCIDENTS
        self._record(
            [
                message,
                request.id,
                service,
                attempt,
                self._code(what),
                node,
                self._code(label),
                fault,
                self._clock.now,
            ]
        )
