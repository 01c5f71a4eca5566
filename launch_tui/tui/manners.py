"""How the UI behaves on a terminal that is the person's: its title, colours, motion, and news.

What a person wants stands in ``ui.yaml`` (settings.py), what fits the terminal is found out
(fitting.py), and the palette changes it for as long as the UI is open. The terminal gets its title
back when the UI leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError, UsageError
from launch_tui.tui import settings, theme
from launch_tui.tui.ascii_filter import AsciiFilter
from launch_tui.tui.news import NewsTeller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.filter import LineFilter

    from launch_tui.store.paths import Home
    from launch_tui.tui.app import LaunchApp
    from launch_tui.tui.fitting import Fitting
    from launch_tui.tui.glance import Glance

SAVE_TITLE, RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"
_TOLD_S = 10.0


class Manners:
    """The settings that hold, and what follows from them.

    Args:
        app: The application, which need not have begun.
        home: The data directory.
        fits: What fits its terminal.
        ascii_only: Whether ASCII was asked for when it was started.
    """

    def __init__(self, app: LaunchApp, home: Home, fits: Fitting, *, ascii_only: bool) -> None:
        self._app = app
        self._fits = fits
        self._asked_for_ascii = ascii_only
        self._title = ""
        self._ascii_filter = AsciiFilter()
        self._focus_is_told = False
        self.problem = ""
        """What is wrong with the file of settings; empty when nothing is."""
        self.settings = settings.UiSettings()
        try:
            self.settings = settings.load(home)
        except UsageError as error:
            self.problem = str(error)
        self._compact = self.settings.compact

    @property
    def theme(self) -> str:
        """The theme to begin with."""
        chosen = self.settings.theme
        return self._fits.theme if chosen == settings.AUTO else chosen

    @property
    def ascii_only(self) -> bool:
        """Whether to draw with ASCII alone."""
        wanted = self.settings.ascii
        return self._asked_for_ascii or (self._fits.ascii if wanted is None else wanted)

    @property
    def motion(self) -> bool:
        """Whether anything may move on its way."""
        return self._fits.motion if self.settings.motion is None else self.settings.motion

    @property
    def compact(self) -> bool:
        """Whether panes have no frames around them."""
        return self._compact

    @property
    def has_sixteen_colours(self) -> bool:
        """Whether to begin with the terminal's own colours."""
        return self.theme in theme.SIXTEEN

    def filters(self) -> Sequence[LineFilter]:
        """Return what all that is drawn goes through."""
        return (self._ascii_filter,) if self._app.ascii_only else ()

    def begin(self) -> None:
        """Apply the settings, once the application runs."""
        app = self._app
        app.set_keymap(self.settings.keymap.overlay())
        app.animation_level = "basic" if self.motion else "none"
        self._fit_colours()
        self._news = NewsTeller(
            app.launch,
            wanted=lambda: self.settings.notify,
            write=self.write,
            watched=lambda: self._focus_is_told and app.app_focus,
        )
        app.pulse.store_changed.subscribe(app, lambda _: self._news.look(), immediate=True)
        self._news.look()

    def settle(self) -> None:
        """Do what may wait until something is on the screen."""
        self.write(SAVE_TITLE)
        self.write_title(self._app.glance)
        if self.problem:
            self._app.tell(f"{self.problem}. The UI's own settings hold", severity="warning",
                           seconds=_TOLD_S)  # fmt: skip

    def end(self) -> None:
        """Give the terminal its title back."""
        if self._title:
            self.write(RESTORE_TITLE)

    def hear_focus(self) -> None:
        """The terminal tells whether it has the focus: from now on that counts."""
        self._focus_is_told = True

    def write_title(self, glance: Glance) -> None:
        """Name the terminal's tab after how things stand, when that has changed."""
        live, bad = ("*", "!") if self._app.ascii_only else ("●", "✗")
        words = [
            "launch",
            *([f"{live}{glance.active}"] if glance.active else []),
            *([f"{bad}{glance.failed_today}"] if glance.failed_today else []),
        ]
        title = " ".join(words)
        if title != self._title:
            self._title = title
            self.write(f"\x1b]2;{title}\x07")

    def write(self, sequence: str) -> None:
        """Write to the terminal, past everything that draws."""
        app = self._app
        if app._driver is not None and not app.is_headless and not app.hung_up:
            app._driver.write(sequence)

    # What a person chooses while the UI is open.

    def choose_theme(self) -> None:
        """Ask for a theme and take it."""
        from launch_tui.tui.screens.menu import Entry, Menu

        app = self._app
        entries = [
            Entry(name, str(number), f"{name}{'  (now)' if name == app.theme else ''}", told)
            for number, (name, told) in enumerate(theme.TOLD.items(), 1)
        ]
        app.ask(Menu("Theme", entries), self._take_theme)

    def turn_motion(self) -> None:
        """Let things move, or have nothing move."""
        moves = self._app.animation_level == "none"
        self._app.animation_level = "basic" if moves else "none"
        self._say(f"motion {'on' if moves else 'off'}", f"motion: {str(moves).lower()}")

    def turn_ascii(self) -> None:
        """Draw with ASCII alone, or with all that there is."""
        app = self._app
        app.ascii_only = not app.ascii_only
        app.draw_anew()
        self._say(f"ASCII {'on' if app.ascii_only else 'off'}",
                  f"ascii: {str(app.ascii_only).lower()}")  # fmt: skip

    def turn_compact(self) -> None:
        """Draw without frames around panes, or with them."""
        self._compact = not self._compact
        self._app.draw_anew()
        self._say(f"compact {'on' if self._compact else 'off'}",
                  f"compact: {str(self._compact).lower()}")  # fmt: skip

    def tell_file(self) -> None:
        """Say where the settings are, and copy that."""
        path = settings.path_of(self._app.home)
        there = "" if path.exists() else " (not there yet)"
        self._app.notify(f"settings of the UI: {path}{there}", timeout=6, markup=False)
        self._app.copy(str(path))

    def edit_file(self) -> None:
        """Edit the settings in the person's editor, and follow them when they are right."""
        from launch_tui.store.durable import write_atomically
        from launch_tui.tui.editing import edit_text

        app = self._app
        path = settings.path_of(app.home)
        try:
            before = path.read_text("utf-8", "replace") if path.exists() else BEGINNING
            edited = edit_text(app, before)
            if edited is None:
                return
            found = settings.parse(edited, str(path))
            write_atomically(path, edited.encode())
        except LaunchError as error:
            app.tell_error(error)
            return
        self._follow(found)

    def _follow(self, found: settings.UiSettings) -> None:
        app = self._app
        self.settings, self.problem = found, ""
        app.keymap = found.keymap
        app.set_keymap(found.keymap.overlay())
        self._take(self.theme)
        app.animation_level = "basic" if self.motion else "none"
        app.ascii_only, self._compact = self.ascii_only, found.compact
        app.draw_anew()
        # Texts that name keys are made when the store is asked.
        app.pulse.store_changed.publish(None)

    def _take_theme(self, name: str) -> None:
        self._take(name)
        self._say(f"theme {name}", f"theme: {name}")

    def _take(self, name: str) -> None:
        self._app.theme = name
        self._fit_colours()

    def _fit_colours(self) -> None:
        """Have the terminal's own colours sent as they are, where the theme is made of them."""
        ansi = self._app.current_theme.ansi
        if bool(self._app.ansi_color) != ansi:
            self._app.ansi_color = ansi

    def _say(self, what: str, line: str) -> None:
        file = settings.path_of(self._app.home).name
        self._app.notify(f"{what}; {line} in {file} keeps it", timeout=4, markup=False)


BEGINNING = """\
# Settings of the UI. docs/keys.md has the names of all actions, docs/ui.md tells of the rest.
#
# keymap: {run.stop: X, app.help: [f1, ctrl+t]}
# theme: auto
# ascii: true
# compact: true
# motion: false
# notify: {on: [finished, failed], by: [desktop, bell]}
"""
