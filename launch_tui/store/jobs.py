"""Jobs, their immutable versions and their moving aliases in the store."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launch_tui.domain.job import JobKind, JobVersion
from launch_tui.domain.metrics import declaring, metric_of
from launch_tui.domain.spec import (
    dump_environment,
    dump_source,
    load_environment,
    load_source,
)
from launch_tui.errors import NotFound, UsageError
from launch_tui.store.clock import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.metrics import Telling
    from launch_tui.store.database import Database, Row

LATEST = "latest"

_VERSION = re.compile(r"v\d+\Z")

_COLUMNS = """
    SELECT v.*, j.name, j.kind,
        (SELECT json_group_array(a.alias) FROM job_aliases a
            WHERE a.job_id = j.id AND a.number = v.number) AS aliases
    FROM job_versions v JOIN jobs j ON j.id = v.job_id"""

_INSERT_VERSION = """
    INSERT INTO job_versions (job_id, number, identity, source, entry_point, environment, tracking,
        links, description, inputs, outputs, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_MOVE_ALIAS = """
    INSERT INTO job_aliases (job_id, alias, number) VALUES (?, ?, ?)
    ON CONFLICT (job_id, alias) DO UPDATE SET number = excluded.number
    WHERE number <> excluded.number"""


@dataclass(frozen=True, slots=True)
class Saved:
    """What ``save_version`` did: ``created``, ``updated`` (a new version) or ``unchanged``."""

    job: JobVersion
    outcome: str


def save_version(db: Database, job: JobVersion, aliases: Sequence[str] = ()) -> Saved:
    """Store a job version, unless the newest one is the same, and move its aliases to it.

    ``job.version``, ``aliases`` and ``created_at`` of the argument are not looked at. ``latest``
    always moves.

    Raises:
        UsageError: When the name belongs to a job of another kind.
    """
    identity = _identity(job)
    with db.transaction():
        job_id = _job_id(db, job)
        newest = db.one(
            "SELECT number, identity FROM job_versions WHERE job_id = ?"
            " ORDER BY number DESC LIMIT 1",
            (job_id,),
        )
        if newest is not None and newest["identity"] == identity:
            number, outcome = int(newest["number"]), "unchanged"
        else:
            number, outcome = (
                (0, "created") if newest is None else (newest["number"] + 1, "updated")
            )
            _insert_version(db, job_id, number, identity, job)
        for alias in (LATEST, *aliases):
            db.execute(_MOVE_ALIAS, (job_id, check_alias(alias), number))
    return Saved(get(db, f"{job.name}:v{number}"), outcome)


def get(db: Database, reference: str) -> JobVersion:
    """Return the version that ``name``, ``name:v3`` or ``name:alias`` names.

    Raises:
        NotFound: With what there is instead.
    """
    name, separator, version = reference.partition(":")
    if separator and not version:
        allowed = f"{name}, {name}:v0 or {name}:ALIAS"
        raise UsageError("job", f"{reference!r} names no version", allowed=allowed)
    row = db.one("SELECT id FROM jobs WHERE name = ?", (name,))
    if row is None:
        names = ", ".join(job.name for job in every(db)[:20]) or "none yet: launch-tui job create"
        raise NotFound("job", f"there is no job called {name!r}", allowed=names)
    number = _number(db, row["id"], version or LATEST)
    found = None
    if number is not None:
        found = db.one(f"{_COLUMNS} WHERE v.job_id = ? AND v.number = ?", (row["id"], number))
    if found is None:
        raise NotFound(
            "job",
            f"{name!r} has no version or alias {version!r}",
            allowed=", ".join(_known(db, row["id"])),
        )
    return _version(found)


def every(db: Database) -> list[JobVersion]:
    """Return the latest version of each job, in the order of the jobs' creation."""
    rows = db.all(
        f"{_COLUMNS} WHERE v.number = (SELECT max(number) FROM job_versions w"
        " WHERE w.job_id = v.job_id) ORDER BY j.id"
    )
    return [_version(row) for row in rows]


def versions(db: Database, name: str) -> list[JobVersion]:
    """Return all versions of a job, newest first."""
    get(db, name)
    rows = db.all(f"{_COLUMNS} WHERE j.name = ? ORDER BY v.number DESC", (name,))
    return [_version(row) for row in rows]


def set_alias(db: Database, reference: str, alias: str) -> JobVersion:
    """Move an alias to the version that ``reference`` names."""
    check_alias(alias)
    if alias == LATEST:
        raise UsageError("alias", "'latest' always is the newest version and cannot be moved")
    with db.transaction():
        job = get(db, reference)
        row = db.one("SELECT id FROM jobs WHERE name = ?", (job.name,))
        db.execute(_MOVE_ALIAS, (row["id"] if row else 0, alias, int(job.version[1:])))
    return get(db, f"{job.name}:{job.version}")


def learn(
    db: Database, reference: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> None:
    """Store the schemas that a finished run taught about its job version."""
    name, _, version = reference.partition(":")
    db.execute(
        "UPDATE job_versions SET inputs = ?, outputs = ? WHERE number = ?"
        " AND job_id = (SELECT id FROM jobs WHERE name = ?)",
        (json.dumps(dict(inputs)), json.dumps(dict(outputs)), int(version[1:]), name),
    )


def describe(
    db: Database, reference: str, description: str, inputs: Mapping[str, Any]
) -> JobVersion:
    """Store what is told of a version and what its form takes: neither makes it another one."""
    job = get(db, reference)
    db.execute(
        "UPDATE job_versions SET description = ?, inputs = ? WHERE number = ?"
        " AND job_id = (SELECT id FROM jobs WHERE name = ?)",
        (description, json.dumps(dict(inputs)), int(job.version[1:]), job.name),
    )
    return get(db, f"{job.name}:{job.version}")


def declare_metric(db: Database, reference: str, telling: Telling | None) -> JobVersion:
    """Store which metric tells the runs of a version apart, and sort those that there are by it.

    Args:
        db: The store.
        reference: The version, as ``get`` takes it.
        telling: The metric; None to go by the names of the metrics again.
    """
    with db.transaction():
        job = get(db, reference)
        learn(db, f"{job.name}:{job.version}", job.inputs, declaring(job.outputs, telling))
        rows = db.all(
            "SELECT seq, summary FROM runs WHERE job = ? AND version = ? AND summary <> '{}'",
            (job.name, job.version),
        )
        for row in rows:
            key, metric = metric_of(json.loads(row["summary"]), telling)
            db.execute(
                "UPDATE runs SET metric_key = ?, metric = ? WHERE seq = ?",
                (key, metric, row["seq"]),
            )
    return get(db, f"{job.name}:{job.version}")


def delete(db: Database, name: str) -> None:
    """Delete a job with all versions; its runs stay, with the spec that each of them holds.

    Raises:
        UsageError: When a run of it still waits or runs.
    """
    with db.transaction():
        get(db, name)
        row = db.one(
            "SELECT count(*) FROM runs WHERE job = ? AND state IN"
            " ('queued', 'held', 'claimed', 'sourcing', 'building', 'starting', 'running')",
            (name,),
        )
        if row and row[0]:
            raise UsageError(
                "job",
                f"{row[0]} runs of {name!r} wait or run",
                allowed="a job whose runs are over; launch-tui cancel or stop RUN... ends them",
            )
        db.execute("DELETE FROM jobs WHERE name = ?", (name,))


def check_alias(alias: str) -> str:
    """Return ``alias`` if a version may be called so."""
    if not re.fullmatch(r"[a-zA-Z0-9_\-.]{1,128}", alias) or _VERSION.match(alias):
        allowed = "1 to 128 of a-z A-Z 0-9 _ - . and not v0, v1, …"
        raise UsageError("alias", f"{alias!r} cannot be an alias", allowed=allowed)
    return alias


def _job_id(db: Database, job: JobVersion) -> int:
    row = db.one("SELECT id, kind FROM jobs WHERE name = ?", (job.name,))
    if row is None:
        cursor = db.execute(
            "INSERT INTO jobs (name, kind, created_at) VALUES (?, ?, ?)",
            (job.name, job.kind, now()),
        )
        return int(cursor.lastrowid or 0)
    if row["kind"] != job.kind:
        raise UsageError(
            "-n", f"{job.name!r} is a {row['kind']} job already", allowed="another name"
        )
    return int(row["id"])


def _insert_version(db: Database, job_id: int, number: int, identity: str, job: JobVersion) -> None:
    inputs, outputs = dict(job.inputs), dict(job.outputs)
    if not inputs and number > 0:
        # What the last version took is the best guess until a run of this one says otherwise.
        row = db.one(
            "SELECT inputs, outputs FROM job_versions WHERE job_id = ? AND number = ?",
            (job_id, number - 1),
        )
        if row:
            from launch_tui.domain.declared import loosened

            inputs, outputs = loosened(json.loads(row["inputs"])), json.loads(row["outputs"])
    db.execute(
        _INSERT_VERSION,
        (
            job_id,
            number,
            identity,
            json.dumps(dump_source(job.source)),
            json.dumps(job.entry_point),
            json.dumps(dump_environment(job.environment)),
            job.tracking,
            json.dumps(job.links),
            job.description,
            json.dumps(inputs),
            json.dumps(outputs),
            now(),
        ),
    )


def _identity(job: JobVersion) -> str:
    """Digest what makes two definitions the same version; where the files lay does not count."""
    source = dump_source(job.source)
    for incidental in ("path", "files", "size"):
        source.pop(incidental, None)
    values = [source, job.entry_point, dump_environment(job.environment), job.tracking, job.links]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _number(db: Database, job_id: int, version: str) -> int | None:
    if _VERSION.match(version):
        return int(version[1:])
    row = db.one("SELECT number FROM job_aliases WHERE job_id = ? AND alias = ?", (job_id, version))
    return int(row["number"]) if row else None


def _known(db: Database, job_id: int) -> list[str]:
    numbers = db.all(
        "SELECT number FROM job_versions WHERE job_id = ? ORDER BY number DESC LIMIT 10", (job_id,)
    )
    aliases = db.all("SELECT alias FROM job_aliases WHERE job_id = ?", (job_id,))
    return [row["alias"] for row in aliases] + [f"v{row['number']}" for row in numbers]


def _version(row: Row) -> JobVersion:
    kind = JobKind(row["kind"])
    return JobVersion(
        name=row["name"],
        version=f"v{row['number']}",
        kind=kind,
        source=load_source(kind, json.loads(row["source"])),
        entry_point=tuple(json.loads(row["entry_point"])),
        environment=load_environment(json.loads(row["environment"])),
        tracking=row["tracking"],
        links=tuple(json.loads(row["links"])),
        description=row["description"],
        aliases=tuple(json.loads(row["aliases"])),
        inputs=json.loads(row["inputs"]),
        outputs=json.loads(row["outputs"]),
        created_at=row["created_at"],
    )
