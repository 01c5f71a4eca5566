"""How the agent learns that the store has changed: by the kernel, not by sleeping.

The write-ahead log grows with every commit, so inotify tells of other processes' writes at once. It
is asked for directly: the agent's own commits make as many notifications, and a file-watching
library spends more on each than the agent does on the commit. Where none can be had (inotify has
run out, or this is no Linux), the store's change counter is asked, which costs microseconds;
it is also asked now and then in case a notification was missed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from typing import TYPE_CHECKING

from launch_tui.errors import StoreError

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
        self.asked_at = time.time()
        """When the store last answered, in seconds since the epoch."""
        self._news = asyncio.Event()
        self._log = f"{db.home.store.name}-wal".encode()
        self._poll = NOTIFIED_POLL_S
        self._timer: asyncio.TimerHandle | None = None

    async def watch(self) -> None:
        """Listen until cancelled; meant for a task of its own."""
        loop = asyncio.get_running_loop()
        descriptor = -1
        try:
            descriptor = _watch_directory(self._db.home.root)
            loop.add_reader(descriptor, self._read, descriptor)
        except OSError:
            self._poll = POLL_S
        self._look(self._poll)
        try:
            await asyncio.Event().wait()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if descriptor >= 0:
                loop.remove_reader(descriptor)
                os.close(descriptor)

    async def next(self) -> None:
        """Return when another connection has committed since the last return."""
        await self._news.wait()
        self._news.clear()

    async def __aiter__(self) -> AsyncIterator[None]:
        while True:
            await self.next()
            yield

    def _read(self, descriptor: int) -> None:
        # The names are somewhere in the events' bytes; which events they are of does not matter.
        if self._log in os.read(descriptor, READ_BYTES):
            self._look(FIRST_LOOK_S)

    def _look(self, pause: float) -> None:
        """Ask the counter now, and again after ``pause`` seconds, and then ever less often.

        The notification is of the log being written; the commit can be seen only once the log is
        synced, of which nothing tells. In callbacks, not in a task: the agent's own commits bring
        most of the notifications, and must cost it next to nothing.
        """
        if self._timer is not None:
            self._timer.cancel()
        later = min(2 * pause, self._poll)
        self._timer = asyncio.get_running_loop().call_later(pause, self._look, later)
        try:
            version = self._db.data_version()
            self.asked_at = time.time()
        except StoreError:
            # Whoever is told asks the store for more, and is the one to complain.
            version = self._version - 1
        if version != self._version:
            self._version = version
            self._news.set()


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
