"""Which runs wait for which others.

A run that waits for others has the bit ``WAITS_FOR_RUNS`` in its ``waits`` until every condition is
met; whoever settles a run tells the runs that wait for it, in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.dependency import Condition, Dependency, is_met, why_hopeless
from launch_tui.domain.run import RunState
from launch_tui.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.store.database import Database

WAITS_FOR_TIME = 1
WAITS_FOR_RUNS = 2

_WAITING_ON = """
    SELECT run_id, condition FROM dependencies WHERE on_run = ? AND met = 0"""

_MEET = """
    UPDATE dependencies SET met = 1 WHERE on_run = ? AND met = 0 AND condition = ?"""

_READY = f"""
    UPDATE runs SET waits = waits & ~{WAITS_FOR_RUNS}
    WHERE id IN (SELECT run_id FROM dependencies WHERE on_run = ? AND met = 1)
    AND waits & {WAITS_FOR_RUNS}
    AND NOT EXISTS (SELECT 1 FROM dependencies d WHERE d.run_id = runs.id AND d.met = 0)"""

_WAITS_FOR_ANY = f"""
    UPDATE runs SET waits = (waits & ~{WAITS_FOR_RUNS}) | CASE WHEN EXISTS
        (SELECT 1 FROM dependencies d WHERE d.run_id = runs.id AND d.met = 0)
        THEN {WAITS_FOR_RUNS} ELSE 0 END
    WHERE id = ?"""

_REACHES = """
    WITH RECURSIVE upstream (id) AS (
        SELECT d.on_run FROM dependencies d JOIN runs r ON r.id = d.run_id
            WHERE d.run_id = :start AND d.met = 0 AND r.ended_at IS NULL
        UNION SELECT d.on_run FROM dependencies d JOIN upstream u ON d.run_id = u.id
            WHERE d.met = 0)
    SELECT 1 FROM upstream WHERE id = :goal"""


def of(db: Database, run_id: str) -> tuple[Dependency, ...]:
    """Return what a run waits for, or has waited for."""
    rows = db.all("SELECT on_run, condition FROM dependencies WHERE run_id = ?", (run_id,))
    return tuple(Dependency(row["on_run"], Condition(row["condition"])) for row in rows)


def unmet(db: Database, run_id: str) -> list[tuple[Dependency, RunState]]:
    """Return what a run still waits for, each with its state now."""
    rows = db.all(
        "SELECT d.on_run, d.condition, r.state FROM dependencies d JOIN runs r ON r.id = d.on_run"
        " WHERE d.run_id = ? AND d.met = 0",
        (run_id,),
    )
    return [
        (Dependency(row["on_run"], Condition(row["condition"])), RunState(row["state"]))
        for row in rows
    ]


def replace(db: Database, run_id: str, after: Sequence[Dependency]) -> None:
    """Have a waiting run wait for these runs and no others, inside the caller's transaction.

    Raises:
        NotFound: When one of them does not exist.
        UsageError: When one can no longer end as wanted, or waits itself for this run.
    """
    db.execute("DELETE FROM dependencies WHERE run_id = ?", (run_id,))
    for dependency in after:
        _refuse_circle(db, run_id, dependency)
    add(db, run_id, after)


def add(db: Database, run_id: str, after: Sequence[Dependency]) -> None:
    """Have a run that nothing waits for yet wait for these, inside the caller's transaction.

    Raises:
        NotFound: When one of them does not exist.
        UsageError: When one can no longer end as wanted.
    """
    for dependency in after:
        _link(db, run_id, dependency)
    db.execute(_WAITS_FOR_ANY, (run_id,))


def told_of_end(db: Database, run_id: str, state: RunState) -> list[tuple[str, str]]:
    """Let the runs go that waited for an end like this one.

    Returns:
        The runs that can now never start, each with the cause.
    """
    waiting = db.all(_WAITING_ON, (run_id,))
    if not waiting:
        return []
    for condition in Condition:
        if is_met(condition, state):
            db.execute(_MEET, (run_id, condition))
    db.execute(_READY, (run_id,))
    unmet = ((row["run_id"], Dependency(run_id, Condition(row["condition"]))) for row in waiting)
    return [
        (dependant, why_hopeless(dependency, state))
        for dependant, dependency in unmet
        if not is_met(dependency.condition, state)
    ]


def _refuse_circle(db: Database, run_id: str, dependency: Dependency) -> None:
    circle = dependency.run == run_id or db.one(_REACHES, {"start": dependency.run, "goal": run_id})
    if circle:
        raise UsageError(
            "--after",
            f"{dependency.run} waits for {run_id} itself",
            allowed="runs that do not wait for this one",
        )


def _link(db: Database, run_id: str, dependency: Dependency) -> None:
    row = db.one("SELECT state FROM runs WHERE id = ?", (dependency.run,))
    if row is None:
        raise NotFound("--after", f"there is no run {dependency.run!r}")
    met = is_met(dependency.condition, RunState(row["state"]))
    if met is False:
        raise UsageError(
            "--after",
            why_hopeless(dependency, RunState(row["state"])),
            allowed=f"a run that can still end so, or {dependency.run}:any",
        )
    db.execute(
        "INSERT OR REPLACE INTO dependencies (run_id, on_run, condition, met) VALUES (?, ?, ?, ?)",
        (run_id, dependency.run, dependency.condition, int(met is True)),
    )
