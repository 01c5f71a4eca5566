"""The queues at the side of home: how much waits and runs in each, and which is paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from launch_tui.domain.text import printable
from launch_tui.tui import keys
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.side_list import SideList, SideRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from launch_tui.domain.queue import Queue
    from launch_tui.tui.glance import Glance


class QueueList(SideList):
    """All runs, then each queue."""

    SCOPES = ("queues",)
    BINDINGS: ClassVar[list[BindingType]] = [
        keys.same_as("queues.pause", "pause"),
    ]

    def show_glance(self, glance: Glance, chosen: str) -> None:
        """Show the queues as they are; ``chosen`` is the one whose runs are shown."""
        paused = "||" if ui(self).ascii_only else "‖"
        rows = [SideRow("", "all", f"{glance.active + glance.waiting:,}")]
        rows += [queue_row(queue, paused) for queue in glance.queues]
        self.show_rows(rows, chosen)

    def action_pause(self) -> None:
        """Pause the queue under the cursor, or resume it."""
        if self.current is not None and self.current.key:
            pause_or_resume(self, self.current.key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what would change something when the UI is read-only."""
        if action == "pause" and ui(self).read_only:
            return None
        return super().check_action(action, parameters)


def queue_row(queue: Queue, paused: str) -> SideRow:
    """Return a queue as a line: ``gpu  2/2 +5`` runs two of two and has five that wait."""
    waits = f" +{queue.depth:,}" if queue.depth else ""
    right = f"{paused}{waits}" if queue.paused else f"{queue.running}/{queue.max_running}{waits}"
    return SideRow(queue.name, printable(queue.name), right, weak=queue.paused)


def pause_or_resume(widget: SideList, name: str) -> None:
    """Pause a queue that is not paused, resume one that is, and say so."""
    app = ui(widget)
    queues: Sequence[Queue] = app.glance.queues
    paused = next((queue.paused for queue in queues if queue.name == name), False)
    app.act(lambda launch: launch.queues.resume(name) if paused else launch.queues.pause(name))
