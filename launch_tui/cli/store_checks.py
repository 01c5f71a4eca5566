"""What ``doctor`` looks at in the data directory; nothing is created or changed."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.cli.probes import Check
from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from launch_tui.store.paths import Home

LOW_SPACE = 1 << 30
"""Bytes free below which the data directory is in trouble: a run's log alone can take as much."""

_MOUNTS = Path("/proc/self/mountinfo")


def data_directory(home: Home) -> Check:
    """Where it is, whether it can be written, and on which disk it is."""
    from launch_tui.store.paths import check_file_system

    root = home.root
    try:
        check_file_system(root)
    except LaunchError as error:
        return Check(check="data directory", ok=False, found=error.cause, next_step=error.next_step)
    nearest = next(path for path in (root, *root.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Check(
            check="data directory",
            ok=False,
            found=f"{root}: no permission to write {nearest}",
            next_step="Make it writable, or set LAUNCH_TUI_HOME to a directory of your own.",
        )
    free = shutil.disk_usage(nearest).free
    found = f"{root}, {_kind(nearest)}, {free / 1e9:.1f} GB free, {_owner(root)}"
    if free < LOW_SPACE:
        step = (
            "Free some space (launch-tui prune --dry-run says what can go), or set LAUNCH_TUI_HOME"
            " to a larger disk."
        )
        return Check(check="data directory", ok=False, found=found, next_step=step)
    return Check(check="data directory", ok=True, found=found)


def caches(home: Home) -> Check:
    """What working copies and caches take, and whether the disk is nearly full."""
    from launch_tui.sdk.keeping import disk

    space = disk(home)
    if space is None or space.record is None:
        return Check(check="disk budget", ok=True, found="no agent has measured it yet")
    kinds = ", ".join(f"{kind} {size / 1e9:.1f} GB" for kind, size in space.record.kinds.items())
    found = f"{space.caches_told()} ({kinds})"
    if space.nearly_full:
        found = f"{found}; the disk is nearly full, {space.told()}"
    return Check(
        check="disk budget", ok=not space.nearly_full, found=found, next_step=space.next_step
    )


def store(home: Home) -> Check:
    """Whether the store can be read, and what is in it."""
    from launch_tui.sdk import Launch
    from launch_tui.sdk.care import check_briefly
    from launch_tui.store.database import SCHEMA_VERSION

    if not home.store.exists():
        return Check(check="store", ok=True, found="none yet: the first command makes it")
    try:
        check_briefly(home)
        with Launch(home.root, read_only=True) as sdk:
            counts = ", ".join(
                f"{n} {state}" for state, n in sdk.queues.state_counts().items() if n
            )
            jobs, queues = len(sdk.jobs.list()), len(sdk.queues.list())
    except LaunchError as error:
        return Check(check="store", ok=False, found=error.cause, next_step=error.next_step)
    found = f"version {SCHEMA_VERSION}, {queues} queues, {jobs} jobs, runs: {counts or 'none'}"
    return Check(check="store", ok=True, found=found)


def agent(home: Home) -> Check:
    """Whether an agent runs here."""
    from launch_tui.sdk import Launch

    step = "Start one with launch-tui --agent-only."
    if not home.store.exists():
        return Check(check="agent", ok=False, found="none is running", next_step=step)
    try:
        with Launch(home.root, read_only=True) as sdk:
            status = sdk.agents.status()
    except LaunchError as error:
        return Check(check="agent", ok=False, found=error.cause, next_step=error.next_step)
    if status is None or not status.running:
        return Check(check="agent", ok=False, found="none is running", next_step=step)
    found = f"{status.state}, pid {status.pid} on {status.host}, {len(status.runs)} runs"
    return Check(check="agent", ok=True, found=found)


def _kind(path: Path) -> str:
    from launch_tui.store.paths import file_system_of

    mounts = _MOUNTS.read_text(errors="surrogateescape") if _MOUNTS.exists() else ""
    return file_system_of(path, mounts) or "unknown file system"


def _owner(root: Path) -> str:
    if not root.exists():
        return "not made yet"
    found = root.stat()
    own = "yours" if found.st_uid == os.getuid() else f"owned by uid {found.st_uid}"
    return f"{own}, mode {stat.S_IMODE(found.st_mode):o}"
