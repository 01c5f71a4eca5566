"""How large the parts of the data directory are, counted a little at a time.

A data directory may have millions of files, and nobody needs its size to the minute. A count is
carried on for some milliseconds whenever it is asked to be; when it has come to the end its result
stands until the next one has. A file with several names counts a part for each, so that what is
shared is counted once, and links to elsewhere are not followed.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_STEP = 64
"""Files between two looks at the clock."""
_BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes on disk by folder."""

    bytes: Mapping[str, int] = field(default_factory=dict)


class Count:
    """Counts folders, on and on.

    Args:
        folders: What is counted, by name.
        rest_s: How long a result stands before the next count begins.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        *,
        rest_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = folders
        self._rest_s = rest_s
        self._clock = clock
        self._work: Iterator[None] | None = None
        self._next_at = clock()
        self.sizes: Sizes | None = None
        """The last result; None before the first."""

    def go_on(self, seconds: float) -> bool:
        """Count for about so long; say whether there is a new result."""
        if self._work is None:
            if self._clock() < self._next_at:
                return False
            self._work = self._count()
        until = self._clock() + seconds
        for _ in self._work:
            if self._clock() >= until:
                return False
        self._work = None
        self._next_at = self._clock() + self._rest_s
        return True

    def _count(self) -> Iterator[None]:
        """Count all, giving way every few files."""
        found = dict.fromkeys(self._folders, 0)
        seen = 0
        for name, folder in self._folders.items():
            for entry in _files(os.fspath(folder)):
                seen += 1
                if not seen % _STEP:
                    yield
                found[name] += _on_disk(entry)
        self.sizes = Sizes(bytes=found)


def _files(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield everything below a folder; what goes away meanwhile is passed over."""
    folders = [folder]
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                yield entry
                if _is_folder(entry):
                    folders.append(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _on_disk(entry: os.DirEntry[str]) -> int:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return 0
    names = 1 if _is_folder(entry) else max(status.st_nlink, 1)
    return status.st_blocks * _BLOCK // names
