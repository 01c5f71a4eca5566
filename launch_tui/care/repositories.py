"""The caches of git repositories: which are needed, when each was last used, and removing one.

A cache is needed by what refers to its URL. A submodule's URL stands in no row; so, where a needed
repository has submodules, every cache that nothing refers to is taken for one of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.errors import LaunchError
from launch_tui.sources.git_cache import cache_for
from launch_tui.sources.git_command import run
from launch_tui.sources.git_failure import GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MOVED = ".removed"


def every_cache(repositories: Path) -> list[Path]:
    """Return the caches that there are."""
    return sorted(path for path in repositories.glob("*.git") if path.is_dir())


def needed_caches(repositories: Path, urls: Iterable[str]) -> list[Path]:
    """Return the caches that the repositories with these URLs are made from."""
    there = every_cache(repositories)
    named = {cache_for(url, repositories).directory for url in urls}
    direct = [path for path in there if path in named]
    return there if any(_has_submodules(path) for path in direct) else direct


def last_used(directory: Path) -> float:
    """Return when a cache was last filled or copied from, in seconds since the epoch."""
    times = [0.0]
    for path in (directory, *_locks(directory)):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def remove_cache(directory: Path, *, unused_since: float) -> bool:
    """Remove a cache, unless somebody uses it or has done so since.

    Args:
        directory: The cache.
        unused_since: Seconds since the epoch.

    Returns:
        Whether it is gone.
    """
    with _alone(directory) as alone:
        if not alone or last_used(directory) >= unused_since:
            return False
        # Aside first: who finds a cache under its name finds a whole one.
        aside = directory.with_suffix(_MOVED)
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            directory.rename(aside)
        faults.point("prune.cache")
        shutil.rmtree(aside, ignore_errors=True)
    return True


def leftovers(repositories: Path) -> list[Path]:
    """Return what is left of caches whose removal was cut short."""
    return sorted(repositories.glob(f"*{_MOVED}"))


@contextlib.contextmanager
def in_place(directory: Path) -> Iterator[None]:
    """Keep the files of a cache where they are while they are copied."""
    _, use = _locks(directory)
    with use.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Hold both locks of a cache; False where somebody else has one of them."""
    with contextlib.ExitStack() as stack:
        for path in _locks(directory):
            file = stack.enter_context(path.open("ab"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True


def _locks(directory: Path) -> tuple[Path, Path]:
    """Return the locks beside a cache (see ``git_cache``), in the order in which they are taken."""
    return directory.with_suffix(".lock"), directory.with_suffix(".use")


def _has_submodules(directory: Path) -> bool:
    """Whether any commit that was asked for has a file that lists submodules."""
    try:
        pins = run(
            [f"--git-dir={os.fspath(directory)}", "for-each-ref", "--format=%(objectname)",
             "refs/launch-tui/commits"]
        ).split()  # fmt: skip
        for commit in pins:
            listed = run([f"--git-dir={os.fspath(directory)}", "ls-tree", commit, ".gitmodules"])
            if listed.strip():
                return True
    except (GitFailed, LaunchError):
        # Of a damaged one nobody knows, and what is not needed costs only space.
        return True
    return False
