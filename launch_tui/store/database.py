"""Opening the store's SQLite file, and the one place where SQLite's errors become ours.

A connection belongs to one thread. What is promised to the person (an enqueue, a claim, a
transition) is committed in WAL mode with ``synchronous=FULL``, so it survives the loss of power.
A store of the current version is opened without importing sqlite-utils, which only migrations need
and which costs 100 ms.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from launch_tui.errors import (
    DiskFull,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreReadOnly,
    StoreTooNew,
)
from launch_tui.store.durable import disk_is_full, store_error
from launch_tui.store.ownership import keep_private
from launch_tui.store.paths import check_file_system

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from launch_tui.store.paths import Home

SCHEMA_VERSION = 5
APPLICATION_ID = 0x6C746E31  # "ltn1": tells our files from any other SQLite file
BUSY_TIMEOUT_S = 20.0
"""How long a writer waits for another process's transaction."""
ROOM_BYTES = 8 << 20
"""Below this no run is begun: one after the other would fail, and the queue be gone for nothing."""

Row = sqlite3.Row


class Database:
    """One connection to the store.

    Args:
        home: The data directory; it is created when it is not there, unless ``read_only``.
        read_only: Open without write permission; the file must exist.

    Attributes:
        repaired: What was put right about the data directory, as one line; empty for nothing.

    Raises:
        StoreError: When the store cannot be used as it is; nothing was touched.
    """

    def __init__(self, home: Home, *, read_only: bool = False) -> None:
        self.home = home
        self.read_only = read_only
        self.repaired = keep_private(home.root)
        self._connection = _open(home, read_only=read_only)
        self._depth = 0
        self._durable = True

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """Execute one statement."""
        # Without ``_translated``, which would take longer than most statements do.
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise _as_store_error(error, self.home.store) from error

    def one(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Row | None:
        """Return the first row, or None."""
        rows = self.all(sql, parameters)
        return rows[0] if rows else None

    def all(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
        """Return all rows."""
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise _as_store_error(error, self.home.store) from error

    def portions(
        self, sql: str, parameters: Sequence[Any] | dict[str, Any] = (), *, size: int
    ) -> Iterator[list[Row]]:
        """Yield all rows, ``size`` of them at a time: for what may be many."""
        cursor = self.execute(sql, parameters)
        with _translated(self.home.store):
            while rows := cursor.fetchmany(size):
                yield rows

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Commit what is done inside as one, or nothing of it.

        Takes the write lock at the start, so what is read inside cannot change before the commit.
        Inside another transaction it is a part of that one.

        Args:
            durable: Wait until the disk has it. A commit that is not durable survives the death
                of every process, and becomes durable with the next one that is; only the loss of
                power before that undoes it, as if it had not happened yet.
        """
        if self._depth:
            yield
            return
        if durable is not self._durable:
            self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise
        finally:
            self._depth -= 1

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed (4 µs)."""
        row = self.one("PRAGMA data_version")
        return int(row[0]) if row else 0

    def require_room(self) -> None:
        """Refuse to begin what would only fail for want of space.

        Raises:
            DiskFull: When less than ``ROOM_BYTES`` are left for the data directory.
        """
        state = os.statvfs(self.home.root)
        if state.f_bavail * state.f_frsize < ROOM_BYTES:
            raise DiskFull(
                f"less than {ROOM_BYTES >> 20} MiB are left on the disk of {self.home.root}",
                next_step="free some space; runs are started again as soon as there is some",
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(home: Home, *, read_only: bool) -> sqlite3.Connection:
    path = home.store
    check_file_system(home.root)
    if _is_file(path):
        _look(path)
    elif read_only:
        raise StoreError(f"there is no store at {path}", next_step="launch something first")
    if not read_only:
        home.create()
    connection = _connect(path, read_only=read_only)
    try:
        with _translated(path):
            _require_usable(connection, path, fresh_allowed=not read_only)
            if _version(connection) != SCHEMA_VERSION:
                connection.close()
                _migrate(home)
                connection = _connect(path, read_only=read_only)
            _tune(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_file(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise store_error(error, path) from error


def _look(path: Path) -> None:
    """Refuse a file that is not for us before anything may write to it.

    A connection that can write would, on its way out, move what another program has left in its
    write-ahead log into the file.
    """
    connection = _connect(path, read_only=True)
    try:
        with _translated(path):
            _require_usable(connection, path, fresh_allowed=True)
    finally:
        connection.close()


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    with _translated(path):
        mode = "ro" if read_only else "rwc"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            cached_statements=256,
        )
        connection.row_factory = sqlite3.Row
        return connection


def _require_usable(connection: sqlite3.Connection, path: Path, *, fresh_allowed: bool) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = _version(connection)
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == 0 and version == 0 and tables == 0 and fresh_allowed:
        return
    if application != APPLICATION_ID:
        raise StoreCorrupt(
            f"{path} is not a launch_tui store",
            next_step="move it away or choose another directory with LAUNCH_TUI_HOME",
        )
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path} was written by a newer launch_tui"
            f" (store version {version}, this one reads up to {SCHEMA_VERSION})",
            next_step="upgrade launch_tui; the store was not touched",
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(home: Home) -> None:
    """Bring the store to the current version, once, whoever else opens it at this moment.

    The kernel lock is needed beside SQLite's own because switching a new file to WAL mode does
    not wait for another process that does the same.
    """
    from launch_tui.store.schema import migrate

    lock = os.open(home.root / "migrate.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = _connect(home.store, read_only=False)
        try:
            if _version(connection) != SCHEMA_VERSION:
                connection.execute("PRAGMA journal_mode = WAL")
                migrate(connection)
        finally:
            connection.close()
        directory = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        os.close(lock)


def _tune(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


_CODES = {
    sqlite3.SQLITE_FULL: DiskFull,
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_READONLY: StoreReadOnly,
    sqlite3.SQLITE_CANTOPEN: StoreReadOnly,
    sqlite3.SQLITE_PERM: StoreReadOnly,
    sqlite3.SQLITE_CORRUPT: StoreCorrupt,
    sqlite3.SQLITE_NOTADB: StoreCorrupt,
}

_NEXT_STEPS = {
    DiskFull: "free some space; nothing half-written remains",
    StoreBusy: "end or continue the process that was stopped while it wrote, then try again",
    StoreReadOnly: "check the permissions, or choose another directory with LAUNCH_TUI_HOME",
    StoreCorrupt: "nothing was touched; restore a backup, or move the file away to start anew",
}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise _as_store_error(error, path) from error


def _as_store_error(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind = _CODES.get(code)
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and disk_is_full(path):
        kind = DiskFull
    if kind is None:
        return StoreError(f"the store at {path} did not answer: {error}")
    what = {
        DiskFull: f"no space left for the store at {path}",
        StoreBusy: f"another process has kept the store at {path} locked",
        StoreReadOnly: f"the store at {path} cannot be opened for writing",
        StoreCorrupt: f"the store at {path} is damaged or not a database",
    }[kind]
    return kind(what, next_step=_NEXT_STEPS[kind])
