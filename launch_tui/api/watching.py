"""Waiting for many runs at once on an event loop, at the price of one.

One thread with a connection of its own, which never writes, asks whether anything was committed;
only then are the states of all the runs that somebody waits for read, by one query.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch_tui.errors import NotFound
from launch_tui.sdk.runs import WAIT_POLL_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from launch_tui.api.session import Session
    from launch_tui.domain.run import RunState


@dataclass(eq=False, slots=True)
class _Waiter:
    """Somebody who waits for runs to come to one of some states."""

    left: set[str]
    until: frozenset[RunState]
    done: asyncio.Future[None]


class Watch:
    """Says when runs have come to the states that somebody waits for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="launch-watch")
        self._waiters: set[_Waiter] = set()
        self._task: asyncio.Task[None] | None = None
        self._fresh = False

    async def until(
        self, run_ids: Sequence[str], states: frozenset[RunState], timeout: float | None
    ) -> None:
        """Return once all of these runs have been seen in one of the states.

        Raises:
            NotFound: When one of them does not exist, or is deleted meanwhile.
            TimeoutError: When one has not come to one of the states in time.
        """
        if not run_ids:
            return
        waiter = _Waiter(set(run_ids), states, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        self._fresh = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_on())
        try:
            async with asyncio.timeout(timeout):
                await waiter.done
        except TimeoutError:
            others = f" and {len(waiter.left) - 1} more" if len(waiter.left) > 1 else ""
            wanted = ", ".join(sorted(states))
            raise TimeoutError(
                f"after {timeout:g} s run {min(waiter.left)}{others} is in none of: {wanted}"
            ) from None
        finally:
            self._waiters.discard(waiter)

    async def close(self) -> None:
        """Let go of everybody who waits, and of the thread."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiter in self._waiters:
            waiter.done.cancel()
        self._thread.shutdown(wait=False)

    async def _look_on(self) -> None:
        loop = asyncio.get_running_loop()
        version = -1
        while self._waiters:
            try:
                now = await loop.run_in_executor(self._thread, self._ask_version)
                if now != version or self._fresh:
                    version, self._fresh = now, False
                    wanted = sorted(set().union(*(waiter.left for waiter in self._waiters)))
                    states = await loop.run_in_executor(self._thread, self._asks_states(wanted))
                    self._tell(set(wanted), states)
            except Exception as error:
                self._fail(error)
                return
            await asyncio.sleep(WAIT_POLL_S)

    def _ask_version(self) -> int:
        return self._session.ask(lambda sdk: sdk.changed())

    def _asks_states(self, run_ids: Sequence[str]) -> Callable[[], dict[str, RunState]]:
        return lambda: self._session.ask(lambda sdk: sdk.runs.states(run_ids))

    def _tell(self, asked: set[str], states: dict[str, RunState]) -> None:
        for waiter in self._waiters:
            if waiter.done.done():
                continue
            known = waiter.left & asked
            if gone := known - set(states):
                waiter.done.set_exception(NotFound("run", f"there is no run {min(gone)!r}"))
                continue
            waiter.left -= {run_id for run_id in known if states[run_id] in waiter.until}
            if not waiter.left:
                waiter.done.set_result(None)

    def _fail(self, error: Exception) -> None:
        for waiter in self._waiters:
            if not waiter.done.done():
                waiter.done.set_exception(error)
