"""How the program ends: one line on stderr and an exit code for whatever went wrong.

What is odd but not wrong is one line on stderr too, and changes nothing else.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from eda_sim.errors import EdaSimError, EdaSimWarning, InvalidInput

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
            with _one_line_warnings():
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


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Write each of this package's warnings as one line, once; others as Python does."""
    shown: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", EdaSimWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, EdaSimWarning):
                usual(message, category, *where, **more)
            elif str(message) not in shown:
                shown.add(str(message))
                typer.echo(f"warning: {message}", err=True)

        warnings.showwarning = cast(Any, show)
        yield


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
