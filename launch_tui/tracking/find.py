"""Finds the ``.wandb`` files of an attempt, wherever the script made wandb write them.

wandb writes ``<WANDB_DIR>/wandb/offline-run-<time>-<id>/run-<id>.wandb``, and ``<dir>/wandb/...``
when the script calls ``init(dir=...)``, as Lightning does with ``.``. A file exists as soon as
``wandb.init`` was called (WANDB.md 3.2). Only documented places are looked at, never a whole tree.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from launch_tui.domain.attempt import Attempt

MAX_FOLDERS = 512
"""Folders of a working directory that are looked into."""
LOG_TAIL = 256 * 1024
"""Bytes of the job's output that are searched for wandb's own words on where it wrote."""

_RUN_FOLDER = re.compile(r"(?:offline-)?run-(\d{8}_\d{6})-(.+?)(?:-(\d+))?\Z")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CLOCK_SLACK_S = 2.0


def find_wandb_files(attempt: Attempt, pids: Iterable[int] = ()) -> list[Path]:
    """Return the attempt's ``.wandb`` files in the order in which their runs began.

    Args:
        attempt: The attempt; its ``wandb`` folder and its working directory are looked into.
        pids: The processes of the job, whose open files are looked at.
    """
    found = dict.fromkeys(own_files(attempt))
    found.update(dict.fromkeys(other_files(attempt, pids)))
    return sorted(found, key=order)


def own_files(attempt: Attempt) -> list[Path]:
    """Return the files under the attempt's WANDB_DIR; whatever id they have, they are its own."""
    return list(_files_under(attempt.directory / "wandb", None))


def other_files(attempt: Attempt, pids: Iterable[int]) -> list[Path]:
    """Return files of this run elsewhere: in the working directory, or open in its processes."""
    began = _began(attempt)
    places = [
        *_files_in_working_directory(attempt),
        *(path for pid in pids for path in _open_files(pid, attempt.run_id)),
    ]
    return [path for path in dict.fromkeys(places) if _is_newer(path, began)]


def files_named_in_log(attempt: Attempt) -> list[Path]:
    """Return the files that wandb's own words in the job's output lead to.

    The last resort for a job that ended before its open files could be looked at: wandb prints
    where it has saved the run.
    """
    try:
        with (attempt.directory / "output.log").open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - LOG_TAIL))
            text = _COLOUR.sub("", log.read(LOG_TAIL).decode("utf-8", "replace"))
    except OSError:
        return []
    # From a word's beginning only, or a long line would be gone through from each of its bytes.
    words = (
        r"(?<![^\s\x1b'\"])[^\s\x1b'\"]*wandb/"
        rf"(?:offline-)?run-\d{{8}}_\d{{6}}-{re.escape(attempt.run_id)}(?:-\d+)?"
    )
    folders = dict.fromkeys(re.findall(words, text))
    began = _began(attempt)
    return [
        path
        for folder in folders
        for path in _files_in_run_folder(attempt.working_directory / folder, attempt.run_id)
        if _is_newer(path, began)
    ]


def order(path: Path) -> tuple[str, int, str]:
    """Return what sorts files by when their runs began: wandb's own time, then its counter."""
    match = _RUN_FOLDER.match(path.parent.name)
    if match is None:
        return ("", 0, str(path))
    return (match[1], int(match[3] or 0), str(path))


def _files_in_working_directory(attempt: Attempt) -> Iterator[Path]:
    root = attempt.working_directory
    yield from _files_under(root, attempt.run_id)
    logs = root / "lightning_logs"
    for folder in (*_folders(root), *_folders(logs)):
        yield from _files_under(folder, attempt.run_id)


def _files_under(root: Path, run_id: str | None) -> Iterator[Path]:
    """Yield the files of the runs under ``root``, of one id or of any."""
    for name in ("wandb", ".wandb"):
        for folder in _folders(root / name, limit=None):
            match = _RUN_FOLDER.match(folder.name)
            if match and (run_id is None or match[2] == run_id):
                yield from _files_in_run_folder(folder, run_id)


def _files_in_run_folder(folder: Path, run_id: str | None) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if _is_log(path.name, run_id))
    except OSError:
        return []


def _open_files(pid: int, run_id: str) -> Iterator[Path]:
    """Yield the files of the run that a process has open; none when it is gone or another's."""
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            target = descriptor.readlink()
        except OSError:
            continue
        if target.suffix == ".wandb" and _is_log(target.name, run_id):
            yield target


def _is_log(name: str, run_id: str | None) -> bool:
    if not (name.startswith("run-") and name.endswith(".wandb")):
        return False
    own = name[len("run-") : -len(".wandb")]
    return run_id is None or own == run_id or re.fullmatch(r"-\d+", own[len(run_id) :]) is not None


def _folders(root: Path, limit: int | None = MAX_FOLDERS) -> list[Path]:
    """Return the folders directly in ``root``, not the links to folders."""
    try:
        with os.scandir(root) as entries:
            folders = (entry for entry in entries if entry.is_dir(follow_symlinks=False))
            return [root / entry.name for entry in islice(folders, limit)]
    except OSError:
        return []


def _began(attempt: Attempt) -> float:
    """Return when the attempt was started, in seconds since the epoch, 0.0 when unknown."""
    try:
        return (attempt.directory / "started").stat().st_mtime
    except OSError:
        return 0.0


def _is_newer(path: Path, began: float) -> bool:
    # A job that runs in the person's own folder finds the files of earlier attempts there.
    try:
        return path.stat().st_mtime >= began - _CLOCK_SLACK_S
    except OSError:
        return False
