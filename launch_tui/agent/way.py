"""The way of an attempt from its source to something that its target can start.

What is built differs between the kinds of target: an interpreter for a process, an image for a
container. A way knows the one kind; the execution knows only that something is built, and that an
attempt comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from launch_tui.domain.attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from launch_tui.domain.container import ContainerRequest
    from launch_tui.domain.run import Run
    from launch_tui.store.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An attempt that can be started.

    ``message`` is what the event of the start says; ``changes`` are columns of the run that are
    known from here on.
    """

    attempt: Attempt
    message: str
    changes: Mapping[str, object] = field(default_factory=dict)


class Way(Protocol):
    """What the execution asks of a way; what ``build`` returns only the way itself reads."""

    async def build(self, source: Path, log: Path, say: Callable[[str], None]) -> Any:  # noqa: ANN401
        """Make what the job runs in, or find it made.

        Args:
            source: The attempt's working copy.
            log: The build log; what is done is appended to it as it happens.
            say: Called with one short line at each step.

        Raises:
            BuildFailed: With the reason as cause.
        """
        ...

    async def ready(self, source: Path, built: Any, config: Mapping[str, object]) -> Ready:  # noqa: ANN401
        """Return the attempt with its command and all of its variables.

        Args:
            source: The attempt's working copy.
            built: What ``build`` returned.
            config: What the launch gave for ``wandb.config``.

        Raises:
            StartFailed: When something that the run refers to is not there.
        """
        ...

    def working_directory(self) -> Path:
        """Return where the job's own files are on this machine, also of an adopted attempt."""
        ...


def attempt_of(
    run: Run,
    home: Home,
    *,
    command: Sequence[str],
    place: Path,
    variables: Mapping[str, str],
    container: ContainerRequest | None = None,
) -> Attempt:
    """Return a run's attempt as its target is to start it."""
    return Attempt(
        run_id=run.id,
        number=run.attempt,
        directory=home.attempt(run.id, run.attempt),
        command=tuple(command),
        working_directory=place,
        environment=variables,
        container=container,
    )
