"""The target resource ``local-container``: jobs in containers of this machine's Docker engine.

One container for each attempt, named after it. Whether the job ran is told by the token that the
container's launcher takes (``container_launcher.py``), what became of it by the engine. While the
engine does not answer nothing is known, and nothing is decided: whoever asked asks again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.domain.attempt import Ended, EndKind, Running, Said
from launch_tui.engine.events import ContainerEvents
from launch_tui.errors import (
    DiskFull,
    EngineDown,
    EngineError,
    LaunchError,
    StartFailed,
)
from launch_tui.targets import records
from launch_tui.targets.container_end import VOID, Seen, end_of, end_without, has_begun
from launch_tui.targets.container_launcher import TOKEN_FOLDER
from launch_tui.targets.container_making import Making
from launch_tui.targets.container_refusal import start_failure
from launch_tui.targets.containers import HOME_LABEL, Containers, container_name
from launch_tui.targets.processes import HANDLE_VARIABLE, Process, first_child, identify, tree

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from launch_tui.domain.attempt import Attempt, Status
    from launch_tui.engine.client import Engine
    from launch_tui.engine.events import News

LOOK_SECONDS = 15.0
"""How often a container is looked at that announces nothing."""
SOON_SECONDS = 0.02
"""The same while its launcher is about to take the token."""
RETRY_SECONDS = 1.0
"""How often an engine that does not answer is asked again."""
KILL_SECONDS = 20.0
"""How long a container may take to go after SIGKILL before ``stop`` says that it does not."""

DOWN = "the Docker engine does not answer"
UNFIT = "the Docker engine cannot be asked: "
BACK = "the Docker engine answers again"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerHandle:
    """An attempt whose container was started, or that can never start (``void``).

    ``id`` is the engine's name of the container, empty where there is none.
    """

    directory: Path
    name: str
    container: str
    id: str = ""
    void: bool = False

    @property
    def mark(self) -> str:
        """The environment variable that each of its processes carries."""
        return f"{HANDLE_VARIABLE}={self.name}"


class LocalContainer:
    """Runs attempts as containers.

    Args:
        engine: The engine.
        root: The data directory, by which its containers know that they are its.
    """

    resource = "local-container"

    def __init__(self, engine: Engine, root: Path) -> None:
        self._containers = Containers(engine, root)
        self._making = Making(self._containers)
        self._events = ContainerEvents(engine, f"{HOME_LABEL}={self._containers.home}")
        self._first: dict[str, Process] = {}

    async def prepare(self, attempt: Attempt) -> None:
        """Refuse what cannot run, and make the files that the container writes to.

        Raises:
            StartFailed: The command is empty, an option cannot be, GPUs cannot be handed out, or
                the attempt's directory cannot be written.
            DiskFull: There is no space for it.
            EngineDown: The engine does not answer; asking again is right.
        """
        with _writing(attempt.directory):
            await self._making.prepare(attempt)

    async def start(self, attempt: Attempt) -> ContainerHandle:
        """Create the container and start it.

        May be repeated, by anybody: the token lets one job start at most, and a container that was
        started is never started again. A command that could not be executed is no error here:
        ``watch`` ends with ``NOT_STARTED`` and the cause.

        Raises:
            StartFailed: No job was started and none will be.
            EngineDown: The engine does not answer; asking again is right.
        """
        handle = await self.adopt(attempt)
        if handle is None:
            handle = await self._start(attempt)
        if handle.void:
            raise StartFailed(VOID, next_step="Launch the run again")
        return handle

    async def watch(self, handle: ContainerHandle) -> AsyncIterator[Status]:
        """Yield ``Running`` if the job ever ran, and ``Ended`` when its container has ended.

        An engine that does not answer is said once, and waited for: no error of it ends a job.
        """
        if handle.void:
            yield Ended(kind=EndKind.VOID, cause=VOID, ended_at=time.time())
            return
        told = silent = False
        pause = SOON_SECONDS
        with self._events.following(handle.id) as news:
            while True:
                try:
                    seen = await self._look(handle)
                    ended = await self._ended(handle, seen)
                except EngineError as error:
                    if not silent:
                        yield Said(
                            text=DOWN if isinstance(error, EngineDown) else f"{UNFIT}{error}"
                        )
                    silent = True
                    await news.wait(RETRY_SECONDS)
                    continue
                if silent:
                    yield Said(text=BACK)
                silent = False
                if not told and seen is not None and has_begun(handle.directory):
                    told = True
                    yield Running(pid=self._know(handle, seen), started_at=seen.started_at)
                if ended is not None:
                    yield ended
                    return
                await news.wait(LOOK_SECONDS if told else pause)
                pause = min(2 * pause, RETRY_SECONDS)

    async def stop(self, handle: ContainerHandle, grace: float) -> None:
        """End the job: SIGINT, after ``grace`` seconds SIGTERM, after ``grace`` more the container.

        The first two go to the job's process group where the container has Docker's init. While the
        engine does not answer this waits, so that nobody is asked twice. Does nothing to a job that
        has ended. May be repeated and cancelled.

        Raises:
            LaunchError: The engine cannot end the container at present.
        """
        with self._events.following(handle.id) as news:
            if grace > 0:
                for number in (signal.SIGINT, signal.SIGTERM):
                    if not await self._signal(handle, number):
                        return
                    if await self._ends_within(handle, news, grace):
                        return
            if not await self._signal(handle, signal.SIGKILL):
                return
            if not await self._ends_within(handle, news, KILL_SECONDS):
                raise LaunchError(
                    f"the container {handle.container} does not end",
                    next_step="Its processes wait in the kernel, for a disk or a GPU driver; try "
                    "again later",
                    phase="run",
                )

    async def adopt(self, attempt: Attempt) -> ContainerHandle | None:
        """The handle of an attempt whose container was started, None when it can still be.

        An attempt that was made void has a handle too: it ends at once with ``VOID``.

        Raises:
            EngineDown: The engine does not answer; asking again is right.
        """
        token = records.read_token(attempt.directory / TOKEN_FOLDER)
        try:
            seen = await self._containers.find(container_name(attempt.handle))
        except EngineDown:
            raise
        except EngineError as error:
            # Whatever keeps it from telling: the job may be running.
            raise EngineDown(error.cause, next_step=error.next_step) from error
        if token is None and (seen is None or seen.never_started):
            return None
        void = token is not None and token.void
        return _handle(attempt, "" if seen is None else seen.id, void=void)

    async def void(self, attempt: Attempt) -> bool:
        """Make sure the attempt can never start. False when it already has.

        That needs no engine: a container that is there already finds the token taken.

        Raises:
            DiskFull: There is no space for it, so nothing is sure.
            StartFailed: Its directory cannot be written, so nothing is sure.
        """
        folder = attempt.directory / TOKEN_FOLDER
        with _writing(attempt.directory):
            taken = records.take_void_token(folder)
        faults.point("container.voided")
        token = records.read_token(folder)
        if not taken and (token is None or not token.void):
            return False
        # One that stays is removed by a later sweep.
        with contextlib.suppress(EngineError):
            seen = await self._containers.find(container_name(attempt.handle))
            if seen is not None and not seen.running:
                await self._containers.remove(seen.id)
        return True

    async def forget(self, handle: ContainerHandle) -> None:
        """Remove the container of an attempt whose outcome is stored.

        Raises:
            EngineError: It is still there; a later ``sweep`` removes it.
        """
        self._first.pop(handle.id, None)
        seen = await self._containers.find(handle.id or handle.container)
        if seen is not None:
            await self._containers.remove(seen.id, force=True)
        faults.point("container.removed")

    async def sweep(self, keep: Callable[[str, int], bool]) -> list[str]:
        """Remove the containers of this data directory that nobody needs; return their names.

        One that runs is left alone, whatever is said of it.

        Args:
            keep: Says of a run and an attempt whether its container is needed.

        Raises:
            EngineError: Some are still there.
        """
        removed = []
        for left in await self._containers.left():
            if left.running or keep(left.run_id, left.attempt):
                continue
            if await self._containers.remove(left.id):
                removed.append(left.name)
        return removed

    async def close(self) -> None:
        """Stop listening to the engine; jobs go on."""
        await self._events.close()

    def pids(self, handle: ContainerHandle) -> list[int]:
        """The living processes of the job: a scan of ``/proc``, so call it off the event loop."""
        first = self._first.get(handle.id)
        if first is None:
            return []
        return [process.pid for process in tree(None, first, handle.mark)]

    async def _start(self, attempt: Attempt) -> ContainerHandle:
        container = ""
        try:
            container = await self._making.create(attempt)
            faults.point("container.created")
            await self._containers.start(container)
        except EngineDown:
            raise
        except EngineError as error:
            # What was refused may have been begun: only the token tells.
            if await self.void(attempt):
                raise start_failure(error) from error
        faults.point("container.started")
        return await self.adopt(attempt) or _handle(attempt, container)

    async def _look(self, handle: ContainerHandle) -> Seen | None:
        return await self._containers.find(handle.id or handle.container)

    async def _ended(self, handle: ContainerHandle, seen: Seen | None) -> Ended | None:
        """Return how the attempt ended, None while its container runs."""
        if seen is not None and seen.running:
            return None
        words = ""
        taken = records.is_taken(handle.directory / TOKEN_FOLDER)
        if seen is not None and not taken:
            words = await self._containers.words(seen.id)
        ended = (
            end_without(handle.directory) if seen is None else end_of(seen, handle.directory, words)
        )
        if not taken:
            # Whoever starts the container by hand starts no job any more.
            with contextlib.suppress(OSError):
                records.take_void_token(handle.directory / TOKEN_FOLDER)
        return ended

    def _know(self, handle: ContainerHandle, seen: Seen) -> int | None:
        """Note the container's first process and return the job's, as this machine has them."""
        first = identify(seen.pid) if seen.running and seen.pid else None
        if first is None:
            return None
        self._first[handle.id] = first
        return (first_child(first.pid) if seen.init else None) or first.pid

    async def _signal(self, handle: ContainerHandle, number: int) -> bool:
        """Signal the container; False when nothing of it runs."""
        while handle.id and not handle.void:
            try:
                return await self._containers.kill(handle.id, number)
            except EngineDown:
                await asyncio.sleep(RETRY_SECONDS)
        return False

    async def _ends_within(self, handle: ContainerHandle, news: News, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(EngineError):
                        seen = await self._look(handle)
                        if seen is None or not seen.running:
                            return True
                    await news.wait(RETRY_SECONDS)
        except TimeoutError:
            return False


def _handle(attempt: Attempt, container: str, *, void: bool = False) -> ContainerHandle:
    return ContainerHandle(
        directory=attempt.directory,
        name=attempt.handle,
        container=container_name(attempt.handle),
        id=container,
        void=void,
    )


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Turn what the file system refuses into what to do about it."""
    try:
        yield
    except OSError as error:
        cause = f"cannot write {directory}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(cause, next_step="Free some space there") from error
        raise StartFailed(cause, next_step="Make the data directory writable") from error
