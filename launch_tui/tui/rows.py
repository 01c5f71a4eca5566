"""What the runs table shows: which runs, in which order, each group as one row.

The table asks for a page at a time, so a history of any length costs the same. What SQL can
answer (queue, job, states) goes to the store; the rest of a filter is looked for once, by a thread,
and its finds are given here as ids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launch_tui.domain.filter import Filter
from launch_tui.domain.run import ACTIVE, ENDED, WAITING, Run, RunState
from launch_tui.errors import NotFound
from launch_tui.sdk.folding import Block, Folding, Group, Part
from launch_tui.tui.glance import FAILED, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.sdk import Launch

MOST_FOUND = 10_000
"""Runs that a filter shows at most, the newest."""


LIVE = tuple(sorted(ACTIVE | WAITING))
_IN_LIVE_ORDER = (Part.ACTIVE, Part.WAITING, Part.OVER)
_SIMPLE = re.compile(r"(?P<field>state|s|queue|q|job|j)(?:[:=])(?P<value>[^\s()\"'=<>~:]+)\Z")
_LOGIC = re.compile(r"[()\"']|(?:^|\s)(?:or|not|and)(?:\s|$)|(?:^|\s)-", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are shown, and in which order. ``rest`` is what SQL cannot answer."""

    queue: str = ""
    job: str = ""
    states: tuple[RunState, ...] = ()
    live_first: bool = True
    text: str = ""
    rest: str = ""

    @property
    def in_force(self) -> str:
        """What is restricted, in few words; empty when nothing is."""
        parts = []
        if set(self.states) == set(LIVE):
            parts.append("active")
        elif set(self.states) == set(FAILED):
            parts.append("failures")
        elif self.states and "state" not in self.text and "s:" not in self.text:
            parts.append("/".join(self.states))
        parts += [f"q:{self.queue}"] if self.queue and not _names(self.text, "q") else []
        parts += [f"job:{self.job}"] if self.job and not _names(self.text, "j") else []
        return " ".join([*parts, *([self.text] if self.text else [])])


def understand(wanted: Wanted, text: str, queues: Sequence[str], jobs: Sequence[str]) -> Wanted:
    """Return what is wanted once a person has typed ``text``.

    Args:
        wanted: What was wanted before: its order stays.
        text: The filter, in the language of ``runs --filter``; ``q:`` and ``j:`` are short.
        queues: The queues that there are.
        jobs: The jobs that there are.

    Raises:
        UsageError: When it is not in the language.
    """
    plain = Wanted(live_first=wanted.live_first, text=text.strip())
    rest: list[str] = []
    for word in [] if _LOGIC.search(text) else text.split():
        taken = _taken_by_sql(plain, word, queues, jobs)
        if taken is None:
            rest.append(word)
        else:
            plain = taken
    if _LOGIC.search(text):
        rest = [text]
    spoken = " ".join(rest)
    spoken = re.sub(r"(?<![\w.])q(?=[:=~!])", "queue", spoken)
    spoken = re.sub(r"(?<![\w.])j(?=[:=~!])", "job", spoken)
    Filter(spoken, field="filter")
    return replace(plain, rest=spoken)


def find(launch: Launch, wanted: Wanted, now: float) -> list[str]:
    """Return the ids of the runs that ``wanted.rest`` means, newest first.

    Reads every run that SQL cannot rule out: a thread's work.
    """
    matching = Filter(wanted.rest, field="filter")
    found: list[str] = []
    for run in launch.runs.every(queue=wanted.queue, states=wanted.states, job=wanted.job):
        if matching.matches(run, now):
            found.append(run.id)
            if len(found) == MOST_FOUND:
                break
    return found


class RunPages:
    """The runs that are wanted, by page; each group is one row unless it is unfolded.

    Args:
        launch: The data directory, on the thread that asks.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self.wanted = Wanted()
        self.found: Sequence[str] | None = None
        """The ids that the rest of the filter found; None while it has not been looked for."""
        self.folding = Folding(launch)
        self._segments: list[tuple[tuple[RunState, ...], int]] = []
        self._blocks: tuple[Block, ...] = ()

    def count(self) -> int:
        """Return how many runs are shown; by counters, whatever their number."""
        self._segments, self._blocks = [], ()
        if self.wanted.rest:
            return len(self.found or ())
        if self._folds():
            self._blocks = self._folded()
            return sum(block.size for block in self._blocks)
        self._segments = self._measured()
        return sum(size for _, size in self._segments)

    def page(self, first: int, count: int) -> Sequence[Run | Group]:
        """Return ``count`` rows from number ``first`` on, as of the last ``count()``."""
        wanted = self.wanted
        if wanted.rest:
            return self._found_page(first, count)
        if self._blocks:
            return self.folding.page(self._blocks, first, count, queue=wanted.queue, job=wanted.job)
        runs: list[Run] = []
        for states, size in self._segments or self._measured():
            if len(runs) == count:
                break
            if first < size:
                runs += self._part(states, count - len(runs), first, size)
            first = max(first - size, 0)
        return runs

    def is_member(self, run: Run) -> bool:
        """Say whether a run is shown below the row of its group."""
        return bool(self._blocks) and self.folding.group(run.group) is not None

    def _folds(self) -> bool:
        """Say whether the folding gives the list: not where only some states are wanted."""
        wanted = self.wanted
        if wanted.states and set(wanted.states) != set(LIVE):
            return False
        filtered = bool(wanted.queue or wanted.job)
        self.folding.look()
        return self.folding.folds(filtered=filtered)

    def _folded(self) -> tuple[Block, ...]:
        wanted = self.wanted
        parts: tuple[Part, ...] = _IN_LIVE_ORDER[:2] if wanted.states else _IN_LIVE_ORDER
        if not wanted.live_first and not wanted.states:
            parts = (Part.ALL,)
        return self.folding.blocks(parts, queue=wanted.queue, job=wanted.job)

    def _measured(self) -> list[tuple[tuple[RunState, ...], int]]:
        """Return the groups of states that follow each other, with their sizes; () is all."""
        chosen = self.wanted.states
        every = self._count(chosen)
        if not self.wanted.live_first:
            return [(chosen, every)]
        active, waits, over = (
            tuple(s for s in part.states if not chosen or s in chosen) for part in _IN_LIVE_ORDER
        )
        sizes = [(group, self._count(group)) for group in (active, waits) if group]
        # What is over is most of a long history: it is what is left, not counted by itself.
        rest = every - sum(size for _, size in sizes)
        return [*sizes, (over, rest)] if over else sizes

    def _count(self, states: tuple[RunState, ...]) -> int:
        wanted = self.wanted
        return self._launch.runs.count(queue=wanted.queue, states=states, job=wanted.job)

    def _part(
        self, states: tuple[RunState, ...], limit: int, first: int, size: int
    ) -> Sequence[Run]:
        """Return a part of one segment; what waits comes in the order of the queue."""
        if not self.wanted.live_first or not WAITING.issuperset(states or ENDED):
            return self._list(states, limit, first)
        end = min(first + limit, size)
        return list(reversed(self._list(states, end - first, size - end)))

    def _list(self, states: tuple[RunState, ...], limit: int, offset: int) -> Sequence[Run]:
        wanted = self.wanted
        return self._launch.runs.list(
            queue=wanted.queue, states=states, job=wanted.job, limit=limit, offset=offset
        )

    def _found_page(self, first: int, count: int) -> list[Run]:
        runs = []
        for run_id in (self.found or ())[first : first + count]:
            try:
                runs.append(self._launch.runs.get(run_id))
            except NotFound:
                continue
        return runs


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


def _taken_by_sql(
    wanted: Wanted, word: str, queues: Sequence[str], jobs: Sequence[str]
) -> Wanted | None:
    match = _SIMPLE.match(word)
    if match is None:
        return None
    field, value = match["field"], match["value"]
    if field in ("state", "s"):
        states = _states_called(value)
        return replace(wanted, states=states) if states and not wanted.states else None
    if field in ("queue", "q"):
        return replace(wanted, queue=value) if value in queues and not wanted.queue else None
    return replace(wanted, job=value) if value in jobs and not wanted.job else None


def _states_called(value: str) -> tuple[RunState, ...]:
    groups = {"active": LIVE, "live": LIVE, "ended": tuple(sorted(ENDED)), "bad": FAILED}
    if value in groups:
        return groups[value]
    return (RunState(value),) if value in set(RunState) else ()


def _names(text: str, short: str) -> bool:
    return re.search(rf"(?<!\w){short}\w*[:=]", text) is not None
