"""Runs a child that ends when its agent does, and never outlives a cancelled build.

The child runs in a session of its own under a small watcher that holds one end of a pipe. When the
agent ends, by SIGKILL too, the pipe closes and the watcher kills the whole group: uv, a package's
build backend and its compilers, or Docker's command line. A build is not a job; the next agent
simply builds again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

POLL_SECONDS = 0.2
"""How often the progress of a running child is looked at."""

_WATCHER = """
import _thread, os, signal, sys
def watch():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
                       file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)])
_thread.start_new_thread(watch, ())
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os._exit(status if status >= 0 else 128 - status)
"""


async def run_child(
    command: Sequence[str],
    *,
    directory: Path,
    environ: Mapping[str, str],
    output: int,
    look: Callable[[], None],
) -> int:
    """Run one command to its end; cancelling kills it and all it started.

    Args:
        command: The binary and its arguments.
        directory: Where it runs.
        environ: All of its variables.
        output: The descriptor that gets stdout and stderr, directly.
        look: Called every ``POLL_SECONDS`` while it runs and once after.

    Returns:
        Its exit status; 128 + N when signal N ended it.
    """
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-S", "-c", _WATCHER),
            *command,
            cwd=directory,
            env=environ,
            stdin=reading,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        os.close(reading)
        reading = -1
        try:
            await _wait(process, look)
        finally:
            await _end(process)
    finally:
        for descriptor in (reading, writing):
            if descriptor >= 0:
                os.close(descriptor)
    status = process.returncode or 0
    return status if status >= 0 else 128 - status


async def _wait(process: asyncio.subprocess.Process, look: Callable[[], None]) -> None:
    waiting = asyncio.ensure_future(process.wait())
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=POLL_SECONDS)
            look()
    finally:
        waiting.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
