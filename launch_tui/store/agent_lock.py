"""The lock that one agent per data directory holds.

It is the kernel's (``flock``), so a dead agent cannot hold it, whatever killed it.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.store.paths import Home


class AgentLock:
    """The lock that one agent per data directory holds for as long as its process lives."""

    def __init__(self, home: Home) -> None:
        self._file = os.open(home.agent_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.held = False

    def acquire(self) -> bool:
        """Take the lock if nobody has it; say whether it is held now."""
        if not self.held:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self.held = True
        return True

    def wait(self) -> None:
        """Block until the lock is held; meant for a thread of its own."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.held = True

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._file)
        self.held = False


def is_held(home: Home) -> bool:
    """Say whether an agent works on this data directory, without disturbing it."""
    try:
        file = os.open(home.agent_lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
