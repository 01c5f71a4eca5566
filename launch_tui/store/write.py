"""What changes runs in the store: enqueue, claim, transitions and requests.

Every change of state is one transaction guarded by the state and the owner that it starts from:
``Stale`` means that someone else acted first. Each writes its event beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui import faults
from launch_tui.domain.run import (
    ACTIVE,
    ENDED,
    WAITING,
    Phase,
    Priority,
    Run,
    RunState,
    StopMode,
    require_transition,
)
from launch_tui.domain.spec import RunSpec, dump_spec, load_spec
from launch_tui.errors import NotFound, Stale, UsageError
from launch_tui.store import dependencies, read
from launch_tui.store.clock import now
from launch_tui.store.dependencies import WAITS_FOR_TIME
from launch_tui.store.read import RUN_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.dependency import Dependency
    from launch_tui.domain.slots import Shortage
    from launch_tui.store.database import Database, Row

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
ID_LENGTH = 8

_ENQUEUE = """
    INSERT INTO runs (id, place, name, project, job, version, queue_id, state, config, priority,
        rank, tags, note, spec, created_at, not_before, waits, group_id)
    VALUES (?, (SELECT coalesce(max(seq), 0) + 1 FROM runs), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
        ?, ?, ?)"""

_CANDIDATES = """
    SELECT q.id, q.name, q.resource FROM queues q
    JOIN queue_counts w ON w.queue_id = q.id AND w.state = 'queued' AND w.runs > 0
    WHERE NOT q.paused AND coalesce((SELECT sum(c.runs) FROM queue_counts c
        WHERE c.queue_id = q.id
        AND c.state IN ('claimed', 'sourcing', 'building', 'starting', 'running')), 0)
        < q.max_running
    ORDER BY q.id"""

_HEAD = """
    SELECT id, spec, blocked FROM runs WHERE queue_id = ? AND state = 'queued' AND waits = 0
    ORDER BY rank, place LIMIT 1"""

_AHEAD_OF_LEVEL = """
    SELECT count(*) FROM runs WHERE queue_id = ? AND state = 'queued' AND waits = 0
    AND rank <= ?"""

_EVENT = """
    INSERT INTO events (at, run_id, attempt, state, phase, actor, message)
    VALUES (?, ?, (SELECT attempt FROM runs WHERE id = ?), ?, ?, ?, ?)"""

_COLUMNS_OF_A_TRANSITION = frozenset(
    {
        "phase",
        "cause",
        "next_step",
        "exit_code",
        "tracked",
        "claimed_at",
        "started_at",
        "ended_at",
        "owner",
        "attempt",
        "progress",
        "image",
        "gpus",
        "blocked",
        "failure",
        "not_before",
        "waits",
        "retried",
    }
)

_OBSERVED = frozenset({"observed", "summary", "progress", "tracked", "name", "tags", "note"})


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


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that an agent has taken, with its frozen request and its queue's tracking rule."""

    run: Run
    spec: RunSpec


Admit = Callable[[str, RunSpec], "tuple[str, ...] | Shortage"]
"""From a queue's resource and a run's request to the GPUs that it gets, or what it lacks."""


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


def claim(
    db: Database,
    owner: str,
    *,
    queues: Sequence[str] | None,
    after: str = "",
    admit: Admit | None = None,
) -> Claimed | None:
    """Take the next run for an agent, or return None when nothing may start now.

    Args:
        db: The store.
        owner: The agent.
        queues: The queues it serves; None for all.
        after: The queue that was served last: the next one in turn is looked at first.
        admit: Says for the first in line which GPUs it gets, or what it lacks: then its whole queue
            waits behind it. None admits everything.

    Raises:
        DiskFull: When a run waits and there is no space to begin it.
    """
    if not db.all(_CANDIDATES):
        return None
    db.require_room()
    with db.transaction():
        for queue_id, name, resource in _in_turn(db, queues, after):
            head = db.one(_HEAD, (queue_id,))
            if head is None:
                continue
            spec = load_spec(head["spec"])
            verdict = admit(resource, spec) if admit and spec.resources else ()
            if not isinstance(verdict, tuple):
                _take_shortage(db, head, verdict, owner)
                continue
            faults.point("claim.before")
            transition(
                db,
                head["id"],
                RunState.QUEUED,
                RunState.CLAIMED,
                owner=None,
                actor=owner,
                message=f"claimed from {name}",
                changes={
                    "owner": owner,
                    "claimed_at": now(),
                    "progress": "",
                    "blocked": "",
                    "gpus": json.dumps(verdict),
                },
            )
            row = db.one(f"{RUN_COLUMNS} WHERE r.id = ?", (head["id"],))
            if row is None:  # pragma: no cover - the row was just updated in this transaction
                raise Stale("the run is gone")
            return Claimed(read.run_from_row(db, row), spec)
    return None


def transition(
    db: Database,
    run_id: str,
    state: RunState,
    to: RunState,
    *,
    owner: str | None,
    actor: str,
    message: str = "",
    changes: Mapping[str, Any] | None = None,
    durable: bool = True,
) -> None:
    """Move a run from one state to the next.

    Args:
        db: The store.
        run_id: The run.
        state: The state it must be in.
        to: The state it goes to.
        owner: The agent that must own it, None when nobody may.
        actor: Who does this, for the event.
        message: What happened, for the event.
        changes: Columns that change with it.
        durable: Whether it must survive the loss of power before this returns.

    Raises:
        Stale: When the run is not in that state, or not this owner's.
        BadTransition: When there is no such step.
    """
    require_transition(state, to)
    values = dict(changes or {})
    if unknown := set(values) - _COLUMNS_OF_A_TRANSITION:
        raise ValueError(f"a transition does not change {unknown}")
    assignments = "".join(f", {column} = :{column}" for column in values)
    with db.transaction(durable=durable):
        cursor = db.execute(
            f"UPDATE runs SET state = :to{assignments}"
            " WHERE id = :id AND state = :state AND owner IS :expected_owner",
            {**values, "to": to, "id": run_id, "state": state, "expected_owner": owner},
        )
        if cursor.rowcount != 1:
            raise Stale(f"run {run_id} is not {state} any more, or another agent's")
        phase = values.get("phase")
        db.execute(_EVENT, (now(), run_id, run_id, to, phase, actor, message))


def settle(
    db: Database,
    run_id: str,
    state: RunState,
    to: RunState,
    *,
    owner: str | None,
    actor: str,
    changes: Mapping[str, Any],
    observed: Mapping[str, Any] | None = None,
) -> None:
    """Store a run's outcome and what tracking last saw of it, as one.

    A run ends no earlier than it started, also when the clock was set back in between. The runs
    that waited for it are told in the same transaction: they may go, or end themselves.
    """
    with db.transaction():
        if observed:
            observe(db, run_id, observed)
        _settle_one(db, run_id, state, to, owner=owner, actor=actor, changes=changes)
        ended = [(run_id, to)]
        while ended:
            for dependant, cause in dependencies.told_of_end(db, *ended.pop()):
                _end_dependant(db, dependant, cause, actor)
                ended.append((dependant, RunState.STOPPED))


def requeue(
    db: Database,
    run_id: str,
    state: RunState,
    *,
    owner: str,
    message: str,
    attempt: int,
    through: RunState | None = None,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """Put a run that an agent has back into its place in the queue.

    Args:
        db: The store.
        run_id: The run.
        state: The state it is in.
        owner: The agent that has it.
        message: Why, for the event.
        attempt: The number of its next attempt; the present one where nothing of it has started.
        through: How the present attempt ended, where that is told: ``preempted``, ``failed``...
        changes: Columns that change with it.
    """
    back = {
        "owner": None,
        "claimed_at": None,
        "started_at": None,
        "attempt": attempt,
        "progress": "",
        "gpus": "[]",
        "tracked": False,
        **(changes or {}),
    }
    with db.transaction():
        if through is not None:
            transition(db, run_id, state, through, owner=owner, actor=owner, message=message)
        transition(
            db,
            run_id,
            through or state,
            RunState.QUEUED,
            owner=owner,
            actor=owner,
            message=f"attempt {attempt} waits in its old place" if through else message,
            changes=back,
        )


def observe(db: Database, run_id: str, values: Mapping[str, Any]) -> None:
    """Store what tracking saw: config, summary, tags, the display name, the line worth knowing."""
    if unknown := set(values) - _OBSERVED:
        raise ValueError(f"tracking does not set {unknown}")
    stored = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in values.items()}
    assignments = ", ".join(f"{column} = :{column}" for column in stored)
    if assignments:
        db.execute(f"UPDATE runs SET {assignments} WHERE id = :id", {**stored, "id": run_id})


def take_over(db: Database, owner: str) -> list[Claimed]:
    """Make all runs of dead agents this agent's and return them, oldest first.

    Only the holder of the agent lock may call this: the lock is what shows that no other agent
    lives.
    """
    states = ", ".join(f"'{state}'" for state in sorted(ACTIVE))
    with db.transaction():
        db.execute(f"UPDATE runs SET owner = ? WHERE state IN ({states})", (owner,))
        rows = db.all(f"{RUN_COLUMNS} WHERE r.state IN ({states}) ORDER BY r.seq")
    return [Claimed(read.run_from_row(db, row), load_spec(row["spec"])) for row in rows]


def request_stop(db: Database, run_id: str, mode: StopMode, *, actor: str = "user") -> RunState:
    """Ask for a run to end and return its state after that.

    A run that waits is stopped at once; one that an agent has is ended by its agent. Asking again
    with ``now`` makes a graceful stop an immediate one.

    Raises:
        UsageError: When the run has ended already.
    """
    with db.transaction():
        run = read.run(db, run_id)
        if run.state in ENDED:
            raise UsageError("RUN", f"{run_id} has ended already: {run.state}")
        if run.state in WAITING:
            settle(
                db,
                run_id,
                run.state,
                RunState.STOPPED,
                owner=run.agent,
                actor=actor,
                changes={"cause": "cancelled before it started"},
            )
            return RunState.STOPPED
        db.execute(
            "UPDATE runs SET stop_requested_at = coalesce(stop_requested_at, ?), stop_mode = ?"
            " WHERE id = ?",
            (now(), mode, run_id),
        )
        add_event(db, f"stop asked for ({mode})", actor=actor, run_id=run_id)
        return run.state


def annotate(db: Database, run_id: str, *, tags: Sequence[str] | None, note: str | None) -> None:
    """Set a run's tags, its note, or both; None leaves one as it is."""
    if tags is not None:
        db.execute("UPDATE runs SET tags = ? WHERE id = ?", (json.dumps(list(tags)), run_id))
    if note is not None:
        db.execute("UPDATE runs SET note = ? WHERE id = ?", (note, run_id))


def delete(db: Database, run_id: str) -> None:
    """Forget a run that has ended; the caller removes its directory.

    Raises:
        UsageError: When it waits or runs.
    """
    with db.transaction():
        run = read.run(db, run_id)
        if run.state not in ENDED:
            raise UsageError(
                "RUN", f"{run_id} is {run.state}", allowed="a run that has ended; stop it first"
            )
        db.execute("DELETE FROM events WHERE run_id = ?", (run_id,))
        db.execute("DELETE FROM dependencies WHERE run_id = ?", (run_id,))
        db.execute("DELETE FROM runs WHERE id = ?", (run_id,))


def add_event(
    db: Database, message: str, *, actor: str, run_id: str | None = None, phase: str | None = None
) -> None:
    """Record something that happened without a change of state."""
    db.execute(_EVENT, (now(), run_id, run_id, None, phase, actor, message))


def new_id() -> str:
    """Return a run id: 8 of a-z and 0-9, as W&B's, beginning with a letter."""
    # A leading letter keeps an id from looking like a number to YAML and to shells' completion.
    random = os.urandom(ID_LENGTH)
    first = _ALPHABET[random[0] % 26]
    return first + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in random[1:])


def _settle_one(
    db: Database,
    run_id: str,
    state: RunState,
    to: RunState,
    *,
    owner: str | None,
    actor: str,
    changes: Mapping[str, Any],
) -> None:
    message = str(changes.get("cause") or "")
    values = {"ended_at": now(), "progress": "", "blocked": "", **changes}
    started = db.one("SELECT started_at FROM runs WHERE id = ?", (run_id,))
    if started and started[0]:
        values["ended_at"] = max(values["ended_at"], started[0])
    transition(db, run_id, state, to, owner=owner, actor=actor, message=message, changes=values)


def _end_dependant(db: Database, run_id: str, cause: str, actor: str) -> None:
    # Not above: what only an end needs is not for `launch` to load.
    from launch_tui.domain.failure import FailureKind

    run = read.run(db, run_id)
    if run.state not in WAITING:
        return
    changes = {
        "cause": cause,
        "next_step": f"rerun what it waits for, then rerun {run_id}",
        "failure": FailureKind.DEPENDENCY,
    }
    _settle_one(
        db, run_id, run.state, RunState.STOPPED, owner=run.agent, actor=actor, changes=changes
    )


def _take_shortage(db: Database, head: Row, lacking: Shortage, owner: str) -> None:
    """Note what the first in line waits for; end it where waiting is of no use."""
    if lacking.kind == "never":
        changes = {
            "phase": Phase.START,
            "cause": lacking.text,
            "next_step": "ask for what this machine gives (launch-tui doctor), then rerun",
            "failure": "start",
        }
        settle(
            db,
            head["id"],
            RunState.QUEUED,
            RunState.FAILED,
            owner=None,
            actor=owner,
            changes=changes,
        )
        return
    told = f"{lacking.kind}: {lacking.text}"
    if head["blocked"] != told:
        db.execute("UPDATE runs SET blocked = ? WHERE id = ?", (told, head["id"]))


def _enqueue_one(db: Database, new: NewRun, actor: str) -> Enqueued:
    queue = db.one(
        "SELECT q.id, q.prioritized, coalesce((SELECT c.runs FROM queue_counts c"
        " WHERE c.queue_id = q.id AND c.state = 'queued'), 0) AS queued"
        " FROM queues q WHERE q.name = ?",
        (new.queue,),
    )
    if queue is None:
        raise NotFound("queue", f"there is no queue called {new.queue!r}")
    run_id = new_id()
    while db.one("SELECT 1 FROM runs WHERE id = ?", (run_id,)):
        run_id = new_id()
    state = RunState.HELD if new.held else RunState.QUEUED
    created = now()
    rank = Priority(new.priority).rank if queue["prioritized"] else Priority.MEDIUM.rank
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
    position = queue["queued"] + 1
    if queue["prioritized"]:
        ahead = db.one(_AHEAD_OF_LEVEL, (queue["id"], rank))
        position = (ahead[0] if ahead else 0) + 1
    db.execute(_ENQUEUE, values)
    if new.after:
        dependencies.replace(db, run_id, new.after)
    db.execute(_EVENT, (created, run_id, run_id, state, None, actor, f"enqueued on {new.queue}"))
    return Enqueued(id=run_id, queue=new.queue, position=position, job=new.job, version=new.version)


def _in_turn(db: Database, queues: Sequence[str] | None, after: str) -> list[tuple[int, str, str]]:
    candidates = [
        (int(row["id"]), str(row["name"]), str(row["resource"]))
        for row in db.all(_CANDIDATES)
        if queues is None or row["name"] in queues
    ]
    last = next((number for number, name, _ in candidates if name == after), None)
    if last is None:
        row = db.one("SELECT id FROM queues WHERE name = ?", (after,))
        last = int(row["id"]) if row else 0
    return [c for c in candidates if c[0] > last] + [c for c in candidates if c[0] <= last]
