"""What went wrong on the way to a work, and which of the works done were too many."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from eda_sim.results.case import Case, grouped
from eda_sim.rules.plan import WorkNode

NOWHERE: Mapping[int, frozenset[int]] = {}

# What was on its way does not arrive: nobody has handled anything.
SILENT: Final = ("cut_off", "lost_on_the_way")
_IMPATIENT: Final = ("timed_out", "acknowledgement_timed_out")


def troubles(
    case: Case, message: int, service: str, ways: Mapping[int, frozenset[int]] = NOWHERE
) -> Iterator[Any]:
    """Yield what went wrong while a service handled a message.

    That is what happened to the message there, and to those that were made for it and on
    which the handler depends: its calls, with all that these depend on, and what it could
    not hand over to the broker. ``ways`` narrows what is made for messages of such nodes.
    """
    to_tell = [(message, service, True)]
    while to_tell:
        message, service, depends = to_tell.pop()
        yield from case.incidents[message, service]
        if not depends:
            continue
        way = ways.get(case.messages[message].node)
        within = []
        for made in case.caused[message, service]:
            if way is None or made.node in way:
                call = case.calls.get(made.message)
                receiver = service if call is None else call.service
                within.append((made.message, receiver, call is not None))
        to_tell.extend(reversed(within))


def behind(case: Case, trouble: Any) -> Any:
    """Return what got lost where somebody then waited no longer; None if nothing did."""
    if trouble.what not in _IMPATIENT:
        return None
    silences = (
        each
        for each in troubles(case, trouble.message, trouble.service)
        if each.what in SILENT and each.at <= trouble.at
        if each.message != trouble.message or each.attempt == trouble.attempt
    )
    return max(silences, key=lambda each: each.at, default=None)


def again(case: Case, work: WorkNode, meant: int) -> list[tuple[Any, Any]]:
    """Return each effect of a work that is one too many, after the one that it repeats.

    What is done for a message beyond what is meant repeats what was done for it; what is
    done for a message that was made again repeats what was done for the first.
    """
    effects = case.effects_at(work.number)
    by_message = grouped(effects, lambda effect: effect.message)
    pairs: list[tuple[Any, Any]] = []
    for done in by_message.values():
        pairs += zip(done, done[meant:], strict=False)
        if done[0].message != effects[0].message:
            pairs += [(effects[0], effect) for effect in done[:meant]]
    pairs.sort(key=lambda pair: pair[1].at)
    too_many = len(effects) - meant
    return pairs[len(pairs) - too_many :] if too_many > 0 else []


def begun(case: Case, effect: Any) -> float:
    """Return until when something may have led to the attempt that had an effect.

    That is when the attempt came to wait; of a first one it may be any time before the effect,
    for another attempt may have been quicker.
    """
    attempts = (
        row
        for row in case.attempts[effect.message, effect.service]
        if row.started_at <= effect.at and not row.ended_at < effect.at
    )
    last = max(attempts, key=lambda row: row.started_at)
    return float(last.queued_at if last.attempt > 1 else effect.at)
