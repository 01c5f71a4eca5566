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
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from launch_tui.errors import (
    DiskFull,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreReadOnly,
    StoreTooNew,
)
from launch_tui.store.agent_lock import is_held
from launch_tui.store.durable import disk_is_full, store_error
from launch_tui.store.ownership import keep_private
from launch_tui.store.paths import check_file_system
from launch_tui.store.second_copy import copy_path, forget, guard_of, seal

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

LOG_BYTES = 4 << 20
"""Size of the write-ahead log from which on its pages are moved into the store."""
COMMITS_BETWEEN_LOOKS = 64
"""Transactions of one connection between two looks at the log's size, where no agent does it."""

Row = sqlite3.Row

_KEPT: list[sqlite3.Connection] = []
"""Guards of connections that were dropped in a thread that was not theirs."""


class Database:
    """One connection to the store.

    Args:
        home: The data directory; it is created when it is not there, unless ``read_only``.
        read_only: Open without write permission; the file must exist.
        any_thread: Let other threads than this one use the connection, one at a time: the caller
            sees to that. Otherwise SQLite refuses them.

    Attributes:
        repaired: What was put right about the data directory, as one line; empty for nothing.

    Raises:
        StoreError: When the store cannot be used as it is; nothing was touched.
    """

    def __init__(self, home: Home, *, read_only: bool = False, any_thread: bool = False) -> None:
        self.home = home
        self.read_only = read_only
        self.repaired = keep_private(home.root)
        self._connection, self._guard = _open(home, read_only=read_only, any_thread=any_thread)
        self._depth = 0
        self._durable = True
        self._commits = 0

    def execute(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """Execute one statement."""
        # Without ``_translated``, which would take longer than most statements do.
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise _as_store_error(error, self.home.store) from error

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute one statement for each row of parameters."""
        try:
            self._connection.executemany(sql, rows)
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
        self._commits += 1
        if self._commits % COMMITS_BETWEEN_LOOKS == 0:
            self._bound_the_log()

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
                next_step="free some space (launch-tui prune --dry-run says what can go); runs are"
                " started again as soon as there is some",
            )

    def close(self) -> None:
        """Close the connection; what it wrote moves into the store, unless an agent does that."""
        if self._guard is None:
            self._connection.close()
            return
        guard, self._guard = self._guard, None
        try:
            if log_size(self.home) and not is_held(self.home):
                self._seal()
        finally:
            self._connection.close()
            guard.close()

    def __del__(self) -> None:
        # Without this, whichever of the two went last would be chance (see ``guard_of``).
        guard = getattr(self, "_guard", None)
        if guard is None:
            return
        try:
            self._connection.close()
            guard.close()
        except sqlite3.ProgrammingError:
            _KEPT.append(guard)

    def _bound_the_log(self) -> None:
        if log_size(self.home) > LOG_BYTES and not is_held(self.home):
            self._seal()

    def _seal(self) -> None:
        # What could not be moved stays in the log, where it is as safe.
        with suppress(sqlite3.DatabaseError, StoreError, OSError):
            seal(self.home)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(
    home: Home, *, read_only: bool, any_thread: bool
) -> tuple[sqlite3.Connection, sqlite3.Connection | None]:
    """Return a connection and, unless it only reads, the guard that is to be closed after it."""
    path = home.store
    _require_place(home, read_only=read_only)
    connection = _connect(path, read_only=read_only, any_thread=any_thread)
    guard: sqlite3.Connection | None = None
    try:
        with _translated(path):
            _require_usable(connection, path, fresh_allowed=not read_only)
            version = _version(connection)
            if version and not read_only:
                guard = guard_of(home, any_thread=any_thread)
            if version != SCHEMA_VERSION:
                connection.close()
                _migrate(home)
                connection = _connect(path, read_only=read_only, any_thread=any_thread)
            if guard is None and not read_only:
                guard = guard_of(home, any_thread=any_thread)
            _tune(connection)
    except BaseException:
        connection.close()
        if guard is not None:
            guard.close()
        raise
    return connection, guard


def _require_place(home: Home, *, read_only: bool) -> None:
    """Refuse a place where no store can be, and a file there that is none of ours."""
    path = home.store
    check_file_system(home.root)
    if _is_file(path):
        _look(path)
    elif read_only:
        raise StoreError(f"there is no store at {path}", next_step="launch something first")
    elif copy_path(home).exists() and copy_path(home).stat().st_size and not _is_file(path):
        raise StoreCorrupt(
            f"the store at {path} is gone and its second copy is there",
            next_step="run launch-tui fsck --repair, which brings it back",
        )
    if not read_only:
        home.create()
        # SQLite would open it for reading, and refuse only later.
        if path.exists() and not os.access(path, os.W_OK, effective_ids=True):
            raise StoreReadOnly(
                f"no permission to write {path}", next_step=_NEXT_STEPS[StoreReadOnly]
            )


def log_size(home: Home) -> int:
    """Return the bytes of the write-ahead log."""
    try:
        return os.stat(f"{home.store}-wal").st_size  # noqa: PTH116  (asked often)
    except FileNotFoundError:
        return 0


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


def _connect(path: Path, *, read_only: bool, any_thread: bool = False) -> sqlite3.Connection:
    with _translated(path):
        mode = "ro" if read_only else "rwc"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            cached_statements=256,
            check_same_thread=not any_thread,
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
                if copy_path(home).exists():
                    forget(home)
                connection.execute("PRAGMA journal_mode = WAL")
                migrate(connection)
        finally:
            with closing(guard_of(home)):
                connection.close()
        directory = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        os.close(lock)


def _tune(connection: sqlite3.Connection) -> None:
    # Pages move in ``seal`` alone, which has them copied (second_copy.py).
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
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
    StoreCorrupt: "nothing was touched; run launch-tui fsck, which says what can be brought back",
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
