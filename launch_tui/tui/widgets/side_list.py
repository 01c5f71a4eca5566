"""A short list at the side of a screen: one line each, a cursor, a mark on what is in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from launch_tui.tui import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual import events
    from textual.binding import BindingType


@dataclass(frozen=True, slots=True)
class SideRow:
    """One line: what it stands for, what it says at the left and right, both safe to show.

    ``weak`` lines are dim.
    """

    key: str
    left: str
    right: str = ""
    weak: bool = False


class SideList(ScrollView, can_focus=True):
    """Lines to choose from. ``empty`` is shown when there are none, and names the next key."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "side-list--cursor",
        "side-list--chosen",
        "side-list--dim",
    }
    DEFAULT_CSS = """
    SideList { scrollbar-size-vertical: 1; overflow-x: hidden; }
    SideList > .side-list--cursor { background: $panel; }
    SideList:focus > .side-list--cursor { background: $primary; color: $background; }
    SideList > .side-list--chosen { color: $primary; text-style: bold; }
    SideList > .side-list--dim { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.moves(
            down="move(1)",
            up="move(-1)",
            first="first",
            last="last",
            half_down="page(1)",
            half_up="page(-1)",
            page_down="page(1)",
            page_up="page(-1)",
        ),
        keys.same_as("list.open", "choose"),
    ]

    class Chosen(Message):
        """The person has chosen a line, by enter or a click."""

        def __init__(self, side_list: SideList, key: str) -> None:
            super().__init__()
            self.side_list = side_list
            self.key = key

        @property
        def control(self) -> SideList:
            """The list."""
            return self.side_list

    def __init__(self, *, id: str | None = None, empty: str = "", classes: str = "pane") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.rows: tuple[SideRow, ...] = ()
        self.cursor = 0
        self.chosen = ""
        self.empty = empty
        self.pointer = "▸"

    @property
    def current(self) -> SideRow | None:
        """The line under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def show_rows(self, rows: Sequence[SideRow], chosen: str | None = None) -> None:
        """Show other lines, the cursor staying on what it was on."""
        chosen = self.chosen if chosen is None else chosen
        if (tuple(rows), chosen) == (self.rows, self.chosen):
            return
        key = self.current.key if self.current else None
        self.rows, self.chosen = tuple(rows), chosen
        keys = [row.key for row in self.rows]
        last = max(len(keys) - 1, 0)
        self.cursor = keys.index(key) if key in keys else min(self.cursor, last)
        self.virtual_size = Size(0, len(self.rows))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.scrollable_content_region.width
        at = y + int(self.scroll_offset.y)
        if at >= len(self.rows):
            if at == 0 and self.empty:
                style = self.get_component_rich_style("side-list--dim")
                return Strip([Segment(set_cell_size(f" {self.empty}", width), style)], width)
            return Strip.blank(width, self.rich_style)
        row = self.rows[at]
        right = f"{row.right} " if row.right else ""
        pointer = self.pointer if row.key == self.chosen else " "
        left = set_cell_size(f"{pointer} {row.left}", max(width - cell_len(right), 0))
        if cell_len(f"{pointer} {row.left}") > width - cell_len(right):
            left = set_cell_size(left, max(cell_len(left) - 1, 0)) + "…"
        text = set_cell_size(left + right, width)
        return Strip([Segment(text, self._style_of(at, row))], width)

    def on_click(self, event: events.Click) -> None:
        """Choose the line that was clicked."""
        at = int(event.get_content_offset_capture(self).y + self.scroll_offset.y)
        if 0 <= at < len(self.rows):
            self._go(at)
            self.action_choose()

    def on_focus(self) -> None:
        """Draw the cursor of a list that has the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor of a list that has not."""
        self.refresh()

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self._go(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by half of what is in view."""
        self._go(self.cursor + pages * max(self.size.height // 2, 1))

    def action_first(self) -> None:
        """Go to the first line."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last line."""
        self._go(len(self.rows) - 1)

    def action_choose(self) -> None:
        """Choose the line under the cursor."""
        if self.current is not None:
            self.post_message(self.Chosen(self, self.current.key))

    def _go(self, at: int) -> None:
        self.cursor = max(0, min(at, len(self.rows) - 1))
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False)
        self.refresh()

    def _style_of(self, at: int, row: SideRow) -> Style:
        style = self.rich_style
        if row.weak:
            style += self.get_component_rich_style("side-list--dim", partial=True)
        if row.key == self.chosen:
            style += self.get_component_rich_style("side-list--chosen", partial=True)
        if at == self.cursor and self.has_focus:
            style += self.get_component_rich_style("side-list--cursor", partial=True)
        return style
