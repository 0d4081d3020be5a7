"""Axes and Figures that say what they show.

A picture that a notebook shows at the end of its cell must not be shown once more as the
cell's value: there an Axes prints its description, and a Figure that has been shown is closed.
"""

from io import BytesIO
from textwrap import fill

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eda_sim.views.description import own_words, written

_DESCRIPTION_WIDTH = 96  # characters a line in a notebook's output


def _in_lines(words: str) -> str:
    return "\n".join(fill(line, _DESCRIPTION_WIDTH) for line in words.splitlines())


class PictureAxes(Axes):
    """Axes that say what they show."""

    def __repr__(self) -> str:
        words = written(self)
        return super().__repr__() if words is None else _in_lines(words)


class Picture(Figure):
    """A Figure that says what it shows, and that a notebook does not show twice."""

    def __repr__(self) -> str:
        words = written(self)
        return super().__repr__() if words is None else _in_lines(words)

    def _ipython_display_(self) -> None:
        """Show the picture, and beneath it the words that it has as a whole.

        Then it is closed: what pyplot still holds, a notebook shows at the end of the cell.
        """
        from IPython.display import Image, display

        png = BytesIO()
        self.savefig(png, format="png")
        display(Image(data=png.getvalue()))  # type: ignore[no-untyped-call]
        plt.close(self)
        if (words := own_words(self)) is not None:
            display({"text/plain": _in_lines(words)}, raw=True)  # type: ignore[no-untyped-call]
