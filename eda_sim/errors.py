"""What can go wrong, as one small tree.

::

    EdaSimError
    ├── InvalidInput      what was given cannot be right: place, rule, value, remedy
    └── SimulationError   a run cannot go on

    EdaSimWarning         what was given can be right, but is hardly meant: what is odd, remedy

Input is refused when it is given, before anything runs, in one line that says
where, which rule, which value and what to do. ``InvalidInput`` is also a
``ValueError``, so that code which knows nothing of this package can catch it.

A warning is no failure, and a tree of its own: it points to the line that gave the
input, outside this package and what this package is built with.
"""

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from types import FrameType


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


class EdaSimWarning(UserWarning):
    """Input that can be right but is hardly meant; the message is one line.

    Python's own filters show it once for each line that gives rise to it, silence it or make
    it an error: ``warnings.simplefilter("ignore", EdaSimWarning)``.
    """


# Whoever stands between the user's line and the one that warns.
_NOT_THE_USER = ("eda_sim", "pydantic", "dataclasses")


def warn(message: str) -> None:
    """Warn with ``EdaSimWarning`` at the line of the user, however deep in here that was found."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _name(frame).split(".")[0] in _NOT_THE_USER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, EdaSimWarning, stacklevel=level)


def _name(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


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
