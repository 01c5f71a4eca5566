"""Runs that a filter means, in any order, told as they are found, and kept up as runs go on.

A search looks through the history once. After that only the runs that had not ended are looked at
again, since the others stay as they are, but for tags and notes that an old run is given, and for
runs that are deleted: so from time to time all of it is looked through again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from launch_tui.domain.expression import AllOf, Comparison, Place, conjuncts
from launch_tui.domain.filter import Filter, states_called
from launch_tui.domain.sorting import Sort
from launch_tui.store import read, searching, sorting
from launch_tui.store.read import RunQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launch_tui.domain.expression import Expression
    from launch_tui.domain.run import Run, RunState
    from launch_tui.sdk import Launch

TOLD_EVERY_S = 0.2
"""How often what was found so far is put in order and told, at most."""
AT_A_GLANCE = 200
"""The newest runs, among which a filter mostly has its first page."""
GLANCE_S = 0.004
"""How long more of them are looked through while none is found; a stretch that has begun is ended,
and takes at most four times as long as those before it."""
SHARE = 0.25
"""How much of the time that may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What of a filter an index answers. ``rest`` says that it means more than that."""

    queue: str = ""
    job: str = ""
    states: tuple[RunState, ...] = ()
    rest: bool = False


def narrowed(wanted: Filter, queues: Sequence[str], jobs: Sequence[str]) -> Narrowed:
    """Return what of a filter an index answers.

    Args:
        wanted: The filter.
        queues: The names of all queues.
        jobs: The names of all jobs.
    """
    found = Narrowed()
    for part in conjuncts(wanted.expression):
        taken = _taken(found, part, queues, jobs)
        found = replace(found, rest=True) if taken is None else taken
    return found


def _taken(
    found: Narrowed, part: Expression, queues: Sequence[str], jobs: Sequence[str]
) -> Narrowed | None:
    if not isinstance(part, Comparison) or part.place is not Place.FIELD:
        return found if part == AllOf() else None
    if part.key == "state" and part.sign in (":", "=") and not found.states:
        states = tuple(sorted(states_called(part.text)))
        return replace(found, states=states) if states else None
    if part.key == "queue" and not found.queue:
        queue = _only(part, queues)
        return replace(found, queue=queue) if queue else None
    if part.key == "job" and not found.job:
        job = _only(part, jobs)
        return replace(found, job=job) if job else None
    return None


def _only(part: Comparison, names: Sequence[str]) -> str:
    """Return the one name that a comparison means; empty where it is none, or more than one."""
    text = part.text.lower()
    if part.sign == "=":
        return part.text if part.text in names else ""
    meant = [name for name in names if text in name.lower()] if part.sign == ":" else []
    return meant[0] if len(meant) == 1 else ""


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers of the runs that were found, in the order that is wanted.

    ``done`` is the part of the history that was looked through, 0 to 1.
    """

    runs: Sequence[int]
    done: float = 1.0


class Search:
    """One question to the history. It keeps no connection: each look brings its own.

    Args:
        wanted: Which runs.
        queue: Only runs of this queue.
        states: Only runs in these states.
        job: Only runs of this job.
        sort: The order in which they are told.
        backwards: The other way round.
    """

    def __init__(
        self,
        wanted: Filter,
        *,
        queue: str = "",
        states: Sequence[RunState] = (),
        job: str = "",
        sort: Sort = Sort.AGE,
        backwards: bool = False,
    ) -> None:
        self._wanted = wanted
        self._query = RunQuery(queue=queue, states=tuple(states), job=job)
        self._sort = sort
        self._backwards = backwards
        self._found: array[int] = array("q")
        self._settled = 1

    def glance(self, launch: Launch, now: float) -> Found:
        """Return the first finds among the newest runs: milliseconds, whatever the history.

        Args:
            launch: The data directory.
            now: Seconds since the epoch.
        """
        found, done, over = array("q"), 1.0, perf_counter() + GLANCE_S
        for stretch in searching.search(
            launch.db, self._query, self._wanted, now, first=AT_A_GLANCE
        ):
            found.extend(stretch.found)
            done = stretch.done
            if found or perf_counter() > over:
                break
        return Found(self._arranged(launch, found) if found else found, done)

    def look(self, launch: Launch, now: float, *, whole: bool = True) -> Iterator[Found]:
        """Look through the history and tell what was found so far, every now and then.

        Whoever has had enough stops asking; the look then counts as never begun.

        Args:
            launch: The data directory, on the thread that asks.
            now: Seconds since the epoch.
            whole: Look at all runs, not only at those that had not ended at the last look.
        """
        db = launch.db
        settled = searching.settled_below(db)
        down_to = 1 if whole else self._settled
        # Newest first: what is kept is the end.
        at = bisect_left(self._found, 1 - down_to, key=lambda number: -number)
        kept = self._found[at:]
        found, due = array("q"), 0.0
        for stretch in searching.search(db, self._query, self._wanted, now, down_to=down_to):
            first = not found and bool(stretch.found)
            found.extend(stretch.found)
            began = perf_counter()
            if stretch.done < 1 and (first or began >= due):
                yield Found(self._arranged(launch, found + kept), stretch.done)
                took = perf_counter() - began
                due = began + max(TOLD_EVERY_S, took / SHARE)
        found.extend(kept)
        self._found, self._settled = found, settled
        yield Found(self._arranged(launch, found))

    def _arranged(self, launch: Launch, found: array[int]) -> Sequence[int]:
        total = read.count(launch.db, RunQuery())
        return sorting.arranged(
            launch.db, found, self._sort, total=total, backwards=self._backwards
        )


def matching(
    launch: Launch,
    wanted: Filter,
    now: float,
    *,
    queue: str = "",
    states: Sequence[RunState] = (),
    job: str = "",
) -> Iterator[Run]:
    """Yield the runs that a filter means, newest first, as they are found.

    Args:
        launch: The data directory.
        wanted: Which runs.
        now: Seconds since the epoch.
        queue: Only runs of this queue.
        states: Only runs in these states.
        job: Only runs of this job.
    """
    query = RunQuery(queue=queue, states=tuple(states), job=job)
    for stretch in searching.search(launch.db, query, wanted, now):
        for first in range(0, len(stretch.found), _READ_AT_ONCE):
            yield from read.runs_at(launch.db, stretch.found[first : first + _READ_AT_ONCE])


_READ_AT_ONCE = 200
