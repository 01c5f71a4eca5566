"""What the kernel says of memory while a run was running: plain values, read by the agent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OomKill:
    """One process that the kernel ended because memory ran out.

    ``resident`` is its memory in bytes, 0 where the line does not say; ``limited`` says whether the
    limit of a cgroup was reached rather than the end of the machine's memory; ``age`` is how many
    seconds ago it was.
    """

    pid: int
    name: str
    resident: int
    limited: bool
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelEvidence:
    """What can be known at the end of a run.

    Args:
        main: The job's main process.
        pids: Processes known to be the job's, the main one included.
        kills: The kernel's log since the run began.
        log_complete: Whether that log could be read, goes back to the run's beginning, and uses
            the same pids: then a process that is not in it was not ended for memory.
        group_kills: How many processes of the job's cgroup were ended; None when that is unknown.
        machine_kills: The same of the whole machine.
    """

    main: int | None = None
    pids: frozenset[int] = frozenset()
    kills: tuple[OomKill, ...] = ()
    log_complete: bool = False
    group_kills: int | None = None
    machine_kills: int | None = None
