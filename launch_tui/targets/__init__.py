"""The target protocol and the registry of target resources.

A target runs attempts on one kind of resource. All have the same verbs; what only some can do is a
small protocol of its own. Targets know neither the store nor each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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


class KeepsTraces(Protocol):
    """What a target can do that keeps something of an attempt until its outcome is stored."""

    async def forget(self, handle: Any) -> None:  # noqa: ANN401
        """Remove what was kept. May be repeated."""
        ...

    async def sweep(self, keep: Callable[[str, int], bool]) -> list[str]:
        """Remove what is left of attempts that nobody needs; ``keep`` says it of run and number."""
        ...


class HasProcesses(Protocol):
    """What a target can do whose jobs are processes of this machine."""

    def pids(self, handle: Any) -> list[int]:  # noqa: ANN401
        """The living processes of the job; it may take some milliseconds."""
        ...
