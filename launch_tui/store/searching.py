"""Runs that a filter means, found a stretch of the history at a time, the newest first.

SQL rules out what it can (``filter_sql``); what is left is read only as far as the filter looks at
it. A stretch takes a few hundredths of a second, so that whoever asks can show what has been found,
tell how far it is, and stop.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from launch_tui.domain.expression import Comparison, Not, Place, Word
from launch_tui.domain.filter import SEARCHED
from launch_tui.domain.run import RunState
from launch_tui.store import groups
from launch_tui.store.filter_sql import condition_of
from launch_tui.store.read import where_of
from launch_tui.store.syncing import SYNC_COLUMNS, sync_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from launch_tui.domain.expression import Expression
    from launch_tui.domain.filter import Filter
    from launch_tui.domain.run import Run
    from launch_tui.store.database import Database, Row
    from launch_tui.store.read import RunQuery

FIRST_STRETCH = 1_000
"""Runs that are looked through at first: what is new is found at once."""
LONGEST_STRETCH = 1 << 17
STRETCH_S = 0.04
"""How long one stretch is to take."""
PORTION = 512
"""Rows that are in memory at once."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one stretch gave: the numbers of the runs that are meant, newest first.

    ``done`` is the part of the history that has been looked through, 0 to 1.
    """

    found: Sequence[int]
    done: float


def search(
    db: Database,
    query: RunQuery,
    wanted: Filter,
    now: float,
    *,
    down_to: int = 1,
    first: int | None = None,
) -> Iterator[Stretch]:
    """Yield the runs that are meant, stretch by stretch, the newest first.

    Args:
        db: The store.
        query: What is known to hold of all of them.
        wanted: Which of these.
        now: Seconds since the epoch, for ages.
        down_to: The number of the oldest run that is looked at.
        first: Runs that the first stretch looks through; None for ``FIRST_STRETCH``.
    """
    top = newest(db)
    statement, parameters = _statement(query, wanted.expression, now)
    high, length = top, first or FIRST_STRETCH
    while high >= down_to:
        began = perf_counter()
        low = max(down_to, high - length + 1)
        found = array("q")
        for rows in db.portions(statement, [*parameters, low, high], size=PORTION):
            found.extend(row["seq"] for row in rows if wanted.matches(_as_run(row, db), now))
        high = low - 1
        took = max(perf_counter() - began, 1e-6)
        length = int(min(max(length * min(STRETCH_S / took, 4.0), FIRST_STRETCH), LONGEST_STRETCH))
        yield Stretch(found, 1 - max(high - down_to + 1, 0) / max(top - down_to + 1, 1))


def settled_below(db: Database) -> int:
    """Return the number below which every run has ended, and so stays as it is."""
    oldest = groups.oldest_live(db)
    return newest(db) + 1 if oldest is None else oldest


def newest(db: Database) -> int:
    """Return the number of the newest run; 0 when there is none."""
    row = db.one("SELECT max(seq) FROM runs")
    return int(row[0] or 0) if row else 0


_COLUMNS = {
    "after": (
        "(SELECT group_concat(d.on_run || ':' || d.condition, ' ') FROM dependencies d"
        " WHERE d.run_id = r.id) AS after",
    ),
    "agent": ("r.owner AS agent",),
    "author": ("json_extract(r.spec, '$.author') AS author",),
    "config": ("r.config", "r.observed"),
    "directory": ("r.id",),
    "group": ('r.group_id AS "group"',),
    "queue": ("q.name AS queue",),
    "resource": ("q.resource AS resource",),
    "sync": tuple(f"r.{column}" for column in SYNC_COLUMNS),
}
"""The columns that a field of a run is made of, where they are not one of the same name."""

_READERS: dict[str, Callable[[Row, Database], Any]] = {
    "after": lambda row, _: tuple((row["after"] or "").split()),
    "author": lambda row, _: row["author"] or "",
    "config": lambda row, _: _config(row["observed"], row["config"]),
    "directory": lambda row, db: str(db.home.run(row["id"])),
    "gpus": lambda row, _: tuple(json.loads(row["gpus"])),
    "state": lambda row, _: RunState(row["state"]),
    "summary": lambda row, _: json.loads(row["summary"]),
    "sync": lambda row, _: sync_of(row),
    "tags": lambda row, _: tuple(json.loads(row["tags"])),
    "tracked": lambda row, _: bool(row["tracked"]),
}


def _config(observed: str, given: str) -> dict[str, Any]:
    config: dict[str, Any] = {} if observed == "{}" else json.loads(observed)
    config.update(json.loads(given))
    return config


class _Lazy:
    """A run of which only what a filter looks at is ever read out of its row."""

    def __init__(self, row: Row, db: Database) -> None:
        self._row = row
        self._db = db

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        reader = _READERS.get(name)
        value = self._row[name] if reader is None else reader(self._row, self._db)
        setattr(self, name, value)
        return value


def _as_run(row: Row, db: Database) -> Run:
    return cast("Run", _Lazy(row, db))


def _statement(query: RunQuery, expression: Expression, now: float) -> tuple[str, list[Any]]:
    where, parameters = where_of(query)
    clauses = [where.removeprefix(" WHERE ")] if where else []
    values: list[Any] = list(parameters)
    condition = condition_of(expression, now)
    if condition is not None:
        clauses.append(f"({condition.sql})")
        values.extend(condition.parameters)
    clauses.append("r.seq BETWEEN ? AND ?")
    columns = dict.fromkeys(
        column for name in _looked_at(expression) for column in _COLUMNS.get(name, (f"r.{name}",))
    )
    return (
        f"SELECT {', '.join(('r.seq', *columns))} FROM runs r JOIN queues q ON q.id = r.queue_id"
        f" WHERE {' AND '.join(clauses)} ORDER BY r.seq DESC",
        values,
    )


def _looked_at(expression: Expression) -> list[str]:
    """Return the fields of a run that a filter asks for."""
    if isinstance(expression, Word):
        return [*SEARCHED, "tags"]
    if isinstance(expression, Comparison):
        if expression.place is Place.FIELD:
            times = {"age": ["created_at"], "duration": ["started_at", "ended_at"]}
            return times.get(expression.key, [expression.key])
        places = {Place.CONFIG: ["config"], Place.SUMMARY: ["summary"]}
        return places.get(expression.place, ["config", "summary"])
    if isinstance(expression, Not):
        return _looked_at(expression.part)
    return [name for part in expression.parts for name in _looked_at(part)]
