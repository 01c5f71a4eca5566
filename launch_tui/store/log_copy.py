"""Writes a log, or some of its lines, to a file of the person's own: raw, as the job wrote them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHUNK = 1 << 20


def copy_part(source: Path, target: Path, start: int, stop: int) -> int:
    """Write the bytes from ``start`` to ``stop`` of a log to a file and return how many they were.

    The file is there whole or not at all, and replaces one that has its name.

    Raises:
        OSError: When the log cannot be read or the file not be written.
    """

    def write(log: BinaryIO, out: BinaryIO) -> None:
        log.seek(start)
        left = stop - start
        while left > 0 and (data := log.read(min(left, _CHUNK))):
            out.write(data)
            left -= len(data)

    return _write(source, target, write)


def copy_lines(source: Path, target: Path, bits: bytes, *, others: bool) -> int:
    """Write lines of a log to a file and return how many bytes they were.

    Args:
        source: The log.
        target: The file, as for ``copy_part``.
        bits: The lines, the lowest bit standing for the first.
        others: Whether the lines are meant that are not in ``bits``.

    Raises:
        OSError: When the log cannot be read or the file not be written.
    """

    def write(log: BinaryIO, out: BinaryIO) -> None:
        number = 0
        while data := log.read(_CHUNK):
            pieces = data.split(b"\n")
            for last, piece in enumerate(pieces, 1 - len(pieces)):
                byte = number >> 3
                found = byte < len(bits) and bits[byte] >> (number & 7) & 1
                if bool(found) != others:
                    out.write(piece if not last else piece + b"\n")
                number += last != 0

    return _write(source, target, write)


def _write(source: Path, target: Path, write: Callable[[BinaryIO, BinaryIO], None]) -> int:
    part = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    try:
        with part.open("xb") as out, source.open("rb") as log:
            write(log, out)
            size = out.tell()
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return size
