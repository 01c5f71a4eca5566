"""How a run is ended before its own end: who wants it, and how its target is asked.

A person may ask, and ask again with impatience; a limit that is over asks as a person would. Who
asked first decides what the run is settled as.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from launch_tui.domain.run import StopMode

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from launch_tui.agent.limits import Expiry
    from launch_tui.targets import Target

T = TypeVar("T")


class StopAsked(Exception):
    """The end of a run was asked for that has not started."""


class Stopping:
    """The wish that a run should end. ``expiry`` is the limit that was over, if that came first."""

    def __init__(self) -> None:
        self.expiry: Expiry | None = None
        self._asked = asyncio.Event()
        self._hurry = asyncio.Event()
        self._by_user = False

    @property
    def asked(self) -> bool:
        """Whether anybody wants the end."""
        return self._asked.is_set()

    @property
    def by_user(self) -> bool:
        """Whether a person asked for it before a limit was over."""
        return self._by_user and self.expiry is None

    def ask(self, mode: str) -> None:
        """End the run as a person wants it."""
        self._by_user = True
        self._asked.set()
        if mode == StopMode.NOW:
            self._hurry.set()

    def expire(self, expiry: Expiry) -> None:
        """End the run because a limit is over, unless its end is wanted already."""
        if not self.asked:
            self.expiry = expiry
            self._asked.set()

    async def unless_asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what ``work`` returns, or end it and raise when the run is to end.

        Raises:
            StopAsked: When the end was asked for first.
        """
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StopAsked
            return task.result()
        finally:
            asked.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def wanted(self) -> None:
        """Wait until somebody wants the end."""
        await self._asked.wait()

    async def end(self, target: Target, handle: object, grace: float) -> None:
        """Have the target end the job: with grace, unless or until somebody is impatient.

        Args:
            target: The job's target.
            handle: The job.
            grace: Seconds between asking, insisting and killing.
        """
        if not self._hurry.is_set():
            await self._end_gracefully(target, handle, grace)
        if self._hurry.is_set():
            await target.stop(handle, 0)

    async def _end_gracefully(self, target: Target, handle: object, grace: float) -> None:
        stopping = asyncio.ensure_future(target.stop(handle, grace))
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                stopping.result()
        finally:
            for task in (stopping, hurry):
                task.cancel()
            await asyncio.gather(stopping, hurry, return_exceptions=True)
