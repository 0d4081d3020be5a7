"""The terminal: ``eda-sim list``, ``show``, ``run`` and ``compare``.

What was asked for goes to stdout, as tables or, for machines, as JSON and
nothing else; progress and errors go to stderr. Wrong input is one line and exit
code 2, a run that cannot go on is one line and 1, an interruption is one line
and 130; a traceback is always a bug of the program.

``commands`` has the four commands, ``group`` the exit codes, ``inputs`` turns
what was typed into scenarios, ``tables`` and ``files`` write what comes out.
Only what a command needs is imported, so that help comes at once.
"""

from eda_sim.cli.commands import app

__all__ = ["app"]
