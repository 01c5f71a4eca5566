"""What ``fsck`` asks the store about its rows: are they whole, and what do they need on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from launch_tui.store.database import Database

_JSON_COLUMNS = ("config", "observed", "summary", "tags", "gpus", "spec")
_COUNTS = """
    SELECT queue_id, CASE WHEN state = 'queued' AND waits <> 0 THEN 'deferred' ELSE state END
        AS counted, count(*) AS runs FROM runs GROUP BY 1, 2"""
_LEVELS = """
    SELECT queue_id, rank, count(*) AS runs FROM runs WHERE state = 'queued' AND waits = 0
    GROUP BY 1, 2"""
_COUNTED_WRONG = f"""
    SELECT * FROM (SELECT * FROM ({_COUNTS}) EXCEPT SELECT * FROM queue_counts WHERE runs <> 0)
    UNION ALL
    SELECT * FROM (SELECT * FROM queue_counts WHERE runs <> 0 EXCEPT SELECT * FROM ({_COUNTS}))
    UNION ALL
    SELECT * FROM (SELECT * FROM ({_LEVELS}) EXCEPT SELECT * FROM queue_levels WHERE runs <> 0)
    UNION ALL
    SELECT * FROM (SELECT * FROM queue_levels WHERE runs <> 0 EXCEPT SELECT * FROM ({_LEVELS}))
    LIMIT 1"""


def known_runs(db: Database) -> Iterator[tuple[str, str, int, bool]]:
    """Yield id, state, attempt and whether it began (its directory was made) of every run."""
    for rows in db.portions(
        "SELECT id, state, attempt, EXISTS (SELECT 1 FROM events e WHERE e.run_id = runs.id"
        " AND e.state = 'building') AS began FROM runs ORDER BY seq",
        size=500,
    ):
        for row in rows:
            yield row["id"], row["state"], row["attempt"], bool(row["began"])


def spec_text(db: Database, run_id: str) -> str:
    """Return the frozen request of a run as it is stored."""
    row = db.one("SELECT spec FROM runs WHERE id = ?", (run_id,))
    return str(row["spec"]) if row else ""


def artifacts_in_use(db: Database) -> dict[str, list[str]]:
    """Return the digests of the artifacts that job versions and runs refer to, with who does."""
    found: dict[str, list[str]] = {}
    rows = db.all(
        "SELECT j.name || ':v' || v.number AS who, v.source FROM job_versions v"
        " JOIN jobs j ON j.id = v.job_id WHERE j.kind = 'code'"
    )
    for row in rows:
        digest = json.loads(row["source"]).get("digest")
        if digest:
            found.setdefault(digest, []).append(row["who"])
    rows = db.all(
        "SELECT DISTINCT json_extract(spec, '$.source.digest') AS digest FROM runs"
        " WHERE state IN ('queued', 'held', 'claimed', 'sourcing') AND json_valid(spec)"
    )
    for row in rows:
        if row["digest"]:
            found.setdefault(row["digest"], [])
    return found


def folders_of(db: Database, digest: str) -> list[str]:
    """Return the folders that an artifact was made from."""
    rows = db.all(
        "SELECT DISTINCT json_extract(source, '$.path') AS path FROM job_versions"
        " WHERE json_extract(source, '$.digest') = ?",
        (digest,),
    )
    return [row["path"] for row in rows if row["path"]]


def runs_of_artifact(db: Database, digest: str) -> list[tuple[str, int]]:
    """Return the runs, with their last attempt, whose files are those of an artifact."""
    rows = db.all(
        "SELECT id, attempt FROM runs WHERE json_valid(spec)"
        " AND json_extract(spec, '$.source.digest') = ? ORDER BY seq DESC LIMIT 50",
        (digest,),
    )
    return [(row["id"], row["attempt"]) for row in rows]


def unreadable_rows(db: Database) -> list[tuple[str, str]]:
    """Return each run one of whose columns is not what it must be, with the column."""
    found: list[tuple[str, str]] = []
    for column in _JSON_COLUMNS:
        rows = db.all(f"SELECT id FROM runs WHERE NOT json_valid({column})")
        found += [(row["id"], column) for row in rows]
    return found


def wrong_counters(db: Database) -> bool:
    """Whether the counters of the queues are not what there is to be counted."""
    return bool(db.all(_COUNTED_WRONG))


def count_anew(db: Database) -> None:
    """Fill the counters of the queues from the runs."""
    with db.transaction():
        for table, fill in (("queue_counts", _COUNTS), ("queue_levels", _LEVELS)):
            db.execute(f"DELETE FROM {table}")
            db.execute(f"INSERT INTO {table} {fill}")


def replace_column(db: Database, run_id: str, column: str, text: str) -> None:
    """Give a column of a run another text; one of those that ``unreadable_rows`` names."""
    if column not in _JSON_COLUMNS:
        raise ValueError(f"{column} is not to be replaced")
    db.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (text, run_id))
