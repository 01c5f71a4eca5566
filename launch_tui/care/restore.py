"""Brings a backup back as a data directory, which appears whole or not at all.

The archive is unpacked beside the place that it is to have. There the store is checked, brought to
the current version and adapted; only then the directory takes its place. One that is there already
is moved aside, never deleted.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from launch_tui import faults
from launch_tui.care import run_record
from launch_tui.care.repositories import every_cache
from launch_tui.care.unpack import bad, unpack
from launch_tui.errors import StoreError, UsageError
from launch_tui.store import retention
from launch_tui.store.agents import AgentLock
from launch_tui.store.artifacts import ArtifactStore
from launch_tui.store.copying import is_whole
from launch_tui.store.database import Database
from launch_tui.store.durable import disk_errors, sync_directory, write_atomically
from launch_tui.store.ownership import keep_private
from launch_tui.store.paths import Home, check_file_system
from launch_tui.store.restored import Adapted, adapt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.care.unpack import Unpacked

_STAGING = ".restoring-"
_ASIDE = ".before-restore-"
_MARK = "restoring.lock"
_AT_FDCWD = -100
_EXCHANGE = 2
_GIT_CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
"""What ``git init --bare`` writes. A backup brings no settings of git: they can name commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored; ``aside`` is where the directory is that was there before, or empty.

    ``dropped`` is how many directories were left out because the store does not know their runs.
    """

    home: str
    taken_at: str
    host: str
    runs: int
    files: int
    bytes: int
    lost: tuple[str, ...]
    paused: tuple[str, ...]
    waiting: int
    aside: str
    dropped: int


def restore(
    stream: IO[bytes], home: Home, *, replace: bool = False, go_on: bool = False
) -> Restored:
    """Restore a backup.

    Args:
        stream: The archive.
        home: The data directory to be; new or empty.
        replace: Whether one that is there already is moved aside.
        go_on: Whether queues in which runs wait go on at once, instead of being paused.

    Raises:
        UsageError: When the directory is in use or not empty, or the archive is refused.
        StoreError: When something cannot be written.
    """
    root = Path(os.path.realpath(home.root))
    home = Home(root)
    check_file_system(root)
    keep_private(root)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_free_place(home, replace=replace))
        with disk_errors(root):
            staging = stack.enter_context(_staging(root))
            unpacked = unpack(stream, staging)
            faults.point("restore.unpacked")
            adapted, runs, dropped = _prepare(Home(staging), unpacked, go_on=go_on)
            faults.point("restore.adapted")
            aside = _take_place(staging, root)
    return Restored(
        home=str(root),
        taken_at=unpacked.header.taken_at,
        host=unpacked.header.host,
        runs=runs,
        files=unpacked.files,
        bytes=unpacked.bytes,
        lost=adapted.lost,
        paused=adapted.paused,
        waiting=adapted.waiting,
        aside=aside,
        dropped=dropped,
    )


@contextlib.contextmanager
def _free_place(home: Home, *, replace: bool) -> Iterator[None]:
    """Refuse a directory that is in use or not empty; no agent comes while it is replaced."""
    root = home.root
    if not root.exists():
        yield
        return
    if not root.is_dir():
        raise UsageError("--home", f"{root} is not a directory", allowed="a new directory")
    if os.path.ismount(root):
        raise UsageError(
            "--home", f"{root} is where a disk is mounted", allowed="a directory below it"
        )
    if not any(root.iterdir()):
        yield
        return
    if not replace:
        raise UsageError(
            "--home",
            f"{root} is not empty",
            allowed="a new directory, or --replace (moves it aside)",
        )
    lock = AgentLock(home)
    try:
        if not lock.acquire():
            raise UsageError("--home", f"an agent works in {root}", allowed="launch-tui agent stop")
        _require_no_jobs(home)
        yield
    finally:
        lock.close()


def _require_no_jobs(home: Home) -> None:
    """Refuse to move a directory away below jobs; of a store that is damaged nobody knows."""
    try:
        with Database(home, read_only=True) as db:
            active = retention.active(db)
    except StoreError:
        return
    if active:
        raise UsageError(
            "--home",
            f"{len(active)} runs are at work in {home.root} ({', '.join(active[:3])})",
            allowed="launch-tui stop RUN... with an agent, then restore",
        )


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """Make a directory beside the place, removed unless it took the place."""
    root.parent.mkdir(parents=True, exist_ok=True)
    _clear_staging(root)
    staging = root.with_name(f".{root.name}{_STAGING}{os.getpid()}-{time.time_ns()}")
    staging.mkdir(mode=0o700)
    mark = os.open(staging / _MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX)
        yield staging
    finally:
        if (staging / _MARK).exists():
            shutil.rmtree(staging, ignore_errors=True)
        os.close(mark)


def _clear_staging(root: Path) -> None:
    """Remove what restores that were killed have left: only what has their mark, unlocked."""
    for folder in root.parent.glob(f".{root.name}{_STAGING}*"):
        with contextlib.suppress(OSError), (folder / _MARK).open("rb") as mark:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(home: Home, unpacked: Unpacked, *, go_on: bool) -> tuple[Adapted, int, int]:
    """Make a working data directory of what was unpacked."""
    if not home.store.is_file():
        raise bad("has no store in it")
    if trouble := is_whole(home.store):
        raise bad(f"has a damaged store in it ({trouble})")
    for directory in every_cache(home.repositories):
        write_atomically(directory / "config", _GIT_CONFIG, sync=False)
        for folder in ("refs", "objects"):
            (directory / folder).mkdir(exist_ok=True)
    ArtifactStore(home.artifacts).copy_manifests()
    with Database(home) as db:
        db.execute("PRAGMA journal_mode = WAL")
        adapted = adapt(db, unpacked.header.taken_at, go_on=go_on)
        there = [path for path in home.runs.iterdir() if path.is_dir()]
        known = retention.known(db, [path.name for path in there])
        strangers = [path for path in there if path.name not in known]
        for path in strangers:
            shutil.rmtree(path)
        for run_id in known:
            run_record.fit_to_copy(home, run_id)
        runs = len(retention.standings(db))
    for name in ("runs", "repos"):
        (home.root / name).chmod(0o700)
    _sync_all(home.root)
    return adapted, runs, len(strangers)


def _take_place(staging: Path, root: Path) -> str:
    """Give the directory its place; return where the one is that was there, empty for none."""
    old = root.exists() and any(root.iterdir())
    if not old:
        if root.exists():
            root.rmdir()
        (staging / _MARK).unlink()
        staging.rename(root)
        sync_directory(root.parent)
        return ""
    aside = _free_name(root)
    (staging / _MARK).unlink()
    _exchange(staging, root, aside)
    sync_directory(root.parent)
    return str(aside)


def _free_name(root: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (root.with_name(f"{root.name}{_ASIDE}{stamp}{n or ''}") for n in range(1000))
    return next(name for name in names if not os.path.lexists(name))


def _exchange(staging: Path, root: Path, aside: Path) -> None:
    """Put ``staging`` in the place of ``root`` at once where the kernel can, and name the old one.

    Where it cannot (``renameat2``, Linux 3.15), there is a moment without a directory in the place.
    """
    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "renameat2", None)
    if call is not None:
        paths = os.fsencode(staging), _AT_FDCWD, os.fsencode(root)
        if call(_AT_FDCWD, *paths, _EXCHANGE) == 0:
            faults.point("restore.exchanged")
            staging.rename(aside)
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise StoreError(f"cannot move {root} aside: {os.strerror(ctypes.get_errno())}")
    root.rename(aside)
    staging.rename(root)


def _sync_all(root: Path) -> None:
    """Have the disk take all of it before it gets its name."""
    call = getattr(ctypes.CDLL(None), "syncfs", None)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if call is None or call(descriptor) != 0:
            os.sync()
    finally:
        os.close(descriptor)
