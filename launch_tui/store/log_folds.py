r"""Progress bars of several lines, as a terminal would show them.

``Folds`` finds the stretches of a log that a terminal shows as fewer lines (``log_screen``) and
keeps them up while the log grows. Of a large log the end is looked at when it is opened. All that
is before is looked at once somebody wants to see it, by a process of its own; what that finds then
takes the place of what was found from the end, of which the beginning was a guess.
"""

from __future__ import annotations

import math
from array import array
from copy import copy
from typing import TYPE_CHECKING

from launch_tui.store import log_screen
from launch_tui.store.fold_list import FoldList
from launch_tui.store.log_process import LogProcess
from launch_tui.store.log_screen import WIDEST, Drawing, Screen, where

if TYPE_CHECKING:
    from launch_tui.store.logs import BlockIndex

BYTES = 8 << 20
"""How much of the end of a log is looked at when it is opened."""

STEP = 128 << 10
"""Bytes that are read at a time: memory of that size is used again and again."""

_APART_FROM = 1 << 20
"""Bytes before the end that a process is started for."""


class Folds:
    """The folds of one log, kept up while it grows.

    Args:
        index: The log.
    """

    def __init__(self, index: BlockIndex) -> None:
        self.version = 0
        """Goes up when folds that were known are others now, rather than more or longer."""
        self._index = index
        self._ahead: _Reading | None = None
        self._process: LogProcess | None = None
        self._start_over()

    @property
    def settled(self) -> FoldList:
        """Folds that can change no more. Within a version there come only more."""
        return self._shown.settled

    @property
    def live(self) -> FoldList:
        """The last folds, which what is appended may change."""
        return self._shown.live()

    @property
    def finished(self) -> FoldList:
        """The same without what the last line has drawn, if that has no end yet."""
        return self._shown.finished()

    @property
    def drawn_over(self) -> set[int]:
        """Lines that this last line draws over as it is now."""
        return self._shown.drawn_over

    @property
    def whole(self) -> bool:
        """Whether these are the folds of all of the log, rather than of its end."""
        return self._whole

    @property
    def behind(self) -> bool:
        """Whether the index knows bytes that were not looked at yet."""
        if self._generation != self._index.generation:
            return True
        return self._shown.seen < self._index.scanned and self._index.complete

    @property
    def seeks(self) -> bool:
        """Whether there are folds before the end to be found by ``find_whole``."""
        return not self._whole and not self._fails and self._index.complete and not self.behind

    @property
    def waits(self) -> bool:
        """Whether a process finds them, so that there is nothing to do but to look again."""
        return self._process is not None

    @property
    def progress(self) -> float:
        """How much of what is before the end was looked at, 0 to 1."""
        return self._found_to / max(self._index.scanned, 1)

    def advance(self, budget: int = STEP, *, drawn: int | None = None) -> bool:
        """Look at more of the log; True when a fold has changed.

        Args:
            budget: Bytes to look at, at most.
            drawn: Lines of bars after which there is enough for now. A step may go beyond.
        """
        if self._generation != self._index.generation:
            self.close()
            self._start_over()
            return True
        if self._shown.seen < 0 and self.behind:
            self._begin()
        shown, changed, lost = self._shown, False, self.settled.lost
        most = math.inf if drawn is None else shown.screen.drawn + drawn
        while budget > 0 and self.behind and shown.screen.drawn < most:
            step = min(budget, STEP)
            changed = shown.look_at(step) or changed
            budget -= step
        self.version += self.settled.lost != lost
        return changed

    def find_whole(self) -> bool:
        """Go on with what is before the end; True when the folds of all of the log are there."""
        if not self.seeks:
            return False
        if self._ahead is None:
            self._ahead = _Reading(self._index, Screen(0), 0)
        ahead = self._ahead
        if self._process is not None:
            self._take_found(self._process, ahead)
        elif self._index.scanned - ahead.offset > _APART_FROM:
            self._begin_process(ahead)
        else:
            ahead.look_at(STEP)
        if ahead.seen < self._index.scanned:
            return False
        self._shown, self._ahead = ahead, None
        self._whole = True
        self.version += 1
        return True

    def drawn(self, span: int) -> bytes:
        """Return what a row of a fold shows, raw."""
        return self._index.pread(*where(span))

    def close(self) -> None:
        """End what goes on in another process: what is before the end is looked for no more."""
        if self._process is not None:
            self._process.close()
        self._process = self._ahead = None
        self._fails = True

    def __del__(self) -> None:
        self.close()

    def _start_over(self) -> None:
        self.version += 1
        self._generation = self._index.generation
        self._shown = _Reading(self._index, Screen(0), 0)
        self._shown.seen = -1
        self._whole = True
        self._fails = False
        self._found_to = 0

    def _begin(self) -> None:
        """Begin at the start of a line."""
        start = max(0, self._index.scanned - BYTES)
        if start:
            self._whole = False
            ends = self._index.pread(WIDEST, start)
            start += ends.find(b"\n") + 1
        self._shown = _Reading(self._index, Screen(self._index.line_at(start)), start)

    def _begin_process(self, ahead: _Reading) -> None:
        screen = ahead.screen
        asked = {"state": screen.state(), "start": ahead.offset, "stop": self._index.scanned}
        try:
            self._process = LogProcess(log_screen.__file__, self._index.fd, asked)
        except OSError:
            self._fails = True

    def _take_found(self, process: LogProcess, ahead: _Reading) -> None:
        for start, end, found in process.read():
            numbers = array("Q", found)
            self._found_to = end
            if start < end:
                ahead.settled.add(numbers)
            else:
                ahead.go_on(Screen.of(numbers.tolist()), end)
        if process.ended:
            # Where it was killed, the folds of the end have to do.
            self._fails = not process.finished
            process.close()
            self._process = None
            if self._fails:
                self._ahead = None


class _Reading:
    """What was found from a place in the file on.

    Args:
        index: The log.
        screen: What its lines are drawn on.
        offset: The place: the start of a line.
    """

    def __init__(self, index: BlockIndex, screen: Screen, offset: int) -> None:
        self.settled = FoldList()
        self.seen = offset
        """Where what was not looked at yet begins."""
        self._index = index
        self._changed = False
        self.go_on(screen, offset)

    @property
    def offset(self) -> int:
        """Where whole lines that were not drawn yet begin."""
        return self._drawing.offset

    @property
    def screen(self) -> Screen:
        """The screen after all whole lines."""
        return self._drawing.screen

    def go_on(self, screen: Screen, offset: int) -> None:
        """Go on from a place up to which another one has drawn."""
        self._drawing = Drawing(screen, offset)
        self._with_tail = screen
        self._live: FoldList | None = None

    def look_at(self, size: int) -> bool:
        """Draw what is in ``size`` more bytes; True when a fold has changed."""
        drawing, screen = self._drawing, self.screen
        end = min(drawing.offset + drawing.again + size, self._index.scanned)
        rest = drawing.draw(self._index.pread(end - drawing.offset, drawing.offset))
        self.settled.add(screen.settled)
        screen.settled = array("Q")
        # What the unfinished last line drew is forgotten: that is drawn again, whole.
        changed, self._changed = screen.changed or self._changed, False
        screen.changed = False
        self._with_tail = screen
        if rest and end == self._index.scanned:
            self._with_tail = tail = copy(screen)
            tail.draw(rest, drawing.offset)
            self._changed = tail.changed
        self.seen = end
        self._live = None
        return changed or self._changed

    @property
    def drawn_over(self) -> set[int]:
        """Lines that an unfinished last line has drawn over."""
        return self._with_tail.drawn_over()

    def finished(self) -> FoldList:
        """Return the folds behind those that have settled, as whole lines have drawn them."""
        folds = FoldList(self.settled.gain)
        folds.add(self.screen.folds())
        return folds

    def live(self) -> FoldList:
        """Return the folds behind those that have settled."""
        if self._live is None:
            self._live = FoldList(self.settled.gain)
            self._live.add(self._with_tail.folds())
        return self._live
