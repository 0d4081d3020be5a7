"""Timelines of a run: how many waited, worked, were behind, at every instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from eda_sim.errors import InvalidInput, nearest
from eda_sim.later.pandas import pd
from eda_sim.results.record import Record
from eda_sim.results.step_function import StepFunction, leaving
from eda_sim.rules.outcomes import Outcome


def timeline(
    record: Record, what: str, subject: str | None = None, window: float = 10.0
) -> StepFunction:
    """See ``Run.timeline``."""
    if what not in _KINDS:
        raise InvalidInput(
            f"timeline must be of a known kind, got {what!r}: {nearest(what, KINDS)}"
        )
    if not window > 0:
        raise InvalidInput(f"window must be > 0 seconds, got {window}")
    names = [service.name for service in record.scenario.services]
    if subject is not None and subject not in names:
        raise InvalidInput(
            f"subject must be a service of the scenario, got {subject!r}: {nearest(subject, names)}"
        )
    name = what if subject is None else f"{what} of {subject}"
    return _KINDS[what](record, name, subject, window)


def _of(frame: pd.DataFrame, column: str, subject: str | None) -> pd.DataFrame:
    return frame if subject is None else frame[frame[column] == subject]


def _queue(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    attempts = _of(record.attempts, "service", subject)
    left = attempts["started_at"].fillna(attempts["ended_at"])
    return StepFunction.of_intervals(name, attempts["queued_at"].to_numpy(), left.to_numpy())


def _busy(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    attempts = _of(record.attempts, "service", subject)
    attempts = attempts[attempts["started_at"].notna()]
    return StepFunction.of_intervals(
        name, attempts["started_at"].to_numpy(), attempts["ended_at"].to_numpy()
    )


def _backlog(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    deliveries = _of(record.deliveries, "subscriber", subject)
    return StepFunction.of_intervals(
        name, deliveries["published_at"].to_numpy(), deliveries["ended_at"].to_numpy()
    )


def _requests(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    return StepFunction.of_intervals(
        name, record.requests["started_at"].to_numpy(), record.requests["answered_at"].to_numpy()
    )


def _throughput(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    if subject is None:
        done = record.requests.loc[record.requests["outcome"] == Outcome.OK, "answered_at"]
    else:
        attempts = _of(record.attempts, "service", subject)
        done = attempts.loc[attempts["outcome"] == Outcome.OK, "ended_at"]
    times = np.sort(done.to_numpy())
    ones = np.ones(len(times))
    # Counted first, divided then: whole numbers add up to exactly 0 when all is over.
    count = StepFunction.of_changes(
        name, np.concatenate([times, leaving(times, window)]), np.concatenate([ones, -ones])
    )
    return replace(count, values=count.values / window)


def _response_time(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    answered = record.requests[record.requests["outcome"] == Outcome.OK]
    lag = answered["answered_at"] - answered["started_at"]
    return StepFunction.of_latest(name, answered["answered_at"].to_numpy(), lag.to_numpy())


def _lag(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    handled = _of(record.deliveries, "subscriber", subject)
    handled = handled[handled["outcome"] == Outcome.HANDLED]
    lag = handled["ended_at"] - handled["published_at"]
    return StepFunction.of_latest(name, handled["ended_at"].to_numpy(), lag.to_numpy())


def _dead_letters(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    given_up = _of(record.incidents, "service", subject)  # also what was redriven later
    times = given_up.loc[given_up["what"] == "dead_lettered", "at"].to_numpy()
    return StepFunction.of_changes(name, times, np.ones(len(times)))


def _instances(record: Record, name: str, subject: str | None, window: float) -> StepFunction:
    services = [s for s in record.scenario.services if subject in (None, s.name)]
    changes = _of(record.scaling, "service", subject)
    before = {service.name: service.instances for service in services}
    steps = []
    for service, after in zip(changes["service"], changes["instances"], strict=True):
        steps.append(after - before[service])
        before[service] = after
    return StepFunction.of_changes(
        name,
        np.r_[0.0, changes["at"].to_numpy()],
        np.r_[sum(service.instances for service in services), np.array(steps, dtype=float)],
    )


_KINDS: dict[str, Callable[[Record, str, str | None, float], StepFunction]] = {
    "queue": _queue,
    "busy": _busy,
    "backlog": _backlog,
    "requests": _requests,
    "throughput": _throughput,
    "response_time": _response_time,
    "lag": _lag,
    "dead_letters": _dead_letters,
    "instances": _instances,
}
KINDS = tuple(_KINDS)
