"""The first line: where one is, and the other places one key away."""

from __future__ import annotations

from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import Bar, Part, clickable

MODES = (("Runs", "runs"), ("Jobs", "jobs"), ("Queues", "queues"), ("Agent", "agent"))


class TopBar(Bar):
    """The modes with their keys, and the machine's name at the right."""

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        self.show(self._modes(), [(f"{ui(self).host} ", "$foreground 60%")])

    def _modes(self) -> list[Part]:
        parts: list[Part] = [(" launch-tui ", "bold $primary"), (" ", "")]
        current = getattr(self.screen, "MODE", "")
        for title, mode in MODES:
            key = ui(self).key(f"app.{mode}")
            here = mode == current
            style = "bold $foreground on $panel" if here else "$foreground 60%"
            parts.append((f" {key} {title} ", clickable(style, f"app.app_{mode}()")))
        return parts
