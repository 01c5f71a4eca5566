"""Lines of text in a style each, of any number: only those in view are made safe and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from launch_tui.domain.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 2_000
_TAB = 4


class TextLines(ScrollView, can_focus=True):
    """The lines. ``STYLES`` of a line are the names of component classes: ``text-lines--added``."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "text-lines--added",
        "text-lines--removed",
        "text-lines--heading",
        "text-lines--weak",
    }
    DEFAULT_CSS = """
    TextLines {
        background: $background; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;
        & > .text-lines--added { color: $primary; }
        & > .text-lines--removed { color: $error; }
        & > .text-lines--heading { color: $secondary; text-style: bold; }
        & > .text-lines--weak { color: $text-muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", "down", show=False),
        Binding("k,up", "scroll_up", "up", show=False),
        Binding("g,home", "scroll_home", "first", show=False),
        Binding("G,end", "scroll_end", "last", show=False),
        Binding("ctrl+d,pagedown", "page_down", "page down", show=False),
        Binding("ctrl+u,pageup", "page_up", "page up", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[tuple[str, str]] = ()
        """Each text with its style: ``added``, ``removed``, ``heading``, ``weak`` or empty."""

    def show(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show other lines, from the first."""
        if list(lines) == list(self.lines):
            return
        self.lines = lines
        widest = max((cell_len(text[:_LONGEST].expandtabs(_TAB)) for text, _ in lines), default=0)
        self.virtual_size = Size(widest, len(lines))
        self.scroll_to(0, 0, animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        at, left = y + self.scroll_offset.y, self.scroll_offset.x
        width, base = self.scrollable_size.width, self.rich_style
        if at >= len(self.lines):
            return Strip.blank(width, base)
        text, style = self.lines[at]
        look = base
        if style:
            look += self.get_component_rich_style(f"text-lines--{style}", partial=True)
        shown = printable(text[:_LONGEST].expandtabs(_TAB))
        return Strip([Segment(shown, look)]).crop_extend(left, left + width, base)


def diff_lines(text: str) -> list[tuple[str, str]]:
    """Return a unified diff as lines with their styles."""
    return [(line, _diff_style(line)) for line in text.splitlines()]


def _diff_style(line: str) -> str:
    if line.startswith(("---", "+++", "diff ", "index ")):
        return "heading"
    if line.startswith("@@"):
        return "weak"
    return {"+": "added", "-": "removed"}.get(line[:1], "")
