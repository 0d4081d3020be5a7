"""How many instances an autoscaler wants.

As many as bring the load of each to the target, within bounds: ceil(instances x
load of an instance / target). Instances times their mean load is the load of all
together, so how many there are now does not matter.

Source: Kubernetes, "Horizontal Pod Autoscaling", algorithm details (without its
tolerance and its window of stabilisation).
"""

from math import ceil

from eda_sim.rules.rounding import ROUNDING


def instances_wanted(load: float, target: float, least: int, most: int) -> int:
    """Return how many instances are wanted, where ``target`` of the ``load`` is for one.

    >>> instances_wanted(2.1, target=0.5, least=1, most=8)
    5
    >>> instances_wanted(2.1, target=0.5, least=1, most=3)
    3
    """
    return max(ceil(min(load / target * (1 - ROUNDING), most)), least)
