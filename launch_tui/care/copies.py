"""What in a run's working copy launch_tui put there, and what the job wrote into it.

The files of a working copy come from an artifact or a repository and can be had again; what a job
writes beside them is often its result (``torch.save("model.pt")``) and cannot. The token of an
attempt is made after its working copy and before its job: what has not been changed since then was
put there by us. The kernel's own time of change (ctime) tells, which a job cannot set; of git's
objects, which the copies share by hard links, the time of the content, since a link counts as a
change.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = "source"
TOKEN = "started"


def job_started(attempt: Path) -> float | None:
    """Return when an attempt's token was taken, None when its job never started."""
    try:
        return (attempt / TOKEN).stat().st_mtime
    except OSError:
        return None


def put_there(attempt: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files and links of an attempt's working copy that can be had again."""
    yield from (entry for entry, again in _entries(attempt) if again)


def written_by_job(attempt: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files and links of an attempt's working copy that its job made or changed."""
    yield from (entry for entry, again in _entries(attempt) if not again)


def repositories_kept(attempt: Path) -> tuple[str, ...]:
    """Return the ``.git`` folders of a working copy, with a slash, that its job has written to."""
    return tuple(_with_new_objects(str(attempt / SOURCE), job_started(attempt)))


def walk(folder: str, *, but: frozenset[str] = frozenset()) -> Iterator[os.DirEntry[str]]:
    """Yield all that is not a directory below a folder; what vanishes meanwhile is left out.

    Args:
        folder: The folder.
        but: Paths of directories that are not entered.
    """
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.path not in but:
                    waiting.append(entry.path)
            else:
                yield entry


def _entries(attempt: Path) -> Iterator[tuple[os.DirEntry[str], bool]]:
    root = str(attempt / SOURCE)
    started = job_started(attempt)
    commits = _with_new_objects(root, started)
    for entry in walk(root):
        try:
            yield entry, started is None or _is_ours(entry, started, commits)
        except FileNotFoundError:
            continue


def _is_ours(entry: os.DirEntry[str], started: float, commits: list[str]) -> bool:
    found = entry.stat(follow_symlinks=False)
    if "/.git/" in entry.path:
        # A repository is kept or not as a whole: some of its objects are worth nothing.
        return not any(entry.path.startswith(folder) for folder in commits)
    return found.st_ctime <= started and found.st_mtime <= started


def _with_new_objects(root: str, started: float | None) -> list[str]:
    """Return the ``.git`` folders into whose objects something came after the job's start."""
    if started is None or not os.path.isdir(f"{root}/.git"):
        return []
    kept: set[str] = set()
    for entry in walk(root):
        folder, found, inner = entry.path.partition("/.git/")
        try:
            if (
                found
                and "objects/" in inner
                and entry.stat(follow_symlinks=False).st_mtime > started
            ):
                kept.add(f"{folder}/.git/")
        except FileNotFoundError:
            continue
    return sorted(kept)
