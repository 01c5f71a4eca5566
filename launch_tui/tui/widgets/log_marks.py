"""The marks that a person has put into logs: kept by file, so that a view may come and go.

The file of a log is that of a run and an attempt. The marks last as long as who holds them; the
application does, so that all its views show the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from launch_tui.store.logs import BlockIndex


NO_FILE = (0, 0)
"""The identity of a log that has not been written to yet."""


class Mark(NamedTuple):
    """A text that stands before a line: behind all that there was when it was put there.

    ``file`` and ``size`` are what the log was then: in another file, or one that is shorter now,
    the line is another one.
    """

    line: int
    text: str
    file: tuple[int, int]
    size: int

    def fits(self, index: BlockIndex) -> bool:
        """Say whether it is a mark of the file that an index has open, or of what came before."""
        return self.file in (index.identity, NO_FILE) and self.size <= index.size


class LogMarks:
    """Marks of any number of logs."""

    def __init__(self) -> None:
        self.version = 0
        """Goes up when a mark comes or goes."""
        self._marks: dict[Path, tuple[Mark, ...]] = {}

    def of(self, path: Path) -> tuple[Mark, ...]:
        """Return the marks of a log, in the order in which they were put there."""
        return self._marks.get(path, ())

    def add(self, path: Path, mark: Mark) -> None:
        """Keep a mark."""
        self._marks[path] = (*self.of(path), mark)
        self.version += 1

    def forget(self, path: Path, marks: Collection[Mark]) -> None:
        """Keep some marks of a log no longer."""
        left = tuple(mark for mark in self.of(path) if mark not in marks)
        if left != self.of(path):
            self._marks[path] = left
            self.version += 1
