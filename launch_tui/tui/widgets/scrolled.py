"""A pane of text that scrolls by the keys that every list has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll

from launch_tui.tui import keys

if TYPE_CHECKING:
    from textual.binding import BindingType


class Scrolled(VerticalScroll, can_focus=True):
    """What is composed into it moves by lines, by halves of what is in view, and to its ends."""

    BINDINGS: ClassVar[list[BindingType]] = list(
        keys.moves(
            down="scroll_down",
            up="scroll_up",
            half_down="half(1)",
            half_up="half(-1)",
            page_down="page_down",
            page_up="page_up",
            first="scroll_home",
            last="scroll_end",
        )
    )

    def action_half(self, halves: int) -> None:
        """Scroll by halves of what is in view."""
        lines = halves * max(self.scrollable_content_region.height // 2, 1)
        self.scroll_relative(y=lines, animate=False)
