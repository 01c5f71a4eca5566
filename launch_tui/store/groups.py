"""Groups of runs as a table shows them: where each lies, and how many of its runs are in a state.

The runs of a group are enqueued in one transaction, so they lie side by side in the order of all
runs, and what is in between two groups is a range of numbers. Ranges are counted by the index of
the states alone, without reading a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.run import ACTIVE, WAITING, RunState
from launch_tui.store.read import RUN_COLUMNS, run_from_row

if TYPE_CHECKING:
    from launch_tui.domain.run import Run
    from launch_tui.store.database import Database

_EVERY_STATE = ", ".join(f"'{state}'" for state in RunState)
_LIVE = sorted(ACTIVE | WAITING)

_SPANS = """
    SELECT group_id, min(seq) AS first, max(seq) AS last, count(*) AS size FROM runs
    WHERE group_id <> '' GROUP BY group_id ORDER BY last DESC LIMIT ?"""

_STATES_BETWEEN = f"""
    SELECT state, count(*) AS runs FROM runs INDEXED BY runs_by_state
    WHERE state IN ({_EVERY_STATE}) AND seq BETWEEN ? AND ? GROUP BY state"""

_OLDEST_LIVE = "SELECT min(first) FROM ({})".format(
    " UNION ALL ".join(f"SELECT min(seq) AS first FROM runs WHERE state = '{s}'" for s in _LIVE)
)

_REORDERED = """
    SELECT 1 FROM runs WHERE state IN ('queued', 'held') AND rank <> 2 LIMIT 1"""

_IN_ORDER = """
    SELECT r.seq, r.group_id FROM runs r JOIN queues q ON q.id = r.queue_id
    WHERE r.state IN ('queued', 'held') AND (:queue = '' OR q.name = :queue)
    AND (:job = '' OR r.job = :job) AND (:version = '' OR r.version = :version)
    ORDER BY r.rank, r.place"""

_SIGNATURE = """
    SELECT (SELECT max(seq) FROM runs) AS newest,
        (SELECT coalesce(sum(runs), 0) FROM queue_counts) AS runs"""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a group lies among all runs: the numbers of its first and last run, and its size."""

    id: str
    first: int
    last: int
    size: int


def signature(db: Database) -> tuple[int, int]:
    """Return what differs once runs have been added or deleted."""
    row = db.one(_SIGNATURE)
    return (row["newest"] or 0, row["runs"]) if row else (0, 0)


def spans(db: Database, most: int) -> list[Span]:
    """Return where the newest groups lie, oldest first."""
    rows = db.all(_SPANS, (most,))
    found = [Span(row["group_id"], row["first"], row["last"], row["size"]) for row in rows]
    return sorted(found, key=lambda span: span.first)


def oldest_live(db: Database) -> int | None:
    """Return the number of the oldest run that has not ended; None when all have."""
    row = db.one(_OLDEST_LIVE)
    return row[0] if row else None


def states(db: Database, span: Span) -> dict[RunState, int]:
    """Return how many runs of a group are in each state."""
    rows = db.all(_STATES_BETWEEN, (span.first, span.last))
    return {RunState(row["state"]): row["runs"] for row in rows}


def are_reordered(db: Database) -> bool:
    """Say whether a run that waits has another place than that of its enqueueing."""
    return db.one(_REORDERED) is not None


def in_order(db: Database, queue: str, job: str) -> list[tuple[int, str]]:
    """Return the numbers of what waits, each with its group, in the order of being claimed.

    Args:
        db: The store.
        queue: Only runs of this queue; empty for all.
        job: Only runs of this job, ``JOB`` or ``JOB:VERSION``; empty for all.
    """
    name, _, version = job.partition(":")
    rows = db.all(_IN_ORDER, {"queue": queue, "job": name, "version": version})
    return [(row["seq"], row["group_id"]) for row in rows]


def head(db: Database, span: Span) -> Run | None:
    """Return the first run of a group; None when it was deleted just now."""
    row = db.one(f"{RUN_COLUMNS} WHERE r.seq = ?", (span.first,))
    return run_from_row(db, row) if row else None


def members(db: Database, group: str) -> list[tuple[str, RunState]]:
    """Return the ids of a group's runs with their states, in the order of their enqueueing."""
    rows = db.all("SELECT id, state FROM runs WHERE group_id = ? ORDER BY seq", (group,))
    return [(row["id"], RunState(row["state"])) for row in rows]
