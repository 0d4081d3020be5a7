"""How long messages travel, given only a mean."""

from eda_sim.scenario.distributions import Constant, Exponential


def latency(mean: float) -> Constant | Exponential:
    """Return an exponential latency with ``mean`` seconds, or none at all for a mean of 0.

    An exponential time cannot have the mean 0, and a sweep over latencies starts there.

    >>> latency(0.005), latency(0)
    (Exponential(0.005), Constant(0.0))
    """
    return Constant(0.0) if mean == 0 else Exponential(mean)
