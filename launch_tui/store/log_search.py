"""The lines of a log that match, found beside the UI and kept up while the log grows.

A large part of a file is searched by a process (``log_scan``), which streams what it finds; what is
appended meanwhile is little, and is searched here in small steps.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from launch_tui.store import log_scan
from launch_tui.store.line_set import LineSet
from launch_tui.store.log_process import LogProcess
from launch_tui.store.log_scan import Matcher, scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.store.logs import BlockIndex

SCAN_FROM = 4 << 20
"""Bytes from which on a process is started to search them."""

STEP = 256 << 10
"""Bytes that are searched here in one go: one to five milliseconds."""

TAIL_LIMIT = 64 << 10
"""Bytes of a last line without its end that are searched."""


class LineSearch:
    """The matching lines of a file.

    Args:
        index: The file; what it has not indexed is not searched.
        pattern: A regular expression that compiles; it sees lines without their colours.
        flags: Its flags.
        search: Says whether a line matches, where not a process of its own does; by default ``re``,
            which some expressions of a person keep busy for ever.
    """

    def __init__(
        self,
        index: BlockIndex,
        pattern: str,
        flags: int = 0,
        *,
        search: Callable[[str], object] | None = None,
    ) -> None:
        self.matches = LineSet()
        """Numbers of the matching lines."""
        self._index = index
        self._pattern = pattern
        self._flags = flags
        self._matcher = Matcher(pattern, flags, search)
        self._generation = index.generation
        self._scan: Scan | None = None
        self._scans = True
        self._found: deque[tuple[int, int, bytes]] = deque()
        self._start_over()

    @property
    def progress(self) -> float:
        """The searched part of the file, 0 to 1."""
        return min(1.0, self._seen / self._index.size) if self._index.size else 1.0

    @property
    def lines(self) -> int:
        """Lines searched so far, an unfinished last one included."""
        return self._line + self._tail

    @property
    def behind(self) -> bool:
        """Whether the index knows bytes that were not searched yet."""
        return self._generation != self._index.generation or self._seen < self._index.scanned

    @property
    def waits(self) -> bool:
        """Whether another process searches, so that there is nothing to do but to look again."""
        return self._scan is not None

    def advance(self, budget: int = STEP) -> bool:
        """Take what was found, or search at most ``budget`` more bytes; True for news."""
        if self._generation != self._index.generation:
            self._generation = self._index.generation
            self.close()
            self._start_over()
        if not self.behind:
            return False
        rest = self._index.scanned - self._offset
        if self._scan is None and self._scans and rest > SCAN_FROM and self._index.complete:
            self._forget_tail()
            self._scan = Scan(self._index.fd, self._pattern, self._flags,
                              self._offset, self._index.scanned)  # fmt: skip
        if self._scan is not None:
            return self._take_found(self._scan)
        return self._search_here(min(budget, rest))

    def close(self) -> None:
        """End the search; it can go on with ``advance``."""
        if self._scan is not None:
            self._scan.close()
            self._scan = None
        self._found.clear()

    def __del__(self) -> None:
        self.close()

    def _start_over(self) -> None:
        self.matches = LineSet()
        self._offset = self._line = self._seen = 0
        self._tail = False
        self._provisional = False

    def _take_found(self, scan: Scan) -> bool:
        self._found += scan.read()
        news = bool(self._found)
        while self._found:
            start, end, bits = self._found.popleft()
            if bits:
                self.matches.add(self._index.line_at(start), bits)
            self._offset = self._seen = end
        if news:
            self._line = self._index.line_at(self._offset)
        if scan.ended:
            # What a process did not get to, whatever ended it, is searched here.
            self._scans = self._scans and scan.finished
            self.close()
        return news or scan.ended

    def _search_here(self, size: int) -> bool:
        data = self._index.pread(size, self._offset)
        if not data:
            return False
        self._forget_tail()
        whole, at_end = data.rfind(b"\n") + 1, self._offset + len(data) >= self._index.scanned
        self._seen = self._offset + len(data)
        if whole or not at_end:
            stop = self._offset + len(data)
            self._offset = scan(self._index.fd, self._matcher, self._offset, stop + (not at_end),
                                self._add, chunk=len(data))  # fmt: skip
            self._seen = max(self._seen, self._offset)
        if at_end and whole < len(data) <= whole + TAIL_LIMIT:
            self._tail = True
            if self._line not in self.matches and self._matcher.matching(data[whole:]):
                self._provisional = True
                self.matches.add(self._line, b"\1")
        return True

    def _add(self, start: int, end: int, bits: bytes) -> None:
        self.matches.add(self._line, bits)
        self._line += self._index.pread(end - start, start).count(b"\n")

    def _forget_tail(self) -> None:
        if self._provisional:
            self.matches.discard(self._line)
        self._tail = self._provisional = False


class Scan(LogProcess):
    """A process that searches a part of a file.

    Args:
        fd: The file.
        pattern: The regular expression.
        flags: Its flags.
        start: Where to begin.
        stop: Where to end.

    Raises:
        OSError: When no process can be started.
    """

    def __init__(self, fd: int, pattern: str, flags: int, start: int, stop: int) -> None:
        asked = {"pattern": pattern, "flags": int(flags), "start": start, "stop": stop}
        super().__init__(log_scan.__file__, fd, asked)
