"""What each metric came to: its last, least and greatest value, and at which step it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from launch_tui.errors import LaunchError
from launch_tui.tui.curves import Curves, Key
from launch_tui.tui.widgets.columns import Column
from launch_tui.tui.widgets.plot import short_number
from launch_tui.tui.widgets.window_table import Cell, Row, WindowTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.store.series import SeriesInfo

COLUMNS = (
    Column(key="key", label="KEY", width=18, flexible=True),
    Column(key="run", label="RUN", width=8, whole=True),
    Column(key="last", label="LAST", width=9, right=True),
    Column(key="min", label="MIN", width=9, right=True),
    Column(key="max", label="MAX", width=9, right=True),
    Column(key="step", label="AT STEP", width=9, right=True),
    Column(key="points", label="POINTS", width=10, right=True, rank=1),
)
_MICROSECONDS = 1e6
_SEPARATOR = "\0"


class SummaryTable(WindowTable):
    """The table of the metrics; only rows in view are read."""

    SCOPES = ("metrics",)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(COLUMNS, empty="No metrics yet", id=id, classes=classes)

    def show(self, curves: Curves, keys: Sequence[Key], colours: Callable[[], list[str]]) -> None:
        """Show these keys of the runs that are followed."""
        several = len(curves.runs) > 1
        columns = tuple(column for column in COLUMNS if several or column.key != "run")
        if columns != self.columns:
            self.columns = columns
        self.rows = SummaryRows(curves, keys, colours() if several else [])

    @property
    def current(self) -> Key | None:
        """The key under the cursor."""
        return None if self.cursor_key is None else key_of(self.cursor_key)

    def find_key(self, key: Key) -> None:
        """Put the cursor on a key."""
        rows = self.rows
        if isinstance(rows, SummaryRows) and key in rows.keys:
            self.action_go(rows.keys.index(key) * max(len(rows.runs), 1))


@dataclass(slots=True)
class SummaryRows:
    """A row for each key, or where there are several runs for each key of each."""

    curves: Curves
    keys: Sequence[Key]
    colours: Sequence[str]

    @property
    def runs(self) -> list[str]:
        """The runs."""
        return list(self.curves.runs)

    def count(self) -> int:
        """Return how many rows there are."""
        return len(self.keys) * len(self.curves.runs)

    def page(self, offset: int, limit: int) -> Sequence[Row]:
        """Return some of them."""
        runs = self.runs
        places = [divmod(at, len(runs)) for at in range(offset, min(offset + limit, self.count()))]
        keys = list(dict.fromkeys(self.keys[at] for at, _ in places))
        infos = {run_id: self._infos(run_id, keys) for run_id in runs}
        rows = []
        for at, number in places:
            key, run_id = self.keys[at], runs[number]
            info = infos[run_id].get(key)
            style = self.colours[number] if self.colours else ""
            rows.append(_row(key, run_id, info, style, several=len(runs) > 1))
        return rows

    def find(self, row_key: str) -> int | None:
        """Return the place of a row."""
        key, run_id = key_of(row_key), row_key.split(_SEPARATOR)[2]
        if key not in self.keys or run_id not in self.curves.runs:
            return None
        return self.keys.index(key) * len(self.runs) + self.runs.index(run_id)

    def _infos(self, run_id: str, keys: Sequence[Key]) -> dict[Key, SeriesInfo]:
        try:
            return self.curves.runs[run_id].infos(keys)
        except LaunchError:
            return {}


def key_of(row_key: str) -> Key:
    """Return the key that a row is about."""
    name, system, _ = row_key.split(_SEPARATOR)
    return Key(name, bool(system))


def _row(key: Key, run_id: str, info: SeriesInfo | None, style: str, *, several: bool) -> Row:
    cells: list[Cell | str] = [key.title]
    if several:
        cells.append(Cell(run_id, style))
    if info is not None:
        numbers = [info.last, info.minimum, info.maximum]
        cells += ["" if value is None else short_number(value) for value in numbers]
        cells += [_step(key, info.last_step), f"{info.count:,}"]
    return Row(
        key=_SEPARATOR.join((key.name, "1" if key.system else "", run_id)), cells=tuple(cells)
    )


def _step(key: Key, step: int) -> str:
    if not key.system:
        return f"{step:,}"
    return datetime.fromtimestamp(step / _MICROSECONDS).astimezone().strftime("%H:%M:%S")
