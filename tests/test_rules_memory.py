"""A memory knows what was noted within its window, of its latest messages, and nothing else."""

from typing import NamedTuple

from hypothesis import event, given
from hypothesis import strategies as st

from eda_sim.engine.clock import Clock
from eda_sim.engine.memory import Memory
from eda_sim.rules.memory import UNBOUNDED, remembers
from eda_sim.scenario.delivery import Deduplication


class Noted(NamedTuple):
    """Something that a memory was told."""

    at: float
    message: int
    step: str


class Twin:
    """The same in a list that is never shortened: every question goes through all of it."""

    def __init__(self, bounds: Deduplication) -> None:
        self.window = UNBOUNDED if bounds.window is None else bounds.window
        self.size = UNBOUNDED if bounds.size is None else bounds.size
        self.past: list[Noted] = []

    def is_remembered(self, message: int, now: float, past: list[Noted]) -> bool:
        """Whether a message is in the memory at ``now``, after ``past``."""
        if all(each.message != message for each in past):
            return False
        last = max(n for n, each in enumerate(past) if each.message == message)
        others = {each.message for each in past[last + 1 :]}
        return now - past[last].at < self.window and len(others) < self.size

    def knows(self, message: int, step: str, now: float) -> bool:
        """Whether the step was noted, and the message never forgotten since then."""
        noted = [n for n, each in enumerate(self.past) if each[1:] == (message, step)]
        if not noted:
            return False
        moments = [*((each.at, n) for n, each in enumerate(self.past)), (now, len(self.past))]
        return all(
            self.is_remembered(message, at, self.past[:length])
            for at, length in moments
            if length > noted[-1]
        )


bounds = st.builds(
    Deduplication,
    window=st.none() | st.integers(1, 12).map(float),
    size=st.none() | st.integers(1, 4),
)
acts = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.25, 1.0, 3.0]),  # seconds since the act before
        st.booleans(),  # whether something is noted, or asked
        st.integers(1, 5),
        st.sampled_from("ab"),
    ),
    max_size=30,
)


@given(bounds, acts)
def test_a_memory_knows_what_its_twin_finds_in_the_whole_past(
    bounds: Deduplication, acts: list[tuple[float, bool, int, str]]
) -> None:
    """Whatever is noted and asked when, in bounds or without: the answers are the same."""
    clock = Clock()
    memory, twin = Memory(clock, bounds), Twin(bounds)
    for wait, noting, message, step in acts:
        clock._now += wait
        if noting:
            memory.note(message, step)
            twin.past.append(Noted(clock.now, message, step))
        else:
            known = twin.knows(message, step, clock.now)
            event(f"known: {known}")
            assert memory.knows(message, step) == known


times = st.floats(0, 1e9)


@given(times, times, st.integers(0, 10**9))
def test_without_bounds_nothing_is_ever_forgotten(noted_at: float, now: float, since: int) -> None:
    """Neither time nor number matters."""
    assert remembers(noted_at, now, UNBOUNDED, since, UNBOUNDED)


@given(times, times, times, st.floats(1e-3, 1e9), st.integers(0, 9), st.integers(1, 9))
def test_what_is_forgotten_stays_forgotten(
    noted_at: float, one: float, other: float, window: float, since: int, size: int
) -> None:
    """As time goes on and other messages come, a message is forgotten once, and for good."""
    earlier, later = sorted((one, other))
    if remembers(noted_at, later, window, since, size):
        assert remembers(noted_at, earlier, window, since, size)
    if remembers(noted_at, later, window, since + 1, size):
        assert remembers(noted_at, later, window, since, size)


@given(times, st.integers(0, 9), st.integers(1, 9))
def test_a_window_is_open_at_its_end(noted_at: float, since: int, size: int) -> None:
    """Exactly a window later it is forgotten; of the latest ``size`` each is remembered."""
    now = noted_at + 8.0
    window = now - noted_at
    assert not remembers(now - window, now, window, 0, size)
    assert remembers(noted_at, now, 16.0, since, size) == (since < size)
