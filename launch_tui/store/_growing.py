"""Keeps points that go on arriving as a bounded number of buckets, for charts that follow a run.

The width of a bucket is a power of two of steps and doubles when the buckets no longer fit; each
two neighbours then become one. So a point costs the same whether it is the first or the millionth,
and nothing that was read once is read again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING

from launch_tui.store._downsample import Bucket, ascents
from launch_tui.store._packed import extremes

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence


class GrowingBuckets:
    """Collects points into at most ``limit`` buckets of equal width.

    The last value of a bucket is that of the last point that was counted in it. Where steps go
    back and buckets are then joined, it is that of the higher steps.

    Args:
        limit: How many buckets there may be, 2 or more.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._shift = 0
        self._bins: dict[int, list[float]] = {}
        self._order: list[int] = []
        self._made: dict[int, Bucket] = {}

    @property
    def width(self) -> int:
        """How many steps a bucket spans."""
        return 1 << self._shift

    def make_room(self, low: int, high: int) -> None:
        """Widen the buckets until points between these steps fit."""
        if self._order:
            low = min(low, self._order[0] << self._shift)
            high = max(high, self._order[-1] << self._shift)
        shift = self._shift
        while (high >> shift) - (low >> shift) >= self.limit:
            shift += 1
        if shift > self._shift:
            self._widen(shift - self._shift)

    def holds(self, low: int, high: int, *, tolerance: int = 0) -> bool:
        """Whether points between these steps lie in one bucket, or in so many more beside it."""
        return (high >> self._shift) - (low >> self._shift) <= tolerance

    def add(
        self,
        low: int,
        high: int,
        minimum: float,
        maximum: float,
        last: float,
        count: int,
        gaps: int,
    ) -> None:
        """Count a stretch of points as one lump; there must be room."""
        index = low >> self._shift
        old = self._bins.get(index)
        if old is None:
            self._bins[index] = [low, high, minimum, maximum, last, count, gaps]
            if not self._order or index > self._order[-1]:
                self._order.append(index)
            else:
                insort(self._order, index)
            return
        _take(old, [low, high, minimum, maximum, last, count, gaps])
        self._made.pop(index, None)

    def add_points(self, steps: Sequence[int], values: array[float]) -> None:
        """Count single points, in the order in which they were logged."""
        if not values:
            return
        self.make_room(min(steps), max(steps))
        for begin, end in ascents(steps):
            self._add_ascent(steps, values, begin, end)

    def result(self) -> tuple[Bucket, ...]:
        """Return the buckets that have points, by step."""
        made = self._made
        return tuple([made.get(index) or self._make(index) for index in self._order])

    def _add_ascent(self, steps: Sequence[int], values: array[float], at: int, end: int) -> None:
        while at < end:
            border = ((steps[at] >> self._shift) + 1) << self._shift
            stop = bisect_left(steps, border, at + 1, end)
            if stop == at + 1:
                value = values[at]
                gap = 0 if isfinite(value) else 1
                shown = nan if gap else value
                self.add(steps[at], steps[at], shown, shown, value, 1, gap)
            else:
                minimum, maximum, gaps = extremes(values[at:stop])
                last = values[stop - 1]
                self.add(steps[at], steps[stop - 1], minimum, maximum, last, stop - at, gaps)
            at = stop

    def _widen(self, by: int) -> None:
        narrow, self._bins = self._bins, {}
        order, self._order = self._order, []
        self._made = {}
        self._shift += by
        for index in order:
            wide = index >> by
            old = self._bins.get(wide)
            if old is None:
                self._bins[wide] = narrow[index]
                self._order.append(wide)
            else:
                _take(old, narrow[index])

    def _make(self, index: int) -> Bucket:
        low, high, minimum, maximum, last, count, gaps = self._bins[index]
        bucket = Bucket(
            first_step=int(low),
            last_step=int(high),
            minimum=minimum,
            maximum=maximum,
            last=last,
            count=int(count),
            gaps=int(gaps),
        )
        self._made[index] = bucket
        return bucket


def _take(old: list[float], new: Sequence[float]) -> None:
    """Count what came later with what came before."""
    low, high, minimum, maximum, last, count, gaps = new
    if low < old[0]:
        old[0] = low
    if high > old[1]:
        old[1] = high
    # Comparisons with NaN are false, so a bucket without finite values takes the first.
    if minimum < old[2] or isnan(old[2]):
        old[2] = minimum
    if maximum > old[3] or isnan(old[3]):
        old[3] = maximum
    old[4] = last
    old[5] += count
    old[6] += gaps
