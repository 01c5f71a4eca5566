"""Taking runs for an agent: the next in line of the queue whose turn it is, or a dead agent's.

A claim is one transaction from the look at the queue to the run's new owner, so no two agents take
one run, and none is taken before one that stands before it. It survives the agent at once and the
loss of power from the step to ``starting`` on: before that nothing of the run has happened, and it
would only be claimed anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.failure import FailureKind
from launch_tui.domain.run import ACTIVE, Phase, Run, RunState
from launch_tui.domain.spec import RunSpec, load_spec
from launch_tui.errors import Stale, StoreCorrupt
from launch_tui.store import read
from launch_tui.store.clock import now
from launch_tui.store.read import RUN_COLUMNS
from launch_tui.store.write import settle, transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.domain.slots import Shortage
    from launch_tui.store.database import Database, Row

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


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that an agent has taken, with its frozen request and its queue's tracking rule."""

    run: Run
    spec: RunSpec


DAMAGES = (ValueError, KeyError, TypeError)
"""What reading a request raises that is not as it was written."""

Admit = Callable[[str, RunSpec], "tuple[str, ...] | Shortage"]
"""From a queue's resource and a run's request to the GPUs that it gets, or what it lacks."""


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
    broken: set[int] = set()
    while True:
        before = len(broken)
        try:
            return _claim(db, owner, queues, after, admit, broken)
        except StoreCorrupt:
            # A damaged page keeps its own queue waiting for a repair, and not the others.
            if len(broken) == before:
                raise


def _claim(
    db: Database,
    owner: str,
    queues: Sequence[str] | None,
    after: str,
    admit: Admit | None,
    broken: set[int],
) -> Claimed | None:
    """Take the next run of a queue that is not ``broken``; what is broken is added there."""
    with db.transaction(durable=False):
        looking = True
        while looking:
            looking = False
            for queue_id, name, resource in _in_turn(db, queues, after):
                head = None if queue_id in broken else _head(db, queue_id, broken)
                if head is None:
                    continue
                try:
                    spec = load_spec(head["spec"])
                except DAMAGES:
                    _end_damaged(db, head["id"], RunState.QUEUED, None, owner)
                    looking = True
                    continue
                verdict = admit(resource, spec) if admit else ()
                if isinstance(verdict, tuple):
                    return Claimed(_take(db, head["id"], name, verdict, owner), spec)
                # What has just ended has let go what is behind it, and what waited for it: nothing
                # else would have the agent look again.
                looking |= _take_shortage(db, head, verdict, owner)
    return None


def _head(db: Database, queue_id: int, broken: set[int]) -> Row | None:
    """Return the first in line; a queue whose first cannot be read is broken."""
    try:
        return db.one(_HEAD, (queue_id,))
    except StoreCorrupt:
        broken.add(queue_id)
        raise


def take_over(db: Database, owner: str) -> list[Claimed]:
    """Make all runs of dead agents this agent's and return them, oldest first.

    Only the holder of the agent lock may call this: the lock is what shows that no other agent
    lives.
    """
    states = ", ".join(f"'{state}'" for state in sorted(ACTIVE))
    with db.transaction():
        db.execute(f"UPDATE runs SET owner = ? WHERE state IN ({states})", (owner,))
        rows = db.all(f"{RUN_COLUMNS} WHERE r.state IN ({states}) ORDER BY r.seq")
        left = []
        for row in rows:
            try:
                left.append(Claimed(read.run_from_row(db, row), load_spec(row["spec"])))
            except DAMAGES:
                _end_damaged(db, row["id"], RunState(row["state"]), owner, owner)
        return left


def _end_damaged(
    db: Database, run_id: str, state: RunState, expected: str | None, actor: str
) -> None:
    """End a run whose request cannot be read: what is behind it goes on."""
    changes = {
        "phase": Phase.SOURCE,
        "cause": "its request in the store is damaged",
        "next_step": "run launch-tui fsck --repair, then launch it again",
        "failure": FailureKind.SOURCE,
    }
    settle(db, run_id, state, RunState.FAILED, owner=expected, actor=actor, changes=changes)


def _take(db: Database, run_id: str, queue: str, gpus: tuple[str, ...], owner: str) -> Run:
    """Make the first in line the agent's and return it as it is then."""
    faults.point("claim.before")
    transition(
        db,
        run_id,
        RunState.QUEUED,
        RunState.CLAIMED,
        owner=None,
        actor=owner,
        message=f"claimed from {queue}",
        changes={
            "owner": owner,
            "claimed_at": now(),
            "progress": "",
            "blocked": "",
            "gpus": json.dumps(gpus),
        },
    )
    row = db.one(f"{RUN_COLUMNS} WHERE r.id = ?", (run_id,))
    if row is None:  # pragma: no cover - the row was just updated in this transaction
        raise Stale("the run is gone")
    return read.run_from_row(db, row)


def _take_shortage(db: Database, head: Row, lacking: Shortage, owner: str) -> bool:
    """Note what the first in line waits for; end it where waiting is of no use, and say so."""
    if lacking.kind == "never":
        changes = {
            "phase": Phase.START,
            "cause": lacking.text,
            "next_step": "ask for what this machine gives (launch-tui doctor), then rerun",
            "failure": FailureKind.START,
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
        return True
    told = f"{lacking.kind}: {lacking.text}"
    if head["blocked"] != told:
        db.execute("UPDATE runs SET blocked = ? WHERE id = ?", (told, head["id"]))
        faults.point("blocked.noted")
    return False


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
