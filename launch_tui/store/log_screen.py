r"""Draws the lines of a log as a terminal would, and finds those that it shows as fewer.

Nested tqdm bars write a line for each step of an inner bar and go back with cursor-up: to a file
that is thousands of lines, to a person it is two. Of what is drawn only the place in the file is
kept, and of all of a log only the lines that the cursor can still reach.

A gigabyte of bars is drawn beside the UI and not within it (``log_child``), so the standard
library is all that may be imported here. What is found does not depend on the pieces in which a
log is given.
"""

from __future__ import annotations

import os
import re
from array import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HIGHEST = 64
"""Lines that the cursor can go up: as many as a terminal shows."""

WIDEST = 16 << 10
"""Bytes of a line that are drawn: the last ones."""

TALLEST = 2 * HIGHEST
"""Lines of the screen in a fold: of a taller one, what no cursor can reach is a fold of its own."""

CHUNK = 256 << 10
"""Bytes that a process of its own draws in one go: what is found in them is taken in one go too."""

_LENGTH = 15
"""Bits of a span that are its length; ``WIDEST`` fits in."""
_UP = re.compile(rb"\x1b\[(\d{0,3})[AF]")


def where(span: int) -> tuple[int, int]:
    """Return how many bytes of the file a row shows, and where they begin."""
    return span & ((1 << _LENGTH) - 1), span >> _LENGTH


class _Fold:
    """Lines of the file that are rows of the screen and may be drawn over again."""

    __slots__ = ("count", "first", "place", "taken")

    def __init__(self, first: int, taken: int, place: int, count: int) -> None:
        self.first = first
        self.taken = taken
        self.place = place
        self.count = count


class Screen:
    """The last lines of a terminal that a log is written to.

    Args:
        line: The number of the line of the file that is drawn first.
    """

    def __init__(self, line: int) -> None:
        self.changed = False
        """Whether a fold has changed since this was last set to False."""
        self.settled = array("Q")
        """Folds that no cursor can reach any more, as ``folds`` has them; to be taken out."""
        self.drawn = 0
        """Lines that were drawn one by one."""
        self._over: set[int] | None = None
        self._line = line
        self._cursor = 0
        """The place in ``_rows``; behind the last one while a new line of the screen begins."""
        self._rows: list[tuple[int, int]] = []
        """The line of the file in which each was drawn last, and the span of what that drew."""
        self._folds: list[_Fold] = []

    def __copy__(self) -> Screen:
        made = Screen.of(self.state())
        made._over = set()
        return made

    @classmethod
    def of(cls, state: Sequence[int]) -> Screen:
        """Return the screen that was in a state. What had settled is no part of it."""
        made = cls(state[0])
        made._cursor, rows, rest = state[1], state[2], state[3:]
        made._rows = list(zip(rest[: 2 * rows : 2], rest[1 : 2 * rows : 2], strict=True))
        rest = rest[2 * rows :]
        made._folds = [_Fold(*rest[at : at + 4]) for at in range(0, len(rest), 4)]
        return made

    def state(self) -> list[int]:
        """Return all that matters for what is drawn next, as numbers."""
        numbers = [self._line, self._cursor, len(self._rows)]
        for row in self._rows:
            numbers += row
        for fold in self._folds:
            numbers += (fold.first, fold.taken, fold.place, fold.count)
        return numbers

    def folds(self) -> array[int]:
        """Return the folds that are not taken out yet, one after the other.

        Of each: its first line, how many lines of the file it takes, how many rows it is shown as,
        and of each row the line in which it was drawn last and the span of what that drew.
        """
        numbers = array("Q", self.settled)
        for fold in self._folds:
            rows = self._rows[fold.place : fold.place + fold.count]
            _add(numbers, fold.first, fold.taken, rows)
        return numbers

    def drawn_over(self) -> set[int]:
        """Return the lines of which what was drawn last in this copy of a screen left nothing."""
        left = {line for line, _ in self._rows} | {self._line - 1}
        return (self._over or set()) - left

    def draw(self, data: bytes, offset: int) -> None:
        """Draw lines, the last of which may have no end.

        Args:
            data: The lines.
            offset: Where they begin in the file.
        """
        at = 0
        while at < len(data):
            if self._cursor == len(self._rows):
                stop = _first_redrawing(data, at)
                if stop > at:
                    self._pass_over(data, at, stop, offset)
                    at = stop
                    continue
            stop = data.find(b"\n", at)
            stop = len(data) if stop < 0 else stop
            self._draw_line(data, at, stop, offset)
            at = stop + 1

    def _pass_over(self, data: bytes, at: int, stop: int, offset: int) -> None:
        """Take lines of which only the last ones can be drawn over later."""
        end = stop - data.endswith(b"\n", at, stop)
        many = _newlines_in(data, at, end) + 1
        last: list[int] = []
        while len(last) < min(many, HIGHEST):
            start = data.rfind(b"\n", at, end) + 1 or at
            last.append(_span(start, end, offset))
            end = start - 1
        last.reverse()
        self._rows += enumerate(last, self._line + many - len(last))
        self._line += many
        self._cursor = len(self._rows)
        self._settle()

    def _draw_line(self, data: bytes, at: int, stop: int, offset: int) -> None:
        at = max(at, stop - WIDEST)
        rows = len(self._rows)
        self.drawn += 1
        touched = bool(self._folds) and self._cursor < self._end(-1)
        for up in _UP.finditer(data, at, stop):
            self._put(data, at, up.start(), offset)
            self._go_up(int(up[1] or 1) or 1)
            touched = True
            at = up.end()
        self._put(data, at, stop, offset)
        self._line += 1
        self._cursor += 1
        if touched:
            fold = self._folds[-1]
            fold.taken = self._line - fold.first
            fold.count = len(self._rows) - fold.place
            self.changed = True
        if len(self._rows) > rows:
            self._settle()

    def _put(self, data: bytes, at: int, stop: int, offset: int) -> None:
        if self._cursor == len(self._rows):
            self._rows.append((self._line, _span(at, stop, offset)))
        elif at < stop and data[at:stop].strip(b"\r"):
            if self._over is not None:
                self._over.add(self._rows[self._cursor][0])
            self._rows[self._cursor] = (self._line, _span(at, stop, offset))

    def _go_up(self, lines: int) -> None:
        # No terminal goes above its first line, however far up it is sent.
        top, target = len(self._rows) - HIGHEST, self._cursor - lines
        if target < top or target < 0:
            target = max(top, 0)
        self._cursor = target
        while self._folds and target < self._folds[-1].place:
            # Above the last fold: what begins here takes that in.
            del self._folds[-1]
        if not self._folds or target >= self._end(-1):
            first, count = self._rows[target][0], len(self._rows) - target
            self._folds.append(_Fold(first, 0, target, count))

    def _end(self, at: int) -> int:
        return self._folds[at].place + self._folds[at].count

    def _settle(self) -> None:
        """Take leave of what no cursor can reach any more."""
        top = len(self._rows) - HIGHEST
        while self._folds and self._end(0) <= top:
            fold = self._folds.pop(0)
            rows = self._rows[fold.place : fold.place + fold.count]
            _add(self.settled, fold.first, fold.taken, rows)
            self.changed = True
        while self._folds and self._folds[0].count > TALLEST:
            self._part(self._folds[0])
        if top > HIGHEST:
            many = min(top, self._folds[0].place) if self._folds else top
            del self._rows[:many]
            self._cursor -= many
            for fold in self._folds:
                fold.place -= many

    def _part(self, fold: _Fold) -> None:
        """Part a fold: the rest is one of its own, which what the cursor still reaches changes."""
        rows = self._rows[fold.place : fold.place + fold.count]
        rest = min(line for line, _ in rows[HIGHEST:])
        first = max(fold.first + 1, rest)
        _add(self.settled, fold.first, first - fold.first, rows[:HIGHEST])
        fold.taken -= first - fold.first
        fold.first = first
        fold.place += HIGHEST
        fold.count -= HIGHEST


class Drawing:
    """Draws a log piece by piece, whatever the pieces.

    Args:
        screen: What is drawn on.
        offset: Where the log is drawn from: the start of a line.
    """

    def __init__(self, screen: Screen, offset: int) -> None:
        self.screen = screen
        self.offset = offset
        """Where what is to be given next begins."""
        self.again = 0
        """Bytes of it that were given before: without more there is nothing to draw."""

    def draw(self, data: bytes) -> bytes:
        """Draw the whole lines of what is in the file at ``offset``, and return the rest."""
        whole = data.rfind(b"\n") + 1
        self.screen.draw(data[:whole], self.offset)
        if len(data) - whole > 2 * WIDEST:
            # Of a line without end only the end is drawn, whenever that comes.
            whole = len(data) - WIDEST
        self.offset += whole
        self.again = len(data) - whole
        return data[whole:]


def serve(asked: dict[str, Any], tell: Callable[[int, int, bytes], None]) -> None:
    """Draw a part of a log as a process of its own: from ``start`` to ``stop``.

    Args:
        asked: That, the file ``fd``, and the ``state`` of the screen at the start.
        tell: Gets of each piece the folds that have settled, and in the end, for an empty one, the
            state of the screen there.
    """
    drawing = Drawing(Screen.of(asked["state"]), asked["start"])
    screen = drawing.screen
    end, stop = asked["start"], asked["stop"]
    while end < stop:
        start = drawing.offset
        end = min(start + drawing.again + CHUNK, stop)
        data = os.pread(asked["fd"], end - start, start)
        drawing.draw(data)
        if drawing.offset > start:
            tell(start, drawing.offset, screen.settled.tobytes())
            screen.settled = array("Q")
        if len(data) < end - start:
            break
    tell(drawing.offset, drawing.offset, array("Q", screen.state()).tobytes())


def _first_redrawing(data: bytes, at: int) -> int:
    """Return where the first line begins that goes up; the end where there is none."""
    escape = data.find(b"\x1b", at)
    up = _UP.search(data, escape) if escape >= 0 else None
    if up is None:
        return len(data)
    return data.rfind(b"\n", at, up.start()) + 1 or at


def _newlines_in(data: bytes, at: int, end: int) -> int:
    # With memchr from newline to newline: before Python 3.13 `count` goes byte by byte.
    piece = data[at:end]
    return len(piece) - len(piece.replace(b"\n", b""))


def _span(start: int, end: int, offset: int) -> int:
    if end - start > WIDEST:
        start = end - WIDEST
    return (offset + start) << _LENGTH | (end - start)


def _add(numbers: array[int], first: int, taken: int, rows: Sequence[tuple[int, int]]) -> None:
    numbers.extend((first, taken, len(rows)))
    for row in rows:
        numbers.extend(row)
