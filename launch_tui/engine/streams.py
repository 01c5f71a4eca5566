"""Answers that come piece by piece: a thread reads them, and can be cut off from them.

The thread sits in a read of a socket for as long as the engine says nothing. What wakes it is the
socket being shut down, and the engine takes the same for the end of what it was asked to do.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from launch_tui.engine.connection import sockets_of
from launch_tui.engine.threads import start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    import docker

    from launch_tui.engine.transport import Sockets

T = TypeVar("T")

AHEAD = 256
"""How many pieces may have been read that nobody took yet; then the engine has to wait."""


class Reading(Generic[T]):
    """One answer, read on a thread and iterated over on the loop that made it.

    Args:
        question: What is asked; it is called on the thread.
        connect: Returns a client that is used for nothing else.
        ours: Returns what to raise for an error of the question.
    """

    def __init__(
        self,
        question: Callable[[docker.APIClient], Iterable[T]],
        connect: Callable[[], docker.APIClient],
        ours: Callable[[Exception], Exception],
    ) -> None:
        self._question = question
        self._connect = connect
        self._ours = ours
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._sockets: Sockets | None = None
        self._is_cut = False

    def start(self) -> None:
        """Begin to read."""
        start(self._read)

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield the pieces; raises what the question met."""
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            self._room.release()
            yield piece[0]

    def cut(self) -> None:
        """End the reading, wherever it is."""
        self._is_cut = True
        if self._sockets is not None:
            self._sockets.shut_down()
        self._room.release()

    def _read(self) -> None:
        try:
            client = self._connect()
            sockets = self._sockets = sockets_of(client)
            try:
                if not self._is_cut:
                    self._pass_on(self._question(client))
            finally:
                client.close()
                sockets.close()
        except Exception as error:
            # What breaks because it was cut says nothing about the engine.
            if not self._is_cut:
                self._put(self._ours(error))
        else:
            self._put(None)

    def _pass_on(self, pieces: Iterable[T]) -> None:
        # The SDK wraps some iterations so that a broken connection looks like their end.
        for piece in getattr(pieces, "_stream", pieces):
            self._room.acquire()
            if self._is_cut:
                return
            self._put((piece,))

    def _put(self, piece: tuple[T] | Exception | None) -> None:
        # A loop that is closed takes nothing, and nobody is left who would.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
