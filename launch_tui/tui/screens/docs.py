"""The pages of the documentation, as they came with the program, read as a log is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import launch_tui
from launch_tui.tui.screens.base import LaunchScreen
from launch_tui.tui.ui import entitle, ui
from launch_tui.tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from launch_tui.tui.app import LaunchApp

_PACKAGE = Path(launch_tui.__file__).parent
PLACES = (_PACKAGE / "docs", _PACKAGE.parent / "docs")
"""Where the pages are: in what was installed, or beside the source."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class DocsScreen(LaunchScreen):
    """One page.

    Args:
        page: Its file.
    """

    def __init__(self, page: Path) -> None:
        super().__init__()
        self._page = page

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        yield LogView(id="docs", classes="pane", empty="This page is empty")

    def on_mount(self) -> None:
        """Show the page from its beginning."""
        super().on_mount()
        view = self.query_one(LogView)
        view.ascii_only = ui(self).ascii_only
        view.source = self._page
        view.wrap = True
        entitle(view, f"Docs  {self._page.name}")
        view.focus()
        ui(self).pulse.frame.subscribe(self, lambda _: self._tick(), immediate=True)
        self._begun = False

    def _tick(self) -> None:
        if not self.is_current:
            return
        view = self.query_one(LogView)
        view.tick()
        if not self._begun and view.line_count:
            self._begun = True
            view.action_first()


def pages() -> list[Path]:
    """Return the files of all pages, by name; none where none came along."""
    folder = next((place for place in PLACES if place.is_dir()), None)
    return sorted(folder.glob("*.md")) if folder is not None else []


def choose_page(app: LaunchApp) -> None:
    """Ask which page is wanted, and show it."""
    from launch_tui.tui.screens.menu import Entry, Menu

    found = {page.stem: page for page in pages()}
    if not found:
        app.tell("the documentation did not come with this installation", severity="warning")
        return
    entries = [
        Entry(name, letter, heading(page))
        for letter, (name, page) in zip(_LETTERS, found.items(), strict=False)
    ]
    app.ask(Menu("Docs", entries), lambda name: app.push_screen(DocsScreen(found[name])))


def heading(page: Path) -> str:
    """Return what a page says in its first line."""
    with page.open(encoding="utf-8", errors="replace") as file:
        return file.readline().lstrip("# ").strip()
