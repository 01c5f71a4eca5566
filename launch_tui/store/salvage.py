"""Getting out of a damaged store what can still be read, and runs back from their own records.

The last resort, where the second copy cannot help either. Each table is read from both ends and row
by row in between, so that a damaged page costs the rows on it; indexes and counters are not read at
all but come anew with the rows. ``record_of`` is what a run's directory keeps of its rows, and
``put_record`` makes the rows again from that.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TABLES = (
    "jobs", "job_versions", "job_aliases", "queues", "runs", "events", "agents", "drafts",
    "dependencies", "filters", "subscribers", "outbox",
)  # fmt: skip
_WITHOUT_ROWID = frozenset(
    {"job_aliases", "agents", "drafts", "dependencies", "filters", "subscribers"}
)
_AT_ONCE = 200
_MOST_PROBED = 200_000
"""Row numbers between two readable ends that are asked for one by one."""


def rescue(source: Path, target: Path) -> dict[str, int]:
    """Copy what can be read of a damaged store into a new one.

    Args:
        source: The damaged file.
        target: The new one; there is none yet.

    Returns:
        For each table in which rows could not be read, how many row numbers those are; -1 where
        nobody can tell how many.
    """
    from launch_tui.store.schema import migrate

    lost: dict[str, int] = {}
    with (
        closing(sqlite3.connect(target, isolation_level=None)) as new,
        closing(_reading(source)) as old,
    ):
        migrate(new)
        new.execute("BEGIN")
        for table in _TABLES:
            known = {row[1] for row in new.execute(f"PRAGMA table_info({table})")}
            missing = 0
            for row in _rows(old, table):
                if isinstance(row, int):
                    missing = -1 if row < 0 or missing < 0 else missing + row
                else:
                    values = {key: row[key] for key in row.keys() if key in known}  # noqa: SIM118
                    _insert(new, table, values)
            if missing:
                lost[table] = missing
        new.execute("COMMIT")
    return lost


def _reading(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _rows(old: sqlite3.Connection, table: str) -> Iterator[sqlite3.Row | int]:
    """Yield the rows of a table, and a number for rows that cannot be read (-1: any number)."""
    if table in _WITHOUT_ROWID:
        yield from _scanned(old, f"SELECT * FROM {table}")
        return
    last = 0
    broken = False
    while not broken:
        rows, broken = _part(old, f"rowid > {last} ORDER BY rowid", table)
        yield from rows
        if not rows and not broken:
            return
        last = rows[-1]["_number"] if rows else last
    first: int | None = None
    behind: list[sqlite3.Row] = []
    while True:
        bound = f"rowid < {first} AND" if first is not None else ""
        rows, broken = _part(old, f"{bound} rowid > {last} ORDER BY rowid DESC", table)
        behind += rows
        first = rows[-1]["_number"] if rows else first
        if broken or not rows:
            break
    if first is None or first - last > _MOST_PROBED:
        yield -1
    else:
        for number in range(last + 1, first):
            rows, broken = _part(old, f"rowid = {number}", table)
            yield from rows
            if broken:
                yield 1
    yield from reversed(behind)


def _part(old: sqlite3.Connection, where: str, table: str) -> tuple[list[sqlite3.Row], bool]:
    """Return up to so many rows, and whether an error ended them."""
    rows: list[sqlite3.Row] = []
    try:
        sql = f"SELECT rowid AS _number, * FROM {table} WHERE {where} LIMIT {_AT_ONCE}"
        rows.extend(old.execute(sql))
    except sqlite3.DatabaseError:
        return rows, True
    return rows, False


def _scanned(old: sqlite3.Connection, sql: str) -> Iterator[sqlite3.Row | int]:
    try:
        yield from old.execute(sql)
    except sqlite3.DatabaseError:
        yield -1


def _insert(new: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
