"""The keys: those of where one is first, then all; made from the table that makes the bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from launch_tui.tui import keys
from launch_tui.tui.screens.base import LaunchModal
from launch_tui.tui.widgets.key_bar import scopes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

KEY_WIDTH = 13
_MOVING = (
    ("j k ↑ ↓", "one line"),
    ("g G", "first, last"),
    ("^d ^u", "half a page"),
    ("pgdn pgup", "a page"),
)


class HelpScreen(LaunchModal[str]):
    """Shows the keys that act on the screen below, then all others."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1,q", "close", "close", show=False),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
        Binding("ctrl+d,pagedown,space", "scroll(10)", "page down", show=False),
        Binding("ctrl+u,pageup", "scroll(-10)", "page up", show=False),
        Binding("g,home", "scroll(-10000)", "first", show=False),
        Binding("G,end", "scroll(10000)", "last", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Compose the text."""
        with VerticalScroll(classes="dialog help", can_focus=False) as dialog:
            dialog.border_title = "Keys"
            dialog.border_subtitle = "esc closes"
            yield Static(Content("\n").join(self._lines()), markup=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(".help").scroll_relative(y=lines, animate=False)

    def _lines(self) -> Iterable[Content]:
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        here = [] if below is None else [s for s in scopes_of(below) if s != "global"]
        own = None if below is None else below.focused
        if own is not None:
            yield from _own_keys(own)
        yield from scope_lines([*here, "global"])
        yield Content.styled("Moving", "bold $secondary")
        for key, words in _MOVING:
            yield _line(key, words)
        others = [scope for scope in keys.SCOPES if scope not in (*here, "global")]
        yield Content("")
        yield Content.styled("─── elsewhere ", "$foreground-muted")
        yield Content("")
        yield from scope_lines(others)


def scope_lines(scopes: Iterable[str]) -> Iterable[Content]:
    """Yield the keys of scopes, each under its heading."""
    for scope in scopes:
        actions = [a for a in keys.of_scopes((scope,)) if a.keys]
        if not actions:
            continue
        yield Content.styled(keys.SCOPES.get(scope, scope), "bold $secondary")
        for action in actions:
            shown = " ".join(keys.shown_key(key) for key in action.keys.split(","))
            yield _line(shown, action.help or action.label, dangerous=action.dangerous)
        yield Content("")


def _own_keys(widget: Widget) -> Iterable[Content]:
    """Yield the keys of a focused pane that the table does not have, such as a log's."""
    known = {action.name for action in keys.ACTIONS}
    plain = ("move", "page", "go", "first", "last", "open", "choose", "scroll", "mark")
    lines = [
        _line(" ".join(keys.shown_key(key) for key in binding.key.split(",")), binding.description)
        for bindings in type(widget).__dict__.get("BINDINGS", ())
        for binding in ([bindings] if isinstance(bindings, Binding) else [])
        if binding.action.partition("(")[0] not in (*known, *plain) and binding.description
    ]
    if lines:
        yield Content.styled("In this pane", "bold $secondary")
        yield from lines
        yield Content("")


def _line(key: str, words: str, *, dangerous: bool = False) -> Content:
    style = "bold $accent" if dangerous and key[:1].isupper() else "bold $primary"
    return Content.assemble((f" {key:{KEY_WIDTH}}", style), " ", words)
