"""Whose the processes on the GPUs are: of a run, of a user, or hidden from here.

A job's processes carry a variable that names their attempt; one that has cleared its environment
is found by an ancestor that has not. Other users' environments cannot be read, and in a container
the driver names processes by numbers of the host: what cannot be known is said to be so.
"""

from __future__ import annotations

import functools
import os
import pwd
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from launch_tui.domain.slots import Gpu, Held, Stranger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.devices import GpuProcess, Seen

UNEXPLAINED_MEMORY = 1024**3
"""So much used by no process that is listed means one that is not: drivers use some for themselves.
In a container NVML lists no process at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a process is.

    ``user`` is None for a process that does not exist here and empty where it is not known;
    ``handle`` names the attempt, empty for a process of none. ``lineage`` is the process and its
    ancestors by pid and start time.
    """

    user: str | None
    handle: str = ""
    lineage: tuple[tuple[int, int], ...] = ()

    @property
    def run_id(self) -> str:
        """The run that the process says it belongs to."""
        return self.handle.rpartition(".")[0]

    @property
    def gone(self) -> bool:
        """Whether the process that was looked at has ended since."""
        return bool(self.lineage) and _stat(self.lineage[0][0])[1] != self.lineage[0][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a run's processes take of one GPU, in bytes."""

    run_id: str
    memory: int


def owner_of(pid: int, variable: str) -> Owner:
    """Return whose a process is.

    Args:
        pid: As the driver told it.
        variable: The environment variable that names the attempt in a job's processes.
    """
    lineage = _lineage(pid)
    handles = (_variable(each, variable) for each, _ in lineage)
    return Owner(
        user=_user(pid),
        handle=next((handle for handle in handles if handle), ""),
        lineage=tuple(lineage),
    )


def attribute(
    seen: Seen, owners: Mapping[int, Owner], held: Sequence[Held]
) -> tuple[Gpu, tuple[Use, ...]]:
    """Return the GPU with its strangers, and what each run that holds it takes of it.

    A stranger is a process of no run, and one of a run that was not given this GPU. A process that
    cannot be looked up is one only where no run holds the GPU, for it may well be the run's.

    Args:
        seen: What the driver told.
        owners: Whose each of its processes is.
        held: What the runs hold now.
    """
    running = {run.run_id for run in held}
    holders = {run.run_id for run in held if any(part.uuid == seen.gpu.uuid for part in run.gpus)}
    uses = dict.fromkeys(sorted(holders), 0)
    strangers = []
    for process, memory in _with_memory(seen):
        owner = owners.get(process.pid, Owner(user=None))
        if owner.run_id in holders:
            uses[owner.run_id] += memory
        elif owner.user is None and holders:
            if len(holders) == 1:
                uses[min(holders)] += memory
        elif owner.run_id in running or not owner.gone:
            strangers.append(_stranger(process.pid, owner, memory, running))
    unexplained = _unexplained(seen)
    if not holders and not seen.processes and unexplained > UNEXPLAINED_MEMORY:
        strangers.append(Stranger(pid=0, user="", memory=unexplained))
    used = tuple(Use(run_id=run_id, memory=memory) for run_id, memory in uses.items())
    return replace(seen.gpu, strangers=tuple(strangers)), used


def _stranger(pid: int, owner: Owner, memory: int, running: set[str]) -> Stranger:
    return Stranger(
        pid=pid if owner.user is not None else 0,
        user=owner.user or "",
        memory=memory,
        run_id=owner.run_id if owner.run_id in running else "",
    )


def _with_memory(seen: Seen) -> list[tuple[GpuProcess, int]]:
    """The processes with what each takes; the first whose driver is silent has all that is left."""
    left = max(_unexplained(seen), 0)
    found = []
    for process in seen.processes:
        memory = process.memory
        if memory is None:
            memory, left = left, 0
        found.append((process, memory))
    return found


def _unexplained(seen: Seen) -> int:
    return seen.gpu.memory_used - sum(process.memory or 0 for process in seen.processes)


def _lineage(pid: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while pid > 1 and len(found) < 64:
        parent, start_time = _stat(pid)
        if not start_time:
            break
        found.append((pid, start_time))
        pid = parent
    return found


def _stat(pid: int) -> tuple[int, int]:
    """The parent and the start time of a process, zeros when there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return 0, 0
    return (0, 0) if fields[0] in (b"Z", b"X") else (int(fields[1]), int(fields[19]))


def _variable(pid: int, name: str) -> str:
    start = os.fsencode(f"{name}=")
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123
            variables = file.read().split(b"\0")
    except OSError:
        return ""
    found = (each for each in variables if each.startswith(start))
    return next((os.fsdecode(each[len(start) :]) for each in found), "")


def _user(pid: int) -> str | None:
    try:
        return _user_name(os.stat(f"/proc/{pid}").st_uid)  # noqa: PTH116
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except PermissionError:
        return ""  # It is there, and /proc is mounted so that others' processes are hidden.
    except (OSError, OverflowError):
        return None
    return ""


@functools.lru_cache(maxsize=256)
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
