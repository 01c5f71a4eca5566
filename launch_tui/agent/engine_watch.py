"""Whether the Docker engine can be asked to run anything now.

Nothing is asked before the first run needs the engine. While it does not answer, no run is claimed
for it: what waits keeps its place with the reason beside it, and goes on by itself once the engine
is back. An engine that answers is trusted until a question to it fails.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from launch_tui.domain.slots import Shortage
from launch_tui.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch_tui.engine.client import Engine

POLL_S = 2.0
"""How often an engine that does not answer is asked again."""
KIND = "engine"
"""The kind of reason that ``why`` gives."""


class EngineWatch:
    """Keeps the answer to one question: can a container be started now?

    Args:
        engine: The engine.
        changed: Called on the event loop when the answer changes.
    """

    def __init__(self, engine: Engine, changed: Callable[[bool], None]) -> None:
        self._engine = engine
        self._changed = changed
        self._reason: str | None = "it has not answered yet"
        self._asking: asyncio.Task[None] | None = None

    def shortage(self) -> Shortage | None:
        """Return why nothing can be started, None when the engine answers."""
        if self._reason is None:
            return None
        self._ask()
        return Shortage(kind=KIND, text=f"waits for the Docker engine: {self._reason}")

    def failed(self, error: EngineError) -> None:
        """Note that a question was not answered."""
        if self._reason is None:
            self._reason = str(error)
            self._changed(False)
            self._ask()

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _ask(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._until_it_answers())

    async def _until_it_answers(self) -> None:
        while True:
            try:
                await self._engine.ask(lambda api: api.ping())
                await self._engine.facts()
            except EngineError as error:
                if str(error) != self._reason:
                    self._reason = str(error)
                    self._changed(False)
            else:
                self._reason = None
                self._changed(True)
                return
            await asyncio.sleep(POLL_S)
