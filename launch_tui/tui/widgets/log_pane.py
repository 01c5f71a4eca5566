"""Shows a log of any size while it grows: only what is on the screen is read, made safe and drawn.

The file is the model; between frames the pane keeps a line index of a few kilobytes. What it needs
from outside is ``source`` (which file) and a call of ``tick`` at each frame. What a large log has
to fold before its end is found by ``log_folding``, what is looked for in a log is
``log_searching``, what is done with its lines ``log_view``.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Size
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
)
from launch_tui.tui.widgets.log_find import Finder
from launch_tui.tui.widgets.log_rows import CELLS, MARK, LogRows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.style import Style
    from textual.geometry import Region
    from textual.selection import Selection

    from launch_tui.tui.widgets.log_marks import LogMarks

FIRST_BYTES = 1 << 20
"""Bytes indexed before the first drawing: most logs are whole at once."""

FRAME_BYTES = 4 << 20
"""Bytes indexed in one go: about two milliseconds."""

SEARCHED_BYTES = 1 << 20
"""Bytes searched in one go, and looked at for what is to be folded."""

DRAWN_LINES = 4_000
"""Lines of bars that are drawn in one go, about: ten milliseconds."""

ASK_AGAIN_S = 0.01
"""Seconds between two looks at what another process has found."""

SAID_AFTER = 0.5
"""Seconds after which the border tells of the indexing: each drawing of it delays that."""

COPY_LINES = 10_000
"""Lines of a selection that are copied."""


class LogPane(ScrollView, can_focus=True):
    """A live view of a log file.

    Args:
        source: The file; None shows ``empty``.
        empty: What to show while there is nothing: why, and which key helps.
    """

    ALLOW_SELECT = True

    following: var[bool] = var(True)
    """Whether the end of the log stays in view."""
    wrap: var[bool] = var(False)
    """Whether long lines go on below; the scroll bar counts whole lines all the same."""
    numbers: var[bool] = var(False)
    """Whether lines carry their numbers."""
    ascii_only: var[bool] = var(False)
    """Whether the view's own marks keep to ASCII."""

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
        self._painter = LogPainter()
        self._canvas: Canvas | None = None
        self._window: list[Drawn] | None = None
        self._widest = 0
        self._seen_rows = 0
        self._generation = 0
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
        self._let_go()
        self._source = path
        self._rows = None if path is None else LogRows(path, self._kept_marks())
        self._finder = None if self._rows is None else Finder(self._rows)
        self._painter.forget()
        self._generation = self._widest = self._seen_rows = 0
        self.set_reactive(LogPane.following, True)
        if self._rows is not None:
            self._rows.index.advance(FIRST_BYTES)
            self._rows.advance(FIRST_BYTES)
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
        news = self._look_on(rows) or news
        if self._lags():
            self._catch_up()
        elif news:
            self._show_news()

    def on_mount(self) -> None:
        """Draw what is there."""
        if self._rows is not None and (marks := self._kept_marks()) is not None:
            self._rows.share(marks)
        self._show_news()
        if self._lags():
            self._catch_up()

    def on_unmount(self) -> None:
        """Let go of the file."""
        self._let_go()

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
            strip = self._strip_of(lines[y], canvas)
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

    def _strip_of(self, drawn: Drawn, canvas: Canvas) -> Strip:
        alone = self._canvas is None
        return self._painter.strip(drawn, canvas, self._overlays(drawn), offsets=alone)

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
        """Return what lies over a line: what the mouse has selected."""
        overlays: list[Overlay] = []
        selection = self.text_selection
        span = selection.get_span(drawn.row) if selection is not None else None
        if span is not None:
            look = self.screen.get_component_rich_style("screen--selection")
            overlays.append(Overlay(span[0], CELLS if span[1] == -1 else span[1], look))
        return overlays

    def _with_notice(self, strip: Strip, canvas: Canvas) -> Strip:
        """Put what came while nobody followed over the last line."""
        width, pill = canvas.gutter + canvas.room, self._look("pill")
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
        return not self._rows.index.complete or self._rows.folds.behind or self._finder.lags

    def _kept_marks(self) -> LogMarks | None:
        """Return where the application keeps marks; None while this is not part of one."""
        return getattr(self.app, "log_marks", None) if self.is_attached else None

    def _look_on(self, rows: LogRows) -> bool:
        """Fold and search some more; True for news."""
        news = self._in_place(rows, lambda: rows.advance(SEARCHED_BYTES, drawn=DRAWN_LINES))
        if news:
            self._painter.forget()
        finder = self._finder
        if finder is not None and rows.index.complete and not rows.folds.behind:
            news = self._in_place(rows, lambda: finder.advance(SEARCHED_BYTES)) or news
        return news

    def _in_place(self, rows: LogRows, look: Callable[[], bool]) -> bool:
        """Look at more of the file; True for news."""
        return look()

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
                self._step(self._rows)
                elsewhere = self._rows.index.complete and self._finder.waits
                await asyncio.sleep(ASK_AGAIN_S if elsewhere else 0)
        finally:
            self._catching_up = False
        self._show_news()

    def _step(self, rows: LogRows) -> None:
        if not rows.index.complete and not rows.index.advance(FRAME_BYTES):
            # The file is shorter than it was a moment ago; the next look will tell.
            rows.index.size = rows.index.scanned
        self._look_on(rows)
        self._tell()

    def _let_go(self) -> None:
        if self._rows is not None:
            self._rows.close()
        if self._finder is not None:
            self._finder.close()

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

    def action_log_left(self) -> None:
        """Scroll to the left by a third of the width."""
        self._sideways(-1)

    def action_log_right(self) -> None:
        """Scroll to the right by a third of the width."""
        self._sideways(1)

    def action_first(self) -> None:
        """Go to the first line."""
        self.scroll_to(y=0, animate=False)
        self.following = self.max_scroll_y <= 0

    def action_last(self) -> None:
        """Go to the last line and follow."""
        self.following = True
        self._pin()

    def action_log_follow(self) -> None:
        """Begin or end following."""
        self.following = not self.following

    def action_log_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.wrap = not self.wrap

    def action_log_numbers(self) -> None:
        """Show or hide line numbers."""
        self.numbers = not self.numbers

    def _sideways(self, steps: int) -> None:
        step = max(1, self.scrollable_size.width // 3)
        self.scroll_to(x=self.scroll_offset.x + steps * step, animate=False)
