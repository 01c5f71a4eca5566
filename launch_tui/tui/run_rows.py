"""The runs table's rows: a run, or a whole group of runs, as cells; which columns there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launch_tui.domain.run import ENDED, Run
from launch_tui.sdk.folding import Group
from launch_tui.tui.glance import FAILED, seconds
from launch_tui.tui.rows import age, duration_of, title_of
from launch_tui.tui.run_pages import flattened
from launch_tui.tui.theme import glyph, state_style
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.window_table import Cell, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from textual.theme import Theme

    from launch_tui.tui.rows import RunPages

PAGES_KEPT = 8

_VALUES_SHOWN = 4
_RESOURCES = {
    "local-process": "process",
    "local-container": "docker",
    "kubernetes": "k8s",
}
_NARROW_NOTE = 14
_WIDE_NOTE = 24
_WIDE = 90


def columns_for(width: int, *, priorities: bool = False) -> tuple[Column, ...]:
    """Return the columns of a table so wide: where there is room, the note gets more of it.

    Args:
        width: Cells.
        priorities: Whether there is a queue with priorities.
    """
    note = _WIDE_NOTE if width >= _WIDE else _NARROW_NOTE
    shown = [column for column in COLUMNS if priorities or column.key != "priority"]
    return (*shown[:-1], replace(shown[-1], width=note))


COLUMNS = (
    Column(key="glyph", label="", width=1),
    Column(key="run", label="RUN", width=8, whole=True),
    Column(key="job", label="JOB", width=14, rank=1),
    Column(key="state", label="STATE", width=9),
    Column(key="priority", label="PRIO", width=4, rank=3),
    Column(key="queue", label="QUEUE", width=9, rank=4),
    Column(key="on", label="ON", width=7, rank=5),
    Column(key="age", label="AGE", width=4, rank=2, right=True),
    Column(key="time", label="TIME", width=7, rank=3, right=True),
    Column(key="note", label="NOTE", width=_NARROW_NOTE, flexible=True),
)
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
    """

    def __init__(
        self,
        pages: RunPages,
        notes: Callable[[Run | Group], str],
        drawing: Callable[[], Drawing],
    ) -> None:
        self.pages = pages
        self.seen: dict[str, Run] = {}
        """The runs of the pages that were asked for since the last count."""
        self.groups: dict[str, Group] = {}
        """The groups of these pages."""
        self._notes = notes
        self._drawing = drawing
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
        return Row(key=item.id, cells=cells(item, note, drawing, of_group=values))


def cells(run: Run, note: str, drawing: Drawing, *, of_group: str = "") -> tuple[Cell, ...]:
    """Return a run as the cells of ``columns_for``; the table makes them safe to show.

    Args:
        run: The run.
        note: The one thing worth knowing of it.
        drawing: How it is drawn.
        of_group: What tells it from the others where it stands below the row of its group.
    """
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
        Cell(age(drawing.now - seconds(head.created_at)), weak),
        Cell("", dim),
        Cell(note, look if over and group.state in FAILED else dim),
    )


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
