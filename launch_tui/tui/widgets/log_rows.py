"""The rows that a log view has to choose from: lines of a file, or those that match a filter.

A row is a place in the view, a line a place in the file. They differ where something of our own
stands between lines (a mark, a note that the file was replaced), where progress bars of several
lines are folded to what they last showed, and under a filter.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain.text import log_line
from launch_tui.store.log_folds import Folds
from launch_tui.store.logs import BlockIndex
from launch_tui.tui.widgets.log_marks import NO_FILE, LogMarks, Mark

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.store.log_folds import Fold
    from launch_tui.store.log_search import LineSearch

CELLS = 4096
"""Cells of a line that are drawn; the whole line can be opened."""

MARK = -1
"""The line number of a row of our own."""

_BYTES = 4 * CELLS
_OPENED_BYTES = 1 << 20
_REPLACED = "── the file was truncated or replaced: this is what it holds now ──"


class Row(NamedTuple):
    """One row, ready to draw: the line's number and its text with colours only."""

    number: int
    text: str
    settled: bool
    """Whether the line can change no more."""


class _Piece(NamedTuple):
    """Lines that are shown as other rows; none for what stands before line ``first``."""

    first: int
    taken: int
    rows: tuple[Row, ...]


class LogRows:
    """The rows of one log.

    Args:
        path: The file; it need not exist yet.
        marks: Where its marks are kept; by default they go with these rows.
    """

    def __init__(self, path: Path, marks: LogMarks | None = None) -> None:
        self.index = BlockIndex(path)
        self.folds = Folds(self.index)
        self.filter: LineSearch | None = None
        """The lines that are shown, or hidden; None shows all."""
        self.hides = False
        """Whether the filter hides what matches."""
        self._marks = marks or LogMarks()
        self._version = -1
        self._known: tuple[Mark, ...] = ()
        self._shown: tuple[Mark, ...] = ()
        self._generation = 0
        self._lay_out()

    @property
    def count(self) -> int:
        """Rows known so far."""
        if self.filter is None:
            return self.index.line_count + self._gains[-1]
        if self.hides:
            return max(0, self.filter.lines - len(self.filter.matches))
        return len(self.filter.matches)

    def advance(self, budget: int) -> bool:
        """Look at more of the file for what is folded; True when rows have changed."""
        changed = self.folds.advance(budget)
        if self.index.generation != self._generation:
            self._generation = self.index.generation
            # Not all there are: another view may have seen the new file and been marked since.
            self._marks.forget(self.index.path, self._known)
            changed = True
        changed = self._take_marks() or changed
        if changed:
            self._lay_out()
        return changed

    def mark(self, text: str) -> None:
        """Put a row of our own behind the last line."""
        index = self.index
        mark = Mark(index.line_count, text, file=index.identity, size=index.size)
        self._marks.add(index.path, mark)
        if self._take_marks():
            self._lay_out()

    def share(self, marks: LogMarks) -> None:
        """Keep marks elsewhere from now on, and show those that are there."""
        self._marks, self._version = marks, -1
        if self._take_marks():
            self._lay_out()

    def line_of(self, row: int) -> int:
        """Return the number of the line in a row, ``MARK`` for a row of our own."""
        if self.filter is not None:
            return self._line_of_filtered(row)
        at, inside = self._piece_of(row)
        return row - self._gains[at + 1] if inside is None else inside.number

    def row_of(self, line: int) -> int:
        """Return the row of a line, or of the next one that is shown."""
        if self.filter is not None:
            before = self.filter.matches.rank(line)
            return line - before if self.hides else before
        at = bisect_right(self._firsts, line) - 1
        if at >= 0 and line < self._firsts[at] + self._pieces[at].taken:
            rows = self._pieces[at].rows
            later = [(row.number, n) for n, row in enumerate(rows) if row.number >= line]
            return self._starts[at] + min(later, default=(line, len(rows) - 1))[1]
        return line + self._gains[at + 1]

    def read(self, first: int, count: int) -> list[Row]:
        """Return rows from ``first`` on; fewer where the log ends."""
        count = min(count, self.count - first)
        rows: list[Row] = []
        lines: list[int] = []
        for row in range(first, first + count):
            inside = None if self.filter is not None else self._piece_of(row)[1]
            if inside is None:
                lines.append(self.line_of(row))
                continue
            rows += self._read_lines(lines)
            lines = []
            rows.append(inside)
        return rows + self._read_lines(lines)

    def last(self, count: int) -> list[Row]:
        """Return the last lines of the file, whether they are indexed or not."""
        return [Row(MARK, log_line(raw), False) for raw in self.index.tail(count, limit=_BYTES)]

    def whole(self, line: int) -> str:
        """Return one line as far as a reader can want it (1 MiB), with its colours."""
        raw = self.index.read(line, 1, limit=_OPENED_BYTES)
        return log_line(raw[0]) if raw else ""

    def _take_marks(self) -> bool:
        """Take over which marks there are; True when others are shown than before."""
        index, marks = self.index, self._marks
        if marks.version != self._version:
            if index.identity != NO_FILE:
                # It may have been replaced while nobody looked.
                stale = [mark for mark in marks.of(index.path) if not mark.fits(index)]
                marks.forget(index.path, stale)
                self._version = marks.version
            self._known = marks.of(index.path)
        if self._shown == self._known:
            return False
        # Those beyond what is indexed would count as rows of which nothing can be read.
        before, count = self._shown, index.line_count
        self._shown = tuple(m for m in self._known if m.line <= count and m.fits(index))
        return self._shown != before

    def _lay_out(self) -> None:
        pieces = [_folded(fold) for fold in self.folds.all]
        pieces += [_Piece(mark.line, 0, (Row(MARK, mark.text, True),)) for mark in self._shown]
        if self.index.generation:
            pieces.append(_Piece(0, 0, (Row(MARK, _REPLACED, True),)))
        pieces.sort(key=lambda piece: (piece.first, piece.taken))
        self._pieces = pieces
        self._firsts = [piece.first for piece in pieces]
        self._gains = [0, *accumulate(len(piece.rows) - piece.taken for piece in pieces)]
        self._starts = [
            first + gain for first, gain in zip(self._firsts, self._gains, strict=False)
        ]

    def _piece_of(self, row: int) -> tuple[int, Row | None]:
        """Return the last piece that begins at or before a row, and the row if that is in it."""
        at = bisect_right(self._starts, row) - 1
        if at >= 0 and row < self._starts[at] + len(self._pieces[at].rows):
            return at, self._pieces[at].rows[row - self._starts[at]]
        return at, None

    def _line_of_filtered(self, row: int) -> int:
        assert self.filter is not None
        matches = self.filter.matches
        if self.hides:
            return matches.other(row)
        return matches.member(row) if 0 <= row < len(matches) else self.index.line_count

    def _read_lines(self, lines: list[int]) -> list[Row]:
        last = self.index.line_count - self.index.partial
        rows: list[Row] = []
        while lines:
            run = _run_length(lines)
            raw = self.index.read(lines[0], run, limit=_BYTES)
            rows += [Row(at, log_line(line), at < last) for at, line in enumerate(raw, lines[0])]
            lines = lines[run:]
        return rows


def _folded(fold: Fold) -> _Piece:
    return _Piece(
        fold.first, fold.taken, tuple(Row(line, log_line(raw), False) for line, raw in fold.rows)
    )


def _run_length(lines: list[int]) -> int:
    """Return how many lines from the first on follow each other in the file."""
    run = 1
    while run < len(lines) and lines[run] == lines[0] + run:
        run += 1
    return run
