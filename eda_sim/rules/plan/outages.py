"""Which copies of a service an outage hits.

An outage that says how many copies it hits takes them from those that the service begins with;
one that does not say hits all that there can be. Two outages hit different copies if they can:

- *random* ones take their copies in the order of the scenario, each those that the fewest
  before it have taken: the first of one copy hits copy 0, the next copy 1, and once each has
  been taken it is copy 0's turn again;
- *scheduled* ones take theirs in the order in which they begin, each from those that none
  before it has down at the time; of these, those that the fewest random ones may hit.

Where several would do it is those with the lowest numbers. (Scheduled outages that would have
one copy down twice at one time are refused when the scenario is built.)
"""

from collections.abc import Sequence

from eda_sim.scenario.faults import Fault, Outage, overlap
from eda_sim.scenario.service import Service

Copies = tuple[int, ...]


def copies_hit(faults: Sequence[Fault], service: Service) -> dict[int, Copies]:
    """Return the numbers of the copies that each outage of a service hits, by its position.

    >>> outages = [Outage("a", mtbf=50, mttr=9, instances=1) for _ in range(3)]
    >>> copies_hit([*outages, Outage("a", at=10, lasts=5)], Service("a", instances=2, on={}))
    {0: (0,), 1: (1,), 2: (0,), 3: (0, 1)}
    """
    outages = {i: f for i, f in enumerate(faults) if isinstance(f, Outage)}
    mine = {i: each for i, each in outages.items() if each.service == service.name}
    hits: dict[int, Copies] = {}
    taken = [0] * service.instances  # how often, by random outages
    for i, outage in mine.items():
        if outage.at is None:
            hits[i] = _take(outage, range(service.instances), taken, service)
            for copy in hits[i][: service.instances]:
                taken[copy] += 1
    for i in sorted((i for i in mine if i not in hits), key=lambda i: (mine[i].at, i)):
        others = [j for j in hits if mine[j].at is not None and overlap(mine[i], mine[j])]
        down = {copy for j in others for copy in hits[j]}
        free = [copy for copy in range(service.instances) if copy not in down]
        hits[i] = _take(mine[i], free, taken, service)
    return hits


def _take(outage: Outage, free: Sequence[int], taken: Sequence[int], service: Service) -> Copies:
    """Return the copies that are hit of those that are ``free``, the least ``taken`` first."""
    if outage.instances is None:
        return tuple(range(service.most_instances))
    return tuple(sorted(sorted(free, key=lambda copy: taken[copy])[: outage.instances]))
