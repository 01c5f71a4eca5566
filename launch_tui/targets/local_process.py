"""The target resource ``local-process``: jobs as processes of this machine.

Each job runs under a supervisor of its own (``supervisor.py``) that outlives the agent. What this
target knows of an attempt it reads from the attempt's records, whether it started it or found it:
starting ends in the same look as adopting. A start that failed never leaves a job behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.attempt import Ended, EndKind, Running
from launch_tui.errors import DiskFull, LaunchError, StartFailed
from launch_tui.targets import records
from launch_tui.targets.fork_server import ForkServer
from launch_tui.targets.processes import HANDLE_VARIABLE as HANDLE_VARIABLE
from launch_tui.targets.processes import Process, alive, boot_id, gone, group_of, send, tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from launch_tui.domain.attempt import Attempt, Status

START_SECONDS = 30.0
"""A start without an answer after this long is given up, unless its token is taken."""
START_TRIES = 3
ADOPT_SECONDS = 5.0
"""How long a living supervisor is waited for that has not started its job yet."""
LEFTOVER_GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL for what a killed supervisor could not end itself."""
KILL_SECONDS = 10.0
"""How long processes may take to go after SIGKILL before ``stop`` says which ones do not."""
LOOK_SECONDS = 0.02
"""Between two looks at records or processes that announce themselves by no event."""

VOID = "given up before it was started"
SUPERVISOR_KILLED = "supervisor killed"
KILLED_BEFORE_JOB = "supervisor killed before it started the job"
REBOOTED = "rebooted"
UNKNOWN = "no trace of its supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHandle:
    """A started attempt. Its processes are None where the records do not name them (yet)."""

    directory: Path
    name: str
    supervisor: Process | None
    job: Process | None
    started_at: float | None = None
    void: bool = False

    @property
    def rebooted(self) -> bool:
        """Whether the machine has been booted since, so that nothing of it can be alive."""
        known = self.supervisor or self.job
        return known is not None and known.boot_id != boot_id()

    @property
    def mark(self) -> str:
        """The environment variable that each of its processes carries."""
        return f"{HANDLE_VARIABLE}={self.name}"


class LocalProcess:
    """Runs attempts as processes of this user on this machine."""

    resource = "local-process"

    def __init__(self) -> None:
        self._server = ForkServer()

    async def open(self) -> None:
        """Start the fork server now, so that the first job does not wait for it.

        Raises:
            StartFailed: This machine has no room for another process.
        """
        self._server.open()

    async def prepare(self, attempt: Attempt) -> None:
        """Refuse what cannot run, and have everything ready for the start.

        Raises:
            StartFailed: The command is empty or the working directory is not there.
        """
        if not attempt.command:
            raise StartFailed("the job has no command", next_step="Give it an entry point")
        if not attempt.working_directory.is_dir():
            raise StartFailed(
                f"working directory missing: {attempt.working_directory}",
                next_step="Create it, or launch the run again from a folder that exists",
            )
        await self.open()

    async def start(self, attempt: Attempt) -> LocalHandle:
        """Start the job; returns when its command has been executed, or could not be.

        May be repeated, by anybody: the token lets one job start at most. A command that could not
        be executed is no error here: ``watch`` ends with ``NOT_STARTED`` and the cause.

        Raises:
            StartFailed: No job was started and none will be by this call.
        """
        fields = _request_fields(attempt)
        try:
            async with asyncio.timeout(START_SECONDS):
                refusal = await self._request(attempt, fields)
        except TimeoutError:
            refusal = f"no answer from the supervisor within {START_SECONDS:.0f} s"
            await self.void(attempt)
        except OSError as error:
            refusal = f"cannot reach the fork server: {error.strerror}"
        handle = await self.adopt(attempt)
        if handle is None or handle.void:
            raise StartFailed(
                refusal or VOID, next_step="Run `launch-tui doctor`, then launch the run again"
            )
        return handle

    async def watch(self, handle: LocalHandle) -> AsyncIterator[Status]:
        """Yield ``Running`` if the job ever ran, and ``Ended`` when nothing of it is left."""
        handle = _completed(handle)
        known = records.read_exit(handle.directory)
        never_ran = known is not None and known.ended.kind is EndKind.NOT_STARTED
        if handle.job is not None and not never_ran:
            yield Running(pid=handle.job.pid, started_at=handle.started_at)
        yield await self._wait(handle)

    async def stop(self, handle: LocalHandle, grace: float) -> None:
        """End the job and everything it started, also what detached itself.

        SIGINT to its process group, so that Python and wandb end in order; after ``grace`` seconds
        SIGTERM to all of the tree; after ``grace`` more SIGKILL. The supervisor stays, to record
        the outcome. Does nothing to a job that has ended. May be repeated and cancelled.

        Raises:
            LaunchError: Processes remain that the kernel cannot end at present.
        """
        if grace > 0:
            for number, only_group in ((signal.SIGINT, True), (signal.SIGTERM, False)):
                await asyncio.to_thread(_signal_tree, handle, number, only_group=only_group)
                if await _ends_within(handle, grace):
                    return
        await _kill(handle)

    async def adopt(self, attempt: Attempt) -> LocalHandle | None:
        """The handle of an attempt whose token is taken, None when it can still be started.

        An attempt that was made void has a handle too: it ends at once with ``VOID``.
        """
        handle = _read_handle(attempt)
        deadline = time.monotonic() + ADOPT_SECONDS
        while handle is not None and _is_starting(handle) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            handle = _read_handle(attempt)
        return handle

    async def void(self, attempt: Attempt) -> bool:
        """Make sure the attempt can never start. False when it already has.

        Raises:
            DiskFull: There is no space for it, so nothing is sure.
            StartFailed: Its directory cannot be written, so nothing is sure.
        """
        try:
            taken = records.take_void_token(attempt.directory)
        except OSError as error:
            cause = f"cannot write {attempt.directory}: {error.strerror}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(cause, next_step="Free some space there") from error
            raise StartFailed(cause, next_step="Make the data directory writable") from error
        faults.point("target.voided")
        if taken:
            return True
        token = records.read_token(attempt.directory)
        return token is not None and token.void

    async def close(self) -> None:
        """End the fork server; jobs and their supervisors go on."""
        await self._server.close()

    def pids(self, handle: LocalHandle) -> list[int]:
        """The living processes of the job: a scan of ``/proc``, so call it off the event loop."""
        return [process.pid for process in _tree(handle)]

    async def _request(self, attempt: Attempt, fields: list[bytes]) -> str:
        """Why the attempt was refused, empty when its records tell."""
        for _ in range(START_TRIES):
            answer = await self._server.request(fields)
            if answer is not None:
                return answer
            # A lost answer: the supervisor may have been killed at any point. If it never took the
            # token, asking again is right; if it did, a second supervisor would leave at once.
            if records.is_taken(attempt.directory):
                return ""
        return f"{START_TRIES} supervisors in a row died before they could start the job"

    async def _wait(self, handle: LocalHandle) -> Ended:
        if handle.void:
            return Ended(kind=EndKind.VOID, cause=VOID, ended_at=time.time())
        if handle.supervisor is not None:
            # Not only until ``exit`` is there: while the supervisor ends leftovers, they may still
            # hold the GPU that the next run is to get.
            await gone(handle.supervisor)
        handle = _completed(handle)
        outcome = records.read_exit(handle.directory)
        if outcome is None and handle.job is not None:
            await gone(handle.job)
            outcome = records.read_exit(handle.directory)
        if outcome is None or outcome.left_processes:
            # A process that the kernel cannot end must not keep the outcome from being told.
            with contextlib.suppress(LaunchError):
                await _end_leftovers(handle)
        return outcome.ended if outcome else _lost(handle)


def _request_fields(attempt: Attempt) -> list[bytes]:
    """The supervisor's request; see ``supervisor.Supervisor``."""
    environment = {**attempt.environment, HANDLE_VARIABLE: attempt.handle}
    wrong = [name for name in environment if not name or "=" in name]
    if wrong:
        raise StartFailed(f"not a name for an environment variable: {wrong[0]!r}")
    fields = [
        os.fsencode(attempt.directory.absolute()),
        os.fsencode(attempt.handle),
        os.fsencode(attempt.working_directory.absolute()),
        str(len(attempt.command)).encode(),
        *(os.fsencode(word) for word in attempt.command),
        *(os.fsencode(f"{name}={value}") for name, value in environment.items()),
    ]
    if any(b"\0" in field for field in fields):
        raise StartFailed("the command or its environment contains a NUL character")
    return fields


def _read_handle(attempt: Attempt) -> LocalHandle | None:
    token = records.read_token(attempt.directory)
    if token is None:
        return None
    return _completed(
        LocalHandle(
            directory=attempt.directory,
            name=attempt.handle,
            supervisor=token.supervisor,
            job=None,
            void=token.void,
        )
    )


def _completed(handle: LocalHandle) -> LocalHandle:
    """The handle with what ``pid`` tells, where it did not have that yet."""
    started = records.read_started(handle.directory) if handle.job is None else None
    if started is None or handle.void:
        return handle
    return LocalHandle(
        directory=handle.directory,
        name=handle.name,
        supervisor=started.supervisor,
        job=started.job,
        started_at=started.started_at,
    )


def _is_starting(handle: LocalHandle) -> bool:
    return (
        handle.job is None
        and handle.supervisor is not None
        and alive(handle.supervisor)
        and records.read_exit(handle.directory) is None
    )


def _lost(handle: LocalHandle) -> Ended:
    """The end of an attempt without an exit record."""
    kind, cause = EndKind.LOST, SUPERVISOR_KILLED
    if handle.rebooted:
        kind, cause = EndKind.REBOOTED, REBOOTED
    elif handle.supervisor is None:
        cause = UNKNOWN
    elif handle.job is None:
        # The supervisor writes ``pid`` before it lets the job go: there was no first instruction.
        kind, cause = EndKind.VOID, KILLED_BEFORE_JOB
    return Ended(kind=kind, cause=cause, ended_at=time.time())


def _tree(handle: LocalHandle) -> list[Process]:
    if handle.void or handle.rebooted:
        return []
    handle = _completed(handle)
    return tree(handle.supervisor, handle.job, handle.mark)


def _signal_tree(handle: LocalHandle, number: int, *, only_group: bool = False) -> list[Process]:
    """Signal the job's processes, or those in its process group; returns whom."""
    handle = _completed(handle)
    processes = _tree(handle)
    if only_group:
        processes = group_of(handle.job, processes) if handle.job else []
    for process in processes:
        send(process, number)
    return processes


async def _all_gone(handle: LocalHandle) -> None:
    """Return when neither the supervisor nor anything of the job is left."""
    if handle.void or handle.rebooted:
        return
    if handle.supervisor is not None:
        await gone(handle.supervisor)
    handle = _completed(handle)
    if handle.job is not None:
        await gone(handle.job)
    outcome = records.read_exit(handle.directory)
    if outcome is None or outcome.left_processes:
        while await asyncio.to_thread(_tree, handle):  # noqa: ASYNC110, they send no event
            await asyncio.sleep(LOOK_SECONDS)


async def _ends_within(handle: LocalHandle, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await _all_gone(handle)
    except TimeoutError:
        return False
    return True


async def _kill(handle: LocalHandle) -> None:
    """SIGKILL what is left, again and again, because processes may be forking meanwhile."""
    deadline = time.monotonic() + KILL_SECONDS
    while time.monotonic() < deadline:
        left = await asyncio.to_thread(_signal_tree, handle, signal.SIGKILL)
        if await _ends_within(handle, LOOK_SECONDS * 5):
            return
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise LaunchError(
            f"processes of {handle.name} do not end: {pids}",
            next_step="They wait in the kernel, for a disk or a GPU driver; try again later",
            phase="run",
        )
    if handle.supervisor is not None:
        # It has no job, and hangs before or after it: nothing is left that it could record.
        send(handle.supervisor, signal.SIGKILL)


async def _end_leftovers(handle: LocalHandle) -> None:
    """End what a killed supervisor had no time to end."""
    if await asyncio.to_thread(_signal_tree, handle, signal.SIGTERM) and not await _ends_within(
        handle, LEFTOVER_GRACE_SECONDS
    ):
        await _kill(handle)
