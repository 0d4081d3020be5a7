"""eda_sim: a laboratory for event-driven architecture.

Describe a system as plain data, then draw it, run it, compare it with another
architecture on the same orders and the same luck, and ask what became of each
order:

>>> from eda_sim import order_chain, simulate
>>> run = simulate(order_chain(duration=20, warmup=0), seed=7)
>>> int(run.summary()["requests"]) == len(run.requests)
True

What is public is said once, in ``__init__.pyi``, which type checkers and editors read too.
Names are imported when they are first used, so that ``import eda_sim`` stays quick.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

# The module has the function's name and would take its place: so the function comes first.
from eda_sim.simulate import simulate as simulate

__version__ = "0.1.0"


def _homes() -> dict[str, str]:
    """Return the package or module that each public name is imported from."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [line for line in stub.body if isinstance(line, ast.ImportFrom)]
    return {name.name: str(line.module) for line in imports for name in line.names}


_HOME_OF = _homes()

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'eda_sim' has no attribute {name!r}")
    home = import_module(_HOME_OF[name])
    value = vars(home)[name] if name in vars(home) else import_module(f"{_HOME_OF[name]}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
