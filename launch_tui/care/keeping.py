"""Who copies the data directory and who makes room in it do not do so at the same time.

Several backups may be taken at once, and one process makes room. The lock is the kernel's, so that
a dead process does not hold it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError
from launch_tui.store.durable import disk_errors, unique_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.store.paths import Home

NAME = "keep.lock"
_WORK = "backup-"
_YOUNG_S = 60.0
"""A work folder may be so old before its maker has locked it."""


class Busy(LaunchError):
    """A backup is being taken, or room is being made."""


@contextmanager
def copying(home: Home) -> Iterator[None]:
    """Have nothing removed meanwhile.

    Raises:
        Busy: When somebody is making room at this moment.
    """
    with _locked(home, fcntl.LOCK_SH, "room is being made in the data directory"):
        yield


@contextmanager
def removing(home: Home) -> Iterator[None]:
    """Have no backup taken meanwhile, and nobody else make room.

    Raises:
        Busy: When that is going on at this moment.
    """
    with _locked(home, fcntl.LOCK_EX, "a backup is being taken, or room is being made already"):
        yield


@contextmanager
def work_folder(home: Home) -> Iterator[Path]:
    """Make a private folder for the time of a backup; what killed ones left is removed."""
    clear_work(home)
    folder = home.temporary / unique_name(_WORK.rstrip("-")).replace(".", "-")
    with disk_errors(folder):
        folder.mkdir(parents=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


def clear_work(home: Home) -> None:
    """Remove what backups that were killed have left."""
    for folder in home.temporary.glob(f"{_WORK}*"):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_mtime < time.time() - _YOUNG_S:
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


@contextmanager
def _locked(home: Home, kind: int, why: str) -> Iterator[None]:
    descriptor = os.open(home.root / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(why, next_step="try again when that is done") from None
        yield
    finally:
        os.close(descriptor)
