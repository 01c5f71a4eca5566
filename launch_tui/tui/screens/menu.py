"""A small menu: one line each, chosen by cursor, letter or mouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.containers import Vertical

from launch_tui.domain.text import printable
from launch_tui.tui.screens.base import LaunchModal
from launch_tui.tui.widgets.side_list import SideList, SideRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

WIDEST = 76


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what is returned, the letter that chooses it, what it says, and a weak remark."""

    id: str
    key: str
    label: str
    remark: str = ""


class Menu(LaunchModal[str]):
    """Returns the id of the entry that was chosen, or None.

    Args:
        title: A few words.
        entries: The lines.
    """

    def __init__(self, title: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._title = printable(title)
        self._entries = tuple(entries)

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        rows = [
            SideRow(e.id, f"{e.key}  {printable(e.label)}", printable(e.remark)[-WIDEST // 2 :])
            for e in self._entries
        ]
        with Vertical(classes="dialog menu") as dialog:
            dialog.border_title = self._title.replace("[", "\\[")
            lines = SideList(id="menu", classes="")
            lines.show_rows(rows)
            lines.styles.height = len(rows)
            lines.styles.width = min(max(len(r.left) + len(r.right) + 5 for r in rows), WIDEST)
            yield lines

    def on_mount(self) -> None:
        """Give the lines the focus."""
        super().on_mount()
        self.query_one("#menu").focus()

    def on_side_list_chosen(self, event: SideList.Chosen) -> None:
        """Return what was chosen."""
        event.stop()
        self.dismiss(event.key)

    def on_key(self, event: events.Key) -> None:
        """Choose by letter."""
        for entry in self._entries:
            if event.character == entry.key:
                event.stop()
                self.dismiss(entry.id)
                return
