"""The second copy of the store's file, page by page, each page with its digest.

SQLite's pages carry no checksums: a byte that flips in a text is read as if it had been written.
So beside ``launch.db`` lies ``launch.db.copy`` with the same pages, each behind a digest of it.
Whatever happens to one of the two files, the other one and the digests tell which is right, and
what is wrong is put back exactly. This costs the disk space of the store once more, and a write of
each page that a checkpoint moves.

It can only be so because pages reach ``launch.db`` in ``seal`` and nowhere else: no connection of
ours checkpoints by itself (``database.py``). A seal marks the copy as being written, on disk,
before the first page moves, and as whole after the last one is copied; a copy that is not whole
never speaks against the store.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sqlite3
import struct
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import adler32, crc32

from launch_tui import faults
from launch_tui.errors import StoreError
from launch_tui.store.durable import disk_errors, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from launch_tui.store.paths import Home

MAGIC = b"launch_tui pages"
DIGEST_BYTES = 8
"""Two sums of four bytes: against accidents, not against a person, who could write both files."""
WHOLE_BELOW = 32 << 20
"""Bytes of store up to which a command copies all of it; a larger one is left to the agent."""
LONG_BYTES = 512 << 10
"""Size of a log from which on most of it is moved before writers have to wait."""
BRIEFLY_S = 0.2
"""How long a seal that others can do as well waits for a writer."""
PATIENTLY_S = 20.0

_HEADER = struct.Struct("<16sIIQB3x")
_HEADER_BYTES = _HEADER.size + 4
_WAL_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")


@dataclass(frozen=True, slots=True)
class Header:
    """What the copy says of itself; ``whole`` is False while pages move."""

    page_size: int
    pages: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Store and copy side by side.

    ``usable`` is False when the copy is missing, damaged at its head or not whole: then nothing
    can be said against the store by it. Page numbers begin at 1: ``store_wrong`` are pages of the
    store that are not what the copy vouches for, ``copy_wrong`` those of the copy that do not match
    their own digest. ``damaged`` says of an unusable copy that no crash explains it.
    """

    usable: bool
    why: str = ""
    store_wrong: tuple[int, ...] = ()
    copy_wrong: tuple[int, ...] = ()
    pages: int = 0
    damaged: bool = False


def seal(home: Home, *, patient: bool = False, whole_below: int | None = WHOLE_BELOW) -> bool:
    """Move what is in the write-ahead log into the store and into the copy, and empty the log.

    Writers wait for the last few pages, some milliseconds, so that the log, then empty, begins anew
    however many others write and read.

    Args:
        home: The data directory; its store is there.
        patient: Wait for another one that seals, and for writers; otherwise leave it to them.
        whole_below: Copy the whole store where there is no copy yet only if it is smaller, in
            bytes; None for any size. A larger one is moved without being copied.

    Returns:
        Whether store and copy are the same now.

    Raises:
        StoreError: When pages cannot be moved or copied; nothing is lost by that.
    """
    try:
        with _taken(home, patient=patient) as copy:
            if copy is None:
                return False
            with _connections(home, PATIENTLY_S if patient else BRIEFLY_S) as (writer, mover):
                return _seal(home, copy, writer, mover, whole_below)
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"the log of {home.store} cannot be moved into it: {error}",
            next_step="run launch-tui fsck",
        ) from error


def compare(home: Home) -> Comparison:
    """Compare every page of the store with the copy; reads all of both."""
    try:
        copy = os.open(copy_path(home), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Comparison(False, "there is no second copy of the store")
    try:
        # Not while pages move: one file would be ahead of the other.
        fcntl.flock(copy, fcntl.LOCK_SH)
        header = _read_header(copy)
        if header is None:
            # An empty one was begun by somebody who had no time to fill it.
            empty = os.fstat(copy).st_size == 0
            why = "is empty" if empty else "is damaged at its head"
            return Comparison(False, f"the second copy of the store {why}", damaged=not empty)
        if not header.whole:
            return Comparison(False, "the second copy of the store was being written")
        return _compare(home, copy, header)
    finally:
        os.close(copy)


def mend_store(home: Home, pages: Iterable[int], total: int) -> None:
    """Put pages of the copy into the store's file, and give it its length. Nobody has it open."""
    with _taken(home, patient=True) as copy, disk_errors(home.store):
        assert copy is not None
        header = _read_header(copy)
        assert header is not None
        store = os.open(home.store, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            for number in pages:
                page = _record(copy, header.page_size, number)
                if page is not None:
                    os.pwrite(store, page, (number - 1) * header.page_size)
                    faults.point("mend.page")
            os.ftruncate(store, total * header.page_size)
            os.fsync(store)
        finally:
            os.close(store)


def renew(home: Home) -> None:
    """Make the copy anew from the store, which is right."""
    forget(home)
    if home.store.exists():
        seal(home, patient=True, whole_below=None)


def forget(home: Home) -> None:
    """Have the copy say nothing of the store any more: the store becomes another one.

    For whoever replaces the store's file, before that.
    """
    with _taken(home, patient=True) as copy:
        assert copy is not None
        os.ftruncate(copy, 0)
        os.fdatasync(copy)


def sealed_cleanly(home: Home) -> bool:
    """Whether whoever worked here last left nothing in the log, and a whole copy."""
    log = home.store.with_name(f"{home.store.name}-wal")
    try:
        with copy_path(home).open("rb") as file:
            header = _read_header(file.fileno())
        return header is not None and header.whole and log.stat().st_size == 0
    except FileNotFoundError:
        return False


def copy_path(home: Home) -> Path:
    """Return where the copy lies."""
    return home.store.with_name(f"{home.store.name}.copy")


def log_pages(home: Home, first: int = 0) -> tuple[set[int], int]:
    """Return the numbers of the pages in the log from a frame on, and how many frames it has."""
    try:
        file = home.store.with_name(f"{home.store.name}-wal").open("rb")
    except FileNotFoundError:
        return set(), 0
    with file:
        size = os.fstat(file.fileno()).st_size
        if size < _WAL_HEADER.size:
            return set(), 0
        found: set[int] = set()
        frames = 0
        with closing(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)) as log:
            _, _, page_size, _, *salts, _, _ = _WAL_HEADER.unpack_from(log)
            step = _FRAME_HEADER.size + page_size
            for at in range(_WAL_HEADER.size, size - step + 1, step):
                number, _, one, other, _, _ = _FRAME_HEADER.unpack_from(log, at)
                # What an earlier round of the log left behind its end has other salts.
                if [one, other] != salts:
                    break
                frames += 1
                if frames > first:
                    found.add(number)
        return found, frames


def _seal(
    home: Home,
    copy: int,
    writer: sqlite3.Connection,
    mover: sqlite3.Connection,
    whole_below: int | None,
) -> bool:
    header = _read_header(copy)
    page_size = int(mover.execute("PRAGMA page_size").fetchone()[0])
    known = header is not None and header.whole and header.page_size == page_size
    if not known and whole_below is not None and home.store.stat().st_size > whole_below:
        mover.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return False
    if known and not log_pages(home)[0]:
        return True
    _write_header(copy, Header(page_size, header.pages if known and header else 0, False))
    os.fdatasync(copy)
    faults.point("seal.marked")
    moving, seen, pin = _move_most(home, mover)
    try:
        salts = _log_salts(home)
        if not _hold_off(writer):
            if known:
                _copy(home, copy, page_size, sorted(moving))
            return False
        # Nobody can begin the log anew any more.
        known &= salts == _log_salts(home)
        pin.close()
        moving |= log_pages(home, seen if known else 0)[0]
        version = mover.execute("PRAGMA data_version").fetchone()[0]
        _, in_log, moved = mover.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        faults.point("seal.moved")
    finally:
        pin.close()
        if writer.in_transaction:
            writer.rollback()
    if in_log == moved:
        mover.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        # Between the two somebody may have written, and that was moved without being looked at.
        known &= mover.execute("PRAGMA data_version").fetchone()[0] == version
    _copy(home, copy, page_size, sorted(moving) if known else None)
    return True


def _hold_off(writer: sqlite3.Connection) -> bool:
    """Have everybody else wait who wants to write; False when one of them writes on and on."""
    try:
        writer.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _copy(home: Home, copy: int, page_size: int, numbers: Iterable[int] | None) -> None:
    """Copy pages that have moved, all of the store where they are None, and say it is whole."""
    pages = home.store.stat().st_size // page_size
    with disk_errors(copy_path(home)):
        _copy_pages(home, copy, page_size, range(1, pages + 1) if numbers is None else numbers)
        os.ftruncate(copy, _HEADER_BYTES + pages * (DIGEST_BYTES + page_size))
        os.fdatasync(copy)
        faults.point("seal.copied")
        _write_header(copy, Header(page_size, pages, True))


def _move_most(home: Home, mover: sqlite3.Connection) -> tuple[set[int], int, sqlite3.Connection]:
    """Move what is in a log that is long, while others write.

    Returns:
        The pages that were moved, up to which frame of the log they are, and a reader of that
        log: as long as it is there, the log is not begun anew, and its frames stay.
    """
    pin = _connect(home, "ro", BRIEFLY_S)
    log = home.store.with_name(f"{home.store.name}-wal")
    if not log.exists() or log.stat().st_size < LONG_BYTES:
        return set(), 0, pin
    before = _log_salts(home)
    pin.execute("BEGIN")
    pin.execute("SELECT count(*) FROM sqlite_master").fetchone()
    mover.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    moved, seen = log_pages(home)
    if before != _log_salts(home):
        # The reader came when all was moved already, and holds nothing.
        raise sqlite3.OperationalError("the log was begun anew meanwhile")
    return moved, seen, pin


def _log_salts(home: Home) -> bytes:
    """Return what tells one round of the log from the next; nothing where there is no log."""
    try:
        with home.store.with_name(f"{home.store.name}-wal").open("rb") as file:
            return file.read(_WAL_HEADER.size)[16:24]
    except FileNotFoundError:
        return b""


def _copy_pages(home: Home, copy: int, page_size: int, numbers: Iterable[int]) -> None:
    with store_file(home) as store:
        for number in numbers:
            page = os.pread(store, page_size, (number - 1) * page_size)
            if len(page) == page_size:
                at = _HEADER_BYTES + (number - 1) * (DIGEST_BYTES + page_size)
                os.pwrite(copy, _digest(number, page) + page, at)


@contextmanager
def store_file(home: Home) -> Iterator[int]:
    """Return a descriptor of the store's file to read from; it is SQLite's own.

    Closing one that was opened beside SQLite would let go of the locks that this process has on
    the file (https://www.sqlite.org/howtocorrupt.html, 2.2), and with them of the protection of
    all its connections.

    Raises:
        FileNotFoundError: When there is no store.
    """
    wanted = home.store.stat()
    with closing(_connect(home, "ro", BRIEFLY_S)):
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
            with suppress(OSError):
                if os.path.samestat(os.fstat(int(name)), wanted):
                    yield int(name)
                    return
        raise FileNotFoundError(home.store)


def _compare(home: Home, copy: int, header: Header) -> Comparison:
    size = header.page_size
    store_wrong: list[int] = []
    copy_wrong: list[int] = []
    with ExitStack() as stack:
        store = stack.enter_context(store_file(home)) if home.store.exists() else None
        for number in range(1, header.pages + 1):
            page = _record(copy, size, number)
            if page is None:
                copy_wrong.append(number)
            elif store is None or os.pread(store, size, (number - 1) * size) != page:
                store_wrong.append(number)
        if store is not None and os.fstat(store).st_size > header.pages * size:
            store_wrong.append(header.pages + 1)
    end = _HEADER_BYTES + header.pages * (DIGEST_BYTES + size)
    if os.fstat(copy).st_size > end:
        copy_wrong.append(header.pages + 1)
    return Comparison(True, "", tuple(store_wrong), tuple(copy_wrong), header.pages)


def _record(copy: int, page_size: int, number: int) -> bytes | None:
    """Return a page of the copy; None when it is not what its digest says."""
    at = _HEADER_BYTES + (number - 1) * (DIGEST_BYTES + page_size)
    record = os.pread(copy, DIGEST_BYTES + page_size, at)
    page = record[DIGEST_BYTES:]
    good = len(page) == page_size and record[:DIGEST_BYTES] == _digest(number, page)
    return page if good else None


def _digest(number: int, page: bytes) -> bytes:
    # With its number, so that a page in the place of another one is none.
    return struct.pack("<II", crc32(page, number & 0xFFFFFFFF), adler32(page))


def _read_header(copy: int) -> Header | None:
    data = os.pread(copy, _HEADER_BYTES, 0)
    if len(data) < _HEADER_BYTES:
        return None
    magic, version, page_size, pages, whole = _HEADER.unpack_from(data)
    right = crc32(data[: _HEADER.size]).to_bytes(4, "little") == data[_HEADER.size :]
    if magic != MAGIC or version != 1 or not right:
        return None
    return Header(page_size, pages, bool(whole))


def _write_header(copy: int, header: Header) -> None:
    data = _HEADER.pack(MAGIC, 1, header.page_size, header.pages, header.whole)
    os.lseek(copy, 0, os.SEEK_SET)
    write_all(copy, data + crc32(data).to_bytes(4, "little"))


@contextmanager
def _taken(home: Home, *, patient: bool) -> Iterator[int | None]:
    """Open the copy, and be the only one that writes it; None where another one does."""
    path = copy_path(home)
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
            return
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _connections(
    home: Home, timeout: float
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """Return who holds writers off and who moves pages; neither moves any when it is closed."""
    guard = guard_of(home)
    try:
        with (
            closing(_connect(home, "rw", timeout)) as writer,
            closing(_connect(home, "rw", timeout)) as mover,
        ):
            for each in (writer, mover):
                each.execute("PRAGMA wal_autocheckpoint = 0")
            yield writer, mover
    finally:
        guard.close()


def guard_of(home: Home, *, any_thread: bool = False) -> sqlite3.Connection:
    """Return a connection that keeps SQLite from checkpointing when others are closed before it.

    The last connection to leave moves the log into the store, and deletes it; one that cannot
    write does not, and as long as it is there no other one is the last.
    """
    guard = _connect(home, "ro", BRIEFLY_S, any_thread=any_thread)
    with suppress(sqlite3.DatabaseError):
        guard.execute("PRAGMA user_version").fetchone()
    return guard


def _connect(
    home: Home, mode: str, timeout: float, *, any_thread: bool = False
) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{home.store.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=not any_thread,
    )
