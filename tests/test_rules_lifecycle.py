"""What can become of a call, a delivery, an instance and a breaker is data, whole and closed."""

import pytest

from eda_sim import SimulationError
from eda_sim.rules.lifecycle import BREAKER, CALL, DELIVERY, INSTANCE, Lifecycle, transitions
from eda_sim.rules.tables import CALL_OUTCOMES, DELIVERY_OUTCOMES, REQUEST_OUTCOMES

EACH = [DELIVERY, CALL, INSTANCE, BREAKER]
LIFECYCLES = pytest.mark.parametrize("lifecycle", EACH, ids=lambda x: x.name)


def reached(lifecycle: Lifecycle) -> set[str]:
    """The names of the states that can be reached from the start."""
    found, new = {lifecycle.start.name}, [lifecycle.start]
    while new:
        for follows in new.pop().values():
            if follows.name not in found:
                found.add(follows.name)
                new.append(follows)
    return found


@LIFECYCLES
def test_every_state_is_listed_once_and_can_be_reached(lifecycle: Lifecycle) -> None:
    """No state is forgotten, none is there for nothing."""
    names = [state.name for state in lifecycle.states]
    assert set(names) == reached(lifecycle)
    assert len(names) == len(set(names))
    assert lifecycle.states[0] is lifecycle.start


def test_deliveries_and_calls_end_in_the_outcomes_of_their_tables() -> None:
    """What a table may say of an end is a state, but for those that never come to an end."""
    ends = {state.name for state in DELIVERY.ends}
    assert ends == set(DELIVERY_OUTCOMES) - {"pending"}
    states = {state.name for state in CALL.states}
    assert set(CALL_OUTCOMES) - states == {"unfinished"}
    assert set(REQUEST_OUTCOMES) <= set(CALL_OUTCOMES)


@LIFECYCLES
def test_what_is_not_in_the_table_cannot_happen(lifecycle: Lifecycle) -> None:
    """An engine that tries is stopped, with the event and the state named."""
    for state in lifecycle.states:
        with pytest.raises(SimulationError, match=rf"'no such thing'.*'{state.name}'"):
            state["no such thing"]


def test_a_permanent_failure_is_not_repeated() -> None:
    """Only what may pass can be tried again: no arrow leads back from the others."""
    again = {arrow.state for arrow in transitions(CALL) if arrow.event == "repeated"}
    assert again == {"failed", "timed_out", "rejected", "short_circuited"}


@LIFECYCLES
def test_the_diagram_has_every_arrow(lifecycle: Lifecycle) -> None:
    """A line for the start, one for each transition, one for each end."""
    lines = lifecycle.to_mermaid().splitlines()
    arrows = [f"    {a.state} --> {a.follows}: {a.event}" for a in transitions(lifecycle)]
    ends = [f"    {state.name} --> [*]" for state in lifecycle.ends]
    assert lines == [
        "stateDiagram-v2",
        f"    [*] --> {lifecycle.start.name}",
        *arrows,
        *ends,
    ]
    assert len(arrows) >= 4
