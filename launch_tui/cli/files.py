"""``files`` and ``cp``: what a run gave and what lies in its directory, and getting it out."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import is_terminal, line, print_json, say
from launch_tui.domain.home_path import at_home
from launch_tui.domain.quantities import write_size
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.cli.parsing import Arguments
    from launch_tui.domain.output import Output
    from launch_tui.sdk.outputs import RunFiles


def files(arguments: Arguments) -> int:
    """Print the artifacts and the files of a run, as paths that ``cp`` takes."""
    from launch_tui.sdk.outputs import RunFiles

    with arguments.open() as sdk:
        run = sdk.runs.get(arguments.words[0])
        here = RunFiles(run, sdk.runs.spec(run.id))
        found = list(sdk.runs.files(run.id))
    outputs = here.outputs()
    if arguments.json:
        entries = [entry for output in outputs for entry in _entries(here, output)]
        root = Path(run.directory)
        entries += [{"path": str(path), "size": _size(root / path)} for path in found]
        print_json(entries)
        return 0
    if not found and not outputs:
        say(f"{run.id} has no files yet")
    if is_terminal():
        for output in outputs:
            line(output_told(output))
            for told in _told(here, output):
                line(told)
        for path in found:
            line(path)
        return 0
    names = [f"{output.full_name}/{file.path}" for output in outputs for file in output.files]
    _print_names([*names, *map(str, found)])
    return 0


def copy(arguments: Arguments) -> int:
    """Copy a file, a folder or an artifact of a run."""
    from launch_tui.sdk.outputs import RunFiles

    source, destination = arguments.words
    reference, separator, inside = source.partition(":")
    if not separator or not inside:
        raise UsageError("RUN:PATH", f"{source!r} names no file of a run", allowed="@:output.log")
    with arguments.open() as sdk:
        here = RunFiles.of(sdk, reference)
    if destination == "-":
        sys.stdout.flush()
        with here.content(inside).open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer)
        return 0
    copied = here.copy(inside, at_home(destination))
    line(copied.path)
    for what in copied.left_out:
        say(f"left out: {what}")
    return 0


def output_told(output: Output) -> str:
    """Return an artifact in one line: version, type, aliases, how many files, how large."""
    count = len(output.files)
    aliases = f"  ({', '.join(output.aliases)})" if output.aliases else ""
    number = f"{count} file" if count == 1 else f"{count:,} files"
    return f"{output.full_name}{aliases}  {output.type}, {number}, {write_size(output.size)}"


def outputs_json(outputs: list[Output]) -> list[dict[str, Any]]:
    """Return artifacts as the JSON of a run has them."""
    return [
        {
            "name": output.name,
            "version": output.version,
            "type": output.type,
            "aliases": list(output.aliases),
            "files": len(output.files),
            "size": output.size,
            "attempt": output.attempt,
            "description": output.description,
            "metadata": dict(output.metadata),
        }
        for output in outputs
    ]


def _entries(here: RunFiles, output: Output) -> Iterator[dict[str, Any]]:
    for file in output.files:
        yield {
            "path": f"{output.full_name}/{file.path}",
            "size": file.size,
            "artifact": output.full_name,
            "type": output.type,
            "aliases": list(output.aliases),
            "reference": file.reference or None,
            "present": here.is_present(output, file),
        }


def _told(here: RunFiles, output: Output) -> Iterator[str]:
    for file in output.files:
        name = f"{output.full_name}/{file.path}"
        if file.reference and not file.local:
            yield f"{name}  -> {file.reference}"
        elif here.is_present(output, file):
            yield f"{name}  {write_size(file.size)}"
        else:
            yield f"{name}  {write_size(file.size)}, not here any more"


def _print_names(names: list[str]) -> None:
    raw = getattr(sys.stdout, "buffer", None)
    for name in names:
        if raw is None:
            line(name)
        else:
            # A file's name is bytes; a program that reads it wants just those.
            raw.write(os.fsencode(name) + b"\n")


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
