"""Clients: each source of traffic starts requests and waits for their answers.

Clients do not wait for each other: a slow system gets its requests at the same
times as a fast one (an open workload).
"""

from eda_sim.engine.calls import CallStep
from eda_sim.engine.job import Process
from eda_sim.engine.publication import PublicationStep
from eda_sim.engine.recorder import NEVER, OPEN
from eda_sim.engine.request import Request
from eda_sim.engine.stage import Stage
from eda_sim.rules.addresses import KEY, Address
from eda_sim.rules.order import Rank, turn
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.plan import Unfolding
from eda_sim.rules.tables import REQUESTS

_STARTS = turn(Rank.REQUEST_STARTS)
_ANSWERED_AT, _OUTCOME = REQUESTS.positions("answered_at", "outcome")


class ClientsActor:
    """A source of traffic in a run."""

    def __init__(
        self, stage: Stage, unfolding: Unfolding, message: CallStep | PublicationStep
    ) -> None:
        source, recorder = unfolding.source, stage.recorder
        self._clock = stage.clock
        self._luck = stage.luck
        self._position = unfolding.position
        self._source = source
        self._keys = stage.luck.stream(*Address(KEY, source.name)) if source.keys else None
        self._duration = stage.scenario.duration
        self._takes_time = message.takes_time
        self._begin = message.call if isinstance(message, CallStep) else message.publish
        self._record = recorder.requests.add
        self._name = recorder.names.code(source.name)
        self._outcomes = recorder.codes | {
            Outcome.FAILED_PERMANENTLY: recorder.codes[Outcome.FAILED]
        }
        stage.clock.process(self._arrive())

    def _arrive(self) -> Process:
        """Start each request at its time, for as long as the scenario lasts."""
        gaps = self._luck.unit_gaps(self._source.name)
        for number, time in enumerate(self._source.arrivals.moments(gaps)):
            if time >= self._duration:
                return
            request = Request(self._position, number, time)
            if self._keys is not None and self._source.keys is not None:
                request.key = self._source.keys.key(self._keys.uniform(number))
            yield self._clock.wait_until(time, _STARTS + request.turn)
            interaction = self._interact(request)
            if self._takes_time:
                self._clock.process(interaction)
            else:
                yield from interaction

    def _interact(self, request: Request) -> Process:
        """One interaction: ask, and note when the answer came and what it said."""
        row = [request.id, self._name, request.key, self._clock.now, NEVER, OPEN]
        self._record(row)
        outcome = yield from self._begin(request, 0)
        row[_ANSWERED_AT] = self._clock.now
        row[_OUTCOME] = self._outcomes[outcome]
