"""What the runs table shows: which runs, in which order, and a run as a row of cells.

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
from launch_tui.tui.glance import FAILED, seconds
from launch_tui.tui.theme import glyph, state_style
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.window_table import Cell, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.theme import Theme

    from launch_tui.sdk import Launch

MOST_FOUND = 10_000
"""Runs that a filter shows at most, the newest."""

PAGES_KEPT = 8

LIVE = tuple(sorted(ACTIVE | WAITING))
_IN_LIVE_ORDER: tuple[tuple[RunState, ...], ...] = (
    tuple(sorted(ACTIVE)),
    tuple(sorted(WAITING)),
    tuple(sorted(ENDED)),
)
_SIMPLE = re.compile(r"(?P<field>state|s|queue|q|job|j)(?:[:=])(?P<value>[^\s()\"'=<>~:]+)\Z")
_LOGIC = re.compile(r"[()\"']|(?:^|\s)(?:or|not|and)(?:\s|$)|(?:^|\s)-", re.IGNORECASE)
_RESOURCES = {
    "local-process": "process",
    "local-container": "docker",
    "kubernetes": "k8s",
}


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
    """The runs that are wanted, by page.

    Args:
        launch: The data directory, on the thread that asks.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self.wanted = Wanted()
        self.found: Sequence[str] | None = None
        """The ids that the rest of the filter found; None while it has not been looked for."""
        self._segments: list[tuple[tuple[RunState, ...], int]] = []

    def count(self) -> int:
        """Return how many runs are shown; by counters, whatever their number."""
        self._segments = []
        if self.wanted.rest:
            return len(self.found or ())
        self._segments = self._measured()
        return sum(size for _, size in self._segments)

    def page(self, first: int, count: int) -> list[Run]:
        """Return ``count`` runs from number ``first`` on, as of the last ``count()``."""
        if self.wanted.rest:
            return self._found_page(first, count)
        runs: list[Run] = []
        for states, size in self._segments or self._measured():
            if len(runs) == count:
                break
            if first < size:
                runs += self._part(states, count - len(runs), first, size)
            first = max(first - size, 0)
        return runs

    def _measured(self) -> list[tuple[tuple[RunState, ...], int]]:
        """Return the groups of states that follow each other, with their sizes; () is all."""
        chosen = self.wanted.states
        every = self._count(chosen)
        if not self.wanted.live_first:
            return [(chosen, every)]
        active, waits, over = (
            tuple(s for s in group if not chosen or s in chosen) for group in _IN_LIVE_ORDER
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


_NARROW_NOTE = 14
_WIDE_NOTE = 24
_WIDE = 90


def columns_for(width: int) -> tuple[Column, ...]:
    """Return the columns of a table so wide: where there is room, the note gets more of it."""
    note = _WIDE_NOTE if width >= _WIDE else _NARROW_NOTE
    return (*COLUMNS[:-1], replace(COLUMNS[-1], width=note))


COLUMNS = (
    Column(key="glyph", label="", width=1),
    Column(key="run", label="RUN", width=8, whole=True),
    Column(key="job", label="JOB", width=14, rank=1),
    Column(key="state", label="STATE", width=9),
    Column(key="queue", label="QUEUE", width=9, rank=4),
    Column(key="on", label="ON", width=7, rank=5),
    Column(key="age", label="AGE", width=4, rank=2, right=True),
    Column(key="time", label="TIME", width=7, rank=3, right=True),
    Column(key="note", label="NOTE", width=_NARROW_NOTE, flexible=True),
)


class RunRows:
    """The runs as rows of the table, a page at a time.

    Args:
        pages: Which runs.
        notes: What is known of them.
        cells_of: Makes the cells of a run, given its note.
    """

    def __init__(
        self,
        pages: RunPages,
        notes: Callable[[Run], str],
        cells_of: Callable[[Run, str], tuple[Cell, ...]],
    ) -> None:
        self.pages = pages
        self.seen: dict[str, Run] = {}
        """The runs of the pages that were asked for since the last count."""
        self._notes = notes
        self._cells_of = cells_of
        self._count: int | None = None
        self._read: dict[tuple[int, int], list[Run]] = {}

    def outdate(self) -> None:
        """Note that the store, or what is wanted of it, has changed."""
        self._count = None

    def count(self) -> int:
        """Return how many rows there are; asks the store once for each change of it."""
        if self._count is None:
            self.seen, self._read = {}, {}
            self._count = self.pages.count()
        return self._count

    def page(self, offset: int, limit: int) -> Sequence[Row]:
        """Return rows ``offset`` to ``offset + limit``."""
        runs = self._read.get((offset, limit))
        if runs is None:
            if len(self._read) == PAGES_KEPT:
                self.seen, self._read = {}, {}
            runs = self._read[offset, limit] = self.pages.page(offset, limit)
        self.seen.update({run.id: run for run in runs})
        return [Row(key=run.id, cells=self._cells_of(run, self._notes(run))) for run in runs]


def cells(run: Run, note: str, now: float, theme: Theme, *, ascii_only: bool) -> tuple[Cell, ...]:
    """Return a run as the cells of ``COLUMNS``; the table makes them safe to show.

    Args:
        run: The run.
        note: The one thing worth knowing of it.
        now: Seconds since the epoch.
        theme: The theme whose colours are used.
        ascii_only: Whether to keep to ASCII.
    """
    look = state_style(run.state, theme)
    weak = _weak(theme)
    dim = weak if run.state in ENDED else ""
    return (
        Cell(glyph(run.state, ascii_only=ascii_only), look),
        Cell(run.id),
        Cell(title_of(run), dim),
        Cell(run.state, look),
        Cell(run.queue, dim),
        Cell(_RESOURCES.get(run.resource, run.resource), weak),
        Cell(age(now - seconds(run.created_at)), weak),
        Cell(duration_of(run, now), dim),
        Cell(note, look if run.state in FAILED else dim),
    )


def _weak(theme: Theme) -> str:
    # A colour, not Rich's `dim`: that would stay on the cursor's row and be hard to read there.
    if theme.ansi:
        return "bright_black"
    return "#9e9e9e" if theme.dark else "#6c6c6c"


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
