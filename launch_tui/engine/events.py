"""What happens to containers, told to everybody who follows one, by one stream for all of them.

An event only says that a look is worth while: what is true is what the engine answers then. So
nothing depends on any event. One may come twice, or for a container that nobody follows; one that
is missed, while the engine or the stream was gone, is made up for by the look that is taken when
``News.wait`` runs out of time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from launch_tui.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import docker

    from launch_tui.engine.client import Engine

RETRY_SECONDS = 1.0
"""How long after a broken stream the next one is begun."""
OVERLAP_SECONDS = 2.0
"""What the engine is asked to tell again of the time before a stream began."""
TOLD = ("die", "destroy", "oom", "pause", "unpause", "start")


class News:
    """Wakes whoever follows one container."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Say that something may have happened."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return when something may have happened since the last call, or after that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class ContainerEvents:
    """One stream of the engine's events, open while anybody follows a container.

    Args:
        engine: The engine.
        label: ``NAME=value``; only containers with this label are told of.
    """

    def __init__(self, engine: Engine, label: str) -> None:
        self._engine = engine
        self._label = label
        self._followers: dict[str, set[News]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def following(self, container: str) -> Iterator[News]:
        """Return what wakes when something may have happened to a container.

        Args:
            container: The engine's id of it.
        """
        news = News()
        self._followers.setdefault(container, set()).add(news)
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        try:
            yield news
        finally:
            self._followers[container].discard(news)
            if not self._followers[container]:
                del self._followers[container]
            if not self._followers:
                self._end()

    async def close(self) -> None:
        """End the stream."""
        self._end()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _end(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            self._ending.add(reading)
            reading.add_done_callback(self._ending.discard)

    async def _read(self) -> None:
        while True:
            since = time.time() - OVERLAP_SECONDS

            def question(api: docker.APIClient, since: float = since) -> Iterable[dict[str, Any]]:
                filters = {"type": "container", "event": list(TOLD), "label": self._label}
                found: Iterable[dict[str, Any]] = api.events(
                    since=f"{since:.6f}", filters=filters, decode=True
                )
                return found

            with contextlib.suppress(EngineError):
                async with contextlib.aclosing(self._engine.stream(question)) as events:
                    async for event in events:
                        self._wake(event)
            for container in list(self._followers):
                self._wake({"id": container})
            await asyncio.sleep(RETRY_SECONDS)

    def _wake(self, event: dict[str, Any]) -> None:
        container = str(event.get("id") or (event.get("Actor") or {}).get("ID") or "")
        for news in self._followers.get(container, ()):
            news.wake()
