"""Folds of a log one after the other: which rows they are, and which rows stand behind them.

A hundred thousand folds take a few megabytes, and what a view asks of them takes microseconds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1 << 20
"""Numbers of 8 bytes that folds are kept in: 150,000 folds of two rows. Older ones are shown line
by line where there are more."""


class Fold(NamedTuple):
    """Lines of a file that a terminal shows as fewer.

    ``rows`` are the lines of the screen: the number of the line of the file in which each was drawn
    last, and where what that drew is in the file, for ``Folds.drawn``.
    """

    first: int
    taken: int
    rows: list[tuple[int, int]]

    @property
    def end(self) -> int:
        """The number of the first line behind."""
        return self.first + self.taken


class FoldList:
    """Folds one after the other, in a few dozen bytes each.

    Args:
        gain: How many more rows than lines there are before the first one.
    """

    def __init__(self, gain: int = 0) -> None:
        self.lost = 0
        """How often the older half was dropped."""
        self._numbers = array("Q")
        self._places = array("Q")
        self._firsts = array("Q")
        self._starts = array("q")
        self._gains = array("q", [gain])
        self._shift = 0
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._firsts)

    def __iter__(self) -> Iterator[Fold]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, at: int) -> Fold:
        place = self._places[at] - self._dropped
        first, taken, many = self._numbers[place : place + 3]
        numbers = self._numbers[place + 3 : place + 3 + 2 * many]
        return Fold(first, taken, list(zip(numbers[::2], numbers[1::2], strict=True)))

    def add(self, numbers: array[int]) -> None:
        """Add folds, as ``Screen.folds`` has them."""
        at, base = 0, len(self._numbers) + self._dropped
        gain = self._gains[-1]
        while at < len(numbers):
            first, taken, many = numbers[at : at + 3]
            self._places.append(base + at)
            self._firsts.append(first)
            self._starts.append(first + gain)
            gain += many - taken
            self._gains.append(gain)
            at += 3 + 2 * many
        self._numbers += numbers
        if len(self._numbers) > MOST:
            self._drop_half()

    @property
    def gain(self) -> int:
        """How many more rows than lines there are up to the end."""
        return self._gains[-1] - self._shift

    def at_line(self, line: int) -> int:
        """Return the last fold that begins at or before a line, -1 for none."""
        return bisect_right(self._firsts, line) - 1

    def at_row(self, row: int) -> int:
        """Return the last fold that begins at or before a row, -1 for none."""
        return bisect_right(self._starts, row + self._shift) - 1

    def start(self, at: int) -> int:
        """Return the row at which a fold begins."""
        return self._starts[at] - self._shift

    def gain_behind(self, at: int) -> int:
        """Return how many more rows than lines there are up to the end of a fold; -1: before."""
        return self._gains[at + 1] - self._shift

    def _drop_half(self) -> None:
        half = len(self) // 2
        place = self._places[half] - self._dropped
        self._dropped += place
        # What is dropped is shown line by line from now on: that moves all rows behind it.
        self._shift = self._gains[half]
        for numbers, many in (
            (self._numbers, place),
            (self._places, half),
            (self._firsts, half),
            (self._starts, half),
            (self._gains, half),
        ):
            del numbers[:many]
        self.lost += 1
