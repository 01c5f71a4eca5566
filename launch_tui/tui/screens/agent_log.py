"""What an agent without a screen has written: its log, read as the log of a run is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.tui.screens.base import LaunchScreen
from launch_tui.tui.ui import entitle, ui
from launch_tui.tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from textual.app import ComposeResult

NAME = "agent.log"
_NONE = "No agent without a screen was started from here"


class AgentLogScreen(LaunchScreen):
    """The log of the agents that took over when a screen was left."""

    MODE = "agent"

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        yield LogView(id="agent-log", classes="pane", empty=_NONE)

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        super().on_mount()
        app, view = ui(self), self.query_one(LogView)
        view.ascii_only = app.ascii_only
        view.source = app.home.root / NAME
        entitle(view, f"Log of the agent  {NAME}")
        app.pulse.frame.subscribe(self, lambda _: self._tick(), immediate=True)
        view.focus()

    def _tick(self) -> None:
        if self.is_current:
            self.query_one(LogView).tick()
