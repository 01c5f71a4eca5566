"""A line in which a filter is typed, at the foot of a pane; what it finds is shown meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from launch_tui.domain.text import printable
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.log_prompt import Prompt

if TYPE_CHECKING:
    from textual import events


class FilterLine(Widget, can_focus=True):
    """The line; it is there while one types."""

    DEFAULT_CSS = """
    FilterLine { height: 1; display: none; background: $surface; color: $primary; }
    FilterLine.-open { display: block; }
    """

    class Changed(Message):
        """Something else is typed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Done(Message):
        """The person is done: enter keeps what is typed, escape does not."""

        def __init__(self, text: str, *, kept: bool) -> None:
            super().__init__()
            self.text = text
            self.kept = kept

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._prompt = Prompt("/")

    def open(self, text: str) -> None:
        """Begin to type, with what is in force already."""
        self._prompt = Prompt("/")
        self._prompt.typed = text
        self.add_class("-open")
        self.focus()
        self.refresh()

    def render(self) -> Content:
        """Return what is typed, as far as it fits."""
        shown = self._prompt.shown(self.size.width, ascii_only=ui(self).ascii_only)
        return Content(printable(shown))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed."""
        return character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """Type."""
        event.stop()
        event.prevent_default()
        if self._prompt.key(event.key, event.character):
            self._close(kept=self._prompt.entered)
            return
        self.post_message(self.Changed(self._prompt.typed))
        self.refresh()

    def on_paste(self, event: events.Paste) -> None:
        """Paste."""
        event.stop()
        self._prompt.typed += event.text.partition("\n")[0].rstrip("\r")
        self.post_message(self.Changed(self._prompt.typed))
        self.refresh()

    def on_blur(self) -> None:
        """Keep what is typed: keys go elsewhere now."""
        if self.has_class("-open"):
            self._close(kept=True)

    def _close(self, *, kept: bool) -> None:
        self.remove_class("-open")
        self.post_message(self.Done(self._prompt.typed, kept=kept))
