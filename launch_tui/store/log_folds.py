r"""Progress bars of several lines, as a terminal would show them.

Nested tqdm bars write a line for each step of an inner bar and go back with cursor-up: to a file
that is thousands of lines, to a person it is two. ``Folds`` finds such stretches of a log and what
was last drawn in each line of the screen there. Only the end of a large log is looked at when it is
opened, and all that is appended from then on.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.store.logs import BlockIndex

BYTES = 8 << 20
"""How much of the end of a log is looked at when it is opened."""

STEP = 128 << 10
"""Bytes that are read at a time: memory of that size is used again and again."""

MOST = 10_000
"""Stretches that are folded; later ones are shown line by line."""

_HIGHEST = 64
"""Lines that the cursor can go up: as many as a terminal shows."""
_WIDEST = 16 << 10
_UP = re.compile(rb"\x1b\[(\d{0,3})[AF]")


@dataclass(slots=True)
class Fold:
    """Lines of a file that a terminal shows as fewer.

    ``rows`` are the lines of the screen: the number of the line of the file in which each was drawn
    last, and what that drew, raw.
    """

    first: int
    taken: int
    rows: list[tuple[int, bytes]] = field(default_factory=list)


class Folds:
    """The folds of one log, kept up while it grows.

    Args:
        index: The log.
    """

    def __init__(self, index: BlockIndex) -> None:
        self._index = index
        self.all: list[Fold] = []
        """The folds, from the first line on."""
        self._screen = _Screen(0)
        self._kept: tuple[_Screen, list[Fold]] | None = None
        self._generation = index.generation
        self._offset = -1
        """Where the looking goes on; before the beginning until it begins."""
        self._seen = -1

    @property
    def behind(self) -> bool:
        """Whether the index knows bytes that were not looked at yet."""
        if self._generation != self._index.generation:
            return True
        return self._seen < self._index.scanned and self._index.complete

    def advance(self, budget: int = STEP) -> bool:
        """Look at most at ``budget`` more bytes; True when a fold has changed."""
        if self._generation != self._index.generation:
            self._start_over()
            return True
        changed = False
        while budget > 0 and self.behind:
            if self._offset < 0:
                self._begin()
            step = min(budget, STEP)
            changed = self._look_at(step) or changed
            budget -= step
        return changed

    def _look_at(self, size: int) -> bool:
        before = self._screen
        self._undo_tail()
        data = self._index.pread(min(size, self._index.scanned - self._offset), self._offset)
        whole = data.rfind(b"\n") + 1
        at_end = self._offset + len(data) >= self._index.scanned
        if not whole and not at_end:
            # Of a line without end only the end is looked at.
            self._offset += len(data)
            return False
        self._screen.draw(data[:whole], self.all)
        self._offset += whole
        self._seen = self._offset if not at_end else self._index.scanned
        if at_end and whole < len(data) <= whole + _WIDEST:
            self._kept = copy(self._screen), self._copy_of_last()
            self._screen.draw(data[whole:], self.all)
        changed = self._screen.changed or before.changed
        self._screen.changed = before.changed = False
        return changed

    def _start_over(self) -> None:
        self._generation = self._index.generation
        self.all = []
        self._screen = _Screen(0)
        self._kept = None
        self._offset = self._seen = -1

    def _begin(self) -> None:
        """Begin at the start of a line."""
        start = max(0, self._index.scanned - BYTES)
        if start:
            ends = self._index.pread(_WIDEST, start)
            start += ends.find(b"\n") + 1 if b"\n" in ends else 0
        self._offset = start
        self._screen = _Screen(self._index.line_at(start))

    def _copy_of_last(self) -> list[Fold]:
        """Return copies of the folds that can still change."""
        first = len(self.all) - len(self._screen.places)
        return [Fold(one.first, one.taken, list(one.rows)) for one in self.all[first:]]

    def _undo_tail(self) -> None:
        """Forget what the unfinished last line drew: it is drawn again, whole."""
        if self._kept is not None:
            self._screen, last = self._kept
            self.all[self._screen.folds - len(last) :] = last
            self._kept = None


class _Screen:
    """The last lines of a terminal that the log is written to.

    Args:
        line: The number of the line of the file that is drawn next.
    """

    def __init__(self, line: int) -> None:
        self.changed = False
        self.folds = 0
        self._line = line
        self._cursor = 0
        """The place in ``_rows``; behind the last one while a new line of the screen begins."""
        self._rows: list[tuple[int, bytes]] = []
        self.places: list[int] = []
        """Where the last folds begin in ``_rows``: those that the cursor can still reach."""

    def __copy__(self) -> _Screen:
        made = _Screen(self._line)
        made.folds, made._cursor = self.folds, self._cursor
        made._rows, made.places = list(self._rows), list(self.places)
        return made

    def draw(self, data: bytes, folds: list[Fold]) -> None:
        """Draw lines, the last of which may have no end, and keep ``folds`` up."""
        if self._cursor >= len(self._rows) and not _UP.search(data):
            self._draw_plain(data, folds)
            return
        for line in data.removesuffix(b"\n").split(b"\n") if data else ():
            self._draw_line(line[-_WIDEST:], folds)

    def _draw_plain(self, data: bytes, folds: list[Fold]) -> None:
        """Take lines of which only the last ones can be drawn over later."""
        many = data.count(b"\n") + (not data.endswith(b"\n")) if data else 0
        last = data.removesuffix(b"\n").rsplit(b"\n", _HIGHEST)[-min(many, _HIGHEST) :]
        if many:
            self._rows += enumerate(last, self._line + many - len(last))
        self._line += many
        self._forget(folds)
        self._cursor = len(self._rows)

    def _draw_line(self, line: bytes, folds: list[Fold]) -> None:
        touched = self._is_inside(self._cursor, folds)
        at = 0
        for up in _UP.finditer(line):
            self._put(line[at : up.start()])
            touched = self._go_up(int(up[1] or 1), folds) or touched
            at = up.end()
        self._put(line[at:])
        if touched:
            fold = folds[-1]
            fold.taken = self._line - fold.first + 1
            fold.rows = self._rows[self.places[-1] :]
            self.changed = True
        self._line += 1
        self._cursor += 1
        self._forget(folds)

    def _is_inside(self, row: int, folds: list[Fold]) -> bool:
        """Say whether a row is in the last fold, or above its end."""
        return bool(self.places) and row < self.places[-1] + len(folds[-1].rows)

    def _put(self, text: bytes) -> None:
        if self._cursor >= len(self._rows):
            self._rows.append((self._line, text))
        elif text.strip(b"\r"):
            self._rows[self._cursor] = (self._line, text)

    def _go_up(self, lines: int, folds: list[Fold]) -> bool:
        """Move the cursor up; True when what it is in now is folded."""
        # No terminal goes above its first line, however far up it is sent.
        top = max(len(self._rows), self._cursor + 1) - _HIGHEST
        self._cursor = target = max(0, top, self._cursor - lines)
        while self._is_inside(target, folds) and target < self.places[-1]:
            # Above the last fold: what begins here takes that in.
            del folds[-1], self.places[-1]
        if not self._is_inside(target, folds):
            if len(folds) >= MOST:
                return False
            folds.append(Fold(self._rows[target][0], 0, self._rows[target:]))
            self.places.append(target)
        self.folds = len(folds)
        return True

    def _forget(self, folds: list[Fold]) -> None:
        """Drop what no cursor can reach any more."""
        many = len(self._rows) - _HIGHEST
        if many <= _HIGHEST:
            return
        gone = sum(place < many for place in self.places)
        reaches_down = gone > 0 and self._part(
            folds, len(folds) - len(self.places) + gone - 1, many
        )
        del self._rows[:many]
        self._cursor -= many
        self.places = [*[0] * reaches_down, *(place - many for place in self.places[gone:])]

    def _part(self, folds: list[Fold], at: int, many: int) -> bool:
        """Part a fold of which the first rows are dropped; True when there is a rest of it.

        The rest is a fold of its own from there on, which what the cursor still reaches changes.
        """
        fold, kept = folds[at], many - self.places[at - len(folds)]
        rest = fold.rows[kept:]
        if not rest or len(folds) >= MOST:
            return False
        first = max(fold.first + 1, min(line for line, _ in rest))
        folds.insert(at + 1, Fold(first, fold.first + fold.taken - first, rest))
        fold.rows, fold.taken = fold.rows[:kept], first - fold.first
        self.folds = len(folds)
        return True
