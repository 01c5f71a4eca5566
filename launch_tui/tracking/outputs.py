"""Keeps what an attempt's job logged as artifacts: one line of JSON each, in ``outputs.jsonl``.

The lines are written as the records are read, before it is noted how far that was. So a line may
be there twice after a crash, and never lacks; ``domain.output.versions_of`` takes it once. A place
in the run's own directory is kept relative to it, since a data directory may be moved.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.domain.output import Output, OutputFile, versions_of
from launch_tui.tracking.artifact_record import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "outputs.jsonl"
KEPT = "kept"
"""Beside wandb's staging folder: second names of its contents, from before they were sent."""
STAGING = Path("wandb", "artifacts", "staging")
"""Where wandb puts copies of what is logged, below the attempt's directory (WANDB_DATA_DIR)."""


def note(directory: Path, outputs: Iterable[Output], *, working_directory: Path) -> None:
    """Write down what an attempt has logged.

    Args:
        directory: The attempt's.
        working_directory: Where its job was started: what wandb did not copy may have a place that
            is relative to it.
        outputs: As they were read; nothing is written for none.

    Raises:
        OSError: When that is not possible.
    """
    within = [_within(output, directory, working_directory) for output in outputs]
    lines = [json.dumps(asdict(output), ensure_ascii=False) for output in within]
    if not lines:
        return
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    with (directory / NAME).open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            if file.read(1) != b"\n":
                # The writer before was killed in the middle of a line.
                data = b"\n" + data
        file.write(data)


def outputs_of(run_directory: Path, attempts: int) -> list[Output]:
    """Return the versions of artifacts that the attempts of a run logged, oldest first.

    Args:
        run_directory: The run's.
        attempts: How many attempts there were.
    """
    found = [each for n in range(1, attempts + 1) for each in _of_attempt(run_directory, n)]
    return versions_of(found)


def place_of(run_directory: Path, output: Output, file: OutputFile) -> Path:
    """Return where the content of a file was put, whether or not it still is there."""
    place = run_directory / str(output.attempt) / file.local
    if not place.exists():
        kept = place.parent.parent / KEPT / place.name
        if kept.exists():
            return kept
    return place


def keep_staged(attempt: Path) -> None:
    """Give the staged contents second names: wandb removes its own once they have been sent."""
    kept = attempt / STAGING.parent / KEPT
    try:
        staged = [entry for entry in (attempt / STAGING).iterdir() if entry.is_file()]
    except OSError:
        return
    for entry in staged:
        # What belongs to another user, as a container's may, cannot be given one.
        with contextlib.suppress(OSError):
            kept.mkdir(exist_ok=True)
            os.link(entry, kept / entry.name, follow_symlinks=False)


def _of_attempt(run_directory: Path, number: int) -> list[Output]:
    directory = run_directory / str(number)
    try:
        lines = (directory / NAME).read_bytes().splitlines()
    except OSError:
        return []
    found = [output for line in lines if (output := _output(line, number)) is not None]
    return [_with_entries(output, directory) for output in found]


def _output(line: bytes, attempt: int) -> Output | None:
    try:
        values = json.loads(line)
        files = tuple(OutputFile(**file) for file in values.pop("files"))
        aliases = tuple(values.pop("aliases"))
        return Output(**{**values, "files": files, "aliases": aliases, "attempt": attempt})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _with_entries(output: Output, directory: Path) -> Output:
    """Return an artifact with the entries that are in a file of their own."""
    if not output.manifest or output.files:
        return output
    # Only wandb's own place for it: a record may name any file.
    path = directory / STAGING / "artifact_manifests" / Path(output.manifest).name
    files = (_file_within(file, directory, directory) for file in entries_of(path))
    return replace(output, files=tuple(files))


def _within(output: Output, directory: Path, here: Path) -> Output:
    files = tuple(_file_within(file, directory, here) for file in output.files)
    return replace(output, files=files)


def _file_within(file: OutputFile, directory: Path, here: Path) -> OutputFile:
    if not file.local:
        return file
    local = here / file.local
    if local.is_relative_to(directory):
        return replace(file, local=str(local.relative_to(directory)))
    return replace(file, local=str(local))
