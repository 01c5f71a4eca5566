"""Runs by what they are called: for going to one that a person knows a part of the name of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.store.database import Database

_BY_ID = "SELECT seq FROM runs WHERE id >= ? AND id < ? LIMIT ?"
_BY_JOB = "SELECT seq FROM runs WHERE job = ? ORDER BY seq DESC LIMIT ?"
_BY_NAME = r"""
    SELECT seq FROM runs INDEXED BY runs_by_name
    WHERE name COLLATE NOCASE LIKE ? ESCAPE '\' ORDER BY seq DESC LIMIT ?"""
_JOBS = r"SELECT name FROM jobs WHERE name LIKE ? ESCAPE '\' LIMIT ?"


def called(db: Database, text: str, most: int) -> list[int]:
    """Return the numbers of runs that are called so: by id, by name, by the job's name.

    Args:
        db: The store.
        text: The beginning of an id, or a part of a name.
        most: How many at most.
    """
    pattern = "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    found = [row["seq"] for row in db.all(_BY_ID, (text, text + "\uffff", most))]
    found += [row["seq"] for row in db.all(_BY_NAME, (pattern, most))]
    for job in db.all(_JOBS, (pattern, most)):
        if len(found) < most:
            found += [row["seq"] for row in db.all(_BY_JOB, (job["name"], most))]
    return list(dict.fromkeys(found))[:most]


def ids_at(db: Database, numbers: Sequence[int]) -> list[str]:
    """Return the ids of runs by their numbers, in any order."""
    given = json.dumps(list(numbers))
    rows = db.all("SELECT id FROM runs WHERE seq IN (SELECT value FROM json_each(?))", (given,))
    return [row["id"] for row in rows]
