"""What ``fsck`` does about the store's own file, its log and its second copy.

Which of store and copy is right is told by the copy's digests. Two things tell damage from what
another program has written into the store: SQLite finds nothing wrong with the latter, and a write
changes more than one page. Whatever is replaced is kept aside first.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.care import run_record
from launch_tui.care.findings import Finding
from launch_tui.errors import StoreError
from launch_tui.store import integrity, second_copy
from launch_tui.store.accounts import put_record
from launch_tui.store.database import Database, log_size
from launch_tui.store.log_check import lost_of_log
from launch_tui.store.salvage import rescue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from launch_tui.store.paths import Home
    from launch_tui.store.second_copy import Comparison

PHASE = "store"
ASIDE = "damaged"
"""Below the data directory: what was replaced, for whoever wants to look at it."""


def findings(home: Home) -> Iterator[Finding]:
    """Yield what is wrong with the store's files; reads all of them."""
    found = second_copy.compare(home)
    if not home.store.exists():
        yield from _missing(home, found)
        return
    if 1 not in found.store_wrong:
        integrity.require_ours(home)
    if lost := lost_of_log(home):
        yield Finding(
            phase=PHASE,
            place=f"{home.store.name}-wal",
            cause="the log of the store is damaged",
            next_step="keep what is in it up to there",
            lost=lost,
            mend=lambda: _end_log(home),
        )
    problems = integrity.problems(home)
    if found.usable and found.store_wrong:
        yield _differing(home, found, problems)
    elif problems:
        yield Finding(
            phase=PHASE,
            place=home.store.name,
            cause=f"the store is damaged, and {found.why or 'its copy is like it'}: {problems[0]}",
            next_step="copy what can be read into a new store, and runs from their directories",
            lost="what cannot be read: --repair names it",
            mend=lambda: _salvage(home),
        )
    elif found.usable and found.copy_wrong:
        yield _renewing(home, "the second copy of the store is damaged")
    elif not found.usable and (found.damaged or not second_copy.copy_path(home).exists()):
        yield _renewing(home, found.why)


def notes(home: Home) -> list[str]:
    """Return what a crash has left that is in order."""
    if home.store.exists() and log_size(home):
        return ["the last one who worked here ended at once: what it wrote is in the store's log"]
    return []


def settle(home: Home) -> None:
    """Bring what a crash has left in order into its place."""
    if home.store.exists():
        second_copy.seal(home, patient=True, whole_below=None)


def keep_aside(home: Home, path: Path, *, move: bool = False) -> None:
    """Copy (or move) a file to where damaged things are kept."""
    if not path.exists():
        return
    folder = home.root / ASIDE
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}"
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}.{number}")
    if move:
        path.rename(target)
    elif path.is_dir():
        shutil.copytree(path, target, symlinks=True)
    else:
        shutil.copyfile(path, target)


def _missing(home: Home, found: Comparison) -> Iterator[Finding]:
    if found.usable:
        yield Finding(
            phase=PHASE,
            place=home.store.name,
            cause="the store is missing",
            next_step="bring it back from its second copy",
            mend=lambda: second_copy.mend_store(home, found.store_wrong, found.pages),
        )
    elif home.runs.is_dir() and any(home.runs.iterdir()):
        yield Finding(
            phase=PHASE,
            place=home.store.name,
            cause=f"the store is missing, and {found.why}",
            next_step="make a new store with the runs that have a record in their directories",
            lost="queues and jobs that no run has used, and runs that never began",
            mend=lambda: _salvage(home),
        )


def _differing(home: Home, found: Comparison, problems: list[str]) -> Finding:
    pages = len(found.store_wrong)
    if not problems and pages > 1:
        return Finding(
            phase=PHASE,
            place=home.store.name,
            cause=f"another program has written into the store ({pages} pages)",
            next_step="take it as it is, and renew its second copy",
            mend=lambda: _take_as_it_is(home),
        )
    return Finding(
        phase=PHASE,
        place=home.store.name,
        cause=f"the store is damaged ({pages} of {found.pages} pages are not what was written)",
        next_step="put them back from its second copy",
        mend=lambda: _mend(home, found),
    )


def _mend(home: Home, found: Comparison) -> None:
    keep_aside(home, home.store)
    second_copy.mend_store(home, found.store_wrong, found.pages)


def _take_as_it_is(home: Home) -> None:
    # Were it damage all the same, what was right is still there.
    keep_aside(home, second_copy.copy_path(home))
    second_copy.renew(home)


def _renewing(home: Home, cause: str) -> Finding:
    return Finding(
        phase=PHASE,
        place=second_copy.copy_path(home).name,
        cause=cause,
        next_step="make it anew from the store, which is whole",
        mend=lambda: second_copy.renew(home),
    )


def _end_log(home: Home) -> None:
    keep_aside(home, home.store.with_name(f"{home.store.name}-wal"))
    second_copy.seal(home, patient=True, whole_below=None)


def _salvage(home: Home) -> str:
    """Make a new store from what can be read, and put it in the place of the damaged one."""
    fresh = home.store.with_name(f"{home.store.name}.new")
    fresh.unlink(missing_ok=True)
    lost = rescue(home.store, fresh) if home.store.exists() else {}
    faults.point("mend.new_store")
    second_copy.forget(home)
    keep_aside(home, home.store)
    for ending in ("-wal", "-shm"):
        keep_aside(home, home.store.with_name(home.store.name + ending), move=True)
    faults.point("mend.moved_aside")
    if fresh.exists():
        fresh.replace(home.store)
    else:
        second_copy.copy_path(home).unlink()
    told = [
        f"{'rows' if count < 0 else f'{count} rows'} of {table}" for table, count in lost.items()
    ]
    with Database(home) as db:
        back = [
            path.name
            for path in sorted(home.runs.iterdir())
            if (record := run_record.read(home, path.name)) and put_record(db, record)
        ]
    if back:
        told = [f"{text} (runs back from their directories: {len(back)})" for text in told[:1]] + (
            told[1:]
        )
    try:
        second_copy.renew(home)
    except StoreError as error:
        told.append(str(error))
    return "; ".join(told)
