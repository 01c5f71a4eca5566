"""Putting new runs at the end of their queues, one or ten thousand.

What ``launch`` waits for is here and little else: a commit of all runs or of none. What many runs
share, their queue's standing and their spec, is read and written out once.
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

_OTHERS = bytes(ord(_ALPHABET[byte % len(_ALPHABET)]) for byte in range(256))
_FIRST = bytes(ord(_ALPHABET[byte % 26]) for byte in range(256))

_RANKS: dict[str, int] = {level: level.rank for level in Priority}

_ENQUEUE = """
    INSERT INTO runs (id, place, name, project, job, version, queue_id, state, config, priority,
        rank, tags, note, spec, created_at, not_before, waits, group_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_TAKEN = "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?))"

_QUEUE = "SELECT id, prioritized FROM queues WHERE name = ?"

_LEVELS = "SELECT rank, runs FROM queue_levels WHERE queue_id = ?"

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
        enqueued = _enqueue(db, new_runs, actor)
        faults.point("enqueue.written")
    faults.point("enqueue.committed")
    return enqueued


def new_id() -> str:
    """Return a run id: 8 of a-z and 0-9, as W&B's, beginning with a letter."""
    random = os.urandom(ID_LENGTH)
    # A leading letter keeps an id from looking like a number to YAML and to shells' completion.
    return (random[:1].translate(_FIRST) + random[1:].translate(_OTHERS)).decode()


def _new_ids(db: Database, count: int) -> list[str]:
    """Return ids that no run has."""
    free: list[str] = []
    while True:
        ids = [*free, *(new_id() for _ in range(count - len(free)))]
        taken = {row[0] for row in db.all(_TAKEN, (json.dumps(ids),))}
        free = [one for one in dict.fromkeys(ids) if one not in taken]
        if len(free) == count:
            return free


class _Standing:
    """A queue that new runs go to, and how many wait there on each rank."""

    def __init__(self, db: Database, name: str) -> None:
        row = db.one(_QUEUE, (name,))
        if row is None:
            raise NotFound("queue", f"there is no queue called {name!r}")
        self.number: int = row["id"]
        self._prioritized: bool = row["prioritized"]
        self._waiting: dict[int, int] = {
            row["rank"]: row["runs"] for row in db.all(_LEVELS, (self.number,))
        }

    def rank(self, priority: str) -> int:
        """Return the rank that a level has in this queue."""
        return _RANKS[priority] if self._prioritized else _RANKS[Priority.MEDIUM]

    def position(self, rank: int) -> int:
        """Return the position of a run that comes now, 1 for the next in line."""
        return 1 + sum(runs for other, runs in self._waiting.items() if other <= rank)

    def join(self, rank: int) -> None:
        """Count a run that may be claimed."""
        self._waiting[rank] = self._waiting.get(rank, 0) + 1


def _enqueue(db: Database, new_runs: Sequence[NewRun], actor: str) -> list[Enqueued]:
    """Enqueue in order; a run that waits for others is written before what comes after it."""
    enqueued: list[Enqueued] = []
    begin = 0
    for end, new in enumerate(new_runs, 1):
        if new.after or end == len(new_runs):
            enqueued += _enqueue_some(db, new_runs[begin:end], actor)
            begin = end
        if new.after:
            dependencies.add(db, enqueued[-1].id, new.after)
    return enqueued


def _enqueue_some(db: Database, new_runs: Sequence[NewRun], actor: str) -> list[Enqueued]:
    created = now()
    place: int = db.all("SELECT coalesce(max(seq), 0) + 1 FROM runs")[0][0]
    standings = {name: _Standing(db, name) for name in {new.queue: None for new in new_runs}}
    enqueued, rows, events = [], [], []
    spec, text = None, ""
    for number, (run_id, new) in enumerate(zip(_new_ids(db, len(new_runs)), new_runs, strict=True)):
        if new.spec is not spec:
            spec, text = new.spec, dump_spec(new.spec)
        queue = standings[new.queue]
        rank = queue.rank(new.priority)
        state = RunState.HELD if new.held else RunState.QUEUED
        later = new.not_before is not None and new.not_before > created
        enqueued.append(
            Enqueued(
                id=run_id,
                queue=new.queue,
                position=queue.position(rank),
                job=new.job,
                version=new.version,
            )
        )
        if not new.held and not later:
            queue.join(rank)
        rows.append(
            (
                run_id,
                place + number,
                new.name,
                new.project,
                new.job,
                new.version,
                queue.number,
                state,
                json.dumps(dict(new.config)),
                new.priority,
                rank,
                json.dumps(new.tags) if new.tags else "[]",
                new.note,
                text,
                created,
                new.not_before,
                WAITS_FOR_TIME if later else 0,
                new.group,
            )
        )
        events.append((created, run_id, state, actor, f"enqueued on {new.queue}"))
    db.execute_many(_ENQUEUE, rows)
    db.execute_many(_EVENT, events)
    return enqueued
