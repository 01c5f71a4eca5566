"""Draws series into cells of braille, and values into one line of blocks: no widget, no colours.

A redraw costs what the width and the buckets cost, not what the run has logged. Each pixel column
spans the smallest to the largest value in it, so that no spike is lost to downsampling, and a
value that is no number is a gap.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BRAILLE = 0x2800
BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=*%#"

# Dots of a braille cell by column and row, as Unicode numbers them.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_UPPER = 0x01 | 0x02 | 0x08 | 0x10


class Bucket(Protocol):
    """The points of a series between two steps; ``minimum`` is NaN when none is finite."""

    @property
    def first_step(self) -> float:
        """Where it begins."""
        ...

    @property
    def last_step(self) -> float:
        """Where it ends."""
        ...

    @property
    def minimum(self) -> float:
        """The smallest finite value."""
        ...

    @property
    def maximum(self) -> float:
        """The largest finite value."""
        ...

    @property
    def last(self) -> float:
        """The last value, finite or not."""
        ...


class Bounds(NamedTuple):
    """What the chart shows: steps from left to right, values (scaled) from bottom to top."""

    left: float
    right: float
    bottom: float
    top: float


class Scale(NamedTuple):
    """How a value becomes a height: as it is, or by its logarithm."""

    log: bool

    def up(self, value: float) -> float:
        """Return the height of a value, NaN when it has none."""
        if not self.log:
            return value if math.isfinite(value) else math.nan
        return math.log10(value) if 0 < value < math.inf else math.nan

    def down(self, height: float) -> float:
        """Return the value at a height."""
        return 10**height if self.log else height


def scale_for(series: Sequence[Sequence[Bucket]], *, log: bool) -> Scale:
    """Return the scale; a logarithmic one only if there is a positive value to show."""
    return Scale(log and any(b.maximum > 0 for buckets in series for b in buckets))


def bounds_of(series: Sequence[Sequence[Bucket]], scale: Scale) -> Bounds | None:
    """Return what contains every finite point, None when there is none."""
    heights: list[float] = []
    steps: list[float] = []
    for buckets in series:
        for bucket in buckets:
            low, high = _span(bucket, scale)
            if not math.isnan(high):
                heights += (low, high)
                steps += (bucket.first_step, bucket.last_step)
    if not heights:
        return None
    bottom, top = min(heights), max(heights)
    if bottom == top:
        pad = abs(top) * 0.05 or 1.0
        bottom, top = bottom - pad, top + pad
    return Bounds(min(steps), max(steps), bottom, top)


def dots(
    buckets: Sequence[Bucket], bounds: Bounds, scale: Scale, width: int, height: int
) -> dict[tuple[int, int], int]:
    """Return the braille dots of one series by cell (column, row)."""
    cells: dict[tuple[int, int], int] = {}
    for x, low, high in _strokes(buckets, bounds, scale, width * 2, height * 4):
        for y in range(low, high + 1):
            at = (x // 2, y // 4)
            cells[at] = cells.get(at, 0) | _DOTS[x % 2][y % 4]
    return cells


def cell_text(bits: int, *, ascii_only: bool = False) -> str:
    """Return the character with these dots."""
    if not ascii_only:
        return chr(BRAILLE + bits)
    upper, lower = bits & _UPPER, bits & ~_UPPER
    return ":" if upper and lower else "'" if upper else "."


def sparkline(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return values as one line of blocks, the newest at the right; a gap is a blank."""
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    kept = [_last_finite(part) for part in _binned(values, width)]
    finite = [value for value in kept if not math.isnan(value)]
    if not finite:
        return " " * len(kept)
    low, high = min(finite), max(finite)
    # Halved, so that the distance of the largest floats does not overflow.
    reach = (high / 2 - low / 2) or 1.0
    top = len(blocks) - 1
    return "".join(
        " " if math.isnan(value) else blocks[round((value / 2 - low / 2) / reach * top)]
        for value in kept
    )


def short_number(value: float) -> str:
    """Return a number in four significant digits."""
    if math.isnan(value):
        return "NaN"
    return f"{value:.4g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def short_step(step: float) -> str:
    """Return a step in at most five characters up to a billion."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(step) >= size:
            return f"{step / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{step:.4g}"


class _Stroke(NamedTuple):
    """What a pixel column holds: its extent downwards, and where the line leaves it."""

    x: int
    upper: int
    lower: int
    leaves: int | None


def _strokes(
    buckets: Sequence[Bucket], bounds: Bounds, scale: Scale, width: int, height: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (x, highest pixel, lowest pixel), joined from one column to the next."""
    before: _Stroke | None = None
    for stroke in _columns(buckets, bounds, scale, width, height):
        if stroke is not None:
            if before is not None and before.leaves is not None:
                nearest = min(max(before.leaves, stroke.upper), stroke.lower)
                yield from _join((before.x, before.leaves), (stroke.x, nearest))
            yield stroke.x, stroke.upper, stroke.lower
        before = stroke


def _columns(
    buckets: Sequence[Bucket], bounds: Bounds, scale: Scale, width: int, height: int
) -> Iterator[_Stroke | None]:
    """Yield one stroke for all the buckets of a pixel column; None where there is a gap."""
    now: _Stroke | None = None
    for bucket in buckets:
        low, high = _span(bucket, scale)
        if high != high:  # NaN
            yield now
            yield None
            now = None
            continue
        x = _pixel(bucket.first_step / 2 + bucket.last_step / 2, bounds.left, bounds.right, width)
        upper = height - 1 - _pixel(high, bounds.bottom, bounds.top, height)
        lower = height - 1 - _pixel(low, bounds.bottom, bounds.top, height)
        end = scale.up(bucket.last)
        leaves = None if end != end else height - 1 - _pixel(end, bounds.bottom, bounds.top, height)
        if now is not None and now.x == x and now.leaves is not None:
            upper, lower = min(upper, now.upper), max(lower, now.lower)
        elif now is not None:
            yield now
        now = _Stroke(x, upper, lower, leaves)
    yield now


def _join(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    (x, y), (to_x, to_y) = start, end
    if to_x <= x:
        # Steps that go back are not joined to what came after them.
        return
    previous = y
    for at in range(x + 1, to_x + 1):
        now = round(y + (to_y - y) * (at - x) / (to_x - x))
        yield at, min(previous, now), max(previous, now)
        previous = now


def _span(bucket: Bucket, scale: Scale) -> tuple[float, float]:
    low, high = scale.up(bucket.minimum), scale.up(bucket.maximum)
    return (high, high) if low != low else (low, high)


def _pixel(value: float, low: float, high: float, size: int) -> int:
    reach = high / 2 - low / 2
    if reach <= 0:
        return 0
    return min(size - 1, max(0, round((value / 2 - low / 2) / reach * (size - 1))))


def _binned(values: Sequence[float], width: int) -> list[Sequence[float]]:
    if width <= 0:
        return []
    if len(values) <= width:
        return [[value] for value in values]
    edges = [at * len(values) // width for at in range(width + 1)]
    return [values[a:b] for a, b in pairwise(edges)]


def _last_finite(values: Sequence[float]) -> float:
    return next((value for value in reversed(values) if math.isfinite(value)), math.nan)
