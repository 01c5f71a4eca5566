"""Threads that ask the engine, so that no loop ever waits for it.

They are daemons: an agent that leaves does not wait for an answer that an engine in trouble may
never give. A question that nobody waits for any more, and that no thread has begun, is not asked.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

AT_ONCE = 32
"""How many questions are on their way at a time; the rest wait for their turn."""


class Threads:
    """Calls functions on threads of their own, ``AT_ONCE`` at a time."""

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Have the function called; the future gets what it returns or raises."""
        future: Future[T] = Future()
        start(lambda: self._in_turn(function, future))
        return future

    def _in_turn(self, function: Callable[[], T], future: Future[T]) -> None:
        with self._turns:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)


def start(function: Callable[[], None]) -> None:
    """Have the function called on a thread that counts for no turn."""
    threading.Thread(target=function, name="engine", daemon=True).start()
