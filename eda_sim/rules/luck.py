"""Luck: random numbers are addressed, never consumed.

Every draw is a pure function of ``(seed, address, source, request, place, tries)``:

- *address* says what is drawn, readably: ``"payment/charge card"``;
- *source* and *request* say for whom: the n-th request of a source of traffic;
- *place* tells apart the several times that one request reaches an address
  (``rules.plan`` counts them);
- *tries* are the numbers of the attempts that led here, outermost first.

First attempts at the front of *tries* are left out, so that a request which
succeeds at once has the same luck however deeply an architecture nests its
attempts. Within one place the depth is fixed, so no two lists of attempts meet. A link may
make a copy of an attempt, and a broker may accept once more what an attempt has published: each
copy has a branch of its own, where no attempt's number leads.

Seed, address, source and place make a 64-bit key, once, by BLAKE2b. Request n
then takes the n-th output of a SplitMix64 generator that starts at the key
(Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), which needs no state and so can be computed in blocks; *tries* are
folded in by the same mixing. Integer arithmetic gives identical bits in numpy,
in compiled code and on every platform. The highest 52 bits, plus a half, make a
uniform number strictly between 0 and 1.
"""

from array import array
from collections.abc import Callable, Iterator
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from eda_sim.errors import SimulationError
from eda_sim.rules import quantiles
from eda_sim.scenario.distributions import Constant, Distribution, Exponential, Recorded

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_SMALLEST_BLOCK, _LARGEST_BLOCK = 32, 1024
_ULP = 2.0**-52


def mix(x: int) -> int:
    """Scramble a 64-bit integer (the output function of SplitMix64).

    >>> hex(mix(0x9E3779B97F4A7C15))  # the generator's first output from state 0
    '0xe220a8397b1dcdaf'
    """
    x = (x ^ (x >> 30)) * _FIRST & _MASK
    x = (x ^ (x >> 27)) * _SECOND & _MASK
    return x ^ (x >> 31)


def fold(tries: int, attempt: int) -> int:
    """Append the number of an attempt (from 1) to folded ``tries``; 0 is "all were first".

    >>> fold(fold(0, 1), 1)
    0
    >>> fold(fold(0, 2), 1) == fold(fold(0, 1), 2)
    False
    """
    if tries == 0 and attempt == 1:
        return 0
    return mix((tries + attempt * _GOLDEN) & _MASK) or 1


def fold_copy(tries: int, copy: int = 1) -> int:
    """Append to folded ``tries``, behind their last attempt, the number of its copy (from 1).

    Copies are counted downwards where attempts are counted upwards, and both are mixed one to
    one: so they never meet. A copy stands behind the attempt that it copies, as number 1, or
    behind the attempt that published it, from number 2 on. So it is clear of which of several
    attempts, one within the other, it is a copy, and of what.

    >>> fold(fold_copy(fold(0, 1)), 1) == fold_copy(fold(fold(0, 1), 1))
    False
    """
    return mix((tries - copy * _GOLDEN) & _MASK) or 1


class Stream:
    """The uniform numbers of one address and place, for every request and its tries."""

    def __init__(self, key: int) -> None:
        self.key = key

    def uniform(self, request: int, tries: int = 0) -> float:
        """Return the number in (0, 1) for ``request`` (from 0) after the folded ``tries``."""
        bits = mix(self.key + (request + 1) * _GOLDEN & _MASK)
        if tries:
            bits = mix(bits ^ tries)
        return ((bits >> 12) + 0.5) * _ULP

    def block(self, first: int, size: int) -> npt.NDArray[np.float64]:
        """Return the numbers of requests ``first`` to ``first + size - 1``, tries all first.

        Shape ``(size,)``; bit for bit what ``uniform`` returns one at a time.
        """
        n = np.arange(first + 1, first + size + 1, dtype=np.uint64)
        x = np.uint64(self.key) + n * np.uint64(_GOLDEN)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(_FIRST)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(_SECOND)
        x ^= x >> np.uint64(31)
        return ((x >> np.uint64(12)).astype(np.float64) + 0.5) * _ULP


class Luck:
    """All the random numbers of a run, by address.

    >>> luck = Luck(seed=7)
    >>> card = luck.stream("payment/charge card", "customers")
    >>> card.uniform(17) == Luck(seed=7).stream("payment/charge card", "customers").uniform(17)
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, address: str, source: str, place: int = 0) -> Stream:
        """Return the numbers of ``address`` for requests of ``source`` at ``place``."""
        text = "\x1f".join((str(self.seed), address, source, str(place)))
        return Stream(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big"))

    def unit_gaps(self, source: str) -> Iterator[float]:
        """Yield endless independent exponential times with mean 1: a source's arrivals."""
        gap = Times(self.stream("arrival", source), quantiles.of(Exponential(1.0)))
        request = 0
        while True:
            yield gap(request, 0)
            request += 1


def block_size(known: int) -> int:
    """Return how many numbers to compute ahead: as many as were needed, within bounds."""
    return min(max(known, _SMALLEST_BLOCK), _LARGEST_BLOCK)


class Times:
    """Drawn times in seconds: ``times(request, tries)``.

    First tries are computed a block ahead and kept, eight bytes each.
    """

    __slots__ = ("_known", "_quantile", "_stream")

    def __init__(self, stream: Stream, quantile: Callable[[float], float]) -> None:
        self._stream = stream
        self._quantile = quantile
        self._known = array("d")

    def __call__(self, request: int, tries: int) -> float:
        if tries:
            return self._quantile(self._stream.uniform(request, tries))
        while request >= len(self._known):
            block = self._stream.block(len(self._known), block_size(len(self._known)))
            self._known.extend(map(self._quantile, block.tolist()))
        return self._known[request]


class Chance:
    """Drawn decisions: ``chance(request, tries)`` is true with the given probability."""

    __slots__ = ("_known", "_probability", "_stream")

    def __init__(self, stream: Stream, probability: float) -> None:
        self._stream = stream
        self._probability = probability
        self._known = bytearray()

    def __call__(self, request: int, tries: int) -> bool:
        if tries:
            return self._stream.uniform(request, tries) < self._probability
        while request >= len(self._known):
            block = self._stream.block(len(self._known), block_size(len(self._known)))
            self._known += (block < self._probability).tobytes()
        return self._known[request] == 1


class RecordedTimes:
    """Given times in seconds: request n takes the n-th value, whatever its tries."""

    __slots__ = ("_values", "_where")

    def __init__(self, values: tuple[float, ...], where: str) -> None:
        self._values = values
        self._where = where

    def __call__(self, request: int, tries: int) -> float:
        try:
            return self._values[request]
        except IndexError:
            raise SimulationError(
                f"{self._where}: Recorded has {len(self._values)} values, but there is a request "
                f"number {request}: record more, or shorten the run"
            ) from None


class Fixed:
    """A constant time in seconds."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, request: int, tries: int) -> float:
        return self.value


Draw = Times | RecordedTimes | Fixed


def times(luck: Luck, distribution: Distribution, address: str, source: str, place: int) -> Draw:
    """Return what draws from ``distribution`` at an address and place."""
    if isinstance(distribution, Constant):
        return Fixed(distribution.value)
    if isinstance(distribution, Recorded):
        return RecordedTimes(tuple(distribution.values), address)
    return Times(luck.stream(address, source, place), quantiles.of(distribution))
