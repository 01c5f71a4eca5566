"""The metrics of one run on disk: one writer (the run's agent) and any number of readers.

``SeriesWriter`` takes rows as a job logs them and commits them together with how far the job's
files have been read, so a SIGKILL at any moment neither loses nor doubles a row. ``SeriesReader``
(``series_read.py``) serves points and charts while rows arrive. Order is the order of logging;
steps may repeat or go back.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from launch_tui import faults
from launch_tui.errors import StoreCorrupt, StoreError
from launch_tui.store._packed import (
    CHUNK,
    extremes,
    node_of,
    pack_nodes,
    pack_steps,
    pack_values,
    unpack_steps,
    unpack_values,
)
from launch_tui.store._series_file import HISTORY, STATS, open_for_writing, translated
from launch_tui.store.series_read import SeriesInfo, SeriesReader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["FileOffset", "SeriesInfo", "SeriesReader", "SeriesWriter"]

MAX_OTHER = 256 * 1024
"""Characters of JSON kept of one value that is no number; of a longer one only its size is kept."""

_TAIL_POINTS = 65_536
_TAIL_POINTS_PER_SERIES = 512
_TAIL_POINTS_AT_MOST = 2_000_000
_TAIL_ROWS = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOffset:
    """How far a file of an attempt has been read: bytes, and places that were stepped over."""

    attempt: int
    offset: int
    skipped: int = 0


class SeriesWriter:
    """Appends to the metrics of a run.

    After an error in ``commit`` the writer is closed: nothing of that commit is on disk, and a new
    writer goes on at the saved offsets.

    Args:
        path: The file; it is made if there is none. A damaged one is moved aside
            (``<name>.damaged``) and begun anew, since all of it can be derived again.

    Attributes:
        begun_anew: Whether a damaged file was moved aside.

    Raises:
        StoreError: When the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun_anew = False
        self._last_step = -1
        try:
            self._open()
        except StoreCorrupt:
            move_aside(path)
            self.begun_anew = True
            self._open()

    def offsets(self) -> dict[str, FileOffset]:
        """Return how far each file has been read, by the name it was committed under."""
        rows = self._connection.execute("SELECT path, attempt, offset, skipped FROM file")
        return {
            path: FileOffset(attempt=attempt, offset=offset, skipped=skipped)
            for path, attempt, offset, skipped in rows
        }

    def state(self, attempt: int) -> dict[str, Any]:
        """Return what was last committed as the state of an attempt; empty if nothing was."""
        row = self._connection.execute(
            "SELECT value FROM state WHERE attempt = ?", (attempt,)
        ).fetchone()
        state: dict[str, Any] = json.loads(row[0]) if row else {}
        return state

    def append_history(self, rows: Iterable[tuple[int | None, Mapping[str, Any]]]) -> None:
        """Take rows of (step, values by name); a step of None is one more than the last.

        ``_step`` among the values is left out, since each point has its step.
        """
        for step, values in rows:
            if step is None or not -(1 << 63) <= step < 1 << 63:
                step = self._last_step + 1
            self._last_step = step
            self._append(HISTORY, step, values)

    def append_stats(self, rows: Iterable[tuple[float, Mapping[str, Any]]]) -> None:
        """Take rows of (seconds since the epoch, system metrics by name)."""
        for seconds, values in rows:
            self._append(STATS, _microseconds(seconds), values)

    def commit(
        self,
        files: Mapping[str, FileOffset] | None = None,
        *,
        attempt: int = 1,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Make all rows taken so far, the offsets and the state visible and lasting, as one.

        Args:
            files: How far files have been read to get these rows.
            attempt: Whose state it is.
            state: Anything of JSON that must fit the rows; None leaves it as it is.

        Raises:
            StoreError: When nothing could be committed; the writer is closed.
        """
        try:
            with translated(self.path):
                self._connection.execute("BEGIN IMMEDIATE")
                self._write_rows()
                self._write_files(files or {})
                if state is not None:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO state VALUES (?, ?)",
                        (attempt, json.dumps(state, separators=(",", ":"))),
                    )
                faults.point("metrics.written")
                self._connection.execute("COMMIT")
                faults.point("metrics.committed")
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file; rows that were not committed are dropped."""
        self._connection.close()

    def _open(self) -> None:
        self._connection: sqlite3.Connection = open_for_writing(self.path)
        with translated(self.path):
            rows = self._connection.execute(
                "SELECT id, kind, name, count, gaps, low_step, high_step, last_step, last,"
                " minimum, maximum, others, last_other FROM series"
            ).fetchall()
            tails = self._connection.execute(
                "SELECT count(*), coalesce(sum(length(packed)), 0) FROM tail"
            ).fetchone()
            members = self._connection.execute("SELECT id, members FROM shape").fetchall()
        self._series = {(row[1], row[2]): _Series(*row) for row in rows}
        self._by_id = {one.id: one for one in self._series.values()}
        self._tail_rows = int(tails[0])
        self._tail_points = int(tails[1]) // 8
        self._shapes = {_ids(packed): shape for shape, packed in members}
        self._layouts: dict[tuple[int, tuple[str, ...]], _Layout] = {}
        self._groups: list[_Group] = []
        self._others: list[tuple[int, int, str]] = []
        self._new_shapes: list[tuple[int, bytes]] = []
        self._changed: set[int] = set()
        self._last_step = max(
            (s.last_step for s in self._by_id.values() if s.kind == HISTORY and s.count), default=-1
        )

    def _append(self, kind: int, step: int, values: Mapping[str, Any]) -> None:
        # wandb since 0.17 writes the same keys in another order in each row.
        names = tuple(sorted(values))
        layout = self._layouts.get((kind, names)) or self._layout(kind, names)
        if layout.pick is None:
            return
        group = self._group(layout)
        before = len(group.values)
        try:
            group.values.extend(layout.pick(values))
        except (TypeError, OverflowError):
            del group.values[before:]
            self._append_mixed(kind, step, values)
            return
        group.steps.append(step)

    def _append_mixed(self, kind: int, step: int, values: Mapping[str, Any]) -> None:
        numbers = {}
        for name, value in values.items():
            number = _number(value)
            if number is not None:
                numbers[name] = number
            elif name != "_step":
                self._append_other(self._one(kind, name), step, value)
        if numbers:
            self._append(kind, step, numbers)

    def _append_other(self, series: _Series, step: int, value: object) -> None:
        text = json.dumps(value, separators=(",", ":"), default=str)
        if len(text) > MAX_OTHER:
            text = json.dumps({"_type": "too-large", "size": len(text)})
        self._others.append((series.id, step, text))
        series.others += 1
        series.last_other = text
        self._changed.add(series.id)

    def _layout(self, kind: int, names: tuple[str, ...]) -> _Layout:
        if len(self._layouts) > _LAYOUTS_AT_MOST:
            self._layouts.clear()
        kept = tuple(name for name in names if name != "_step")
        layout = _Layout(tuple((kind, name) for name in kept), _picker(kept))
        self._layouts[(kind, names)] = layout
        return layout

    def _group(self, layout: _Layout) -> _Group:
        if not self._groups or self._groups[-1].layout is not layout:
            self._groups.append(_Group(layout, array("q"), array("d")))
        return self._groups[-1]

    def _one(self, kind: int, name: str) -> _Series:
        series = self._series.get((kind, name))
        if series is None:
            series = _Series(len(self._by_id) + 1, kind, name)
            self._series[(kind, name)] = series
            self._by_id[series.id] = series
        return series

    def _write_rows(self) -> None:
        groups = [group for group in self._groups if group.steps]
        columns = self._columns(groups)
        for number, (steps, values) in columns.items():
            self._by_id[number].extend(steps, values)
        self._changed.update(columns)
        points = sum(len(group.values) for group in groups)
        if self._fits_the_tail(len(groups), points):
            self._write_tail(groups)
        else:
            self._write_chunks(columns)
        self._write_series()
        self._connection.executemany(
            "INSERT INTO other (series, step, value) VALUES (?, ?, ?)", self._others
        )
        self._groups, self._others = [], []

    def _columns(self, groups: list[_Group]) -> dict[int, _Column]:
        columns: dict[int, _Column] = {}
        for group in groups:
            for at, number in enumerate(self._ids_of(group)):
                steps, values = columns.setdefault(number, (array("q"), array("d")))
                steps.extend(group.steps)
                values.extend(group.values[at :: len(group.layout.members)])
        return columns

    def _ids_of(self, group: _Group) -> tuple[int, ...]:
        if group.layout.ids is None:
            group.layout.ids = tuple(self._one(*member).id for member in group.layout.members)
        return group.layout.ids

    def _fits_the_tail(self, rows: int, points: int) -> bool:
        wanted = max(_TAIL_POINTS, _TAIL_POINTS_PER_SERIES * len(self._series))
        return (
            self._tail_points + points <= min(wanted, _TAIL_POINTS_AT_MOST)
            and self._tail_rows + rows <= _TAIL_ROWS
        )

    def _write_tail(self, groups: list[_Group]) -> None:
        self._connection.executemany(
            "INSERT INTO tail (shape, steps, packed) VALUES (?, ?, ?)",
            [
                (self._shape(self._ids_of(group)), pack_steps(group.steps), group.values.tobytes())
                for group in groups
            ],
        )
        self._connection.executemany("INSERT INTO shape VALUES (?, ?)", self._new_shapes)
        self._new_shapes = []
        self._tail_rows += len(groups)
        self._tail_points += sum(len(group.values) for group in groups)

    def _shape(self, ids: tuple[int, ...]) -> int:
        shape = self._shapes.get(ids)
        if shape is None:
            shape = self._shapes[ids] = len(self._shapes) + 1
            self._new_shapes.append((shape, array("I", ids).tobytes()))
        return shape

    def _write_chunks(self, columns: dict[int, _Column]) -> None:
        """Move the tail and the new points into chunks, by series."""
        earlier = self._tail_columns()
        for number, (steps, values) in columns.items():
            old = earlier.setdefault(number, (array("q"), array("d")))
            old[0].extend(steps)
            old[1].extend(values)
        for number, (steps, values) in earlier.items():
            self._extend_chunks(number, steps, values)
        self._connection.execute("DELETE FROM tail")
        self._connection.execute("DELETE FROM shape")
        self._shapes.clear()
        self._tail_rows = self._tail_points = 0

    def _tail_columns(self) -> dict[int, _Column]:
        columns: dict[int, _Column] = {}
        members = {shape: ids for ids, shape in self._shapes.items()}
        for shape, packed_steps, packed in self._connection.execute(
            "SELECT shape, steps, packed FROM tail ORDER BY id"
        ):
            ids, numbers = members[shape], array("d", packed)
            new_steps = unpack_steps(packed_steps, len(numbers) // len(ids))
            for at, number in enumerate(ids):
                steps, values = columns.setdefault(number, (array("q"), array("d")))
                steps.extend(new_steps)
                values.extend(numbers[at :: len(ids)])
        return columns

    def _extend_chunks(self, series: int, steps: array[int], values: array[float]) -> None:
        last = self._connection.execute(
            "SELECT c.id, c.count, p.steps, p.points FROM chunk c JOIN packed p ON p.chunk = c.id"
            " WHERE c.series = ? AND c.id ="
            " (SELECT max(id) FROM chunk WHERE series = ?) AND c.count < ?",
            (series, series, CHUNK),
        ).fetchone()
        chunk = None
        if last is not None:
            chunk = last[0]
            steps = array("q", unpack_steps(last[2], last[1])) + steps
            values = unpack_values(last[3]) + values
        for at in range(0, len(values), CHUNK):
            self._write_chunk(chunk, series, steps[at : at + CHUNK], values[at : at + CHUNK])
            chunk = None

    def _write_chunk(
        self, chunk: int | None, series: int, steps: array[int], values: array[float]
    ) -> None:
        cursor = self._connection.execute(
            "INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (chunk, series, *node_of(steps, values), pack_nodes(steps, values)),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO packed VALUES (?, ?, ?)",
            (cursor.lastrowid, pack_steps(steps), pack_values(values)),
        )

    def _write_series(self) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [self._by_id[number].row() for number in self._changed],
        )
        self._changed = set()

    def _write_files(self, files: Mapping[str, FileOffset]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?)",
            [(path, one.attempt, one.offset, one.skipped) for path, one in files.items()],
        )


def move_aside(path: Path) -> None:
    """Rename a damaged file and what SQLite keeps beside it, so that a new one can be made."""
    for suffix in ("", "-wal", "-shm"):
        damaged = path.with_name(path.name + suffix)
        if damaged.exists():
            damaged.replace(path.with_name(f"{path.name}.damaged{suffix}"))


_LAYOUTS_AT_MOST = 10_000
_Column = tuple["array[int]", "array[float]"]


@dataclass(slots=True)
class _Layout:
    """The numeric keys of a row; ``pick`` gets their values in order."""

    members: tuple[tuple[int, str], ...]
    pick: Callable[[Mapping[str, Any]], Iterable[float]] | None
    ids: tuple[int, ...] | None = None


@dataclass(slots=True)
class _Group:
    """Rows of the same layout, one after the other: ``values`` has them row by row."""

    layout: _Layout
    steps: array[int]
    values: array[float]


@dataclass(slots=True)
class _Series:
    """A row of the table ``series`` while it grows."""

    id: int
    kind: int
    name: str
    count: int = 0
    gaps: int = 0
    low_step: int = 0
    high_step: int = 0
    last_step: int = -1
    last: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    others: int = 0
    last_other: str | None = None

    def extend(self, steps: array[int], values: array[float]) -> None:
        low, high = min(steps), max(steps)
        self.low_step = min(self.low_step, low) if self.count else low
        self.high_step = max(self.high_step, high) if self.count else high
        minimum, maximum, gaps = extremes(values)
        if isfinite(minimum):
            self.minimum = minimum if self.minimum is None else min(self.minimum, minimum)
            self.maximum = maximum if self.maximum is None else max(self.maximum, maximum)
        self.count += len(values)
        self.gaps += gaps
        self.last_step, self.last = steps[-1], values[-1]

    def row(self) -> tuple[object, ...]:
        return (
            self.id,
            self.kind,
            self.name,
            self.count,
            self.gaps,
            self.low_step,
            self.high_step,
            self.last_step,
            self.last,
            self.minimum,
            self.maximum,
            self.others,
            self.last_other,
        )


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Iterable[float]] | None:
    if not names:
        return None
    if len(names) == 1:
        only = names[0]
        return lambda values: (values[only],)
    return itemgetter(*names)


def _number(value: object) -> float | None:
    """Return a number or boolean as a float, None for anything else or an integer too large."""
    if not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6) if abs(seconds) < 1e12 else 0


def _ids(packed: bytes) -> tuple[int, ...]:
    return tuple(array("I", packed))
