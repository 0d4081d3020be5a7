"""What would have helped: the setting of a policy that let an effect be missing, repeated or late.

Another setting there, with the same luck, and the effect is as it was meant; or something else
is now in its way, and the audit names that. Where no policy would have helped, it says so: what
fails for good fails however often it is tried, and nobody gets the better of a fault that stays
to the end.

Where two settings stand in the way, both are named: a call that got lost and has no timeout
needs one, and another try as well if nobody else would try again.
"""

from typing import Any, Final

from eda_sim.results.audit.causes import Causes
from eda_sim.results.audit.routes import Leg, Routes
from eda_sim.results.audit.settings import Settings
from eda_sim.results.audit.troubles import SILENT, behind
from eda_sim.results.case import Case
from eda_sim.results.record import Record
from eda_sim.rules.plan import CallNode, HandlerNode, PublicationNode
from eda_sim.scenario.delivery import Deduplication, DeliveryPolicy, Retry
from eda_sim.scenario.faults import Outage, Slowdown

NONE: Final = "none"
_AND: Final = " and "

_FOR_GOOD: Final = ("permanent_failure", "poison_message")


class Remedies:
    """Finds what would have helped, from the file of a request and the routes of its source."""

    def __init__(self, record: Record, causes: Causes) -> None:
        self._scenario = record.scenario
        self._settings = Settings(record.scenario)
        self._causes = causes

    # -- missing --------------------------------------------------------------------

    def of_missing(self, case: Case, routes: Routes, leg: Leg, last: Any) -> str:
        """Return the setting that made the last incident final.

        ``leg`` is what is tried again as a whole: a delivery, or the call of a client.
        """
        silence = behind(case, last)
        if self._is_for_good(routes, last) or (silence and self._is_for_good(routes, silence)):
            return NONE
        node = routes.message(case.messages[last.message].node)
        if isinstance(node, CallNode) and (said := self._of_call(case, routes, leg, node, last)):
            return said
        if isinstance(node, PublicationNode) and _is_of_sender(case, last):
            return self._of_publication(node, last)
        if leg.is_call:
            tried = node if isinstance(node, CallNode) else leg.message
            return self._settings.of_step(tried, "retry")
        if promised(leg.handling).guarantee == "at_most_once":
            return self._settings.of_delivery(leg.handling, "guarantee")
        return self._settings.of_delivery(leg.handling, "retry.max_attempts")

    def _of_call(self, case: Case, routes: Routes, leg: Leg, node: CallNode, last: Any) -> str:
        """Return what is to be said of how a call is made; empty if another try is enough."""
        silence = behind(case, last)
        if last.what == "budget_exhausted":
            return self._settings.of_step(node, "retry")
        if last.what in SILENT:
            return self._to_notice(leg, node)
        if silence is not None and silence.message != last.message:
            lost = routes.message(case.messages[silence.message].node)
            if isinstance(lost, CallNode) and lost.step.timeout is None:
                return self._to_notice(leg, lost)
        is_lost = silence is not None and silence.message == last.message
        if last.what in ("timed_out", "deadline_passed") and not is_lost:
            return self._causes.of_patience(case, routes, last)
        return ""

    def _to_notice(self, leg: Leg, node: CallNode) -> str:
        """Return what is needed for a lost call to be noticed, and tried again by somebody."""
        timeout = self._settings.of_step(node, "timeout")
        if _repeats(node.step.retry) or (not leg.is_call and _delivers_again(leg.handling)):
            return timeout
        return timeout + _AND + self._settings.of_step(node, "retry")

    def _of_publication(self, node: PublicationNode, last: Any) -> str:
        """Return what the broker, or who publishes, does where the broker cannot take it."""
        if last.what == "topic_full":
            return self._settings.of_topic(node.name, "when_full")
        return self._settings.of_broker("when_unreachable")

    def of_what_goes_on(self, routes: Routes, last: Any) -> str:
        """Return what would have let it come to an end: more time, if time is what it needs."""
        return NONE if self._has_no_end(routes, last) else self._settings.of_scenario("drain")

    def _is_for_good(self, routes: Routes, trouble: Any) -> bool:
        """Say whether every other try would have met the same."""
        if trouble.what in _FOR_GOOD:
            return True
        if trouble.fault >= 0 and self._causes.outlives(trouble.fault):
            return self._hits_all(trouble)
        return self._always_fails(routes, trouble)

    def _has_no_end(self, routes: Routes, trouble: Any) -> bool:
        """Say whether the same would go on for ever."""
        if trouble is None:
            return False
        fault = self._scenario.faults[trouble.fault] if trouble.fault >= 0 else None
        always = fault is not None and fault.at is None and fault.mtbf is None
        return (always and self._hits_all(trouble)) or self._always_fails(routes, trouble)

    def _always_fails(self, routes: Routes, trouble: Any) -> bool:
        work = trouble.what == "transient_failure"
        return work and routes.work(trouble.node).step.transient == 1

    def _hits_all(self, trouble: Any) -> bool:
        """Say whether nothing gets past a fault while it lasts."""
        fault = self._scenario.faults[trouble.fault]
        if isinstance(fault, Outage):
            return fault.instances is None or trouble.what == "refused"
        return not isinstance(fault, Slowdown) and getattr(fault, "probability", 1) == 1

    # -- repeated -------------------------------------------------------------------

    def of_repeated(self, leg: Leg, last: Any) -> str:
        """Return the setting for which work was done again."""
        settings = self._settings
        if last.what == "redriven":
            return settings.of_redrive(leg.service, leg.message.name, last.at)
        if isinstance(leg.message, CallNode):
            if last.what == "doubled":  # nobody has repeated it
                return NONE
            return settings.of_step(leg.message, "retry")
        return self._of_repeated_delivery(leg.handling, last)

    def _of_repeated_delivery(self, handling: HandlerNode, last: Any) -> str:
        settings, policy = self._settings, promised(handling)
        if last.what == "accepted_again":
            return settings.of_broker("deduplicates")
        forgets = policy.idempotent and policy.deduplication != Deduplication()
        if last.what == "doubled" and policy.idempotent is True:
            return NONE
        if last.what == "doubled" and policy.guarantee == "at_most_once":
            return settings.of_policy(handling)
        if forgets or last.what == "doubled":
            return settings.of_delivery(handling, "idempotent")
        may_be_lost = settings.can_be_at_most_once(handling)
        if not policy.idempotent:
            plain = may_be_lost and policy.ack_timeout is None and not policy.counts_crashes
            return settings.of_delivery(handling, "guarantee" if plain else "idempotent")
        if last.what == "acknowledgement_timed_out":
            return settings.of_delivery(handling, "ack_timeout")
        return settings.of_policy(handling) if may_be_lost else NONE

    # -- out of order ---------------------------------------------------------------

    def of_lateness(self, leg: Leg, last: Any) -> str:
        """Return the setting that let a message be overtaken."""
        if leg.is_call:
            return self._of_late_call(leg, last)
        settings, handling, policy = self._settings, leg.handling, promised(leg.handling)
        if policy.retry_topic:
            return settings.of_delivery(handling, "retry_topic")
        if not policy.ordered:
            if policy.prefetch is not None:  # what is pushed to instances has no order
                return settings.of_policy(handling)
            return settings.of_delivery(handling, "ordered")
        if last is not None and last.what == "redriven":
            return settings.of_redrive(leg.service, leg.message.name, last.at)
        if last is not None and last.what == "acknowledgement_timed_out":
            return settings.of_delivery(handling, "ack_timeout")
        return NONE

    def _of_late_call(self, leg: Leg, last: Any) -> str:
        """Return what handles calls side by side; one that is tried again comes late anyway."""
        service = leg.handling.service
        if last is not None:
            return NONE
        many = [name for name in ("workers", "instances") if getattr(service, name) > 1]
        if service.autoscale is not None:
            many.insert(0, "autoscale")
        return _AND.join(self._settings.of_service(service.name, name) for name in many) or NONE


def _is_of_sender(case: Case, trouble: Any) -> bool:
    """Say whether a message had not got as far as the broker; its sender may handle it, too."""
    message = case.messages[trouble.message]
    if trouble.what not in SILENT or trouble.service != message.sender:
        return trouble.what in ("topic_full", "confirmation_lost")
    return not message.accepted_at <= trouble.at


def promised(handling: HandlerNode) -> DeliveryPolicy:
    """Return the delivery policy in force."""
    assert handling.policy is not None
    return handling.policy


def tries_again(leg: Leg) -> bool:
    """Say whether somebody handles a message again that was handled in vain."""
    if isinstance(leg.message, CallNode):
        return _repeats(leg.message.step.retry)
    return promised(leg.handling).guarantee == "at_least_once"


def _repeats(retry: Retry | None) -> bool:
    return retry is not None and retry.allows(1)


def _delivers_again(handling: HandlerNode) -> bool:
    policy = promised(handling)
    return policy.guarantee == "at_least_once" and policy.retry.allows(1)
