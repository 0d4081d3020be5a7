"""What made an effect missing, repeated or late: one incident, and who let it stand.

The last thing that went wrong is what an effect is missing for: had it gone well, the work
would have been done. The last thing that went wrong before work was done again is what it was
done again for. What comes late came after something that had held it up, or was simply
handled beside others.

Behind an incident is a fault of the scenario or a setting (``by``). What made it final, or made
somebody try again, is a setting as well (``policy``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

from eda_sim.errors import SimulationError
from eda_sim.results.audit.routes import Leg, Route, Routes
from eda_sim.results.audit.settings import Settings
from eda_sim.results.audit.troubles import begun, troubles
from eda_sim.results.case import Case, rows
from eda_sim.results.record import Record
from eda_sim.rules.incidents import INCIDENTS
from eda_sim.rules.plan import CallNode, MessageNode, PublicationNode, WorkNode, way_to
from eda_sim.scenario.delivery import Deduplication, DeliveryPolicy
from eda_sim.scenario.faults import ServiceFault

# What an effect can be missing or late for without any incident.
STILL_UNDER_WAY: Final = "still_under_way"
SIDE_BY_SIDE: Final = "side_by_side"

# What follows from the reasons.
OUTCOMES: Final = ("dead_lettered",)

# They make something late or come twice, but keep nothing from happening.
_HARMLESS: Final = ("held_up", "doubled", "redriven", "acknowledgement_lost")
# What was on its way does not arrive: nobody has handled anything.
_SILENT: Final = ("cut_off", "lost_on_the_way")
_FOR_GOOD: Final = ("permanent_failure", "poison_message")

# Work fails before its caller's patience ends, and so on.
_ORDER: Final = {what: position for position, what in enumerate(INCIDENTS)}

# Where the setting behind an incident is found.
_OF_WORK: Final = {"transient_failure": "transient", "permanent_failure": "permanent"}
_OF_CALL: Final = {
    "timed_out": "timeout",
    "deadline_passed": "propagate_deadline",
    "budget_exhausted": "retry",
    "short_circuited": "breaker",
    "bulkhead_full": "bulkhead",
}
_OF_SERVICE: Final = {
    "inbox_full": "inbox",
    "rate_limited": "rate_limit",
    "shed": "shed_after",
    "returned": "autoscale",  # no fault did it, so nobody wanted the instance any more
}


@dataclass(frozen=True)
class Blame:
    """What happened when, which fault or setting did it, and which setting let it stand."""

    what: str
    at: float
    by: str
    policy: str


class Judge:
    """Finds what is to blame, from the file of a request and the routes of its source."""

    def __init__(self, record: Record) -> None:
        scenario = record.scenario
        self._scenario = scenario
        self._settings = Settings(scenario)
        self._faults = rows(record.faults)
        self._end = scenario.duration + scenario.drain

    # -- missing --------------------------------------------------------------------

    def missing(self, case: Case, routes: Routes, work: WorkNode) -> Blame:
        """Return what keeps a work from ever having been done."""
        route = routes.to(work)
        level = max((i for i, leg in enumerate(route) if _got_to(case, leg)), default=0)
        unit = _unit(route, level)
        ways = {leg.message.number: leg.first for leg in route}
        last = _latest(
            trouble
            for made in case.made(route[unit].message.number)
            for trouble in (
                *troubles(case, made.message, route[unit].service, ways),
                *case.incidents[made.message, made.sender],
            )
            if trouble.what not in _HARMLESS
        )
        if self._goes_on(case, route[unit : level + 1], last):
            return self._still_under_way(route[level], last)
        if last is None:
            raise SimulationError(
                f"request {case.id}: {work.step.label!r} of {work.owner!r} is missing for no reason"
            )
        policy = self._let_stand(case, routes, route[unit], last)
        return self._blame(case, routes, last, policy)

    def _goes_on(self, case: Case, legs: Iterable[Leg], last: Any) -> bool:
        """Say whether something on the way had not ended when the run did."""
        for leg in legs:
            for made in case.made(leg.message.number):
                if isnan(made.accepted_at) and _is_in_outbox(case, leg, made):
                    return True
                if case.is_under_way(made.message, leg.service):
                    # A caller without timeout waits to the end for what never arrives.
                    waits = last is not None and last.message in case.calls
                    return not (waits and last.what in _SILENT)
        return case.request.outcome == "unfinished" and last is None

    def _still_under_way(self, leg: Leg, last: Any) -> Blame:
        """Blame the end of the run, and the fault that outlives it if there is one."""
        number = self._active_fault({leg.service}, self._end, self._end)
        if number is None and last is not None and self._outlives(last.fault):
            number = last.fault
        policy = self._settings.of_scenario("drain")
        by = policy if number is None else self._settings.of_fault(number)
        return Blame(STILL_UNDER_WAY, self._end, by, policy)

    def _let_stand(self, case: Case, routes: Routes, leg: Leg, last: Any) -> str:
        """Return the setting that made the last incident final."""
        settings = self._settings
        if leg.is_call:
            return self._retry_of(case, routes, leg, last)
        made = case.made(leg.message.number)[-1]
        if last.message == made.message and last.service == made.sender:
            if last.what == "topic_full":
                return settings.of_topic(leg.message.name, "when_full")
            return settings.of_broker("when_unreachable")
        if _promised(leg).guarantee == "at_most_once":
            return settings.of_delivery(leg.handling, "guarantee")
        if last.what in _FOR_GOOD:
            return settings.of_delivery(leg.handling, "dead_letter")
        return settings.of_delivery(leg.handling, "retry.max_attempts")

    def _retry_of(self, case: Case, routes: Routes, leg: Leg, trouble: Any) -> str:
        """Return how the call was to be tried again to which the trouble happened."""
        node = routes.message(case.messages[trouble.message].node)
        return self._settings.of_step(node if isinstance(node, CallNode) else leg.message, "retry")

    # -- repeated -------------------------------------------------------------------

    def repeated(self, case: Case, routes: Routes, work: WorkNode, first: Any, again: Any) -> Blame:
        """Return for what a work was done ``again``, after it had been done ``first``."""
        route = routes.to(work)
        level = len(route) - 1
        before, after = first.message, again.message
        until = begun(case, again)
        while before != after:
            until = max(case.messages[each].published_at for each in (before, after))
            before, after = case.messages[before].cause, case.messages[after].cause
            level -= 1
        # Where work of one label is meant several times, what is done twice may lie further up.
        while (last := _before(case, before, route[level].service, until)) is None and level > 0:
            until = case.messages[before].published_at
            before, level = case.messages[before].cause, level - 1
        if last is None:
            raise SimulationError(
                f"request {case.id}: {work.step.label!r} of {work.owner!r} is repeated for no "
                "reason"
            )
        return self._blame(case, routes, last, self._why_again(routes, route[level], last))

    def _why_again(self, routes: Routes, leg: Leg, last: Any) -> str:
        settings = self._settings
        if last.what == "redriven":
            return settings.of_redrive(leg.service, leg.message.name, last.at)
        if leg.is_call:
            if last.what == "doubled":  # nobody has repeated it
                return settings.of_fault(last.fault)
            return settings.of_step(leg.message, "retry")
        memory = _promised(leg).deduplication
        has_forgotten = memory is not None and memory != Deduplication()
        if has_forgotten or last.what == "doubled":
            return settings.of_delivery(leg.handling, "idempotent")
        return settings.of_delivery(leg.handling, "guarantee")

    # -- out of order ---------------------------------------------------------------

    def out_of_order(self, case: Case, routes: Routes, work: WorkNode, late: Any) -> Blame:
        """Return what held up a work until that for a later message had been done."""
        leg = routes.to(work)[-1]
        last = _latest(
            trouble
            for trouble in troubles(case, late.message, leg.service)
            if late.said_at <= trouble.at <= late.done_at
        )
        if leg.is_call:
            policy = self._settings.of_service(leg.service, "workers")
        else:
            name = "retry_topic" if _promised(leg).retry_topic else "ordered"
            policy = self._settings.of_delivery(leg.handling, name)
        if last is None:
            return Blame(SIDE_BY_SIDE, late.overtaken_at, policy, policy)
        return self._blame(case, routes, last, policy)

    # -- who did it -----------------------------------------------------------------

    def _blame(self, case: Case, routes: Routes, trouble: Any, policy: str) -> Blame:
        return Blame(trouble.what, trouble.at, self._who(case, routes, trouble), policy)

    def _who(self, case: Case, routes: Routes, trouble: Any) -> str:
        """Return the fault or the setting behind an incident."""
        settings, what, service = self._settings, trouble.what, trouble.service
        message = case.messages[trouble.message]
        if trouble.fault >= 0:
            return settings.of_fault(trouble.fault)
        if what in _OF_WORK:
            return settings.of_step(routes.work(trouble.node), _OF_WORK[what])
        if what == "redriven":
            return settings.of_redrive(service, message.name, trouble.at)
        node = routes.message(case.messages[trouble.message].node)
        fault = self._active_fault(routes.needed[node], message.published_at, trouble.at)
        if fault is not None:
            return settings.of_fault(fault)
        if what in _OF_CALL:
            return self._of_call(node, _OF_CALL[what])
        if what in _OF_SERVICE:
            return settings.of_service(service, _OF_SERVICE[what])
        if what == "topic_full":
            return settings.of_topic(message.name, "capacity")
        handling = next(each for each in node.inside if each.owner == service)
        return settings.of_delivery(handling, "ack_timeout")

    def _of_call(self, node: MessageNode, name: str) -> str:
        """Return a setting of a call; a deadline may have come with a call further up."""
        assert isinstance(node, CallNode)
        if name == "propagate_deadline" or (name == "timeout" and node.step.timeout is None):
            above = [handling.message for handling in way_to(node)]
            calls = (each for each in (node, *reversed(above)) if isinstance(each, CallNode))
            node = next(call for call in calls if call.step.propagate_deadline)
            name = "propagate_deadline"
        return self._settings.of_step(node, name)

    def _active_fault(self, services: set[str], begin: float, end: float) -> int | None:
        """Return the latest fault of one of these services that was active between two times."""
        active = [
            row
            for row in self._faults
            if row.started_at <= end and not row.ended_at < begin
            if isinstance(fault := self._scenario.faults[row.fault], ServiceFault)
            and fault.service in services
        ]
        return max(active, key=lambda row: row.started_at).fault if active else None

    def _outlives(self, number: int) -> bool:
        """Say whether a fault was still active when the run ended."""
        return any(row.fault == number and not row.ended_at < self._end for row in self._faults)


def _got_to(case: Case, leg: Leg) -> bool:
    """Say whether a request got as far as a message, and not only to the attempt to make it.

    What the broker has neither accepted nor lost is its sender's business still.
    """
    return any(
        made.message in case.calls
        or not isnan(made.accepted_at)
        or case.deliveries(made.message)
        or _is_in_outbox(case, leg, made)
        for made in case.made(leg.message.number)
    )


def _is_in_outbox(case: Case, leg: Leg, made: Any) -> bool:
    message = leg.message
    in_outbox = isinstance(message, PublicationNode) and message.outbox is not None
    return in_outbox and not case.deliveries(made.message)


def _promised(leg: Leg) -> DeliveryPolicy:
    """Return the delivery policy in force."""
    assert leg.handling.policy is not None
    return leg.handling.policy


def _unit(route: Route, level: int) -> int:
    """Return the leg that is tried again as a whole when something on ``level`` goes wrong.

    A call that fails fails its caller's attempt, so that is the nearest delivery, or the client.
    """
    while level > 0 and route[level].is_call:
        level -= 1
    return level


def _latest(troubles: Iterable[Any]) -> Any:
    """Return the latest, at one instant what follows from others; None if there is none."""
    reasons = (trouble for trouble in troubles if trouble.what not in OUTCOMES)
    return max(reasons, key=lambda trouble: (trouble.at, _ORDER[trouble.what]), default=None)


def _before(case: Case, message: int, service: str, until: float) -> Any:
    """Return the last incident for which a message may have been handled again by ``until``.

    What happened to it before it had been handled at all is none.
    """
    return _latest(
        trouble
        for trouble in troubles(case, message, service)
        if trouble.at <= until
        and trouble.what not in ("held_up", "returned")
        and not (trouble.what in _SILENT and trouble.message == message)
    )
