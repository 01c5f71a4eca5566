"""Which runs are to be sent to a W&B server, and how far that is: columns of the run itself.

What is owed is on disk before anybody is told of it, and the rule of a queue is applied in the
transaction that ends the run, so neither a crash nor a person who looks away loses any. Counters
are kept by triggers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.domain.run import RunState
from launch_tui.domain.sync import Sync, SyncState
from launch_tui.store.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from launch_tui.store.database import Database, Row

_ENDED = f"""
    UPDATE runs SET sync_at = :at, sync = CASE
        WHEN NOT json_valid(spec) THEN '{SyncState.UNSYNCED}'
        WHEN json_extract(spec, '$.resources.wandb') = 'online' THEN '{SyncState.ONLINE}'
        WHEN json_extract(spec, '$.resources.sync') = 'ended' THEN '{SyncState.WAITING}'
        WHEN json_extract(spec, '$.resources.sync') = 'finished' AND :finished
            THEN '{SyncState.WAITING}'
        ELSE '{SyncState.UNSYNCED}' END
    WHERE id = :id AND tracked"""

_DUE = f"""
    SELECT id FROM runs WHERE sync IN ('{SyncState.WAITING}', '{SyncState.SYNCING}')
    AND sync_not_before <= ? ORDER BY sync_not_before, sync_at LIMIT 1"""

_NEXT_AT = f"""
    SELECT min(sync_not_before) FROM runs
    WHERE sync IN ('{SyncState.WAITING}', '{SyncState.SYNCING}')"""

_ASK = f"""
    UPDATE runs SET sync = '{SyncState.WAITING}', sync_at = ?, sync_tries = 0, sync_cause = NULL,
        sync_next_step = NULL, sync_not_before = ''
    WHERE id = ? AND sync NOT IN ('', '{SyncState.SYNCING}')"""


def ended(db: Database, run_id: str, state: RunState) -> None:
    """Say what is to be done with a run that ends now; part of the transaction that ends it."""
    values = {"id": run_id, "at": now(), "finished": state is RunState.FINISHED}
    db.execute(_ENDED, values)


def ask(db: Database, run_ids: Iterable[str]) -> None:
    """Have runs sent, or sent again; those that are being sent are left alone."""
    with db.transaction():
        for run_id in run_ids:
            db.execute(_ASK, (now(), run_id))


def due(db: Database) -> str | None:
    """Return the run that is to be sent next, None when nothing is due."""
    row = db.one(_DUE, (now(),))
    return str(row["id"]) if row else None


def next_at(db: Database) -> str | None:
    """Return when a run is due; empty for at once, None when none is to be sent."""
    row = db.one(_NEXT_AT)
    return row[0] if row else None


def forget_wanted(db: Database) -> None:
    """Send nothing that was to be sent: whoever asked for it is elsewhere."""
    db.execute(
        f"UPDATE runs SET sync = '{SyncState.UNSYNCED}', sync_not_before = ''"
        f" WHERE sync IN ('{SyncState.WAITING}', '{SyncState.SYNCING}')"
    )


def begin(db: Database, run_id: str) -> None:
    """Note that a run is being sent, before anything is."""
    with db.transaction():
        db.execute(
            f"UPDATE runs SET sync = '{SyncState.SYNCING}', sync_at = ?,"
            " sync_tries = sync_tries + 1 WHERE id = ?",
            (now(), run_id),
        )


def synced(db: Database, run_id: str, url: str) -> None:
    """Note that a run is on the server."""
    with db.transaction():
        db.execute(
            f"UPDATE runs SET sync = '{SyncState.SYNCED}', sync_url = ?, sync_at = ?,"
            " sync_cause = NULL, sync_next_step = NULL WHERE id = ?",
            (url or None, now(), run_id),
        )


def failed(db: Database, run_id: str, cause: str, next_step: str, again_at: str | None) -> None:
    """Note that a run was not sent, and when that is tried again; None for never."""
    state = SyncState.FAILED if again_at is None else SyncState.WAITING
    with db.transaction():
        db.execute(
            "UPDATE runs SET sync = ?, sync_at = ?, sync_cause = ?, sync_next_step = ?,"
            " sync_not_before = ? WHERE id = ?",
            (state, now(), cause, next_step, again_at or "", run_id),
        )


def put_off(db: Database, run_id: str, until: str) -> None:
    """Look at a run later: another process is sending it."""
    db.execute("UPDATE runs SET sync_not_before = ? WHERE id = ?", (until, run_id))


def counts(db: Database) -> dict[SyncState, int]:
    """Return how many runs are in each state of sending."""
    rows = db.all("SELECT state, runs FROM sync_counts WHERE runs > 0")
    return {SyncState(row["state"]): row["runs"] for row in rows}


def unsent(db: Database) -> list[str]:
    """Return the runs that lie here alone or could not be sent, oldest first."""
    rows = db.all(
        "SELECT id FROM runs"
        f" WHERE sync IN ('{SyncState.UNSYNCED}', '{SyncState.FAILED}') ORDER BY seq"
    )
    return [str(row["id"]) for row in rows]


SYNC_COLUMNS = (
    "sync", "sync_url", "sync_at", "sync_cause", "sync_next_step", "sync_tries", "sync_not_before",
)  # fmt: skip
"""What ``sync_of`` reads of a run's row."""


def sync_of(row: Row | Mapping[str, Any]) -> Sync:
    """Return how it stands with sending the run of a row."""
    return Sync(
        state=SyncState(row["sync"]),
        url=row["sync_url"],
        at=row["sync_at"],
        cause=row["sync_cause"],
        next_step=row["sync_next_step"],
        tries=row["sync_tries"],
        next_at=(row["sync_not_before"] or None) if row["sync"] == SyncState.WAITING else None,
    )
