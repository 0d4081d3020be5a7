"""A job: what waits before a service and is handled by one of its workers.

A call's attempt and a delivery differ in where they come from and in what their
end means; a worker need not know which of them it has.
"""

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from simpy import Event

from eda_sim.engine.recorder import Row

if TYPE_CHECKING:
    from eda_sim.engine.request import Request
    from eda_sim.engine.service import ServiceActor

OK: Final = "ok"
FAILED: Final = "failed"
FAILED_PERMANENTLY: Final = "failed_permanently"

Process = Generator[Event, Any, Any]
Performance = Generator[Event, Any, str]


class PlannedStep(Protocol):
    """A step at its place in the unfolding, ready to be performed by a worker."""

    def perform(self, job: "Job") -> Performance:
        """Do it, and return how it went: ``ok``, ``failed`` or ``failed_permanently``."""


class PlannedHandler:
    """What one service does with one message at one place in the unfolding."""

    __slots__ = ("name", "perform", "service")

    def __init__(self, service: "ServiceActor", name: int, steps: tuple[PlannedStep, ...]) -> None:
        self.service = service
        self.name = name
        # Most handlers have one step, which needs nobody to put it in a row.
        self.perform = steps[0].perform if len(steps) == 1 else partial(perform_all, steps)


class Job:
    """One message for one handler, while it waits and while it is handled."""

    __slots__ = ("attempt", "handler", "message", "queued_at", "request", "row", "tries")

    is_call = False
    needs_acknowledgement = False
    deadline: float | None = None  # when nobody waits for it any more, if that is known

    def __init__(
        self,
        handler: PlannedHandler,
        request: "Request",
        message: int,
        tries: int,
        attempt: int,
    ) -> None:
        self.handler = handler
        self.request = request
        self.message = message
        self.tries = tries
        self.attempt = attempt
        self.queued_at = 0.0
        self.row: Row = []  # of the attempts table

    def dispatched(self) -> None:
        """A worker has taken it."""

    def acknowledge(self) -> Event:
        """Handling is over; return what the worker still waits for."""
        raise NotImplementedError

    def settle(self, outcome: str) -> None:
        """The worker is free again: handling went as ``outcome`` says."""
        raise NotImplementedError

    def crashed(self) -> None:
        """The instance that handled it has died."""
        raise NotImplementedError


def perform_all(steps: tuple[PlannedStep, ...], job: Job) -> Performance:
    """Perform steps one after the other, up to the first that fails."""
    for step in steps:
        outcome = yield from step.perform(job)
        if outcome is not OK:
            return outcome
    return OK
