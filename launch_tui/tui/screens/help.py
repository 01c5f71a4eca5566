"""The keys: those of where one is first, then all; made from the table that makes the bindings."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from launch_tui.tui import keys
from launch_tui.tui.screens.base import LaunchModal
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.key_bar import OFF, scopes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from launch_tui.tui.keymap import KeyMap

KEY_WIDTH = 13
WIDEST = 84
"""Cells that the dialog has at most, as its style says."""


class HelpScreen(LaunchModal[str]):
    """Shows the keys that act on the screen below, then all others.

    Args:
        everything: All keys in the order of the table, wherever one is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.same_as("app.help", "close"),
        Binding("q", "close", "close", show=False),
        Binding("space", "scroll(10)", "page down", show=False),
        *keys.moves(
            down="scroll(1)",
            up="scroll(-1)",
            half_down="scroll(10)",
            half_up="scroll(-10)",
            page_down="scroll(10)",
            page_up="scroll(-10)",
            first="scroll(-10000)",
            last="scroll(10000)",
        ),
    ]

    def __init__(self, *, everything: bool = False) -> None:
        super().__init__()
        self._everything = everything

    def compose(self) -> ComposeResult:
        """Compose the text."""
        with VerticalScroll(classes="dialog help", can_focus=False) as dialog:
            dialog.border_title = "All keys" if self._everything else "Keys"
            dialog.border_subtitle = "esc closes"
            yield Static(Content("\n").join(self._lines()), markup=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(".help").scroll_relative(y=lines, animate=False)

    def _lines(self) -> Iterable[Content]:
        app, width = ui(self), self._width
        if self._everything:
            yield from scope_lines(keys.SCOPES, app.keymap, app.refuses, width)
            return
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        here = [] if below is None else [s for s in scopes_of(below) if s != "global"]
        own = None if below is None else below.focused
        if own is not None:
            yield from _own_keys(own)
        everywhere = [*here, "global", "move"]
        yield from scope_lines(everywhere, app.keymap, app.refuses, width)
        others = [scope for scope in keys.SCOPES if scope not in everywhere]
        yield Content.styled("─── elsewhere ", "$foreground-muted")
        yield Content("")
        yield from scope_lines(others, app.keymap, app.refuses, width)

    @property
    def _width(self) -> int:
        """Return for how many cells the dialog has room, its frame and scroll bar taken off."""
        return min(WIDEST, self.app.size.width * 96 // 100) - 7


def scope_lines(
    scopes: Iterable[str], keymap: KeyMap, refuses: Callable[[str], str], width: int = WIDEST
) -> Iterable[Content]:
    """Yield the keys of scopes, each under its heading.

    Args:
        scopes: Their names.
        keymap: The keys that hold.
        refuses: Returns why an action is not to be had, by its name.
        width: Cells in which a line has to fit.
    """
    for scope in scopes:
        actions = [a for a in keys.of_scopes((scope,)) if a.keys]
        if not actions:
            continue
        yield Content.styled(keys.SCOPES.get(scope, scope), "bold $secondary")
        for action in actions:
            shown = " ".join(keys.shown_key(key) for key in keymap.of(action))
            words, refused = action.help or action.label, refuses(action.name)
            if refused:
                yield Content.styled(f" {shown:{KEY_WIDTH}} {words} ({refused})", OFF)
            else:
                yield _line(shown, words, width, dangerous=action.dangerous)
        yield Content("")


def _own_keys(widget: Widget) -> Iterable[Content]:
    """Yield the keys of a focused pane that the table does not have."""
    known = {action.name for action in keys.ACTIONS}
    in_table = {action.id for action in keys.ACTIONS}
    plain = ("move", "page", "go", "first", "last", "open", "choose", "scroll", "mark")
    lines = [
        _line(" ".join(keys.shown_key(key) for key in binding.key.split(",")), binding.description)
        for bindings in type(widget).__dict__.get("BINDINGS", ())
        for binding in ([bindings] if isinstance(bindings, Binding) else [])
        if binding.action.partition("(")[0] not in (*known, *plain)
        and binding.id not in in_table
        and binding.description
    ]
    if lines:
        yield Content.styled("In this pane", "bold $secondary")
        yield from lines
        yield Content("")


def _line(key: str, words: str, width: int = WIDEST, *, dangerous: bool = False) -> Content:
    style = "bold $accent" if dangerous and key[:1].isupper() else "bold $primary"
    lines = textwrap.wrap(words, max(width - KEY_WIDTH - 2, 20))
    rest = f"\n{'':{KEY_WIDTH + 2}}".join(lines)
    return Content.assemble((f" {key:{KEY_WIDTH}}", style), " ", rest)
