"""A large log of which what is folded before the end is found while one reads it.

That is looked for once somebody scrolls up or looks for something: to those who follow the end it
is nothing. What is in view stays in view when thousands of lines before it become a few.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from launch_tui.tui.widgets import log_pane
from launch_tui.tui.widgets.log_pane import LogPane
from launch_tui.tui.widgets.log_rows import spot_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.tui.widgets.log_rows import LogRows, Spot


class FoldedLog(LogPane):
    """A log that is folded from its beginning on."""

    _folding = False
    _folding_since = 0.0

    def tick(self) -> None:
        """Look at the file and draw what is new: call it at every frame."""
        super().tick()
        rows, finder = self._rows, self._finder
        if rows is None or finder is None or not rows.folds.seeks:
            return
        if self._lags() or not self._is_watched():
            return
        if (not self.following or finder.is_busy) and not self._folding:
            self._folding = True
            self._folding_since = monotonic()
            self.run_worker(self._find_whole_in_steps(), group="folds", exit_on_error=True)

    async def _find_whole_in_steps(self) -> None:
        rows = self._rows
        try:
            while rows is not None and rows is self._rows and rows.folds.seeks:
                if self._in_place(rows, rows.find_whole):
                    self._painter.forget()
                    self._show_news()
                self._tell()
                await asyncio.sleep(log_pane.ASK_AGAIN_S if rows.folds.waits else 0)
        finally:
            self._folding = False
        self._tell()
        if self._lags():
            self._catch_up()

    def _status(self) -> str:
        said = super()._status()
        if self._rows is None or not self._folding:
            return said
        if monotonic() - self._folding_since <= log_pane.SAID_AFTER:
            return said
        done = f"folding {self._rows.folds.progress * 10 // 1 * 10:.0f} %"
        return "  ".join(filter(None, (done, said)))

    def _in_place(self, rows: LogRows, look: Callable[[], bool]) -> bool:
        held, count = self._held_rows(rows), rows.count
        version, generation = rows.folds.version, rows.index.generation
        if not look():
            return False
        others = rows.folds.version != version
        # The rows of a bar that moves are drawn in other lines each time: those stay by themselves.
        if rows.index.generation == generation and (others or rows.filter is not None):
            if others or rows.count < count:
                self._seen_rows = max(0, self._seen_rows + rows.count - count)
            self._hold_rows(rows, held)
        return True

    def _held_rows(self, rows: LogRows) -> list[Spot]:
        """Return where what is in view begins, and what else has a place among the rows."""
        row = self.scroll_offset.y
        return [] if self.following or row >= rows.count else [spot_of(rows, row)]

    def _hold_rows(self, rows: LogRows, held: list[Spot]) -> None:
        """Go to where these are now."""
        if not held:
            return
        row = held[0].row_in(rows)
        if row != self.scroll_offset.y:
            self._window = None
            self._measure()
            self._pinning = True
            self.scroll_to(y=row, animate=False, immediate=True)
            self._pinning = False
