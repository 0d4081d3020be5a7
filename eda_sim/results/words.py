"""Numbers as people say them: three significant digits, and the unit that fits.

Journeys, titles and descriptions of pictures use these, so that the same number
reads the same wherever it appears.
"""

from math import floor, isfinite, log10

DIGITS = 3


def seconds_text(seconds: float, digits: int = DIGITS) -> str:
    """Write a time, given in seconds, with three significant digits and its unit.

    >>> seconds_text(0.01234), seconds_text(2.5), seconds_text(600), seconds_text(float("nan"))
    ('12.3 ms', '2.5 s', '10 min', 'never')
    """
    if not isfinite(seconds):
        return "never"
    size = abs(seconds)
    if size == 0:
        return "0 s"
    if size < 0.9995:
        return f"{number_text(seconds * 1000, digits)} ms"
    if size < 119.95:
        return f"{number_text(seconds, digits)} s"
    if size < 7197:
        return f"{number_text(seconds / 60, digits)} min"
    return f"{number_text(seconds / 3600, digits)} h"


def number_text(value: float, digits: int = DIGITS) -> str:
    """Write a number with three significant digits, thousands apart, no idle zeros.

    >>> number_text(2411.0), number_text(0.05000), number_text(39.96), number_text(1e-7)
    ('2,411', '0.05', '40', '0.0000001')
    """
    if not isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = max(digits - 1 - floor(log10(abs(value))), 0)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def share_text(share: float) -> str:
    """Write a fraction as a percentage.

    >>> share_text(0.03318), share_text(1.0)
    ('3.32 %', '100 %')
    """
    return f"{number_text(100 * share)} %"


def count_text(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun.

    >>> count_text(1, "request"), count_text(2411, "dead letter")
    ('1 request', '2,411 dead letters')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
