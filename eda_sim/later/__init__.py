"""Heavy libraries, loaded when they are first used.

``from eda_sim import *``, which every notebook begins with, brings functions that draw and
tables that are computed. What they need takes a second to load, so it waits until one of them
is called. There is a module here for each such library; whoever needs it writes

::

    from __future__ import annotations

    from eda_sim.later.pandas import pd

and goes on as after ``import pandas as pd``. The first line keeps annotations from asking for
the library; base classes and aliases at the top of a module must not ask for it either.
"""

from importlib import import_module
from typing import Any


class Later:
    """A module, or something in it, that is imported when it is first asked for.

    >>> numbers = Later("fractions")
    >>> numbers.Fraction(1, 2), Later("fractions", "Fraction")(1, 2)
    (Fraction(1, 2), Fraction(1, 2))
    """

    def __init__(self, module: str, name: str | None = None) -> None:
        self._module = module
        self._name = name

    def _now(self) -> Any:
        module = import_module(self._module)
        return module if self._name is None else getattr(module, self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._now()(*args, **kwargs)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._now())
