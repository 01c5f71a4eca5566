"""Reads a run's ``output.log`` and ``build.log`` while a job writes them.

A log is an append-only file of raw bytes that may have ten million lines, or a gigabyte without one
line end. ``BlockIndex`` finds any line of it in 8 bytes of memory for every 64 KiB of file,
``follow`` yields bytes as they come, ``tail_lines`` reads the end without reading the rest. What is
searched for is found by ``log_search``. Nothing here makes text safe to show: that is
``domain.text``.
"""

from __future__ import annotations

import os
import time
from array import array
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


BLOCK = 64 << 10
"""Bytes of file that share one entry of the index."""

LINE_LIMIT = 64 << 10
"""Bytes of one line that are returned unless the caller asks for more."""

_DENSE = BLOCK // 32
_SPAN = 1 << 20
_TAIL_LIMIT = 4 << 20
_SHORTEST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


class BlockIndex:
    """A line index of an append-only file: the newlines before every 64 KiB block.

    The file may not exist yet, and may be truncated or replaced: then ``generation`` goes up and
    the index starts over. A last line without its newline counts as a line.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        """How often the file was found truncated or replaced."""
        self.size = 0
        """Bytes of the file when it was last looked at."""
        self._fd = -1
        self._identity = (0, 0)
        self._start_over()

    @property
    def line_count(self) -> int:
        """Lines found so far, the unfinished last one included."""
        return self._newlines + self._partial

    @property
    def partial(self) -> bool:
        """Whether the last line found so far has no newline yet."""
        return self._partial

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the file that is open, zeros before there was one."""
        return self._identity

    @property
    def scanned(self) -> int:
        """Bytes indexed so far."""
        return self._scanned

    @property
    def complete(self) -> bool:
        """Whether all that was in the file when it was last looked at is indexed."""
        return self._scanned >= self.size

    @property
    def progress(self) -> float:
        """The indexed part of the file, 0 to 1."""
        return self._scanned / self.size if self.size else 1.0

    def advance(self, budget: int = 16 << 20) -> bool:
        """Look at the file and index at most ``budget`` more bytes.

        Returns:
            Whether anything changed: more bytes, or another file.
        """
        before = (self.generation, self.size, self._scanned)
        if not self._look():
            return before != (self.generation, self.size, self._scanned)
        self._scan(min(self.size, self._scanned + budget))
        return before != (self.generation, self.size, self._scanned)

    def read(self, first: int, count: int, *, limit: int = LINE_LIMIT) -> list[bytes]:
        """Return lines without their newlines; fewer where the file ends.

        Args:
            first: The number of the first line, from 0.
            count: How many lines.
            limit: Bytes of one line to return. Of a longer one that was drawn over itself with
                carriage returns the end is returned, of any other the beginning and a mark.
        """
        last = min(first + count, self.line_count)
        if first < 0 or first >= last:
            return []
        ends = self._newlines_from(max(first - 1, 0), last - max(first - 1, 0))
        starts = [0] if first == 0 else []
        starts += [end + 1 for end in ends]
        if len(starts) == last - first:
            starts.append(self._scanned + 1)
        return self._lines_between(starts[: last - first + 1], limit)

    def tail(self, count: int, *, limit: int = LINE_LIMIT) -> list[bytes]:
        """Return the last lines of the file, read backwards: no index is needed."""
        if not self._look():
            return []
        return _last_lines(self._fd, self.size, count, limit)

    @property
    def fd(self) -> int:
        """The open file, -1 for none."""
        return self._fd

    def offset_of(self, line: int) -> int:
        """Return where a line begins; where the indexed part ends for one that is not there."""
        if line <= 0:
            return 0
        ends = self._newlines_from(line - 1, 1)
        return ends[0] + 1 if ends else self._scanned

    def line_at(self, offset: int) -> int:
        """Return the number of the line that the byte at ``offset``, which is indexed, is in."""
        block = min(offset, self._scanned) // BLOCK
        base = block * BLOCK
        return self._before[block] + self.pread(offset - base, base).count(b"\n")

    def pread(self, count: int, offset: int) -> bytes:
        """Return bytes of the file; fewer, or none, where it ends."""
        return os.pread(self._fd, count, offset) if self._fd >= 0 and count > 0 else b""

    def close(self) -> None:
        """Let go of the file. The index can be used again: it opens the file anew."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()

    def _start_over(self) -> None:
        self._before = array("Q", [0])
        self._newlines = 0
        self._scanned = 0
        self._partial = False

    def _look(self) -> bool:
        """Open the file if need be and note its size; False when there is none."""
        try:
            found = self.path.stat()
        except OSError:
            # A deleted file that is still open can be read to its end.
            if self._fd < 0:
                return False
            found = os.fstat(self._fd)
        identity = (found.st_dev, found.st_ino)
        if self._fd < 0 or identity != self._identity:
            if not self._open(identity):
                return False
            found = os.fstat(self._fd)
        self.size = found.st_size
        if self.size < self._scanned:
            self.generation += 1
            self._start_over()
        return True

    def _open(self, identity: tuple[int, int]) -> bool:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        self.close()
        if self._identity not in ((0, 0), identity):
            self.generation += 1
            self._start_over()
        self._fd = fd
        self._identity = identity
        return True

    def _scan(self, end: int) -> None:
        found = 0
        while self._scanned < end:
            step = min(BLOCK - self._scanned % BLOCK, end - self._scanned)
            data = os.pread(self._fd, step, self._scanned)
            if not data:
                return
            found = _newlines_in(data, dense=found > _DENSE)
            self._newlines += found
            self._scanned += len(data)
            if self._scanned % BLOCK == 0:
                self._before.append(self._newlines)
            self._partial = not data.endswith(b"\n")

    def _newlines_from(self, number: int, count: int) -> list[int]:
        """Return the offsets of ``count`` newlines, beginning with newline ``number``."""
        found: list[int] = []
        while len(found) < count and number < self._newlines:
            block = bisect_right(self._before, number) - 1
            base = block * BLOCK
            data = self.pread(min(BLOCK, self._scanned - base), base)
            skipped = data.split(b"\n", number - self._before[block])
            at = data.find(b"\n", len(data) - len(skipped[-1]))
            if at < 0:
                break
            while at >= 0 and len(found) < count:
                found.append(base + at)
                number += 1
                at = data.find(b"\n", at + 1)
        return found

    def _lines_between(self, starts: list[int], limit: int) -> list[bytes]:
        spans = [(a, b - 1) for a, b in pairwise(starts)]
        if not spans:
            return []
        first, last = spans[0][0], spans[-1][1]
        if last - first <= _SPAN:
            data = self.pread(last - first, first)
            return [_shortened(data[a - first : b - first], limit) for a, b in spans]
        return [self._line(a, b, limit) for a, b in spans]

    def _line(self, start: int, end: int, limit: int) -> bytes:
        if end - start <= limit:
            return self.pread(end - start, start)
        redrawn = _redrawn(self.pread(limit, end - limit))
        if redrawn is not None:
            return redrawn
        return self.pread(limit, start) + _cut_mark(end - start - limit)


def tail_lines(path: Path, count: int, *, limit: int = LINE_LIMIT) -> list[bytes]:
    """Return the last lines of a file without their newlines; none when there is no file."""
    index = BlockIndex(path)
    try:
        return index.tail(count, limit=limit)
    finally:
        index.close()


def tail_offset(path: Path, count: int) -> int:
    """Return where the last ``count`` lines of a file begin: where ``follow`` would start.

    At most 64 MiB are read back; a longer tail begins there, at a line.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        size = os.fstat(fd).st_size
        return size - len(_tail_bytes(fd, size, count, 64 << 20))
    finally:
        os.close(fd)


def follow(
    path: Path,
    *,
    ended: Callable[[], bool],
    offset: int = 0,
    wait: Callable[[float], None] | None = time.sleep,
) -> Iterator[bytes]:
    """Yield the bytes of a growing file as they come.

    A file that does not exist yet is waited for; one that was truncated is read from its start;
    one that was replaced is read to its end, then the new one from its start.

    Args:
        path: The file.
        ended: Says that nobody writes any more. Everything written before is still yielded.
        offset: Where to begin.
        wait: Sleeps the given seconds; 5 ms after news, up to 100 ms when there are none. Where
            it is None an empty chunk is yielded instead, and the caller waits.
    """
    reader = _Reader(path, offset)
    pause = _SHORTEST_PAUSE
    try:
        while True:
            # Asked before reading: what is written before the end is read after the question.
            over = ended()
            news = False
            for chunk in reader.chunks():
                news = True
                yield chunk
            if over and not news:
                return
            pause = _SHORTEST_PAUSE if news else min(pause * 2, _LONGEST_PAUSE)
            if over:
                continue
            if wait is None:
                yield b""
            else:
                wait(pause)
    finally:
        reader.close()


class _Reader:
    """Reads one growing file from an offset on, across truncation and replacement."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = offset
        self._fd = -1

    def chunks(self) -> Iterator[bytes]:
        if self._fd < 0 and not self._open():
            return
        if os.fstat(self._fd).st_size < self._offset:
            self._offset = 0
        while chunk := os.pread(self._fd, 4 * BLOCK, self._offset):
            self._offset += len(chunk)
            yield chunk
        if self._replaced():
            self.close()
            self._offset = 0
            yield from self.chunks()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> bool:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        return True

    def _replaced(self) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._fd))
        except OSError:
            return False


def _newlines_in(data: bytes, *, dense: bool) -> int:
    # Before Python 3.13 `count` goes byte by byte, while `replace` goes from newline to newline
    # with memchr: twice as fast on lines of usual length, slower on very short ones.
    return data.count(b"\n") if dense else len(data) - len(data.replace(b"\n", b""))


def _last_lines(fd: int, size: int, count: int, limit: int) -> list[bytes]:
    data = _tail_bytes(fd, size, count, max(_TAIL_LIMIT, limit))
    if not data:
        return []
    data = data.removesuffix(b"\n")
    return [_shortened(line, limit) for line in data.split(b"\n")[-count:]]


def _tail_bytes(fd: int, size: int, count: int, limit: int) -> bytes:
    """Return the end of the file from the start of its ``count``-th last line on.

    Where that is more than ``limit`` bytes back, from a later line, or from within a line.
    """
    if count <= 0:
        return b""
    blocks: list[bytes] = []
    start = size
    newlines = 0
    # The newline before the first wanted line makes count + 1 with the one that ends the file.
    while start > 0 and newlines <= count and size - start < limit:
        step = min(BLOCK, start)
        start -= step
        blocks.append(os.pread(fd, step, start))
        newlines += blocks[-1].count(b"\n")
    data = b"".join(reversed(blocks))
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    unwanted = max(lines - count, 1 if start > 0 and lines > 1 else 0)
    if unwanted <= 0:
        return data
    return data.split(b"\n", unwanted)[-1]


def _shortened(line: bytes, limit: int) -> bytes:
    if len(line) <= limit:
        return line
    redrawn = _redrawn(line[-limit:])
    if redrawn is not None:
        return redrawn
    return line[:limit] + _cut_mark(len(line) - limit)


def _redrawn(end: bytes) -> bytes | None:
    """Return the end of a line from a carriage return on, None when it holds none."""
    at = end.find(b"\r", 0, len(end) - 1)
    return end[at:] if at >= 0 else None


def _cut_mark(missing: int) -> bytes:
    return f" … [{missing:,} more bytes]".encode()
