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
from typing import TYPE_CHECKING, Any

from launch_tui import faults
from launch_tui.errors import StoreCorrupt, StoreError
from launch_tui.store._packed import (
    CHUNK,
    node_of,
    pack_nodes,
    pack_steps,
    pack_values,
    unpack_steps,
    unpack_values,
)
from launch_tui.store._series_file import HISTORY, STATS, open_for_writing, translated
from launch_tui.store._series_rows import Rows, Series
from launch_tui.store._series_tail import tail_columns
from launch_tui.store.series_read import SeriesInfo, SeriesReader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from launch_tui.store._series_rows import Column, Group

__all__ = ["FileOffset", "SeriesInfo", "SeriesReader", "SeriesWriter"]

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
            self._rows.append(HISTORY, step, values)

    def append_stats(self, rows: Iterable[tuple[float, Mapping[str, Any]]]) -> None:
        """Take rows of (seconds since the epoch, system metrics by name)."""
        for seconds, values in rows:
            self._rows.append(STATS, _microseconds(seconds), values)

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
        self._tail_rows = int(tails[0])
        self._tail_points = int(tails[1]) // 8
        self._rows = Rows(Series(*row) for row in rows)
        self._shapes = {_ids(packed): shape for shape, packed in members}
        self._new_shapes: list[tuple[int, bytes]] = []
        self._last_step = max(
            (one.last_step for one in self._rows.series.values() if one.kind == HISTORY),
            default=-1,
        )

    def _write_rows(self) -> None:
        rows = self._rows
        groups = rows.take()
        columns = rows.columns(groups)
        for number, (steps, values) in columns.items():
            rows.series[number].extend(steps, values)
        rows.changed.update(columns)
        if self._fits_the_tail(len(groups), sum(len(group.values) for group in groups)):
            self._write_tail(groups)
        else:
            self._write_chunks(columns)
        self._connection.executemany(
            "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [rows.series[number].row() for number in rows.changed],
        )
        self._connection.executemany(
            "INSERT INTO other (series, step, value) VALUES (?, ?, ?)", rows.others
        )
        rows.changed, rows.others = set(), []

    def _fits_the_tail(self, rows: int, points: int) -> bool:
        wanted = max(_TAIL_POINTS, _TAIL_POINTS_PER_SERIES * len(self._rows.series))
        return (
            self._tail_points + points <= min(wanted, _TAIL_POINTS_AT_MOST)
            and self._tail_rows + rows <= _TAIL_ROWS
        )

    def _write_tail(self, groups: list[Group]) -> None:
        for group in groups:
            shape = self._shape(self._rows.ids_of(group))
            self._connection.execute(
                "INSERT INTO tail (shape, steps, packed) VALUES (?, ?, ?)",
                (shape, pack_steps(group.steps), group.values.tobytes()),
            )
            self._tail_points += len(group.values)
        self._connection.executemany("INSERT INTO shape VALUES (?, ?)", self._new_shapes)
        self._new_shapes = []
        self._tail_rows += len(groups)

    def _shape(self, ids: tuple[int, ...]) -> int:
        shape = self._shapes.get(ids)
        if shape is None:
            shape = self._shapes[ids] = len(self._shapes) + 1
            self._new_shapes.append((shape, array("I", ids).tobytes()))
        return shape

    def _write_chunks(self, columns: dict[int, Column]) -> None:
        """Move the tail and the new points into chunks, by series."""
        earlier = tail_columns(self._connection)
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


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6) if abs(seconds) < 1e12 else 0


def _ids(packed: bytes) -> tuple[int, ...]:
    return tuple(array("I", packed))
