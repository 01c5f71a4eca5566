"""``backup`` and ``restore``: the data directory in one file, and back."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

from launch_tui.cli.output import line, notes, print_json, say
from launch_tui.domain.home_path import at_home
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from launch_tui.care.backup import Taken
    from launch_tui.care.restore import Restored
    from launch_tui.cli.parsing import Arguments

STREAM = "-"


def backup(arguments: Arguments) -> int:
    """Write a backup of the data directory."""
    from launch_tui.sdk import keeping

    name, exclude = arguments.words[0], arguments.many("exclude")
    to_stream = name == STREAM
    _check_name(name)
    if to_stream:
        _check_stream(arguments)
    with arguments.open() as sdk:
        if to_stream:
            taken = keeping.backup_to(sdk, sys.stdout.buffer, exclude=exclude)
        else:
            target = at_home(name)
            taken = keeping.backup(sdk, target, force=arguments.on("force"), exclude=exclude)
    notes(taken.notes)
    if arguments.json:
        print_json(asdict(taken))
    else:
        (say if to_stream else line)(_told(taken))
    return 0


def restore(arguments: Arguments) -> int:
    """Bring a backup back."""
    from launch_tui.sdk import keeping
    from launch_tui.store.paths import default_home

    with _opened(arguments.words[0]) as stream:
        done = keeping.restore(
            stream,
            default_home(arguments.home),
            replace=arguments.on("replace"),
            go_on=arguments.on("go_on"),
        )
    if arguments.json:
        print_json(asdict(done))
        return 0
    line(
        f"{done.home}: {done.runs} runs, {size_told(done.bytes)} in {done.files} files,"
        f" as they were on {done.host} at {done.taken_at}"
    )
    notes(_remarks(done))
    return 0


def _check_stream(arguments: Arguments) -> None:
    if arguments.json:
        raise UsageError("--json", "cannot stand together with - (stdout is the backup)")
    if os.isatty(sys.stdout.fileno()):
        raise UsageError("FILE", "- is this terminal", allowed="a file, or - with a pipe")


def _opened(name: str) -> IO[bytes]:
    if name == STREAM:
        return open(os.dup(sys.stdin.fileno()), "rb", buffering=0)  # noqa: PTH123
    _check_name(name)
    path = at_home(name)
    if path.exists() and not path.is_file():
        raise UsageError("FILE", f"{path} is no file", allowed="a file, or - for stdin")
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise UsageError("FILE", f"{path} cannot be read: {error.strerror}") from error


def _check_name(name: str) -> None:
    if "\0" in name:
        raise UsageError("FILE", "holds a NUL character", allowed="a path, or -")


def _told(taken: Taken) -> str:
    where = f"{taken.path}: " if taken.path else ""
    return (
        f"{where}{taken.runs} runs, {size_told(taken.bytes)} in {taken.files} files,"
        f" {size_told(taken.archive_bytes)} as a backup"
    )


def _remarks(done: Restored) -> list[str]:
    found = []
    if done.lost:
        found.append(f"{len(done.lost)} runs were at work then and are lost here")
    if done.paused:
        names = " ".join(done.paused)
        found.append(
            f"{done.waiting} runs wait, and their queues are paused, for they may have been run"
            f" where the backup is from: launch-tui queue resume {names}"
        )
    if done.dropped:
        found.append(f"{done.dropped} directories were left out, for they belong to no run")
    if done.aside:
        found.append(f"what was there before is in {done.aside}")
    return found


def size_told(size: int) -> str:
    """Return a number of bytes as a person reads it."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
