"""Asks for one line: a name for something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.widgets import Input, Static

from launch_tui.domain.text import printable
from launch_tui.tui.screens.base import LaunchModal

if TYPE_CHECKING:
    from textual.app import ComposeResult

LONGEST = 60


class AskName(LaunchModal[str]):
    """Returns what was typed, or None.

    Args:
        title: A few words.
        about: What gets the name, as it is stored.
        placeholder: What is to be typed.
        begins: What stands there at first.
        must_be: The one text that is an answer; empty for any.
    """

    def __init__(
        self, title: str, about: str, *, placeholder: str = "", begins: str = "", must_be: str = ""
    ) -> None:
        super().__init__()
        self._title = printable(title)
        self._about = printable(about)
        self._placeholder = placeholder
        self._begins = begins
        self._must_be = must_be

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        with Vertical(classes="dialog ask-name") as dialog:
            dialog.border_title = self._title.replace("[", "\\[")
            yield Static(self._about, markup=False, classes="dialog-text")
            line = Input(
                self._begins,
                placeholder=self._placeholder,
                max_length=max(LONGEST, len(self._must_be)),
                compact=True,
            )
            line.cursor_blink = False
            yield line

    def on_mount(self) -> None:
        """Give the line the focus."""
        super().on_mount()
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return what was typed."""
        event.stop()
        answer = event.value.strip()
        if self._must_be and answer != self._must_be:
            self.query_one(".dialog-text", Static).update(
                printable(f"This is not {self._must_be}: nothing was done. esc closes")
            )
        elif answer:
            self.dismiss(answer)
