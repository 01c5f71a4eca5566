"""What the runs table shows: which runs, in which order, each group as one row.

The table asks for a page at a time, so a history of any length costs the same. What an index can
answer goes to the store; the rest is looked for by a thread (finding.py), and its finds are given
here as numbers, while they come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.domain.run import ENDED, WAITING, Run, RunState
from launch_tui.domain.sorting import Sort
from launch_tui.sdk import listing
from launch_tui.sdk.folding import Block, Folding, Group, Part
from launch_tui.tui.glance import seconds
from launch_tui.tui.wanted import LIVE, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.sdk import Launch

_IN_LIVE_ORDER = (Part.ACTIVE, Part.WAITING, Part.OVER)


class RunPages:
    """The runs that are wanted, by page; each group is one row unless it is unfolded.

    Args:
        launch: The data directory, on the thread that asks.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self.wanted = Wanted()
        self.found: Sequence[int] | None = None
        """The numbers of the runs that were found; None while nothing has been looked for."""
        self.folding = Folding(launch)
        self._counts = listing.Counts(launch)
        self._segments: list[_Segment] = []
        self._blocks: tuple[Block, ...] = ()

    def count(self) -> int:
        """Return how many rows are shown; by counters, whatever their number."""
        self._segments, self._blocks = [], ()
        wanted = self.wanted
        if wanted.is_searched:
            return len(self.found or ())
        if self._folds():
            self._blocks = self._folded()
            return sum(block.size for block in self._blocks)
        self._segments = self._measured()
        return sum(segment.size for segment in self._segments)

    def page(self, first: int, count: int) -> Sequence[Run | Group]:
        """Return ``count`` rows from number ``first`` on, as of the last ``count()``."""
        wanted = self.wanted
        if wanted.is_searched:
            return listing.runs_at(self._launch, (self.found or ())[first : first + count])
        if self._blocks:
            return self.folding.page(self._blocks, first, count, queue=wanted.queue, job=wanted.job)
        runs: list[Run] = []
        for segment in self._segments or self._measured():
            if len(runs) >= count:
                break
            if first < segment.size:
                runs += self._read(segment, first, count - len(runs))
            first = max(first - segment.size, 0)
        return runs

    def is_member(self, run: Run) -> bool:
        """Say whether a run is shown below the row of its group."""
        return bool(self._blocks) and self.folding.group(run.group) is not None

    def _folds(self) -> bool:
        """Say whether the folding gives the list: not where only some states are wanted."""
        wanted = self.wanted
        if wanted.sort not in (Sort.STATE, Sort.AGE):
            return False
        if wanted.states and set(wanted.states) != set(LIVE):
            return False
        filtered = bool(wanted.queue or wanted.job)
        self.folding.look()
        return self.folding.folds(filtered=filtered)

    def _folded(self) -> tuple[Block, ...]:
        wanted = self.wanted
        parts: tuple[Part, ...] = _IN_LIVE_ORDER[:2] if wanted.states else _IN_LIVE_ORDER
        if wanted.sort is Sort.AGE and not wanted.states:
            parts = (Part.ALL,)
        return self.folding.blocks(
            parts, queue=wanted.queue, job=wanted.job, backwards=wanted.backwards
        )

    def _measured(self) -> list[_Segment]:
        """Return the stretches that follow each other, with their sizes."""
        wanted = self.wanted
        segments = [_Segment(size=self._count(wanted.states), states=wanted.states)]
        if wanted.sort is Sort.STATE:
            segments = self._by_state()
        elif wanted.sort is Sort.QUEUE and not wanted.queue:
            segments = [
                _Segment(size=self._count(wanted.states, name), states=wanted.states, queue=name)
                for name in sorted(queue.name for queue in self._launch.queues.list())
            ]
        return segments[::-1] if wanted.backwards else segments

    def _by_state(self) -> list[_Segment]:
        chosen = self.wanted.states
        active, waits, over = (
            tuple(s for s in part.states if not chosen or s in chosen) for part in _IN_LIVE_ORDER
        )
        segments = [
            _Segment(size=self._count(states), states=states)
            for states in (active, waits)
            if states
        ]
        # What is over is most of a long history: it is what is left, not counted by itself.
        rest = self._count(chosen) - sum(segment.size for segment in segments)
        return [*segments, _Segment(size=rest, states=over)] if over else segments

    def _count(self, states: tuple[RunState, ...], queue: str = "") -> int:
        wanted = self.wanted
        return self._counts.count(queue=queue or wanted.queue, states=states, job=wanted.job)

    def _read(self, segment: _Segment, first: int, count: int) -> Sequence[Run]:
        """Return a part of one stretch; what waits comes in the order of the queue."""
        wanted = self.wanted
        if wanted.sort in listing.BY_INDEX:
            return listing.sorted_page(
                self._launch, wanted.sort, limit=count, offset=first, size=segment.size,
                backwards=wanted.backwards,
            )  # fmt: skip
        in_order = wanted.sort is Sort.STATE and WAITING.issuperset(segment.states or ENDED)
        return self._launch.runs.list(
            queue=segment.queue or wanted.queue,
            states=segment.states,
            job=wanted.job,
            limit=count,
            offset=first,
            size=segment.size,
            oldest_first=in_order is not wanted.backwards,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    """So many runs that follow each other: in these states (none: in any), of that queue."""

    size: int
    states: tuple[RunState, ...] = ()
    queue: str = ""


def title_of(run: Run) -> str:
    """Return the job, and the run's own name where it has one."""
    return run.job if run.name in ("", run.job) else f"{run.job} {run.name}"


def age(passed: float) -> str:
    """Return seconds as the largest unit, never finer than a minute: it ticks by the minute."""
    if passed < 60:
        return "now"
    for unit, size in (("w", 7 * 86400), ("d", 86400), ("h", 3600), ("m", 60)):
        if passed >= size:
            return f"{int(passed // size)}{unit}"
    return ""


def ago(passed: float) -> str:
    """Return how long ago something was, as ``age`` tells it."""
    return "under 1m ago" if passed < 60 else f"{age(passed)} ago"


def duration_of(run: Run, now: float) -> str:
    """Return how long a run has been running, or ran."""
    if run.started_at is None:
        return ""
    if run.ended_at is None:
        passed = now - seconds(run.started_at)
        return "<1m" if passed < 60 else _duration(passed - passed % 60)
    return _duration(seconds(run.ended_at) - seconds(run.started_at))


def _duration(passed: float) -> str:
    whole = max(int(passed), 0)
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    if minutes:
        return f"{minutes}m {rest:02d}s" if rest else f"{minutes}m"
    return f"{rest}s"
