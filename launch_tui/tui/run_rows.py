"""The runs table's rows: a run, or a whole group of runs, as cells; which columns there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launch_tui.domain.metrics import shown, telling_text
from launch_tui.domain.run import ENDED, Run
from launch_tui.domain.sorting import Sort
from launch_tui.sdk.folding import Group
from launch_tui.tui.glance import FAILED, seconds
from launch_tui.tui.rows import age, duration_of, title_of
from launch_tui.tui.run_pages import flattened
from launch_tui.tui.theme import glyph, state_style
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.plot import sparkline
from launch_tui.tui.widgets.window_table import Cell, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from textual.theme import Theme

    from launch_tui.sdk.progress import Progress
    from launch_tui.tui.rows import RunPages

PAGES_KEPT = 8

_VALUES_SHOWN = 4
_RESOURCES = {
    "local-process": "process",
    "local-container": "docker",
    "kubernetes": "k8s",
}
_NARROW_NOTE = 14
_WIDE_NOTE = 19
_METRIC = 15
_LEAST_CURVE = 3
_WIDE, _WIDEST = 90, 110


def columns_for(width: int, *, priorities: bool = False) -> tuple[Column, ...]:
    """Return the columns of a table so wide: where there is room, the note gets more of it.

    What can stand before the note has columns of its own only where that leaves it room.

    Args:
        width: Cells.
        priorities: Whether there is a queue with priorities.
    """
    note = _WIDE_NOTE if width >= _WIDE else _NARROW_NOTE
    if width >= _WIDEST:
        # Why something failed is worth more than columns of which it is known anyway.
        note = max(note, width // 4)
    shown = [column for column in COLUMNS if priorities or column.key != "priority"]
    if width < _WIDE:
        shown = [_dropped_first(column) for column in shown]
    return (*shown[:-1], replace(shown[-1], width=note))


def _dropped_first(column: Column) -> Column:
    return replace(column, rank=column.rank + _LAST) if column.key in IN_NOTE else column


COLUMNS = (
    Column(key="glyph", label="", width=1),
    Column(key="run", label="RUN", width=8, whole=True),
    Column(key="job", label="JOB", width=14, rank=1),
    Column(key="state", label="STATE", width=9),
    Column(key="priority", label="PRIO", width=4, rank=3),
    Column(key="queue", label="QUEUE", width=9, rank=6),
    Column(key="on", label="ON", width=7, rank=9),
    Column(key="metric", label="METRIC", width=_METRIC, rank=4),
    Column(key="done", label="DONE", width=7, rank=7, right=True),
    Column(key="left", label="LEFT", width=5, rank=8, right=True),
    Column(key="age", label="AGE", width=4, rank=5, right=True),
    Column(key="time", label="TIME", width=7, rank=2, right=True),
    Column(key="note", label="NOTE", width=_NARROW_NOTE, flexible=True),
)
IN_NOTE = ("metric", "done", "left")
"""Columns whose text stands before the note where they are not shown."""
_LAST = 10
SORTS = {
    "state": Sort.STATE,
    "age": Sort.AGE,
    "queue": Sort.QUEUE,
    "job": Sort.NAME,
    "metric": Sort.METRIC,
}
"""What a click on a column's label sorts by."""
_PRIORITIES = {"critical": "crit", "high": "high", "medium": "", "low": "low"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What rows are drawn by: the time, the colours, and which columns there are.

    ``now`` is in seconds since the epoch. ``priorities`` says that the table has their column.
    """

    now: float
    theme: Theme
    ascii_only: bool = False
    priorities: bool = False


class RunRows:
    """The runs and groups as rows of the table, a page at a time.

    Args:
        pages: Which runs.
        notes: What is known of them.
        drawing: How they are drawn now.
        progress: How far a run is, as far as that is known.
    """

    def __init__(
        self,
        pages: RunPages,
        notes: Callable[[Run | Group], str],
        drawing: Callable[[], Drawing],
        progress: Callable[[Run], Progress],
    ) -> None:
        self.pages = pages
        self.seen: dict[str, Run] = {}
        """The runs of the pages that were asked for since the last count."""
        self.groups: dict[str, Group] = {}
        """The groups of these pages."""
        self._notes = notes
        self._drawing = drawing
        self._progress = progress
        self._count: int | None = None
        self._read: dict[tuple[int, int], Sequence[Run | Group]] = {}

    def outdate(self) -> None:
        """Note that the store, or what is wanted of it, has changed."""
        self._count = None

    def count(self) -> int:
        """Return how many rows there are; asks the store once for each change of it."""
        if self._count is None:
            self._forget()
            self._count = self.pages.count()
        return self._count

    def page(self, offset: int, limit: int) -> Sequence[Row]:
        """Return rows ``offset`` to ``offset + limit``."""
        items = self._read.get((offset, limit))
        if items is None:
            if len(self._read) == PAGES_KEPT:
                self._forget()
            items = self._read[offset, limit] = self.pages.page(offset, limit)
        drawing, differing = self._drawing(), _differing(items)
        return [self._row(item, drawing, differing) for item in items]

    def _forget(self) -> None:
        self.seen, self.groups, self._read = {}, {}, {}

    def _row(
        self, item: Run | Group, drawing: Drawing, differing: Mapping[str, Sequence[str]]
    ) -> Row:
        note = self._notes(item)
        if isinstance(item, Group):
            self.groups[item.id] = item
            unfolded = item.id in self.pages.folding.unfolded
            return Row(key=item.id, cells=group_cells(item, note, drawing, unfolded=unfolded))
        self.seen[item.id] = item
        member = bool(item.group) and self.pages.is_member(item)
        values = _values(item, differing.get(item.group, ())) if member else ""
        return run_row(item, note, self._progress(item), drawing, of_group=values)


def run_row(
    run: Run, note: str, progress: Progress, drawing: Drawing, *, of_group: str = ""
) -> Row:
    """Return a run as a row of ``columns_for``; the table makes it safe to show.

    Args:
        run: The run.
        note: The one thing worth knowing of it.
        progress: How far it is.
        drawing: How it is drawn.
        of_group: What tells it from the others where it stands below the row of its group.
    """
    metric = "" if progress.value is None else f"{_last_part(progress)} {shown(progress.value)}"
    done = "" if progress.done is None else progress.done.shown
    left = "" if progress.ends_at is None else left_text(progress.ends_at - drawing.now)
    about = f"~{left}" if left and left[0] != "<" else left
    told = {"metric": metric_text(progress, ascii_only=drawing.ascii_only), "done": done,
            "left": left}  # fmt: skip
    spare = (("metric", metric), ("done", done), ("left", about))
    return Row(
        key=run.id,
        cells=_cells(run, without_metric(note, progress.key), told, drawing, of_group),
        spare=() if run.state in FAILED else tuple(one for one in spare if one[1]),
    )


def _cells(
    run: Run, note: str, told: Mapping[str, str], drawing: Drawing, of_group: str
) -> tuple[Cell, ...]:
    theme, now = drawing.theme, drawing.now
    look = state_style(run.state, theme)
    weak = _weak(theme)
    dim = weak if run.state in ENDED else ""
    title = f" {of_group}" if of_group else title_of(run)
    return (
        Cell(glyph(run.state, ascii_only=drawing.ascii_only), look),
        Cell(run.id),
        Cell(title, dim),
        Cell(run.state, look),
        *_priority(run, drawing, dim),
        Cell(run.queue, dim),
        Cell(_RESOURCES.get(run.resource, run.resource), weak),
        Cell(told["metric"], dim),
        Cell(told["done"], dim),
        Cell(told["left"], dim),
        Cell(age(now - seconds(run.created_at)), weak),
        Cell(duration_of(run, now), dim),
        Cell(note, look if run.state in FAILED else dim),
    )


def group_cells(group: Group, note: str, drawing: Drawing, *, unfolded: bool) -> tuple[Cell, ...]:
    """Return a group as the cells of ``columns_for``."""
    head, theme = group.head, drawing.theme
    look, weak = state_style(group.state, theme), _weak(theme)
    folded, open_ = ("+", "-") if drawing.ascii_only else ("▸", "▾")
    over = group.among(ENDED) == group.size
    dim = weak if over else ""
    return (
        Cell(open_ if unfolded else folded, look),
        Cell(group.id),
        Cell(f"{title_of(head)} x{group.size:,}", dim),
        Cell(group.state, look),
        *_priority(head, drawing, dim),
        Cell(head.queue, dim),
        Cell(_RESOURCES.get(head.resource, head.resource), weak),
        Cell(""),
        Cell(""),
        Cell(""),
        Cell(age(drawing.now - seconds(head.created_at)), weak),
        Cell("", dim),
        Cell(note, look if over and group.state in FAILED else dim),
    )


def metric_text(progress: Progress, *, ascii_only: bool = False) -> str:
    """Return a metric's name and value, and its curve in the cells that are left of the column."""
    if progress.value is None:
        return ""
    value = shown(progress.value)
    text = f"{_fitting_key(progress, len(value), ascii_only=ascii_only)} {value}".strip()
    room = _METRIC - len(text) - 1
    if room < _LEAST_CURVE or len(progress.curve) < _LEAST_CURVE:
        return text
    return f"{text} {sparkline(progress.curve, room, ascii_only=ascii_only)}".rstrip()


def _fitting_key(progress: Progress, value: int, *, ascii_only: bool) -> str:
    """Return a metric's name as there is room for it: whole, its last part, or cut."""
    room = _METRIC - value - 1
    # The end of a name says more than its beginning: train/loss, val/loss.
    forms = (progress.key, _last_part(progress))
    beside = room - (_LEAST_CURVE + 1 if progress.curve else 0)
    for limit in (beside, room):
        for form in forms:
            if len(form) <= limit:
                return form
    return forms[1][: max(room - 2, 0)] + ("~" if ascii_only else "…")


def _last_part(progress: Progress) -> str:
    return progress.key.rpartition("/")[2].rpartition(".")[2]


def left_text(seconds: float) -> str:
    """Return a time that is left in at most five characters."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "<1m"
    if minutes < 60:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 10:
        return f"{hours}h{minutes % 60:02d}m"
    return f"{hours}h" if hours < 100 else f"{hours // 24}d"


def without_metric(note: str, key: str) -> str:
    """Return a note without the last value of a metric, which stands in a column of its own."""
    parts = [part for part in note.split("  ") if not telling_text(part, key)]
    return "  ".join(parts)


def _priority(run: Run, drawing: Drawing, style: str) -> tuple[Cell, ...]:
    if not drawing.priorities:
        return ()
    return (Cell(_PRIORITIES.get(run.priority, run.priority), style),)


def _differing(items: Sequence[Run | Group]) -> dict[str, list[str]]:
    """Return by which plain values the runs of each group on a page differ."""
    members: dict[str, list[Run]] = {}
    for item in items:
        if isinstance(item, Run) and item.group:
            members.setdefault(item.group, []).append(item)
    return {group: _varied(runs) for group, runs in members.items()}


def _varied(runs: Sequence[Run]) -> list[str]:
    each = [dict(flattened(run.config)) for run in runs]
    varied = [key for key in each[0] if any(one.get(key) != each[0][key] for one in each)]
    return varied or list(each[0])


def _values(run: Run, keys: Sequence[str]) -> str:
    config = dict(flattened(run.config))
    last = {key: key.rpartition(".")[2] for key in keys}
    # A column is narrow: the end of a key does, unless two keys end alike.
    short = len(set(last.values())) == len(last)
    names = [(last[key] if short else key, config.get(key, "")) for key in keys[:_VALUES_SHOWN]]
    return " ".join(f"{name}={value}" for name, value in names) or title_of(run)


def _weak(theme: Theme) -> str:
    # A colour, not Rich's `dim`: that would stay on the cursor's row and be hard to read there.
    if theme.ansi:
        return "bright_black"
    return "#9e9e9e" if theme.dark else "#6c6c6c"
