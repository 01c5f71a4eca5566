"""The agent's end of the fork server: hands over attempts, one connection each.

Forking a waiting process costs a few milliseconds where starting an interpreter per job costs
twenty, and the server's pages are shared by all supervisors. The server is a child of this process
that is started when first needed and again whenever it has died; supervisors do not depend on it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

STARTS_AT_ONCE = 32
"""Connections under way at one time: more only wait in the server's queue, which is short."""

CLOSE_SECONDS = 5.0

SUPERVISOR = Path(__file__).with_name("supervisor.py")

PASSED_VARIABLES = (faults.VARIABLE, "LD_LIBRARY_PATH")
"""All of the agent's environment that the server gets; the second, as some Pythons need it."""


@dataclass(frozen=True, slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    control: socket.socket


class ForkServer:
    """Starts supervisors. Not shared between event loops."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._places = asyncio.Semaphore(STARTS_AT_ONCE)

    @property
    def pid(self) -> int | None:
        """The server's process, None while there is none."""
        return self._server.process.pid if self._server else None

    def open(self) -> None:
        """Have a server running.

        Raises:
            StartFailed: This machine has no room for another process.
        """
        if self._server is not None:
            if self._server.process.poll() is None:
                return
            self._drop()
        try:
            self._server = _launch()
        except OSError as error:
            raise StartFailed(
                f"cannot start the fork server: {error.strerror}",
                next_step="Free memory, processes or file descriptors, then start the run again",
            ) from error

    async def request(self, fields: Sequence[bytes]) -> str | None:
        """Have a supervisor for these fields; return when it has started its job or failed to.

        Returns:
            An empty string when the attempt's records tell what happened, the reason when the
            supervisor could not even take the token, None when it died without an answer.
        """
        payload = b"\0".join(fields)
        async with self._places:
            mine, theirs = socket.socketpair()
            with mine:
                mine.setblocking(False)
                with theirs:
                    self._hand_over(theirs)
                answer = await _converse(mine, b"%d\n%s" % (len(payload), payload))
        faults.point("target.answered")
        return answer[1:] if answer else None

    async def close(self) -> None:
        """End the server; supervisors go on."""
        server, self._server = self._server, None
        if server is not None:
            server.control.close()
            await asyncio.to_thread(_reap, server.process)

    def _hand_over(self, connection: socket.socket) -> None:
        self.open()
        try:
            self._send(connection)
        except (BrokenPipeError, ConnectionResetError):
            # It died between the look and the word: the next one has not had the time to.
            self._drop()
            self.open()
            self._send(connection)

    def _send(self, connection: socket.socket) -> None:
        assert self._server is not None
        socket.send_fds(self._server.control, [b"+"], [connection.fileno()])

    def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.control.close()
            server.process.kill()
            server.process.wait()


def _launch() -> _Server:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        try:
            process = subprocess.Popen(
                # Isolated from the user's Python settings, and without site: twice as fast.
                [sys.executable, "-IS", "-Xutf8", str(SUPERVISOR), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ},
            )
        except OSError:
            mine.close()
            raise
    mine.setblocking(False)
    return _Server(process, mine)


async def _converse(connection: socket.socket, request: bytes) -> str:
    loop = asyncio.get_running_loop()
    answer = bytearray()
    try:
        await loop.sock_sendall(connection, request)
        faults.point("target.requested")
        while chunk := await loop.sock_recv(connection, 4096):
            answer += chunk
    except (BrokenPipeError, ConnectionResetError):
        pass  # Whoever held the other end has died.
    return answer.decode(errors="replace")


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(CLOSE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
