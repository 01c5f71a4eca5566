"""What the screens with one list have: a filter that hides what does not match."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.widgets import Input

from launch_tui.domain.text import printable
from launch_tui.tui import keys
from launch_tui.tui.screens.base import LaunchScreen
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.status_bar import StatusBar
from launch_tui.tui.widgets.window_table import Cell, WindowTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from launch_tui.tui.widgets.window_table import Row


class ListScreen(LaunchScreen):
    """A screen whose table can be filtered by words: all of them must be in a row.

    Tables of the class ``aside`` are others.
    """

    BINDINGS: ClassVar[list[BindingType]] = [keys.same_as("app.back", "list_back")]

    filter_in_force = ""
    """The words that are filtered by, for the status bar."""

    def filter_line(self) -> Input:
        """Return the line in which the filter is typed; to be composed below the list."""
        line = Input(id="filter", compact=True, placeholder="words that a row must have")
        line.cursor_blink = False
        return line

    def matching(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the rows that the filter does not hide, and say in the table why none is left."""
        words = self.filter_in_force.lower().split()
        table = self._listed
        if not words:
            table.empty = self.why_empty()
            return rows
        kept = [row for row in rows if all(word in _text(row) for word in words)]
        hidden = f"hides {len(rows):,} rows  {ui(self).key('app.back')}"
        table.empty = f"Filter {printable(self.filter_in_force)} {hidden}"
        return kept

    def why_empty(self) -> str:
        """Return what stands where there is no row, though nothing is filtered."""
        raise NotImplementedError

    def action_list_filter(self) -> None:
        """Type a filter."""
        line = self.query_one("#filter", Input)
        line.add_class("-open")
        line.value = self.filter_in_force
        line.focus()

    def open_detail(self, beside: str) -> None:
        """Go to what the side says of the row; on a narrow terminal it takes the list's place.

        Args:
            beside: What gets the focus where the side is in view anyway.
        """
        if not self.has_class("-narrow"):
            self.query_one(beside).focus()
            return
        self.query_one(".pair").add_class("-detail")
        self.call_after_refresh(self.query_one(".side-pane > .facts").focus)

    def close_detail(self) -> bool:
        """Show the list again; False when it is in view."""
        pair = self.query_one(".pair")
        detailed = pair.has_class("-detail")
        pair.remove_class("-detail")
        if detailed:
            self.call_after_refresh(self._listed.focus)
        return detailed

    def action_list_back(self) -> None:
        """Close the detail or the filter's line and clear the filter; else go back."""
        if self.close_detail():
            return
        line = self.query_one("#filter", Input)
        if line.has_class("-open") or self.filter_in_force:
            line.value = ""
            self._filter("")
            self._close_filter()
        else:
            ui(self).action_app_back()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is being typed."""
        event.stop()
        self._filter(event.value.strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go back to the list."""
        event.stop()
        self._close_filter()

    def _filter(self, text: str) -> None:
        if text != self.filter_in_force:
            self.filter_in_force = text
            self.refresh_live()
            self.query_one(StatusBar).renew()

    def _close_filter(self) -> None:
        self.query_one("#filter").remove_class("-open")
        self._listed.focus()

    @property
    def _listed(self) -> WindowTable:
        return self.query(WindowTable).exclude(".aside").first()


def _text(row: Row) -> str:
    texts = (cell.text if isinstance(cell, Cell) else cell for cell in row.cells)
    return " ".join(texts).lower()
