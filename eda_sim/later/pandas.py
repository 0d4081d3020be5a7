"""pandas, loaded when it is first used."""

from typing import TYPE_CHECKING

from eda_sim.later import Later

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = Later("pandas")
