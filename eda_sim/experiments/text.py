"""Numbers as people read them: an estimate with the digits that its interval supports."""

from math import floor, isnan, log10

from eda_sim.results.words import number_text


def estimate_text(mean: float, half_width: float, sign: bool = False) -> str:
    """Write ``mean ± half_width``, both to the half-width's second digit.

    ``sign`` shows a plus, for differences.

    >>> estimate_text(0.123456, 0.00123)
    '0.1235 ± 0.0012'
    >>> estimate_text(72104.3, 310.7)
    '72,104 ± 311'
    >>> estimate_text(0.25, float("nan"))  # one replication has no interval
    '0.25'
    """
    plus = "+" if sign and mean > 0 else ""
    if isnan(mean) or isnan(half_width):
        return plus + number_text(mean)
    if half_width == 0:
        return f"{plus}{number_text(mean)} ± 0"
    digits = min(max(1 - floor(log10(half_width)), 0), 12)
    return f"{plus}{mean:,.{digits}f} ± {half_width:,.{digits}f}"


def among_text(defined: int, replications: int) -> str:
    """Say over how many replications an estimate is, if it is not over all or none.

    >>> among_text(18, 20), among_text(20, 20)
    (' (n=18)', '')
    """
    return "" if defined in (0, replications) else f" (n={defined})"
