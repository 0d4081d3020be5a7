"""What an id is made of, and how wide each part is.

An id is a number that people can read: from the right by sixes, then by nines.

- A *request* is its source, then its number within the source, of nine digits: 17 is the
  18th request of the first source, 1,000,000,017 that of the second. It takes 42 bits, as it
  does in a turn (``rules.order``).
- A *message* is its request, then six digits: its node in the plan (below 65,536) where it is
  made for the first time, as it is in most requests; 100,000 and more where it is made again.

A message that is made again is known by the tries that led to it: its number is hashed from its
node and its tries, so nobody's depends on who came first, nor on what else a request does. Two
of one request that meet by chance do not share it: who comes second takes the next free one.
The table ``messages`` says which node each was made at.

All of it fits into the 63 bits of a signed integer: 42 for the request, 20 for six digits.
"""

from collections.abc import Container
from typing import TYPE_CHECKING, Final, TypeVar

from eda_sim.errors import SimulationError
from eda_sim.rules.luck import mix
from eda_sim.rules.order import REQUEST_BITS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Ids = TypeVar("Ids", int, "npt.NDArray[np.int64]")

_PER_SOURCE: Final = 10**9
_PER_REQUEST: Final = 10**6
_FIRST_AGAIN: Final = 10**5
_LONGEST_SEARCH: Final = 10**4

MOST_SOURCES: Final = (1 << REQUEST_BITS) // _PER_SOURCE
MOST_AGAIN: Final = _PER_REQUEST - _FIRST_AGAIN


def request_id(source: int, number: int) -> int:
    """Return the id of a source's n-th request: its number, for the first source.

    >>> request_id(0, 17), request_id(1, 17)
    (17, 1000000017)
    """
    return source * _PER_SOURCE + number


def source_of(request: Ids) -> Ids:
    """Return the position of the source that a request (or each of an array) comes from.

    >>> source_of(1000000017)
    1
    """
    return request // _PER_SOURCE


def number_of(request: Ids) -> Ids:
    """Return the number of a request (or of each of an array) within its source.

    >>> number_of(1000000017)
    17
    """
    return request % _PER_SOURCE


def message_id(request: int, node: int) -> int:
    """Return the id of the message that a request makes at a node for the first time.

    >>> message_id(17, 2)
    17000002
    """
    return request * _PER_REQUEST + node


def message_made_again(request: int, node: int, tries: int, taken: Container[int]) -> int:
    """Return the id of a message made again, at a node after folded tries, if it is not taken.

    Raises:
        SimulationError: if so many are taken that a free one is hard to find.

    >>> from eda_sim.rules.luck import fold
    >>> message_made_again(17, 2, fold(0, 2), taken=())
    17959765
    """
    first = mix(tries ^ mix(node + 1)) % MOST_AGAIN
    for step in range(_LONGEST_SEARCH):
        message = request * _PER_REQUEST + _FIRST_AGAIN + (first + step) % MOST_AGAIN
        if message not in taken:
            return message
    raise SimulationError(
        f"request {request} made hundreds of thousands of messages again: allow fewer attempts, "
        "or let them wait longer"
    )
