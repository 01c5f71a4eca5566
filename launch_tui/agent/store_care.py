"""The agent's care for the store: a look at it when it begins, its log moved, and runs recorded.

What reads or writes more than a few rows happens on threads, with connections of their own: the
loop that claims and watches never waits for a disk because of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from launch_tui.care import run_record
from launch_tui.domain.run import ENDED
from launch_tui.errors import LaunchError, StoreError
from launch_tui.store.database import LOG_BYTES, log_size
from launch_tui.store.integrity import check_briefly
from launch_tui.store.second_copy import seal

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.store.database import Database
    from launch_tui.store.paths import Home

LOOK_S = 2.0
"""How often the log's size is looked at."""
TELL_BYTES = 64 << 20
"""A log of this size means that somebody reads the store without ever ending."""


class StoreCare:
    """Moves the log into the store and its copy, when it has grown and when nothing happens.

    Args:
        home: The data directory, whose agent this is.
        report: Called with what a person should know.
    """

    def __init__(self, home: Home, report: Callable[[str], None]) -> None:
        self._home = home
        self._report = report
        self._left = -1
        self._told = False
        self._recording: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Look at the store, for a bounded time and only if its last user left it in a hurry.

        Raises:
            StoreCorrupt: When it is damaged.
        """
        await asyncio.to_thread(check_briefly, self._home)

    async def watch(self) -> None:
        """Look after the log until cancelled."""
        before = 0
        while True:
            await asyncio.sleep(LOOK_S)
            size = log_size(self._home)
            quiet = size == before
            before = size
            # What a reader kept from being emptied last time is tried again once it has grown.
            if size and size != self._left and (quiet or size > LOG_BYTES):
                await self._move()

    def keep_record(self, db: Database, run_id: str) -> None:
        """Have the directory of a run keep what is known of it, if it has ended."""
        with contextlib.suppress(LaunchError):
            account = run_record.gather(db, run_id)
            if account and account["row"]["state"] in ENDED:
                task = asyncio.ensure_future(self._record(run_id, account))
                self._recording.add(task)
                task.add_done_callback(self._recording.discard)

    async def close(self) -> None:
        """Wait for the records that are being written."""
        await asyncio.gather(*self._recording, return_exceptions=True)

    async def _record(self, run_id: str, account: dict[str, Any]) -> None:
        # Without one, a damaged file of the run is not told from a whole one; nothing else.
        with contextlib.suppress(LaunchError, OSError):
            await asyncio.to_thread(run_record.write, self._home, run_id, account)

    async def _move(self) -> None:
        try:
            await asyncio.to_thread(seal, self._home, whole_below=None)
        except StoreError as error:
            self._tell(f"the store has no second copy: {error}")
        self._left = log_size(self._home)
        if self._left > TELL_BYTES:
            self._tell(
                f"the log of the store has grown to {self._left >> 20} MiB, because a process"
                " has been reading the store for long; it shrinks when that one ends"
            )
        elif not self._left:
            self._told = False

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._report(text)
