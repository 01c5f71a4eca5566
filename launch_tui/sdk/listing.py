"""Lists of runs as a screen shows them: a page of any order, runs by number, counts at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.store import groups, naming, read, sorting
from launch_tui.store.read import RunQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.domain.run import Run, RunState
    from launch_tui.domain.sorting import Sort
    from launch_tui.sdk import Launch

BY_INDEX = sorting.BY_INDEX
"""Orders of all runs that cost the same however many there are."""


def sorted_page(
    launch: Launch, sort: Sort, *, limit: int, offset: int, size: int, backwards: bool
) -> Sequence[Run]:
    """Return a page of all runs in one of the orders ``BY_INDEX``."""
    return sorting.sorted_runs(
        launch.db, sort, limit=limit, offset=offset, size=size, backwards=backwards
    )


def runs_at(launch: Launch, numbers: Sequence[int]) -> Sequence[Run]:
    """Return the runs of these numbers in this order, but for those that are gone."""
    return read.runs_at(launch.db, numbers)


def ids_at(launch: Launch, numbers: Sequence[int]) -> Sequence[str]:
    """Return the ids of runs by their numbers, in any order."""
    return naming.ids_at(launch.db, numbers)


def runs_called(launch: Launch, text: str, *, most: int) -> Sequence[Run]:
    """Return runs whose id, name or job has a text in it, the newest of each first."""
    return read.runs_at(launch.db, naming.called(launch.db, text, most))


@dataclass(frozen=True, slots=True)
class _Counted:
    """How many runs there were up to a number, while so many numbers were without a run."""

    up_to: int
    runs: int
    gaps: int


class Counts:
    """How many runs there are, without counting those of a job one by one at each change.

    Of a job the runs that have ended are counted once, and then only what came after them.

    Args:
        launch: The data directory, on the thread that asks.
    """

    def __init__(self, launch: Launch) -> None:
        self._db = launch.db
        self._known: dict[tuple[str, str, tuple[RunState, ...]], _Counted] = {}

    def count(self, *, queue: str, states: tuple[RunState, ...], job: str) -> int:
        """Return how many runs there are of a queue, in these states, of a job."""
        query = RunQuery(queue=queue, states=states, job=job)
        if not job:
            return read.count(self._db, query)
        newest, total = groups.signature(self._db)
        known = self._known.get((queue, job, states))
        if known is None or known.gaps != newest - total:
            known = self._count(query, newest, newest - total)
            self._known[queue, job, states] = known
        return known.runs + read.count(
            self._db, RunQuery(queue=queue, states=states, job=job, above=known.up_to)
        )

    def _count(self, query: RunQuery, newest: int, gaps: int) -> _Counted:
        up_to = newest
        if query.states:
            # Whose state may still change is not kept.
            oldest = groups.oldest_live(self._db)
            up_to = newest if oldest is None else oldest - 1
        below = RunQuery(queue=query.queue, states=query.states, job=query.job, below=up_to + 1)
        return _Counted(up_to, read.count(self._db, below), gaps)
