"""Writes that are whole or absent whenever the process or the machine dies.

A file written here is first complete and synced under a temporary name in the same directory,
then renamed, and then the directory is synced. The errors of the disk come out as the store's
errors: no space, no permission, or a path that cannot be used.
"""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from launch_tui.errors import DiskFull, StoreError, StoreReadOnly

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_serial = itertools.count()

FULL_BELOW_BYTES = 64 * 1024


def write_atomically(path: Path, data: bytes, *, sync: bool = True, mode: int = 0o644) -> None:
    """Replace ``path`` by ``data``: readers see the old bytes or the new ones, never a part.

    Args:
        path: The file; its directory must exist.
        data: The whole new content.
        sync: Whether the bytes and the name must survive a power cut when this returns.
        mode: The permission bits, before the umask.

    Raises:
        DiskFull: When there is no space; the old file is as it was.
        StoreReadOnly: When the directory cannot be written.
        StoreError: For any other error of the disk.
    """
    temporary = path.with_name(unique_name(f".{path.name}"))
    with disk_errors(path):
        try:
            _write_file(temporary, data, sync=sync, mode=mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if sync:
            sync_directory(path.parent)


def unique_name(prefix: str) -> str:
    """Return a file name that no other thread or process of this machine uses at this moment."""
    return f"{prefix}.{os.getpid()}.{next(_serial)}.tmp"


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``: a disk that fills up ends in an error, not in a short write."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """Turn an OSError of the block into the store's error for it, naming ``path``."""
    try:
        yield
    except OSError as error:
        raise store_error(error, path) from error


def store_error(error: OSError, path: Path | str) -> StoreError:
    """Return the error of the store that tells a person what ``error`` means."""
    if error.errno in _FULL:
        quota = " (quota)" if error.errno == errno.EDQUOT else ""
        return DiskFull(
            f"no space left{quota} for {path}",
            next_step="Free some space there, or set LAUNCH_TUI_HOME to a larger disk.",
        )
    if error.errno in _DENIED:
        return StoreReadOnly(
            f"no permission to write {path}",
            next_step="Make it writable, or set LAUNCH_TUI_HOME to a directory of your own.",
        )
    return StoreError(f"cannot write {path}: {error.strerror or error}")


def disk_is_full(path: Path) -> bool:
    """Say whether the disk of a file's directory is full, as what SQLite says does not tell."""
    try:
        state = os.statvfs(path.parent)
    except OSError as error:
        return error.errno in _FULL
    return state.f_bavail * state.f_frsize < FULL_BELOW_BYTES


def _write_file(path: Path, data: bytes, *, sync: bool, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    try:
        write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
