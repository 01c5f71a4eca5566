"""A process that works on a log beside the UI, and dies with whoever started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import Any

from launch_tui.store import log_child
from launch_tui.store.log_child import RECORD

_READ = 1 << 18
_END_S = 0.2


class LogProcess:
    """A piece of work on an open file, see ``log_child``.

    Args:
        code: The path of the module that does it.
        fd: The file.
        asked: What it is asked for.

    Raises:
        OSError: When no process can be started.
    """

    def __init__(self, code: str, fd: int, asked: dict[str, Any]) -> None:
        self.finished = False
        """Whether it got to the end."""
        self.ended = False
        """Whether nothing more comes."""
        self._rest = b""
        self._process = subprocess.Popen(
            [sys.executable, "-IS", log_child.__file__, code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(fd,),
            start_new_session=True,
            bufsize=0,
        )
        with suppress(BrokenPipeError):
            self._in.write(json.dumps({"fd": fd, **asked}).encode() + b"\n")
        os.set_blocking(self._out.fileno(), False)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def read(self) -> list[tuple[int, int, bytes]]:
        """Return what was found since the last call: where a piece begins, ends, what is in it."""
        if self.ended:
            return []
        data = self._out.read(_READ)
        if data is None:
            return []
        self.ended = not data
        self._rest += data
        found = []
        at = 0
        while at + RECORD.size <= len(self._rest):
            start, end, size = RECORD.unpack_from(self._rest, at)
            if at + RECORD.size + size > len(self._rest):
                break
            at += RECORD.size
            found.append((start, end, self._rest[at : at + size]))
            at += size
            self.finished = self.finished or start == end
        self._rest = self._rest[at:]
        return found

    def close(self) -> None:
        """End it."""
        self.ended = True
        self._process.kill()
        self._in.close()
        self._out.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)

    @property
    def _in(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return self._process.stdin

    @property
    def _out(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return self._process.stdout
