"""Shows a log of any size while it grows: only what is on the screen is read, made safe and drawn.

The file is the model; between frames the view keeps a line index of a few kilobytes. What it needs
from outside is ``source`` (which file) and a call of ``tick`` at each frame. It tells with messages
what the person wants opened.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from launch_tui.tui.widgets.ansi import without_colours
from launch_tui.tui.widgets.log_drawing import (
    Canvas,
    Drawn,
    LogPainter,
    Overlay,
    cells_of,
    dim_line,
    lay_out,
    matches_in,
)
from launch_tui.tui.widgets.log_find import NOWHERE, Finder
from launch_tui.tui.widgets.log_prompt import Prompt
from launch_tui.tui.widgets.log_rows import CELLS, MARK, LogRows

if TYPE_CHECKING:
    from pathlib import Path

    from rich.style import Style
    from textual import events
    from textual.geometry import Region
    from textual.selection import Selection

FIRST_BYTES = 1 << 20
"""Bytes indexed before the first drawing: most logs are whole at once."""

FRAME_BYTES = 4 << 20
"""Bytes indexed in one go: about two milliseconds."""

SAID_AFTER = 0.5
"""Seconds of indexing after which the border says so: each drawing of it delays the indexing."""

COPY_LINES = 10_000
"""Lines of a selection that are copied."""


class LogView(ScrollView, can_focus=True):
    """A live view of a log file.

    Args:
        source: The file; None shows ``empty``.
        empty: What to show while there is nothing: why, and which key helps.
    """

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log-view--dim",
        "log-view--match",
        "log-view--current",
        "log-view--pill",
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
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="log.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="log.up"),
        Binding("ctrl+d", "page(0.5)", "Half page down", show=False, id="log.half_down"),
        Binding("ctrl+u", "page(-0.5)", "Half page up", show=False, id="log.half_up"),
        Binding("pagedown", "page(1.0)", "Page down", show=False, id="log.page_down"),
        Binding("pageup", "page(-1.0)", "Page up", show=False, id="log.page_up"),
        Binding("g,home", "first", "First", show=False, id="log.first"),
        Binding("G,end", "last", "Last, and follow", show=False, id="log.last"),
        Binding("h,left", "sideways(-1)", "Left", show=False, id="log.left"),
        Binding("l,right", "sideways(1)", "Right", show=False, id="log.right"),
        Binding("F", "follow", "Follow", id="log.follow"),
        Binding("w", "wrap", "Wrap", id="log.wrap"),
        Binding("#,number_sign", "numbers", "Line numbers", show=False, id="log.numbers"),
        Binding("/,slash", "ask('/')", "Search", id="log.search"),
        Binding("&,ampersand", "ask('&')", "Only matching", id="log.filter"),
        Binding("n", "match(1)", "Next match", show=False, id="log.next"),
        Binding("N", "match(-1)", "Previous match", show=False, id="log.previous"),
        Binding("enter", "open", "Open the line", show=False, id="log.open"),
        Binding("escape", "clear", "Clear", show=False, id="log.clear"),
    ]

    following: var[bool] = var(True)
    """Whether the end of the log stays in view."""
    wrap: var[bool] = var(False)
    """Whether long lines go on below; the scroll bar counts whole lines all the same."""
    numbers: var[bool] = var(False)
    """Whether lines carry their numbers."""
    ascii_only: var[bool] = var(False)
    """Whether the view's own marks keep to ASCII."""

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

    def __init__(
        self,
        source: Path | None = None,
        *,
        empty: str = "No output yet",
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.empty = empty
        self.status = ""
        """What stands in the border: indexing, search, filter; for a view without a border."""
        self._rows: LogRows | None = None
        self._source: Path | None = None
        self._finder: Finder | None = None
        self._prompt: Prompt | None = None
        self._painter = LogPainter()
        self._canvas: Canvas | None = None
        self._window: list[Drawn] | None = None
        self._widest = 0
        self._seen_rows = 0
        self._generation = 0
        self._jump_due = False
        self._pinning = False
        self._catching_up = False
        self._behind_since = 0.0
        self.source = source

    @property
    def source(self) -> Path | None:
        """The file that is shown. Setting it is cheap: a preview may follow a cursor."""
        return self._source

    @source.setter
    def source(self, path: Path | None) -> None:
        if path == self._source and self._rows is not None:
            return
        if self._rows is not None:
            self._rows.index.close()
        self._source = path
        self._rows = None if path is None else LogRows(path)
        self._finder = None if self._rows is None else Finder(self._rows)
        self._prompt = None
        self._jump_due = False
        self._painter.forget()
        self._generation = self._widest = self._seen_rows = 0
        self.set_reactive(LogView.following, True)
        if self._rows is not None:
            self._rows.index.advance(FIRST_BYTES)
        if self.is_mounted:
            self._show_news()
            self.scroll_to(x=0, animate=False)

    @property
    def line_count(self) -> int:
        """Lines of the file known so far."""
        return self._rows.index.line_count if self._rows else 0

    @property
    def allow_horizontal_scroll(self) -> bool:
        """Sideways without a bar: it would come and go with the lines in view."""
        return not self.wrap

    def tick(self) -> None:
        """Look at the file and draw what is new: call it at every frame."""
        rows = self._rows
        if rows is None or not self._is_watched():
            return
        news = rows.index.advance(FRAME_BYTES)
        if self._finder is not None:
            news = self._finder.advance(FRAME_BYTES) or news
        if self._lags():
            self._catch_up()
        elif news:
            self._show_news()

    def on_mount(self) -> None:
        """Draw what is there."""
        self._show_news()
        if self._lags():
            self._catch_up()

    def on_unmount(self) -> None:
        """Let go of the file."""
        if self._rows is not None:
            self._rows.index.close()

    def on_resize(self) -> None:
        """Lay out anew, the end staying in view."""
        self._redraw()
        self._pin()

    # Drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines of the screen, the styles being looked up once for all of them."""
        self._canvas = self._new_canvas()
        try:
            return super().render_lines(crop)
        finally:
            self._canvas = None

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen; asked for alone, with the places of its characters."""
        canvas = self._canvas or self._new_canvas()
        lines = self._visible()
        if y < len(lines):
            strip = self._painter.strip(
                lines[y], canvas, self._overlays(lines[y]), offsets=self._canvas is None
            )
        elif y == 0 and not lines:
            strip = dim_line(self.empty, canvas)
        else:
            strip = Strip.blank(canvas.width, canvas.base)
        return self._with_notice(strip, canvas) if y == self.size.height - 1 else strip

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._redraw()

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the selection; text that is being selected stands still."""
        if selection is not None:
            self.following = False
        self._redraw()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text without colours, at most ``COPY_LINES`` lines of it."""
        if self._rows is None:
            return None
        first = selection.start.y if selection.start is not None else 0
        end = selection.end.y + 1 if selection.end is not None else self._rows.count
        lines = []
        for at, row in enumerate(self._rows.read(first, min(end - first, COPY_LINES)), first):
            span = selection.get_span(at)
            text = without_colours(row.text)
            if span is not None:
                lines.append(text[span[0] :] if span[1] == -1 else text[span[0] : span[1]])
        return "\n".join(lines), "\n"

    def _new_canvas(self) -> Canvas:
        gutter = self._gutter()
        return Canvas(
            x=0 if self.wrap else self.scroll_offset.x,
            room=max(1, self.scrollable_size.width - gutter),
            width=self.size.width,
            gutter=gutter,
            base=self.rich_style,
            dim=self._look("dim"),
        )

    def _visible(self) -> list[Drawn]:
        if self._window is None:
            self._window = self._read_window()
            widest = max(map(cells_of, self._window), default=0)
            if widest > self._widest:
                self._widest = widest
                self.call_later(self._measure)
        return self._window

    def _read_window(self) -> list[Drawn]:
        rows, height = self._rows, self.size.height
        if rows is None or height <= 0:
            return []
        wrap_at = max(1, self.scrollable_size.width - self._gutter()) if self.wrap else None
        at_end = self.following or self.scroll_offset.y >= self.max_scroll_y
        if at_end and rows.filter is None and not rows.index.complete:
            # The end is known before the lines in front of it are counted.
            last = rows.last(height)
            return lay_out(last, MARK - len(last), wrap_at)[-height:]
        first = max(0, rows.count - height) if at_end else self.scroll_offset.y
        lines = lay_out(rows.read(first, height), first, wrap_at)
        return lines[-height:] if at_end else lines[:height]

    def _overlays(self, drawn: Drawn) -> list[Overlay]:
        """Return the matches in a line, and over them the selection."""
        overlays: list[Overlay] = []
        finder, selection = self._finder, self.text_selection
        if finder is not None and finder.pattern is not None:
            found = finder.pattern.shown.finditer(without_colours(drawn.text)[:CELLS])
            look = self._look("current" if drawn.number == finder.current else "match")
            overlays = matches_in((match.span() for match in found), look)
        span = selection.get_span(drawn.row) if selection is not None else None
        if span is not None:
            look = self.screen.get_component_rich_style("screen--selection")
            overlays.append(Overlay(span[0], CELLS if span[1] == -1 else span[1], look))
        return overlays

    def _with_notice(self, strip: Strip, canvas: Canvas) -> Strip:
        """Put the prompt, or what came while nobody followed, over the last line."""
        width, pill = canvas.gutter + canvas.room, self._look("pill")
        if self._prompt is not None:
            text = self._prompt.shown(width, ascii_only=self.ascii_only)
            return Strip([Segment(text, pill)]).adjust_cell_length(width, pill)
        text = self._pill()
        if not text or len(text) > width:
            return strip
        return Strip(
            [*strip.crop_extend(0, width - len(text), canvas.base), Segment(text, pill)], width
        )

    def _pill(self) -> str:
        news = self._rows.count - self._seen_rows if self._rows and not self.following else 0
        if news <= 0:
            return ""
        return f" {'v' if self.ascii_only else '▼'} {news:,} new  G "

    def _look(self, part: str) -> Style:
        return self.get_component_rich_style(f"log-view--{part}")

    def _gutter(self) -> int:
        return len(str(self.line_count)) + 1 if self.numbers else 0

    # Growing

    def _is_watched(self) -> bool:
        return self.is_mounted and self.screen in self.app.screen_stack and self.is_on_screen

    def _lags(self) -> bool:
        if self._rows is None or self._finder is None:
            return False
        return not self._rows.index.complete or self._finder.lags

    def _catch_up(self) -> None:
        """Index and search the rest in small steps between other work of the UI."""
        if not self._catching_up:
            self._catching_up = True
            self._behind_since = monotonic()
            self._redraw()
            self.run_worker(self._catch_up_in_steps(), group="log", exit_on_error=True)

    async def _catch_up_in_steps(self) -> None:
        try:
            while self._rows is not None and self._finder is not None and self._lags():
                self._step(self._rows, self._finder)
                await asyncio.sleep(0)
        finally:
            self._catching_up = False
        self._show_news()

    def _step(self, rows: LogRows, finder: Finder) -> None:
        if not rows.index.complete and not rows.index.advance(FRAME_BYTES):
            # The file is shorter than it was a moment ago; the next look will tell.
            rows.index.size = rows.index.scanned
        finder.advance(FRAME_BYTES)
        if self._jump_due and self._jump(1, around=False):
            self._jump_due = False
        self._tell()

    def _show_news(self) -> None:
        """Bring the view to what the file has become."""
        rows = self._rows
        self._window = None
        if rows is not None and rows.index.generation != self._generation:
            self._generation = rows.index.generation
            self._seen_rows = self._widest = 0
            self._painter.forget()
        count = rows.count if rows is not None else 0
        self._measure()
        if self.following:
            self._seen_rows = count
            self._pin()
        if self._jump_due and not self._lags():
            self._jump_due = False
            self._jump(1)
        self._tell()
        self.refresh()

    def _measure(self) -> None:
        """Tell the scroll bars how much there is, as far as lines were seen."""
        count = self._rows.count if self._rows is not None else 0
        size = Size(0 if self.wrap else self._widest + self._gutter(), count)
        if size != self.virtual_size:
            self.virtual_size = size

    def _pin(self) -> None:
        if self.following:
            self._pinning = True
            self.scroll_end(animate=False, immediate=True, x_axis=False)
            self._pinning = False

    def _redraw(self) -> None:
        self._painter.forget()
        self._window = None
        self.refresh()

    def _tell(self) -> None:
        status = self._status()
        if status != self.status:
            self.status = status
            self.border_subtitle = Content(status) if status else None

    def _status(self) -> str:
        if self._rows is None or self._finder is None:
            return ""
        index, parts = self._rows.index, self._finder.status()
        if not index.complete and monotonic() - self._behind_since > SAID_AFTER:
            parts.insert(0, f"indexing {index.progress * 10 // 1 * 10:.0f} %")
        return "  ".join(parts)

    # Moving

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the person scrolls up, follow again at the end."""
        self._window = None
        super().watch_scroll_y(old_value, new_value)
        if not self._pinning and round(old_value) != round(new_value):
            self.following = new_value >= self.max_scroll_y

    def watch_following(self, following: bool) -> None:
        """Go to the end when following begins; count what comes from when it ends."""
        self._window = None
        if self._rows is not None:
            self._seen_rows = self._rows.count
        if following and self.is_mounted:
            self._pin()
        self.refresh()

    def watch_wrap(self) -> None:
        """Lay the lines out anew."""
        if self.is_mounted:
            self._redraw()
            self.scroll_to(x=0, animate=False)
            self._show_news()

    def watch_numbers(self) -> None:
        """Lay the lines out anew."""
        if self.is_mounted:
            self._redraw()
            self._show_news()

    def action_move(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def action_page(self, pages: float) -> None:
        """Scroll by pages or parts of one."""
        self.action_move(int(max(1, self.size.height - 1) * pages))

    def action_sideways(self, steps: int) -> None:
        """Scroll sideways by a third of the width."""
        step = max(1, self.scrollable_size.width // 3)
        self.scroll_to(x=self.scroll_offset.x + steps * step, animate=False)

    def action_first(self) -> None:
        """Go to the first line."""
        self.scroll_to(y=0, animate=False)
        self.following = self.max_scroll_y <= 0

    def action_last(self) -> None:
        """Go to the last line and follow."""
        self.following = True
        self._pin()

    def action_follow(self) -> None:
        """Begin or end following."""
        self.following = not self.following

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.wrap = not self.wrap

    def action_numbers(self) -> None:
        """Show or hide line numbers."""
        self.numbers = not self.numbers

    # Searching

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ``n``, ``N`` and ``escape`` to others while they mean nothing here."""
        finder = self._finder
        if action == "match":
            return finder is not None and finder.pattern is not None
        if action == "clear":
            return finder is not None and (finder.pattern or finder.filter) is not None
        return True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed into the prompt."""
        return self._prompt is not None and character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """Give keys to the prompt while it is open."""
        if self._prompt is None:
            return
        event.stop()
        event.prevent_default()
        if self._prompt.key(event.key, event.character):
            prompt, self._prompt = self._prompt, None
            if prompt.entered:
                (self.search if prompt.kind == "/" else self.show_only)(prompt.typed)
        self.refresh()

    def on_paste(self, event: events.Paste) -> None:
        """Paste into the prompt."""
        if self._prompt is not None:
            event.stop()
            self._prompt.typed += event.text.partition("\n")[0].rstrip("\r")
            self.refresh()

    def on_blur(self) -> None:
        """Close the prompt: keys go elsewhere now."""
        if self._prompt is not None:
            self._prompt = None
            self.refresh()

    def action_ask(self, kind: str) -> None:
        """Open the prompt of the search (``/``) or of the filter (``&``)."""
        if self._rows is not None:
            self._prompt = Prompt(kind)
            self.refresh()

    def search(self, typed: str) -> None:
        """Look for a pattern, as if it had been typed after ``/``; an empty one ends the search."""
        if self._finder is not None:
            self._finder.look_for(typed)
            self._jump_due = self._finder.pattern is not None
            self._look_again()

    def show_only(self, typed: str) -> None:
        """Show matching lines only, as if typed after ``&``; an empty pattern shows all."""
        if self._finder is not None and self._rows is not None:
            line = self._rows.line_of(self.scroll_offset.y)
            self._finder.show_only(typed)
            self._seen_rows = 0
            if not self.following:
                self.call_after_refresh(self._go_to_line, line)
            self._look_again()

    def action_match(self, step: int) -> None:
        """Go to the next or the previous match."""
        self._jump(step)

    def action_clear(self) -> None:
        """Clear the search, then the filter."""
        if self._finder is not None and self._finder.pattern is not None:
            self.search("")
        else:
            self.show_only("")

    def _look_again(self) -> None:
        self._redraw()
        if self._lags():
            self._catch_up()
        else:
            self._show_news()

    def _jump(self, step: int, *, around: bool = True) -> bool:
        """Go to the match after or before the current one; False when there is none."""
        if self._finder is None or self._rows is None:
            return False
        top = max(0, self._rows.line_of(self.scroll_offset.y))
        line = self._finder.go(step, top, around=around)
        if line is not None:
            self._go_to_line(line)
        return line is not None

    def _go_to_line(self, line: int) -> None:
        if self._rows is None:
            return
        row, top, height = self._rows.row_of(line), self.scroll_offset.y, self.size.height
        if not top <= row < top + height - 1:
            self.scroll_to(y=max(0, row - height // 3), animate=False, immediate=True)
        self.following = False
        self._tell()
        self._redraw()

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

    def action_open(self) -> None:
        """Open the current match, else the first line that was cut, else the last one in view."""
        lines = self._visible()
        current = self._finder.current if self._finder is not None else NOWHERE
        cut = [line.number for line in lines if line.cut]
        if current != NOWHERE and any(line.number == current for line in lines):
            self._open(current)
        elif cut or lines:
            self._open(cut[0] if cut else lines[-1].number)

    def _open(self, number: int) -> None:
        if self._rows is not None and number != MARK:
            self.post_message(self.LineOpened(self, number, self._rows.whole(number)))
