"""How the agent learns that the store has changed: by the kernel, not by sleeping.

The write-ahead log grows with every commit, so watching it tells of other processes' writes within
milliseconds. Where no notification can be had (inotify has run out), the store's change counter is
asked instead, which costs microseconds; it is also asked now and then in case one was missed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from watchfiles import Change

    from launch_tui.store.database import Database

NOTIFIED_POLL_S = 1.0
"""How often the counter is asked where notifications work."""
POLL_S = 0.05
"""How often it is asked where they do not."""
STEP_MS = 2
"""How long the log must be quiet before its change is told."""
DEBOUNCE_MS = 20
"""How long it is waited for that quiet: the agent's own commits come in bursts under load."""


class StoreChanges:
    """Tells when another connection has committed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._version = db.data_version()
        self._noticed = asyncio.Event()
        self._notified = True

    async def watch(self) -> None:
        """Listen until cancelled; meant for a task of its own."""
        from watchfiles import awatch

        log = f"{self._db.home.store.name}-wal"

        def is_log(_: Change, path: str) -> bool:
            return path.endswith(log)

        try:
            async for _ in awatch(
                self._db.home.root,
                watch_filter=is_log,
                debounce=DEBOUNCE_MS,
                step=STEP_MS,
                recursive=False,
                rust_timeout=5_000,
                force_polling=False,
            ):
                self._noticed.set()
        except OSError:
            self._notified = False

    async def next(self) -> None:
        """Return when another connection has committed since the last return."""
        while True:
            poll = NOTIFIED_POLL_S if self._notified else POLL_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll):
                    await self._noticed.wait()
            self._noticed.clear()
            version = self._db.data_version()
            if version != self._version:
                self._version = version
                return

    async def __aiter__(self) -> AsyncIterator[None]:
        while True:
            await self.next()
            yield
