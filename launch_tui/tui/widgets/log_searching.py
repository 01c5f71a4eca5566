"""What is looked for in a log: by the prompt of a search or a filter, or among the errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from launch_tui.tui import keys
from launch_tui.tui.keymap import KeyMap
from launch_tui.tui.widgets.ansi import without_colours
from launch_tui.tui.widgets.log_drawing import Overlay, matches_in
from launch_tui.tui.widgets.log_find import NOWHERE
from launch_tui.tui.widgets.log_folding import FoldedLog
from launch_tui.tui.widgets.log_prompt import Prompt
from launch_tui.tui.widgets.log_rows import CELLS
from launch_tui.tui.widgets.log_times import line_at_time

if TYPE_CHECKING:
    from textual import events

    from launch_tui.tui.widgets.log_drawing import Canvas, Drawn
    from launch_tui.tui.widgets.log_rows import LogRows


class SearchedLog(FoldedLog):
    """A log in which one looks for things."""

    _prompt: Prompt | None = None
    _said = ""
    """Why a time was not gone to."""
    _held = NOWHERE
    """The line to stay at while a filter gets through the log."""
    _filling = False
    """Whether a filter that was just set has not got through the log."""
    _due = 0
    """Which way to go once something is found: 1, -1, or 0 for nowhere."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed into the prompt."""
        return self._prompt is not None and character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """Give keys to the prompt while it is open."""
        if self._prompt is None and (kind := self._prompt_of(event.key)) is None:
            return
        event.stop()
        event.prevent_default()
        if self._prompt is None:
            # At once: an action would come after the keys that are here already, as over a slow
            # link, and those would then act instead of being typed.
            self._ask(kind or "")
        elif self._prompt.key(event.key, event.character):
            prompt, self._prompt = self._prompt, None
            if prompt.entered:
                answers = {"/": self.search, "&": self.show_only, "@": self.go_to_time}
                answers[prompt.kind](prompt.typed)
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

    def action_log_search(self) -> None:
        """Ask what to look for."""
        self._ask("/")

    def action_log_filter(self) -> None:
        """Ask what to show, or with ``!`` before it what to hide."""
        self._ask("&")

    def action_log_time(self) -> None:
        """Ask for the time to go to."""
        self._ask("@")

    def go_to_time(self, typed: str) -> None:
        """Go to the first line from a time on; say in the border when there is none."""
        if self._rows is None or not typed:
            return
        found = line_at_time(self._rows.index, typed)
        if isinstance(found, str):
            self._said = found
            self._tell()
        else:
            self._go_to_line(found)

    def search(self, typed: str) -> None:
        """Look for a pattern, as if it had been typed after ``/``; an empty one ends the search."""
        if self._finder is not None:
            self._finder.look_for(typed)
            self._due = 1 if self._finder.pattern is not None else 0
            self._look_again()

    def show_only(self, typed: str) -> None:
        """Show matching lines only, as if typed after ``&``; an empty pattern shows all."""
        if self._finder is not None and self._rows is not None:
            line = self._rows.line_of(self.scroll_offset.y)
            self._finder.show_only(typed)
            self._filling = True
            self._held = NOWHERE if self.following else line
            self._look_again()
            self._hold()

    def action_log_next(self) -> None:
        """Go to the next match."""
        self._go_to_match(1)

    def action_log_previous(self) -> None:
        """Go to the match before."""
        self._go_to_match(-1)

    def action_log_next_error(self) -> None:
        """Go to the next line that looks like an error."""
        self._go_to_error(1)

    def action_log_previous_error(self) -> None:
        """Go to the line before that looks like an error."""
        self._go_to_error(-1)

    def clear_one(self) -> bool:
        """Put away what was looked for last: errors, the search, the filter; False for nothing."""
        finder = self._finder
        if finder is None:
            return False
        if finder.at_error:
            finder.forget_errors()
            self._look_again()
        elif finder.pattern is not None:
            self.search("")
        elif finder.filter is not None:
            self.show_only("")
        else:
            return False
        return True

    @property
    def looks_for_something(self) -> bool:
        """Whether there is something to put away."""
        finder = self._finder
        return finder is not None and (
            finder.at_error or (finder.pattern or finder.filter) is not None
        )

    def _prompt_of(self, key: str) -> str | None:
        """Return which prompt a key opens, as the person's keys hold."""
        keymap = getattr(self.app, "keymap", None) or KeyMap()
        for kind, action in (("/", "log.search"), ("&", "log.filter"), ("@", "log.time")):
            if key in keymap.of(keys.BY_ID[action]):
                return kind
        return None

    def _ask(self, kind: str) -> None:
        if self._rows is not None:
            self._said = ""
            self._prompt = Prompt(kind)
            self.refresh()

    def _go_to_match(self, step: int) -> None:
        if self._finder is not None:
            self._finder.at_error = False
            self._jump(step)

    def _go_to_error(self, step: int) -> None:
        finder, rows = self._finder, self._rows
        if finder is None or rows is None:
            return
        finder.look_for_errors()
        top = self._first_line(rows) if step > 0 else self._last_line(rows)
        if finder.lags and (line := finder.error_near(step, top)) is not None:
            self._go_to_line(line)
            self._catch_up()
        elif finder.lags:
            self._due = step
            self._look_again()
        else:
            self._jump(step)

    def _jump(self, step: int, *, around: bool = True) -> bool:
        """Go to the match after or before the current one; False when there is none."""
        if self._finder is None or self._rows is None:
            return False
        rows = self._rows
        top = self._first_line(rows) if step > 0 else self._last_line(rows)
        line = self._finder.go(step, top, around=around)
        if line is not None:
            self._go_to_line(line)
        else:
            self._tell()
        return line is not None

    def _first_line(self, rows: LogRows) -> int:
        return max(0, rows.line_of(self.scroll_offset.y))

    def _last_line(self, rows: LogRows) -> int:
        """Return the line below the last one in view."""
        row = min(self.scroll_offset.y + self.size.height, rows.count) - 1
        return max(0, rows.line_of(max(0, row))) + 1

    def _go_to_line(self, line: int) -> None:
        if self._rows is None:
            return
        self._go_to_row(self._rows.row_of(line))

    def _go_to_row(self, row: int) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if not top <= row < top + height - 1:
            self.scroll_to(y=max(0, row - height // 3), animate=False, immediate=True)
        self.following = False
        self._tell()
        self._redraw()

    def _hold(self) -> None:
        """Stay where one was when a filter was set, unless one has moved meanwhile."""
        if self._held != NOWHERE:
            self._go_to_line(self._held)
            if not self._filling:
                self._held = NOWHERE

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the person scrolls up, follow again at the end."""
        if not self._filling:
            self._held = NOWHERE
        super().watch_scroll_y(old_value, new_value)

    def watch_following(self, following: bool) -> None:
        """Go to the end when following begins; count what comes from when it ends."""
        if following:
            self._held = NOWHERE
        super().watch_following(following)

    def _status(self) -> str:
        return "  ".join(filter(None, (self._said, super()._status())))

    def _look_again(self) -> None:
        self._redraw()
        if self._lags():
            self._catch_up()
        else:
            self._show_news()

    def _step(self, rows: LogRows) -> None:
        super()._step(rows)
        # Backwards only what is found in the end is the nearest.
        if self._due > 0 and self._jump(1, around=False):
            self._due = 0

    def _show_news(self) -> None:
        super()._show_news()
        if self._filling and self._rows is not None:
            # What a filter leaves is not new: only what comes once it is through.
            self._filling = self._lags()
            self._seen_rows = self._rows.count
            self._hold()
        if self._due and not self._lags():
            step, self._due = self._due, 0
            self._jump(step)

    def _overlays(self, drawn: Drawn) -> list[Overlay]:
        """Return the matches in a line, and over them the selection."""
        finder = self._finder
        overlays: list[Overlay] = []
        if finder is not None and finder.pattern is not None:
            found = finder.pattern.shown.finditer(without_colours(drawn.text)[:CELLS])
            look = self._look("current" if drawn.number == finder.current else "match")
            overlays = matches_in((match.span() for match in found), look)
        if finder is not None and finder.at_error and drawn.number == finder.current:
            overlays.append(Overlay(0, CELLS, self._look("current")))
        return overlays + super()._overlays(drawn)

    def _with_notice(self, strip: Strip, canvas: Canvas) -> Strip:
        """Put the prompt, if it is open, over the last line."""
        if self._prompt is None:
            return super()._with_notice(strip, canvas)
        width, pill = canvas.gutter + canvas.room, self._look("pill")
        text = self._prompt.shown(width, ascii_only=self.ascii_only)
        return Strip([Segment(text, pill)]).adjust_cell_length(width, pill)
