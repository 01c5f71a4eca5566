"""A command in a container at this terminal, by the SDK: for machines without a ``docker`` command.

What is typed goes to the command key by key, its output comes back as it is, and the size of the
terminal follows. Without a terminal it is a pipe: stdout and stderr stay apart.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from launch_tui.engine.client import Engine

CHUNK = 64 * 1024
_HEADER = struct.Struct(">BxxxI")
_STDERR = 2


def run_in_container(
    engine: Engine,
    container: str,
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    stdin: int = 0,
    stdout: int = 1,
    stderr: int = 2,
) -> int:
    """Execute a command in a running container and return its exit status.

    Args:
        engine: The engine.
        container: The container's id or name.
        command: What to execute.
        variables: What it gets beside the container's own environment.
        stdin: Where its input comes from.
        stdout: Where its output goes; a terminal if both this and ``stdin`` are one.
        stderr: Where its error output goes where there is no terminal.

    Raises:
        EngineError: The engine refuses, or does not answer.
    """
    is_terminal = os.isatty(stdin) and os.isatty(stdout)
    made = engine.ask_blocking(
        lambda api: api.exec_create(
            container, list(command), stdin=True, tty=is_terminal, environment=dict(variables)
        )
    )
    started = engine.ask_blocking(
        lambda api: api.exec_start(made["Id"], tty=is_terminal, socket=True)
    )
    connection = getattr(started, "_sock", started)
    connection.settimeout(None)
    with contextlib.closing(started):
        if is_terminal:
            with _raw(stdin), _following_size(engine, made["Id"], stdout):
                _pass_on(connection, stdin, lambda data: _write(stdout, data))
        else:
            _pass_on(connection, stdin, _Demultiplexed(stdout, stderr))
    found = engine.ask_blocking(lambda api: api.exec_inspect(made["Id"]))
    return int(found.get("ExitCode") or 0)


class _Demultiplexed:
    """Takes what the engine sends for both streams, each piece with a header, and parts it."""

    def __init__(self, stdout: int, stderr: int) -> None:
        self._stdout, self._stderr = stdout, stderr
        self._waiting = b""

    def __call__(self, data: bytes) -> None:
        self._waiting += data
        while len(self._waiting) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._waiting)
            end = _HEADER.size + length
            if len(self._waiting) < end:
                return
            to = self._stderr if stream == _STDERR else self._stdout
            _write(to, self._waiting[_HEADER.size : end])
            self._waiting = self._waiting[end:]


def _pass_on(connection: Any, stdin: int, output: Any) -> None:  # noqa: ANN401
    """Carry bytes both ways until the command's side is closed."""
    sources = [connection, stdin]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if connection in ready:
            data = connection.recv(CHUNK)
            if not data:
                return
            output(data)
        if stdin in ready:
            typed = os.read(stdin, CHUNK)
            if typed:
                connection.sendall(typed)
            else:
                sources.remove(stdin)
                connection.shutdown(1)


def _write(to: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(to, view) :]


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Hand on every key as it is, Ctrl-C too."""
    import termios
    import tty

    before = termios.tcgetattr(terminal)
    # What was typed ahead stays: the default would throw it away.
    tty.setraw(terminal, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _following_size(engine: Engine, command: str, terminal: int) -> Iterator[None]:
    def resize(_number: int, _frame: FrameType | None) -> None:
        columns, lines = os.get_terminal_size(terminal)
        engine.ask_blocking(lambda api: api.exec_resize(command, height=lines, width=columns))

    before = signal.signal(signal.SIGWINCH, resize)
    try:
        resize(0, None)
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
