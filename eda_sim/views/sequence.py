"""Where the parts of a sequence diagram stand, in inches.

Participants side by side, time downwards. What takes milliseconds stands beside
what takes minutes, so time is stretched: each step down is between ``SHORTEST``
and ``LONGEST``, longer for a longer time, in proportion to its logarithm.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import isnan, log

import numpy as np

from eda_sim.results.journey import Journey
from eda_sim.results.journey.story import Activity
from eda_sim.results.words import DIGITS, seconds_text
from eda_sim.views.canvas import text_width
from eda_sim.views.style import NORMAL, SMALL

SHORTEST, LONGEST = 0.32, 1.0
HEAD = 0.42  # height of a participant's name
BAR = 0.10  # half the width of an activity
ASIDE = 0.13  # from an activity to another one at the same time
_MARGIN = 0.15


class Sheet:
    """The places of participants, times and activities.

    Attributes:
        width, height: of the whole, inches.
        times: when anything happens, seconds since the run's start, ascending.
        ticks: how each of them is written, as time since the request started.
        bottom: where the lifelines end.
    """

    def __init__(self, journey: Journey, labels: Sequence[str]) -> None:
        names = journey.participants
        self.times = sorted({float(at) for at in journey.steps["at"]})
        self.ticks = _ticks([at - journey.started_at for at in self.times])
        self.left = max(text_width(text, SMALL) for text in self.ticks) + 0.3
        across = [text_width(label, SMALL, bold=True) + 0.55 for label in labels]
        heads = [text_width(name, NORMAL, bold=True) + 0.35 for name in names]
        column = max([1.5, *across, *(head + 0.15 for head in heads)])
        self._x = {name: self.left + heads[0] / 2 + i * column for i, name in enumerate(names)}
        self.heads = dict(zip(names, heads, strict=True))
        self.width = self._x[names[-1]] + max(column - 0.3, heads[-1] / 2 + _MARGIN)
        down = [self._step(later - at) for at, later in pairwise(self.times)]
        self.bottom = _MARGIN
        self.height = self.bottom + 0.3 + sum(down) + 0.45 + HEAD + 0.05
        top = self.height - 0.05 - HEAD - 0.45
        self._y = top - np.r_[0.0, np.cumsum(down)]
        self._lanes = _lanes(journey.activities)

    def _step(self, seconds: float) -> float:
        gaps = [later - at for at, later in pairwise(self.times)]
        least, most = min(gaps), max(gaps)
        if most <= least:
            return SHORTEST
        part = log(seconds / least) / log(most / least)
        return SHORTEST + (LONGEST - SHORTEST) * part**2

    def x(self, who: str) -> float:
        """Return where a participant's lifeline is."""
        return self._x[who]

    def y(self, at: float) -> float:
        """Return how far up a time is; one that never comes is at the bottom."""
        return self.bottom if isnan(at) else float(np.interp(at, self.times, self._y))

    def x_of(self, activity: Activity) -> float:
        """Return where the middle of an activity is: beside its lifeline if others are on it."""
        return self.x(activity.who) + ASIDE * self._lanes[id(activity)]


def _ticks(after: Sequence[float]) -> list[str]:
    """Write each time with as many digits as it takes to differ from the ones beside it."""
    texts = [seconds_text(seconds) for seconds in after]
    for digits in range(DIGITS + 1, 10):
        same = {i for i, (a, b) in enumerate(pairwise(texts)) if a == b}
        for i in same | {i + 1 for i in same}:
            texts[i] = seconds_text(after[i], digits)
    return texts


def _lanes(activities: Sequence[Activity]) -> dict[int, int]:
    """Give each activity the first lane that is free while it lasts."""
    free: dict[tuple[str, int], float] = {}
    lanes = {}
    for activity in sorted(activities, key=lambda a: a.begins):
        lane = 0
        while free.get((activity.who, lane), -1.0) > activity.begins:
            lane += 1
        free[activity.who, lane] = float("inf") if isnan(activity.ends) else activity.ends
        lanes[id(activity)] = lane
    return lanes
