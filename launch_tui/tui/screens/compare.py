"""Two to six runs beside each other: values that differ, their curves, how their sources differ.

One run is chosen (a column of the table): it is the one that is launched again with one value
changed, and whose source is compared with the first run's.
"""

from __future__ import annotations

import csv
import io
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.containers import Horizontal
from textual.message import Message

from launch_tui.domain.text import printable
from launch_tui.domain.words import flattened, parse_value
from launch_tui.errors import LaunchError
from launch_tui.sdk.comparing import Comparison, SourceDiff, compare, source_diff
from launch_tui.tui import keys
from launch_tui.tui.compare_rows import (
    Shown,
    columns_for,
    fit,
    part_and_key,
    row_key,
    rows_of,
    width_for,
    written,
)
from launch_tui.tui.curves import Key
from launch_tui.tui.going import open_page
from launch_tui.tui.rows import duration_of, title_of
from launch_tui.tui.screens.base import LaunchScreen
from launch_tui.tui.theme import series_colours
from launch_tui.tui.ui import entitle, ui
from launch_tui.tui.widgets.bar import Bar, Group, Part, clickable
from launch_tui.tui.widgets.charts import LEAST_WIDTH
from launch_tui.tui.widgets.filter_line import FilterLine
from launch_tui.tui.widgets.list_rows import ListRows
from launch_tui.tui.widgets.metrics_pane import MetricsPane
from launch_tui.tui.widgets.text_lines import TextLines, diff_lines
from launch_tui.tui.widgets.window_table import WindowTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from launch_tui.domain.run import Run
    from launch_tui.tui.widgets.charts import Charts

WIDE = 110
"""Cells of a terminal that has room for charts beside the values: ``-wide`` in app.tcss."""
TABS = (("values", "Values"), ("curves", "Curves"), ("source", "Source"))
_INNER = {"values": "#compare-table", "curves": "#compare-curves", "source": "#compare-source"}


class CompareScreen(LaunchScreen):
    """The comparison.

    Args:
        run_ids: Two to six runs; the others are compared with the first.
    """

    MODE = "runs"
    SCOPES: ClassVar[tuple[str, ...]] = ("compare",)
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("values", "compare"))

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self.run_ids = tuple(run_ids)
        self.chosen = 1
        """The number of the run that a verb acts on, from 0."""
        self.everything = False
        self.filter_in_force = ""
        self._tab = ""
        self._runs: tuple[Run, ...] = ()
        self._shown = Shown(first=0, count=2, chosen=1)
        self._comparison: Comparison | None = None
        self._paged: Charts.Paged | None = None
        self._diff_of: tuple[str, str] | None = None
        self._diff: SourceDiff | None = None

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        self._rows = ListRows()
        yield Bar(id="compare-runs")
        yield Bar(id="compare-tabs")
        with Horizontal(id="compare-body"):
            yield ValueTable((), self._rows, id="compare-table", classes="pane")
            yield MetricsPane(id="compare-curves", classes="pane")
            yield TextLines(id="compare-source", classes="pane")
        yield FilterLine(id="compare-filter")

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        app = ui(self)
        self._table.ascii_only = app.ascii_only
        app.theme_changed_signal.subscribe(self, lambda _: self._show())
        self._read()
        self._pane.follow(*self.run_ids)
        self.show_tab("values")

    def refresh_live(self) -> None:
        """Ask the store again."""
        self._read()

    def refresh_ages(self) -> None:
        """Draw durations anew."""
        self._read()

    def on_resize(self) -> None:
        """Share the width anew."""
        self._share_width()

    def on_value_table_resized(self, event: ValueTable.Resized) -> None:
        """Show as many runs as fit."""
        event.stop()
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys of the values to others while something else has the focus."""
        if action.startswith("values_") and self.focused is not self._table:
            return False
        return super().check_action(action, parameters)

    @property
    def run_id(self) -> str:
        """The run that a verb acts on."""
        return self.run_ids[self.chosen]

    # Tabs

    def show_tab(self, tab: str) -> None:
        """Show one of ``TABS``."""
        self._tab = tab
        body = self.query_one("#compare-body")
        for name, _ in TABS:
            body.set_class(name == tab, f"-{name}")
        self._show_tabs()
        self._share_width()
        if tab == "source":
            self._find_diff()
        self.query_one(_INNER[tab]).focus()

    def action_show_tab(self, tab: str) -> None:
        """Show a tab that was clicked."""
        self.show_tab(tab)

    def action_tabs_next(self) -> None:
        """Show the next tab."""
        self._step(1)

    def action_tabs_previous(self) -> None:
        """Show the tab before."""
        self._step(-1)

    def action_compare_next(self) -> None:
        """Show the next tab."""
        self._step(1)

    def action_compare_previous(self) -> None:
        """Show the tab before."""
        self._step(-1)

    # What is shown

    def action_values_all(self) -> None:
        """Show all values, or only those that differ."""
        self.everything = not self.everything
        self._show()

    def action_values_filter(self) -> None:
        """Type which values are shown."""
        self.query_one("#compare-filter", FilterLine).open(self.filter_in_force)

    def action_compare_left(self) -> None:
        """Choose the run at the left."""
        self._choose(self.chosen - 1)

    def action_compare_right(self) -> None:
        """Choose the run at the right."""
        self._choose(self.chosen + 1)

    def action_values_curves(self) -> None:
        """Show the curves of the marked keys, of all when none is marked."""
        self.show_tab("curves")

    def go_back(self) -> bool:
        """Clear the filter, then the marks."""
        if self.filter_in_force:
            self._filter("")
        elif self._table.marks:
            self._table.mark(())
        else:
            return False
        return True

    # What can be done

    def action_values_edit(self) -> None:
        """Change the value under the cursor and open the launch form with it."""
        part, key = part_and_key(self._table.cursor_key)
        if part != "config" or self._tab != "values":
            self._say("a value of config is edited: put the cursor on one")
            return
        from launch_tui.tui.screens.edit_value import EditValue

        values = {run.id: dict(flattened(run.config)).get(key) for run in self._runs}
        own = values.pop(self.run_id, None)
        ui(self).ask(
            EditValue(self.run_id, key, own, values),
            lambda text: ui(self).open_form(rerun=self.run_id, changes={key: parse_value(text)}),
        )

    def action_values_look(self) -> None:
        """Show the curve of the result under the cursor, or edit the value of config there."""
        self._table.action_open()

    def action_compare_rerun(self) -> None:
        """Open the launch form with everything that the chosen run was given."""
        ui(self).open_form(rerun=self.run_id)

    def action_compare_open(self) -> None:
        """Open the chosen run."""
        from launch_tui.tui.screens.run import RunScreen

        self.app.push_screen(RunScreen(self.run_id))

    def action_compare_open_page(self) -> None:
        """Open the page of the chosen run in W&B, or copy its address where no browser is."""
        open_page(ui(self), self.run_id)

    def action_run_open_page(self) -> None:
        """Do the same when it is asked for by the palette's name."""
        self.action_compare_open_page()

    def copy_menu(self) -> None:
        """Ask what is to be copied, and copy it."""
        from launch_tui.tui.screens.menu import Entry, Menu

        texts = {
            "table": self._as_csv(),
            "command": f"launch-tui compare {' '.join(self.run_ids)}",
            "source": self._diff.text if self._diff is not None else "",
        }
        labels = {
            "table": ("t", "table as CSV"),
            "command": ("c", "command that compares the same"),
            "source": ("s", "source diff"),
        }
        entries = [Entry(what, *labels[what]) for what, text in texts.items() if text]
        ui(self).ask(Menu("Copy", entries), lambda what: ui(self).copy(texts[what]))

    # What its parts tell

    def on_charts_paged(self, event: Charts.Paged) -> None:
        """Say which charts are in view."""
        event.stop()
        self._paged = event
        self._show_tabs()

    def on_window_table_row_opened(self, event: WindowTable.RowOpened) -> None:
        """Show the curve of a result, edit a value of the configuration."""
        event.stop()
        part, key = part_and_key(event.key)
        if part == "config":
            self.run_worker(self.run_action("values_edit"), exit_on_error=False)
        elif part == "summary":
            self._show_curve(key)

    def on_window_table_marks_changed(self, event: WindowTable.MarksChanged) -> None:
        """Show the curves of the marked results."""
        event.stop()
        marked = [part_and_key(one) for one in event.table.marks]
        curves = {key.name for key in self._pane.charts.curves.keys}
        kept = [key for part, key in marked if part == "summary" and key in curves]
        if len(kept) < len(marked):
            self._table.mark(row_key("summary", key) for key in kept)
            self._say("only results with a curve are marked")
        self._pane.charts.only(kept)

    def on_filter_line_changed(self, event: FilterLine.Changed) -> None:
        """Show what matches so far."""
        event.stop()
        self._filter(event.text)

    def on_filter_line_done(self, event: FilterLine.Done) -> None:
        """Go back to the table."""
        event.stop()
        self._filter(event.text if event.kept else "")
        self.query_one(_INNER[self._tab]).focus()

    # Inside

    @property
    def _table(self) -> ValueTable:
        return self.query_one("#compare-table", ValueTable)

    @property
    def _pane(self) -> MetricsPane:
        return self.query_one("#compare-curves", MetricsPane)

    def _step(self, tabs: int) -> None:
        names = [name for name, _ in TABS]
        self.show_tab(names[(names.index(self._tab) + tabs) % len(names)])

    def _share_width(self) -> None:
        """Give the table the room that its runs need, and the charts beside it the rest."""
        half, room = self.size.width // 2, self.size.width - LEAST_WIDTH
        beside = max(min(width_for(len(self.run_ids)), room), half)
        self._table.styles.width = beside if self.size.width >= WIDE else "1fr"

    def _choose(self, at: int) -> None:
        self.chosen = max(0, min(at, len(self.run_ids) - 1))
        self._show()
        if self._tab == "source":
            self._find_diff()

    def _filter(self, text: str) -> None:
        if text != self.filter_in_force:
            self.filter_in_force = text
            self._show()
            self.query_one("#status").renew()  # type: ignore[attr-defined]

    def _read(self) -> None:
        """Read the runs and show what differs; one that was deleted stays as it was."""
        launch = ui(self).launch
        known = {run.id: run for run in self._runs}
        for run_id in self.run_ids:
            try:
                known[run_id] = launch.runs.get(run_id)
            except LaunchError:
                continue
        self._runs = tuple(known[run_id] for run_id in self.run_ids if run_id in known)
        self._show()

    def _show(self) -> None:
        if not self._runs:
            return
        app = ui(self)
        more = [{"took": duration_of(run, app.clock())} for run in self._runs]
        self._comparison = compare(self._runs, everything=self.everything, more=more)
        table = self._table
        ids = [run.id for run in self._runs]
        self._shown = fit(table.size.width, len(ids), self.chosen, self._shown.first)
        columns = columns_for(ids, self._shown, ascii_only=app.ascii_only)
        if columns != table.columns:
            table.columns = columns
        words = self.filter_in_force.lower().split()
        self._rows.rows = rows_of(self._comparison, self._shown, words, app.current_theme)
        table.empty = self._why_empty()
        table.reload()
        entitle(table, "All values" if self.everything else "What differs")
        self._show_runs()

    def _why_empty(self) -> str:
        if self.filter_in_force:
            hidden = f"hides all values  {ui(self).key('app.back')}"
            return f"Filter {printable(self.filter_in_force)} {hidden}"
        return f"Nothing differs: {ui(self).key('values.all')} shows all values"

    def _show_runs(self) -> None:
        """Say which run is which, in the colours of their curves."""
        groups: list[Group] = [(" ", "")]
        colours = series_colours(self.run_ids, self.app.current_theme)
        for number, (run, colour) in enumerate(zip(self._runs, colours, strict=False), 1):
            # Textual's names for the sixteen colours of the terminal.
            colour = colour if colour.startswith("#") else f"ansi_{colour}"
            chosen = " underline" if number - 1 == self.chosen else ""
            title = run.name if len(self._runs) > 3 or self.has_class("-narrow") else title_of(run)
            groups.append(
                [
                    (f"{number} {run.id}", f"bold {colour}{chosen}"),
                    (f" {printable(title)}   ", "$foreground 60%"),
                ]
            )
        self.query_one("#compare-runs", Bar).show(groups)

    def _show_tabs(self) -> None:
        parts: list[Part] = [(" ", "")]
        for tab, title in TABS:
            here = tab == self._tab
            style = "bold $primary underline" if here else "$foreground 60%"
            parts.append((title, clickable(style, f"screen.show_tab('{tab}')")))
            parts.append(("   ", ""))
        right = self._paged.parts if self._paged is not None and self._tab != "source" else ()
        self.query_one("#compare-tabs", Bar).show(parts, right)

    def _show_curve(self, key: str) -> None:
        if Key(key) not in self._pane.charts.listed():
            self._say(f"{key} has no curve")
            return
        self.show_tab("curves")
        self._pane.charts.look_at(Key(key))

    def _find_diff(self) -> None:
        """Have a thread look what the chosen run's source differs in from the first one's."""
        old, new = self.run_ids[0], self.run_ids[self.chosen or 1]
        if (old, new) == self._diff_of:
            return
        self._diff_of, self._diff = (old, new), None
        view = self.query_one("#compare-source", TextLines)
        entitle(view, f"Source  {old} to {new}", "h l choose the run")
        view.show([("comparing …", "weak")])
        ui(self).act(
            partial(source_diff, old=old, new=new),
            self._show_diff,
            failed=lambda error: view.show([(str(error), "removed")]),
            group="source-diff",
        )

    def _show_diff(self, diff: SourceDiff) -> None:
        if self.is_mounted:
            self._diff = diff
            self.query_one("#compare-source", TextLines).show(_told(diff))

    def _as_csv(self) -> str:
        comparison = self._comparison
        if comparison is None:
            return ""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["", *self.run_ids])
        for part, rows in comparison.parts.items():
            for key, values in rows.items():
                name = key if part == "run" else f"{part}.{key}"
                writer.writerow([name, *(_plain(value) for value in values)])
        return out.getvalue()

    def _say(self, text: str) -> None:
        ui(self).notify(printable(text), timeout=3, markup=False)


class ValueTable(WindowTable):
    """The table of values; its keys are the screen's."""

    SCOPES = ("values", "compare")

    class Resized(Message):
        """There is other room for runs."""

    def on_resize(self) -> None:
        """Have as many runs shown as fit."""
        super().on_resize()
        self.post_message(self.Resized())


def _told(diff: SourceDiff) -> list[tuple[str, str]]:
    """Return a source diff as lines."""
    lines: list[tuple[str, str]] = []
    for name, old, new in diff.fields:
        lines += [(name, "heading"), (f"- {old or 'none'}", "removed"),
                  (f"+ {new or 'none'}", "added")]  # fmt: skip
    if diff.text:
        lines += [*([("", "")] if lines else []), *diff_lines(diff.text)]
    elif diff.reason:
        lines += [("", ""), (f"The files are not compared: {diff.reason}", "weak")]
    elif not lines:
        lines = [("The same source, command and environment", "weak")]
    else:
        lines += [("", ""), ("The files are the same", "weak")]
    return lines


def _plain(value: Any) -> str:  # noqa: ANN401
    return "" if value is None else written(value)
