"""How the program ends: one line on stderr and an exit code for whatever went wrong."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from eda_sim.errors import EdaSimError, InvalidInput

WRONG_INPUT = 2
CANNOT_GO_ON = 1
INTERRUPTED = 130


class OneLineErrors(TyperGroup):
    """A group of commands whose every failure is one line, its usage errors included."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; ends the process as programs do, unless embedded."""
        run = partial(
            super().main, args, prog_name, complete_var, False, windows_expand_args, **extra
        )
        if not standalone_mode:
            return run()
        try:
            code = run()
        except EdaSimError as error:
            wrong = isinstance(error, InvalidInput)
            _end(f"error: {error}", WRONG_INPUT if wrong else CANNOT_GO_ON)
        except (KeyboardInterrupt, typer.Abort):
            code = INTERRUPTED
        except Exception as error:
            _end_usage(error)
        if code == INTERRUPTED:
            _end("interrupted", INTERRUPTED)
        raise SystemExit(code if isinstance(code, int) else 0)


def _end_usage(error: Exception) -> NoReturn:
    """End on what Typer says about a command line that it cannot read; raise anything else."""
    # The class is public under another name in each version of Typer; its shape is the same.
    explain, code = getattr(error, "format_message", None), getattr(error, "exit_code", None)
    if explain is None or not isinstance(code, int):
        raise error
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "eda-sim"
    _end(f"error: {explain().rstrip('.')} (see {command} --help)", code)


def _end(line: str, code: int) -> NoReturn:
    typer.echo(" ".join(line.split()), err=True)
    raise SystemExit(code)
