"""The charts of a run, as many as fit: the most telling two of a preview, or pages of them all.

The file of metrics is looked at with ``stat`` and read when it has changed, the series in view
only, so that a run with a thousand keys costs what a screenful costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message

from launch_tui.domain.metrics import rank
from launch_tui.errors import LaunchError
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.chart import Chart, Series

if TYPE_CHECKING:
    from launch_tui.store.series import SeriesReader
    from launch_tui.store.series_read import SeriesInfo

LEAST_WIDTH = 34
LEAST_HEIGHT = 9
FLATTEST = 7
READ_EVERY_FRAMES = 5
SYSTEM = "system/"
_HIDDEN = ("_step", "_runtime", "_timestamp", "_wandb")
_MICROSECONDS = 1e6


class Charts(Container, can_focus=False):
    """Charts in a grid; ``most`` of them at most, or as many as fit when it is 0.

    Args:
        most: How many charts are shown at once.
        id: The widget's id.
    """

    DEFAULT_CSS = """
    Charts { layout: grid; grid-gutter: 0; }
    Charts > Chart { border: round $panel-lighten-2; height: 1fr; padding: 0 1; }
    """

    class Paged(Message):
        """Other charts are in view: the first, the last and how many there are."""

        def __init__(self, first: int, last: int, total: int) -> None:
            super().__init__()
            self.first = first
            self.last = last
            self.total = total

    def __init__(self, most: int = 0, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.log_y = False
        self._most = most
        self._run_id: str | None = None
        self._names: list[str] = []
        self._page = 0
        self._seen: object = None
        self._frames = 0
        self._told: tuple[int, int, int] | None = None

    def on_mount(self) -> None:
        """Begin to follow the file."""
        ui(self).pulse.frame.subscribe(self, lambda _: self._tick(), immediate=True)

    def on_resize(self) -> None:
        """Show as many charts as fit."""
        self.renew()

    def follow(self, run_id: str | None) -> None:
        """Show the metrics of another run."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._page = 0
            self.renew()

    def renew(self) -> None:
        """Read the series in view and draw them."""
        self._seen = self._state()
        reader = self._reader()
        try:
            self._names = _names(reader, everything=not self._most) if reader else []
            shown = self._in_view()
            self._fit(max(len(shown), 1))
            charts = [chart for chart in self.query(Chart) if chart.is_mounted]
            for chart, name in zip(charts, shown, strict=False):
                self._draw(chart, name, reader)
            for chart in charts[len(shown) :]:
                chart.series = ()
        except LaunchError as error:
            for chart in self.query(Chart):
                chart.series, chart.empty = (), error.cause
        finally:
            if reader is not None:
                reader.close()
        self.set_class(not self._names, "-empty")
        self._tell(len(shown) if self._names else 0)

    def turn(self, pages: int) -> None:
        """Show the next charts, or those before."""
        last = max((len(self._names) - 1) // self._capacity(), 0)
        page = max(0, min(self._page + pages, last))
        if page != self._page:
            self._page = page
            self.renew()

    def toggle_log(self) -> None:
        """Draw heights as logarithms, or as they are."""
        self.log_y = not self.log_y
        for chart in self.query(Chart):
            chart.log_y = self.log_y

    def _tick(self) -> None:
        self._frames += 1
        # Without metrics it takes no room, but has to see the first ones come.
        hidden = not (self.is_on_screen or self.has_class("-empty"))
        if self._frames % READ_EVERY_FRAMES or hidden:
            return
        if self.screen.is_current and self._state() != self._seen:
            self.renew()

    def _state(self) -> object:
        """Return what differs when the file of metrics has changed."""
        if self._run_id is None:
            return None
        path = ui(self).home.metrics(self._run_id)
        states = []
        for name in (path, path.with_name(path.name + "-wal")):
            try:
                found = name.stat()
            except OSError:
                states.append((0, 0))
            else:
                states.append((found.st_mtime_ns, found.st_size))
        return self._run_id, tuple(states)

    def _reader(self) -> SeriesReader | None:
        if self._run_id is None:
            return None
        try:
            return ui(self).launch.runs.series(self._run_id)
        except LaunchError:
            return None

    def _capacity(self) -> int:
        columns, rows = self._shape()
        return columns * rows

    def _shape(self) -> tuple[int, int]:
        if self._most:
            return 1, max(min(self._most, self.size.height // FLATTEST), 1)
        columns = max(self.size.width // LEAST_WIDTH, 1)
        return columns, max(self.size.height // LEAST_HEIGHT, 1)

    def _in_view(self) -> list[str]:
        capacity = self._capacity()
        return self._names[self._page * capacity : (self._page + 1) * capacity]

    def _fit(self, wanted: int) -> None:
        """Have as many chart widgets as are shown, in a grid without holes."""
        columns, _ = self._shape()
        columns = min(columns, wanted)
        self.styles.grid_size_columns = columns
        self.styles.grid_size_rows = -(-wanted // columns)
        charts = list(self.query(Chart))
        for chart in charts[wanted:]:
            chart.remove()
        fresh = []
        for _ in range(wanted - len(charts)):
            chart = Chart()
            chart.set_reactive(Chart.ascii_only, ui(self).ascii_only)
            chart.set_reactive(Chart.log_y, self.log_y)
            fresh.append(chart)
        if fresh:
            self.mount(*fresh)
            self.call_after_refresh(self.renew)

    def _draw(self, chart: Chart, name: str, reader: SeriesReader | None) -> None:
        if reader is None:
            return
        buckets = max(2 * self.size.width // max(self._shape()[0], 1), 16)
        if name.startswith(SYSTEM):
            points = reader.stats_chart(name.removeprefix(SYSTEM), buckets)
            start = points[0].first_step if points else 0
            chart.x_text = lambda step: _passed((step - start) / _MICROSECONDS)
        else:
            points = reader.chart(name, buckets)
        chart.series = (Series(name=name, buckets=tuple(points)),)

    def _tell(self, shown: int) -> None:
        first = self._page * self._capacity() if shown else 0
        told = (first + 1 if shown else 0, first + shown, len(self._names))
        if told != self._told:
            self._told = told
            self.post_message(self.Paged(*told))


class ChartPages(Charts, can_focus=True):
    """All charts of a run, a page at a time."""

    SCOPES = ("metrics",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down,pagedown,ctrl+d", "turn(1)", "next charts", show=False),
        Binding("k,up,pageup,ctrl+u", "turn(-1)", "charts before", show=False),
        Binding("L", "log_y", "log y", show=False),
    ]

    def action_turn(self, pages: int) -> None:
        """Show the next charts, or those before."""
        self.turn(pages)

    def action_log_y(self) -> None:
        """Draw heights as logarithms, or as they are."""
        self.toggle_log()

    def on_mouse_scroll_down(self) -> None:
        """Show the next charts."""
        self.turn(1)

    def on_mouse_scroll_up(self) -> None:
        """Show the charts before."""
        self.turn(-1)


def _names(reader: SeriesReader, *, everything: bool) -> list[str]:
    history = reader.keys()
    keys = [info.name for info in history if _is_drawn(info)]
    keys.sort(key=rank)
    if everything:
        keys += [SYSTEM + info.name for info in reader.stats_keys() if _is_drawn(info)]
    return keys


def _is_drawn(info: SeriesInfo) -> bool:
    return info.count > 0 and not info.name.startswith(_HIDDEN)


def _passed(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.1f}h"
