"""A set of line numbers as bits: the lines that match, of which there may be none or all.

Ten million lines take 1.25 MB however many are members. What a view asks is answered in
microseconds: how many members come before a line, which member is the n-th, which non-member.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

PAGE = 4096
"""Lines whose members are counted together."""

_BYTES = PAGE // 8


class LineSet:
    """Numbers from 0, each in the set or not."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self._before = array("Q", [0])
        self._counted = 0

    def __len__(self) -> int:
        self._count()
        return self._before[-1]

    def __contains__(self, line: int) -> bool:
        byte = line >> 3
        return 0 <= byte < len(self._bits) and bool(self._bits[byte] >> (line & 7) & 1)

    def add(self, first: int, bits: bytes) -> None:
        """Add the numbers that are set in ``bits``, the lowest bit standing for ``first``."""
        if not bits:
            return
        byte = first >> 3
        value = int.from_bytes(bits, "little") << (first & 7)
        length = (value.bit_length() + 7) >> 3
        self._reach(byte + length)
        value |= int.from_bytes(self._bits[byte : byte + length], "little")
        self._bits[byte : byte + length] = value.to_bytes(length, "little")
        self._counted = min(self._counted, byte // _BYTES)

    def discard(self, line: int) -> None:
        """Take a number out."""
        if line in self:
            self._bits[line >> 3] &= ~(1 << (line & 7))
            self._counted = min(self._counted, (line >> 3) // _BYTES)

    def discard_all(self, lines: range) -> None:
        """Take out numbers that follow each other."""
        stop = min(lines.stop, len(self._bits) << 3)
        self._write(lines.start, stop, 0)

    def add_all(self, lines: range) -> None:
        """Add numbers that follow each other."""
        self._reach((lines.stop + 7) >> 3)
        self._write(lines.start, lines.stop, 0xFF)

    def rank(self, line: int) -> int:
        """Return how many members are less than ``line``."""
        self._count()
        page = line // PAGE
        if line <= 0 or page >= len(self._before) - 1:
            return 0 if line <= 0 else self._before[-1]
        return self._before[page] + _ones(self._page(page), line % PAGE)

    def member(self, number: int) -> int:
        """Return the ``number``-th member, from 0.

        Raises:
            IndexError: When there are not as many.
        """
        self._count()
        if not 0 <= number < self._before[-1]:
            raise IndexError(number)
        page = bisect_right(self._before, number) - 1
        return page * PAGE + _place(self._page(page), number - self._before[page])

    def other(self, number: int) -> int:
        """Return the ``number``-th number that is no member, from 0."""
        self._count()
        pages = range(len(self._before))
        page = bisect_right(pages, number, key=lambda at: at * PAGE - self._before[at]) - 1
        rest = number - (page * PAGE - self._before[page])
        if page >= len(self._before) - 1:
            return page * PAGE + rest
        return page * PAGE + _place(self._page(page) ^ ((1 << PAGE) - 1), rest)

    def copy_of_bits(self) -> bytes:
        """Return the bits, the lowest first: for who reads them on another thread."""
        return bytes(self._bits)

    def _page(self, page: int) -> int:
        return int.from_bytes(self._bits[page * _BYTES : (page + 1) * _BYTES], "little")

    def _write(self, start: int, stop: int, bits: int) -> None:
        """Write the same bit for all numbers from ``start`` to ``stop``, that are reached."""
        if start >= stop:
            return
        first, last = start >> 3, (stop - 1) >> 3
        before, behind = (1 << (start & 7)) - 1, 0xFF00 >> (7 - (stop - 1 & 7)) & 0xFF
        kept = (self._bits[first] & before, self._bits[last] & behind)
        self._bits[first : last + 1] = bytes((bits,)) * (last - first + 1)
        self._bits[first] = self._bits[first] & ~before & 0xFF | kept[0]
        self._bits[last] = self._bits[last] & ~behind & 0xFF | kept[1]
        self._counted = min(self._counted, first // _BYTES)

    def _reach(self, length: int) -> None:
        if length > len(self._bits):
            pages = -(-length // _BYTES)
            self._bits.extend(bytes(pages * _BYTES - len(self._bits)))

    def _count(self) -> None:
        """Count the members of the pages that have changed, and of those behind them."""
        pages = len(self._bits) // _BYTES
        if self._counted == pages:
            return
        del self._before[self._counted + 1 :]
        for page in range(self._counted, pages):
            self._before.append(self._before[page] + self._page(page).bit_count())
        self._counted = pages


def _ones(value: int, width: int) -> int:
    return (value & ((1 << width) - 1)).bit_count()


def _place(value: int, number: int) -> int:
    """Return the place of the ``number``-th bit that is set, from 0."""
    low, high = 0, value.bit_length()
    while low < high:
        middle = (low + high) // 2
        if _ones(value, middle + 1) > number:
            high = middle
        else:
            low = middle + 1
    return low
