"""Works on an open log in a process of its own, beside the UI and not within it.

Run by its path with ``python -IS`` and the path of the module that does the work; the standard
library is all that may be imported here and there. Standard input says in one line of JSON what is
asked for, and is then held open: when it closes, because nobody wants the answer any more or
whoever asked is dead, the kernel ends this process, also in the middle of a regular expression that
would go on for ever. Standard output gets records, see ``RECORD``.
"""

from __future__ import annotations

import fcntl
import json
import os
import runpy
import select
import signal
import struct
import sys

RECORD = struct.Struct("<QQI")
"""Where a piece of the file begins and ends, and the bytes that follow: what is in the piece.

The last record is of an empty piece, where the work has ended."""


def main() -> None:
    """Have a module do what standard input asks for."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    asked = json.loads(_first_line(0))
    _end_with(0)
    runpy.run_path(sys.argv[1])["serve"](asked, _give)


def _give(start: int, end: int, found: bytes) -> None:
    """Write a record, unless nobody wants it any more."""
    if select.select([0], [], [], 0)[0]:
        sys.exit(1)
    data = RECORD.pack(start, end, len(found)) + found
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


def _first_line(fd: int) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (data := os.read(fd, 1 << 16)):
        line += data
    return line


def _end_with(fd: int) -> None:
    """Have the kernel end this process when the other end of a pipe closes (Linux)."""
    if hasattr(fcntl, "F_SETOWN"):
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)


if __name__ == "__main__":
    main()
