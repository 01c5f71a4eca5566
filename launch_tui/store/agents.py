"""What agents say about themselves: a row that describes who holds the lock (``agent_lock.py``).

Nothing is decided by it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.store.agent_lock import AgentLock as AgentLock
from launch_tui.store.agent_lock import is_held as is_held
from launch_tui.store.clock import now
from launch_tui.store.durable import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from launch_tui.store.database import Database, Row
    from launch_tui.store.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """What is known of the agent of a data directory.

    ``state`` is ``active``, ``draining`` or ``ended``; ``max_jobs`` None means no limit;
    ``queues`` None means all. ``config`` is the file of its settings, empty for none; ``problem``
    why the file as it is now is not followed, empty when it is; ``notes`` what in it has no effect.
    """

    id: str
    running: bool
    pid: int
    host: str
    since: str
    state: str
    queues: tuple[str, ...] | None
    max_jobs: int | None
    runs: tuple[str, ...] = ()
    config: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()


def register(
    db: Database, agent_id: str, *, queues: Sequence[str] | None, max_jobs: int | None
) -> None:
    """Describe the agent that has just taken the lock; the ones before it have ended."""
    with db.transaction():
        db.execute(
            "UPDATE agents SET state = 'ended', ended_at = ? WHERE ended_at IS NULL", (now(),)
        )
        db.execute(
            "INSERT INTO agents (id, pid, host, since, queues, max_jobs, state)"
            " VALUES (?, ?, ?, ?, ?, ?, 'active')",
            (
                agent_id,
                os.getpid(),
                os.uname().nodename,
                now(),
                json.dumps(None if queues is None else list(queues)),
                max_jobs,
            ),
        )


def configure(
    db: Database,
    agent_id: str,
    *,
    queues: Sequence[str] | None,
    max_jobs: int | None,
    config: str | None,
    problem: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Say by which settings an agent works from now on.

    Where they are from lies beside the store, in a file that is replaced as a whole.

    Args:
        db: The store.
        agent_id: The agent, registered before.
        queues: The queues that it serves; None for all.
        max_jobs: How many runs at once; None for no limit.
        config: The file of its settings; None without one.
        problem: Why the file as it is now is not followed; empty when it is.
        notes: What in the file has no effect.
    """
    origin = {"agent": agent_id, "config": config or "", "problem": problem, "notes": list(notes)}
    write_atomically(_origin_file(db.home), json.dumps(origin).encode(), sync=False)
    # Second, and always: whoever watches the store learns of the file by this.
    db.execute(
        "UPDATE agents SET queues = ?, max_jobs = ? WHERE id = ?",
        (json.dumps(None if queues is None else list(queues)), max_jobs, agent_id),
    )


def set_state(db: Database, agent_id: str, state: str) -> None:
    """Say what the agent does now; ``ended`` also says when."""
    db.execute(
        "UPDATE agents SET state = ?, ended_at = CASE WHEN ? = 'ended' THEN ? END WHERE id = ?",
        (state, state, now(), agent_id),
    )


def request(db: Database, what: str) -> None:
    """Ask the agent to ``drain``, to ``resume`` from that, or to ``stop``."""
    db.execute("UPDATE agents SET request = ? WHERE ended_at IS NULL", (what,))


def requested(db: Database, agent_id: str) -> str | None:
    """Return what was asked of this agent."""
    row = db.one("SELECT request FROM agents WHERE id = ?", (agent_id,))
    return row["request"] if row else None


def status(db: Database) -> AgentStatus | None:
    """Return what is known of the newest agent, or None when there never was one."""
    # By ``since`` alone, a clock that was set back would show an agent that has ended.
    row = db.one("SELECT * FROM agents ORDER BY ended_at IS NOT NULL, since DESC LIMIT 1")
    return _status(db, row) if row else None


def _status(db: Database, row: Row) -> AgentStatus:
    running = is_held(db.home)
    queues = json.loads(row["queues"])
    owned = db.all(
        "SELECT id FROM runs WHERE state IN"
        " ('claimed', 'sourcing', 'building', 'starting', 'running') ORDER BY seq"
    )
    return AgentStatus(
        id=row["id"],
        running=running,
        pid=row["pid"],
        host=row["host"],
        since=row["since"],
        state=row["state"] if running else "ended",
        queues=None if queues is None else tuple(queues),
        max_jobs=row["max_jobs"],
        runs=tuple(run["id"] for run in owned),
        **_origin(db.home, row["id"]),
    )


def _origin_file(home: Home) -> Path:
    return home.root / "agent-settings.json"


def _origin(home: Home, agent_id: str) -> dict[str, Any]:
    """Return where an agent's settings are from; nothing where that cannot be read."""
    try:
        found = json.loads(_origin_file(home).read_bytes())
        if found["agent"] != agent_id:
            return {}
        return {
            "config": str(found["config"]),
            "problem": str(found["problem"]),
            "notes": tuple(map(str, found["notes"])),
        }
    except (OSError, ValueError, KeyError, TypeError):
        # It only describes, and the file of an agent that has ended may be gone or another's.
        return {}
