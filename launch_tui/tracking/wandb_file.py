"""Reads wandb's transaction log (``run-<id>.wandb``) while it is being written.

The log is LevelDB's log format: blocks of 32,768 bytes, records in fragments with a header of
``crc32, length, type`` (wandb's ``datastore.py`` and ``leveldb.go``). wandb's own reader is gone
since 0.30 and imports all of wandb, so this is one of our own, without a dependency. It never
needs write permission, does a bounded amount of work and holds a bounded amount of memory per
call, goes on at a saved offset, waits at a tail that is still being written, and steps over
damage to the next block.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

from launch_tui.tracking.decoding import Decoder
from launch_tui.tracking.protobuf import Malformed

if TYPE_CHECKING:
    from pathlib import Path

    from launch_tui.tracking.records import Record

BLOCK = 32 * 1024
HEADER = 7
MAGIC = b":W&B\xe1\xbe\x00"
MAX_RECORD = 16 * 1024 * 1024
"""Bytes of the longest record that is read; longer ones are skipped. W&B takes no longer rows."""
DEFAULT_BUDGET = 4 * 1024 * 1024
"""Bytes that one call reads unless told otherwise."""

_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_CRC_OF_KIND = (0, *(zlib.crc32(bytes([kind])) for kind in (_FULL, _FIRST, _MIDDLE, _LAST)))
_HEAD = struct.Struct("<IHB")


class WandbFile:
    """An incremental reader of one ``.wandb`` file.

    Attributes:
        path: The file; it may not exist yet.
        offset: Where the next record begins. A reader made with this offset goes on there:
            nothing is read twice and nothing is left out.
        skipped: Places where something could not be read (damage, a record over
            ``max_record``, bytes that are no record) and was stepped over.
        more: Whether the last call stopped at its budget with bytes waiting.
        torn: Whether the file ends in the middle of a record.
    """

    def __init__(
        self, path: Path, *, offset: int = 0, skipped: int = 0, max_record: int = MAX_RECORD
    ) -> None:
        self.path = path
        self.offset = offset
        self.skipped = skipped
        self.more = False
        self.torn = False
        self._position = offset
        self._max_record = max_record
        self._decoder = Decoder()
        self._parts: list[bytes] = []
        self._size_of_parts = 0
        self._lost = False

    def read(self, max_bytes: int = DEFAULT_BUDGET) -> list[Record]:
        """Return the records that came since the last call.

        Args:
            max_bytes: About how many bytes of the file to read at most; at least two blocks.

        Raises:
            OSError: When the file exists and cannot be read.
        """
        chunk, size = self._next_chunk(max(max_bytes, 2 * BLOCK))
        self.more = self._position + len(chunk) < size
        records: list[Record] = []
        if self._position == 0 and not self._enter(chunk):
            self.torn = bool(chunk)
            return records
        used = self._scan(chunk, size, records)
        self._position += used
        if not self._parts:
            self.offset = self._position
        self.torn = bool(self._parts) or used < len(chunk)
        return records

    def _next_chunk(self, budget: int) -> tuple[bytes, int]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b"", 0
        try:
            size = os.fstat(descriptor).st_size
            return os.pread(descriptor, budget, self._position), size
        finally:
            os.close(descriptor)

    def _enter(self, chunk: bytes) -> bool:
        """Whether the file's own header is there; a wrong one is counted and stepped over."""
        if len(chunk) < HEADER:
            return False
        if chunk[:HEADER] != MAGIC:
            self.skipped += 1
        return True

    def _scan(self, chunk: bytes, size: int, records: list[Record]) -> int:
        """Read the records in ``chunk`` and return how many of its bytes are done with."""
        base = self._position
        at = HEADER if base == 0 else 0
        end = len(chunk)
        crc_of, head, crc_of_kind = zlib.crc32, _HEAD.unpack_from, _CRC_OF_KIND
        while True:
            room = BLOCK - (base + at) % BLOCK
            if room < HEADER:
                if at + room > end:
                    break
                at += room
                continue
            if at + HEADER > end:
                break
            crc, length, kind = head(chunk, at)
            stop = at + HEADER + length
            sound = 0 < kind <= _LAST and length <= room - HEADER
            if sound and stop > end:
                break
            data = chunk[at + HEADER : stop]
            if sound and crc_of(data, crc_of_kind[kind]) == crc:
                self._take(kind, data, records)
                at = stop
            elif base + at + room <= size and at + room <= end:
                self._lose()
                at += room
            else:
                # The block is not whole yet: what looks like damage may be a write under way.
                break
            if not self._parts:
                self.offset = base + at
        return at

    def _take(self, kind: int, data: bytes, records: list[Record]) -> None:
        if kind in (_FULL, _FIRST):
            if self._parts:
                self._lose()
            self._lost = False
            if kind == _FULL:
                self._decode(data, records)
                return
        elif not self._parts:
            # The rest of a record whose beginning was lost; the loss has been counted, unless
            # this is the first sign of it.
            if not self._lost:
                self._lose()
            return
        self._parts.append(data)
        self._size_of_parts += len(data)
        if self._size_of_parts > self._max_record:
            self._lose()
        elif kind == _LAST:
            whole = b"".join(self._parts)
            self._forget()
            self._decode(whole, records)

    def _decode(self, data: bytes, records: list[Record]) -> None:
        try:
            record = self._decoder.decode(data)
        except Malformed:
            self.skipped += 1
            return
        if record is not None:
            records.append(record)

    def _lose(self) -> None:
        self.skipped += 1
        self._lost = True
        self._forget()

    def _forget(self) -> None:
        self._parts.clear()
        self._size_of_parts = 0
