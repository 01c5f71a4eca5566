"""Follows the metrics of a run for charts: each look reads what was logged since the last one.

A key is first read from the summaries of its chunks, which a million points have a few hundred of,
and from then on by its newest points alone, found from the end of the file backwards. What a look
costs is therefore what has happened since, whatever the run has logged before.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from launch_tui.store._growing import GrowingBuckets
from launch_tui.store._packed import CHUNK, unpack_nodes, unpack_steps, unpack_values
from launch_tui.store._series_file import HISTORY, STATS
from launch_tui.store.series_read import (
    INFO_COLUMNS,
    POINTS_READ_SINGLY,
    SeriesInfo,
    SeriesReader,
    chunk_node,
    chunks_of,
    info_of,
    unpacked,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from launch_tui.store._downsample import Bucket

LOOK_BUDGET = 6_000
"""Summaries and pieces of points that one look reads for keys that are new to it: some 10 ms."""

_UNPACKING = 100
"""What unpacking a chunk costs, in summaries."""
_POINTS_A_PIECE = 64
_AT_ONCE = 500
"""Names in one query."""
_SHAPES_KEPT = 64

Part = tuple["array[int]", "array[float]"]


class Trace:
    """One key that is followed.

    Args:
        name: Its name.
        limit: How many buckets it is kept in at most.
        stats: Whether it is a system metric, whose steps are microseconds since the epoch.
    """

    def __init__(self, name: str, limit: int, *, stats: bool = False) -> None:
        self.name = name
        self.limit = limit
        self.stats = stats
        self.seen = 0
        """How many of its points are in the buckets."""
        self.file = 0
        """Which file they were read from."""
        self._growing = GrowingBuckets(limit)
        self._shown: tuple[Bucket, ...] | None = None

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """Its points, by step: the same object as long as nothing new was read."""
        if self._shown is None:
            self._shown = self._growing.result()
        return self._shown

    def begin(self, file: int, low: int, high: int) -> GrowingBuckets:
        """Forget all points and return buckets for those between two steps."""
        self._growing = GrowingBuckets(self.limit)
        self._growing.make_room(low, high)
        self.file, self.seen, self._shown = file, 0, None
        return self._growing

    def add(self, parts: Sequence[Part], seen: int) -> None:
        """Take the newest points; ``seen`` is how many that makes in all."""
        for steps, values in parts:
            self._growing.add_points(steps, values)
        self.seen, self._shown = seen, None


class SeriesFollower(SeriesReader):
    """The metrics of one run, to be looked at again and again.

    Args:
        path: The run's file of metrics; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._names_of: object = None
        self._places: dict[bytes, dict[int, int]] = {}

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the keys that have numbers, of the history and of the system metrics.

        They are read again only when there are more.
        """
        with self._reading() as connection:
            if connection is None:
                return self._names
            counted = connection.execute("SELECT count(*) FROM series WHERE count > 0").fetchone()
            known = (self._inode, counted[0])
            if known != self._names_of:
                rows = connection.execute(
                    "SELECT kind, name FROM series WHERE count > 0 ORDER BY kind, name"
                ).fetchall()
                self._names = (
                    tuple(name for kind, name in rows if kind == HISTORY),
                    tuple(name for kind, name in rows if kind == STATS),
                )
                self._names_of = known
        return self._names

    def infos(self, names: Sequence[str], *, stats: bool = False) -> dict[str, SeriesInfo]:
        """Return what these keys came to; those that are not there are left out."""
        found: dict[str, SeriesInfo] = {}
        with self._reading() as connection:
            for at in range(0, len(names) if connection else 0, _AT_ONCE):
                some = names[at : at + _AT_ONCE]
                rows = connection.execute(  # type: ignore[union-attr]
                    f"SELECT {INFO_COLUMNS} FROM series"
                    f" WHERE kind = ? AND name IN ({_marks(some)})",
                    (STATS if stats else HISTORY, *some),
                )
                found.update((info.name, info) for info in map(info_of, rows))
        return found

    def look(self, traces: Sequence[Trace], *, budget: int = LOOK_BUDGET) -> bool:
        """Read what is new of each.

        Keys that are new to the follower are begun as far as the budget goes, one at least.

        Args:
            traces: What is followed.
            budget: Summaries to read for what is begun.

        Returns:
            Whether all is read; otherwise the next look goes on.
        """
        with self._reading() as connection:
            if connection is None:
                return True
            new, grown = self._behind(connection, traces)
            begun: dict[int, tuple[Trace, _Known]] = {}
            for trace, known in new:
                if budget <= 0 and begun:
                    break
                budget -= _begin(connection, trace, known, self._inode)
                begun[known.id] = (trace, known)
            self._take_tail(connection, begun)
            self._take_newest(connection, {known.id: (t, known) for t, known in grown})
            return len(begun) == len(new)

    def _behind(
        self, connection: sqlite3.Connection, traces: Sequence[Trace]
    ) -> tuple[list[tuple[Trace, _Known]], list[tuple[Trace, _Known]]]:
        """Return the keys to be read as a whole, and those of which only the newest is missing."""
        found = _found(connection, traces)
        new, grown = [], []
        for trace in traces:
            known = found.get((STATS if trace.stats else HISTORY, trace.name))
            if known is None or not known.points:
                continue
            more = known.points - trace.seen
            if trace.file != self._inode or not trace.seen or not 0 <= more <= CHUNK:
                new.append((trace, known))
            elif more:
                grown.append((trace, known))
        return new, grown

    def _take_tail(
        self, connection: sqlite3.Connection, begun: dict[int, tuple[Trace, _Known]]
    ) -> None:
        """Give keys their points that are not in chunks yet; one way through them for all keys."""
        parts: dict[int, list[Part]] = {number: [] for number in begun}
        if begun:
            for number, part in self._tail(connection, parts, newest_first=False):
                parts[number].append(part)
        for number, (trace, known) in begun.items():
            trace.add(parts[number], known.points)

    def _take_newest(
        self, connection: sqlite3.Connection, grown: dict[int, tuple[Trace, _Known]]
    ) -> None:
        """Give keys the points that came since they were read last, from the end backwards."""
        missing = {number: known.points - trace.seen for number, (trace, known) in grown.items()}
        parts: dict[int, list[Part]] = {number: [] for number in grown}
        if missing:
            for number, part in self._tail(connection, missing, newest_first=True):
                parts[number].append(_last_of(part, missing, number))
        for number in list(missing):
            for part in _chunks_backwards(connection, number):
                parts[number].append(_last_of(part, missing, number))
                if number not in missing:
                    break
        for number, (trace, known) in grown.items():
            trace.add(parts[number][::-1], known.points)

    def _tail(
        self,
        connection: sqlite3.Connection,
        wanted: dict[int, Any],
        *,
        newest_first: bool,
    ) -> Iterator[tuple[int, Part]]:
        """Yield the points of the tail by series, until nothing is left in ``wanted``."""
        order = "DESC" if newest_first else "ASC"
        places: dict[int, dict[int, int]] = {}
        for shape, packed_steps, packed in connection.execute(
            f"SELECT shape, steps, packed FROM tail ORDER BY id {order}"
        ):
            if shape not in places:
                places[shape] = self._places_of(connection, shape)
            place = places[shape]
            numbers = array("d", packed)
            steps = array("q", unpack_steps(packed_steps, len(numbers) // len(place)))
            for number in [one for one in wanted if one in place]:
                yield number, (steps, numbers[place[number] :: len(place)])
            if not wanted:
                return

    def _places_of(self, connection: sqlite3.Connection, shape: int) -> dict[int, int]:
        """Return which column of a row each series is. Shapes are numbered anew now and then."""
        row = connection.execute("SELECT members FROM shape WHERE id = ?", (shape,)).fetchone()
        members: bytes = row[0]
        places = self._places.get(members)
        if places is None:
            if len(self._places) >= _SHAPES_KEPT:
                self._places.clear()
            ids = array("I", members)
            places = self._places[members] = {number: at for at, number in enumerate(ids)}
        return places


class _Known(NamedTuple):
    id: int
    points: int
    low_step: int
    high_step: int


def _found(
    connection: sqlite3.Connection, traces: Sequence[Trace]
) -> dict[tuple[int, str], _Known]:
    found = {}
    for kind in (HISTORY, STATS):
        names = [trace.name for trace in traces if trace.stats == (kind == STATS)]
        for at in range(0, len(names), _AT_ONCE):
            some = names[at : at + _AT_ONCE]
            for name, *known in connection.execute(
                "SELECT name, id, count, low_step, high_step FROM series"
                f" WHERE kind = ? AND name IN ({_marks(some)})",
                (kind, *some),
            ):
                found[kind, name] = _Known(*known)
    return found


def _begin(connection: sqlite3.Connection, trace: Trace, known: _Known, file: int) -> int:
    """Read a key's chunks, and return what that cost."""
    sink = trace.begin(file, known.low_step, known.high_step)
    cost = 1
    for number, *node in chunks_of(connection, known.id):
        low, high, count = node[0], node[1], node[5]
        if known.points <= POINTS_READ_SINGLY:
            sink.add_points(*unpacked(connection, number, count))
            cost += count // _POINTS_A_PIECE + 1
        elif sink.holds(low, high):
            sink.add(*chunk_node(node))
            cost += 1
        else:
            cost += _add_nodes(connection, number, count, sink)
    return cost


def _add_nodes(connection: sqlite3.Connection, chunk: int, count: int, sink: GrowingBuckets) -> int:
    nodes = connection.execute("SELECT nodes FROM chunk WHERE id = ?", (chunk,)).fetchone()[0]
    steps: Sequence[int] = ()
    values: array[float] = array("d")
    at = cost = 0
    for node in unpack_nodes(nodes):
        size = node[5]
        if sink.holds(node[0], node[1], tolerance=1):
            sink.add(*node)
        else:
            if not values:
                steps, values = unpacked(connection, chunk, count)
                cost += _UNPACKING
            sink.add_points(steps[at : at + size], values[at : at + size])
        at += size
        cost += 1
    return cost


def _chunks_backwards(connection: sqlite3.Connection, series: int) -> Iterator[Part]:
    for count, steps, values in connection.execute(
        "SELECT c.count, p.steps, p.points FROM chunk c JOIN packed p ON p.chunk = c.id"
        " WHERE c.series = ? ORDER BY c.id DESC",
        (series,),
    ):
        yield array("q", unpack_steps(steps, count)), unpack_values(values)


def _last_of(part: Part, missing: dict[int, int], number: int) -> Part:
    """Return the end of a stretch as far as it is missing, and note that it is not any more."""
    steps, values = part
    wanted = missing[number]
    if len(values) >= wanted:
        del missing[number]
        return steps[-wanted:], values[-wanted:]
    missing[number] = wanted - len(values)
    return part


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))
