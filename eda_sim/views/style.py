"""How pictures look: colours, markers, line styles and hatches, large enough to read.

The colours are Okabe and Ito's, which stay apart for people with any common
colour blindness; and since paper and projectors lose colour, whatever a colour
says, a marker, a line style or a hatch says too. No text is smaller than 12
points at a figure's own size.

The user's own matplotlib settings are never changed: pictures are drawn inside
``styled()``, which puts them back.

References:
    Okabe and Ito, "Color Universal Design", 2008,
    https://jfly.uni-koeln.de/color/
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

BLACK: Final = "#000000"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
OKABE_ITO: Final = (BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE)

INK: Final = "#222222"  # text and outlines
QUIET: Final = "#5F5F5F"  # what may be overlooked
PALE: Final = "#EDEDED"  # what lies behind

SMALL: Final = 12.0  # points
NORMAL: Final = 13.0
LARGE: Final = 15.0

Dashes = Literal["solid"] | tuple[float, tuple[float, ...]]


class Look(NamedTuple):
    """What tells one thing from another, with and without colour."""

    color: str
    marker: str
    line: Dashes
    hatch: str


LOOKS: Final = (
    Look(BLUE, "o", "solid", ""),
    Look(VERMILLION, "s", (0, (6.0, 2.0)), "//"),
    Look(GREEN, "^", (0, (6.0, 2.0, 1.5, 2.0)), ".."),
    Look(PURPLE, "D", (0, (1.5, 1.5)), "xx"),
    Look(ORANGE, "v", (0, (10.0, 3.0)), "--"),
    Look(SKY, "P", (0, (3.0, 1.5, 1.5, 1.5, 1.5, 1.5)), "||"),
    Look(BLACK, "X", (0, (3.0, 3.0)), "++"),
)

VERDICT_LOOKS: Final = {
    "consistent": Look(SKY, "o", "solid", ""),
    "duplicated": Look(YELLOW, "P", "solid", ".."),
    "half_done": Look(VERMILLION, "s", "solid", "//"),
    "lost": Look(PURPLE, "X", "solid", "xx"),
    "out_of_order": Look(ORANGE, "v", "solid", "\\\\"),
    "pending": Look("#FFFFFF", "D", "solid", "--"),
}

_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": ["DejaVu Sans"],  # it comes with matplotlib, the same on every machine
    "font.size": NORMAL,
    "axes.titlesize": LARGE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12.0,
    "axes.labelsize": NORMAL,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.facecolor": "white",
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 2.5,
    "lines.markersize": 9.0,
    "hatch.linewidth": 1.2,
    "figure.facecolor": "white",
    "figure.dpi": 100.0,
    "savefig.dpi": "figure",
    "savefig.facecolor": "white",
    "path.simplify": True,
}


def look(position: int) -> Look:
    """Return the look of the thing at ``position`` (from 0); after seven they start again.

    >>> look(0).marker, look(1).marker
    ('o', 's')
    """
    return LOOKS[position % len(LOOKS)]


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return a look for each name, in their order."""
    return {name: look(position) for position, name in enumerate(names)}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style, whatever the user's settings are, and leave those as they were.

    Only what is changed is put back. ``rc_context`` would put back everything, with it the
    interactive mode that a notebook switches on while the first figure is made.
    """
    from matplotlib import rcParams

    before: dict[Any, Any] = {name: rcParams[name] for name in _SETTINGS}
    rcParams.update(_SETTINGS)
    try:
        yield
    finally:
        rcParams.update(before)
