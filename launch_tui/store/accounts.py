"""All that the store has of one run, as its directory keeps it too, and the way back from there.

With it a run's rows can be made again where the store has lost them: the run, its events, what it
waited for, and its queue and job version where those are gone as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_tui.store.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launch_tui.store.database import Database


def record_of(db: Database, run_id: str) -> dict[str, Any]:
    """Return all that the store has of a run, as JSON values; empty when it has nothing."""
    row = db.one("SELECT * FROM runs WHERE id = ?", (run_id,))
    if row is None:
        return {}
    queue = db.one("SELECT * FROM queues WHERE id = ?", (row["queue_id"],))
    version = db.one(
        "SELECT v.* FROM job_versions v JOIN jobs j ON j.id = v.job_id"
        " WHERE j.name = ? AND 'v' || v.number = ?",
        (row["job"], row["version"]),
    )
    job = db.one("SELECT * FROM jobs WHERE name = ?", (row["job"],))
    return {
        "row": dict(row),
        "queue": dict(queue) if queue else {},
        "job": dict(job) if job else {},
        "version": dict(version) if version else {},
        "events": [
            dict(each)
            for each in db.all("SELECT * FROM events WHERE run_id = ? ORDER BY id", (run_id,))
        ],
        "dependencies": [
            dict(each) for each in db.all("SELECT * FROM dependencies WHERE run_id = ?", (run_id,))
        ],
    }


def put_record(db: Database, record: Mapping[str, Any]) -> bool:
    """Make a run's rows again, with its queue and its job where those are gone, too.

    Returns:
        Whether it was put back; False where the store has that run, or cannot have it.
    """
    row = dict(record["row"])
    with db.transaction():
        if db.one("SELECT 1 FROM runs WHERE id = ?", (row["id"],)):
            return False
        row["queue_id"] = _queue(db, record["queue"])
        _job(db, record)
        # Its number, and with it its place among the others, is its own unless it is taken.
        if row["seq"] is None or db.one("SELECT 1 FROM runs WHERE seq = ?", (row["seq"],)):
            del row["seq"]
        if not row["place"]:
            last = db.one("SELECT coalesce(max(seq), 0) + 1 FROM runs")
            row["place"] = last[0] if last else 1
        _put(db, "runs", row)
        if not db.one("SELECT 1 FROM runs WHERE id = ?", (row["id"],)):
            return False
        for event in record["events"]:
            _put(db, "events", {key: value for key, value in event.items() if key != "id"})
        for dependency in record["dependencies"]:
            _put(db, "dependencies", dependency)
    return True


def note_damage(db: Database, run_id: str, message: str) -> None:
    """Write beside a run what of it is lost, once."""
    known = db.one("SELECT 1 FROM events WHERE run_id = ? AND message = ?", (run_id, message))
    if known is None:
        db.execute(
            "INSERT INTO events (at, run_id, attempt, actor, message)"
            " VALUES (?, ?, (SELECT attempt FROM runs WHERE id = ?), 'fsck', ?)",
            (now(), run_id, run_id, message),
        )


def _put(db: Database, table: str, values: Mapping[str, Any]) -> None:
    known = {row["name"] for row in db.all(f"PRAGMA table_info({table})")}
    given = {key: value for key, value in values.items() if key in known}
    marks = ", ".join(f":{key}" for key in given)
    db.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(given)}) VALUES ({marks})", given)


def _queue(db: Database, queue: Mapping[str, Any]) -> int:
    name = queue.get("name", "recovered")
    found = db.one("SELECT id FROM queues WHERE name = ?", (name,))
    if found is None:
        fresh = {"name": name, "resource": "local-process", "created_at": now(), **queue}
        fresh.pop("id", None)
        # Nobody has said that what was in it is to start again.
        _put(db, "queues", {**fresh, "paused": 1})
        found = db.one("SELECT id FROM queues WHERE name = ?", (name,))
    assert found is not None
    return int(found["id"])


def _job(db: Database, record: Mapping[str, Any]) -> None:
    job, version = record.get("job") or {}, record.get("version") or {}
    if not job.get("name") or not version:
        return
    _put(db, "jobs", {key: value for key, value in job.items() if key != "id"})
    found = db.one("SELECT id FROM jobs WHERE name = ?", (job["name"],))
    if found is not None:
        given = {key: value for key, value in version.items() if key != "id"}
        _put(db, "job_versions", {**given, "job_id": found["id"]})
