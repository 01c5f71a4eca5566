"""Keeping the data directory: backups, room, and how its disk stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.care import disk as disk_of
from launch_tui.care.disk import Disk

if TYPE_CHECKING:
    from launch_tui.sdk.devices import HostLook
    from launch_tui.store.paths import Home

__all__ = ["Disk", "disk", "disk_seen"]


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
