"""The target protocol and the registry of target resources.

A target runs attempts on one kind of resource. All have the same verbs; what only some can do is a
small protocol of its own. Targets know neither the store nor each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from launch_tui.domain.attempt import Attempt, Status


class Target(Protocol):
    """What the agent asks of a target resource.

    ``start`` may be repeated for the same attempt without a second start: a token in the
    attempt's directory, or a name on the resource, can be taken only once.
    """

    resource: str

    async def prepare(self, attempt: Attempt) -> None:
        """Make what the attempt needs before it can be started."""
        ...

    async def start(self, attempt: Attempt) -> object:
        """Start the job and return its handle, a value that only this target reads.

        Raises:
            StartFailed: When the resource refused.
        """
        ...

    def watch(self, handle: Any) -> AsyncIterator[Status]:  # noqa: ANN401
        """Yield what happens to the job; the last value is an ``Ended``."""
        ...

    async def stop(self, handle: Any, grace: float) -> None:  # noqa: ANN401
        """End the job: ask, wait ``grace`` seconds, insist. ``grace`` 0 kills at once."""
        ...

    async def adopt(self, attempt: Attempt) -> object | None:
        """Return the handle of an attempt that was started before, None if it never was."""
        ...

    async def void(self, attempt: Attempt) -> bool:
        """Make sure an attempt can never start. False when it already has."""
        ...

    async def close(self) -> None:
        """Let go of what this target holds; jobs go on."""
        ...
