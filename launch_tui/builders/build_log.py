"""The build log of one attempt: uv writes straight into it, and who waits follows another's."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_COPIED_AT_ONCE = 1 << 20
_STEPS = (
    (re.compile(r"^Resolved (\d+ packages?) in"), "installing {}"),
    (re.compile(r"^\s*Downloading (\S+ \(.+?\))"), "downloading {}"),
    (re.compile(r"^\s*(?:Building|Updating) (\S+)"), "building {}"),
)


class BuildLog:
    """A log opened for appending, for our own lines and for a child's output.

    Args:
        path: The file; made when it is not there, with its directory.

    Attributes:
        offset: Where in the file this build begins.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self.descriptor = os.open(path, flags, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(path, flags, 0o644)
        self.offset = self.size

    @property
    def size(self) -> int:
        """The file's length in bytes."""
        return os.fstat(self.descriptor).st_size

    def say(self, line: str) -> None:
        """Add a line of our own, told apart from uv's by its beginning."""
        self.write(f"launch-tui: {line}\n".encode(errors="replace"))

    def write(self, data: bytes) -> None:
        """Add bytes as they are."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]

    def text_from(self, offset: int) -> str:
        """Return what was written from ``offset`` on."""
        return os.pread(self.descriptor, self.size - offset, offset).decode(errors="replace")

    def __enter__(self) -> BuildLog:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


class Progress:
    """Tells the steps of a running uv from what it has written so far."""

    def __init__(self, log: BuildLog, report: Callable[[str], None]) -> None:
        self._log = log
        self._report = report
        self._offset = log.size

    def look(self) -> None:
        """Report the steps of the lines that have been completed since the last look."""
        whole, _, _ = self._log.text_from(self._offset).rpartition("\n")
        if not whole:
            return
        self._offset += len(whole.encode()) + 1
        for line in whole.splitlines():
            for pattern, step in _STEPS:
                if match := pattern.match(line):
                    self._report(step.format(match[1]))


class Follower:
    """Copies the log of another attempt's build into ours while that build goes on."""

    def __init__(self, log: BuildLog) -> None:
        self._log = log
        self._followed: tuple[Path, int] | None = None
        self._read = 0

    def copy(self, where: tuple[Path, int] | None) -> None:
        """Copy what is new in the log at ``where`` (a path and the offset it began at)."""
        if where is None or where[0] == self._log.path:
            return
        if where != self._followed:
            self._followed, self._read = where, where[1]
        try:
            with where[0].open("rb") as stream:
                stream.seek(self._read)
                while data := stream.read(_COPIED_AT_ONCE):
                    self._log.write(data)
                    self._read += len(data)
        except FileNotFoundError:
            return
