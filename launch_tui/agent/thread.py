"""The agent beside a UI: on a thread of its own with its own loop.

A slow terminal blocks the UI's loop for seconds; the agent must not notice.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from launch_tui.agent.config_file import ConfigFile
from launch_tui.agent.loop import Agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.agent.report import AgentEvent
    from launch_tui.store.paths import Home


class AgentThread:
    """Runs an agent; the verbs may be called from any thread."""

    def __init__(
        self,
        home: Home,
        *,
        report: Callable[[AgentEvent], None],
    ) -> None:
        self._home = home
        self._report = report
        self._loop: asyncio.AbstractEventLoop | None = None
        self._agent: Agent | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="agent")
        self.error: BaseException | None = None

    def start(self) -> None:
        """Start the thread; returns when the agent can be asked to leave."""
        self._thread.start()
        self._ready.wait()

    def leave(self) -> None:
        """Have the agent leave at once; runs go on."""
        if self._loop is not None and self._agent is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._agent.leave)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the agent has left."""
        self._thread.join(timeout)

    def is_alive(self) -> bool:
        """Say whether the agent still works or stands by."""
        return self._thread.is_alive()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self.error = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        settings = ConfigFile.of(self._home, None)
        self._agent = Agent(
            self._home, config=settings.load(), config_file=settings, report=self._report
        )
        self._ready.set()
        await self._agent.run()
