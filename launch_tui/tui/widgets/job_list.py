"""The jobs at the side of home, one key away from a launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from launch_tui.domain.text import printable
from launch_tui.tui import keys
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.side_list import SideList, SideRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from launch_tui.domain.job import JobVersion


class JobList(SideList):
    """The jobs by name, each with its newest version."""

    SCOPES = ("jobs",)
    BINDINGS: ClassVar[list[BindingType]] = [
        keys.same_as("jobs.launch", "launch"),
    ]

    def show_jobs(self, jobs: Sequence[JobVersion], chosen: str) -> None:
        """Show the jobs; ``chosen`` is the one whose runs are shown."""
        rows = [SideRow(job.name, printable(job.name), job.version) for job in jobs]
        self.show_rows(rows, chosen)

    def action_launch(self) -> None:
        """Open the launch form on the job under the cursor."""
        ui(self).action_app_launch(self.current.key if self.current else "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what would change something when the UI is read-only."""
        if action == "launch" and ui(self).read_only:
            return None
        return super().check_action(action, parameters)
