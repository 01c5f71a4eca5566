"""The engine as everything here asks it: questions in, answers or our errors out.

A question is a function that gets Docker's SDK. It runs on a thread, so that nothing waits for the
engine but who asked. The connection is made at the first question and given up when one is not
answered: the engine that answers the next may be another, and is looked at anew. The SDK is
imported here only, and only when something is asked.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, TypeVar

from launch_tui.domain.image import parse_image
from launch_tui.engine.connection import negotiated, open_client
from launch_tui.engine.endpoint import find_endpoint
from launch_tui.engine.failure import translated
from launch_tui.engine.streams import Reading
from launch_tui.engine.threads import Threads
from launch_tui.errors import EngineDown, EngineError, EngineUnfit, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

    import docker

    from launch_tui.domain.container import BuiltImage
    from launch_tui.engine.endpoint import Endpoint
    from launch_tui.engine.facts import EngineFacts

T = TypeVar("T")

ANSWER_S = 60.0
"""How long the engine may take for an answer; a busy one creates a container in half a minute."""


class Engine:
    """A Docker engine, or Podman's service that speaks its language.

    Args:
        environ: The variables that say which engine; by default those of this process.
        answer_s: How long it may take for an answer.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, answer_s: float = ANSWER_S
    ) -> None:
        self.environ = dict(os.environ if environ is None else environ)
        self._answer_s = answer_s
        self._threads = Threads()
        self._connecting = threading.Lock()
        self._settled: Endpoint | None = None
        self._client: docker.APIClient | None = None
        self._facts: EngineFacts | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where it is asked; raises EngineUnfit when that cannot run jobs.

        Once it has answered it stays the same: another engine that comes up in its place would
        know none of the containers, and their runs would count as lost.
        """
        return self._settled or find_endpoint(self.environ)

    async def ask(self, question: Callable[[docker.APIClient], T]) -> T:
        """Return the answer to a question.

        A cancelled question may still be carried out.

        Raises:
            EngineDown: When the engine does not answer; asking again is right.
            EngineUnfit: When it cannot run jobs.
            EngineError: When it refuses, with its own words and the HTTP status.
        """
        return await asyncio.wrap_future(self._threads.call(lambda: self.ask_blocking(question)))

    def ask_blocking(self, question: Callable[[docker.APIClient], T]) -> T:
        """Return the answer like ``ask``, for threads and the command line."""
        try:
            return question(self._connected())
        except Exception as error:
            ours = self._ours(error)
            if ours is error:
                raise
            raise ours from error

    async def stream(
        self, question: Callable[[docker.APIClient], Iterable[T]]
    ) -> AsyncGenerator[T, None]:
        """Yield what the engine says piece by piece, over a connection of its own.

        Closing the generator (``contextlib.aclosing``) closes the connection, by which the engine
        knows that a pull or a build is not wanted any more. A connection that breaks raises
        EngineDown, also where the SDK would end the iteration as if all had been said.
        """
        reading = Reading(question, self._own_connection, self._ours)
        reading.start()
        try:
            async for piece in reading:
                yield piece
        finally:
            reading.cut()

    async def facts(self) -> EngineFacts:
        """Return what the engine is; asked once for each connection."""
        return await asyncio.wrap_future(self._threads.call(self.facts_blocking))

    def facts_blocking(self) -> EngineFacts:
        """Return what the engine is, for threads and the command line."""
        from launch_tui.engine.facts import read_facts

        facts = self._facts
        if facts is None or self._client is None:
            facts = self.ask_blocking(
                lambda api: read_facts(api.version(api_version=False), api.info())
            )
            self._facts = facts
        return facts

    async def inspect_image(self, reference: str) -> BuiltImage | None:
        """Return the image of this name or id that is on the engine; None when there is none."""
        from launch_tui.engine.facts import read_image

        try:
            found = await self.ask(lambda api: api.inspect_image(reference))
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        try:
            parsed = parse_image(reference, field="image")
        except UsageError:
            parsed = None
        return read_image(found, reference, parsed)

    async def close(self) -> None:
        """Close the connections; a question asked afterwards opens them again."""
        self.close_blocking()

    def close_blocking(self) -> None:
        """Close the connections, for threads and the command line."""
        client, self._client, self._facts = self._client, None, None
        if client is not None:
            client.close()

    def _connected(self) -> docker.APIClient:
        client = self._client
        if client is not None:
            return client
        with self._connecting:
            if self._client is None:
                endpoint = self.endpoint
                client = open_client(endpoint, negotiated(endpoint), self._answer_s)
                self._settled, self._client = endpoint, client
            return self._client

    def _own_connection(self) -> docker.APIClient:
        """Return a client for one stream, which can be cut off without harm to other questions."""
        return open_client(self.endpoint, self._connected().api_version, self._answer_s)

    def _ours(self, error: Exception) -> Exception:
        """Return our error for what a question met; the same one when it is not the engine's."""
        if isinstance(error, EngineError):
            return error
        ours = translated(error, self.endpoint)
        if isinstance(ours, (EngineDown, EngineUnfit)):
            self.close_blocking()
        return ours or error
