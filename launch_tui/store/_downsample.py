"""Sorts the points of a metric into as many buckets of equal width as a chart can show.

Whole summaries of 128 points are used where they fit into a bucket or nearly so, single points
where they would be smeared over several. What a bucket says of its minimum, maximum and last value
is then exact, but for points within 128 of its border, which may be counted with the neighbour.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, isnan
from typing import TYPE_CHECKING

from launch_tui.store._packed import extremes

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

MAX_BUCKETS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The points of a metric between two steps.

    ``minimum`` and ``maximum`` are over the finite values, NaN when there are none; ``last`` is
    the last value, finite or not; ``gaps`` of the ``count`` values are NaN or infinite.
    """

    first_step: int
    last_step: int
    minimum: float
    maximum: float
    last: float
    count: int
    gaps: int


class Buckets:
    """Collects points between two steps, both included, into ``count`` buckets."""

    def __init__(self, first_step: int, last_step: int, count: int) -> None:
        self._first = first_step
        self._last = last_step
        self._width = max(1, last_step - first_step + 1)
        self._count = count
        self._bins: dict[int, list[float]] = {}

    def holds(self, low: int, high: int) -> bool:
        """Whether points between these steps may be counted as one lump."""
        if low < self._first or high > self._last:
            return False
        return self._index(high) - self._index(low) < 2

    def meets(self, low: int, high: int) -> bool:
        """Whether any step between these is wanted."""
        return low <= self._last and high >= self._first

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
        """Count a stretch of points as one lump."""
        index = (low - self._first) * self._count // self._width
        old = self._bins.get(index)
        if old is None:
            self._bins[index] = [low, high, minimum, maximum, last, count, gaps]
            return
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

    def add_points(self, steps: Sequence[int], values: array[float]) -> None:
        """Count single points, in the order in which they were logged."""
        for begin, end in ascents(steps):
            self._add_ascent(steps, values, begin, end)

    def result(self) -> list[Bucket]:
        """Return the buckets that have points, by step."""
        return [
            Bucket(
                first_step=int(low),
                last_step=int(high),
                minimum=minimum,
                maximum=maximum,
                last=last,
                count=int(count),
                gaps=int(gaps),
            )
            for _, (low, high, minimum, maximum, last, count, gaps) in sorted(self._bins.items())
        ]

    def _index(self, step: int) -> int:
        return (step - self._first) * self._count // self._width

    def _add_ascent(self, steps: Sequence[int], values: array[float], at: int, end: int) -> None:
        at = bisect_left(steps, self._first, at, end)
        while at < end and steps[at] <= self._last:
            border = self._first - (-(self._index(steps[at]) + 1) * self._width // self._count)
            stop = bisect_left(steps, min(border, self._last + 1), at + 1, end)
            if stop == at + 1:
                value = values[at]
                gap = 0 if isfinite(value) else 1
                shown = float("nan") if gap else value
                self.add(steps[at], steps[at], shown, shown, value, 1, gap)
            else:
                some = values[at:stop]
                minimum, maximum, gaps = extremes(some)
                last = some[-1]
                self.add(steps[at], steps[stop - 1], minimum, maximum, last, stop - at, gaps)
            at = stop


def ascents(steps: Sequence[int]) -> list[tuple[int, int]]:
    """Return begin and end of each stretch in which steps do not go back."""
    if isinstance(steps, range) and steps.step > 0:
        return [(0, len(steps))]
    turns = [at for at, (one, two) in enumerate(pairwise(steps), 1) if two < one]
    return list(pairwise([0, *turns, len(steps)]))
