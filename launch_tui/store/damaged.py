"""Runs out of a store in which pages are damaged: what can be read as it is, the others by name.

Only asked where reading many at once has failed. The index of the ids says which runs there are;
each is read by itself, so that a damaged page costs the runs on it and no list as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.domain.run import Run, RunState
from launch_tui.errors import StoreCorrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from launch_tui.store.database import Database, Row

TOLD = {
    "cause": "what the store has of this run is damaged",
    "next_step": "run launch-tui fsck --repair",
}
"""What is told of a run whose row cannot be read."""

_IDS = "SELECT rowid AS seq, id FROM runs INDEXED BY sqlite_autoindex_runs_1"


def numbers(db: Database) -> dict[int, str]:
    """Return number and id of every run, by the index alone, the newest first.

    Raises:
        StoreCorrupt: When the index is damaged, too.
    """
    return dict(sorted(((row["seq"], row["id"]) for row in db.all(_IDS)), reverse=True))


def one_by_one(
    db: Database,
    known: Iterable[tuple[int, str]],
    sql: str,
    parameters: Sequence[str | int],
    read: Callable[[Database, Row], Run],
) -> Iterator[Run]:
    """Yield runs that are meant, and those of which nobody can tell.

    Args:
        db: The store.
        known: Numbers and ids, in the order that is wanted.
        sql: Selects one run; its last parameter is the run's number.
        parameters: Those before that.
        read: Makes a run of a row.
    """
    for number, run_id in known:
        try:
            row = db.one(sql, [*parameters, number])
        except StoreCorrupt:
            yield unreadable(db, run_id)
        else:
            if row is not None:
                yield read(db, row)


def unreadable(db: Database, run_id: str) -> Run:
    """Return what is shown of a run of which the store has only the id."""
    return Run(
        id=run_id,
        name=run_id,
        project="",
        job="",
        version="",
        queue="",
        resource="",
        state=RunState.LOST,
        created_at="1970-01-01T00:00:00.000Z",
        directory=str(db.home.run(run_id)),
        cause=TOLD["cause"],
        next_step=TOLD["next_step"],
    )
