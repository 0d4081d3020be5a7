"""Units of time: every duration in eda_sim is a float, in seconds.

Multiply to say what you mean, so that no reader has to count zeros:

>>> 40 * ms
0.04
>>> 1.5 * hour
5400.0
"""

from typing import Final

ms: Final = 0.001
second: Final = 1.0
minute: Final = 60.0
hour: Final = 3600.0
day: Final = 86400.0
