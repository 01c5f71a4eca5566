"""One line of a log, whole: wrapped, to be scrolled and copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import chop_cells
from textual.containers import Vertical

from launch_tui.tui import keys
from launch_tui.tui.screens.base import LaunchModal
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.ansi import without_colours
from launch_tui.tui.widgets.text_lines import TextLines

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

_AROUND = 12
"""Cells that the dialog takes at the sides."""
_WRAPPED = 200_000
"""Characters that are shown; ``y`` copies all."""


class LineScreen(LaunchModal[str]):
    """Shows a line.

    Args:
        number: Its number, from 0.
        text: The line, safe to show.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,enter", "close", "close"),
        keys.same_as("app.copy", "copy"),
    ]

    def __init__(self, number: int, text: str) -> None:
        super().__init__()
        self._number = number
        self._text = without_colours(text)

    def compose(self) -> ComposeResult:
        """Compose the text."""
        with Vertical(classes="dialog whole-line") as dialog:
            dialog.border_title = f"Line {self._number + 1:,}  {len(self._text):,} characters"
            dialog.border_subtitle = f"{ui(self).key('app.copy')} copies  esc closes"
            yield TextLines(id="whole-line")

    def on_mount(self) -> None:
        """Wrap the line to the width that there is."""
        super().on_mount()
        lines = self.query_one(TextLines)
        width = max(self.app.size.width - _AROUND, 20)
        lines.show([(part, "") for part in _wrapped(self._text[:_WRAPPED], width)])
        lines.styles.width = width + 1
        lines.styles.height = min(len(lines.lines), max(self.app.size.height - 8, 3))
        lines.focus()

    def action_copy(self) -> None:
        """Copy the line."""
        ui(self).copy(self._text)


def _wrapped(text: str, width: int) -> list[str]:
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)] or [""]
    return chop_cells(text, width) or [""]
