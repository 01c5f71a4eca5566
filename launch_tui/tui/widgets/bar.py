"""One line of text with parts that can be clicked, as the three bars are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

Part = tuple[str, str]
"""Text and its style, such as ``("2 failed", "bold $error")``. The text must be printable."""

Group = Part | list[Part]
"""What is shown together or not at all."""


class Bar(Widget, can_focus=False):
    """One line that is drawn again only when it differs; ``left`` is cut before ``right``.

    What does not fit of the right, where it may have at least the half, is left out from its front.
    """

    DEFAULT_CSS = """
    Bar { height: 1; }
    """
    ALLOW_SELECT = False
    auto_links = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._left: tuple[Group, ...] = ()
        self._right: tuple[Part, ...] = ()

    def show(self, left: Sequence[Group], right: Sequence[Part] = ()) -> None:
        """Show other parts; groups that do not fit are dropped from the left's end."""
        if (tuple(left), tuple(right)) != (self._left, self._right):
            self._left, self._right = tuple(left), tuple(right)
            self.refresh()

    def render(self) -> Content:
        """Lay the parts out in the width that there is."""
        width = self.size.width
        wanted = Content.assemble(
            *(
                part
                for group in self._left
                for part in (group if isinstance(group, list) else [group])
            )
        )
        right = self._right_within(max(width // 2, width - wanted.cell_length))
        left = Content("")
        for group in self._left:
            parts = group if isinstance(group, list) else [group]
            longer = left + Content.assemble(*parts)
            if longer.cell_length > width - right.cell_length:
                break
            left = longer
        gap = width - left.cell_length - right.cell_length
        return left + Content(" " * max(gap, 0)) + right

    def _right_within(self, room: int) -> Content:
        """Return of the right what fits, the last of it first."""
        for first in range(len(self._right)):
            shown = Content.assemble(*self._right[first:])
            if shown.cell_length <= room:
                return shown
        return Content("")


def clickable(style: str, action: str) -> str:
    """Return a style whose text runs an action when it is clicked."""
    return f"{style} @click={action}".strip()
