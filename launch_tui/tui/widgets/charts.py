"""Charts in a grid: of the keys of one run, or of several runs over each other.

One widget draws them all. Its files are looked at with ``stat`` at each frame and read when they
have changed, the keys in view only; a chart is drawn when its curves, its size or the view has
changed, and of its lines those go to the terminal that differ. So a run with thousands of keys
costs what a screenful costs, and a screenful costs what is new in it.
"""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import TYPE_CHECKING, ClassVar

from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from launch_tui.errors import LaunchError
from launch_tui.tui.curves import SMOOTH_BUCKETS, Axis, Curves, Key
from launch_tui.tui.theme import series_colours
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.chart import EMPTY, Ink, Line, Picture, draw
from launch_tui.tui.widgets.chart_view import (
    X_TEXTS,
    Cell,
    View,
    merged,
    region_of,
    shares,
    smoothed_curve,
)
from launch_tui.tui.widgets.plot import (
    NOTHING,
    Curve,
    value_at,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.tui.curves import RunCurves
    from launch_tui.tui.widgets.bar import Part

LEAST_WIDTH = 34
LEAST_HEIGHT = 9
FLATTEST = 7
LEAST_BUCKETS = 64
SHARE = 0.15
"""The part of a core that reading and drawing what is new may take: beyond it frames are left out,
so that the keys of a person are answered however much is live. Of the time that passes it is at
most the half: what others take of a busy machine is no reason to draw less."""


class Charts(Widget, can_focus=False):
    """Charts in a grid; ``most`` of them at most, or as many as fit when it is 0.

    Args:
        most: How many charts are shown at once.
        id: The widget's id.
        classes: The widget's classes.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "charts--axis",
        "charts--border",
        "charts--chosen",
        "charts--cross",
    }
    DEFAULT_CSS = """
    Charts {
        background: $background;
        color: $text;
        & > .charts--axis { color: $text-muted; }
        & > .charts--border { color: $panel-lighten-2; }
        & > .charts--chosen { color: $text-muted; }
        & > .charts--cross { color: $text-muted; }
        &:focus > .charts--chosen { color: $primary; }
    }
    """

    class Paged(Message):
        """Other charts are in view: the first, the last and how many there are; how drawn."""

        def __init__(self, first: int, last: int, total: int, said: tuple[str, ...]) -> None:
            super().__init__()
            self.first = first
            self.last = last
            self.total = total
            self.said = said

        @property
        def parts(self) -> list[Part]:
            """What a bar says of it."""
            words = [(f"  {word}", "$accent") for word in self.said]
            if self.total <= self.last - self.first + 1:
                return words
            place = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
            return [*words, (f"  {place} of {self.total:,} ", "$foreground 60%")]

    def __init__(
        self,
        most: int = 0,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.view = View()
        self._most = most
        self._curves: Curves | None = None
        self._wanted: tuple[str, ...] = ()
        self._cells: list[Cell] = []
        self._strips: dict[int, Strip] = {}
        self._inks: tuple[Ink, Ink] | None = None
        self._known_colours: dict[Key, list[str]] = {}
        self._generation = 0
        self._rests_until = 0.0
        self._trouble = ""
        self._told: object = None

    @property
    def curves(self) -> Curves:
        """What the charts are drawn from."""
        if self._curves is None:
            self._curves = Curves(ui(self).home.metrics)
        return self._curves

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs whose metrics are shown."""
        return self._wanted

    @property
    def colours(self) -> list[str]:
        """The colour of each run, where there are several."""
        return series_colours(self._wanted, self.app.current_theme)

    def on_mount(self) -> None:
        """Begin to follow the files."""
        ui(self).pulse.frame.subscribe(self, lambda _: self._tick(), immediate=True)

    def on_unmount(self) -> None:
        """Let go of the files."""
        self.curves.close()

    def on_resize(self) -> None:
        """Show as many charts as fit."""
        self._cells = []
        self.renew()

    def follow(self, *run_ids: str) -> None:
        """Show the metrics of other runs; several lie over each other."""
        if run_ids != self._wanted:
            before, self._wanted = self._wanted, run_ids
            self._cells = []
            self._known_colours.clear()
            self._begin_again(before)
            self.renew()

    def change(self, view: View) -> None:
        """Draw all charts in another way."""
        if view != self.view:
            self.view = view
            self.renew()

    def renew(self) -> None:
        """Read what is new of the keys in view, and draw what has changed."""
        self._trouble = ""
        try:
            self._read()
        except LaunchError as error:
            self._trouble = error.cause
        keys = self._in_view()
        self._lay_out(len(keys))
        differ: list[Region] = []
        for number, cell in enumerate(self._cells):
            differ += self._draw(cell, keys[number] if number < len(keys) else None)
        if differ:
            self.refresh(*merged(differ))
        self.set_class(not self.curves.keys, "-empty")
        self._tell()

    def listed(self) -> Sequence[Key]:
        """Return the keys that can be gone through, in order."""
        return [key for key in self.curves.keys if not key.system]

    def render_line(self, y: int) -> Strip:
        """Return one line of all charts that lie on it."""
        strip = self._strips.get(y)
        if strip is None:
            across = [
                cell
                for cell in self._cells
                if cell.region.y <= y < cell.region.y + len(cell.drawing.rows)
            ]
            segments = [
                segment for cell in across for segment in cell.drawing.rows[y - cell.region.y]
            ]
            # Told its width, it need not measure each of its segments.
            strip = (
                Strip(segments, sum(cell.region.width for cell in across))
                if segments
                else Strip.blank(self.size.width, self.rich_style)
            )
            self._strips[y] = strip
        return strip

    def notify_style_update(self) -> None:
        """Draw everything anew in other colours."""
        super().notify_style_update()
        self._inks = None
        self._known_colours.clear()
        self._generation += 1
        if self.is_mounted:
            self.call_later(self.renew)

    # What a widget with pages has more of.

    def _begin_again(self, before: Sequence[str]) -> None:
        """Called before other runs are shown than before."""

    def _in_view(self) -> Sequence[Key]:
        return self.listed()[: self._capacity()]

    def _is_chosen(self, key: Key) -> bool:
        return False

    def _foot(self, key: Key) -> str:
        return ""

    def _place(self) -> tuple[int, int, int]:
        """Return the numbers of the first and last chart in view, from 1, and of all."""
        shown, total = len(self._in_view()), len(self.listed())
        return (1 if shown else 0, shown, total)

    def _why_empty(self) -> str:
        return EMPTY

    # Reading

    def _tick(self) -> None:
        # Without metrics it takes no room, but has to see the first ones come.
        hidden = not (self.is_on_screen or self.has_class("-empty"))
        if hidden or not self.screen.is_current or perf_counter() < self._rests_until:
            return
        if self.curves.changed():
            began, used = perf_counter(), thread_time()
            self.renew()
            ended, used = perf_counter(), thread_time() - used
            self._rests_until = max(began + used / SHARE, ended + (ended - began))

    def _read(self) -> None:
        curves = self.curves
        if tuple(curves.runs) != self._wanted:
            curves.follow(self._wanted)
        curves.look_at_names()
        if self.view.axis not in curves.axes:
            self.view = View(log_y=self.view.log_y, smoothing=self.view.smoothing)
        curves.look(self._in_view(), self._buckets(), self.view.axis)

    def _buckets(self) -> int:
        """Return in how many buckets a curve is kept: about one for a pixel column."""
        if self.view.smoothing:
            return SMOOTH_BUCKETS
        columns = min(self._shape()[0], max(len(self._in_view()), 1))
        return max(3 * self.size.width // columns, LEAST_BUCKETS)

    # Placing

    def _capacity(self) -> int:
        columns, rows = self._shape()
        return columns * rows

    def _shape(self) -> tuple[int, int]:
        if self._most:
            return 1, max(min(self._most, self.size.height // FLATTEST), 1)
        columns = max(self.size.width // LEAST_WIDTH, 1)
        return columns, max(self.size.height // LEAST_HEIGHT, 1)

    def _lay_out(self, wanted: int) -> None:
        """Have a place for each chart, in a grid without holes."""
        wanted = max(wanted, 1)
        if len(self._cells) == wanted:
            return
        columns = min(self._shape()[0], wanted)
        rows = -(-wanted // columns)
        across = shares(self.size.width, columns)
        down = shares(self.size.height, rows)
        self._cells = [
            Cell(region=region_of(across[n % columns], down[n // columns])) for n in range(wanted)
        ]
        self._strips.clear()
        self.refresh()

    # Drawing

    def _draw(self, cell: Cell, key: Key | None) -> list[Region]:
        """Draw a chart if anything of it has changed, and return the lines that differ."""
        chosen = key is not None and self._is_chosen(key)
        versions = self._versions(key)
        state = (key, chosen, self.view, versions, self._generation, self._why(key))
        if state == cell.drawn_for:
            return []
        cell.key, cell.drawn_for = key, state
        before, region = cell.drawing.rows, cell.region
        picture = self._picture(cell, key, versions)
        ink = self._ink(chosen=chosen)
        cell.drawing = draw(
            picture, region.width, region.height, ink, ascii_only=ui(self).ascii_only
        )
        dirty = [
            at for at, row in enumerate(cell.drawing.rows) if at >= len(before) or row != before[at]
        ]
        for at in dirty:
            self._strips.pop(region.y + at, None)
        return [Region(region.x, region.y + at, region.width, 1) for at in dirty]

    def _versions(self, key: Key | None) -> object:
        if key is None:
            return None
        axis = self.view.axis
        return tuple(run.version(key, axis) for run in self.curves.runs.values())

    def _why(self, key: Key | None) -> str:
        return "" if key is not None else self._trouble or self._why_empty()

    def _picture(self, cell: Cell, key: Key | None, versions: object) -> Picture:
        if key is None:
            return Picture(title="", empty=self._why(key))
        view, axis = self.view, self.axis_of(key)
        window = self.window_on(axis)
        self._find_curves(cell, key, versions, window)
        cross = None if view.cross is None else self._on(view.cross.x, view.cross.axis, axis)
        several = len(self.curves.runs) > 1
        lines = [
            Line(
                curve=curve,
                faint=faint,
                colour=colour,
                label=str(number) if several else "",
                last=run.last(key),
                at_cross=self._at_cross(cell, faint if faint.xs else curve, cross),
            )
            for number, ((curve, faint), run, colour) in enumerate(
                zip(cell.curves, self.curves.runs.values(), self._colours_of(key), strict=True), 1
            )
        ]
        return Picture(
            title=key.title,
            lines=tuple(lines),
            log_y=view.log_y,
            window=window,
            cross=cross,
            nothing_here=f"No value here: {ui(self).key('metrics.zoom_reset')} shows all",
            x_text=X_TEXTS[axis],
            foot=self._foot(key),
        )

    def _at_cross(self, cell: Cell, curve: Curve, cross: float | None) -> float | None:
        return None if cross is None else value_at(curve, cross, cell.drawing.cell / 2)

    def _colours_of(self, key: Key) -> list[str]:
        """Return a colour for each run; of one run each key has its own."""
        colours = self._known_colours.get(key)
        if colours is None:
            several = len(self.curves.runs) > 1
            names = list(self.curves.runs) if several else [key.title]
            colours = series_colours(names, self.app.current_theme)
            self._known_colours[key] = colours
        return colours

    def _find_curves(
        self, cell: Cell, key: Key, versions: object, window: tuple[float, float] | None
    ) -> None:
        """Have a cell's curves as they are now: what is drawn of each run, and what behind it."""
        view = self.view
        state = (key, versions, view.axis, view.smoothing, window)
        if state == cell.curves_for:
            return
        cell.curves_for = state
        most = SMOOTH_BUCKETS if view.smoothing else max(2 * cell.region.width, LEAST_BUCKETS)
        cell.curves = []
        for run in self.curves.runs.values():
            curve = self._curve(run, key, window, most)
            smooth = smoothed_curve(curve, view.smoothing) if view.smoothing else None
            cell.curves.append((curve, NOTHING) if smooth is None else (smooth, curve))

    def _curve(
        self, run: RunCurves, key: Key, window: tuple[float, float] | None, most: int
    ) -> Curve:
        try:
            curve = run.curve(key, self.view.axis, window, most)
        except LaunchError:
            # The file went away in between; the next look tells what is wrong with it.
            return NOTHING
        return within(curve, *window) if window else curve

    def axis_of(self, key: Key) -> Axis:
        """Return what x is for a key."""
        return Axis.TIME if key.system else self.view.axis

    def window_on(self, axis: Axis) -> tuple[float, float] | None:
        """Return the part of x that is shown, on an axis; None for all of it."""
        window = self.view.window
        if window is None:
            return None
        left, right = (self._on(x, window.axis, axis) for x in window[:2])
        return (left, right) if left is not None and right is not None and left < right else None

    def _on(self, x: float, own: Axis, other: Axis) -> float | None:
        return self.curves.converted(x, own, other)

    def _ink(self, *, chosen: bool) -> Ink:
        if self._inks is None:
            base = self.rich_style
            part = self.get_component_rich_style
            plain = Ink(
                base=base,
                axis=base + part("charts--axis", partial=True),
                border=base + part("charts--border", partial=True),
                cross=base + part("charts--cross", partial=True),
                faint=base + part("charts--axis", partial=True),
            )
            strong = base + part("charts--chosen", partial=True)
            self._inks = (plain, plain._replace(border=strong))
        return self._inks[chosen]

    def _tell(self) -> None:
        said = tuple(self._said())
        told = (*self._place(), said)
        if told != self._told:
            self._told = told
            # From this widget's own queue: a message that is made while an ancestor handles one
            # goes no further than that ancestor.
            self.call_later(lambda: self.post_message(self.Paged(*told)))

    def _said(self) -> list[str]:
        view = self.view
        return [
            *([f"x {view.axis}"] if view.axis is not Axis.STEP else []),
            *(["log y"] if view.log_y else []),
            *([f"smooth {view.smoothing:g}"] if view.smoothing else []),
            *(["zoomed"] if view.window else []),
        ]
