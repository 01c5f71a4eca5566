"""Asks for the file that a log, or a part of it, is written to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.widgets import Input, Static

from launch_tui.domain.text import printable
from launch_tui.tui.screens.base import LaunchModal

if TYPE_CHECKING:
    from textual.app import ComposeResult


class SaveLog(LaunchModal[str]):
    """Returns the path of a file that can be written, or None.

    Args:
        what: What is written, in words.
        begins: The path that stands there at first.
    """

    def __init__(self, what: str, begins: str) -> None:
        super().__init__()
        self._what = what
        self._begins = begins
        self._asked_about = ""

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        with Vertical(classes="dialog save-log") as dialog:
            dialog.border_title = "Save log"
            dialog.border_subtitle = "enter writes  esc closes"
            yield Static(f"Writes {self._what}, to", markup=False, classes="dialog-text")
            line = Input(self._begins, placeholder="path of a file", compact=True)
            line.cursor_blink = False
            yield line
            yield Static("", id="save-log-says", markup=False, classes="hint")

    def on_mount(self) -> None:
        """Give the line the focus."""
        super().on_mount()
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the path if it can be written; say what is wrong with it otherwise."""
        event.stop()
        text = event.value.strip()
        wrong = why_not(text)
        if wrong:
            self._say(wrong)
        elif Path(text).expanduser().exists() and self._asked_about != text:
            self._asked_about = text
            self._say("there is such a file: enter again replaces it")
        else:
            self.dismiss(text)

    def _say(self, words: str) -> None:
        self.query_one("#save-log-says", Static).update(printable(words))


def why_not(text: str) -> str:
    """Return why a path cannot be written; empty when it can."""
    if not text:
        return "path: is empty; a file is wanted"
    path = Path(text).expanduser()
    if path.is_dir():
        return f"path: {path} is a folder; a file is wanted"
    if not path.parent.is_dir():
        return f"path: there is no folder {path.parent}"
    if not os.access(path.parent, os.W_OK):
        return f"path: {path.parent} cannot be written to"
    return ""
