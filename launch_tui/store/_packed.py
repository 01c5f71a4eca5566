"""How a stretch of a metric lies on disk: steps, values, and a summary of each 128 points.

Steps that are evenly spaced cost 17 bytes a chunk, others are compressed differences. Values are
IEEE doubles, exactly as they were logged (NaN and infinities too); their bytes are grouped by
significance before compression, which halves values that came from 32-bit floats. Byte order is the
machine's own: the file never leaves it.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from itertools import accumulate, islice
from math import isfinite, nan
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHUNK = 4096
"""Points in a full chunk."""
NODE = 128
"""Points that one node of the summary stands for."""

_NODE = struct.Struct("=qqdddHH")
_EVEN = struct.Struct("=qq")
_COMPRESSION = 1


class Node(NamedTuple):
    """A stretch of points in a few numbers.

    ``minimum`` and ``maximum`` are over the finite values, NaN when there are none; ``last`` is
    the last value as it is; ``gaps`` counts the values that are not finite.
    """

    low_step: int
    high_step: int
    minimum: float
    maximum: float
    last: float
    size: int
    gaps: int


def node_of(steps: Sequence[int], values: array[float]) -> Node:
    """Return the summary of a stretch that is not empty."""
    minimum, maximum, gaps = extremes(values)
    first, last = steps[0], steps[-1]
    if isinstance(steps, range):
        low, high = min(first, last), max(first, last)
    else:
        low, high = min(steps), max(steps)
    return Node(low, high, minimum, maximum, values[-1], len(values), gaps)


def extremes(values: Sequence[float]) -> tuple[float, float, int]:
    """Return the least and the greatest finite value, and how many are not finite."""
    # A sum is finite only if each member is, and sum() is much faster than a test of each.
    if isfinite(sum(values)):
        return min(values), max(values), 0
    finite = [value for value in values if isfinite(value)]
    if not finite:
        return nan, nan, len(values)
    return min(finite), max(finite), len(values) - len(finite)


def pack_nodes(steps: Sequence[int], values: array[float]) -> bytes:
    """Return the summaries of a chunk, one for each 128 points."""
    return b"".join(
        _NODE.pack(*node_of(steps[at : at + NODE], values[at : at + NODE]))
        for at in range(0, len(values), NODE)
    )


def unpack_nodes(data: bytes) -> Iterator[tuple[int, int, float, float, float, int, int]]:
    """Yield the fields of each ``Node``; plain tuples, because charts read thousands."""
    yield from _NODE.iter_unpack(data)


def pack_steps(steps: array[int]) -> bytes:
    """Return steps as bytes."""
    delta = steps[1] - steps[0] if len(steps) > 1 else 1
    if 0 < abs(delta) < 1 << 63 and _even(steps, delta):
        return b"E" + _EVEN.pack(steps[0], delta)
    try:
        differences = array("q", map(sub, steps, [0, *islice(steps, len(steps) - 1)]))
    except OverflowError:
        return b"R" + zlib.compress(steps.tobytes(), _COMPRESSION)
    return b"D" + zlib.compress(differences.tobytes(), _COMPRESSION)


def unpack_steps(data: bytes, count: int) -> Sequence[int]:
    """Return ``count`` steps: a range where they are evenly spaced."""
    if data[:1] == b"E":
        first, delta = _EVEN.unpack_from(data, 1)
        return range(first, first + delta * count, delta)
    steps = array("q", zlib.decompress(data[1:]))
    return steps if data[:1] == b"R" else array("q", accumulate(steps))


def pack_values(values: array[float]) -> bytes:
    """Return doubles as bytes."""
    raw = values.tobytes()
    grouped = zlib.compress(b"".join(raw[at::8] for at in range(8)), _COMPRESSION)
    return b"G" + grouped if len(grouped) < len(raw) else b"P" + raw


def unpack_values(data: bytes) -> array[float]:
    """Return the doubles that ``pack_values`` was given."""
    if data[:1] == b"P":
        return array("d", data[1:])
    grouped = zlib.decompress(data[1:])
    count = len(grouped) // 8
    raw = bytearray(len(grouped))
    for at in range(8):
        raw[at::8] = grouped[at * count : (at + 1) * count]
    return array("d", bytes(raw))


def _even(steps: array[int], delta: int) -> bool:
    return len(steps) == 1 or list(steps) == list(
        range(steps[0], steps[0] + delta * len(steps), delta)
    )
