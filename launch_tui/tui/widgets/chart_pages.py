"""All charts of one run or several, a page at a time: one is chosen, and can be looked at closely.

What was logged and what was measured of the system are groups of pages of their own. Keys are in
metrics_pane.py; here is what they do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from launch_tui.domain.text import printable
from launch_tui.errors import LaunchError
from launch_tui.tui.curves import Axis, Key
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.chart_view import Cross, View, Window
from launch_tui.tui.widgets.charts import Charts
from launch_tui.tui.widgets.log_find import pattern_of
from launch_tui.tui.widgets.plot import short_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from launch_tui.domain.patterns import Pattern
    from launch_tui.tui.widgets.chart_view import Cell

SMOOTHINGS = (0.0, 0.6, 0.9)
FINEST = 1e-7
"""The smallest part of a chart's x that can be shown."""
FEWEST_STEPS = 2


class ChartPages(Charts, can_focus=True):
    """Pages of charts. ``chosen`` is the key under the cursor, ``full`` whether it is alone."""

    SCOPES = ("metrics",)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.chosen: Key | None = None
        self.full = False
        self.filter = ""
        """The regular expression that shown keys match; empty for all."""
        self._pattern: Pattern[str] | None = None
        self._only: frozenset[str] = frozenset()
        self._all_keys: tuple[Key, ...] = ()
        self._shown_keys: Sequence[Key] = ()
        self._logged = 0
        self._shown_for: object = None

    # What is shown

    def listed(self) -> Sequence[Key]:
        """Return the keys that match the filter, those of the system last."""
        state = (self.curves.keys, self._pattern, self._only)
        if state != self._shown_for:
            self._shown_for = state
            self._shown_keys = [key for key in self.curves.keys if self._matches(key)]
            self._logged = sum(not key.system for key in self._shown_keys)
        return self._shown_keys

    def only(self, names: Sequence[str]) -> None:
        """Show only these keys of the history; all when none is named."""
        self._only = frozenset(names)
        self.renew()

    def show_matching(self, typed: str) -> None:
        """Show only keys that match a regular expression; all when it is empty."""
        pattern = pattern_of(typed)
        self.filter = typed
        self._pattern = pattern.shown if pattern is not None else None
        self.renew()

    def choose(self, key: Key) -> None:
        """Put the cursor on a chart."""
        if key != self.chosen:
            self.chosen = key
            self.renew()

    def look_at(self, key: Key) -> None:
        """Show one chart in full."""
        self.chosen, self.full = key, True
        self.renew()

    def open(self, *, full: bool) -> None:
        """Show the chart under the cursor in full, or the grid again."""
        if full != self.full and self.chosen is not None:
            self.full = full
            self._cells = []
            self.renew()

    # Moving

    def move(self, across: int, down: int) -> None:
        """Put the cursor on a neighbour; below the last row of a page comes the next page."""
        keys = self.listed()
        if not keys or self.chosen is None:
            return
        columns = 1 if self.full else min(self._shape()[0], max(len(self._in_view()), 1))
        at = keys.index(self.chosen) + across + down * columns
        self.choose(keys[max(0, min(at, len(keys) - 1))])

    def turn(self, pages: int) -> bool:
        """Show another page; False when there is none, also before there is any room for one."""
        if not self.size:
            return False
        every = self._pages()
        here = self._page_of(every)
        if not 0 <= here + pages < len(every):
            return False
        self.choose(self.listed()[every[here + pages].start])
        return True

    def go_to_system(self) -> bool:
        """Go to the first system metric, or back to what was logged; False when there is none."""
        here = self.chosen is not None and self.chosen.system
        there = next((key for key in self.listed() if key.system != here), None)
        if there is not None:
            self.choose(there)
        return there is not None

    # How it is drawn

    def toggle_log(self) -> None:
        """Draw heights as logarithms, or as they are."""
        self.change(replace(self.view, log_y=not self.view.log_y))

    def next_axis(self) -> bool:
        """Have x mean the next that there is; False when there is only the step."""
        axes = self.curves.axes
        at = axes.index(self.view.axis) if self.view.axis in axes else 0
        self.change(replace(self.view, axis=axes[(at + 1) % len(axes)]))
        return len(axes) > 1

    def next_smoothing(self) -> None:
        """Smooth more, and then not at all."""
        at = SMOOTHINGS.index(self.view.smoothing)
        self.change(replace(self.view, smoothing=SMOOTHINGS[(at + 1) % len(SMOOTHINGS)]))

    def toggle_cross(self) -> None:
        """Show the cross-hair at the newest point in view, or no more."""
        bounds = self._bounds()
        cross = None
        if self.view.cross is None and bounds is not None and self.chosen is not None:
            cross = Cross(bounds[1], self.axis_of(self.chosen))
        self.change(replace(self.view, cross=cross))

    def move_cross(self, cells: int) -> None:
        """Move the cross-hair; what is shown of x goes along."""
        cross, key = self.view.cross, self.chosen
        cell = self._chosen_cell()
        if cross is None or key is None or cell is None:
            return
        axis = self.axis_of(key)
        x, reach = self.curves.converted(cross.x, cross.axis, axis), self._reach(key)
        if x is None or reach is None:
            return
        by = cells * cell.drawing.cell
        if axis is Axis.STEP:
            # There is nothing between two steps.
            x, by = round(x), round(by) or (1 if cells > 0 else -1)
        x = min(max(x + by, reach[0]), reach[1])
        window = self.window_on(axis)
        moved = self.view.window
        if window is not None:
            beyond = min(x - window[0], 0) + max(x - window[1], 0)
            moved = Window(window[0] + beyond, window[1] + beyond, axis)
        self.change(replace(self.view, cross=Cross(x, axis), window=moved))

    def zoom(self, factor: float) -> None:
        """Show a part of x so many times as large, around the cross-hair or up to the end."""
        key = self.chosen
        reach = None if key is None else self._reach(key)
        if key is None or reach is None:
            return
        axis = self.axis_of(key)
        left, right = self.window_on(axis) or reach
        span, whole = (right - left) * factor, reach[1] - reach[0]
        least = max(whole * FINEST, FEWEST_STEPS if axis is Axis.STEP else 0)
        if span >= whole:
            self.change(replace(self.view, window=None))
        elif span >= least:
            middle = self._cross_on(axis)
            left = right - span if middle is None else middle - span / 2
            left = min(max(left, reach[0]), reach[1] - span)
            self.change(replace(self.view, window=Window(left, left + span, axis)))

    def zoom_out(self) -> None:
        """Show all of x."""
        self.change(replace(self.view, window=None))

    def spans(self, key: Key) -> dict[str, tuple[float, float] | None]:
        """Return what of a key is shown of each run, as steps or times; None for all of it."""
        axis = self.view.axis
        window = self.window_on(self.axis_of(key))
        return {
            run_id: None if window is None else run.span(key, axis, window)
            for run_id, run in self.curves.runs.items()
        }

    def close_one(self) -> bool:
        """Undo the last thing that is in the way of the whole grid; False when nothing is."""
        if self.view.cross is not None:
            self.change(replace(self.view, cross=None))
        elif self.full:
            self.open(full=False)
        elif self.view.window is not None:
            self.zoom_out()
        elif self.filter:
            self.show_matching("")
        else:
            return False
        return True

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing that ``close_one`` would undo."""
        view = self.view
        return not (view.cross or self.full or view.window or self.filter)

    # The mouse

    def on_click(self, event: events.Click) -> None:
        """Choose a chart, show it in full on the second click; put the cross-hair there."""
        for cell in self._cells:
            if cell.key is not None and cell.region.contains(event.x, event.y):
                event.stop()
                self.chosen = cell.key
                x = cell.drawing.x_at(event.x - cell.region.x)
                if self.view.cross is not None and x is not None:
                    axis = self.axis_of(cell.key)
                    self.change(replace(self.view, cross=Cross(x, axis)))
                elif event.chain == 2:
                    self.open(full=not self.full)
                self.renew()
                return

    def on_mouse_scroll_down(self) -> None:
        """Show the next charts."""
        self.turn(1)

    def on_mouse_scroll_up(self) -> None:
        """Show the charts before."""
        self.turn(-1)

    # Inside

    def _begin_again(self, before: Sequence[str]) -> None:
        if set(before).isdisjoint(self.runs):
            self.chosen, self.full = None, False
            self.view = View(log_y=self.view.log_y, smoothing=self.view.smoothing)

    def _matches(self, key: Key) -> bool:
        if self._only and (key.system or key.name not in self._only):
            return False
        return self._pattern is None or self._pattern.search(key.title) is not None

    def _is_chosen(self, key: Key) -> bool:
        return key == self.chosen

    def _in_view(self) -> Sequence[Key]:
        keys = self.listed()
        if not keys:
            return ()
        if self.chosen is None or self.chosen not in keys:
            self.chosen = keys[0]
        if self.full:
            return (self.chosen,)
        every = self._pages()
        page = every[self._page_of(every)]
        return keys[page.start : page.stop]

    def _pages(self) -> list[range]:
        """Return the charts of each page, by number; no page has charts of both groups."""
        keys = self.listed()
        logged = self._logged
        capacity = max(self._capacity(), 1) if not self.full else 1
        pages = []
        for begin, end in ((0, logged), (logged, len(keys))):
            pages += [range(at, min(at + capacity, end)) for at in range(begin, end, capacity)]
        return pages

    def _page_of(self, pages: Sequence[range]) -> int:
        keys = self.listed()
        at = keys.index(self.chosen) if self.chosen in keys else 0
        return next((number for number, page in enumerate(pages) if at in page), 0)

    def _place(self) -> tuple[int, int, int]:
        shown, total = self._in_view(), len(self.listed())
        first = self.listed().index(shown[0]) + 1 if shown else 0
        return (first, first + len(shown) - 1 if shown else 0, total)

    def _foot(self, key: Key) -> str:
        """Return what a chart that is alone came to."""
        if not self.full or len(self.curves.runs) != 1:
            return ""
        (run,) = self.curves.runs.values()
        try:
            info = run.infos([key]).get(key)
        except LaunchError:
            return ""
        if info is None or info.minimum is None or info.maximum is None:
            return ""
        gaps = f"  {info.gaps:,} not finite" if info.gaps else ""
        low, high = short_number(info.minimum), short_number(info.maximum)
        points = "1 point" if info.count == 1 else f"{info.count:,} points"
        return f"min {low}  max {high}  {points}{gaps}"

    def _said(self) -> list[str]:
        return [
            *super()._said(),
            *([f"{len(self._only)} chosen"] if self._only else []),
            *([f"/{printable(self.filter)}"] if self.filter else []),
        ]

    def _why_empty(self) -> str:
        if self.curves.keys:
            return f"No key matches {printable(self.filter)}  {ui(self).key('metrics.close')}"
        return super()._why_empty()

    def _chosen_cell(self) -> Cell | None:
        return next((cell for cell in self._cells if cell.key == self.chosen), None)

    def _bounds(self) -> tuple[float, float] | None:
        cell = self._chosen_cell()
        bounds = cell.drawing.bounds if cell is not None else None
        return None if bounds is None else (bounds.left, bounds.right)

    def _reach(self, key: Key) -> tuple[float, float] | None:
        """Return from where to where a key goes on its axis."""
        curves = [run.curve(key, self.view.axis) for run in self.curves.runs.values()]
        ends = [(curve.xs[0], curve.xs[-1]) for curve in curves if curve.xs]
        if not ends:
            return None
        return min(left for left, _ in ends), max(right for _, right in ends)

    def _cross_on(self, axis: Axis) -> float | None:
        cross = self.view.cross
        return None if cross is None else self.curves.converted(cross.x, cross.axis, axis)
