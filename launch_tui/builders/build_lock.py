"""One kernel lock for each thing that is built, and where its builder's log can be followed.

    <root>/<key>.lock        held by who builds or removes; tells where its log is

A dead process holds no lock, so what it left behind is simply taken over by the next one.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.builders.build_log import Follower

if TYPE_CHECKING:
    from launch_tui.builders.build_log import BuildLog

WAIT_SECONDS = 0.1
"""How often who waits for another's build looks whether it is over."""


class BuildLock:
    """The right to build or remove one thing, as long as this process lives."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def announce(self, log: Path, offset: int) -> None:
        """Tell those who wait where the build can be followed."""
        record = json.dumps({"pid": os.getpid(), "log": str(log), "offset": offset}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, record, 0)

    def remove(self) -> None:
        """Remove the lock's file; who waits for it takes a new one."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> BuildLock:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class BuildLocks:
    """The locks in one directory.

    Args:
        root: The directory; made when first needed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def try_take(self, key: str) -> BuildLock | None:
        """Return the lock of this key, or None while somebody else holds it."""
        self._root.mkdir(parents=True, exist_ok=True)
        path = self._root / f"{key}.lock"
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            if _is_same_file(descriptor, path):
                return BuildLock(path, descriptor)
            os.close(descriptor)

    async def wait(self, key: str, out: BuildLog) -> BuildLock:
        """Return the lock when its holder lets it go, copying the holder's log into ``out``."""
        follower = Follower(out)
        while (lock := self.try_take(key)) is None:
            follower.copy(self.log_of_holder(key))
            # Polled: a thread blocked in flock cannot be cancelled, and would keep the loop alive.
            await asyncio.sleep(WAIT_SECONDS)
        follower.copy(self.log_of_holder(key))
        return lock

    def log_of_holder(self, key: str) -> tuple[Path, int] | None:
        """Return the log of who holds the lock, and where in it its build begins."""
        try:
            record = json.loads((self._root / f"{key}.lock").read_bytes())
        except (OSError, ValueError):
            return None
        return Path(record["log"]), int(record["offset"])


def _is_same_file(descriptor: int, path: Path) -> bool:
    # Who prunes unlinks the lock file; a lock on an unlinked file excludes nobody.
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
