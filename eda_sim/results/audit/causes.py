"""Who did it: the fault of the scenario or the setting behind an incident.

A caller that loses its patience may only have noticed what went wrong elsewhere: what it had
waited for was lost, or a service on which the answer depends was down or slow. Then that is
behind it, and not how long the caller would wait.
"""

from collections.abc import Iterator
from typing import Any, Final

from eda_sim.results.audit.routes import Routes
from eda_sim.results.audit.settings import Settings
from eda_sim.results.audit.troubles import behind
from eda_sim.results.case import Case, rows
from eda_sim.results.record import Record
from eda_sim.rules.plan import CallNode
from eda_sim.scenario.faults import ServiceFault

UNKNOWN: Final = ""

# Where the setting behind an incident is found.
_OF_WORK: Final = {"transient_failure": "transient", "permanent_failure": "permanent"}
_OF_CALL: Final = {
    "budget_exhausted": "retry",
    "short_circuited": "breaker",
    "bulkhead_full": "bulkhead",
}
_OF_PATIENCE: Final = ("timed_out", "deadline_passed")
_OF_SERVICE: Final = {
    "inbox_full": "inbox",
    "rate_limited": "rate_limit",
    "shed": "shed_after",
    "returned": "autoscale",  # no fault did it, so nobody wanted the instance any more
}


class Causes:
    """Finds who did it, from the file of a request and the routes of its source."""

    def __init__(self, record: Record) -> None:
        self._scenario = record.scenario
        self._settings = Settings(record.scenario)
        self._faults = rows(record.faults)
        self._end = record.scenario.duration + record.scenario.drain

    def of(self, case: Case, routes: Routes, trouble: Any) -> str:
        """Return the fault or the setting behind an incident, if either is known."""
        settings, what, service = self._settings, trouble.what, trouble.service
        if trouble.fault >= 0:
            return settings.of_fault(trouble.fault)
        if what in _OF_WORK:
            return settings.of_step(routes.work(trouble.node), _OF_WORK[what])
        message = case.messages[trouble.message]
        if what == "redriven":
            return settings.of_redrive(service, message.name, trouble.at)
        if (silence := behind(case, trouble)) is not None:
            return settings.of_fault(silence.fault)
        node = routes.message(message.node)
        fault = self.active_fault(routes.needed[node], message.published_at, trouble.at)
        if fault is not None:
            return settings.of_fault(fault)
        if what in _OF_PATIENCE:
            return self.of_patience(case, routes, trouble)
        if what in _OF_CALL:
            return settings.of_step(node, _OF_CALL[what])
        if what in _OF_SERVICE:
            return settings.of_service(service, _OF_SERVICE[what])
        if what == "topic_full":
            return settings.of_topic(message.name, "capacity")
        if what == "acknowledgement_timed_out":
            handling = next(each for each in node.inside if each.owner == service)
            return settings.of_delivery(handling, "ack_timeout")
        return UNKNOWN

    def of_patience(self, case: Case, routes: Routes, trouble: Any) -> str:
        """Return how long a caller would wait; a deadline may have come with a call further up."""
        node = routes.message(case.messages[trouble.message].node)
        assert isinstance(node, CallNode)
        deadlines = [
            (call, message)
            for call, message in _calls_up_to(case, routes, trouble.message)
            if call.step.propagate_deadline
        ]
        # Of several it is the furthest whose time was up as well.
        over = [
            call
            for call, message in deadlines
            if call is not node and _has_given_up(case, message, trouble.at)
        ]
        if trouble.what == "timed_out" and node.step.timeout is not None and not over:
            return self._settings.of_step(node, "timeout")
        return self._settings.of_step((over or [deadlines[0][0]])[-1], "propagate_deadline")

    def active_fault(self, services: set[str], begin: float, end: float) -> int | None:
        """Return the latest fault of one of these services that was active between two times."""
        active = [
            row
            for row in self._faults
            if row.started_at <= end and not row.ended_at < begin
            if isinstance(fault := self._scenario.faults[row.fault], ServiceFault)
            and fault.service in services
        ]
        return max(active, key=lambda row: row.started_at).fault if active else None

    def outlives(self, number: int) -> bool:
        """Say whether a fault was still active when the run ended."""
        return any(row.fault == number and not row.ended_at < self._end for row in self._faults)


def _calls_up_to(case: Case, routes: Routes, message: int) -> Iterator[tuple[CallNode, Any]]:
    """Yield a call, then those on whose behalf it was made, each with its message."""
    row = case.messages.get(message)
    while row is not None:
        node = routes.message(row.node)
        if not isinstance(node, CallNode):
            return
        yield node, row
        row = case.messages.get(row.cause)


def _has_given_up(case: Case, message: Any, until: float) -> bool:
    """Say whether the caller of a message waited no longer at a time."""
    service = case.calls[message.message].service
    return any(
        each.what in _OF_PATIENCE and each.at <= until
        for each in case.incidents[message.message, service]
    )
