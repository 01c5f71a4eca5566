"""What a person asks of the agent of a data directory, through the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError
from launch_tui.store import agents, outbox, read, write
from launch_tui.store.agent_lock import is_held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.domain.run import RunState
    from launch_tui.store.agents import AgentStatus
    from launch_tui.store.database import Database
    from launch_tui.store.outbox import Subscriber
    from launch_tui.store.read import Event


class Agents:
    """The agent of a data directory."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def status(self) -> AgentStatus | None:
        """Return what is known of the newest agent; None when there never was one."""
        return agents.status(self._db)

    def is_running(self) -> bool:
        """Say whether an agent holds this data directory now."""
        return is_held(self._db.home)

    def drain(self) -> None:
        """Ask the agent to claim nothing more, wait for what runs, and leave."""
        self._request("drain")

    def resume(self) -> None:
        """Ask an agent that drains to claim again."""
        self._request("resume")

    def look_again(self) -> None:
        """Have the agent look at all that the store asks for, now: any commit wakes it."""
        if not self.is_running():
            raise LaunchError("no agent is running here", next_step="launch-tui --agent-only")
        write.add_event(self._db, "asked to look again", actor="user")

    def stop(self) -> None:
        """Ask the agent to leave at once; runs go on and are adopted by the next one."""
        self._request("stop")

    def webhooks(self) -> list[Subscriber]:
        """Return how it stands with whom the agent tells of ends of runs."""
        return outbox.standing(self._db)

    def events(self, limit: int = 200) -> list[Event]:
        """Return the newest events of everything, newest first."""
        return read.latest_events(self._db, limit)

    def ends_after(
        self, event: int, states: Sequence[RunState], *, limit: int = 500
    ) -> tuple[int, list[str]]:
        """Return the newest event's number, and the runs that came to these states after one.

        Args:
            event: The number of the event after which they came.
            states: The states.
            limit: How many runs at most, the latest.
        """
        return read.ends_after(self._db, event, states, limit=limit)

    def note(self, message: str) -> None:
        """Record a message as an event."""
        write.add_event(self._db, message, actor="user")

    def _request(self, what: str) -> None:
        if not self.is_running():
            raise LaunchError("no agent is running here", next_step="launch-tui --agent-only")
        agents.request(self._db, what)
