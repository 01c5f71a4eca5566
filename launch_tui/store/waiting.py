"""What changes runs that wait: their order, what they wait for, and what was asked for.

The order within a queue is ``rank``, then ``place``. A run that was moved to the front has the rank
``FRONT``; what is moved there last comes first.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from launch_tui import faults
from launch_tui.domain.run import WAITING, Priority, Run, RunState
from launch_tui.domain.spec import RunSpec, dump_spec
from launch_tui.errors import UsageError
from launch_tui.store import dependencies, queues, read
from launch_tui.store.clock import iso, now, seconds
from launch_tui.store.dependencies import WAITS_FOR_RUNS, WAITS_FOR_TIME
from launch_tui.store.write import add_event, transition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.dependency import Dependency
    from launch_tui.store.database import Database

FRONT = -1

_TO_FRONT = f"""
    UPDATE runs SET rank = {FRONT}, place = coalesce((SELECT min(r.place) - 1 FROM runs r
        WHERE r.queue_id = runs.queue_id AND r.rank = {FRONT}), 0)
    WHERE id = ?"""

_DUE = f"""
    UPDATE runs SET waits = waits & {WAITS_FOR_RUNS} WHERE waits IN (1, 3) AND not_before <= ?"""

_BACKING_OFF = """
    SELECT r.id, r.not_before, e.at FROM runs r
    JOIN events e ON e.id = (SELECT max(id) FROM events WHERE run_id = r.id)
    WHERE r.waits IN (1, 3) AND r.retried > 0 AND e.state = 'queued' AND e.at > ?"""

_EDITABLE = frozenset({"name", "project", "config", "tags", "note", "spec"})
_JSON = frozenset({"config", "tags"})


def hold(db: Database, run_id: str, *, actor: str = "user") -> None:
    """Have a queued run passed over; it keeps its place."""
    _waiting_to(db, run_id, RunState.QUEUED, RunState.HELD, actor, "a queued run")


def release(db: Database, run_id: str, *, actor: str = "user") -> None:
    """Let a held run be taken again, in its old place."""
    _waiting_to(db, run_id, RunState.HELD, RunState.QUEUED, actor, "a held run")


def move_to_front(db: Database, run_id: str, *, actor: str = "user") -> None:
    """Give a waiting run the first place of its queue, before every priority."""
    with db.transaction():
        _require_waiting(db, run_id)
        db.execute(_TO_FRONT, (run_id,))
        add_event(db, "moved to the front", actor=actor, run_id=run_id)


def set_priority(
    db: Database, run_id: str, priority: Priority, *, actor: str = "user", field: str = "priority"
) -> None:
    """Give a waiting run another level; it keeps its place among the runs of that level.

    Raises:
        UsageError: When its queue has no priorities.
    """
    with db.transaction():
        run = _require_waiting(db, run_id)
        require_priorities(queues.get(db, run.queue).prioritized, run.queue, field=field)
        # A run that was at the front has a place there; its seq is the place it was given first.
        db.execute(
            "UPDATE runs SET priority = ?, place = CASE WHEN rank < 0 THEN seq ELSE place END,"
            " rank = ? WHERE id = ?",
            (priority, priority.rank, run_id),
        )
        add_event(db, f"priority {priority}", actor=actor, run_id=run_id)


def require_priorities(prioritized: bool, queue: str, *, field: str) -> None:
    """Raise UsageError for a queue without priorities, as W&B's server does."""
    if not prioritized:
        raise UsageError(
            field,
            f"queue {queue!r} has no priorities",
            allowed=f"launch-tui queue update {queue} --prioritize, or front RUN",
        )


def set_dependencies(
    db: Database, run_id: str, after: Sequence[Dependency], *, actor: str = "user"
) -> None:
    """Have a waiting run wait for these runs and no others.

    Raises:
        NotFound: When one of them does not exist.
        UsageError: When one can no longer end as wanted, or waits itself for this run.
    """
    with db.transaction():
        _require_waiting(db, run_id)
        dependencies.replace(db, run_id, after)
        text = ", ".join(str(d) for d in after) or "nothing"
        add_event(db, f"waits for {text}", actor=actor, run_id=run_id)


def set_begin(db: Database, run_id: str, not_before: str | None, *, actor: str = "user") -> None:
    """Have a waiting run start no earlier than a time (ISO 8601, UTC), or as soon as it can."""
    with db.transaction():
        _require_waiting(db, run_id)
        later = not_before is not None and not_before > now()
        db.execute(
            f"UPDATE runs SET not_before = ?, waits = (waits & {WAITS_FOR_RUNS}) | ? WHERE id = ?",
            (not_before, WAITS_FOR_TIME if later else 0, run_id),
        )
        add_event(db, f"not before {not_before or 'now'}", actor=actor, run_id=run_id)


def wake_due(db: Database) -> str | None:
    """Let the runs go whose time has come; return when the next one's comes (ISO 8601), or None."""
    first = _next_due(db)
    if first is None or first > now():
        return first
    faults.point("wake.before")
    db.execute(_DUE, (now(),))
    faults.point("wake.after")
    return _next_due(db)


def shorten_back_offs(db: Database) -> None:
    """Have no attempt wait longer than its back-off because the clock was set back meanwhile.

    A run that was put back into its queue at a time that is still to come shows that it was. The
    times that people have given stay what they are.
    """
    with db.transaction():
        for row in db.all(_BACKING_OFF, (now(),)):
            left = seconds(row["not_before"]) - seconds(row["at"])
            due = iso(time.time() + left)
            db.execute("UPDATE runs SET not_before = ? WHERE id = ?", (due, row["id"]))
            add_event(
                db, f"not before {due}: the clock was set back", actor="agent", run_id=row["id"]
            )


def edit_waiting(
    db: Database, run_id: str, changes: Mapping[str, Any], *, actor: str = "user"
) -> None:
    """Change a run that has not been claimed."""
    if unknown := set(changes) - _EDITABLE:
        raise ValueError(f"a waiting run has no editable {unknown}")
    stored = {
        k: dump_spec(v) if isinstance(v, RunSpec) else json.dumps(v) if k in _JSON else v
        for k, v in changes.items()
    }
    with db.transaction():
        _require_waiting(db, run_id)
        # What it lacked may not be what it asks for any more.
        db.execute("UPDATE runs SET blocked = '' WHERE id = ?", (run_id,))
        for column, value in stored.items():
            db.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, run_id))
        add_event(db, f"edited: {', '.join(sorted(changes))}", actor=actor, run_id=run_id)


def _next_due(db: Database) -> str | None:
    row = db.one("SELECT min(not_before) FROM runs WHERE waits IN (1, 3)")
    return row[0] if row else None


def _waiting_to(
    db: Database, run_id: str, state: RunState, to: RunState, actor: str, allowed: str
) -> None:
    with db.transaction():
        run = read.run(db, run_id)
        if run.state is to:
            return
        if run.state is not state:
            raise UsageError("RUN", f"{run_id} is {run.state}", allowed=allowed)
        transition(db, run_id, state, to, owner=None, actor=actor)


def _require_waiting(db: Database, run_id: str) -> Run:
    run = read.run(db, run_id)
    if run.state not in WAITING:
        raise UsageError("RUN", f"{run_id} is {run.state}", allowed="a run that still waits")
    return run
