"""networkx, loaded when it is first used."""

from typing import TYPE_CHECKING

from eda_sim.later import Later

if TYPE_CHECKING:
    import networkx
else:
    networkx = Later("networkx")
