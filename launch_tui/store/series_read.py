"""Reads the metrics of a run, also while its agent appends to them.

Each call reads one consistent state of the file: a row is in a chunk or in the tail, never in both.
A run that has logged nothing yet has no file; it reads as having no series.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from launch_tui.store._downsample import MAX_BUCKETS, Bucket, Buckets
from launch_tui.store._packed import Node, unpack_nodes, unpack_steps, unpack_values
from launch_tui.store._series_file import HISTORY, STATS, open_for_reading, translated
from launch_tui.store._series_tail import tail_columns, tail_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    _Stretch = tuple[Sequence[int], array[float]]

_CHUNKS_PER_BUCKET = 8
POINTS_READ_SINGLY = 16_384
POINTS_AT_ONCE = 1_000_000
"""Points that are held at a time when many keys are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInfo:
    """One key of a run and what it came to.

    ``minimum``, ``maximum`` are over the finite values, None when there are none. ``gaps`` of the
    ``count`` numbers are NaN or infinite. ``others`` counts values that are no numbers (text,
    lists, media references); ``last_other`` is the last of them. For system metrics a step is a
    time in microseconds since the epoch.
    """

    name: str
    count: int
    gaps: int
    first_step: int
    last_step: int
    last: float | None
    minimum: float | None
    maximum: float | None
    others: int
    last_other: Any = None


class SeriesReader:
    """The metrics of one run.

    Args:
        path: The run's file of metrics; it need not exist yet.

    Raises:
        StoreCorrupt: From any call, when the file is damaged; the agent rebuilds it.
        StoreError: From any call, when the file cannot be used for another reason.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def files(self) -> list[tuple[int, str]]:
        """Return attempt and name of each file that was read, as it was committed."""
        with self._reading() as connection:
            rows = connection.execute("SELECT attempt, path FROM file") if connection else ()
            return [(attempt, path) for attempt, path in rows]

    def keys(self) -> list[SeriesInfo]:
        """Return the keys of the history, by name."""
        return self._infos(HISTORY)

    def stats_keys(self) -> list[SeriesInfo]:
        """Return the keys of the system metrics, by name."""
        return self._infos(STATS)

    def points(self, key: str) -> list[tuple[int, float]]:
        """Return every (step, value) of a key of the history, in the order of logging."""
        points: list[tuple[int, float]] = []
        for steps, values in self._stretches(HISTORY, key):
            points.extend(zip(steps, values, strict=True))
        return points

    def points_of_many(self, keys: Iterable[str]) -> Iterator[tuple[str, list[tuple[int, float]]]]:
        """Yield keys of the history with their (step, value), as ``points`` returns them.

        All keys of a run cost little more than one pass over the file, and memory for a million
        points or the longest key. No state of the file is held while the caller is at work.
        """
        for some in self._batches(keys):
            for key, series in some:
                yield key, [point for part in series for point in zip(*part, strict=True)]

    def stats_points(self, key: str) -> list[tuple[float, float]]:
        """Return every (seconds since the epoch, value) of a system metric."""
        points: list[tuple[float, float]] = []
        for steps, values in self._stretches(STATS, key):
            points.extend(zip((step / 1e6 for step in steps), values, strict=True))
        return points

    def others(self, key: str) -> list[tuple[int, Any]]:
        """Return every (step, value) of a key's values that are no numbers."""
        with self._reading() as connection:
            series = _find(connection, HISTORY, key)
            if connection is None or series is None:
                return []
            rows = connection.execute(
                "SELECT step, value FROM other WHERE series = ? ORDER BY id", (series.id,)
            )
            return [(step, json.loads(value)) for step, value in rows]

    def chart(
        self,
        key: str,
        buckets: int,
        first_step: int | None = None,
        last_step: int | None = None,
    ) -> list[Bucket]:
        """Return a key of the history as at most ``buckets`` (4,096) buckets of equal width.

        Args:
            key: Its name.
            buckets: How many the chart can show, 1 to 4,096.
            first_step: Where the chart begins; None where the key begins.
            last_step: Where the chart ends, included; None where the key ends.
        """
        return self._chart(HISTORY, key, buckets, first_step, last_step)

    def stats_chart(
        self, key: str, buckets: int, first: float | None = None, last: float | None = None
    ) -> list[Bucket]:
        """Return a system metric as buckets, whose steps are microseconds since the epoch.

        Args:
            key: Its name.
            buckets: How many the chart can show, 1 to 4,096.
            first: Where the chart begins, in seconds since the epoch; None where the key begins.
            last: Where the chart ends, in seconds since the epoch; None where the key ends.
        """
        return self._chart(
            STATS,
            key,
            buckets,
            None if first is None else int(first * 1e6),
            None if last is None else int(last * 1e6),
        )

    def axis(self, key: str, steps: Sequence[int]) -> list[float]:
        """Return the value of a rising key (``_runtime``, ``_timestamp``, an epoch) at steps.

        Between the points that are read (each of up to 16,384, else one in 128) it is
        interpolated, so a chart against time costs no more than one against steps. NaN where the
        key has no value at all.
        """
        known = self._milestones(key)
        return [_interpolated(known, step) for step in steps]

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> SeriesReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _infos(self, kind: int) -> list[SeriesInfo]:
        with self._reading() as connection:
            if connection is None:
                return []
            rows = connection.execute(
                f"SELECT {INFO_COLUMNS} FROM series WHERE kind = ? ORDER BY name", (kind,)
            ).fetchall()
        return [info_of(row) for row in rows]

    def _chart(
        self, kind: int, key: str, buckets: int, first: int | None, last: int | None
    ) -> list[Bucket]:
        if not 1 <= buckets <= MAX_BUCKETS:
            raise ValueError(f"a chart has 1 to {MAX_BUCKETS} buckets, not {buckets}")
        with self._reading() as connection:
            series = _find(connection, kind, key)
            if connection is None or series is None or not series.count:
                return []
            low = series.low_step if first is None else first
            high = series.high_step if last is None else last
            sink = Buckets(low, high, buckets)
            _fill(connection, series, sink, buckets)
            return sink.result()

    def _stretches(self, kind: int, key: str) -> Iterator[tuple[Sequence[int], array[float]]]:
        with self._reading() as connection:
            series = _find(connection, kind, key)
            if connection is None or series is None:
                return
            yield from _packed_points(connection, series.id)
            yield tail_of(connection, series.id)

    def _batches(self, keys: Iterable[str]) -> Iterator[list[tuple[str, list[_Stretch]]]]:
        """Yield keys and their stretches, about ``POINTS_AT_ONCE`` points together."""
        left = deque(keys)
        while left:
            with self._reading() as connection:
                chosen: dict[str, int] = {}
                points = 0
                while left and points <= POINTS_AT_ONCE:
                    series = _find(connection, HISTORY, left[0])
                    if points and series and points + series.count > POINTS_AT_ONCE:
                        break
                    key = left.popleft()
                    if series:
                        chosen[key] = series.id
                        points += series.count
                if connection is None:
                    return
                tail = tail_columns(connection, set(chosen.values()))
                some = [
                    (key, [*_packed_points(connection, one), *([tail[one]] if one in tail else [])])
                    for key, one in chosen.items()
                ]
            yield some

    def _milestones(self, key: str) -> tuple[Sequence[int], Sequence[float]]:
        with self._reading() as connection:
            series = _find(connection, HISTORY, key)
            if connection is None or series is None:
                return [], []
            pairs: list[tuple[int, float]] = []
            if series.count > POINTS_READ_SINGLY:
                pairs.extend(_first_point(connection, series.id))
                for (nodes,) in connection.execute(
                    "SELECT nodes FROM chunk WHERE series = ? ORDER BY id", (series.id,)
                ):
                    pairs.extend((node[1], node[4]) for node in unpack_nodes(nodes))
                pairs.extend(zip(*tail_of(connection, series.id), strict=True))
        if not pairs:
            pairs = self.points(key)
        ordered = sorted((step, value) for step, value in pairs if isfinite(value))
        return [step for step, _ in ordered], [value for _, value in ordered]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        inode = _inode(self._path)
        if inode != self._inode:
            # The agent found the file damaged and has begun another one under its name.
            self.close()
        if self._connection is None:
            self._connection, self._inode = open_for_reading(self._path), inode
        connection = self._connection
        if connection is None:
            yield None
            return
        with translated(self._path):
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class _Found:
    id: int
    count: int
    low_step: int
    high_step: int


INFO_COLUMNS = "name, count, gaps, low_step, last_step, last, minimum, maximum, others, last_other"
"""What ``info_of`` reads."""


def info_of(row: tuple[Any, ...]) -> SeriesInfo:
    """Return what the columns of ``INFO_COLUMNS`` say of a key."""
    name, count, gaps, first, last_step, last, minimum, maximum, others, last_other = row
    return SeriesInfo(
        name=name,
        count=count,
        gaps=gaps,
        first_step=first,
        last_step=last_step,
        # SQLite has no NaN: it stores one as NULL.
        last=nan if count and last is None else last,
        minimum=minimum,
        maximum=maximum,
        others=others,
        last_other=None if last_other is None else json.loads(last_other),
    )


def _find(connection: sqlite3.Connection | None, kind: int, key: str) -> _Found | None:
    if connection is None:
        return None
    row = connection.execute(
        "SELECT id, count, low_step, high_step FROM series WHERE kind = ? AND name = ?",
        (kind, key),
    ).fetchone()
    return _Found(*row) if row else None


def _fill(connection: sqlite3.Connection, series: _Found, sink: Buckets, buckets: int) -> None:
    if series.count <= POINTS_READ_SINGLY:
        for chunk in chunks_of(connection, series.id):
            if sink.meets(chunk[1], chunk[2]):
                sink.add_points(*unpacked(connection, chunk[0], chunk[6]))
    else:
        chunks = chunks_of(connection, series.id)
        lumps = len(chunks) > _CHUNKS_PER_BUCKET * buckets
        for number, *node in chunks:
            if not sink.meets(node[0], node[1]):
                continue
            if lumps and sink.holds(node[0], node[1]):
                sink.add(*chunk_node(node))
            else:
                _fill_from_nodes(connection, number, node[5], sink)
    sink.add_points(*tail_of(connection, series.id))


def _fill_from_nodes(connection: sqlite3.Connection, chunk: int, count: int, sink: Buckets) -> None:
    nodes = connection.execute("SELECT nodes FROM chunk WHERE id = ?", (chunk,)).fetchone()[0]
    steps: Sequence[int] = ()
    values: array[float] = array("d")
    at = 0
    for node in unpack_nodes(nodes):
        low, high, size = node[0], node[1], node[5]
        if sink.holds(low, high):
            sink.add(*node)
        elif sink.meets(low, high):
            if not values:
                steps, values = unpacked(connection, chunk, count)
            sink.add_points(steps[at : at + size], values[at : at + size])
        at += size


def chunks_of(connection: sqlite3.Connection, series: int) -> list[tuple[Any, ...]]:
    """Return the chunks of a series, each its number and the columns of ``chunk_node``."""
    return connection.execute(
        "SELECT id, low_step, high_step, minimum, maximum, last, count, gaps FROM chunk"
        " WHERE series = ? ORDER BY id",
        (series,),
    ).fetchall()


def chunk_node(row: list[Any]) -> Node:
    """Return the summary of a whole chunk."""
    low, high, minimum, maximum, last, count, gaps = row
    return Node(
        low,
        high,
        nan if minimum is None else minimum,
        nan if maximum is None else maximum,
        nan if last is None else last,
        count,
        gaps,
    )


def unpacked(
    connection: sqlite3.Connection, chunk: int, count: int
) -> tuple[Sequence[int], array[float]]:
    """Return the points of a chunk."""
    steps, values = connection.execute(
        "SELECT steps, points FROM packed WHERE chunk = ?", (chunk,)
    ).fetchone()
    return unpack_steps(steps, count), unpack_values(values)


def _packed_points(connection: sqlite3.Connection, series: int) -> Iterator[_Stretch]:
    for count, steps, values in connection.execute(
        "SELECT c.count, p.steps, p.points FROM chunk c JOIN packed p ON p.chunk = c.id"
        " WHERE c.series = ? ORDER BY c.id",
        (series,),
    ):
        yield unpack_steps(steps, count), unpack_values(values)


def _first_point(connection: sqlite3.Connection, series: int) -> list[tuple[int, float]]:
    row = connection.execute(
        "SELECT id, count FROM chunk WHERE series = ? ORDER BY id LIMIT 1", (series,)
    ).fetchone()
    if row is None:
        return []
    steps, values = unpacked(connection, *row)
    return [(steps[0], values[0])]


def _interpolated(known: tuple[Sequence[int], Sequence[float]], step: int) -> float:
    steps, values = known
    if not steps:
        return nan
    after = bisect_right(steps, step)
    if after == 0:
        return values[0]
    if after == len(steps) or steps[after - 1] == step:
        return values[after - 1]
    before = after - 1
    share = (step - steps[before]) / (steps[after] - steps[before])
    return values[before] + share * (values[after] - values[before])
