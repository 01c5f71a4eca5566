"""Real terminals: the program in a pty of its own, read by a thread, hung or closed at will."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import threading
import time

_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")
POLL_S = 0.01


class Terminal:
    """``launch-tui`` (or another Python command) in a terminal of ``columns`` by ``lines``."""

    def __init__(self, *arguments, home=None, columns=120, lines=34, code=None, environment=None):
        words = ["-c", code] if code else ["-m", "launch_tui"]
        command = [sys.executable, *words, *map(str, arguments)]
        environ = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})}
        # The terminal's own size decides, not one that whoever runs the tests has exported.
        for name in ("SSH_CONNECTION", "COLUMNS", "LINES"):
            environ.pop(name, None)
        if home is not None:
            environ["LAUNCH_TUI_HOME"] = str(home)
        self.began = time.monotonic()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            # Before the program looks: a terminal has its size from the start.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(sys.executable, command, environ)
        self.raw = bytearray()
        self.status = None
        self._reading = threading.Event()
        self._reading.set()
        self._closed = False
        self._bytes_per_second = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self):
        """Everything written so far, without control sequences."""
        return _SEQUENCE.sub(b"", bytes(self.raw)).decode("utf-8", "replace")

    def press(self, keys):
        os.write(self._master, keys.encode())

    def hang(self):
        """Read nothing more until ``go_on``: the terminal is stuck."""
        self._reading.clear()

    def slow(self, bytes_per_second):
        """Take this many bytes a second; 0 takes them as they come."""
        self._bytes_per_second = bytes_per_second

    def go_on(self):
        self._reading.set()

    def close(self):
        """Close the terminal, as its window's close button does."""
        if not self._closed:
            self._closed = True
            self._reading.set()
            os.close(self._master)

    def wait_for(self, words, timeout=20.0, since=0):
        """Return the seconds since the start at which words had been written."""
        self.wait_until(lambda: words in _SEQUENCE.sub(b"", bytes(self.raw[since:])).decode(
            "utf-8", "replace"), timeout, words)  # fmt: skip
        return time.monotonic() - self.began

    def wait_until(self, condition, timeout=20.0, what="the condition"):
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what!r} did not come:\n{self.text[-3000:]}")
            time.sleep(POLL_S)
        return value

    def exit_status(self, timeout=20.0):
        """Return the exit status, negative for a signal, once the program has ended."""
        self.wait_until(self._has_ended, timeout, "the end of the program")
        return self.status

    def kill(self):
        """SIGKILL the program, if it lives."""
        if not self._has_ended():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    @property
    def drained(self):
        """Whether everything that the program wrote has been read: it has ended, and so its pty."""
        return not self._thread.is_alive()

    def end(self):
        self.kill()
        self.wait_until(self._has_ended)
        self.close()

    def _has_ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def _read(self):
        while not self._closed:
            self._reading.wait()
            try:
                rate = self._bytes_per_second
                data = os.read(self._master, rate // 20 if rate else 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            if rate:
                time.sleep(len(data) / rate)
