"""A log with everything one does with it: mark, select, copy, save, open a line or a pager.

What is done outside of the view (the clipboard, files, other screens) is asked for by messages,
which ``log_acts`` carries out.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from launch_tui.tui import keys
from launch_tui.tui.widgets.ansi import without_colours
from launch_tui.tui.widgets.log_find import NOWHERE
from launch_tui.tui.widgets.log_pane import COPY_LINES
from launch_tui.tui.widgets.log_rows import MARK, spot_of
from launch_tui.tui.widgets.log_searching import SearchedLog

if TYPE_CHECKING:
    from textual import events

    from launch_tui.tui.widgets.log_drawing import Canvas, Drawn
    from launch_tui.tui.widgets.log_rows import LogRows, Spot

_LINE = "─"
_MARK_WIDTH = 40


class LogView(SearchedLog):
    """A live view of a log file.

    Args:
        source: The file; None shows ``empty``.
        empty: What to show while there is nothing: why, and which key helps.
    """

    SCOPES: ClassVar[tuple[str, ...]] = ("log",)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log-view--dim",
        "log-view--match",
        "log-view--current",
        "log-view--pill",
        "log-view--chosen",
    }
    DEFAULT_CSS = """
    LogView {
        background: $surface;
        color: $text;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        & > .log-view--dim { color: $text-muted; }
        & > .log-view--match { background: $warning 40%; }
        & > .log-view--current { background: $accent; color: black; }
        & > .log-view--pill { background: $primary; color: $background; text-style: bold; }
        & > .log-view--chosen { background: $primary 40%; }
        &:ansi > .log-view--chosen { text-style: reverse; background: ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.bindings("log"),
        *keys.moves(
            down="move(1)",
            up="move(-1)",
            half_down="page(0.5)",
            half_up="page(-0.5)",
            page_down="page(1.0)",
            page_up="page(-1.0)",
            first="first",
            last="last",
        ),
        Binding("escape", "clear", show=False),
    ]

    class LineOpened(Message):
        """The person wants to see one line whole: ``text`` is safe to show, with its colours."""

        def __init__(self, view: LogView, number: int, text: str) -> None:
            super().__init__()
            self.view = view
            self.number = number
            self.text = text

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

    class Wanted(Message):
        """The person wants something done with the log: ``copy``, ``save`` or ``pager``."""

        def __init__(self, view: LogView, what: str) -> None:
            super().__init__()
            self.view = view
            self.what = what

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

    _anchor = 0
    _cursor = NOWHERE
    """The row that lines are chosen up to; ``NOWHERE`` while none are chosen."""

    # Choosing lines

    @property
    def chosen(self) -> range:
        """The rows that are chosen by ``v``; empty while none are."""
        if self._cursor == NOWHERE:
            return range(0)
        return range(min(self._anchor, self._cursor), max(self._anchor, self._cursor) + 1)

    def chosen_text(self) -> str:
        """Return the chosen lines without colours, at most ``COPY_LINES`` of them."""
        rows = self.chosen
        if self._rows is None or not rows:
            return ""
        found = self._rows.read(rows.start, min(len(rows), COPY_LINES))
        return "\n".join(without_colours(row.text) for row in found)

    def chosen_lines(self) -> range:
        """Return the lines of the file from the first to the last chosen one."""
        rows = self.chosen
        if self._rows is None or not rows:
            return range(0)
        numbers = [self._rows.line_of(row) for row in (rows.start, rows[-1])]
        return range(max(0, numbers[0]), max(numbers) + 1)

    @property
    def row_count(self) -> int:
        """Rows that are shown."""
        return self._rows.count if self._rows is not None else 0

    @property
    def byte_count(self) -> int:
        """Bytes of the file known so far."""
        return self._rows.index.size if self._rows is not None else 0

    def span_of(self, lines: range) -> tuple[int, int]:
        """Return where lines begin and end in the file."""
        if self._rows is None or not lines:
            return 0, 0
        index = self._rows.index
        return index.offset_of(lines.start), index.offset_of(lines.stop)

    def filtered_bits(self) -> tuple[bytes, bool] | None:
        """Return the lines that the filter found as bits, and whether it hides them."""
        if self._rows is None or self._rows.filter is None:
            return None
        return self._rows.filter.matches.copy_of_bits(), self._rows.hides

    def action_log_select(self) -> None:
        """Choose lines from here on: from the current match, else the last line in view."""
        lines = self._visible()
        if not lines:
            return
        if self._cursor == NOWHERE:
            current = self._finder.current if self._finder is not None else NOWHERE
            here = [line.row for line in lines if line.number == current != NOWHERE]
            self._cursor = here[0] if here else lines[-1].row
        self._anchor = self._cursor
        self.following = False
        self._tell()
        self._redraw()

    def action_log_yank(self) -> None:
        """Copy the chosen lines."""
        self.post_message(self.Wanted(self, "copy"))

    def choose_none(self) -> None:
        """Choose lines no more."""
        self._cursor = NOWHERE
        self._tell()
        self._redraw()

    def action_move(self, lines: int) -> None:
        """Move by lines: the end of what is chosen, else the view."""
        if self._cursor == NOWHERE:
            super().action_move(lines)
        else:
            self._choose_up_to(self._cursor + lines)

    def action_first(self) -> None:
        """Go to the first line."""
        if self._cursor == NOWHERE:
            super().action_first()
        else:
            self._choose_up_to(0)

    def action_last(self) -> None:
        """Go to the last line and follow, unless lines are being chosen."""
        if self._cursor == NOWHERE:
            super().action_last()
        elif self._rows is not None:
            self._choose_up_to(self._rows.count - 1)

    def _choose_up_to(self, row: int) -> None:
        count = self._rows.count if self._rows is not None else 0
        self._cursor = row = max(0, min(row, count - 1))
        shown = [line.row for line in self._visible()] or [row]
        if row < shown[0]:
            self.scroll_to(y=row, animate=False, immediate=True)
        elif row > shown[-1]:
            # Wrapped lines take more room: as many rows as were in view are.
            self.scroll_to(y=row - shown[-1] + shown[0], animate=False, immediate=True)
        self.following = False
        self._tell()
        self._redraw()

    def _held_rows(self, rows: LogRows) -> list[Spot]:
        held = super()._held_rows(rows)
        if held and self._cursor != NOWHERE:
            held += [spot_of(rows, row) for row in (self._anchor, self._cursor)]
        return held

    def _hold_rows(self, rows: LogRows, held: list[Spot]) -> None:
        super()._hold_rows(rows, held)
        if held[1:]:
            self._anchor, self._cursor = (spot.row_in(rows) for spot in held[1:])

    def _go_to_row(self, row: int) -> None:
        if self._cursor != NOWHERE:
            self._cursor = row
        super()._go_to_row(row)

    def _status(self) -> str:
        chosen = len(self.chosen)
        said = f"{chosen:,} line{'s' * (chosen != 1)}: y copies, W saves" if chosen else ""
        return "  ".join(filter(None, (said, super()._status())))

    def _strip_of(self, drawn: Drawn, canvas: Canvas) -> Strip:
        strip = super()._strip_of(drawn, canvas)
        if drawn.row not in self.chosen:
            return strip
        # Over the line's own colours, and where it is blank as well.
        return Strip(Segment.apply_style(strip, post_style=self._look("chosen")), strip.cell_length)

    # Acting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave keys to others while they mean nothing here."""
        refuses = getattr(self.app, "refuses", None)
        if refuses is not None and refuses(action):
            return None
        finder = self._finder
        if action in ("log_next", "log_previous"):
            return finder is not None and finder.pattern is not None
        if action == "log_yank":
            return self._cursor != NOWHERE
        if action == "clear":
            return self._cursor != NOWHERE or self.looks_for_something
        return True

    def action_clear(self) -> None:
        """Choose no lines any more; then put away errors, search and filter, one by one."""
        if self._cursor != NOWHERE:
            self.choose_none()
        else:
            self.clear_one()

    def show_only(self, typed: str) -> None:
        """Show matching lines only, as if typed after ``&``; an empty pattern shows all."""
        self._cursor = NOWHERE
        super().show_only(typed)

    def action_log_mark(self) -> None:
        """Put a line with the time below the last line: what comes next is new."""
        if self._rows is None:
            return
        clock = getattr(self.app, "clock", time.time)
        at = time.strftime("%H:%M:%S", time.localtime(clock()))
        line = ("-" if self.ascii_only else _LINE) * _MARK_WIDTH
        self._rows.mark(f"{line[:4]} {at} {line[: _MARK_WIDTH - len(at) - 6]}")
        self._painter.forget()
        self._show_news()

    def action_log_save(self) -> None:
        """Write the log, or what is shown or chosen of it, to a file."""
        if self._rows is not None:
            self.post_message(self.Wanted(self, "save"))

    def action_log_pager(self) -> None:
        """Open the log in the person's pager."""
        if self._rows is not None:
            self.post_message(self.Wanted(self, "pager"))

    # Opening

    def on_click(self, event: events.Click) -> None:
        """Open a line on a double click; go to the end on a click on the pill."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        pill = self._pill()
        if (
            pill
            and offset.y == self.size.height - 1
            and offset.x >= self.scrollable_size.width - len(pill)
        ):
            self.action_last()
        elif event.chain == 2:
            # Textual would select the whole log, which may be a gigabyte.
            event.prevent_default()
            lines = self._visible()
            if offset.y < len(lines):
                self._open(lines[offset.y].number)

    def action_log_open(self) -> None:
        """Open the current match, else the first line that was cut, else the last one in view."""
        lines = self._visible()
        current = self._finder.current if self._finder is not None else NOWHERE
        cut = [line.number for line in lines if line.cut]
        at_cursor = [line.number for line in lines if line.row == self._cursor]
        if at_cursor:
            self._open(at_cursor[0])
        elif current != NOWHERE and any(line.number == current for line in lines):
            self._open(current)
        elif cut or lines:
            self._open(cut[0] if cut else lines[-1].number)

    def _open(self, number: int) -> None:
        if self._rows is not None and number != MARK:
            self.post_message(self.LineOpened(self, number, self._rows.whole(number)))
