"""``AsyncLaunch``: what ``Launch`` does, awaitable.

    async with launch_tui.AsyncLaunch() as launch:
        run = await launch.launch("train", queue="gpu")
        await run.wait_until_finished()

The store is asked by a few threads, so the event loop is never held up. However many runs are
waited for, one thread looks for news of them (``api.watching``).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from launch_tui.api.client import Launch
from launch_tui.api.collections import Jobs, Queues
from launch_tui.api.queued_run import STARTED, Lines, QueuedRun, raise_for
from launch_tui.api.watching import Watch
from launch_tui.domain.run import ENDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from launch_tui.domain.run import Run, RunState
    from launch_tui.sdk.points import Points

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 4
"""How many calls may be under way at once; the others wait their turn."""
_FOLLOW_PAUSE_S = 0.05


class _Calls:
    """What an ``AsyncLaunch`` and everything it hands out share: the threads and the watch."""

    def __init__(self, inner: Launch) -> None:
        self.inner = inner
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="launch")
        self.watch = Watch(inner._session)

    async def call(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, partial(work, *args, **kwargs))


class AsyncQueuedRun:
    """A run of a data directory, as ``QueuedRun``; what is read from the store is awaited.

    Attributes:
        id: Its id.
    """

    __slots__ = ("_calls", "_run", "id")

    def __init__(self, calls: _Calls, run: QueuedRun) -> None:
        self._calls = calls
        self._run = run
        self.id: str = run.id

    def __repr__(self) -> str:
        return f"AsyncQueuedRun({self.id!r})"

    async def info(self) -> Run:
        """Return all that is known of the run now."""
        return await self._calls.call(lambda: self._run.info)

    async def state(self) -> RunState:
        """Return where the run is now."""
        return (await self.info()).state

    async def cause(self) -> str | None:
        """Return why it ended as it did, in one line; None while there is nothing to tell."""
        return (await self.info()).cause

    async def config(self) -> dict[str, Any]:
        """Return its configuration."""
        return dict((await self.info()).config)

    async def summary(self) -> dict[str, Any]:
        """Return the summary that the job logged through wandb; empty before that."""
        return dict((await self.info()).summary)

    async def why(self) -> str:
        """Return why the run is where it is, in one line."""
        return await self._calls.call(self._run.why)

    async def wait_until_running(self, timeout: float | None = None) -> Run:
        """Return the run once its job runs or it has ended; see ``QueuedRun``.

        Raises:
            TimeoutError: When it has not started in time.
        """
        await self._calls.watch.until([self.id], STARTED, timeout)
        return await self.info()

    async def wait_until_finished(
        self, timeout: float | None = None, *, check: bool = False
    ) -> Run:
        """Return the run once it has ended, well or badly; see ``QueuedRun``.

        Raises:
            TimeoutError: When it has not ended in time.
            RunFailure: With ``check``, when it did not finish well.
        """
        await self._calls.watch.until([self.id], ENDED, timeout)
        run = await self.info()
        if check:
            raise_for(run)
        return run

    async def logs(
        self, *, follow: bool = False, build: bool = False, attempt: int | None = None
    ) -> AsyncIterator[str]:
        """Yield the lines of the job's output; see ``QueuedRun.logs``."""
        chunks = self._run.log_chunks(follow=follow, build=build, attempt=attempt, wait=None)
        lines = Lines()
        while (chunk := await self._calls.call(next, chunks, None)) is not None:
            if not chunk:
                await asyncio.sleep(_FOLLOW_PAUSE_S)
            for line in lines.feed(chunk):
                yield line
        for line in lines.rest():
            yield line

    async def metrics(self, key: str) -> Points:
        """Return the values that the job logged under a key; see ``QueuedRun.metrics``."""
        return await self._calls.call(self._run.metrics, key)

    async def metric_keys(self) -> list[str]:
        """Return the keys that the job has logged so far."""
        return await self._calls.call(self._run.metric_keys)

    async def stop(self, *, now: bool = False) -> RunState:
        """Ask for the run to end; see ``QueuedRun.stop``."""
        return await self._calls.call(self._run.stop, now=now)

    async def delete(self) -> None:
        """Forget the run and remove its directory."""
        await self._calls.call(self._run.delete)

    @staticmethod
    def _like(
        method: Callable[Concatenate[QueuedRun, P], QueuedRun],
    ) -> Callable[Concatenate[AsyncQueuedRun, P], Coroutine[Any, Any, AsyncQueuedRun]]:
        @wraps(method)
        async def called(
            self: AsyncQueuedRun, /, *args: P.args, **kwargs: P.kwargs
        ) -> AsyncQueuedRun:
            made = await self._calls.call(method, self._run, *args, **kwargs)
            return AsyncQueuedRun(self._calls, made)

        return called

    rerun = _like(QueuedRun.rerun)


class AsyncQueues:
    """The queues of a data directory, as ``Queues``."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    @staticmethod
    def _like(
        method: Callable[Concatenate[Queues, P], R],
    ) -> Callable[Concatenate[AsyncQueues, P], Coroutine[Any, Any, R]]:
        @wraps(method)
        async def called(self: AsyncQueues, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return await self._calls.call(method, self._calls.inner.queues, *args, **kwargs)

        return called

    create = _like(Queues.create)
    get = _like(Queues.get)
    update = _like(Queues.update)
    pause = _like(Queues.pause)
    resume = _like(Queues.resume)
    delete = _like(Queues.delete)
    list = _like(Queues.list)


class AsyncJobs:
    """The jobs of a data directory, as ``Jobs``."""

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls

    @staticmethod
    def _like(
        method: Callable[Concatenate[Jobs, P], R],
    ) -> Callable[Concatenate[AsyncJobs, P], Coroutine[Any, Any, R]]:
        @wraps(method)
        async def called(self: AsyncJobs, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return await self._calls.call(method, self._calls.inner.jobs, *args, **kwargs)

        return called

    get = _like(Jobs.get)
    versions = _like(Jobs.versions)
    set_alias = _like(Jobs.set_alias)
    declare_metric = _like(Jobs.declare_metric)
    diff = _like(Jobs.diff)
    delete = _like(Jobs.delete)
    list = _like(Jobs.list)


class AsyncLaunch:
    """A data directory, as ``Launch``, with methods that are awaited.

    It belongs to one event loop, and is closed by ``aclose`` or as an async context manager.

    Args:
        home: The data directory; by default ``LAUNCH_TUI_HOME``, else the platform's place.

    Attributes:
        queues: Its queues.
        jobs: Its jobs.

    Raises:
        StoreError: When the data directory cannot be used; nothing was touched.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        self._calls = _Calls(Launch(home))
        self.queues = AsyncQueues(self._calls)
        self.jobs = AsyncJobs(self._calls)

    @property
    def home(self) -> Path:
        """The data directory."""
        return self._calls.inner.home

    @staticmethod
    def _like(
        method: Callable[Concatenate[Launch, P], R],
    ) -> Callable[Concatenate[AsyncLaunch, P], Coroutine[Any, Any, R]]:
        @wraps(method)
        async def called(self: AsyncLaunch, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return await self._calls.call(method, self._calls.inner, *args, **kwargs)

        return called

    @staticmethod
    def _one(
        method: Callable[Concatenate[Launch, P], QueuedRun],
    ) -> Callable[Concatenate[AsyncLaunch, P], Coroutine[Any, Any, AsyncQueuedRun]]:
        @wraps(method)
        async def called(self: AsyncLaunch, /, *args: P.args, **kwargs: P.kwargs) -> AsyncQueuedRun:
            run = await self._calls.call(method, self._calls.inner, *args, **kwargs)
            return AsyncQueuedRun(self._calls, run)

        return called

    @staticmethod
    def _many(
        method: Callable[Concatenate[Launch, P], list[QueuedRun]],
    ) -> Callable[Concatenate[AsyncLaunch, P], Coroutine[Any, Any, list[AsyncQueuedRun]]]:
        @wraps(method)
        async def called(
            self: AsyncLaunch, /, *args: P.args, **kwargs: P.kwargs
        ) -> list[AsyncQueuedRun]:
            runs = await self._calls.call(method, self._calls.inner, *args, **kwargs)
            return [AsyncQueuedRun(self._calls, run) for run in runs]

        return called

    create_job = _like(Launch.create_job)
    agent_is_running = _like(Launch.agent_is_running)
    launch = _one(Launch.launch)
    run = _one(Launch.run)
    launch_many = _many(Launch.launch_many)
    runs = _many(Launch.runs)

    async def wait(self, runs: Iterable[AsyncQueuedRun], timeout: float | None = None) -> list[Run]:
        """Return these runs, in their order, once all of them have ended; see ``Launch.wait``."""
        waited = list(runs)
        await self._calls.watch.until([run.id for run in waited], ENDED, timeout)
        return [await run.info() for run in waited]

    async def aclose(self) -> None:
        """Close the data directory; runs go on. A second time does nothing."""
        await self._calls.watch.close()
        self._calls.threads.shutdown(wait=False, cancel_futures=True)
        self._calls.inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
