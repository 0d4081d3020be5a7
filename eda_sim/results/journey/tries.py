"""When each try of a call left its caller, and when the caller gave it up."""

from typing import Any, NamedTuple

from eda_sim.results.case import Rows
from eda_sim.scenario.steps import Call


class Tries(NamedTuple):
    """Times (seconds) by the number of the try; what is not known is left out."""

    sent: dict[int, float]
    gave_up: dict[int, float]


def tries_of(policy: Call, call: Any, attempts: Rows) -> Tries:
    """Work out when a call was tried, where a timeout and a backoff fix it."""
    by_number = {attempt.attempt: attempt for attempt in attempts}
    held_back = policy.breaker is not None and (attempts or call.outcome == "short_circuited")
    sent = {1: call.started_at} if 1 in by_number or not held_back else {}
    gave_up: dict[int, float] = {}
    if policy.timeout is None or policy.retry is None:
        return Tries(sent, gave_up)
    for number in range(1, call.attempts):
        attempt, following = by_number.get(number), by_number.get(number + 1)
        if number not in sent or attempt is None or following is None:
            break
        late = sent[number] + policy.timeout
        failed_before = attempt.outcome != "ok" and attempt.ended_at < late
        if failed_before or late > following.queued_at:
            break
        gave_up[number] = late
        backoff = policy.retry.backoff
        again = late + backoff.after(number)
        if backoff.jitter == "none" and again <= following.queued_at:
            sent[number + 1] = again
    return Tries(sent, gave_up)
