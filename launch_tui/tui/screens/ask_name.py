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
    """

    def __init__(self, title: str, about: str, *, placeholder: str = "", begins: str = "") -> None:
        super().__init__()
        self._title = printable(title)
        self._about = printable(about)
        self._placeholder = placeholder
        self._begins = begins

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        with Vertical(classes="dialog ask-name") as dialog:
            dialog.border_title = self._title.replace("[", "\\[")
            yield Static(self._about, markup=False, classes="dialog-text")
            line = Input(
                self._begins, placeholder=self._placeholder, max_length=LONGEST, compact=True
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
        if event.value.strip():
            self.dismiss(event.value.strip())
