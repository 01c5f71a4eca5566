"""What every screen shows of the whole: the agent, the queues, how many runs are in which state.

Read once for each change of the store and handed to whoever shows it, so that no pane asks twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from launch_tui.domain.run import ACTIVE, WAITING, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.domain.queue import Queue
    from launch_tui.domain.sync import SyncState
    from launch_tui.sdk import Launch
    from launch_tui.store.agents import AgentStatus

FAILED = (RunState.FAILED, RunState.LOST)
DAY_S = 24 * 3600
MOST_FAILURES = 99
"""More failures a day than this are shown as this many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The whole at a glance.

    ``failed_today`` are those of the last 24 hours, ``syncs`` the runs by how far they have been
    sent to a W&B server.
    """

    agent: AgentStatus | None
    queues: tuple[Queue, ...]
    counts: Mapping[str, int]
    failed_today: int = 0
    syncs: Mapping[SyncState, int] = field(default_factory=dict)

    @property
    def active(self) -> int:
        """Runs between claim and outcome."""
        return sum(self.counts.get(state, 0) for state in ACTIVE)

    @property
    def waiting(self) -> int:
        """Runs that wait, held ones included."""
        return sum(self.counts.get(state, 0) for state in WAITING)

    @property
    def failed(self) -> int:
        """Runs that failed or were lost, ever."""
        return sum(self.counts.get(state, 0) for state in FAILED)

    @property
    def total(self) -> int:
        """All runs."""
        return sum(self.counts.values())

    @property
    def agent_runs(self) -> bool:
        """Whether an agent works here, this process's or another's."""
        return self.agent is not None and self.agent.running

    @property
    def agent_is_ours(self) -> bool:
        """Whether the agent that works here is in this process."""
        return self.agent is not None and self.agent.running and self.agent.pid == os.getpid()


class GlanceReader:
    """Reads glances; the failures of the day only when their number can have changed.

    Args:
        launch: The data directory, on the thread that asks.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._failed = (-1, 0, 0.0)

    def read(self, now: float) -> Glance:
        """Return how things stand.

        Args:
            now: Seconds since the epoch.
        """
        counts = self._launch.queues.state_counts()
        return Glance(
            agent=self._launch.agents.status(),
            queues=tuple(self._launch.queues.list()),
            counts=counts,
            failed_today=self._failed_today(sum(counts.get(s, 0) for s in FAILED), now),
            syncs=self._launch.syncs.counts(),
        )

    def _failed_today(self, ever: int, now: float) -> int:
        known, today, at = self._failed
        if known == ever and now - at < 60:
            return today
        newest = self._launch.runs.list(states=FAILED, limit=MOST_FAILURES) if ever else []
        today = sum(now - seconds(run.ended_at) < DAY_S for run in newest)
        self._failed = (ever, today, now)
        return today


def seconds(text: str | None) -> float:
    """Return a time of the store (ISO 8601, UTC) as seconds since the epoch; 0 for None."""
    return datetime.fromisoformat(text).astimezone(UTC).timestamp() if text else 0.0
