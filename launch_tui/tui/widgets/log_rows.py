"""The rows that a log view has to choose from: lines of a file, or those that match a filter.

A row is a place in the view, a line a place in the file. They differ where something of our own
stands between lines (a mark, a note that the file was replaced), where progress bars of several
lines are folded to what they last showed, and under a filter.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain.text import log_line
from launch_tui.store.log_folds import Folds
from launch_tui.store.logs import BlockIndex
from launch_tui.tui.widgets.log_marks import NO_FILE, LogMarks, Mark

if TYPE_CHECKING:
    from pathlib import Path

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


class Spot(NamedTuple):
    """A row by what is there, to find it again when rows before it have changed."""

    line: int
    """The line in the row, or else in the next one that has a line of the file."""
    before: int
    """How many rows that is behind."""

    def row_in(self, rows: LogRows) -> int:
        """Return the row now."""
        return max(0, rows.row_of(self.line) - self.before)


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
        self._own: list[str] = []
        """Rows of our own, in their order."""
        self._places: list[int] = []
        """The rows that these would have if they were none."""
        self._generation = 0

    @property
    def count(self) -> int:
        """Rows known so far."""
        if self.filter is None:
            return self.index.line_count + self.folds.live.gain + len(self._own)
        if self.hides:
            return max(0, self.filter.lines - len(self.filter.matches))
        return len(self.filter.matches)

    def advance(self, budget: int, *, drawn: int | None = None) -> bool:
        """Look at more of the file for what is folded; True when rows have changed.

        Args:
            budget: Bytes to look at, at most.
            drawn: Lines of bars after which there is enough for now.
        """
        changed = self.folds.advance(budget, drawn=drawn)
        if self.index.generation != self._generation:
            self._generation = self.index.generation
            # Not all there are: another view may have seen the new file and been marked since.
            self._marks.forget(self.index.path, self._known)
            changed = True
        changed = self._take_marks() or changed
        if changed:
            self._place_marks()
        return changed

    def find_whole(self) -> bool:
        """Look for folds before the end of the file; True when they are all there."""
        found = self.folds.find_whole()
        if found:
            self._place_marks()
        return found

    def mark(self, text: str) -> None:
        """Put a row of our own behind the last line."""
        index = self.index
        mark = Mark(index.line_count, text, file=index.identity, size=index.size)
        self._marks.add(index.path, mark)
        if self._take_marks():
            self._place_marks()

    def share(self, marks: LogMarks) -> None:
        """Keep marks elsewhere from now on, and show those that are there."""
        self._marks, self._version = marks, -1
        if self._take_marks():
            self._place_marks()

    def close(self) -> None:
        """Let go of the file, and end what looks for folds."""
        self.folds.close()
        self.index.close()

    def line_of(self, row: int) -> int:
        """Return the number of the line in a row, ``MARK`` for a row of our own."""
        if self.filter is not None:
            return self._line_of_filtered(row)
        above, is_mark = self._marks_above(row)
        return MARK if is_mark else self._drawn_in(row - above)[0]

    def row_of(self, line: int) -> int:
        """Return the row of a line, or of the next one that is shown."""
        if self.filter is not None:
            before = self.filter.matches.rank(line)
            return line - before if self.hides else before
        row = self._row_without_marks(line)
        return row + bisect_right(self._places, row)

    def read(self, first: int, count: int) -> list[Row]:
        """Return rows from ``first`` on; fewer where the log ends."""
        count = min(count, self.count - first)
        rows: list[Row] = []
        lines: list[int] = []
        for row in range(first, first + count):
            line, other = self._line_or_other(row)
            if other is None:
                lines.append(line)
                continue
            rows += self._read_lines(lines)
            lines = []
            rows.append(other)
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

    def _place_marks(self) -> None:
        """Find where rows of our own stand among what is folded."""
        own = [(0, _REPLACED)] if self.index.generation else []
        own += [(mark.line, mark.text) for mark in sorted(self._shown, key=lambda one: one.line)]
        self._own = [text for _, text in own]
        self._places = list(accumulate((self._row_without_marks(line) for line, _ in own), max))

    def _marks_above(self, row: int) -> tuple[int, bool]:
        """Return how many marks stand above a row, and whether that is one."""
        places = self._places
        above = bisect_left(range(len(places)), row, key=lambda at: places[at] + at)
        return above, above < len(places) and places[above] + above == row

    def _row_without_marks(self, line: int) -> int:
        """Return the row of a line, or of the next one that is shown, if there were no marks."""
        folds = self.folds.live if self.folds.live.at_line(line) >= 0 else self.folds.settled
        at = folds.at_line(line)
        if at >= 0 and line < (fold := folds[at]).end:
            later = [(number, n) for n, (number, _) in enumerate(fold.rows) if number >= line]
            return folds.start(at) + min(later, default=(line, len(fold.rows) - 1))[1]
        return line + folds.gain_behind(at)

    def _drawn_in(self, row: int) -> tuple[int, int | None]:
        """Return the line in a row if there were no marks, and the span of it that is shown."""
        folds = self.folds.live if self.folds.live.at_row(row) >= 0 else self.folds.settled
        at = folds.at_row(row)
        if at >= 0 and row - folds.start(at) < len(rows := folds[at].rows):
            return rows[row - folds.start(at)]
        return row - folds.gain_behind(at), None

    def _line_or_other(self, row: int) -> tuple[int, Row | None]:
        """Return the line that is shown whole in a row, or what else is."""
        if self.filter is not None:
            return self._line_of_filtered(row), None
        above, is_mark = self._marks_above(row)
        if is_mark:
            return MARK, Row(MARK, self._own[above], True)
        line, span = self._drawn_in(row - above)
        if span is None:
            return line, None
        return line, Row(line, log_line(self.folds.drawn(span)), False)

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


def spot_of(rows: LogRows, row: int) -> Spot:
    """Return the spot of a row."""
    line, at = rows.line_of(row), row
    while line == MARK and at < rows.count:
        at += 1
        line = rows.line_of(at)
    return Spot(line, at - row)


def _run_length(lines: list[int]) -> int:
    """Return how many lines from the first on follow each other in the file."""
    run = 1
    while run < len(lines) and lines[run] == lines[0] + run:
        run += 1
    return run
