"""What of the data directory is needed by something that stays, and forgetting many runs at once.

A run may be forgotten when it has ended before a given time, nothing that waits or runs depends on
it, and nobody is still to be told of its end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from launch_tui.domain.job import JobKind
from launch_tui.domain.run import ACTIVE, BAD_ENDS, ENDED, WAITING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from launch_tui.store.database import Database

BATCH = 500
"""Runs that are forgotten in one transaction: others wait for it no longer than some milliseconds.
"""


def _listed(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_DOOMED = f"""
    state IN ({_listed(ENDED)}) AND ended_at < :before
    AND (NOT :keep_failed OR state NOT IN ({_listed(BAD_ENDS)}))
    AND id NOT IN (SELECT d.on_run FROM dependencies d JOIN runs w ON w.id = d.run_id
        WHERE w.state IN ({_listed(ACTIVE | WAITING)}))
    AND id NOT IN (SELECT run_id FROM outbox)"""

_SOURCES = f"""
    SELECT DISTINCT json_extract(spec, '$.kind') AS kind, json_extract(spec, '$.source') AS source
    FROM runs WHERE json_extract(spec, '$.kind') <> '{JobKind.IMAGE}'"""

_SOURCES_OF_JOBS = f"""
    SELECT DISTINCT j.kind, v.source FROM job_versions v JOIN jobs j ON j.id = v.job_id
    WHERE j.kind <> '{JobKind.IMAGE}'"""

_STANDINGS = f"""
    SELECT id, attempt, state IN ({_listed(ENDED)}) AS ended, ended_at,
        coalesce(json_extract(spec, '$.keep'), 0) AS keep
    FROM runs"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Which ended runs may be forgotten.

    ``before`` is the time (as the store has it) before which they ended; ``keep_failed`` keeps
    those that ended badly.
    """

    before: str
    keep_failed: bool = False

    def parameters(self) -> dict[str, str | bool]:
        """Return what ``_DOOMED`` takes."""
        return {"before": self.before, "keep_failed": self.keep_failed}


class Sources(NamedTuple):
    """Digests of artifacts and URLs of repositories."""

    artifacts: frozenset[str]
    repositories: frozenset[str]


class Standing(NamedTuple):
    """A run's newest attempt, and when it ended; ``ended_at`` is empty while it waits or runs.

    ``keeps_container`` says that its container stays after its end, with its files.
    """

    attempt: int
    ended_at: str
    keeps_container: bool


def why_kept(db: Database, limits: Limits) -> int:
    """Return how many runs that are old enough stay because something still needs them."""
    row = db.one(
        f"SELECT count(*) FROM runs WHERE state IN ({_listed(ENDED)}) AND ended_at < :before"
        f" AND (NOT :keep_failed OR state NOT IN ({_listed(BAD_ENDS)})) AND NOT ({_DOOMED})",
        limits.parameters(),
    )
    return int(row[0]) if row else 0


def doomed(db: Database, limits: Limits) -> list[str]:
    """Return the runs that may be forgotten, oldest first."""
    rows = db.all(f"SELECT id FROM runs WHERE {_DOOMED} ORDER BY seq", limits.parameters())
    return [row["id"] for row in rows]


def forget(db: Database, limits: Limits, run_ids: Sequence[str]) -> Iterator[list[str]]:
    """Forget runs, a batch at a time; the caller removes their directories.

    Whether a run may be forgotten is asked again in the transaction that does it.

    Args:
        db: The store.
        limits: Which runs may be.
        run_ids: Those that ``doomed`` named.
    """
    for at in range(0, len(run_ids), BATCH):
        batch = json.dumps(run_ids[at : at + BATCH])
        with db.transaction():
            rows = db.all(
                f"SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(:ids)) AND {_DOOMED}"
                " ORDER BY seq",
                {**limits.parameters(), "ids": batch},
            )
            gone = [row["id"] for row in rows]
            _delete(db, gone)
        yield gone


def forget_these(db: Database, run_ids: Sequence[str]) -> None:
    """Forget runs, whatever their state is: for a copy of the store that nobody works with."""
    with db.transaction():
        _delete(db, run_ids)


def sources(db: Database, *, but: Limits | None = None) -> Sources:
    """Return the sources that job versions and runs refer to.

    Args:
        db: The store.
        but: Leaves out the runs that may be forgotten.
    """
    rows = db.all(_SOURCES_OF_JOBS)
    condition = f" AND NOT ({_DOOMED})" if but else ""
    rows += db.all(_SOURCES + condition, but.parameters() if but else ())
    found = [json.loads(row["source"]) for row in rows]
    return Sources(
        frozenset(source["digest"] for source in found if source.get("digest")),
        frozenset(source["url"] for source in found if source.get("url")),
    )


def oldest_claim(db: Database) -> str | None:
    """Return when the run that has been at work for the longest was claimed, None without one."""
    row = db.one(
        "SELECT min(coalesce(claimed_at, created_at)) AS at FROM runs"
        f" WHERE state IN ({_listed(ACTIVE)})"
    )
    return row["at"] if row else None


def standings(db: Database) -> dict[str, Standing]:
    """Return how each run stands, by its id."""
    return {
        row["id"]: Standing(
            row["attempt"], (row["ended_at"] or "") if row["ended"] else "", bool(row["keep"])
        )
        for row in db.all(_STANDINGS)
    }


def active(db: Database) -> list[str]:
    """Return the runs that are at work."""
    rows = db.all(f"SELECT id FROM runs WHERE state IN ({_listed(ACTIVE)}) ORDER BY seq")
    return [row["id"] for row in rows]


def known(db: Database, run_ids: Collection[str]) -> set[str]:
    """Return those of the ids that are runs."""
    found: set[str] = set()
    ids = list(run_ids)
    for at in range(0, len(ids), BATCH):
        part = ids[at : at + BATCH]
        marks = ", ".join("?" * len(part))
        found.update(
            row["id"] for row in db.all(f"SELECT id FROM runs WHERE id IN ({marks})", part)
        )
    return found


def _delete(db: Database, run_ids: Sequence[str]) -> None:
    for at in range(0, len(run_ids), BATCH):
        part = run_ids[at : at + BATCH]
        marks = ", ".join("?" * len(part))
        db.execute(f"DELETE FROM events WHERE run_id IN ({marks})", part)
        db.execute(f"DELETE FROM dependencies WHERE run_id IN ({marks})", part)
        db.execute(f"DELETE FROM outbox WHERE run_id IN ({marks})", part)
        db.execute(f"DELETE FROM runs WHERE id IN ({marks})", part)
