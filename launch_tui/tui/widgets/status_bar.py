"""The line above the keys: the agent, the slots, what is active, failed and in force."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from launch_tui.domain.sync import SyncState
from launch_tui.domain.text import printable
from launch_tui.tui.ui import ui
from launch_tui.tui.widgets.bar import Bar, Group, Part, clickable

if TYPE_CHECKING:
    from launch_tui.store.agents import AgentStatus
    from launch_tui.tui.glance import Glance

SHOWN_QUEUES = 4
ROOM_FOR_QUEUES = 110


class StatusBar(Bar):
    """How things stand, from the application's glance."""

    def on_mount(self) -> None:
        """Begin to follow what is live."""
        app = ui(self)
        app.glance_changed.subscribe(self, lambda _: self.renew())
        app.pulse.frame.subscribe(self, lambda _: self._look_at_the_link(), immediate=True)
        self._link = ""
        self.renew()

    def renew(self) -> None:
        """Show how things stand now."""
        app = ui(self)
        groups = self._groups(app.glance, queues=True)
        if (
            sum(len(text) for group in groups for text, _ in group) + 3 * len(groups)
            > self.size.width
        ):
            groups = self._groups(app.glance, queues=False)
        shown: list[Group] = [(" ", "")]
        bar = "|" if app.ascii_only else "│"
        for number, group in enumerate(groups):
            shown.append([*([(f" {bar} ", "$panel-lighten-2")] if number else []), *group])
        self.show(shown, self._ways_on())

    def on_resize(self) -> None:
        """Say as much as there is room for."""
        self.renew()

    def _groups(self, glance: Glance, *, queues: bool) -> list[list[Part]]:
        app = ui(self)
        roomy = self.size.width >= ROOM_FOR_QUEUES
        groups = [_agent(glance, ascii_only=app.ascii_only, whole=roomy), _runs(glance)]
        if roomy:
            groups.insert(1, _slots(glance, queues=queues))
        if filter_in_force := getattr(self.screen, "filter_in_force", ""):
            groups.append([(f"filter {printable(filter_in_force)}", "$accent")])
        groups.append(_wandb(glance))
        if self._link:
            groups.append([(self._link, "$warning")])
        if app.read_only:
            groups.append([("read-only", "$warning")])
        return [group for group in groups if group]

    def _ways_on(self) -> list[Part]:
        """Return the key by which all others are found, where there is no footer."""
        if not self.screen.has_class("-short"):
            return []
        click = "app.app_help()"
        return [
            (f"{ui(self).key('app.help')} ", clickable("bold $primary", click)),
            ("help ", clickable("$foreground 60%", click)),
        ]

    def _look_at_the_link(self) -> None:
        link = ui(self).pulse.slow_link
        if link != self._link:
            self._link = link
            self.renew()


def _agent(glance: Glance, *, ascii_only: bool, whole: bool) -> list[Part]:
    on, off = ("*", "-") if ascii_only else ("●", "○")
    agent = glance.agent
    if agent is None or not agent.running:
        return [("agent ", "$foreground 60%"), (f"{off} none", "bold $warning")]
    words = _agent_words(agent, whole=whole)
    style = "$warning" if agent.state == "draining" else "$success"
    return [
        ("agent ", clickable("$foreground 60%", "app.app_agent()")),
        (on, style),
        (words, "$foreground 60%"),
    ]


def _agent_words(agent: AgentStatus, *, whole: bool) -> str:
    other = whole and agent.pid != os.getpid()
    words = f" pid {agent.pid} attached" if other else ""
    return words + (" draining" if agent.state == "draining" else "")


def _slots(glance: Glance, *, queues: bool) -> list[Part]:
    if not glance.queues:
        return []
    slots = sum(queue.max_running for queue in glance.queues)
    parts = [(f"{glance.active}/{slots} slots", "$foreground")]
    if queues and 1 < len(glance.queues) <= SHOWN_QUEUES:
        parts += [
            (f"  {q.name} {q.running}/{q.max_running}", "$foreground 60%") for q in glance.queues
        ]
    return parts


def _wandb(glance: Glance) -> list[Part]:
    """Return how many runs wandb's servers have not seen, each in one of the numbers alone."""
    unsynced = glance.syncs.get(SyncState.UNSYNCED, 0)
    on_their_way = sum(glance.syncs.get(s, 0) for s in (SyncState.WAITING, SyncState.SYNCING))
    failed = glance.syncs.get(SyncState.FAILED, 0)
    parts: list[Part] = []
    if unsynced:
        parts.append((f" offline  {unsynced:,} unsynced", "$foreground 60%"))
    if on_their_way:
        parts.append((f"  {on_their_way:,} to send", "$foreground"))
    if failed:
        parts.append((f"  {failed:,} not sent", "$warning"))
    return [("wandb", "$foreground 60%"), *parts] if parts else []


def _runs(glance: Glance) -> list[Part]:
    parts: list[Part] = [
        (f"{glance.active} active", "$foreground" if glance.active else "$foreground 60%")
    ]
    if glance.waiting:
        parts.append((f"  {glance.waiting:,} waiting", "$foreground"))
    if glance.failed_today:
        style = clickable("bold $error", "app.show_failures()")
        parts.append((f"  {glance.failed_today} failed today", style))
    return parts
