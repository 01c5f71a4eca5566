"""A table of any length of which only the rows in view are asked for.

Rows come in pages from whoever has them (a query with an offset and a limit), so a million rows
cost what a screenful costs. The cursor stays on its row, which is known by a key, when rows come
and go around it. Text is made safe here, and no markup is ever read in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, runtime_checkable

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from launch_tui.domain.text import printable
from launch_tui.tui import keys
from launch_tui.tui.widgets.columns import GAP, Column, Placed, fitted, place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual import events
    from textual.binding import BindingType

PAGE = 100
"""Rows asked for at once."""

_PAGES_KEPT = 8
_STRIPS_KEPT = 512
_TEXT_LIMIT = 1024
_MARGIN = 2
_PLAIN = Style.null()


class Cell(NamedTuple):
    """A text and the Rich style it is drawn in."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: a key that stays the same while the row lives, and a cell for each column.

    ``spare`` has texts by the key of a column: where that column is not shown, they stand in the
    flexible one, before its own text.
    """

    key: str
    cells: tuple[Cell | str, ...]
    spare: tuple[tuple[str, str], ...] = ()


class Rows(Protocol):
    """Where rows come from."""

    def count(self) -> int:
        """How many rows there are."""
        ...

    def page(self, offset: int, limit: int) -> Sequence[Row]:
        """Return rows ``offset`` to ``offset + limit``; fewer at the end."""
        ...


@runtime_checkable
class FindsRows(Protocol):
    """Rows that can say where a key is without being read; without it only near rows are found."""

    def find(self, key: str) -> int | None:
        """Return a key's place, None when it is not among the rows."""
        ...


class NoRows:
    """No rows at all."""

    def count(self) -> int:
        """None."""
        return 0

    def page(self, offset: int, limit: int) -> Sequence[Row]:
        """Nothing."""
        return ()


class WindowTable(ScrollView, can_focus=True):
    """A windowed table with a cursor and marks.

    Args:
        columns: The columns, in order.
        rows: Where rows come from; ``reload`` says that they may have changed.
        empty: What to show while there are none: why, and which key helps. May have lines.
        header: Whether the columns' labels are shown.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "window-table--header",
        "window-table--cursor",
        "window-table--mark",
        "window-table--empty",
    }
    DEFAULT_CSS = """
    WindowTable {
        background: $surface;
        color: $text;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        & > .window-table--header { color: $text-muted; text-style: bold; }
        & > .window-table--cursor { background: $panel; text-style: bold; }
        & > .window-table--mark { color: $accent; text-style: bold; }
        & > .window-table--empty { color: $text-muted; }
        &:focus > .window-table--cursor { background: $primary; color: $background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys.moves(
            down="move(1)",
            up="move(-1)",
            half_down="page(0.5)",
            half_up="page(-0.5)",
            page_down="page(1.0)",
            page_up="page(-1.0)",
            first="go(0)",
            last="go(-1)",
        ),
        keys.same_as("list.open", "open"),
        keys.same_as("runs.mark", "mark"),
    ]

    ascii_only: var[bool] = var(False)
    """Whether the table's own marks keep to ASCII."""

    class RowHighlighted(Message):
        """The cursor is on another row; ``key`` is None when there are no rows."""

        def __init__(self, table: WindowTable, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> WindowTable:
            """The table."""
            return self.table

    class RowOpened(RowHighlighted):
        """The person opened a row, with enter or a double click."""

    class MarksChanged(Message):
        """Rows were marked or unmarked: ``table.marks`` has the keys."""

        def __init__(self, table: WindowTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> WindowTable:
            """The table."""
            return self.table

    class HeaderClicked(Message):
        """The person clicked the label of a column."""

        def __init__(self, table: WindowTable, column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> WindowTable:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Rows | None = None,
        *,
        empty: str = "Nothing here",
        header: bool = True,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.marks: set[str] = set()
        """Keys of the marked rows."""
        self._columns = tuple(columns)
        self._source: Rows = rows if rows is not None else NoRows()
        self._empty = empty
        self._header = 1 if header else 0
        self._count = 0
        self._cursor = 0
        self._cursor_key: str | None = None
        self._pages: dict[int, Sequence[Row]] = {}
        self._placed: tuple[Placed, ...] = ()
        self._placed_for: object = None
        self._strips: dict[tuple[Row, bool, bool], Strip] = {}

    @property
    def rows(self) -> Rows:
        """Where rows come from. Another source keeps the cursor's key if it has it."""
        return self._source

    @rows.setter
    def rows(self, rows: Rows) -> None:
        self._source = rows
        if self.is_mounted:
            self.reload()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns; rows must have a cell for each."""
        return self._columns

    @columns.setter
    def columns(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        self._pages.clear()
        self._redraw()

    @property
    def empty(self) -> str:
        """What is shown while there are no rows."""
        return self._empty

    @empty.setter
    def empty(self, text: str) -> None:
        if text != self._empty:
            self._empty = text
            if not self._count:
                self.refresh()

    @property
    def row_count(self) -> int:
        """How many rows there were at the last reload."""
        return self._count

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor, None when there are no rows."""
        return self._cursor_key

    @property
    def cursor_row(self) -> int:
        """The place of the cursor, from 0."""
        return self._cursor

    @property
    def chosen(self) -> list[str]:
        """The marked keys, or the cursor's when none is marked: what a verb acts on."""
        if self.marks:
            return sorted(self.marks)
        return [self._cursor_key] if self._cursor_key is not None else []

    @property
    def keys_in_view(self) -> list[str]:
        """The keys of the rows that are on the screen."""
        return [row.key for at in self._in_view() if (row := self._row(at)) is not None]

    def reload(self) -> None:
        """Ask again for what is in view; draw only the lines that changed."""
        before = {at: self._row(at) for at in self._in_view() if at // PAGE in self._pages}
        top, count = self.scroll_offset.y, self._count
        self._pages.clear()
        self._count = self._source.count()
        self._measure()
        self._keep_cursor(top)
        changed = [at for at in self._in_view() if before.get(at) != self._row(at)]
        if count == self._count and top == self.scroll_offset.y and len(changed) * 2 < len(before):
            for at in changed:
                self.refresh_line(at + self._header)
        else:
            self.refresh()

    def select(self, key: str) -> bool:
        """Put the cursor on a row; False when it is not there."""
        place_of_key = self._find(key, self._cursor)
        if place_of_key is not None:
            self._go(place_of_key)
        return place_of_key is not None

    def mark(self, keys: Iterable[str]) -> None:
        """Mark exactly these rows."""
        self.marks = set(keys)
        self.refresh()
        self.post_message(self.MarksChanged(self))

    def on_mount(self) -> None:
        """Ask for the first page."""
        self.reload()

    def on_resize(self) -> None:
        """Place the columns anew; keep the cursor in view."""
        self._redraw()
        self._show_cursor()

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return the header, a row, or a line of what is said while there are none."""
        width = self.scrollable_size.width
        self._place(width)
        if y < self._header:
            return self._header_strip(width)
        at = self.scroll_offset.y + y - self._header
        if not self._count:
            lines = self._empty.splitlines()
            text = printable(lines[at]) if at < len(lines) else ""
            return self._styled(f"{' ' * _MARGIN}{text}", "empty", width)
        row = self._row(at)
        if row is None:
            return Strip.blank(width, self.rich_style)
        key = (row, at == self._cursor, row.key in self.marks)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= _STRIPS_KEPT:
                self._strips.clear()
            strip = self._strips[key] = self._row_strip(*key, width)
        return strip

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._redraw()

    def watch_ascii_only(self) -> None:
        """Draw with other marks."""
        self._redraw()

    def _header_strip(self, width: int) -> Strip:
        labels = [fitted(placed.column.label, placed, self._ellipsis) for placed in self._placed]
        return self._styled(" " * _MARGIN + (" " * GAP).join(labels), "header", width)

    def _styled(self, text: str, part: str, width: int) -> Strip:
        look = self.rich_style + self.get_component_rich_style(f"window-table--{part}")
        return Strip([Segment(text, look)]).adjust_cell_length(width, look)

    def _row_strip(self, row: Row, under_cursor: bool, marked: bool, width: int) -> Strip:
        base = self.rich_style
        over = self.get_component_rich_style("window-table--cursor") if under_cursor else _PLAIN
        mark = self.get_component_rich_style("window-table--mark")
        sign = ("*" if self.ascii_only else "•") if marked else " "
        segments = [Segment(f"{sign} ", base + mark + over)]
        for number, placed in enumerate(self._placed):
            text, style = _safe(row, placed.index)
            if placed.column.flexible and row.spare:
                text = self._with_spare(row, text)
            if number:
                segments.append(Segment(" " * GAP, base + over))
            look = base + Style.parse(style) + over if style else base + over
            segments.append(Segment(fitted(text, placed, self._ellipsis), look))
        return Strip(segments).adjust_cell_length(width, base + over)

    def _with_spare(self, row: Row, text: str) -> str:
        """Return a flexible cell's text, after what stands in no column of its own."""
        shown = {placed.column.key for placed in self._placed}
        texts = [printable(spare) for key, spare in row.spare if key not in shown]
        return "  ".join(filter(None, (*texts, text)))

    def _place(self, width: int) -> None:
        view = self._in_view()
        longest = [0] * len(self._columns)
        for index, column in enumerate(self._columns):
            if column.whole:
                rows = (self._row(at) for at in view)
                longest[index] = max(
                    (cell_len(_safe(row, index)[0]) for row in rows if row is not None), default=0
                )
        wanted = (self._columns, width, tuple(longest))
        if wanted != self._placed_for:
            self._placed_for = wanted
            self._placed = place(self._columns, width - _MARGIN, longest)
            self._strips.clear()

    @property
    def _ellipsis(self) -> str:
        return "~" if self.ascii_only else "…"

    def _redraw(self) -> None:
        self._placed_for = None
        self._strips.clear()
        self.refresh()

    # Rows

    def _row(self, at: int) -> Row | None:
        if not 0 <= at < self._count:
            return None
        number = at // PAGE
        page = self._pages.get(number)
        if page is None:
            if len(self._pages) >= _PAGES_KEPT:
                del self._pages[next(iter(self._pages))]
            page = self._pages[number] = self._source.page(number * PAGE, PAGE)
        return page[at % PAGE] if at % PAGE < len(page) else None

    def _in_view(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(self._count, top + max(0, self._body_height)))

    @property
    def _body_height(self) -> int:
        return self.scrollable_size.height - self._header

    def _measure(self) -> None:
        size = Size(0, self._count + self._header if self._count else 0)
        if size != self.virtual_size:
            self.virtual_size = size

    def _keep_cursor(self, top: int) -> None:
        """Put the cursor back on its row, at the same height of the screen."""
        before = self._cursor
        found = None if self._cursor_key is None else self._find(self._cursor_key, before)
        self._cursor = min(before, max(0, self._count - 1)) if found is None else found
        moved = self._cursor - before
        # At the top stay there: what is new is what one wants to see come.
        if found is not None and moved and top > 0:
            self.scroll_to(y=top + moved, animate=False, immediate=True)
        self._show_cursor()
        self._highlight()

    def _find(self, key: str, near: int) -> int | None:
        if isinstance(self._source, FindsRows):
            return self._source.find(key)
        for at in _outwards(near, self._count):
            row = self._row(at)
            if row is not None and row.key == key:
                return at
        return None

    # Moving

    def action_move(self, rows: int) -> None:
        """Move the cursor by rows."""
        self._go(self._cursor + rows)

    def action_page(self, pages: float) -> None:
        """Move the cursor by pages or parts of one."""
        self._go(self._cursor + int(max(1, self._body_height - 1) * pages))

    def action_go(self, row: int) -> None:
        """Move the cursor to a row; negative ones count from the end."""
        self._go(row if row >= 0 else self._count + row)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._cursor_key is not None:
            self.post_message(self.RowOpened(self, self._cursor_key))

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor and go to the next."""
        if self._cursor_key is None:
            return
        self.marks ^= {self._cursor_key}
        self.refresh_line(self._cursor + self._header)
        self.post_message(self.MarksChanged(self))
        self.action_move(1)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to a row, open it on the second click; tell of a label."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self._header:
            self._click_header(offset.x)
            return
        at = self.scroll_offset.y + offset.y - self._header
        if at < self._count:
            self._go(at)
            if event.chain == 2:
                self.action_open()

    def _click_header(self, x: int) -> None:
        left = _MARGIN
        for placed in self._placed:
            if left <= x < left + placed.width + GAP:
                self.post_message(self.HeaderClicked(self, placed.column.key))
                return
            left += placed.width + GAP

    def _go(self, row: int) -> None:
        before = self._cursor
        self._cursor = min(max(0, row), max(0, self._count - 1))
        if self._cursor != before:
            self.refresh_line(before + self._header)
            self.refresh_line(self._cursor + self._header)
        self._show_cursor()
        self._highlight()

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, max(1, self._body_height)
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, immediate=True)

    def _highlight(self) -> None:
        row = self._row(self._cursor)
        key = row.key if row is not None else None
        if key != self._cursor_key:
            self._cursor_key = key
            self.post_message(self.RowHighlighted(self, key))


def _safe(row: Row, index: int) -> Cell:
    """Return a cell as it can be drawn; a column that the row lacks is blank."""
    cell = row.cells[index] if index < len(row.cells) else ""
    text, style = cell if isinstance(cell, Cell) else (cell, "")
    return Cell(printable(text[:_TEXT_LIMIT]), style)


def _outwards(near: int, count: int) -> Iterable[int]:
    """Yield places from one on outwards, at most a page to either side."""
    yield near
    for distance in range(1, PAGE + 1):
        if near + distance < count:
            yield near + distance
        if near - distance >= 0:
            yield near - distance
