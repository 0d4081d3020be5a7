"""How much of a run the statistics leave out, where nobody says it."""


def warmup_of(given: float | None, usual: float, duration: float) -> float:
    """Return the warm-up that is ``given``; otherwise ``usual``, but a tenth of a short run.

    So whoever only shortens a ready scenario need not shorten its warm-up too.

    >>> warmup_of(None, usual=120.0, duration=1800.0), warmup_of(None, usual=120.0, duration=60.0)
    (120.0, 6.0)
    >>> warmup_of(0.0, usual=120.0, duration=60.0)
    0.0
    """
    if given is not None:
        return given
    try:
        return min(usual, duration / 10)
    except TypeError:  # no number, which the scenario refuses in its own words
        return usual
