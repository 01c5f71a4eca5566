"""How the agent learns that the store has changed: by the kernel, not by sleeping.

The write-ahead log grows with every commit, so inotify tells of other processes' writes at once. It
is asked for directly: the agent's own commits make as many notifications, and a file-watching
library spends more on each than the agent does on the commit. Where none can be had (inotify has
run out, or this is no Linux), the store's change counter is asked, which costs microseconds;
it is also asked now and then in case a notification was missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from launch_tui.store.database import Database

NOTIFIED_POLL_S = 1.0
"""How often the counter is asked where notifications work."""
POLL_S = 0.05
"""How often it is asked where they do not."""
FIRST_LOOK_S = 0.001
"""How soon after a notification it is asked again, if the commit could not be seen yet."""

IN_MODIFY = 0x2  # <sys/inotify.h>
READ_BYTES = 64 * 1024


class StoreChanges:
    """Tells when another connection has committed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._version = db.data_version()
        self._noticed = asyncio.Event()
        self._log = f"{db.home.store.name}-wal".encode()
        self._poll = NOTIFIED_POLL_S

    async def watch(self) -> None:
        """Listen until cancelled; meant for a task of its own."""
        try:
            descriptor = _watch_directory(self._db.home.root)
        except OSError:
            self._poll = POLL_S
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, self._read, descriptor)
        try:
            await asyncio.Event().wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    async def next(self) -> None:
        """Return when another connection has committed since the last return."""
        pause = self._poll
        while True:
            # The notification is of the log being written; the commit can be seen only once the
            # log is synced, of which nothing tells. So it is looked for again, ever less often.
            noticed = await self._noticed_within(pause)
            pause = FIRST_LOOK_S if noticed else min(2 * pause, self._poll)
            version = self._db.data_version()
            if version != self._version:
                self._version = version
                return

    async def __aiter__(self) -> AsyncIterator[None]:
        while True:
            await self.next()
            yield

    async def _noticed_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._noticed.wait()
        noticed = self._noticed.is_set()
        self._noticed.clear()
        return noticed

    def _read(self, descriptor: int) -> None:
        # The names are somewhere in the events' bytes; which events they are of does not matter.
        if self._log in os.read(descriptor, READ_BYTES):
            self._noticed.set()


def _watch_directory(directory: Path) -> int:
    """Return a descriptor that can be read once something in the directory was written to.

    Raises:
        OSError: When there is no inotify, or no more of it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        raise OSError("no inotify here")
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    if libc.inotify_add_watch(descriptor, os.fsencode(directory), IN_MODIFY) < 0:
        error = OSError(ctypes.get_errno(), "inotify_add_watch")
        os.close(descriptor)
        raise error
    return descriptor
