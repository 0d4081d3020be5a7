"""The queue that all workers of a service share: calls, and deliveries that any of them may take.

While the broker is out of reach its deliveries are held back; calls go on.
"""

from collections import deque
from collections.abc import Iterator

from eda_sim.engine.job import Job
from eda_sim.engine.waiting import put_back


class CommonQueue:
    """First come, first served."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._held_back: deque[Job] = deque()
        self._pauses = 0  # faults that keep the broker from dispatching
        self.is_paused = False  # whether it can dispatch nothing
        self.waiting_calls = 0

    def __len__(self) -> int:
        return len(self._jobs) + len(self._held_back)

    @property
    def first(self) -> Job | None:
        """What has waited longest, of what may be taken."""
        return self._jobs[0] if self._jobs else None

    def add(self, job: Job) -> None:
        """A job waits at the end."""
        self._jobs.append(job)
        if job.is_call:
            self.waiting_calls += 1

    def take(self) -> Job | None:
        """Take what has waited longest, if anything waits."""
        if not self._jobs:
            return None
        job = self._jobs.popleft()
        if job.is_call:
            self.waiting_calls -= 1
        return job

    def calls(self) -> Iterator[Job]:
        """Yield the calls that wait, the first come first."""
        return (job for job in self._jobs if job.is_call)

    def drop_calls(self) -> list[Job]:
        """Take all calls out, and return them."""
        calls = list(self.calls())
        self._jobs = deque(job for job in self._jobs if not job.is_call)
        self.waiting_calls = 0
        return calls

    # -- deliveries --------------------------------------------------------------

    def hold_back(self, job: Job) -> None:
        """A delivery waits until the broker can dispatch again."""
        self._held_back.append(job)

    def put_back(self, job: Job, place: float | None) -> None:
        """A delivery waits at the ``place`` that it had, or at the head."""
        put_back(self._held_back if self.is_paused else self._jobs, job, place)

    def remove(self, job: Job) -> None:
        """Nobody needs a delivery any more."""
        (self._held_back if job in self._held_back else self._jobs).remove(job)

    def pause(self) -> None:
        """The broker can dispatch nothing from now on, as long as this lasts."""
        self._pauses += 1
        self.is_paused = True
        self._held_back.extend(job for job in self._jobs if not job.is_call)
        self._jobs = deque(self.calls())

    def resume(self) -> bool:
        """One reason to hold back is gone; say whether it was the last. The old order returns."""
        self._pauses -= 1
        if self._pauses:
            return False
        self.is_paused = False
        waiting = [*self._held_back, *self._jobs]
        self._jobs = deque(sorted(waiting, key=lambda job: (not job.at_the_head, job.queued_at)))
        self._held_back.clear()
        return True
