"""A page of facts about one thing: headings, names with values, lines of prose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from launch_tui.domain.text import printable
from launch_tui.tui.widgets.scrolled import Scrolled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME_WIDTH = 12
LONGEST_NAME = 28


class Facts(Scrolled):
    """A page that scrolls. What is shown is drawn again only when it differs."""

    def __init__(self, *, id: str, title: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes="pane facts")
        self.border_title = Content(title)
        self._shown = Content("")
        self._text = Static("", markup=False)

    def compose(self) -> Iterable[Static]:
        """Compose the text."""
        yield self._text

    def show(self, lines: Sequence[Content], title: str = "") -> None:
        """Show other lines."""
        text = Content("\n").join(lines)
        if text != self._shown or text.spans != self._shown.spans:
            self._shown = text
            self._text.update(text)
        if title:
            self.border_title = Content(printable(title))


def heading(text: str) -> list[Content]:
    """Return a heading with a blank line before it."""
    return [Content(""), Content.styled(printable(text), "bold $secondary")]


def fact(name: str, value: str, style: str = "", *, width: int = NAME_WIDTH) -> Content:
    """Return a name and its value on one line."""
    label = printable(name)[:LONGEST_NAME].ljust(width)
    return Content.assemble((f"{label} ", "$foreground-muted"), (printable(value), style))


def facts(pairs: Sequence[tuple[str, str]]) -> list[Content]:
    """Return names with their values, aligned."""
    width = max((min(len(name), LONGEST_NAME) for name, _ in pairs), default=0)
    return [fact(name, value, width=width) for name, value in pairs]


def weak(text: str) -> Content:
    """Return a line that is a remark."""
    return Content.styled(printable(text), "$foreground-muted")
