"""Processes of this machine: who they are, whether they live, what belongs to a job.

A pid alone names nobody: it is used again. A process is named here by its pid, its start time and
the boot it belongs to, and nothing is ever signalled before all three have been compared, with a
pidfd already open where the kernel has them, so that there is no gap between looking and acting.
Linux only: everything comes from ``/proc``.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HANDLE_VARIABLE = "LAUNCH_TUI_HANDLE"
"""In each job's environment, so that every process of it can be found. Give it to nothing else."""

POLL_SECONDS = 0.2
"""How often a process is looked at where no pidfd can be had."""

PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process, for ever: ``start_time`` is in clock ticks since the boot ``boot_id``."""

    pid: int
    start_time: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class _Stat:
    """What is needed of ``/proc/<pid>/stat``."""

    state: bytes
    parent: int
    group: int
    start_time: int


@functools.cache
def boot_id() -> str:
    """The kernel's name for the present boot; empty where it has none."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def boot_time() -> float:
    """When the machine was booted, in seconds since the epoch; 0 where the kernel does not say."""
    try:
        for line in (PROC / "stat").read_text().splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0.0


def identify(pid: int) -> Process | None:
    """The process that has this pid now, None when there is none."""
    stat = _read_stat(pid)
    if stat is None:
        return None
    return Process(pid=pid, start_time=stat.start_time, boot_id=boot_id())


def first_child(pid: int) -> int | None:
    """The pid of a process's first child, None when it has none or the kernel does not say."""
    try:
        children = (PROC / f"{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def alive(process: Process) -> bool:
    """Whether it still runs; a zombie does not."""
    stat = _find(process)
    return stat is not None and stat.state not in b"ZX"


def send(process: Process, number: int) -> bool:
    """Signal exactly this process; False when it is gone or belongs to somebody else."""
    try:
        fd = _open_pidfd(process)
    except ProcessLookupError:
        return False
    except OSError:
        return _send_by_pid(process, number)
    try:
        signal.pidfd_send_signal(fd, number)
    except (ProcessLookupError, PermissionError):
        return False
    except AttributeError:  # A Python built for an old kernel has no call for it.
        return _send_by_pid(process, number)
    finally:
        os.close(fd)
    return True


async def gone(process: Process) -> None:
    """Return as soon as the process has ended, at once when it already has."""
    try:
        fd = _open_pidfd(process)
    except ProcessLookupError:
        return
    except OSError:
        while alive(process):  # noqa: ASYNC110, it sends no event
            await asyncio.sleep(POLL_SECONDS)
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _settle, ended)
    try:
        await ended
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def tree(above: Process | None, job: Process | None, mark: str) -> list[Process]:
    """The living processes of a job: a scan of ``/proc``, some milliseconds.

    Args:
        above: The supervisor, of which all descendants count but not itself.
        job: The job's main process, which counts with its descendants.
        mark: ``NAME=value``; each process with this variable in its environment counts, so that one
            that has lost its ancestors is still found.
    """
    table = {pid: stat for pid in _pids() if (stat := _read_stat(pid)) and stat.state not in b"ZX"}
    found = _descendants(table, [root for root in (above, job) if root and _is(root, table)])
    if above is not None:
        found.discard(above.pid)
    marked = os.fsencode(mark)
    found |= {pid for pid in table if pid not in found and marked in _environment(pid)}
    found.discard(os.getpid())
    return [
        Process(pid=pid, start_time=table[pid].start_time, boot_id=boot_id())
        for pid in sorted(found)
    ]


def group_of(leader: Process, members: Iterable[Process]) -> list[Process]:
    """Those of the processes that are in the process group that ``leader`` made."""
    return [
        member
        for member in members
        if (stat := _find(member)) is not None and stat.group == leader.pid
    ]


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _descendants(table: dict[int, _Stat], roots: list[Process]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat.parent, []).append(pid)
    found: set[int] = set()
    waiting = [root.pid for root in roots]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return found


def _is(process: Process, table: dict[int, _Stat]) -> bool:
    stat = table.get(process.pid)
    return (
        stat is not None and stat.start_time == process.start_time and process.boot_id == boot_id()
    )


def _open_pidfd(process: Process) -> int:
    """A pidfd that is surely of this process.

    Raises:
        ProcessLookupError: The process is gone.
        OSError: The kernel gives no pidfd, or no file descriptor is left.
    """
    fd = _pidfd_open(process.pid)
    # Only now: while the descriptor is open, a match means that it is of this very process.
    if _find(process) is None:
        os.close(fd)
        raise ProcessLookupError(process.pid)
    return fd


def _pidfd_open(pid: int) -> int:
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(pid)
    # Python builds that also run on old kernels lack the call; the number is the same everywhere.
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.syscall(434, pid, 0))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def _send_by_pid(process: Process, number: int) -> bool:
    if not alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _find(process: Process) -> _Stat | None:
    stat = _read_stat(process.pid) if process.boot_id == boot_id() else None
    return stat if stat is not None and stat.start_time == process.start_time else None


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def _read_stat(pid: int) -> _Stat | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123
            # The name before the state may hold anything, brackets and spaces too.
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    return _Stat(fields[0], int(fields[1]), int(fields[2]), int(fields[19]))


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123
            return file.read().split(b"\0")
    except OSError:
        return []
