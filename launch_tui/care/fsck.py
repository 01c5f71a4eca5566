"""``fsck``: compare everything in a data directory with everything else, and put it right.

The store's file comes first, for the rest is compared with what it says. Each thing that is wrong
is put right by itself and can be done again: whoever is killed in between leaves less to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from functools import partial
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.care import fsck_artifacts, fsck_caches, fsck_runs, fsck_store
from launch_tui.care.findings import Finding, Report
from launch_tui.errors import AgentBusy, LaunchError, StoreBusy, StoreError
from launch_tui.store.agent_lock import AgentLock, is_held
from launch_tui.store.ownership import keep_private
from launch_tui.store.paths import check_file_system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from launch_tui.store.paths import Home

_SHARED_FIRST = 0x40000000 + 2
_SHARED_SIZE = 510
"""The bytes that SQLite locks while a file is open in WAL mode (``os.h``, SHARED_FIRST)."""
_ROUNDS = 3


def check(home: Home) -> Report:
    """Say what is wrong; nothing is changed.

    While an agent is at work, what it may be in the middle of is left out.

    Raises:
        StoreError: When the data directory is not one that may be used here.
    """
    _usable(home)
    agent = is_held(home)
    found = list(fsck_store.findings(home))
    if not found and home.store.exists():
        for stage in _STAGES:
            found += stage(home, agent=agent)
        notes = [*fsck_store.notes(home), *fsck_runs.notes(home, agent=agent)]
        return Report(found=tuple(found), notes=tuple(notes))
    notes = ["runs and artifacts are compared with the store once that is whole"] if found else []
    return Report(found=tuple(found), notes=tuple(notes))


def repair(home: Home) -> Report:
    """Put right what is wrong, and say what was lost.

    Raises:
        AgentBusy: When an agent is at work; nothing was touched.
        StoreBusy: When another process has the store open; nothing was touched.
        StoreError: When the data directory is not one that may be used here.
    """
    _usable(home)
    if not home.root.is_dir():
        return Report()
    lock = AgentLock(home)
    try:
        if not lock.acquire():
            raise AgentBusy(
                "an agent is at work here", next_step="end it first: launch-tui agent stop"
            )
        _require_alone(home)
        mended = _mend_all(lambda: fsck_store.findings(home))
        if home.store.exists():
            fsck_store.settle(home)
            for stage in _STAGES:
                mended += _mend_all(partial(stage, home, agent=False))
            fsck_runs.settle(home)
            fsck_store.settle(home)
        left = check_alone(home)
        return Report(found=left.found, mended=tuple(mended), notes=left.notes)
    finally:
        lock.close()


def check_alone(home: Home) -> Report:
    """As ``check``, for who holds the agent's lock."""
    found = list(fsck_store.findings(home))
    if not found and home.store.exists():
        for stage in _STAGES:
            found += stage(home, agent=False)
        return Report(found=tuple(found), notes=tuple(fsck_runs.notes(home, agent=False)))
    return Report(found=tuple(found))


_STAGES = (fsck_runs.findings, fsck_artifacts.findings, fsck_caches.findings)


def _mend_all(look: Callable[[], Iterator[Finding]]) -> list[tuple[Finding, str]]:
    """Put right what is found until nothing is found, or what is found stays."""
    mended: list[tuple[Finding, str]] = []
    seen: set[tuple[str, str]] = set()
    for _ in range(_ROUNDS):
        found = [each for each in look() if (each.place, each.cause) not in seen]
        if not found:
            break
        for finding in found:
            seen.add((finding.place, finding.cause))
            # What cannot be put right is found again by the check after this.
            with contextlib.suppress(LaunchError, OSError):
                lost = finding.mend() or finding.lost
                mended.append((finding, lost))
            faults.point("mend.one")
    return mended


def _usable(home: Home) -> None:
    if home.root.exists() and not home.root.is_dir():
        raise StoreError(
            f"the data directory {home.root} is not a directory",
            next_step="choose another one with LAUNCH_TUI_HOME",
        )
    check_file_system(home.root)
    keep_private(home.root)


def _require_alone(home: Home) -> None:
    """Refuse while another process has the store open: its pages are changed below SQLite."""
    try:
        descriptor = os.open(home.store, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
    except OSError:
        raise StoreBusy(
            "another process has the store open", next_step="close launch-tui, then try again"
        ) from None
    finally:
        os.close(descriptor)
