"""The metrics of one run or several: charts or a table, a legend, and the line of the filter.

Every key that acts here is in keys.py under ``metrics``; what stands in the way of another key
(the cross-hair of ``h`` and ``l``, the pages of ``[`` and ``]``) gives it back when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from launch_tui.domain.text import printable
from launch_tui.errors import UsageError
from launch_tui.sdk.comparing import MOST_RUNS
from launch_tui.tui import keys
from launch_tui.tui.metrics_csv import write_csv
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import Bar, Group
from launch_tui.tui.widgets.chart_pages import ChartPages
from launch_tui.tui.widgets.filter_line import FilterLine
from launch_tui.tui.widgets.summary_table import SummaryTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from launch_tui.tui.curves import Key
    from launch_tui.tui.widgets.charts import Charts
    from launch_tui.tui.widgets.window_table import WindowTable

_ZOOM = 2.0


class MetricsPane(Vertical, can_focus=False):
    """The pane. Tell it by ``follow`` which runs; it does the rest."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("metrics"))
    DEFAULT_CSS = """
    MetricsPane > ChartPages { height: 1fr; }
    MetricsPane > SummaryTable { height: 1fr; display: none; }
    MetricsPane.-table > ChartPages { display: none; }
    MetricsPane.-table > SummaryTable { display: block; }
    MetricsPane > Bar { display: none; }
    MetricsPane.-several > Bar { display: block; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._names: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        yield Bar(id="metrics-legend")
        yield ChartPages(id="charts")
        table = SummaryTable(id="summary", classes="pane")
        table.border_title = "Metrics"
        yield table
        yield FilterLine(id="metrics-filter")

    def on_mount(self) -> None:
        """Draw as the terminal can."""
        app = ui(self)
        self.table.ascii_only = app.ascii_only
        app.theme_changed_signal.subscribe(self, lambda _: self._show_legend())
        app.pulse.frame.subscribe(self, lambda _: self._tick(), immediate=True)

    @property
    def charts(self) -> ChartPages:
        """The charts."""
        return self.query_one("#charts", ChartPages)

    @property
    def table(self) -> SummaryTable:
        """The table."""
        return self.query_one("#summary", SummaryTable)

    def focus(self, scroll_visible: bool = True) -> MetricsPane:
        """Give the charts the focus, or the table."""
        self._inner.focus(scroll_visible)
        return self

    def follow(self, *run_ids: str, names: Sequence[str] = ()) -> None:
        """Show the metrics of runs.

        Args:
            run_ids: One run, or up to six that lie over each other.
            names: What the legend says of each.
        """
        self._names = dict(zip(run_ids, names, strict=False))
        self.set_class(len(run_ids) > 1, "-several")
        self.charts.follow(*run_ids)
        self._show_legend()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys to others while they mean nothing here."""
        charts, tabled = self.charts, self.has_class("-table")
        if action in ("metrics_cross_left", "metrics_cross_right"):
            return charts.view.cross is not None and not tabled
        if action == "metrics_overlay":
            return hasattr(self.screen, "overlaid_runs")
        if action == "metrics_close":
            return tabled or not charts.is_whole
        return True

    # Moving

    def action_metrics_left(self) -> None:
        """Go to the chart at the left."""
        self.charts.move(-1, 0)

    def action_metrics_right(self) -> None:
        """Go to the chart at the right."""
        self.charts.move(1, 0)

    def action_metrics_up(self) -> None:
        """Go to the chart above."""
        self.charts.move(0, -1)

    def action_metrics_down(self) -> None:
        """Go to the chart below."""
        self.charts.move(0, 1)

    def action_metrics_next(self) -> None:
        """Show the next page; after the last one comes the next tab."""
        self._turn(1, "tabs_next")

    def action_metrics_previous(self) -> None:
        """Show the page before; before the first one comes the tab before."""
        self._turn(-1, "tabs_previous")

    def action_metrics_page_down(self) -> None:
        """Show the next page."""
        self.charts.turn(1)

    def action_metrics_page_up(self) -> None:
        """Show the page before."""
        self.charts.turn(-1)

    def action_metrics_system(self) -> None:
        """Go to the system metrics, or back."""
        if not self.charts.go_to_system():
            self._say("no system metrics yet")
        self._find_in_table()

    # What is shown, and how

    def action_metrics_open(self) -> None:
        """Show one chart in full, or the grid again."""
        self.charts.open(full=not self.charts.full)

    def action_metrics_close(self) -> None:
        """Undo the last thing that is in the way of the whole grid."""
        if self.has_class("-table"):
            self.action_metrics_table()
        else:
            self.charts.close_one()

    def action_metrics_table(self) -> None:
        """Show the table, or the charts."""
        self.toggle_class("-table")
        self._show_table()
        self._find_in_table()
        self._inner.focus()

    def action_metrics_filter(self) -> None:
        """Type which keys are shown."""
        self.query_one(FilterLine).open(self.charts.filter)

    def action_metrics_log(self) -> None:
        """Draw heights as logarithms, or as they are."""
        self.charts.toggle_log()

    def action_metrics_axis(self) -> None:
        """Have x mean step, time or epoch."""
        if not self.charts.next_axis():
            self._say("this run tells no time and no epoch")

    def action_metrics_smooth(self) -> None:
        """Smooth by 0, 0.6 or 0.9."""
        self.charts.next_smoothing()

    def action_metrics_cross(self) -> None:
        """Show the cross-hair, or no more."""
        self.charts.toggle_cross()

    def action_metrics_cross_left(self) -> None:
        """Move the cross-hair to the left."""
        self.charts.move_cross(-1)

    def action_metrics_cross_right(self) -> None:
        """Move the cross-hair to the right."""
        self.charts.move_cross(1)

    def action_metrics_zoom_in(self) -> None:
        """Show half as much of x."""
        self.charts.zoom(1 / _ZOOM)

    def action_metrics_zoom_out(self) -> None:
        """Show twice as much of x."""
        self.charts.zoom(_ZOOM)

    def action_metrics_zoom_reset(self) -> None:
        """Show all of x."""
        self.charts.zoom_out()

    def action_metrics_overlay(self) -> None:
        """Lay other runs over the one that is shown, or take them away."""
        if len(self.charts.runs) > 1:
            self.follow(self.screen.run_id)  # type: ignore[attr-defined]
            return
        try:
            runs: list[str] = self.screen.overlaid_runs()  # type: ignore[attr-defined]
        except UsageError as error:
            key = ui(self).key("runs.mark")
            self._say(f"{error.problem}: mark up to {MOST_RUNS - 1} others in the list ({key})")
            return
        launch = ui(self).launch
        self.follow(*runs, names=[launch.runs.get(run_id).name for run_id in runs])

    def action_metrics_copy(self) -> None:
        """Copy the values of the chart under the cursor as CSV."""
        key, app = self._current, ui(self)
        if key is None:
            app.tell_nothing_to_copy()
            return
        spans = self.charts.spans(key)
        app.act(lambda launch: write_csv(launch, spans, key), app.copy)

    # What its parts tell

    def on_charts_paged(self, event: Charts.Paged) -> None:
        """Show what is shown in the table too; whoever has the pane hears of it as well."""
        self._show_table()

    def on_window_table_row_opened(self, event: WindowTable.RowOpened) -> None:
        """Show the chart of a row."""
        event.stop()
        key = self.table.current
        if key is not None:
            self.remove_class("-table")
            self.charts.look_at(key)
            self.charts.focus()

    def on_window_table_row_highlighted(self, event: WindowTable.RowHighlighted) -> None:
        """Go along with the table's cursor."""
        event.stop()
        if self.has_class("-table") and (key := self.table.current) is not None:
            self.charts.choose(key)

    def on_window_table_marks_changed(self, event: WindowTable.MarksChanged) -> None:
        """Nothing is done with marked keys."""
        event.stop()

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        """Show what matches so far."""
        event.stop()
        self.charts.show_matching(event.text)

    def on_filter_line_done(self, event: FilterLine.Done) -> None:
        """Go back to the charts."""
        event.stop()
        self.charts.show_matching(event.text if event.kept else "")
        if self.screen.focused in (None, self.query_one(FilterLine)):
            self._inner.focus()

    @property
    def _inner(self) -> Widget:
        return self.table if self.has_class("-table") else self.charts

    @property
    def _current(self) -> Key | None:
        return self.table.current if self.has_class("-table") else self.charts.chosen

    def _turn(self, pages: int, otherwise: str) -> None:
        tabled = self.has_class("-table")
        if tabled or not self.charts.turn(pages):
            action = getattr(self.screen, f"action_{otherwise}", None)
            if action is not None:
                action()

    def _tick(self) -> None:
        charts = self.charts
        if self.has_class("-table") and self.table.is_on_screen and charts.curves.changed():
            charts.renew()
            self._show_table()

    def _show_table(self) -> None:
        if self.has_class("-table"):
            charts = self.charts
            self.table.show(charts.curves, charts.listed(), lambda: charts.colours)

    def _find_in_table(self) -> None:
        chosen = self.charts.chosen
        if chosen is not None and self.has_class("-table"):
            self.table.find_key(chosen)

    def _show_legend(self) -> None:
        charts = self.charts
        if len(charts.runs) < 2:
            return
        groups: list[Group] = [(" ", "")]
        for number, (run_id, colour) in enumerate(zip(charts.runs, charts.colours, strict=True), 1):
            # Textual's names for the sixteen colours of the terminal.
            colour = colour if colour.startswith("#") else f"ansi_{colour}"
            name = self._names.get(run_id, "")
            groups.append(
                [
                    (f"{number} ", f"bold {colour}"),
                    (printable(f"{run_id} {name}".strip()), colour),
                    ("   ", ""),
                ]
            )
        self.query_one("#metrics-legend", Bar).show(groups)

    def _say(self, text: str) -> None:
        ui(self).notify(text, timeout=2, markup=False)
