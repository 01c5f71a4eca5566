"""The last line: the keys that do something here, from the table in keys.py; a click is a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.tui import keys
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import Bar, Group, Part, clickable

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from launch_tui.tui.keys import Action


ALWAYS = ("app.help", "app.palette")
OFF = "$foreground 30% strike"
"""How an action looks that is not to be had: by more than its colour."""


class KeyBar(Bar):
    """The actions of the screen and of the focused widget that have a place in the footer.

    Help and palette, by which all others are found, stand at the right whatever there is room for.
    """

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.renew())
        self.renew()

    def renew(self) -> None:
        """Show the keys that act now."""
        actions = footer_actions(self.screen)
        left: list[Group] = [(" ", ""), *(self._parts(action) for action in actions)]
        self.show(left, [part for name in ALWAYS for part in self._parts(keys.BY_ID[name])])

    def _parts(self, action: Action) -> list[Part]:
        app = ui(self)
        refused = app.refuses(action.name)
        click = "app.nothing()" if refused else f"app.press('{app.keymap.of(action)[0]}')"
        strong, weak = (OFF, OFF) if refused else ("bold $primary", "$foreground 60%")
        return [
            (f"{app.key(action.id)} ", clickable(strong, click)),
            (f"{action.label}   ", clickable(weak, click)),
        ]


def scopes_of(screen: DOMNode) -> tuple[str, ...]:
    """Return the scopes whose keys act on a screen now, that of the focused widget first."""
    focused = getattr(screen, "focused", None)
    own = getattr(focused, "SCOPES", ())
    return tuple(dict.fromkeys((*own, *getattr(screen, "SCOPES", ()), "global")))


def footer_actions(screen: DOMNode) -> list[Action]:
    """Return what the footer shows on a screen, by rank, but for what it always shows.

    A key that the focused widget takes is not shown with what the screen does by it.
    """
    keymap, taken = ui(screen).keymap, set[str]()
    shown = []
    for scope in scopes_of(screen):
        actions = [a for a in keys.of_scopes((scope,)) if not taken & set(keymap.of(a))]
        shown += [a for a in actions if a.footer and a.id not in ALWAYS]
        taken |= {key for action in actions for key in keymap.of(action)}
    return sorted(shown, key=lambda action: action.footer)
