"""What a target is given to run one attempt, and what it says back.

These are the values that cross the seam between the agent and the targets: frozen, plain, and
complete enough that ``<run directory>/<attempt>`` alone tells what happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from launch_tui.domain.container import ContainerRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at executing a run, ready to be started.

    ``directory`` is the attempt's own (``<home>/runs/<id>/<n>``); ``command`` the argument vector;
    ``working_directory`` where it starts; ``environment`` all of the job's variables. The handle
    ``<id>.<n>`` is known before anything is started. ``container`` is what a container for it is
    made from; then ``command`` is what the container executes and ``environment`` what it is told.
    """

    run_id: str
    number: int
    directory: Path
    command: tuple[str, ...]
    working_directory: Path
    environment: Mapping[str, str] = field(repr=False)
    container: ContainerRequest | None = None

    @property
    def handle(self) -> str:
        """The name that containers and Slurm jobs of this attempt carry."""
        return f"{self.run_id}.{self.number}"


class EndKind(StrEnum):
    """How an attempt's job ended, as far as the target can tell."""

    EXITED = "exited"
    """With an exit status, or by a signal (a negative ``exit_code``)."""
    NOT_STARTED = "not_started"
    """The command could not be executed."""
    VOID = "void"
    """Nothing of it ever ran and nothing can any more: it may be tried anew."""
    LOST = "lost"
    """It is gone and left no exit status."""
    REBOOTED = "rebooted"
    """As ``LOST``, because the machine was booted anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The job's process exists, or existed. ``pid`` is None where the target has no such thing.

    ``started_at`` is seconds since the epoch, None where the target does not know it.
    """

    pid: int | None = None
    started_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One line about the job that changes no state: the engine does not answer, for example."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The job is over.

    ``exit_code`` is the exit status, or ``-N`` when signal N ended it; ``cause`` says why when
    there is no exit status (``supervisor killed``, ``rebooted``, an exec error). ``ended_at`` is
    seconds since the epoch, by the clock of whoever saw the end first. ``oom`` says that the
    resource itself saw the job's memory limit reached.
    """

    kind: EndKind
    exit_code: int | None = None
    cause: str = ""
    ended_at: float = 0.0
    oom: bool = False


Status = Running | Said | Ended
