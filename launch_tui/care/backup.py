"""Takes a backup of the data directory into one file, while everything goes on.

First the store is copied, as it is at one moment; then the files that the rows of this copy need
are read, which are the same or longer by then. What is deleted meanwhile is taken out of the copy
again, which goes in last. The archive has a temporary name until it is whole and on disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from launch_tui import __version__, faults
from launch_tui.care.archive import FORMAT, HEADER, ArchiveWriter, Header
from launch_tui.care.keeping import copying, work_folder
from launch_tui.care.members import METRICS, Listing, Member, check_patterns
from launch_tui.care.repositories import in_place
from launch_tui.errors import StoreError, UsageError
from launch_tui.store import retention
from launch_tui.store.clock import now
from launch_tui.store.copying import copy_database
from launch_tui.store.database import SCHEMA_VERSION, Database
from launch_tui.store.durable import disk_errors, sync_directory, unique_name
from launch_tui.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STORE = "launch.db"
_PARTIAL = ".partial"
_NAMED = 3
"""Of what is to be told of many files, so many are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a backup holds: ``bytes`` before compression, ``archive_bytes`` after it.

    ``path`` is empty for a backup that went to an open stream. ``notes`` is what a person should
    know of it.
    """

    path: str
    taken_at: str
    runs: int
    files: int
    bytes: int
    archive_bytes: int
    notes: tuple[str, ...] = ()


def take(db: Database, target: Path, *, force: bool = False, exclude: Sequence[str] = ()) -> Taken:
    """Write a backup into a file.

    Args:
        db: The store of the data directory.
        target: The file; compressed by gzip unless its name ends in ``.tar``.
        force: Whether a file that is there is replaced.
        exclude: Patterns of names or paths of files of runs that are left out.

    Raises:
        UsageError: When the file is there already or cannot be one, or a pattern is none.
        StoreError: When something cannot be read or written; no file is left then.
        Busy: When room is being made.
    """
    check_patterns(exclude)
    target = target.absolute()
    _check_target(target, db.home, force=force)
    _clear_partials(target)
    partial = target.with_name(f".{target.name}.{unique_name('')[1:]}{_PARTIAL}")
    with disk_errors(target), _private_file(partial) as out:
        found = _write(db, out, compress=target.suffix != ".tar", exclude=exclude)
        out.flush()
        faults.point("backup.written")
        os.fsync(out.fileno())
        size = out.tell()
        if force:
            partial.replace(target)
        else:
            _name_new(partial, target)
        sync_directory(target.parent)
    return _with(found, path=str(target), archive_bytes=size)


def take_to(db: Database, out: IO[bytes], *, exclude: Sequence[str] = ()) -> Taken:
    """Write a compressed backup to an open stream; ``exclude`` is as in ``take``."""
    check_patterns(exclude)
    counted = _Counting(out)
    found = _write(db, counted, compress=True, exclude=exclude)  # type: ignore[arg-type]
    out.flush()
    return _with(found, path="", archive_bytes=counted.written)


def _with(found: Taken, *, path: str, archive_bytes: int) -> Taken:
    from dataclasses import replace

    return replace(found, path=path, archive_bytes=archive_bytes)


def _write(db: Database, out: IO[bytes], *, compress: bool, exclude: Sequence[str]) -> Taken:
    home = db.home
    with copying(home), work_folder(home) as work:
        copy_database(home.store, work / STORE)
        taken_at = now()
        faults.point("backup.snapshot")
        with (
            Database(Home(work)) as snapshot,
            (work / "manifest").open("w+b") as spool,
            ArchiveWriter(out, spool, compress=compress) as archive,
        ):
            return _Backup(db, snapshot, archive, exclude).write(taken_at, work)


class _Backup:
    """Writes one backup.

    Args:
        db: The store as it is now.
        snapshot: Its copy.
        archive: Where it goes.
        exclude: Patterns of files that are left out.
    """

    def __init__(
        self, db: Database, snapshot: Database, archive: ArchiveWriter, exclude: Sequence[str]
    ) -> None:
        self._db = db
        self._home = db.home
        self._snapshot = snapshot
        self._archive = archive
        self._listing = Listing(db.home, exclude)
        self._sources = retention.sources(snapshot)
        self._runs = retention.standings(snapshot)
        self._unread: list[str] = []

    def write(self, taken_at: str, work: Path) -> Taken:
        """Write all members and say what they are."""
        self._archive.add_bytes(HEADER, self._header(taken_at).encoded())
        listing = self._listing
        self._add_all(listing.settings())
        self._add_all(listing.artifacts(sorted(self._sources.artifacts)))
        for directory in listing.repositories(self._sources):
            with in_place(directory):
                self._add_all(listing.repository(directory))
        for run_id, standing in self._runs.items():
            for member in listing.run(run_id):
                if member.path == f"runs/{run_id}/{METRICS}":
                    self._add_metrics(member, work / METRICS, ended=bool(standing.ended_at))
                else:
                    self._add(member)
        gone = set(self._runs) - retention.known(self._db, self._runs)
        retention.forget_these(self._snapshot, sorted(gone))
        self._snapshot.close()
        self._archive.add_file(STORE, work / STORE, mode=0o600)
        return Taken(
            path="",
            taken_at=taken_at,
            runs=len(self._runs) - len(gone),
            files=self._archive.files,
            bytes=self._archive.bytes,
            archive_bytes=0,
            notes=tuple(self._notes()),
        )

    def _header(self, taken_at: str) -> Header:
        counting = Listing(self._home, self._listing.exclude)
        count, size = 2, self._snapshot.home.store.stat().st_size
        for member in self._everything(counting):
            count += 1
            with contextlib.suppress(OSError):
                size += os.lstat(member.source).st_size
        return Header(
            format=FORMAT,
            taken_at=taken_at,
            program=__version__,
            schema=SCHEMA_VERSION,
            host=socket.gethostname(),
            home=str(self._home.root),
            runs=len(self._runs),
            files=count,
            size=size,
        )

    def _everything(self, listing: Listing) -> Iterator[Member]:
        yield from listing.settings()
        yield from listing.artifacts(sorted(self._sources.artifacts))
        for directory in listing.repositories(self._sources):
            yield from listing.repository(directory)
        for run_id in self._runs:
            yield from listing.run(run_id)

    def _add_all(self, members: Iterator[Member]) -> None:
        for member in members:
            self._add(member)

    def _add(self, member: Member) -> None:
        if member.target is not None:
            self._archive.add_link(member.path, member.target)
            return
        try:
            self._archive.add_file(member.path, Path(member.source))
        except PermissionError:
            # Containers write as other users do.
            self._unread.append(member.path)

    def _add_metrics(self, member: Member, copy: Path, *, ended: bool) -> None:
        """Add a run's metrics: as they are where nobody writes them, else from a copy."""
        source = Path(member.source)
        log = source.with_name(f"{METRICS}-wal")
        if ended and not log.exists():
            self._add(member)
            return
        try:
            copy_database(source, copy)
        except StoreError as error:
            if not source.exists():
                return
            self._listing.trouble.append(error.cause)
            self._add(member)
        else:
            self._archive.add_file(member.path, copy, mode=0o644)

    def _notes(self) -> Iterator[str]:
        listing = self._listing
        told = (
            (self._unread, "files cannot be read and are not in it"),
            (listing.left_out, "links lead out of their run's directory and are not in it"),
            (self._archive.short, "files became shorter while they were read"),
        )
        for paths, what in told:
            if paths:
                more = " …" if len(paths) > _NAMED else ""
                yield f"{len(paths)} {what}: {', '.join(paths[:_NAMED])}{more}"
        if listing.excluded:
            yield f"{listing.excluded} files were left out by --exclude"
        yield from dict.fromkeys(listing.trouble)
        if (self._home.root / "secrets").is_dir():
            yield "secrets/ is not in it: a backup holds no secret's value"


class _Counting:
    """A stream that knows how much was written to it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.written = 0

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        self._out.write(data)
        self.written += len(data)
        return len(data)

    def flush(self) -> None:
        """Pass on what is held back."""
        self._out.flush()


def _check_target(target: Path, home: Home, *, force: bool) -> None:
    allowed = "a new file outside the data directory, or - for stdout"
    if target.is_dir():
        raise UsageError("FILE", f"{target} is a directory", allowed=allowed)
    if not target.parent.is_dir():
        raise UsageError("FILE", f"there is no directory {target.parent}", allowed=allowed)
    if target.parent.resolve().is_relative_to(home.root.resolve()):
        raise UsageError("FILE", f"{target} is in the data directory itself", allowed=allowed)
    if not force and os.path.lexists(target):
        raise UsageError("FILE", f"{target} is there already", allowed="another name, or --force")
    if target.exists() and not target.is_file():
        raise UsageError("FILE", f"{target} is no file", allowed=allowed)


@contextlib.contextmanager
def _private_file(path: Path) -> Iterator[IO[bytes]]:
    """Make a file that only its owner reads; it is removed unless it gets another name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "w+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield file
        finally:
            path.unlink(missing_ok=True)


def _name_new(partial: Path, target: Path) -> None:
    """Give the archive its name, unless somebody else has taken it meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise UsageError(
            "FILE", f"{target} is there already", allowed="another name, or --force"
        ) from None
    except OSError:
        # Some file systems have no hard links.
        partial.replace(target)


def _clear_partials(target: Path) -> None:
    """Remove what backups into this file that were killed have left."""
    for path in target.parent.glob(f".{glob_escaped(target.name)}.*{_PARTIAL}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def glob_escaped(name: str) -> str:
    """Return a name as a pattern that means only it."""
    import glob

    return glob.escape(name)
