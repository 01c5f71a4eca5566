"""``files`` and ``cp``: what lies in a run's directory, and getting it out."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from launch_tui.cli.output import is_terminal, line, print_json, say
from launch_tui.domain.home_path import at_home
from launch_tui.errors import LaunchError, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.cli.parsing import Arguments
    from launch_tui.domain.run import Run


def files(arguments: Arguments) -> int:
    """Print the files of a run, as paths that ``cp`` takes."""
    with arguments.open() as sdk:
        run = sdk.runs.get(arguments.words[0])
        found = list(sdk.runs.files(run.id))
    if arguments.json:
        print_json(
            [{"path": str(path), "size": _size(Path(run.directory, path))} for path in found]
        )
        return 0
    if not found:
        say(f"{run.id} has no files yet")
    raw = getattr(sys.stdout, "buffer", None)
    for path in found:
        if is_terminal() or raw is None:
            line(path)
        else:
            # A file's name is bytes; a program that reads it wants just those.
            raw.write(os.fsencode(path) + b"\n")
    return 0


def copy(arguments: Arguments) -> int:
    """Copy a file or folder out of a run's directory."""
    source, destination = arguments.words
    reference, separator, inside = source.partition(":")
    if not separator or not inside:
        raise UsageError("RUN:PATH", f"{source!r} names no file of a run", allowed="@:output.log")
    with arguments.open() as sdk:
        run = sdk.runs.get(reference)
    found = _find(run, inside)
    try:
        if destination == "-":
            _print_file(found)
        else:
            line(_copy(found, at_home(destination)))
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LaunchError(f"cannot copy to {destination}: {reason}") from error
    return 0


def _find(run: Run, inside: str) -> Path:
    """Return the path that is meant: as ``files`` prints it, or from where the job ran."""
    if PurePosixPath(inside).is_absolute() or ".." in PurePosixPath(inside).parts:
        raise UsageError("RUN:PATH", f"{inside!r} leads out of the run", allowed="a path of files")
    for folder in _folders(run):
        if (folder / inside).exists():
            return folder / inside
    raise NotFound("RUN:PATH", f"{run.id} has no file {inside!r}", allowed="see launch-tui files")


def _folders(run: Run) -> Iterator[Path]:
    root = Path(run.directory)
    attempt = root / str(run.attempt)
    yield from (root, attempt, root / "shared", attempt / "source")


def _copy(source: Path, destination: Path) -> Path:
    target = destination / source.name if destination.is_dir() else destination
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
    return target


def _print_file(source: Path) -> None:
    if source.is_dir():
        raise UsageError("DEST", f"{source.name!r} is a folder", allowed="a path to copy it to")
    sys.stdout.flush()
    with source.open("rb") as stream:
        shutil.copyfileobj(stream, sys.stdout.buffer)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
