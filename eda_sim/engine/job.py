"""A job: what waits in front of a service and is handled by one of its workers.

A call's attempt and a delivery's differ in where they come from and in what their end means; a
worker need not know which of them it has.
"""

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, Protocol

from simpy import Event

from eda_sim.engine.recorder import Row
from eda_sim.engine.request import Request
from eda_sim.rules.outcomes import OK, Outcome

Process = Generator[Event, Any, Any]
Performance = Generator[Event, Any, Outcome]


class Step(Protocol):
    """A node of the plan, ready to be performed by a worker."""

    def perform(self, job: "Job") -> Performance:
        """Do it, and return how it went: ``OK``, ``FAILED`` or ``FAILED_PERMANENTLY``."""


class Handling:
    """What one service does with one message at one place: its steps, one after the other."""

    __slots__ = ("name", "perform")

    def __init__(self, name: int, steps: Sequence[Step]) -> None:
        self.name = name  # the code of the message's name
        # Most handlers have one step, which needs nobody to put it in a row.
        self.perform = steps[0].perform if len(steps) == 1 else partial(perform_all, steps)


class Job:
    """One message for one handler, while it waits and while it is handled."""

    __slots__ = (
        "at_the_head",
        "attempt",
        "handling",
        "message",
        "queued_at",
        "request",
        "row",
        "sent_at",
        "tries",
    )

    is_call = False
    redelivered = 0  # 1 where the broker has delivered it before
    needs_acknowledgement = False
    deadline: float | None = None  # when nobody waits for it any more, if that is known

    def __init__(
        self, handling: Handling, request: Request, message: int, tries: int, attempt: int
    ) -> None:
        self.handling = handling
        self.request = request
        self.message = message
        self.tries = tries
        self.attempt = attempt
        self.at_the_head = False  # whether it has come back to the head of its queue
        self.sent_at = 0.0
        self.queued_at = 0.0
        self.at_the_head = False  # whether it has come back to the head of its queue
        self.row: Row = []  # of the attempts table

    def dispatched(self) -> None:
        """A worker has taken it."""

    def acknowledge(self) -> Event:
        """Handling is over; return what the worker still waits for."""
        raise NotImplementedError

    def settle(self, outcome: Outcome) -> None:
        """The worker is free again: handling went as ``outcome`` says."""
        raise NotImplementedError

    def crashed(self) -> None:
        """The instance that handled it has died."""
        raise NotImplementedError

    def given_back(self, by_crash: bool) -> None:
        """The instance that held it is gone, and had not begun with it."""
        raise NotImplementedError


def perform_all(steps: Sequence[Step], job: Job) -> Performance:
    """Perform steps one after the other, up to the first that fails."""
    for step in steps:
        outcome = yield from step.perform(job)
        if outcome is not OK:
            return outcome
    return OK
