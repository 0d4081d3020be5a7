"""What can go wrong, as one small tree.

::

    EdaSimError
    ├── InvalidInput      what was given cannot be right: place, rule, value, remedy
    └── SimulationError   a run cannot go on

Input is refused when it is given, before anything runs, in one line that says
where, which rule, which value and what to do. ``InvalidInput`` is also a
``ValueError``, so that code which knows nothing of this package can catch it.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class EdaSimError(Exception):
    """The root: catch this to catch whatever eda_sim itself raises."""


class InvalidInput(EdaSimError, ValueError):
    """Input that cannot be right; the message is one line.

    >>> raise InvalidInput("services['billing'].workers must be >= 1, got 0")
    Traceback (most recent call last):
    ...
    eda_sim.errors.InvalidInput: services['billing'].workers must be >= 1, got 0
    """


class SimulationError(EdaSimError):
    """A run that cannot go on: the message says at which time and why."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the nearest known word, or all of them.

    >>> nearest("payments", ["orders", "payment"])
    "did you mean 'payment'?"
    >>> nearest("x", ["orders", "payment"])
    'known: orders, payment'
    """
    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "there are none"
