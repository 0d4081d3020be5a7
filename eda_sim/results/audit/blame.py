"""What made an effect missing, repeated or late: one incident, and who let it stand.

The last thing that went wrong is what an effect is missing for: had it gone well, the work
would have been done. The last thing that went wrong before work was done again is what it was
done again for. What comes late came after something that had held it up, or was simply
handled beside others.

Behind an incident is a fault of the scenario or a setting (``by``, see ``causes``). What made it
final, or made somebody try again, is a setting as well (``policy``, see ``remedies``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

from eda_sim.errors import SimulationError
from eda_sim.results.audit.causes import Causes
from eda_sim.results.audit.remedies import Remedies, tries_again
from eda_sim.results.audit.routes import Leg, Route, Routes
from eda_sim.results.audit.settings import Settings
from eda_sim.results.audit.troubles import SILENT, begun, troubles
from eda_sim.results.case import Case
from eda_sim.results.record import Record
from eda_sim.rules.incidents import INCIDENTS
from eda_sim.rules.outcomes import Outcome
from eda_sim.rules.plan import PublicationNode, WorkNode

# What an effect can be missing or late for without any incident.
STILL_UNDER_WAY: Final = "still_under_way"
SIDE_BY_SIDE: Final = "side_by_side"

# What follows from the reasons.
OUTCOMES: Final = ("dead_lettered", "deduplicated")

# They make something late or come twice, but keep nothing from happening.
_HARMLESS: Final = (
    "held_up",
    "doubled",
    "accepted_again",
    "redriven",
    "acknowledgement_lost",
)

# With them a message is handled anew, whoever tries again; with these it has not been handled.
_ANEW: Final = ("doubled", "accepted_again", "redriven")
_UNBEGUN: Final = ("held_up", "returned", "confirmation_lost")

# Work fails before its caller's patience ends, and so on.
_ORDER: Final = {what: position for position, what in enumerate(INCIDENTS)}


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
        self._settings = Settings(record.scenario)
        self._causes = Causes(record)
        self._remedies = Remedies(record, self._causes)
        self._end = record.scenario.duration + record.scenario.drain

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
            return self._still_under_way(routes, route[level], last)
        if last is None:
            raise SimulationError(
                f"request {case.id}: {work.step.label!r} of {work.owner!r} is missing for no reason"
            )
        policy = self._remedies.of_missing(case, routes, route[unit], last)
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
                    return not (waits and last.what in SILENT)
        return case.request.outcome == Outcome.UNFINISHED and last is None

    def _still_under_way(self, routes: Routes, leg: Leg, last: Any) -> Blame:
        """Blame the end of the run, and the fault that outlives it if there is one."""
        number = self._causes.active_fault({leg.service}, self._end, self._end)
        if number is None and last is not None and self._causes.outlives(last.fault):
            number = last.fault
        settings = self._settings
        by = settings.of_scenario("drain") if number is None else settings.of_fault(number)
        return Blame(STILL_UNDER_WAY, self._end, by, self._remedies.of_what_goes_on(routes, last))

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
        while (last := _before(case, before, route[level], until)) is None and level > 0:
            until = case.messages[before].published_at
            before, level = case.messages[before].cause, level - 1
        if last is None:
            raise SimulationError(
                f"request {case.id}: {work.step.label!r} of {work.owner!r} is repeated for no "
                "reason"
            )
        return self._blame(case, routes, last, self._remedies.of_repeated(route[level], last))

    # -- out of order ---------------------------------------------------------------

    def out_of_order(self, case: Case, routes: Routes, work: WorkNode, late: Any) -> Blame:
        """Return what held up a work until that for a later message had been done."""
        leg = routes.to(work)[-1]
        last = _latest(
            trouble
            for trouble in troubles(case, late.message, leg.service)
            if late.said_at <= trouble.at <= late.done_at
        )
        policy = self._remedies.of_lateness(leg, last)
        if last is not None:
            return self._blame(case, routes, last, policy)
        if leg.is_call:
            by = self._settings.of_service(leg.service, "workers")
        else:
            by = self._settings.of_delivery(leg.handling, "ordered")
        return Blame(SIDE_BY_SIDE, late.overtaken_at, by, policy)

    # -- who did it -----------------------------------------------------------------

    def _blame(self, case: Case, routes: Routes, trouble: Any, policy: str) -> Blame:
        return Blame(trouble.what, trouble.at, self._causes.of(case, routes, trouble), policy)


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
    return max(reasons, key=_turn, default=None)


def _turn(trouble: Any) -> tuple[float, int]:
    return trouble.at, _ORDER.get(trouble.what, len(_ORDER))


def _before(case: Case, message: int, leg: Leg, until: float) -> Any:
    """Return the last incident for which a message may have been handled again by ``until``."""
    return _latest(
        trouble
        for trouble in troubles(case, message, leg.service)
        if trouble.at <= until and _brings_again(leg, message, trouble)
    )


def _brings_again(leg: Leg, message: int, trouble: Any) -> bool:
    """Say whether a message may be handled again for what went wrong.

    Two that arrive are handled as two; whatever else goes wrong needs somebody who tries again.
    What happened to the message before it had been handled at all is no reason.
    """
    is_own = bool(trouble.message == message)
    if trouble.what in ("doubled", "accepted_again", "redriven"):
        return is_own
    if trouble.what in ("held_up", "returned", "confirmation_lost") or (
        trouble.what in SILENT and is_own
    ):
        return False
    return tries_again(leg)
