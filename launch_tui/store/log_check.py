"""Whether the store's write-ahead log is whole.

SQLite reads the log up to the first frame whose sum is wrong, in silence, because a crash leaves
such an end. A crash leaves no right frames behind it, though: where those are, commits are lost.
And the index beside the log, which no crash takes away, says how long the log was, until somebody
opens the store. The formats are https://www.sqlite.org/fileformat2.html#the_write_ahead_log and
https://www.sqlite.org/walformat.html#the_wal_index_file_format.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.store.paths import Home

_HEADER = 32
_FRAME = 24
_INDEX = 100
_BIG_ENDIAN_SUMS = 0x377F0683
_MAGICS = (0x377F0682, _BIG_ENDIAN_SUMS)


def lost_of_log(home: Home) -> str:
    """Say what is lost of the log; empty when it is whole, or was moved into the store.

    To be asked before the store is opened.
    """
    try:
        data = home.store.with_name(f"{home.store.name}-wal").read_bytes()
    except FileNotFoundError:
        data = b""
    expected, moved = _said_by_index(home)
    committed, behind = _read(data)
    if committed < expected and moved < expected:
        return (
            f"the last changes to the store ({expected - committed} of the {expected} pages in"
            " its log)"
        )
    if behind and not expected:
        return f"the last {behind} changes to the store"
    return ""


def _read(data: bytes) -> tuple[int, int]:
    """Return how many frames are committed, and how many commits lie behind a wrong frame."""
    if len(data) < _HEADER:
        return 0, 0
    magic, _, page_size = struct.unpack_from(">3I", data)
    order = ">" if magic == _BIG_ENDIAN_SUMS else "<"
    sums = _sums(order, data[:24], (0, 0))
    if magic not in _MAGICS or sums != struct.unpack_from(">2I", data, 24):
        return 0, 1
    step = _FRAME + page_size
    frames = range(_HEADER, len(data) - step + 1, step)
    good = committed = behind = 0
    broken = False
    for at in frames:
        if data[at + 8 : at + 16] != data[16:24]:
            # Of an earlier round of the log, or with its own salts damaged: then others follow.
            broken = True
            continue
        is_commit = struct.unpack_from(">I", data, at + 4)[0] > 0
        if not broken:
            sums = _sums(order, data[at : at + 8], sums)
            sums = _sums(order, data[at + _FRAME : at + step], sums)
            broken = sums != struct.unpack_from(">2I", data, at + 16)
        if broken:
            behind += is_commit
        else:
            good += 1
            committed = good if is_commit else committed
    return committed, behind


def _said_by_index(home: Home) -> tuple[int, int]:
    """Return how many frames the log had when it was last written, and how many were moved."""
    try:
        data = home.store.with_name(f"{home.store.name}-shm").read_bytes()[:_INDEX]
    except FileNotFoundError:
        return 0, 0
    # Two copies of its head, which are the same but while it is written.
    if len(data) < _INDEX or data[:48] != data[48:96] or not data[12]:
        return 0, 0
    (frames,) = struct.unpack_from("=I", data, 16)
    (moved,) = struct.unpack_from("=I", data, 96)
    return frames, moved


def _sums(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
