"""Follows the file of the agent's settings; broken settings never replace those that hold.

The folder is watched rather than the file: editors write a new file and rename it over the old
one, and Kubernetes swaps a symbolic link one level up. Every link on the way to the file is
followed, and the folders they lie in are watched too. What counts in the end is whether another
file, or another state of it, is found under the name. While there is no file, it is only looked for
once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.agent.config import AgentConfig, default_path, load
from launch_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from launch_tui.store.paths import Home

POLL_S = 1.0
"""How often a file is looked for that is not there, or whose folder cannot be watched."""
STEP_MS = 200
"""A change is acted on once it has been quiet for so long: a file half written is no settings."""
DEBOUNCE_MS = 1000
"""And after so long also where it is never quiet, as in the data directory while runs start."""
LOOK_MS = 5000
"""How often a watched file is looked at all the same."""
MOST_LINKS = 40  # as the kernel

Signature = tuple[int, int, int, int, int]


class ConfigFile:
    """The settings of an agent: from a file, with what the command line gave on top.

    Args:
        path: The file.
        required: Whether it must be there when the agent starts.
        queues: The command line's ``-q``; None when it has none.
        max_jobs: The command line's ``-j``, where -1 stands for no limit; None when it has none.
    """

    def __init__(
        self,
        path: Path,
        *,
        required: bool = True,
        queues: tuple[str, ...] | None = None,
        max_jobs: int | None = None,
    ) -> None:
        # Absolute, but not resolved: a link that points elsewhere later is a change.
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - pathlib's would not drop ".."
        self._required = required
        self._queues = queues
        self._max_jobs = max_jobs
        self._seen: Signature | None = None

    @classmethod
    def of(
        cls,
        home: Home,
        path: Path | None,
        *,
        queues: tuple[str, ...] | None = None,
        max_jobs: int | None = None,
    ) -> ConfigFile:
        """Return the file that was named, else the one that the data directory may have."""
        where = path or default_path(home)
        return cls(where, required=path is not None, queues=queues, max_jobs=max_jobs)

    def load(self) -> AgentConfig:
        """Return the settings as they are now.

        Raises:
            UsageError: When the file is not there but required, or anything in it is wrong.
        """
        self._seen = signature(self.path)
        if self._seen is None and not self._required:
            return self._with_flags(AgentConfig())
        return self._with_flags(load(self.path))

    def look(self) -> AgentConfig | UsageError | None:
        """Return the new settings, or what is wrong with them; None when nothing has changed."""
        found = signature(self.path)
        if found == self._seen:
            return None
        self._seen = found
        try:
            if found is None:
                raise UsageError(str(self.path), "is gone")
            if found[-1] == 0:
                # Settings of nothing would lift every limit, and most likely more is to come.
                raise UsageError(str(self.path), "is empty")
            return self._with_flags(load(self.path))
        except UsageError as error:
            return error

    async def changes(self) -> AsyncGenerator[AgentConfig | UsageError, None]:
        """Yield the new settings, or what is wrong with them, whenever the file changes."""
        news = asyncio.Event()
        stop = threading.Event()
        watcher: threading.Thread | None = None
        try:
            while True:
                if (found := self.look()) is not None:
                    yield found
                if watcher is None and self._seen is not None:
                    watcher = self._watcher(asyncio.get_running_loop(), news, stop)
                    watcher.start()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), None if watcher else POLL_S)
                news.clear()
        finally:
            stop.set()

    def _with_flags(self, config: AgentConfig) -> AgentConfig:
        return config.overridden(queues=self._queues, max_jobs=self._max_jobs)

    def _watcher(
        self, loop: asyncio.AbstractEventLoop, news: asyncio.Event, stop: threading.Event
    ) -> threading.Thread:
        def tell() -> None:
            # The loop may end at any moment; then nobody wants to know.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(news.set)

        return threading.Thread(
            target=watch_file, args=(self.path, tell, stop), name="agent-config"
        )


def watch_file(path: Path, tell: Callable[[], None], stop: threading.Event) -> None:
    """Call ``tell`` when what is found under a path may have changed, until ``stop`` is set.

    Meant for a thread of its own. Where the folders cannot be watched, the file is looked at.
    """
    from watchfiles import watch

    while not stop.is_set():
        folders = folders_of(path)
        seen = signature(path)
        # It may have changed while nothing was watched.
        tell()
        try:
            for _ in watch(
                *folders,
                recursive=False,
                watch_filter=None,
                step=STEP_MS,
                debounce=DEBOUNCE_MS,
                rust_timeout=LOOK_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                stop_event=stop,
            ):
                if (found := signature(path)) != seen:
                    seen = found
                    tell()
                if folders_of(path) != folders:
                    break
        except (OSError, RuntimeError):
            # A folder that is gone or closed to us, or no more inotify watches to be had.
            stop.wait(POLL_S)


def signature(path: Path) -> Signature | None:
    """Return what tells one state of a file from another, None when there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def folders_of(path: Path) -> tuple[Path, ...]:
    """Return the folders whose entries decide which file is found under an absolute path.

    Those are the folder of each symbolic link on the way to it, and its own.
    """
    folders: dict[Path, None] = {}
    for _ in range(MOST_LINKS):
        link = next((step for step in _steps(path) if step.is_symlink()), None)
        if link is None:
            break
        folders[link.parent] = None
        target = link.parent / link.readlink() / path.relative_to(link)
        path = Path(os.path.normpath(target))
    folders[path.parent] = None
    return tuple(folders)


def _steps(path: Path) -> list[Path]:
    """Return a path and the folders above it, the topmost first."""
    return [*reversed(path.parents), path]
