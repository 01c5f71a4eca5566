"""Looking after the data directory, for whoever asks: the check, and putting right what it finds.

These do not need a store that can be opened, so they take the data directory and no ``Launch``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.care.findings import Report
    from launch_tui.store.paths import Home


def fsck(home: Home, *, repair: bool = False) -> Report:
    """Compare everything in the data directory; put right what is wrong if that is wanted.

    Raises:
        AgentBusy: When an agent is at work and a repair is wanted.
        StoreError: When the data directory is not one that may be used here.
    """
    from launch_tui.care import fsck

    return fsck.repair(home) if repair else fsck.check(home)


def check_briefly(home: Home) -> None:
    """Look at the store for a bounded time, where its last user left it in a hurry.

    Raises:
        StoreCorrupt: When it is damaged.
    """
    from launch_tui.store.integrity import check_briefly

    check_briefly(home)
