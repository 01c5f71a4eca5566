"""What changes a run in the store: its steps, its outcome, what is seen and asked of it.

Every change of state is one transaction guarded by the state and the owner that it starts from:
``Stale`` means that someone else acted first. Each writes its event beside it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from launch_tui import faults
from launch_tui.domain.metrics import declared, metric_of
from launch_tui.domain.run import (
    ENDED,
    WAITING,
    RunState,
    StopMode,
    require_transition,
)
from launch_tui.errors import Stale, UsageError
from launch_tui.store import dependencies, read, syncing
from launch_tui.store.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.metrics import Telling
    from launch_tui.store.database import Database

_DECLARED = """
    SELECT json_extract(v.outputs, '$.metric') AS metric FROM runs r
    JOIN jobs j ON j.name = r.job
    JOIN job_versions v ON v.job_id = j.id AND 'v' || v.number = r.version
    WHERE r.id = ?"""

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
        "image_digest",
        "gpus",
        "blocked",
        "failure",
        "not_before",
        "waits",
        "retried",
    }
)

_OBSERVED = frozenset({"observed", "summary", "progress", "tracked", "name", "tags", "note"})


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
        syncing.ended(db, run_id, to)
        faults.point("settle.dependants")
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
) -> RunState:
    """Put a run that an agent has back into its place in the queue and return its state then.

    One whose end the user has asked for is stopped instead: the agent that puts it back may not
    have heard of that.

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
        if _stop_is_asked(db, run_id):
            cause = "stopped by the user" + ("" if through else " before it started")
            stopped = {"cause": cause}
            settle(db, run_id, state, RunState.STOPPED, owner=owner, actor=owner, changes=stopped)
            return RunState.STOPPED
        if through is not None:
            transition(db, run_id, state, through, owner=owner, actor=owner, message=message)
            faults.point("retry.written")
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
    return RunState.QUEUED


def observe(db: Database, run_id: str, values: Mapping[str, Any]) -> None:
    """Store what tracking saw: config, summary, tags, the display name, the line worth knowing."""
    if unknown := set(values) - _OBSERVED:
        raise ValueError(f"tracking does not set {unknown}")
    stored = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in values.items()}
    if "summary" in values:
        wanted = telling_metric(db, run_id)
        stored["metric_key"], stored["metric"] = metric_of(values["summary"], wanted)
    assignments = ", ".join(f"{column} = :{column}" for column in stored)
    if assignments:
        db.execute(f"UPDATE runs SET {assignments} WHERE id = :id", {**stored, "id": run_id})


def telling_metric(db: Database, run_id: str) -> Telling | None:
    """Return the metric that a run's job version declares, None when it declares none."""
    row = db.one(_DECLARED, (run_id,))
    return declared({"metric": json.loads(row["metric"])}) if row and row["metric"] else None


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


def _stop_is_asked(db: Database, run_id: str) -> bool:
    row = db.one("SELECT stop_requested_at FROM runs WHERE id = ?", (run_id,))
    return row is not None and row[0] is not None


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
    values = {"ended_at": now(), "progress": "", "blocked": "", "waits": 0, **changes}
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
