"""What can become of a call, a delivery, an instance and a circuit breaker, as tables.

A state is a table from what may happen to the state that follows; where nothing
may follow is an end, and some others may be one. An engine changes a state only
by looking it up here, so what these tables do not allow cannot happen, and the
state diagrams that people see are drawn from them.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from eda_sim.errors import SimulationError
from eda_sim.rules.outcomes import Outcome


class State(dict[str, "State"]):
    """A named state: ``state[event]`` is the one that follows.

    >>> WAITING["dispatched"].name
    'handling'
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __missing__(self, event: str) -> "State":
        raise SimulationError(f"{event!r} cannot happen to what is {self.name!r}")

    def __repr__(self) -> str:
        return f"State({self.name!r})"


class Lifecycle(NamedTuple):
    """A state machine: where it starts, every state, and those in which it may end."""

    name: str
    start: State
    states: tuple[State, ...]
    ends: tuple[State, ...]

    def to_mermaid(self) -> str:
        """Return the state diagram as Mermaid text, which many editors and sites draw.

        >>> print(BREAKER.to_mermaid().splitlines()[1].strip())
        [*] --> closed
        """
        lines = ["stateDiagram-v2", f"    [*] --> {self.start.name}"]
        lines += [f"    {s} --> {follows}: {event}" for s, event, follows in transitions(self)]
        lines += [f"    {state.name} --> [*]" for state in self.ends]
        return "\n".join(lines) + "\n"


class Transition(NamedTuple):
    """One arrow of a state diagram."""

    state: str
    event: str
    follows: str


def transitions(lifecycle: Lifecycle) -> Iterator[Transition]:
    """Yield every arrow of the diagram, state by state."""
    for state in lifecycle.states:
        for event, follows in state.items():
            yield Transition(state.name, event, follows.name)


def _lifecycle(
    name: str, *table: tuple[State, Mapping[str, State]], ends: tuple[State, ...] = ()
) -> Lifecycle:
    for state, events in table:
        state.update(events)
    final = [end for end in ends if not end]
    return Lifecycle(name, table[0][0], (*(state for state, _ in table), *final), ends)


# -- a delivery: one message for one subscriber ----------------------------------

TRAVELLING = State("travelling")
WAITING = State("waiting")
HANDLING = State("handling")
BACKING_OFF = State("backing_off")
HANDLED = State(Outcome.HANDLED)
DEAD_LETTERED = State(Outcome.DEAD_LETTERED)
LOST = State(Outcome.LOST)

DELIVERY = _lifecycle(
    "delivery",
    (TRAVELLING, {"available": WAITING, "discarded": LOST}),
    (
        WAITING,
        {
            "dispatched": HANDLING,
            "acknowledged late": HANDLED,
            "dead_lettered": DEAD_LETTERED,
            "discarded": LOST,
        },
    ),
    (
        HANDLING,
        {
            "acknowledged": HANDLED,
            "failed": BACKING_OFF,
            "crashed": WAITING,
            "acknowledgement timed out": WAITING,
            "acknowledgement lost": WAITING,
            "dead_lettered": DEAD_LETTERED,
            "discarded": LOST,
        },
    ),
    (BACKING_OFF, {"due": WAITING, "acknowledged late": HANDLED}),
    (DEAD_LETTERED, {"redriven": WAITING}),
    ends=(HANDLED, DEAD_LETTERED, LOST),
)

# -- a call, as its caller sees it -------------------------------------------------

READY = State("ready")
IN_FLIGHT = State("in_flight")
REPEATING = State("backing_off")
OK = State(Outcome.OK)
FAILED = State(Outcome.FAILED)
TIMED_OUT = State(Outcome.TIMED_OUT)
REJECTED = State(Outcome.REJECTED)
SHORT_CIRCUITED = State(Outcome.SHORT_CIRCUITED)
FAILED_PERMANENTLY = State(Outcome.FAILED_PERMANENTLY)
ABANDONED = State(Outcome.ABANDONED)

_ATTEMPT = {
    "sent": IN_FLIGHT,
    "short_circuited": SHORT_CIRCUITED,
    "rejected": REJECTED,
    "timed_out": TIMED_OUT,
}
_AGAIN = {"repeated": REPEATING}

CALL = _lifecycle(
    "call",
    (READY, _ATTEMPT),
    (
        IN_FLIGHT,
        {
            "ok": OK,
            "failed": FAILED,
            "failed_permanently": FAILED_PERMANENTLY,
            "rejected": REJECTED,
            "timed_out": TIMED_OUT,
            "abandoned": ABANDONED,
        },
    ),
    (FAILED, _AGAIN),
    (TIMED_OUT, _AGAIN),
    (REJECTED, _AGAIN),
    (SHORT_CIRCUITED, _AGAIN),
    (REPEATING, {**_ATTEMPT, "abandoned": ABANDONED}),
    ends=(OK, FAILED, FAILED_PERMANENTLY, TIMED_OUT, REJECTED, SHORT_CIRCUITED, ABANDONED),
)

# -- an instance: one copy of a service --------------------------------------------

ABSENT = State("absent")
STARTING = State("starting")
UP = State("up")
DOWN = State("down")
STOPPING = State("stopping")

INSTANCE = _lifecycle(
    "instance",
    (ABSENT, {"ordered": STARTING}),
    (STARTING, {"started": UP, "started, broken": DOWN, "retired": ABSENT}),
    (UP, {"died": DOWN, "retired": STOPPING}),
    (DOWN, {"repaired": UP, "retired": ABSENT}),
    (STOPPING, {"finished": ABSENT, "died": ABSENT, "ordered": STARTING}),
)

# -- a circuit breaker -------------------------------------------------------------

CLOSED = State("closed")
OPEN = State("open")
HALF_OPEN = State("half_open")

BREAKER = _lifecycle(
    "circuit breaker",
    (CLOSED, {"tripped": OPEN}),
    (OPEN, {"waited": HALF_OPEN}),
    (HALF_OPEN, {"trial succeeded": CLOSED, "trial failed": OPEN}),
)
