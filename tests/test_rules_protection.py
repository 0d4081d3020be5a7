"""Each protection does what it says, beside a twin that keeps the whole history."""

from fractions import Fraction
from itertools import product
from math import inf

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from eda_sim.engine.clock import Clock
from eda_sim.engine.protection import Breaker as BreakerAtWork
from eda_sim.engine.protection import Bucket, Budget, Bulkhead
from eda_sim.rules.lifecycle import BREAKER, Transition, transitions
from eda_sim.rules.protection import (
    CLOSED,
    HALF_OPEN,
    LET_THROUGH,
    NEW_BREAKER,
    ON_TRIAL,
    OPEN,
    REFUSED,
    Breaker,
    answer,
    failed,
    has_room,
    on_trial,
    trial_abandoned,
    trial_ended,
)
from eda_sim.rules.rounding import ROUNDING
from eda_sim.scenario.delivery import CircuitBreaker, RetryBudget

# -- circuit breaker ------------------------------------------------------------------------

steps = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0])  # seconds from one act to the next
breakers = st.builds(
    CircuitBreaker,
    failures=st.integers(1, 4),
    window=st.sampled_from([0.25, 1.0, 2.5]),
    open_for=st.sampled_from([0.25, 1.0, 3.0]),
)


class Twin:
    """A breaker that forgets nothing: each question goes through all that has happened."""

    def __init__(self, description: CircuitBreaker) -> None:
        self.description = description
        self.past: list[tuple[float, str]] = []

    def phase(self) -> tuple[str, float, bool]:
        """In which state the past has left it, when it opened last, whether there is a trial."""
        state, opened_at, trial, closed = "closed", 0.0, False, 0
        for n, (now, what) in enumerate(self.past, start=1):
            if what == "trial":
                state, trial = "half_open", True
            elif what == "trial abandoned":
                trial = False
            elif what == "trial succeeded":
                state, trial, closed = "closed", False, n
            elif what == "trial failed":
                state, trial, opened_at = "open", False, now
            elif self.count_failures(self.past[closed:n], now) >= self.description.failures:
                state, opened_at = "open", now
        return state, opened_at, trial

    def count_failures(self, past: list[tuple[float, str]], now: float) -> int:
        """How many failures of that past still count at ``now``."""
        return sum(now - at < self.description.window for at, what in past if what == "failed")

    def may_pass(self, now: float) -> bool:
        """Whether a call may pass; it is the trial unless the breaker is closed."""
        state, opened_at, trial = self.phase()
        waits = state == "open" and now < opened_at + self.description.open_for
        passes = state == "closed" or not (waits or trial)
        if passes and state != "closed":
            self.past.append((now, "trial"))
        return passes

    def ended(self, now: float, is_trial: bool, well: bool | None) -> None:
        """A call has ended."""
        of_trial = {True: "trial succeeded", False: "trial failed", None: "trial abandoned"}
        if is_trial:
            self.past.append((now, of_trial[well]))
        elif well is False and self.phase()[0] == "closed":
            self.past.append((now, "failed"))


@given(breakers, st.data())
def test_a_breaker_lets_through_whom_its_twin_lets_through(
    description: CircuitBreaker, data: st.DataObject
) -> None:
    """Calls begin and end at any moments, well, badly or not at all: the answers are the same."""
    clock = Clock()
    breaker, twin = BreakerAtWork(clock, description), Twin(description)
    under_way: list[tuple[object, bool]] = []  # each call, and whether it is the trial
    refused = 0
    for _ in range(data.draw(st.integers(0, 40))):
        clock._now += data.draw(steps)
        if under_way and data.draw(st.booleans()):
            call, is_trial = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            well = data.draw(st.sampled_from([True, False, False, None]))
            breaker.ended(call, well)
            twin.ended(clock.now, is_trial, well)
        else:
            call = object()
            is_closed = twin.phase()[0] == "closed"
            passes = twin.may_pass(clock.now)
            assert breaker.refuses(call) == (None if passes else "short_circuited")
            under_way += [(call, not is_closed)] * passes
            refused += not passes
    event(f"refused: {min(refused, 3)}")


def phase_name(breaker: Breaker) -> str:
    """The phase, as ``rules.lifecycle`` calls it."""
    return BREAKER.states[breaker.phase].name


def test_a_breaker_changes_as_its_table_says_and_not_otherwise() -> None:
    """Every function on every state at every moment: together they draw the table's arrows."""
    found: set[Transition] = set()
    moments = [0.0, 1.0, 2.0, 5.0]
    closed = [Breaker(CLOSED, at, False) for at in moments]
    opened = [Breaker(OPEN, at, False) for at in moments]
    half_open = [Breaker(HALF_OPEN, at, trying) for at in moments for trying in (False, True)]
    for breaker, now in product([*closed, *opened, *half_open], moments):
        followed = {"waited": breaker}
        if answer(breaker, now, open_for=2.0) == ON_TRIAL:
            followed["waited"] = on_trial(breaker)
        for earliest in (-inf, now - 3.0, now):
            followed["tripped"] = failed(breaker, now, earliest, window=3.0)
            if breaker.is_trying:
                followed["trial succeeded"] = trial_ended(breaker, now, True)
                followed["trial failed"] = trial_ended(breaker, now, False)
                followed["waited"] = trial_abandoned(breaker)
            for what, follows in followed.items():
                if follows.phase != breaker.phase:
                    found.add(Transition(phase_name(breaker), what, phase_name(follows)))
    assert found == set(transitions(BREAKER))
    assert [state.name for state in BREAKER.states] == ["closed", "open", "half_open"]
    assert phase_name(NEW_BREAKER) == BREAKER.start.name


@pytest.mark.parametrize(
    ("breaker", "now", "expected"),
    [
        (NEW_BREAKER, 0.0, LET_THROUGH),
        (Breaker(OPEN, 4.0, False), 8.75, REFUSED),
        (Breaker(OPEN, 4.0, False), 9.0, ON_TRIAL),
        (Breaker(HALF_OPEN, 4.0, True), 9.0, REFUSED),
        (Breaker(HALF_OPEN, 4.0, True), 99.0, REFUSED),
        (Breaker(HALF_OPEN, 4.0, False), 9.0, ON_TRIAL),
    ],
)
def test_what_a_breaker_answers(breaker: Breaker, now: float, expected: int) -> None:
    """Opened at 4 s for 5 s: none until 9 s, then one at a time, until a trial has ended."""
    assert answer(breaker, now, open_for=5.0) == expected


def test_a_failure_trips_if_enough_of_them_are_within_the_window() -> None:
    """Too few trip nothing, nor those of which one is a window old, nor any while it is open."""
    assert failed(NEW_BREAKER, 10.0, 0.25, window=10.0) == Breaker(OPEN, 10.0, False)
    assert failed(NEW_BREAKER, 10.0, 0.0, window=10.0) == NEW_BREAKER
    assert failed(NEW_BREAKER, 10.0, -inf, window=1e300) == NEW_BREAKER
    for breaker in (Breaker(OPEN, 4.0, False), Breaker(HALF_OPEN, 4.0, True)):
        assert failed(breaker, 10.0, 10.0, window=10.0) == breaker


# -- bulkhead -------------------------------------------------------------------------------


@given(st.integers(1, 4), st.lists(st.booleans(), max_size=40))
def test_a_bulkhead_is_never_fuller_than_its_limit(limit: int, begins: list[bool]) -> None:
    """A call gets in exactly while fewer than ``limit`` are under way."""
    bulkhead, under_way = Bulkhead(limit), 0
    for begin in begins:
        if begin:
            refusal = bulkhead.refuses(object())
            assert refusal == (None if under_way < limit else "rejected")
            assert has_room(under_way, limit) == (refusal is None)
            under_way += refusal is None
        elif under_way:
            bulkhead.ended(object(), None)
            under_way -= 1
        assert under_way <= limit


# -- token bucket, retry budget -------------------------------------------------------------


def exact_tokens(passed: list[Fraction], now: Fraction, rate: Fraction, size: int) -> Fraction:
    """How many tokens are left, by the closed form.

    Full at first and never more than full: the least, over all moments from which one may
    count, of a full bucket and what has come since then, less what has passed since then.
    """
    counts = [size + rate * (now - begin) - sum(at >= begin for at in passed) for begin in passed]
    return min([Fraction(size), *counts])


@given(
    st.sampled_from(["0.5", "1", "3", "10"]),
    st.integers(1, 4),
    st.lists(st.integers(0, 8), max_size=40),
)
def test_a_bucket_lets_pass_what_the_closed_form_does(
    rate: str, size: int, gaps: list[int]
) -> None:
    """A call passes exactly if the bucket holds a whole token, in exact arithmetic."""
    clock, passed = Clock(), []
    bucket = Bucket(clock, float(rate), size)
    now = Fraction(0)
    for gap in gaps:
        now += Fraction(gap, 10)
        clock._now = float(now)
        passes = exact_tokens(passed, now, Fraction(rate), size) >= 1
        assert bucket.take() == passes
        if passes:
            passed.append(now)


rates = st.floats(1e-3, 1e5)  # in tokens a second
late = st.floats(1e7, 1e9)  # seconds since the beginning: from four months to thirty years


def passed(moments: list[float], rate: float, size: int) -> list[float]:
    """When calls pass a bucket, of those that come at these moments."""
    clock = Clock()
    bucket = Bucket(clock, rate, size)
    found = []
    for clock._now in moments:
        if bucket.take():
            found.append(clock.now)
    return found


@given(rates, late, st.integers(1, 5), st.integers(1, 300))
def test_calls_paced_at_the_rate_are_never_turned_away(
    rate: float, begin: float, size: int, calls: int
) -> None:
    """Also after years, where moments are rounded to more than a nanosecond.

    First comes a burst that empties the bucket, then each call as the next token does.
    """
    paced = [begin + n / rate for n in range(calls)]
    moments = [begin] * (size - 1) + paced
    assert passed(moments, rate, size) == moments


@given(
    rates,
    st.floats(0, 1e9),
    st.integers(1, 5),
    st.lists(st.sampled_from([0.0, 0.3, 0.9, 1 - 1e-9, 1.0, 1 + 1e-9, 4.0]), max_size=60),
)
def test_between_any_two_moments_no_more_pass_than_the_burst_and_the_rate(
    rate: float, begin: float, size: int, gaps: list[float]
) -> None:
    """At most rate x t + burst, in exact arithmetic, but for one rounding of the last moment."""
    moments = [begin]
    for gap in gaps:
        moments.append(moments[-1] + gap / rate)
    times = passed(moments, rate, size)
    for n, one in enumerate(times):
        for count, other in enumerate(times[n:], start=1):
            span = Fraction(other) - Fraction(one) + Fraction(ROUNDING) * Fraction(other)
            assert count <= size + Fraction(rate) * span


def test_what_is_forgiven_does_not_add_up() -> None:
    """Calls each come early by 0.4 of what is forgiven: two may, and the third is too early."""
    early = 0.4 * ROUNDING * 1e7
    moments = [1e7 + n * (1 - early) for n in range(4)]
    assert passed(moments, rate=1.0, size=1) == moments[:3]


@given(
    st.sampled_from(["0", "0.07", "0.1", "0.29", "0.5", "1"]),
    st.integers(1, 5),
    st.lists(st.booleans(), max_size=200),
)
def test_a_budget_is_a_bucket_that_calls_fill(ratio: str, burst: int, acts: list[bool]) -> None:
    """A repetition is allowed exactly if so much is saved; in all, never more than the sum."""
    budget = Budget(RetryBudget(ratio=float(ratio), burst=burst))
    saved, calls, repeated = Fraction(burst), 0, 0
    for is_call in acts:
        if is_call:
            budget.called()
            calls += 1
            saved = min(Fraction(burst), saved + Fraction(ratio))
        else:
            allowed = budget.allows()
            assert allowed == (saved >= 1)
            saved -= allowed
            repeated += allowed
        assert repeated <= Fraction(ratio) * calls + burst
