"""Draws curves into cells of braille, and values into one line of blocks: no widget, no colours.

A redraw costs what the width and the buckets cost, not what the run has logged. Each pixel column
spans the smallest to the largest value in it, so that no spike is lost to downsampling, and a
value that is no number is a gap. A pixel column is one integer, a bit for each pixel from the top.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

BRAILLE = 0x2800
MOST = sys.float_info.max
BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=*%#"

# Dots of a braille cell by column and row, as Unicode numbers them.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_CELL = 15
_UPPER = 3


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


class Curve(NamedTuple):
    """What is drawn as one line, from left to right.

    At each of ``xs`` it reaches from ``lows`` to ``highs`` and leaves at ``ends`` for the next.
    NaN in ``highs`` is a gap.
    """

    xs: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]
    ends: Sequence[float]


NOTHING = Curve((), (), (), ())


class Bounds(NamedTuple):
    """What the chart shows: x from left to right, heights from bottom to top."""

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
            return value if isfinite(value) else math.nan
        return math.log10(value) if 0 < value < math.inf else math.nan

    def down(self, height: float) -> float:
        """Return the value at a height."""
        return 10**height if self.log else height

    def curve(self, curve: Curve) -> Curve:
        """Return a curve of values as one of heights."""
        if not self.log:
            return curve
        highs = [self.up(value) for value in curve.highs]
        lows = [self.up(value) for value in curve.lows]
        # Where a part is not positive the line begins at what is.
        lows = [high if math.isnan(low) else low for low, high in zip(lows, highs, strict=True)]
        return Curve(curve.xs, lows, highs, [self.up(value) for value in curve.ends])


def curve_of(
    buckets: Sequence[Bucket], place: Callable[[Sequence[float]], Sequence[float]] | None = None
) -> Curve:
    """Return buckets as a curve: each in the middle of its steps, the outermost at the ends.

    Args:
        buckets: By step.
        place: Gives the x of steps; None where x is the step.
    """
    # Halved first: the sum of the largest steps does not fit what follows.
    steps = [bucket.first_step / 2 + bucket.last_step / 2 for bucket in buckets]
    if len(steps) > 1:
        steps[0], steps[-1] = buckets[0].first_step, buckets[-1].last_step
    return Curve(
        place(steps) if place else steps,
        [bucket.minimum for bucket in buckets],
        [bucket.maximum for bucket in buckets],
        [bucket.last for bucket in buckets],
    )


def scale_for(curves: Iterable[Curve], *, log: bool) -> Scale:
    """Return the scale; a logarithmic one only if there is a positive value to show."""
    return Scale(log and any(high > 0 for curve in curves for high in curve.highs))


def bounds_of(curves: Iterable[Curve]) -> Bounds | None:
    """Return what contains every point of curves of heights, None when there is none."""
    kept = [_finite(curve) for curve in curves]
    kept = [curve for curve in kept if curve.xs]
    if not kept:
        return None
    bottom = min(min(curve.lows) for curve in kept)
    top = max(max(curve.highs) for curve in kept)
    if bottom == top:
        pad = abs(top) * 0.05 or 1.0
        bottom, top = max(bottom - pad, -MOST), min(top + pad, MOST)
    left = min(min(curve.xs) for curve in kept)
    return Bounds(left, max(max(curve.xs) for curve in kept), bottom, top)


def within(curve: Curve, left: float, right: float) -> Curve:
    """Return the part of a curve between two x, with what crosses the edges cut at them."""
    begin, end = bisect_left(curve.xs, left), bisect_right(curve.xs, right)
    before, after = _crossing(curve, begin, left), _crossing(curve, end, right)
    parts = [list(values[begin:end]) for values in curve]
    if before is not None and (begin == end or parts[0][0] > left):
        for values, value in zip(parts, (left, before, before, before), strict=True):
            values.insert(0, value)
    if after is not None and (begin == end or parts[0][-1] < right):
        for values, value in zip(parts, (right, after, after, after), strict=True):
            values.append(value)
    return Curve(*parts)


def value_at(curve: Curve, x: float, reach: float = 0.0) -> float | None:
    """Return the newest value at an x or before it, None where the curve begins later.

    A value that comes no more than ``reach`` later is taken instead where it is nearer.
    """
    xs = curve.xs
    at = bisect_right(xs, x) - 1
    after = xs[at + 1] - x if at + 1 < len(xs) else math.inf
    if after <= reach and (at < 0 or after < x - xs[at]):
        at += 1
    return curve.ends[at] if at >= 0 else None


def columns_of(curve: Curve, bounds: Bounds, width: int, height: int) -> list[int]:
    """Return the pixels of a curve of heights: a column each, its topmost pixel the lowest bit.

    Args:
        curve: What to draw.
        bounds: What left, right, bottom and top are.
        width: Pixels.
        height: Pixels.
    """
    columns = [0] * width
    across, upwards = _rate(bounds.left, bounds.right, width), _rate(*bounds[2:], height)
    left, bottom = bounds.left / 2, bounds.bottom / 2
    lowest = height - 0.5
    for begin, end in _pieces(curve):
        # Four short loops are faster than one that does everything, and this is what a live grid
        # spends its time on.
        at = [int((x / 2 - left) * across + 0.5) for x in curve.xs[begin:end]]
        upper = [int(lowest - (y / 2 - bottom) * upwards) for y in curve.highs[begin:end]]
        lower = [int(lowest - (y / 2 - bottom) * upwards) for y in curve.lows[begin:end]]
        leaves = [int(lowest - (y / 2 - bottom) * upwards) for y in curve.ends[begin : end - 1]]
        _draw_piece(columns, at, upper, lower, [*leaves, 0])
    return columns


def row_texts(columns: Sequence[int], rows: int, *, ascii_only: bool = False) -> list[str]:
    """Return the cells of a drawing, a text for each row; a cell without a pixel is a blank."""
    glyphs = _ASCII_GLYPHS if ascii_only else _GLYPHS
    pairs = [*zip(columns[::2], columns[1::2], strict=True)]
    inked = 0
    for column in columns:
        inked |= column
    texts = []
    for row in range(rows):
        shift = row * 4
        if not inked >> shift & _CELL:
            texts.append(" " * len(pairs))
            continue
        texts.append(
            "".join(
                [
                    glyphs[left >> shift & _CELL | (right >> shift & _CELL) << 4]
                    for left, right in pairs
                ]
            )
        )
    return texts


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


def _pieces(curve: Curve) -> list[tuple[int, int]]:
    """Return begin and end of each part without a gap in it."""
    if isfinite(sum(curve.highs)) and isfinite(sum(curve.ends)):
        return [(0, len(curve.xs))] if curve.xs else []
    pieces, begin = [], 0
    for at, (high, end) in enumerate(zip(curve.highs, curve.ends, strict=True)):
        if not isfinite(high):
            pieces.append((begin, at))
            begin = at + 1
        elif not isfinite(end):
            # The line stops here, and begins anew with the next.
            pieces.append((begin, at + 1))
            begin = at + 1
    return [(one, two) for one, two in [*pieces, (begin, len(curve.xs))] if one < two]


def _draw_piece(
    columns: list[int],
    at: Sequence[int],
    upper: Sequence[int],
    lower: Sequence[int],
    leaves: Sequence[int],
) -> None:
    """Draw strokes into pixel columns, each joined to where the one before it left.

    Compared by hand: a call of ``min`` or ``max`` costs several comparisons, for each point.
    """
    before, y = -1, 0
    number, count = 0, len(at)
    while number < count:
        x, high, low, end = at[number], upper[number], lower[number], leaves[number]
        number += 1
        # What falls into one column is one stroke.
        while number < count and at[number] == x:
            if upper[number] < high:
                high = upper[number]
            if lower[number] > low:
                low = lower[number]
            end = leaves[number]
            number += 1
        # Steps that go back are not joined to what came after them.
        if 0 <= before < x:
            if x > before + 1:
                y = _draw_slope(columns, (before, y), (x, min(max(y, high), low)))
            if y < high:
                high = y
            if y > low:
                low = y
        columns[x] |= ((2 << (low - high)) - 1) << high
        before, y = x, end


def _draw_slope(columns: list[int], start: tuple[int, int], end: tuple[int, int]) -> int:
    """Draw a line up to the column before the last, and return where it arrives there."""
    (x, y), (to_x, to_y) = start, end
    here = y
    for at in range(x + 1, to_x):
        now = round(y + (to_y - y) * (at - x) / (to_x - x))
        high, low = min(here, now), max(here, now)
        columns[at] |= ((2 << (low - high)) - 1) << high
        here = now
    return here


def _rate(low: float, high: float, size: int) -> float:
    """Return pixels for each half of a unit; halves, because whole reaches may overflow."""
    reach = high / 2 - low / 2
    rate = (size - 1) / reach if reach > 0 else 0.0
    return rate if isfinite(rate) else 0.0


def _crossing(curve: Curve, after: int, x: float) -> float | None:
    """Return the height of the line at ``x``, between the point before ``after`` and that one."""
    if not 0 < after < len(curve.xs):
        return None
    one, two = curve.ends[after - 1], curve.ends[after]
    if not (isfinite(one) and isfinite(two)):
        return None
    reach = curve.xs[after] - curve.xs[after - 1]
    share = (x - curve.xs[after - 1]) / reach if reach > 0 else 0.0
    return one * (1 - share) + two * share


def _finite(curve: Curve) -> Curve:
    # A sum is finite only if each member is, and sum() is much faster than a test of each.
    if isfinite(sum(curve.highs)) and isfinite(sum(curve.lows)):
        return curve
    kept = [at for at, high in enumerate(curve.highs) if isfinite(high)]
    return Curve(*([values[at] for at in kept] for values in curve))


def _binned(values: Sequence[float], width: int) -> list[Sequence[float]]:
    if width <= 0:
        return []
    if len(values) <= width:
        return [[value] for value in values]
    edges = [at * len(values) // width for at in range(width + 1)]
    return [values[a:b] for a, b in pairwise(edges)]


def _last_finite(values: Sequence[float]) -> float:
    return next((value for value in reversed(values) if isfinite(value)), math.nan)


def _braille(bits: int) -> str:
    """Return the cell whose left column has the lower four bits, from the top, and so on."""
    dots = sum(_DOTS[at // 4][at % 4] for at in range(8) if bits >> at & 1)
    return chr(BRAILLE + dots) if dots else " "


def _ascii(bits: int) -> str:
    column = bits & _CELL | bits >> 4
    upper, lower = column & _UPPER, column >> 2
    return ":" if upper and lower else "'" if upper else "." if lower else " "


_GLYPHS = [_braille(bits) for bits in range(256)]
_ASCII_GLYPHS = [_ascii(bits) for bits in range(256)]
