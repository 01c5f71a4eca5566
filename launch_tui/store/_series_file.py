"""The SQLite file of a run's metrics: its tables, how it is opened, what its errors become.

The file is derived from what the job wrote, so it is committed without waiting for the disk; what
a commit holds (rows and how far the job's files have been read) is there as a whole or not at all.
Rows arrive in ``tail``, in the shape in which they were logged, one table row a commit whatever the
number of keys; from time to time they move into ``chunk``, by key, where charts read them.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from launch_tui.errors import DiskFull, StoreCorrupt, StoreError, StoreReadOnly, StoreTooNew
from launch_tui.store.durable import disk_is_full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
APPLICATION_ID = 0x6C746D31  # "ltm1"
BUSY_TIMEOUT_S = 20.0

HISTORY = 0
STATS = 1

TABLES = """
CREATE TABLE file (
  path TEXT PRIMARY KEY, attempt INTEGER NOT NULL, offset INTEGER NOT NULL,
  skipped INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE state (attempt INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE series (
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL,
  count INTEGER NOT NULL, gaps INTEGER NOT NULL, low_step INTEGER, high_step INTEGER,
  last_step INTEGER, last REAL, minimum REAL, maximum REAL,
  others INTEGER NOT NULL, last_other TEXT,
  UNIQUE (kind, name)
);
CREATE TABLE shape (id INTEGER PRIMARY KEY, members BLOB NOT NULL);
CREATE TABLE tail (
  id INTEGER PRIMARY KEY, shape INTEGER NOT NULL, steps BLOB NOT NULL, packed BLOB NOT NULL
);
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, low_step INTEGER NOT NULL,
  high_step INTEGER NOT NULL, minimum REAL, maximum REAL, last REAL, count INTEGER NOT NULL,
  gaps INTEGER NOT NULL, nodes BLOB NOT NULL
);
CREATE INDEX chunk_of_series ON chunk (series, id);
CREATE TABLE packed (chunk INTEGER PRIMARY KEY, steps BLOB NOT NULL, points BLOB NOT NULL);
CREATE TABLE other (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, step INTEGER NOT NULL, value TEXT NOT NULL
);
CREATE INDEX other_of_series ON other (series, id);
"""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection to the file, made if there is none.

    Raises:
        StoreCorrupt: When it is damaged or not a file of metrics.
        StoreError: When it cannot be used for another reason.
    """
    with translated(path):
        connection = _connect(path, "rwc")
        try:
            if not _known(connection, path):
                # A file made by a process that died here is empty or whole, never in between.
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(
                    f"BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID};"
                    f" PRAGMA user_version = {VERSION}; COMMIT;"
                )
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """Return a connection that cannot write, None when there are no metrics yet."""
    if not path.exists():
        return None
    with translated(path):
        connection = _connect(path, _reading_mode(path))
        try:
            if _known(connection, path):
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as the store's."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _store_error(error, path) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        # The owner polls from whatever thread of a pool is free, one at a time.
        check_same_thread=False,
    )


def _reading_mode(path: Path) -> str:
    # SQLite needs to write beside the file to read it in WAL mode, except when told that nobody
    # writes; that is so where nobody may and no log was left.
    log = path.with_name(f"{path.name}-wal")
    writable = os.access(path.parent, os.W_OK)
    return "ro" if writable or log.exists() else "ro&immutable=1"


def _known(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has our tables; False for an empty one."""
    # Asked first: tables and marks are made in one transaction, perhaps at this very moment.
    tables = connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID and version == VERSION:
        return True
    if application == APPLICATION_ID and version > VERSION:
        raise StoreTooNew(
            f"{path} was written by a newer launch_tui", next_step="upgrade launch_tui"
        )
    if tables or application:
        raise StoreCorrupt(f"{path} is not a file of metrics", next_step=_REBUILT)
    return False


_REBUILT = "the agent rebuilds it from the job's own files"
_CODES: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_FULL: (DiskFull, "no space left for the metrics", "free some space"),
    sqlite3.SQLITE_READONLY: (StoreReadOnly, "no permission to write", "check the permissions"),
    sqlite3.SQLITE_PERM: (StoreReadOnly, "no permission to write", "check the permissions"),
    sqlite3.SQLITE_CANTOPEN: (StoreReadOnly, "cannot open the metrics", "check the permissions"),
    sqlite3.SQLITE_CORRUPT: (StoreCorrupt, "the metrics are damaged", _REBUILT),
    sqlite3.SQLITE_NOTADB: (StoreCorrupt, "the metrics are damaged", _REBUILT),
}


def _store_error(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and disk_is_full(path):
        code = sqlite3.SQLITE_FULL
    if code not in _CODES:
        return StoreError(f"the metrics did not answer: {error} ({path})")
    kind, cause, next_step = _CODES[code]
    return kind(f"{cause} ({path})", next_step=next_step)
