"""What a picture says, in words, for those who cannot see it.

Every ``draw_`` function writes the words while it draws, from the same numbers,
and leaves them with the picture; ``describe`` reads them. In a notebook the
picture's value prints as its description, because an image's alternative text
does not survive there.
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from eda_sim.errors import InvalidInput
from eda_sim.later.matplotlib import Axes, FigureBase

_DESCRIPTIONS: WeakKeyDictionary[object, str] = WeakKeyDictionary()


def describe(picture: Axes | FigureBase) -> str:
    """Return what a picture shows, its extremes and its finding, in words and numbers.

    Args:
        picture: what a ``draw_`` function returned, or a figure that holds such Axes.

    Raises:
        InvalidInput: if nothing there was drawn by a ``draw_`` function.

    Example:
        >>> from eda_sim import describe, draw_system, order_chain
        >>> print(describe(draw_system(order_chain())).splitlines()[0])
        synchronous chain: whoever asks waits for 5 of 5 services.
    """
    words = written(picture)
    if words is None:
        raise InvalidInput(
            f"describe needs what a draw_ function returned, got {type(picture).__name__}: "
            "draw with draw_distribution, draw_timeline, ... and describe what they return"
        )
    return words


def written(picture: object) -> str | None:
    """Return the words that were left with a picture, or with the parts of a figure."""
    if (words := own_words(picture)) is not None:
        return words
    axes = getattr(picture, "axes", None)  # of a figure a list, of Axes themselves
    parts = [own_words(ax) for ax in axes] if isinstance(axes, list) else []
    return "\n\n".join(part for part in parts if part is not None) or None


def own_words(picture: object) -> str | None:
    """Return the words that were left with the picture itself, not with its parts."""
    if picture not in _DESCRIPTIONS:  # neither is what cannot be referred to weakly
        return None
    return _DESCRIPTIONS[picture]


def attach(picture: object, *sentences: str) -> None:
    """Leave the words with the picture, a line for each of ``sentences``."""
    _DESCRIPTIONS[picture] = "\n".join(sentence for sentence in sentences if sentence)


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """Join words as people do.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last
