"""Makes a store that came out of a backup fit for another time and place.

What was at work when the backup was taken has no process here. What waited may have been run by now
where the backup is from, so the queues with runs in them are paused until a person lets them go on.
Whom the former agent owed word of an end is not told again, and nothing is sent
to W&B that was to be sent there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.failure import FailureKind
from launch_tui.domain.run import ACTIVE, Phase, RunState
from launch_tui.store import read, syncing
from launch_tui.store.clock import now
from launch_tui.store.read import RunQuery
from launch_tui.store.write import settle

if TYPE_CHECKING:
    from launch_tui.store.database import Database

ACTOR = "restore"

_WITH_WAITING = """
    SELECT q.name, count(*) AS runs FROM queues q JOIN runs r ON r.queue_id = q.id
    WHERE r.state IN ('queued', 'held') AND NOT q.paused GROUP BY q.id ORDER BY q.id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """What became of what a backup found at work: runs that are lost now, queues that are paused.

    ``waiting`` is how many runs wait in those queues.
    """

    lost: tuple[str, ...]
    paused: tuple[str, ...]
    waiting: int


def adapt(db: Database, taken_at: str, *, go_on: bool) -> Adapted:
    """Settle what was at work, and pause the queues in which runs wait.

    Args:
        db: The store, with which no agent works.
        taken_at: When the backup was taken, for the message.
        go_on: Whether the queues are left as they were.
    """
    with db.transaction():
        lost = [run.id for run in read.every_run(db, RunQuery(states=tuple(ACTIVE)))]
        for run_id in reversed(lost):
            _lose(db, run_id, taken_at)
        db.execute("DELETE FROM outbox")
        syncing.forget_wanted(db)
        db.execute(
            "UPDATE agents SET state = 'ended', ended_at = ?, request = NULL"
            " WHERE ended_at IS NULL",
            (now(),),
        )
        rows = db.all(_WITH_WAITING)
        paused = [] if go_on else [row["name"] for row in rows]
        marks = ", ".join("?" * len(paused))
        db.execute(f"UPDATE queues SET paused = 1 WHERE name IN ({marks})", paused)
    return Adapted(lost=tuple(lost), paused=tuple(paused), waiting=sum(row["runs"] for row in rows))


def _lose(db: Database, run_id: str, taken_at: str) -> None:
    run = read.run(db, run_id)
    settle(
        db,
        run_id,
        run.state,
        RunState.LOST,
        owner=run.agent,
        actor=ACTOR,
        changes={
            "phase": Phase.RUN,
            "cause": f"restored from a backup that was taken at {taken_at}, while it was at work",
            "next_step": f"launch-tui rerun {run_id}, if it did not end well where it ran",
            "failure": FailureKind.LOST,
            "gpus": json.dumps([]),
        },
    )
