"""The rows that a log view has to choose from: lines of a file, or those that match a filter.

A row is a place in the view, a line a place in the file; without a filter they differ only by the
mark that stands above a file that was truncated or replaced.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain.text import log_line
from launch_tui.store.logs import BlockIndex

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.store.logs import LineSearch

CELLS = 4096
"""Cells of a line that are drawn; the whole line can be opened."""

MARK = -1
"""The line number of the mark."""

_BYTES = 4 * CELLS
_OPENED_BYTES = 1 << 20
_MARK_TEXT = "── the file was truncated or replaced: this is what it holds now ──"


class Row(NamedTuple):
    """One row, ready to draw: the line's number and its text with colours only."""

    number: int
    text: str
    settled: bool
    """Whether the line can change no more."""


class LogRows:
    """The rows of one log.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.index = BlockIndex(path)
        self.filter: LineSearch | None = None
        """The lines that are shown, or hidden; None shows all."""
        self.hides = False
        """Whether the filter hides what matches."""

    @property
    def count(self) -> int:
        """Rows known so far."""
        if self.filter is None:
            return self.index.line_count + self._head
        if self.hides:
            return max(0, self.filter.lines - len(self.filter.matches))
        return len(self.filter.matches)

    def line_of(self, row: int) -> int:
        """Return the number of the line in a row, ``MARK`` for the mark."""
        if self.filter is None:
            return row - self._head
        matches = self.filter.matches
        if self.hides:
            # As many matching lines come before as have at most `row` unmatched ones before them.
            return row + bisect_right(range(len(matches)), row, key=lambda at: matches[at] - at)
        return matches[row] if row < len(matches) else self.index.line_count

    def row_of(self, line: int) -> int:
        """Return the row of a line, or of the next one that is shown."""
        if self.filter is None:
            return line + self._head
        before = bisect_left(self.filter.matches, line)
        return line - before if self.hides else before

    def read(self, first: int, count: int) -> list[Row]:
        """Return rows from ``first`` on; fewer where the log ends."""
        count = min(count, self.count - first)
        lines = [self.line_of(row) for row in range(first, first + count)]
        rows: list[Row] = []
        while lines:
            run = _run_length(lines)
            rows += self._read_run(lines[0], run)
            del lines[:run]
        return rows

    def last(self, count: int) -> list[Row]:
        """Return the last lines of the file, whether they are indexed or not."""
        return [Row(MARK, log_line(raw), False) for raw in self.index.tail(count, limit=_BYTES)]

    def whole(self, line: int) -> str:
        """Return one line as far as a reader can want it (1 MiB), with its colours."""
        raw = self.index.read(line, 1, limit=_OPENED_BYTES)
        return log_line(raw[0]) if raw else ""

    @property
    def _head(self) -> int:
        return 1 if self.index.generation and self.filter is None else 0

    def _read_run(self, line: int, count: int) -> list[Row]:
        if line == MARK:
            return [Row(MARK, _MARK_TEXT, True), *self._read_run(0, count - 1)]
        last = self.index.line_count - 1 if self.index.partial else self.index.line_count
        lines = self.index.read(line, count, limit=_BYTES)
        return [Row(at, log_line(raw), at < last) for at, raw in enumerate(lines, line)]


def _run_length(lines: list[int]) -> int:
    """Return how many lines from the first on follow each other in the file."""
    run = 1
    while run < len(lines) and lines[run] == lines[0] + run:
        run += 1
    return run
