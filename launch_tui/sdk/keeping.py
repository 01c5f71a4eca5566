"""Keeping the data directory: backups, room in it, and how its disk stands.

with Launch() as launch:
    backup(launch, Path("launch.tar.gz"))
    prune(launch, older_than=30 * 86400.0, keep_failed=True)
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from launch_tui.care import disk as disk_of
from launch_tui.care.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from launch_tui.care.backup import Taken
    from launch_tui.care.prune import Pruned
    from launch_tui.care.restore import Restored
    from launch_tui.sdk import Launch
    from launch_tui.sdk.devices import HostLook
    from launch_tui.store.paths import Home

__all__ = ["Disk", "backup", "backup_to", "disk", "disk_seen", "prune", "restore"]


def backup(
    launch: Launch, target: Path, *, force: bool = False, exclude: Sequence[str] = ()
) -> Taken:
    """Write a backup into a file, while everything goes on (see ``care.backup.take``).

    Args:
        launch: The data directory.
        target: The file; compressed by gzip unless its name ends in ``.tar``.
        force: Whether a file that is there is replaced.
        exclude: Patterns of names or paths of files of runs that are left out.
    """
    from launch_tui.care.backup import take

    return take(launch.db, target, force=force, exclude=exclude)


def backup_to(launch: Launch, out: IO[bytes], *, exclude: Sequence[str] = ()) -> Taken:
    """Write a compressed backup to an open stream."""
    from launch_tui.care.backup import take_to

    return take_to(launch.db, out, exclude=exclude)


def restore(
    stream: IO[bytes], home: Home, *, replace: bool = False, go_on: bool = False
) -> Restored:
    """Bring a backup back as a data directory (see ``care.restore.restore``).

    Args:
        stream: The archive; it is only read forward.
        home: The data directory to be; new or empty.
        replace: Whether one that is there already is moved aside.
        go_on: Whether queues in which runs wait go on at once, instead of being paused.
    """
    from launch_tui.care.restore import restore as bring_back

    return bring_back(stream, home, replace=replace, go_on=go_on)


def prune(
    launch: Launch, *, older_than: float, keep_failed: bool = False, dry_run: bool = False
) -> Pruned:
    """Forget old runs and remove what nothing needs (see ``care.prune.prune``).

    Args:
        launch: The data directory.
        older_than: Seconds since a run's end, and since a cache's last use.
        keep_failed: Whether runs that ended badly stay.
        dry_run: Only say what would be removed.
    """
    from launch_tui.care.prune import prune as make_room

    return make_room(launch.db, older_than, keep_failed=keep_failed, dry_run=dry_run)


def disk(home: Home) -> Disk | None:
    """Return how the disk of a data directory stands, None when it cannot be asked."""
    try:
        return disk_of.read(home)
    except OSError:
        return None


def disk_seen(home: Home, look: HostLook | None) -> Disk | None:
    """Return how the disk stood when the agent last looked at the machine, None if it never did."""
    if look is None:
        return None
    free, total = look.disk_free, look.disk_total
    return Disk(free=free, total=total, record=disk_of.measured(home))
