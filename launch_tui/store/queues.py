"""Queues in the store."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from launch_tui.domain.queue import Queue, Resource
from launch_tui.domain.run import ENDED, Priority
from launch_tui.errors import NotFound, UsageError
from launch_tui.store.clock import now

if TYPE_CHECKING:
    from launch_tui.store.database import Database, Row

_COLUMNS = """
    SELECT q.*,
        coalesce((SELECT sum(runs) FROM queue_counts c
            WHERE c.queue_id = q.id AND c.state IN ('queued', 'deferred', 'held')), 0) AS depth,
        coalesce((SELECT sum(runs) FROM queue_counts c
            WHERE c.queue_id = q.id
            AND c.state IN ('claimed', 'sourcing', 'building', 'starting', 'running')), 0)
            AS running
    FROM queues q"""

_INSERT = """
    INSERT INTO queues (name, resource, config, template_variables, prioritized, max_running,
        tracking, on_reboot, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_STATE_COUNTS = """
    SELECT CASE state WHEN 'deferred' THEN 'queued' ELSE state END AS state, sum(runs) AS runs
    FROM queue_counts GROUP BY 1"""

_WAITING_SINCE = """
    SELECT q.name AS name, (SELECT r.created_at FROM runs r
        WHERE r.queue_id = q.id AND r.state = 'queued' AND r.waits = 0
        ORDER BY r.rank, r.place LIMIT 1) AS since
    FROM queues q"""

_ENDED = ", ".join(f"'{state}'" for state in sorted(ENDED))

# What was moved to the front stays there. What an agent has may come back to its place.
_RANK_ANEW = f"""
    UPDATE runs SET rank = CASE WHEN NOT q.prioritized THEN 2 ELSE
        CASE runs.priority WHEN ? THEN 0 WHEN ? THEN 1 WHEN ? THEN 2 WHEN ? THEN 3 END END
    FROM queues q WHERE q.id = runs.queue_id AND q.name = ?
    AND runs.state NOT IN ({_ENDED}) AND runs.rank >= 0"""

_EDITABLE = frozenset(
    {
        "config",
        "template_variables",
        "prioritized",
        "paused",
        "max_running",
        "tracking",
        "on_reboot",
    }
)


def create(db: Database, queue: Queue) -> Queue:
    """Store a new queue and return it.

    Raises:
        UsageError: When a queue of that name exists.
    """
    values = (
        queue.name,
        queue.resource,
        json.dumps(dict(queue.config)),
        json.dumps(dict(queue.template_variables)),
        queue.prioritized,
        queue.max_running,
        queue.tracking,
        queue.on_reboot,
        now(),
    )
    try:
        with db.transaction():
            db.execute(_INSERT, values)
    except sqlite3.IntegrityError:
        raise UsageError("queue name", f"there is a queue called {queue.name!r} already") from None
    return get(db, queue.name)


def find(db: Database, name: str) -> Queue | None:
    """Return the queue of that name, or None."""
    row = db.one(f"{_COLUMNS} WHERE q.name = ?", (name,))
    return _queue(row) if row else None


def get(db: Database, name: str) -> Queue:
    """Return the queue of that name.

    Raises:
        NotFound: With the names that there are.
    """
    queue = find(db, name)
    if queue is None:
        names = ", ".join(q.name for q in every(db)) or "none yet: launch-tui queue create"
        raise NotFound("queue", f"there is no queue called {name!r}", allowed=names)
    return queue


def every(db: Database) -> list[Queue]:
    """Return all queues in the order of their creation."""
    return [_queue(row) for row in db.all(f"{_COLUMNS} ORDER BY q.id")]


def update(db: Database, name: str, **changes: Any) -> Queue:  # noqa: ANN401
    """Change settings of a queue and return it; a change of nothing is allowed."""
    unknown = set(changes) - _EDITABLE
    if unknown:
        raise UsageError("queue", f"{sorted(unknown)} cannot be changed")
    with db.transaction():
        queue = get(db, name)
        for column, value in changes.items():
            stored = json.dumps(value) if isinstance(value, dict) else value
            db.execute(f"UPDATE queues SET {column} = ? WHERE name = ?", (stored, name))
        if changes.get("prioritized", queue.prioritized) != queue.prioritized:
            db.execute(_RANK_ANEW, (*Priority, name))
    return get(db, name)


def delete(db: Database, name: str) -> None:
    """Delete a queue that has no runs at all.

    Raises:
        UsageError: When runs wait, run or are remembered in it.
    """
    with db.transaction():
        queue = get(db, name)
        row = db.one(
            "SELECT count(*) FROM runs WHERE queue_id = (SELECT id FROM queues WHERE name = ?)",
            (name,),
        )
        if row and row[0]:
            waiting = queue.depth + queue.running
            raise UsageError(
                "queue",
                f"{name!r} still has {row[0]} runs ({waiting} of them waiting or running)",
                allowed="a queue without runs; launch-tui delete RUN... removes them",
            )
        db.execute(
            "DELETE FROM queue_counts WHERE queue_id = (SELECT id FROM queues WHERE name = ?)",
            (name,),
        )
        db.execute(
            "DELETE FROM queue_levels WHERE queue_id = (SELECT id FROM queues WHERE name = ?)",
            (name,),
        )
        db.execute("DELETE FROM queues WHERE name = ?", (name,))


def state_counts(db: Database) -> dict[str, int]:
    """Return how many runs are in each state, over all queues."""
    return {row["state"]: row["runs"] for row in db.all(_STATE_COUNTS)}


def waiting_since(db: Database) -> dict[str, str]:
    """Return when the first in line of each queue was enqueued; queues where nobody waits lack."""
    return {row["name"]: row["since"] for row in db.all(_WAITING_SINCE) if row["since"]}


def _queue(row: Row) -> Queue:
    return Queue(
        name=row["name"],
        resource=Resource(row["resource"]),
        config=json.loads(row["config"]),
        template_variables=json.loads(row["template_variables"]),
        prioritized=bool(row["prioritized"]),
        paused=bool(row["paused"]),
        max_running=row["max_running"],
        tracking=row["tracking"],
        on_reboot=row["on_reboot"],
        depth=row["depth"],
        running=row["running"],
        created_at=row["created_at"],
    )
