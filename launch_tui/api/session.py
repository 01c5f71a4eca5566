"""One data directory as a program uses it: from any of its threads, and after a fork.

A connection to the store belongs to one thread and one process, so each thread gets its own when it
first asks. What a parent had open is never used by a forked child, nor closed by it: SQLite would
write into the parent's log.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, TypeVar

from launch_tui.api.naming import argument_names
from launch_tui.errors import LaunchError
from launch_tui.sdk import Launch as Sdk
from launch_tui.store.paths import default_home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

R = TypeVar("R")

_INHERITED: list[Sdk] = []
"""What a parent process had open: kept, so that nothing closes it here."""


class Session:
    """The data directory of a program.

    Args:
        home: The data directory; by default ``LAUNCH_TUI_HOME``, else the platform's place.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        self.home: Path = default_home(None if home is None else str(home)).root
        self._process = os.getpid()
        self._open: dict[int, Sdk] = {}
        self._lock = threading.Lock()
        self._closed = False
        self.sdk()

    def sdk(self) -> Sdk:
        """Return this thread's own door to the data directory.

        Raises:
            LaunchError: When the session was closed, or the store cannot be used.
        """
        if self._closed:
            raise LaunchError("this Launch is closed", next_step="make a new one")
        if os.getpid() != self._process:
            self._forked()
        thread = threading.get_ident()
        found = self._open.get(thread)
        if found is None:
            # The number of a thread that has ended may be another's later, and so its connection.
            found = Sdk(self.home, any_thread=True)
            with self._lock:
                self._open[thread] = found
        return found

    def ask(self, work: Callable[[Sdk], R], names: Mapping[str, str] | None = None) -> R:
        """Return what ``work`` returns; an error names the argument instead of the flag.

        Args:
            work: What is asked.
            names: Flags that here are other arguments than elsewhere.
        """
        with argument_names(names):
            return work(self.sdk())

    def close(self) -> None:
        """Close what is open; a second time does nothing."""
        self._closed = True
        if os.getpid() != self._process:
            self._forked()
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _forked(self) -> None:
        # The lock may have been held by a thread that the child does not have.
        _INHERITED.extend(self._open.values())
        self._open, self._lock, self._process = {}, threading.Lock(), os.getpid()
