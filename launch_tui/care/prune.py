"""Makes room: forgets old runs, and removes what nothing needs any more.

What a run that stays, an alias, a job version or a run that waits or runs needs is never touched,
and every step may be the last: rows go before the directories that they name, manifests before the
contents that only they name, and what is found under its name is whole. Whoever prunes next removes
what was left. Others go on meanwhile: what they may be about to use is protected by its lock, or by
having been used just now.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.builders.environments import EnvironmentStore
from launch_tui.builders.image_records import ImageRecords
from launch_tui.care import copies, repositories
from launch_tui.care.keeping import clear_work, removing
from launch_tui.errors import StoreCorrupt
from launch_tui.store import retention
from launch_tui.store.artifacts import ArtifactStore
from launch_tui.store.clock import iso, seconds
from launch_tui.store.durable import write_atomically
from launch_tui.store.retention import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from launch_tui.store.database import Database
    from launch_tui.store.paths import Home
    from launch_tui.store.retention import Standing

COPY_S = 86400.0
"""The working copy of a run that stays goes so many seconds after its end: people look at it."""
GRACE_S = 3600.0
"""What was used so recently may be about to be used by something that is not in the store yet."""
JOURNAL = "pruning.json"
"""Which runs a prune is about to forget; it goes when their directories are gone."""
_ID = re.compile(r"[A-Za-z0-9_-]+")
AT_ONCE = 8
"""Directories that are removed at the same time: on ext4 that takes a tenth of the time."""
CONTEXT_S = 3600.0
"""A build's context that is older and that nobody builds from was left behind."""


@dataclass(slots=True)
class Freed:
    """One kind of what was removed, or would be: how many, and their bytes."""

    kind: str
    count: int = 0
    size: int = 0

    def add(self, size: int, count: int = 1) -> None:
        """Count something in."""
        self.count += count
        self.size += size


@dataclass(slots=True)
class Pruned:
    """What was removed, or would be.

    ``runs`` are the ids of the runs that were forgotten, ``needed`` how many are old enough and
    stay because something needs them, ``notes`` what could not be removed.
    """

    dry_run: bool
    runs: list[str] = field(default_factory=list)
    needed: int = 0
    kinds: list[Freed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of everything together."""
        return sum(freed.size for freed in self.kinds)

    def kind(self, name: str) -> Freed:
        """Return the count of a kind, which is listed from then on."""
        freed = Freed(name)
        self.kinds.append(freed)
        return freed


def prune(
    db: Database, older_than: float, *, keep_failed: bool = False, dry_run: bool = False
) -> Pruned:
    """Make room.

    Args:
        db: The store.
        older_than: Seconds since its end after which a run is forgotten, and since its last use
            after which a cache is removed.
        keep_failed: Whether runs that ended badly stay.
        dry_run: Only say what would be removed.

    Raises:
        Busy: When a backup is being taken, or somebody else prunes.
    """
    if dry_run:
        return _Pruning(db, older_than, keep_failed, dry_run=True).run()
    with removing(db.home):
        return _Pruning(db, older_than, keep_failed, dry_run=False).run()


class _Pruning:
    def __init__(
        self, db: Database, older_than: float, keep_failed: bool, *, dry_run: bool
    ) -> None:
        self._db = db
        self._home = db.home
        self._now = time.time()
        self._unused_since = self._now - older_than
        self._limits = Limits(before=iso(self._unused_since), keep_failed=keep_failed)
        self._copies_before = self._now - min(older_than, COPY_S)
        self._dry_run = dry_run
        self._done = Pruned(dry_run)

    def run(self) -> Pruned:
        """Do it, or find out what would be done."""
        self._done.needed = retention.why_kept(self._db, self._limits)
        self._rests_of_runs()
        self._runs()
        self._copies()
        if unknown := unknown_runs(self._db, but=self._done.runs):
            self._done.notes.append(
                f"{unknown} directories in runs/ belong to no run of the store, so artifacts and"
                " git caches stay: launch-tui fsck tells about them"
            )
        else:
            self._artifacts()
            self._repositories()
        self._environments()
        self._contexts()
        if not self._dry_run:
            clear_work(self._home)
            (self._home.root / JOURNAL).unlink(missing_ok=True)
        self._done.kinds = [freed for freed in self._done.kinds if freed.count]
        return self._done

    def _runs(self) -> None:
        freed = self._done.kind("runs")
        doomed = retention.doomed(self._db, self._limits)
        if self._dry_run:
            self._done.runs = doomed
            for size in self._each(map(self._home.run, doomed), measure):
                freed.add(size)
            return
        if doomed:
            self._write_down(doomed)
        for batch in retention.forget(self._db, self._limits, doomed):
            faults.point("prune.rows")
            self._done.runs += batch
            for size in self._each(map(self._home.run, batch), self._remove):
                freed.add(size)

    def _rests_of_runs(self) -> None:
        """Remove the directories of runs that were forgotten by a prune that was killed then.

        Only of those: after the loss of a store, directories without rows are all that is left.
        """
        freed = self._done.kind("directories of runs that are forgotten")
        written = self._written_down()
        there = [name for name in written if self._home.run(name).is_dir()]
        rests = sorted(set(there) - retention.known(self._db, there))
        act = measure if self._dry_run else self._remove
        for size in self._each(map(self._home.run, rests), act):
            freed.add(size)

    def _write_down(self, run_ids: Sequence[str]) -> None:
        """Have the disk know which runs are about to be forgotten, before any of them is."""
        write_atomically(self._home.root / JOURNAL, json.dumps(run_ids).encode(), mode=0o600)

    def _written_down(self) -> list[str]:
        try:
            found = json.loads((self._home.root / JOURNAL).read_bytes())
            return [name for name in found if isinstance(name, str) and _ID.fullmatch(name)]
        except (OSError, ValueError, TypeError):
            return []

    def _copies(self) -> None:
        freed = self._done.kind("working copies")
        gone = frozenset(self._done.runs) if self._dry_run else frozenset[str]()
        attempts = [
            copy.attempt
            for copy in ended_copies(self._home, retention.standings(self._db))
            if copy.used < self._copies_before and copy.run_id not in gone
        ]
        for size in self._each(attempts, copy_size if self._dry_run else self._clear):
            if size:
                freed.add(size)

    def _clear(self, attempt: Path) -> int:
        size, refused = clear_copy(attempt)
        self._done.notes += [f"cannot remove {path}" for path in refused[:1]]
        return size

    def _artifacts(self) -> None:
        freed = self._done.kind("artifacts")
        but = self._limits if self._dry_run else None
        try:
            deleted = ArtifactStore(self._home.artifacts).delete_unreferenced(
                lambda: retention.sources(self._db, but=but).artifacts,
                grace=GRACE_S,
                dry_run=self._dry_run,
            )
        except StoreCorrupt as error:
            self._done.notes.append(f"artifacts were left as they are: {error.cause}")
        else:
            freed.add(deleted.size, max(deleted.manifests, int(deleted.blobs > 0)))

    def _repositories(self) -> None:
        freed = self._done.kind("git caches")
        but = self._limits if self._dry_run else None
        for path in unneeded_caches(self._db, but=but):
            since = min(self._caches_unused_since(), self._now - GRACE_S)
            size = measure(path)
            if self._dry_run:
                gone = repositories.last_used(path) < since
            else:
                gone = repositories.remove_cache(path, unused_since=since)
            if gone:
                freed.add(size)
        for path in repositories.leftovers(self._home.repositories):
            freed.add(measure(path) if self._dry_run else self._remove(path))

    def _environments(self) -> None:
        freed = self._done.kind("environments")
        store = EnvironmentStore(self._home.environments)
        since = self._caches_unused_since()
        for environment in store.prune(since, frozenset(), dry_run=self._dry_run):
            freed.add(environment.size)

    def _contexts(self) -> None:
        freed = self._done.kind("build contexts")
        for path in old_contexts(self._home, self._now - CONTEXT_S):
            freed.add(measure(path) if self._dry_run else remove_context(self._home, path))

    def _caches_unused_since(self) -> float:
        """Return the time since which a cache was not used that may go.

        What a run has taken into use since it was claimed stays, however short the age.
        """
        return min(self._unused_since, oldest_use(self._db))

    def _each(self, paths: Iterable[Path], act: Callable[[Path], int]) -> list[int]:
        """Do the same to many directories, several at a time: mostly, the disk is waited for."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(act, paths))

    def _remove(self, path: Path) -> int:
        size = measure(path)
        refused: list[str] = []
        shutil.rmtree(path, onerror=lambda _, name, __: refused.append(str(name)))
        if refused and path.exists():
            self._done.notes.append(f"cannot remove {refused[0]}")
        return size


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The working copy of an attempt that is over; ``used`` is when, in seconds of the epoch."""

    run_id: str
    attempt: Path
    used: float


def ended_copies(home: Home, standings: Mapping[str, Standing]) -> Iterator[Copy]:
    """Yield the working copies of attempts that are over.

    Of a run whose container is kept it stays, since it is the container's as well.
    """
    for run_id, standing in standings.items():
        if standing.keeps_container:
            continue
        for number in range(1, standing.attempt + 1):
            attempt = home.attempt(run_id, number)
            if not (attempt / copies.SOURCE).is_dir():
                continue
            if number < standing.attempt:
                yield Copy(run_id=run_id, attempt=attempt, used=attempt.stat().st_mtime)
            elif standing.ended_at:
                yield Copy(run_id=run_id, attempt=attempt, used=seconds(standing.ended_at))


def copy_size(attempt: Path) -> int:
    """Return the bytes of a working copy that can be had again."""
    return sum(entry.stat(follow_symlinks=False).st_size for entry in copies.put_there(attempt))


def clear_copy(attempt: Path) -> tuple[int, list[str]]:
    """Remove what launch_tui put into a working copy; what the job wrote stays.

    Returns:
        The bytes of what was removed, and the paths of what could not be.
    """
    size, refused = 0, []
    kept = copies.repositories_kept(attempt)
    for entry in copies.put_there(attempt):
        try:
            found = entry.stat(follow_symlinks=False).st_size
            os.unlink(entry.path)
        except FileNotFoundError:
            continue
        except OSError:
            refused.append(entry.path)
        else:
            size += found
            faults.point("prune.copy")
    for folder, _, _ in os.walk(attempt / copies.SOURCE, topdown=False):
        # Without its empty folders git does not know a repository for one.
        if not f"{folder}/".startswith(kept):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
    return size, refused


def unknown_runs(db: Database, *, but: Sequence[str] = ()) -> int:
    """Return how many directories of runs have no row, but for those of these runs.

    Where there are any, rows may have been lost: what seems to be needed by nothing may be needed.
    """
    # Listed first: a run is in the store before it has a directory.
    there = {entry.name for entry in os.scandir(db.home.runs) if entry.is_dir()}
    return len(there - retention.known(db, there) - set(but))


def unneeded_caches(db: Database, *, but: Limits | None = None) -> list[Path]:
    """Return the caches of repositories that no job version and no run refers to."""
    root = db.home.repositories
    needed = repositories.needed_caches(root, retention.sources(db, but=but).repositories)
    return sorted(set(repositories.every_cache(root)) - set(needed))


def old_contexts(home: Home, before: float) -> list[Path]:
    """Return the contexts of builds that began before a time, in seconds since the epoch."""
    found = [path for path in home.images.glob("*.context") if path.is_dir()]
    return [path for path in found if path.stat().st_mtime < before]


def remove_context(home: Home, path: Path) -> int:
    """Remove a build's context unless somebody builds from it; return its bytes."""
    records = ImageRecords(home.images)
    lock = records.locks.try_take(path.stem)
    if lock is None:
        return 0
    with lock:
        size = measure(path)
        records.clear_context(path.stem)
        if not any(home.images.glob(f"{path.stem}.json")):
            lock.remove()
        return size


def oldest_use(db: Database) -> float:
    """Return the time since which runs at work may have taken something into use."""
    claimed = retention.oldest_claim(db)
    return seconds(claimed) if claimed else time.time()


def measure(path: Path) -> int:
    """Return the bytes of all files below a directory."""
    total = 0
    for entry in copies.walk(str(path)):
        try:
            total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
