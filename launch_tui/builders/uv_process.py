"""Runs uv so that it ends when its agent does, and never outlives a cancelled build.

uv runs in a session of its own under a small watcher that holds one end of a pipe. When the agent
ends, by SIGKILL too, the pipe closes and the watcher kills the whole group: uv, a package's build
backend and its compilers. A build is not a job; the next agent simply builds again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from launch_tui.builders.package_index import index_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

POLL_SECONDS = 0.2
"""How often the progress of a running uv is looked at."""

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

# Where the agent runs must not decide what uv works on.
_REMOVED = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONHOME",
    "PYTHONPATH",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_WORKING_DIRECTORY",
    "UV_NO_SYNC",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
)


def find_uv() -> str:
    """Return the path of the uv binary that is installed with this package.

    Raises:
        FileNotFoundError: When the installation is broken.
    """
    import uv

    return os.fspath(uv.find_uv_bin())


def uv_environ(base: Mapping[str, str]) -> dict[str, str]:
    """Return the variables uv runs with: plain output, the user's index settings."""
    result = {name: value for name, value in base.items() if name not in _REMOVED}
    # A cached environment outlives the working copy that an editable install would point into.
    plain = {"NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_NO_EDITABLE": "1"}
    return result | index_variables(base) | plain


async def run_uv(
    command: Sequence[str],
    *,
    directory: Path,
    environ: Mapping[str, str],
    output: int,
    look: Callable[[], None],
) -> int:
    """Run one uv command to its end.

    Args:
        command: The binary and its arguments.
        directory: Where it runs; uv reads project settings from there.
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
