"""Shows a log of any size while it grows: only what is on the screen is read, made safe and drawn.

The file is the model; between frames the view keeps a line index of a few kilobytes. What it needs
from outside is ``source`` (which file) and a call of ``tick`` at each frame. It tells with messages
what the person wants opened.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from launch_tui.tui.widgets.ansi import overlaid, painted, without_colours
from launch_tui.tui.widgets.log_prompt import Prompt
from launch_tui.tui.widgets.log_rows import CELLS, MARK, LogRows, Pattern, Row, pattern_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.style import Style
    from textual import events
    from textual.selection import Selection

    from launch_tui.store.logs import LineSearch

FIRST_BYTES = 1 << 20
"""Bytes indexed before the first drawing: most logs are whole at once."""

FRAME_BYTES = 2 << 20
"""Bytes indexed in one go: about a millisecond."""

COPY_LINES = 10_000
"""Lines of a selection that are copied."""

_STRIPS_KEPT = 1024
_MATCHES_DRAWN = 100
_CUT = " … enter opens the line"


class _Drawn(NamedTuple):
    """One line of the screen: a row of the log, or with wrapping a part of one."""

    row: int
    number: int
    text: str
    start: int
    settled: bool
    cut: bool


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
        self._prompt: Prompt | None = None
        self._search: LineSearch | None = None
        self._pattern: Pattern | None = None
        self._filtered_by: Pattern | None = None
        self._current = MARK
        self._jump_due = False
        self._catching_up = False
        self._pinning = False
        self._seen_rows = 0
        self._generation = 0
        self._widest = 0
        self._window: list[_Drawn] | None = None
        self._strips: dict[tuple[int, int, int, int], Strip] = {}
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
        self._search = self._pattern = self._filtered_by = self._prompt = None
        self._current = MARK
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
        for search in self._searches():
            news = search.advance(FRAME_BYTES) or news
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

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen."""
        width = self.scrollable_size.width
        drawn = self._visible()
        if y < len(drawn):
            strip = self._strip_of(drawn[y], width)
        elif y == 0 and not drawn:
            strip = self._dim_line(self.empty, width)
        else:
            strip = Strip.blank(width, self.rich_style)
        return self._with_notice(strip, width) if y == self.scrollable_size.height - 1 else strip

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

    def _visible(self) -> list[_Drawn]:
        if self._window is None:
            self._window = self._drawn_rows()
            if not self.wrap:
                widest = max(map(self._cells_of, self._window), default=0)
                if widest > self._widest:
                    self._widest = widest
                    self.call_later(self._measure)
        return self._window

    def _cells_of(self, drawn: _Drawn) -> int:
        if drawn.cut:
            return CELLS + len(_CUT)
        if len(drawn.text) * 2 <= self._widest:
            return 0
        return min(CELLS, cell_len(without_colours(drawn.text)))

    def _drawn_rows(self) -> list[_Drawn]:
        rows, height = self._rows, self.scrollable_size.height
        if rows is None or height <= 0:
            return []
        at_end = self.following or self.scroll_offset.y >= self.max_scroll_y
        if at_end and rows.filter is None and not rows.index.complete:
            # The end is known before the lines in front of it are counted.
            last = rows.last(height)
            return self._laid_out(last, MARK - len(last))[-height:]
        first = max(0, rows.count - height) if at_end else self.scroll_offset.y
        drawn = self._laid_out(rows.read(first, height), first)
        return drawn[-height:] if at_end else drawn[:height]

    def _laid_out(self, rows: list[Row], first: int) -> list[_Drawn]:
        drawn: list[_Drawn] = []
        width = max(1, self.scrollable_size.width - self._gutter())
        for at, (number, text, settled) in enumerate(rows, first):
            cut = len(text) > CELLS and len(without_colours(text)) > CELLS
            if not self.wrap:
                drawn.append(_Drawn(at, number, text, 0, settled, cut))
                continue
            start = 0
            for part in _parts(text, width):
                drawn.append(_Drawn(at, number, text, start, settled, cut))
                start += len(part)
        return drawn

    def _strip_of(self, drawn: _Drawn, width: int) -> Strip:
        x = 0 if self.wrap else self.scroll_offset.x
        selection = self.text_selection
        key = (drawn.number, drawn.start, x, width)
        keep = drawn.settled and selection is None and drawn.number != MARK
        if keep and (known := self._strips.get(key)) is not None:
            return known
        strip = self._drawn_strip(drawn, x, width, selection)
        if keep:
            if len(self._strips) >= _STRIPS_KEPT:
                self._strips.clear()
            self._strips[key] = strip
        return strip

    def _drawn_strip(self, drawn: _Drawn, x: int, width: int, selection: Selection | None) -> Strip:
        base = self.rich_style
        if drawn.number == MARK and drawn.row >= 0:
            return self._dim_line(drawn.text, width)
        gutter = self._gutter()
        room = max(1, width - gutter)
        # Cells are never fewer than characters that take room, so this many fill the width.
        reach = drawn.start + x + 2 * room
        segments = painted(drawn.text, base, min(CELLS, reach))
        segments = self._marked(drawn, segments, selection)
        if drawn.cut and reach >= CELLS:
            segments.append(Segment(_CUT, self._look("dim")))
        strip = Strip(segments)
        if self.wrap and drawn.start:
            x = cell_len(without_colours(drawn.text)[: drawn.start])
        strip = strip.apply_offsets(0, drawn.row).crop_extend(x, x + room, base)
        if gutter and drawn.number != MARK:
            label = "" if drawn.start else str(drawn.number + 1)
            strip = Strip.join(
                [Strip([Segment(f"{label:>{gutter - 1}} ", self._look("dim"))], gutter), strip]
            )
        return strip

    def _marked(
        self, drawn: _Drawn, segments: list[Segment], selection: Selection | None
    ) -> list[Segment]:
        """Lay the matches and the selection over a line."""
        if self._pattern is not None:
            look = self._look("current" if drawn.number == self._current else "match")
            text = without_colours(drawn.text)[:CELLS]
            for count, match in enumerate(self._pattern.shown.finditer(text)):
                if count == _MATCHES_DRAWN:
                    break
                segments = overlaid(segments, match.start(), match.end(), look)
        span = selection.get_span(drawn.row) if selection is not None else None
        if span is not None:
            look = self.screen.get_component_rich_style("screen--selection")
            segments = overlaid(segments, span[0], CELLS if span[1] == -1 else span[1], look)
        return segments

    def _with_notice(self, strip: Strip, width: int) -> Strip:
        """Put the prompt, or what came while nobody followed, over the last line."""
        if self._prompt is not None:
            text = self._prompt.shown(width, ascii_only=self.ascii_only)
            return Strip([Segment(text, self._look("pill"))]).adjust_cell_length(
                width, self._look("pill")
            )
        pill = self._pill()
        room = width - len(pill)
        if not pill or room < 0:
            return strip
        return Strip.join(
            [
                strip.crop_extend(0, room, self.rich_style),
                Strip([Segment(pill, self._look("pill"))]),
            ]
        )

    def _pill(self) -> str:
        news = self._rows.count - self._seen_rows if self._rows and not self.following else 0
        if news <= 0:
            return ""
        return f" {'v' if self.ascii_only else '▼'} {news:,} new  G "

    def _dim_line(self, text: str, width: int) -> Strip:
        style = self._look("dim")
        return Strip([Segment(text, style)]).adjust_cell_length(width, self.rich_style)

    def _look(self, part: str) -> Style:
        return self.get_component_rich_style(f"log-view--{part}")

    def _gutter(self) -> int:
        return len(str(self.line_count)) + 1 if self.numbers else 0

    # Growing

    def _is_watched(self) -> bool:
        return self.is_mounted and self.screen in self.app.screen_stack and self.is_on_screen

    def _searches(self) -> list[LineSearch]:
        found = [self._search, self._rows.filter if self._rows else None]
        return [search for search in found if search is not None]

    def _lags(self) -> bool:
        if self._rows is None:
            return False
        return not self._rows.index.complete or any(s.behind for s in self._searches())

    def _catch_up(self) -> None:
        """Index and search the rest in small steps between other work of the UI."""
        if not self._catching_up:
            self._catching_up = True
            self._redraw()
            self.run_worker(self._catch_up_in_steps(), group="log", exit_on_error=True)

    async def _catch_up_in_steps(self) -> None:
        try:
            while self._rows is not None and self._lags():
                self._step()
                await asyncio.sleep(0)
        finally:
            self._catching_up = False
        self._show_news()

    def _step(self) -> None:
        assert self._rows is not None
        index = self._rows.index
        if not index.complete and not index.advance(FRAME_BYTES):
            # The file is shorter than it was a moment ago; the next look will tell.
            index.size = index.scanned
        for search in self._searches():
            search.advance(FRAME_BYTES)
        if self._jump_due and self._jump(1):
            self._jump_due = False
        self._tell()

    def _show_news(self) -> None:
        """Bring the view to what the file has become."""
        rows = self._rows
        self._window = None
        if rows is not None and rows.index.generation != self._generation:
            self._generation = rows.index.generation
            self._seen_rows = self._widest = 0
            self._strips.clear()
        count = rows.count if rows is not None else 0
        self._measure()
        if self.following:
            self._seen_rows = count
            self._pin()
        if self._jump_due and not self._lags():
            self._jump_due = False
            self._jump(1, around=True)
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
        self._strips.clear()
        self._window = None
        self.refresh()

    def _tell(self) -> None:
        status = self._status()
        if status != self.status:
            self.status = status
            self.border_subtitle = Content(status) if status else None

    def _status(self) -> str:
        if self._rows is None:
            return ""
        parts = []
        if not self._rows.index.complete:
            # In tens: each new text costs a drawing of the whole view.
            parts.append(f"indexing {self._rows.index.progress * 10 // 1 * 10:.0f} %")
        if self._filtered_by is not None:
            parts.append(f"&{self._filtered_by.typed} {self._rows.count:,} lines")
        if self._search is not None and self._pattern is not None:
            parts.append(f"/{self._pattern.typed} {self._found(self._search)}")
        return "  ".join(parts)

    def _found(self, search: LineSearch) -> str:
        if search.behind:
            return f"{search.progress:.0%}"
        if not search.matches:
            return "no match"
        at = bisect_left(search.matches, max(self._current, 0)) + 1
        return f"{min(at, len(search.matches)):,} of {len(search.matches):,}"

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
        self.action_move(int(max(1, self.scrollable_size.height - 1) * pages))

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
        if action == "match":
            return self._search is not None
        if action == "clear":
            return self._search is not None or self._filtered_by is not None
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
                self._look_for(prompt.kind, prompt.typed)
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
        self._look_for("/", typed)

    def show_only(self, typed: str) -> None:
        """Show matching lines only, as if typed after ``&``; an empty pattern shows all."""
        self._look_for("&", typed)

    def action_match(self, step: int) -> None:
        """Go to the next or the previous match."""
        self._jump(step, around=True)

    def action_clear(self) -> None:
        """Clear the search, then the filter."""
        if self._search is not None:
            self._look_for("/", "")
        else:
            self._look_for("&", "")

    def _look_for(self, kind: str, typed: str) -> None:
        rows = self._rows
        if rows is None:
            return
        pattern = pattern_of(typed, may_hide=kind == "&")
        found = rows.index.search(pattern.raw) if pattern is not None else None
        if kind == "/":
            self._pattern, self._search = pattern, found
            self._current = MARK
            self._jump_due = found is not None
        else:
            line = rows.line_of(self.scroll_offset.y)
            self._filtered_by, rows.filter = pattern, found
            rows.hides = pattern is not None and pattern.hides
            self._seen_rows = 0
            self._redraw()
            if not self.following:
                self.call_after_refresh(self._go_to_line, line)
        self._redraw()
        if self._lags():
            self._catch_up()
        else:
            self._show_news()

    def _jump(self, step: int, *, around: bool = False) -> bool:
        """Go to the match after or before the current one; False when there is none."""
        if self._search is None or not self._search.matches or self._rows is None:
            return False
        matches = self._search.matches
        here = self._current
        if here == MARK:
            here = max(0, self._rows.line_of(self.scroll_offset.y)) - (step > 0)
        at = bisect_right(matches, here) if step > 0 else bisect_left(matches, here) - 1
        if not 0 <= at < len(matches) and not around:
            return False
        self._current = matches[at % len(matches)]
        self._go_to_line(self._current)
        return True

    def _go_to_line(self, line: int) -> None:
        if self._rows is None:
            return
        row, top, height = (
            self._rows.row_of(line),
            self.scroll_offset.y,
            self.scrollable_size.height,
        )
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
            and offset.y == self.scrollable_size.height - 1
            and offset.x >= self.scrollable_size.width - len(pill)
        ):
            self.action_last()
        elif event.chain == 2:
            # Textual would select the whole log, which may be a gigabyte.
            event.prevent_default()
            drawn = self._visible()
            if offset.y < len(drawn):
                self._open(drawn[offset.y].number)

    def action_open(self) -> None:
        """Open the current match, else the first line that was cut, else the last one in view."""
        drawn = self._visible()
        numbers = {line.number for line in drawn}
        cut = [line.number for line in drawn if line.cut]
        if self._current in numbers and self._current != MARK:
            self._open(self._current)
        elif cut or drawn:
            self._open(cut[0] if cut else drawn[-1].number)

    def _open(self, number: int) -> None:
        if self._rows is not None and number != MARK:
            self.post_message(self.LineOpened(self, number, self._rows.whole(number)))


def _parts(text: str, width: int) -> list[str]:
    plain = without_colours(text)[:CELLS]
    if len(plain) <= width and cell_len(plain) <= width:
        return [plain]
    return chop_cells(plain, width) or [""]
