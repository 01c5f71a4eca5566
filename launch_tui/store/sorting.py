"""Lists of runs by name or by metric, a page at a time, and runs that were found, put in order.

The orders go by an index, walked from the end that is nearer, so the last page of a million runs
costs what the first does.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from launch_tui.domain.run import ACTIVE, WAITING
from launch_tui.domain.sorting import Sort
from launch_tui.store.read import runs_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.domain.run import Run
    from launch_tui.store.database import Database, Row

BY_INDEX = (Sort.NAME, Sort.METRIC)
"""Orders that have an index of their own."""

# Each order, and the way back through it: what has no metric is last in both directions.
_ORDERS = {
    (Sort.NAME, False): ("r.name COLLATE NOCASE, r.seq DESC", "r.name COLLATE NOCASE DESC, r.seq"),
    (Sort.NAME, True): ("r.name COLLATE NOCASE DESC, r.seq", "r.name COLLATE NOCASE, r.seq DESC"),
    (Sort.METRIC, False): (
        "r.metric NULLS LAST, r.seq DESC", "r.metric DESC NULLS FIRST, r.seq",
    ),
    (Sort.METRIC, True): (
        "r.metric DESC NULLS LAST, r.seq", "r.metric NULLS FIRST, r.seq DESC",
    ),
}  # fmt: skip
_INDEXES = {Sort.NAME: "runs_by_name", Sort.METRIC: "runs_by_metric"}
_QUEUE_ORDER = {False: "q.name, r.seq DESC", True: "q.name DESC, r.seq"}
_MOST = 20
"""Of more than one run in so many the index is walked, of fewer each run is looked at."""

_LIVE = f"""
    SELECT seq, state, rank, place FROM runs
    WHERE state IN ({", ".join(f"'{state}'" for state in sorted(ACTIVE | WAITING))})
    ORDER BY seq DESC"""

_FOUND = "(SELECT value FROM json_each(?))"


def sorted_runs(
    db: Database, sort: Sort, *, limit: int, offset: int, size: int, backwards: bool = False
) -> list[Run]:
    """Return a page of all runs in an order that has an index.

    Args:
        db: The store.
        sort: One of ``BY_INDEX``.
        limit: How many at most.
        offset: How many are passed over.
        size: How many runs there are.
        backwards: The other way round.
    """
    there, back = _ORDERS[sort, backwards]
    rest = size - offset
    if offset <= size // 2:
        return runs_at(db, _numbers(db, there, limit, offset))
    return runs_at(db, _numbers(db, back, min(limit, rest), max(rest - limit, 0))[::-1])


def arranged(
    db: Database, found: Sequence[int], sort: Sort, *, total: int, backwards: bool = False
) -> Sequence[int]:
    """Return the numbers of runs that were found, newest first, in another order.

    Args:
        db: The store.
        found: The runs, newest first.
        sort: The order.
        total: How many runs there are, found or not.
        backwards: The other way round.
    """
    if sort is Sort.AGE:
        return found[::-1] if backwards else found
    if sort is Sort.STATE:
        return _live_first(db, found, backwards=backwards)
    given = json.dumps(list(found))
    if sort is Sort.QUEUE:
        statement = (
            "SELECT r.seq FROM runs r JOIN queues q ON q.id = r.queue_id"
            f" WHERE r.seq IN {_FOUND} ORDER BY {_QUEUE_ORDER[backwards]}"
        )
    else:
        index = f" INDEXED BY {_INDEXES[sort]}" if len(found) * _MOST > total else ""
        statement = (
            f"SELECT r.seq FROM runs r{index} WHERE r.seq IN {_FOUND}"
            f" ORDER BY {_ORDERS[sort, backwards][0]}"
        )
    return array("q", (row[0] for row in db.execute(statement, (given,))))


def _numbers(db: Database, order: str, limit: int, offset: int) -> list[int]:
    if limit <= 0:
        return []
    rows = db.all(f"SELECT r.seq FROM runs r ORDER BY {order} LIMIT ? OFFSET ?", (limit, offset))
    return [row[0] for row in rows]


def _live_first(db: Database, found: Sequence[int], *, backwards: bool) -> Sequence[int]:
    """Put what is at work before what waits, in its order, and that before what is over."""
    live: list[Row] = []
    over = array("q")
    reached = 0
    for row in db.all(_LIVE):
        at = bisect_left(found, -row["seq"], lo=reached, key=lambda seq: -seq)
        if at < len(found) and found[at] == row["seq"]:
            live.append(row)
            over.extend(found[reached:at])
            reached = at + 1
    over.extend(found[reached:])
    waiting = [row for row in live if row["state"] in WAITING]
    waiting.sort(key=lambda row: (row["rank"], row["place"]))
    ordered = array("q", [row["seq"] for row in live if row["state"] in ACTIVE])
    ordered.extend(row["seq"] for row in waiting)
    ordered.extend(over)
    return ordered[::-1] if backwards else ordered
