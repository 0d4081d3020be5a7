"""What would never end, or only after an age, refused where the description already shows it.

What happens again and again, every so many seconds, must come to an end within a run: what always
does may happen a thousand million times, and what does so only while something waits or is broken
a hundred times as often. More is a slip of the pen, and far more is no progress at all, because
floats cannot add so little to so much. And what is tried again for ever without waiting must not be
certain to fail at once. The rest shows itself in a run, which then stops with the reason.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, assert_never

from eda_sim.errors import InvalidInput
from eda_sim.scenario.delivery import Retry
from eda_sim.scenario.distributions import Distribution
from eda_sim.scenario.messages import Mention, by_message, mentions, name_of
from eda_sim.scenario.parts import Parts
from eda_sim.scenario.service import Handler, Service
from eda_sim.scenario.steps import AnyStep, Call, Publish, Work
from eda_sim.scenario.traffic import (
    Bursts,
    Diurnal,
    Poisson,
    Regular,
    Spike,
    Trace,
    Traffic,
)

MOST_TIMES: Final = 10**9  # also what a request's number has digits for
_MOST_AT_TIMES: Final = 100 * MOST_TIMES


class _Period(NamedTuple):
    """What happens again and again: where it is said, every so many seconds, how often at most."""

    where: str
    seconds: float
    most: int
    remedy: str


def check_ends(scenario: Parts) -> None:
    """Refuse what would go on for ever.

    Raises:
        InvalidInput: with the place, the rule, the value and the remedy.
    """
    horizon = scenario.duration + scenario.drain
    for source in scenario.traffic:
        _few_enough(source, scenario.duration)
    for period in (*_always(scenario), *_at_times(scenario)):
        if period.seconds * period.most < horizon:
            raise InvalidInput(
                f"{period.where} must be >= {horizon / period.most:.3g}, a {period.most:,}th of "
                f"duration and drain together, got {period.seconds}: the run would hardly get on; "
                f"{period.remedy}"
            )
    for where in _hopeless(scenario):
        raise InvalidInput(
            f"{where} must wait or end, got max_attempts=None without a backoff: what takes no "
            "time and always fails would be tried again for ever at one instant; give it a "
            "backoff, or limit max_attempts"
        )


def _few_enough(source: Traffic, duration: float) -> None:
    expected = _expected(source, duration)
    if expected > MOST_TIMES:
        raise InvalidInput(
            f"traffic[{source.name!r}] must make at most {MOST_TIMES:,} requests, but would make "
            f"about {expected:.3g}: lower its rate, or shorten the run"
        )


def _expected(source: Traffic, duration: float) -> float:
    """Return how many requests a source makes, on average."""
    match source.arrivals:
        case Poisson() | Regular() | Bursts() as steady:
            return steady.rate * duration
        case Diurnal() as daily:
            return daily.mean_rate * duration
        case Spike() as spike:
            there = max(0.0, min(spike.at + spike.lasts, duration) - spike.at)
            return spike.rate * (duration + (spike.factor - 1) * there)
        case Trace() as trace:
            return len(trace.times)
        case other:
            assert_never(other)


def _always(scenario: Parts) -> Iterator[_Period]:
    """Yield what goes on all the time."""
    for i, fault in enumerate(scenario.faults):
        if fault.mtbf is not None and fault.mttr is not None:
            seconds = fault.mtbf + fault.mttr
            yield _Period(f"faults[{i}].mtbf + mttr", seconds, MOST_TIMES, "let it come less often")
    for service in scenario.services:
        if service.autoscale is not None:
            where, every = f"services[{service.name!r}].autoscale.every", service.autoscale.every
            yield _Period(where, every, MOST_TIMES, "let it look less often")


def _at_times(scenario: Parts) -> Iterator[_Period]:
    """Yield what goes on while something waits, fails or is out of reach."""
    for mention in mentions(scenario.traffic, scenario.services):
        where, step = f"{name_of(mention.step)} of {mention.sender!r}", mention.step
        if isinstance(step, Publish) and step.outbox is not None:
            remedy = "let the relay look less often"
            yield _Period(f"{where}: outbox.poll", step.outbox.poll, _MOST_AT_TIMES, remedy)
        if isinstance(step, Call) and step.retry is not None:
            yield from _wait(f"{where}: retry", step.retry)
    for where, retry in _delivered(scenario):
        yield from _wait(where, retry)
    if scenario.broker is not None:
        where, seconds = "broker.republish_after", scenario.broker.republish_after
        yield _Period(where, seconds, _MOST_AT_TIMES, "let publishers wait longer")


def _wait(where: str, retry: Retry) -> Iterator[_Period]:
    """Yield how long the tries of a retry without end wait, if they do."""
    seconds, remedy = retry.shortest_wait, "let it wait longer, or limit max_attempts"
    if seconds > 0:
        yield _Period(f"{where}.backoff", seconds, _MOST_AT_TIMES, remedy)


def _delivered(scenario: Parts) -> Iterator[tuple[str, Retry]]:
    """Yield every retry of deliveries, and where it is said."""
    if scenario.broker is not None:
        yield "broker.delivery.retry", scenario.broker.delivery.retry
    for service in scenario.services:
        for name, handler in service.handlers.items():
            if handler.delivery is not None:
                yield _path(service, name), handler.delivery.retry


def _path(service: Service, name: str) -> str:
    return f"services[{service.name!r}].on[{name!r}].delivery.retry"


def _hopeless(scenario: Parts) -> Iterator[str]:
    """Yield the retries without end and without wait of what takes no time and always fails."""
    handling = by_message(scenario.services)
    for mention in mentions(scenario.traffic, scenario.services):
        for service in handling.get(name_of(mention.step), ()):
            handler = service.handlers[name_of(mention.step)]
            retry, way_back = _retry(mention, handler, scenario)
            at_once = retry.shortest_wait == 0 and way_back.mean == 0
            if at_once and _fails_at_once(handler.steps):
                is_call = isinstance(mention.step, Call)
                said = f"{name_of(mention.step)} of {mention.sender!r}: retry"
                yield said if is_call else _path(service, name_of(mention.step))


def _retry(mention: Mention, handler: Handler, scenario: Parts) -> tuple[Retry, Distribution]:
    """Return how what a handler fails at is tried again, and what that costs at least."""
    if isinstance(mention.step, Call):
        return mention.step.retry or Retry(max_attempts=1), scenario.network
    assert scenario.broker is not None
    policy = handler.delivery or scenario.broker.delivery
    retry = policy.retry if policy.guarantee == "at_least_once" else Retry(max_attempts=1)
    return retry, scenario.broker.turnaround


def _fails_at_once(steps: Sequence[AnyStep]) -> bool:
    """Say whether steps are certain to fail, and before any time has passed."""
    for step in steps:
        if not isinstance(step, Work) or step.duration.mean > 0:
            return False
        if step.transient == 1:
            return True
    return False
