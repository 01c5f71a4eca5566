"""The accelerators, CPUs and memory of this machine: what there is and who uses it.

A source of GPUs asks one driver; all have the same two verbs. They only look: what a run gets is
decided by ``domain.slots``, and who may have it by the agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from launch_tui.errors import LaunchError

if TYPE_CHECKING:
    from launch_tui.domain.slots import Gpu


class NoDevices(LaunchError):
    """This machine has no GPU of that maker, now and for as long as it runs."""


class DriverGone(LaunchError):
    """The driver does not answer, and may do so again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process on a GPU; ``memory`` in bytes, None where the driver does not tell."""

    pid: int
    memory: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One GPU as its driver tells of it, with the processes on it."""

    gpu: Gpu
    processes: tuple[GpuProcess, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """All GPUs of one source at one moment; ``note`` tells what is wrong with some of them."""

    seen: tuple[Seen, ...] = ()
    note: str = ""


class GpuSource(Protocol):
    """What asks one driver."""

    every: float
    """Seconds between two samples."""

    def sample(self) -> Sample:
        """Look at all GPUs; may take seconds.

        Raises:
            NoDevices: There is nothing to look at.
            DriverGone: The driver does not answer.
        """
        ...

    def close(self) -> None:
        """Let go of the driver."""
        ...
