"""Copies of SQLite files that others write to at this moment: consistent, and a single file.

SQLite's backup API reads in one transaction, so that what is committed meanwhile is in no part of
the copy, and in WAL mode nobody waits for it. The copy has no write-ahead log beside it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from launch_tui.errors import StoreCorrupt, StoreError
from launch_tui.store.durable import disk_is_full, store_error

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT_S = 20.0
"""How long a copy waits for a process that has the file locked."""


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file as it is at this moment.

    Args:
        source: The file; whoever works with it goes on doing so.
        target: Where the copy is made; what is there is replaced.

    Raises:
        StoreCorrupt: When the source is damaged.
        StoreError: When it cannot be read, or the copy not be written.
    """
    for rest in (target, *_beside(target)):
        rest.unlink(missing_ok=True)
    try:
        with closing(_connect(source, "ro")) as old, closing(_connect(target, "rwc")) as new:
            # Nobody else knows the copy: whether it is whole is seen when it is used.
            new.execute("PRAGMA synchronous = OFF")
            old.backup(new, pages=-1)
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError as error:
        raise _failed(error, source, target) from error


def is_whole(path: Path) -> str:
    """Return what SQLite finds wrong with a file, empty when it finds nothing."""
    try:
        with closing(_connect(path, "rw")) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == ["ok"] else found[0]


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in ("-wal", "-shm", "-journal")]


def _failed(error: sqlite3.DatabaseError, source: Path, target: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or disk_is_full(target):
        return store_error(OSError(28, os.strerror(28)), target)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(f"{source} is damaged", next_step="see launch-tui fsck")
    return StoreError(f"{source} cannot be copied: {error}")
