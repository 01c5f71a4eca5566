"""Keeps working copies and caches within the space that the owner gives them.

What can be had again is measured: working copies of attempts that are over, caches of repositories,
environments, contexts of builds. Beyond the budget the longest unused go first, whatever their
kind, but none that something needs: a budget makes room, it never makes a run fail.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from launch_tui.builders.environments import EnvironmentStore
from launch_tui.care import repositories
from launch_tui.care.disk import Record
from launch_tui.care.keeping import Busy, removing
from launch_tui.care.prune import (
    CONTEXT_S,
    GRACE_S,
    clear_copy,
    copy_size,
    ended_copies,
    measure,
    oldest_use,
    remove_context,
    unknown_runs,
    unneeded_caches,
)
from launch_tui.store import retention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from launch_tui.builders.environments import CachedEnvironment
    from launch_tui.store.database import Database

COPIES = "working copies"
REPOSITORIES = "git caches"
ENVIRONMENTS = "environments"
CONTEXTS = "build contexts"
KINDS = (COPIES, REPOSITORIES, ENVIRONMENTS, CONTEXTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that takes space and can be had again.

    ``used`` is when it last was, in seconds since the epoch; ``remove`` returns the bytes that are
    free by it, and is None where something needs it.
    """

    kind: str
    path: Path
    size: int
    used: float
    remove: Callable[[], int] | None = None


class Budget:
    """Measures, and keeps to a budget; what does not change any more is measured once."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[Path, float], int] = {}

    def look(self, db: Database, limit: int | None) -> Record:
        """Measure, and remove what is over the limit and can go.

        Args:
            db: The store.
            limit: Bytes that all of it may take; None for no limit.
        """
        items = list(self._items(db))
        self._sizes = {(item.path, item.used): item.size for item in items}
        kinds = {kind: sum(i.size for i in items if i.kind == kind) for kind in KINDS}
        freed = 0
        if limit is not None and sum(kinds.values()) > limit:
            try:
                with removing(db.home):
                    freed = self._make_room(items, kinds, limit)
            except Busy:
                # A backup is being taken: the next look does it.
                pass
        return Record(at=time.time(), kinds=kinds, budget=limit, freed=freed)

    def _make_room(self, items: list[Item], kinds: dict[str, int], limit: int) -> int:
        freed = 0
        for item in sorted(items, key=lambda item: item.used):
            if sum(kinds.values()) <= limit:
                break
            if item.remove is None:
                continue
            gone = min(item.remove(), item.size)
            kinds[item.kind] -= gone
            freed += gone
            self._sizes.pop((item.path, item.used), None)
        return freed

    def _items(self, db: Database) -> Iterator[Item]:
        now = time.time()
        in_use = min(oldest_use(db), now - GRACE_S)
        yield from self._copies(db, now - GRACE_S)
        yield from self._repositories(db, in_use)
        yield from _environments(db, in_use)
        for path in db.home.images.glob("*.context"):
            used = path.stat().st_mtime
            old = used < now - CONTEXT_S
            remove = partial(remove_context, db.home, path) if old else None
            yield Item(kind=CONTEXTS, path=path, size=measure(path), used=used, remove=remove)

    def _copies(self, db: Database, before: float) -> Iterator[Item]:
        for copy in ended_copies(db.home, retention.standings(db)):
            attempt, used = copy.attempt, copy.used
            size = self._known(attempt, used, copy_size)
            remove = partial(_clear, attempt) if used < before else None
            yield Item(kind=COPIES, path=attempt, size=size, used=used, remove=remove)

    def _repositories(self, db: Database, in_use: float) -> Iterator[Item]:
        unneeded = () if unknown_runs(db) else tuple(unneeded_caches(db))
        for path in repositories.every_cache(db.home.repositories):
            used = repositories.last_used(path)
            size = self._known(path, used, measure)
            remove = partial(_remove_cache, path, in_use, size) if path in unneeded else None
            yield Item(kind=REPOSITORIES, path=path, size=size, used=used, remove=remove)

    def _known(self, path: Path, used: float, size_of: Callable[[Path], int]) -> int:
        found = self._sizes.get((path, used))
        return size_of(path) if found is None else found


def _environments(db: Database, in_use: float) -> Iterator[Item]:
    store = EnvironmentStore(db.home.environments)
    for each in store.all():
        used = each.last_used_at
        old = not each.complete or used < in_use
        remove = partial(_remove_environment, store, each, in_use) if old else None
        yield Item(kind=ENVIRONMENTS, path=each.path, size=each.size, used=used, remove=remove)


def _clear(attempt: Path) -> int:
    return clear_copy(attempt)[0]


def _remove_cache(path: Path, in_use: float, size: int) -> int:
    return size if repositories.remove_cache(path, unused_since=in_use) else 0


def _remove_environment(store: EnvironmentStore, each: CachedEnvironment, in_use: float) -> int:
    return each.size if store.remove(each.key, in_use) else 0
