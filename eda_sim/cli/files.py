"""Files for others to read: whole or not at all, and nothing of anybody else's overwritten."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from eda_sim.errors import InvalidInput

if TYPE_CHECKING:
    from eda_sim.results.run import Run

SUMMARY = "summary.json"


def json_text(data: Any) -> str:
    """Return data as JSON that every reader accepts: what is undefined is ``null``.

    >>> json_text({"p99": float("nan")})
    '{\\n  "p99": null\\n}'
    """
    return json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a number of numpy's
        value = value.item()
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and put it in place once it is complete.

    The name that is lent ends as ``path`` does, for those who read it as a format.
    """
    target = path.resolve()
    draft = target.with_name(f".{os.getpid()}.draft.{target.name}")
    try:
        if target.is_dir():
            raise InvalidInput(f"{path} is a directory: name a file in it")
        yield draft
        draft.replace(target)
    except OSError as error:
        raise _cannot_write(path, error) from None
    finally:
        draft.unlink(missing_ok=True)


def checked_picture(path: Path, otherwise: str = "") -> str:
    """Return the picture format that a file name ends in, or ``otherwise``; refuse others."""
    import matplotlib

    matplotlib.use("Agg")  # to a file: no window is opened, and none need be there
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    suffix = (path.suffix or otherwise).lower().removeprefix(".")
    if suffix not in known:
        raise InvalidInput(
            f"{path} must end in a picture format, got {path.suffix!r}: "
            f"use {', '.join(f'.{name}' for name in ('png', 'svg', 'pdf'))}"
        )
    return suffix


def check_directory(directory: Path) -> None:
    """Refuse a directory that a run must not replace.

    That is one with anything in it that no run wrote: every run lists its files in
    its ``summary.json``.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise InvalidInput(f"--out {directory} is a file: name a directory")
    present = _files(directory)
    foreign = sorted(present - _listed(directory)) if present else []
    if foreign:
        raise InvalidInput(
            f"--out {directory} holds files that no run wrote, such as {foreign[0]}: "
            "name a new or an empty directory"
        )


def write_run(run: "Run", summary: Mapping[str, Any], directory: Path) -> None:
    """Write a run as ``to_parquet`` does, and its summary, into ``directory``: all or nothing."""
    check_directory(directory)
    target = directory.resolve()
    draft, old = (target.with_name(f".{os.getpid()}.{x}.{target.name}") for x in ("draft", "old"))
    try:
        draft.mkdir(parents=True)
        run.to_parquet(draft)
        files = sorted(_files(draft) | {SUMMARY})
        (draft / SUMMARY).write_text(json_text({**summary, "files": files}) + "\n", "utf-8")
        if target.exists():
            target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        rmtree(old, ignore_errors=True)
    except OSError as error:
        raise _cannot_write(directory, error) from None
    finally:
        rmtree(draft, ignore_errors=True)


def _files(directory: Path) -> set[str]:
    """Return what a directory holds, deeply; an empty directory in it counts too."""
    inside = (p for p in directory.rglob("*") if not p.is_dir() or not any(p.iterdir()))
    return {p.relative_to(directory).as_posix() for p in inside}


def _listed(directory: Path) -> set[str]:
    """Return the files that a run says it wrote here."""
    try:
        files = json.loads((directory / SUMMARY).read_text("utf-8"))["files"]
        return {str(name) for name in files}
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _cannot_write(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"{path} cannot be written: {error.strerror or error}")
