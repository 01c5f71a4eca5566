"""Putting new runs at the end of their queues.

What ``launch`` waits for is here and little else: a commit of all runs or of none.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui import faults
from launch_tui.domain.run import Priority, RunState
from launch_tui.domain.spec import RunSpec, dump_spec
from launch_tui.errors import NotFound
from launch_tui.store import dependencies
from launch_tui.store.clock import now
from launch_tui.store.dependencies import WAITS_FOR_TIME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.dependency import Dependency
    from launch_tui.store.database import Database

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH = 8

_ENQUEUE = """
    INSERT INTO runs (id, place, name, project, job, version, queue_id, state, config, priority,
        rank, tags, note, spec, created_at, not_before, waits, group_id)
    VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM runs), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
        ?, ?, ?)"""

_QUEUE = """
    SELECT q.id, q.prioritized, coalesce((SELECT sum(l.runs) FROM queue_levels l
        WHERE l.queue_id = q.id AND l.rank <= CASE WHEN q.prioritized THEN ? ELSE ? END), 0)
        AS ahead
    FROM queues q WHERE q.name = ?"""

_EVENT = """
    INSERT INTO events (at, run_id, attempt, state, actor, message) VALUES (?, ?, 1, ?, ?, ?)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to enqueue."""

    queue: str
    job: str
    version: str
    name: str
    project: str
    spec: RunSpec
    config: Mapping[str, Any] = field(default_factory=dict)
    priority: str = "medium"
    tags: tuple[str, ...] = ()
    note: str = ""
    held: bool = False
    after: tuple[Dependency, ...] = ()
    not_before: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """What the store made of a new run. ``position`` is 1 for the next in line."""

    id: str
    queue: str
    position: int
    job: str
    version: str


def enqueue(db: Database, new_runs: Sequence[NewRun], *, actor: str = "user") -> list[Enqueued]:
    """Put runs at the end of their queues, all or none, and return once they are on disk.

    Raises:
        NotFound: When a queue does not exist.
        DiskFull: When there is no space; nothing was enqueued.
    """
    faults.point("enqueue.before")
    with db.transaction():
        enqueued = [_enqueue_one(db, new, actor) for new in new_runs]
        faults.point("enqueue.written")
    faults.point("enqueue.committed")
    return enqueued


def new_id() -> str:
    """Return a run id: 8 of a-z and 0-9, as W&B's, beginning with a letter."""
    # A leading letter keeps an id from looking like a number to YAML and to shells' completion.
    random = os.urandom(ID_LENGTH)
    first = _ALPHABET[random[0] % 26]
    return first + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in random[1:])


def _enqueue_one(db: Database, new: NewRun, actor: str) -> Enqueued:
    level = Priority(new.priority).rank
    queue = db.one(_QUEUE, (level, Priority.MEDIUM.rank, new.queue))
    if queue is None:
        raise NotFound("queue", f"there is no queue called {new.queue!r}")
    run_id = new_id()
    while db.one("SELECT 1 FROM runs WHERE id = ?", (run_id,)):
        run_id = new_id()
    state = RunState.HELD if new.held else RunState.QUEUED
    created = now()
    rank = level if queue["prioritized"] else Priority.MEDIUM.rank
    later = new.not_before is not None and new.not_before > created
    values = (
        run_id,
        new.name,
        new.project,
        new.job,
        new.version,
        queue["id"],
        state,
        json.dumps(dict(new.config)),
        new.priority,
        rank,
        json.dumps(list(new.tags)),
        new.note,
        dump_spec(new.spec),
        created,
        new.not_before,
        WAITS_FOR_TIME if later else 0,
        new.group,
    )
    db.execute(_ENQUEUE, values)
    if new.after:
        dependencies.add(db, run_id, new.after)
    db.execute(_EVENT, (created, run_id, state, actor, f"enqueued on {new.queue}"))
    return Enqueued(
        id=run_id,
        queue=new.queue,
        position=queue["ahead"] + 1,
        job=new.job,
        version=new.version,
    )
