"""How the program ends: one line on stderr and an exit code for whatever went wrong."""

from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from eda_sim.errors import EdaSimError, InvalidInput

WRONG_INPUT = 2
CANNOT_GO_ON = 1
INTERRUPTED = 130


class OneLineErrors(TyperGroup):
    """A group of commands whose every failure is one line, its usage errors included."""

    def main(self, *args: Any, standalone_mode: bool = True, **settings: Any) -> Any:
        """Run the command line; ends the process as programs do, unless embedded."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **settings)
        try:
            code = super().main(*args, standalone_mode=False, **settings)
        except EdaSimError as error:
            _end(f"error: {error}", WRONG_INPUT if _is_input(error) else CANNOT_GO_ON)
        except (KeyboardInterrupt, typer.Abort):
            code = INTERRUPTED
        except Exception as error:
            _end_usage(error)
        if code == INTERRUPTED:
            _end("interrupted", INTERRUPTED)
        raise SystemExit(code if isinstance(code, int) else 0)


def _is_input(error: EdaSimError) -> bool:
    return isinstance(error, InvalidInput)


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
