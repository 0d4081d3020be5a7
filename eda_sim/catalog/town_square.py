"""News in a town square, twice: passed on in conversation, and announced.

In the conversation the crier tells the baker and waits until the baker has told
the tailor, who waits until the tailor has told the smith: calls within calls. In
the announcement the crier says it once, to the whole square, and goes on; who
wants to know listens. Reading, hearing and the times they take are the same.

One of the listeners may be kept busy: at ``busy_at`` a customer comes and stays for
``busy_lasts`` seconds. Everybody is one person, who meanwhile hears nothing.

By default there is news every 10 s, and each person needs 1 s for it. The
conversation keeps the crier for 4 s each time, 0.4 erlang; the announcement 0.1.
"""

from collections.abc import Sequence

from eda_sim.errors import InvalidInput, nearest
from eda_sim.scenario.broker import Broker
from eda_sim.scenario.distributions import Constant, Exponential
from eda_sim.scenario.scenario import Scenario
from eda_sim.scenario.service import Service
from eda_sim.scenario.steps import AnyStep, Call, Publish, Work
from eda_sim.scenario.traffic import Poisson, Trace, Traffic
from eda_sim.units import minute

_LISTENERS = ("baker", "tailor", "smith", "miller", "potter", "weaver", "cooper", "brewer")
_READ, _SERVE, _EVENT = "ReadNews", "ServeCustomer", "NewsAnnounced"


def town_conversation(
    *,
    listeners: int = 3,
    rate: float = 0.1,
    read_mean: float = 1.0,
    hear_mean: float = 1.0,
    busy: str = "tailor",
    busy_at: float | None = None,
    busy_lasts: float = 1 * minute,
    duration: float = 10 * minute,
    warmup: float = 0.0,
) -> Scenario:
    """News is passed on by calls: each person waits until all after them have heard it.

    Args:
        listeners: how many hear it, 1 to 8: baker, tailor, smith, miller, and so on.
        rate: how often there is news, 1/second (Poisson).
        read_mean: mean time the crier needs to read it, seconds (exponential).
        hear_mean: mean time each listener needs to hear it, seconds (exponential).
        busy: the listener to whom a customer comes.
        busy_at: when that customer comes, seconds; None for never.
        busy_lasts: how long the customer stays, seconds.
        duration: news comes this long, seconds.
        warmup: statistics leave out what started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import town_conversation
        >>> town_conversation().service("baker").handlers["TellBaker"].steps[1]
        Call('TellTailor')
    """
    names = _names(listeners)
    commands = [f"Tell{name.title()}" for name in names]
    crier, *rest = [[Call(command)] for command in commands] + [[]]
    people = [_crier(read_mean, crier)]
    for name, command, then in zip(names, commands, rest, strict=True):
        people.append(_listener(name, command, hear_mean, then))
    return Scenario(
        "conversation",
        traffic=_traffic(rate, busy_at),
        services=_with_customer(people, busy, busy_at, busy_lasts),
        duration=duration,
        warmup=warmup,
    )


def town_announcement(
    *,
    listeners: int = 3,
    rate: float = 0.1,
    read_mean: float = 1.0,
    hear_mean: float = 1.0,
    busy: str = "tailor",
    busy_at: float | None = None,
    busy_lasts: float = 1 * minute,
    duration: float = 10 * minute,
    warmup: float = 0.0,
) -> Scenario:
    """News is announced as an event: the crier moves on, each listener hears it when free.

    Args:
        listeners: how many hear it, 1 to 8: baker, tailor, smith, miller, and so on.
        rate: how often there is news, 1/second (Poisson).
        read_mean: mean time the crier needs to read it, seconds (exponential).
        hear_mean: mean time each listener needs to hear it, seconds (exponential).
        busy: the listener to whom a customer comes.
        busy_at: when that customer comes, seconds; None for never.
        busy_lasts: how long the customer stays, seconds.
        duration: news comes this long, seconds.
        warmup: statistics leave out what started earlier, seconds.

    Raises:
        InvalidInput: one line with the path, the rule, the value and the remedy.

    Example:
        >>> from eda_sim import town_announcement
        >>> town_announcement(listeners=5).services[5].name
        'potter'
    """
    listening = [_listener(name, _EVENT, hear_mean, []) for name in _names(listeners)]
    people = [_crier(read_mean, [Publish(_EVENT)]), *listening]
    return Scenario(
        "announcement",
        traffic=_traffic(rate, busy_at),
        services=_with_customer(people, busy, busy_at, busy_lasts),
        # The open air: what is said is heard at once, by everybody who listens.
        broker=Broker(),
        duration=duration,
        warmup=warmup,
    )


# -- what both have in common --------------------------------------------------


def _names(listeners: int) -> Sequence[str]:
    if not 1 <= listeners <= len(_LISTENERS):
        raise InvalidInput(
            f"listeners must be between 1 and {len(_LISTENERS)}, got {listeners}: "
            "the square holds no more"
        )
    return _LISTENERS[:listeners]


def _traffic(rate: float, busy_at: float | None) -> list[Traffic]:
    news = Traffic(Call(_READ), Poisson(rate), name="town hall")
    if busy_at is None:
        return [news]
    return [news, Traffic(Call(_SERVE), Trace([busy_at]), name="customer")]


def _crier(mean: float, then: Sequence[AnyStep]) -> Service:
    return Service("crier", on={_READ: [Work(Exponential(mean), "read news"), *then]})


def _listener(name: str, message: str, mean: float, then: Sequence[AnyStep]) -> Service:
    return Service(name, on={message: [Work(Exponential(mean), "hear news"), *then]})


def _with_customer(
    people: Sequence[Service], busy: str, at: float | None, lasts: float
) -> list[Service]:
    """Return the people, with a customer to serve for the one who is ``busy``."""
    listening = [person.name for person in people[1:]]
    if busy not in listening:
        raise InvalidInput(f"busy must be a listener, got {busy!r}: {nearest(busy, listening)}")
    if at is None:
        return list(people)
    serve = Work(Constant(lasts), "serve customer")
    return [
        Service(person.name, on={**person.handlers, _SERVE: [serve]})
        if person.name == busy
        else person
        for person in people
    ]
