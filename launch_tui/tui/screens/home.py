"""Home: queues and jobs, the runs, the log and charts of the run under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal

from launch_tui.tui.screens.base import LaunchScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult


class HomeScreen(LaunchScreen):
    """The runs."""

    MODE = "runs"
    SCOPES: ClassVar[tuple[str, ...]] = ("runs", "run", "list")

    def body(self) -> ComposeResult:
        """Compose what stands between the bars."""
        yield Horizontal(id="home")
