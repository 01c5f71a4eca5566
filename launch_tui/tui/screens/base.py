"""What all screens have: the frame around them, live data while they are shown, modal manners.

A screen of the four modes, or one that is pushed onto a mode, derives from ``LaunchScreen``: it
names its ``SCOPES`` (keys.py), composes its body in ``body()`` and asks the store again in
``refresh_live()``, which is called when the store has changed while the screen is shown, and when
it is shown again after a change. What asks or edits derives from ``LaunchModal`` and returns its
answer by ``dismiss``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from launch_tui.tui import keys
from launch_tui.tui.ui import fit_manners, ui
from launch_tui.tui.widgets.key_bar import KeyBar
from launch_tui.tui.widgets.status_bar import StatusBar
from launch_tui.tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from launch_tui.tui.widgets.log_view import LogView

T = TypeVar("T")


class LaunchScreen(Screen[None]):
    """A screen with the bars around its body, that follows the store while it is shown."""

    SCOPES: ClassVar[tuple[str, ...]] = ()
    """The scopes of keys.py whose actions this screen has, most telling first."""
    MODE: ClassVar[str] = ""
    """The mode that the top bar marks while this screen is shown."""
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._stale = True

    def compose(self) -> ComposeResult:
        """Compose the parts."""
        yield TopBar(id="top")
        with Vertical(id="body"):
            yield from self.body()
        yield StatusBar(id="status")
        yield KeyBar(id="keys")
        yield Static("needs 40x10", id="too-small", markup=False)

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        raise NotImplementedError

    def refresh_live(self) -> None:
        """Ask the store again and show what changed; called on the UI's loop, so be quick."""

    def go_back(self) -> bool:
        """Close or clear something of this screen's own; False when there is nothing left."""
        return False

    def refresh_ages(self) -> None:
        """Draw ages anew: a minute has passed while a run was live."""

    @property
    def is_current(self) -> bool:
        """Whether anything of it can be seen: it is on top, or only dialogs let it show through.

        Textual takes the screen below the top for seen even where the top covers it, and then
        draws the whole terminal anew for each change of what is covered.
        """
        for screen in reversed(self.app.screen_stack):
            if screen is self:
                return True
            if screen.styles.background.a == 1:
                return False
        return False

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        fit_manners(self)
        pulse = ui(self).pulse
        pulse.store_changed.subscribe(self, self._store_changed)
        pulse.minute.subscribe(self, self._minute_passed)

    def on_screen_resume(self) -> None:
        """Catch up with what changed while another screen was shown."""
        if self._stale:
            self._stale = False
            self.refresh_live()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what is not to be had here."""
        if ui(self).refuses(action):
            return None
        return super().check_action(action, parameters)

    def on_log_view_line_opened(self, event: LogView.LineOpened) -> None:
        """Show a line of a log whole."""
        from launch_tui.tui.log_acts import show_line

        event.stop()
        show_line(ui(self), event.number, event.text)

    def on_log_view_wanted(self, event: LogView.Wanted) -> None:
        """Do with a log what its view asks for."""
        from launch_tui.tui.log_acts import act_on_log

        event.stop()
        act_on_log(ui(self), event.view, event.what)

    def _store_changed(self, _: None) -> None:
        if self.is_current:
            self.refresh_live()
        else:
            self._stale = True

    def _minute_passed(self, _: None) -> None:
        if self.is_current:
            self.refresh_ages()


class LaunchModal(ModalScreen[T], Generic[T]):
    """A modal: Textual keeps other keys from the screen below; ``escape`` closes it with None."""

    CHANGES: ClassVar[bool] = False
    """Whether it is there to change something, and so is not to be had read-only."""
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "close", "close"),
        keys.same_as("app.leave", "app.app_leave"),
    ]

    def on_mount(self) -> None:
        """Draw as the terminal can."""
        fit_manners(self)
        self._fit_the_terminal()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what is not to be had here."""
        if ui(self).refuses(action):
            return None
        return super().check_action(action, parameters)

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def _fit_the_terminal(self) -> None:
        """Take the classes for the terminal's size, as each resize gives them.

        Textual gives them with the first resize only, which a screen that is pushed while another
        one goes away does not always get.
        """
        size, app = self.app.size, self.app
        for cells, breakpoints in (
            (size.width, app.HORIZONTAL_BREAKPOINTS),
            (size.height, app.VERTICAL_BREAKPOINTS),
        ):
            fitting = [name for least, name in sorted(breakpoints or []) if least <= cells]
            for _, name in breakpoints or []:
                self.set_class(name == fitting[-1], name)
