"""What the kernel knows of a run's memory, looked at when it begins and when it has ended badly.

Two counters are read at the beginning, the job's cgroup's and the machine's, both of processes that
were ended for want of memory; at the end they are read again, with the kernel's log, which names
the processes. Each of them may be missing (old kernels, containers, ``dmesg_restrict``), and what
cannot be read is told as unknown. cgroup v1's ``memory.failcnt`` is left alone on purpose: it
counts each time the limit was touched, which a job that reads many files does all day.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from launch_tui.domain.kernel import KernelEvidence, OomKill

if TYPE_CHECKING:
    from collections.abc import Iterable

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
KERNEL_LOG = Path("/dev/kmsg")

SLACK_S = 2.0
"""The kernel's log has a clock of its own, which runs apart from ours by little."""
FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""``PROC_PID_INIT_INO`` of the kernel's sources: there pids are those of the kernel's log."""
_KERNEL_RECORD = 8192
"""The longest record that ``/dev/kmsg`` gives (``CONSOLE_EXT_LOG_MAX``)."""
_PAGE = 16 * 1024

_COUNTER = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
# Linux 3 to 6. Before 5.0 "Kill process N" named whom it had chosen, and the line after it whom it
# killed, which may be a child of that one; only there the reason is not in the same line.
_KILL = re.compile(
    rb"(?P<limit>Memory cgroup out of memory: )?Killed process (?P<pid>\d+),? "
    rb"\((?P<name>.*?)\)(?=,? (?:UID|total-vm))"
    rb"(?:[^\n]*?anon-rss:(?P<anon>\d+)kB)?(?:[^\n]*?shmem-rss:(?P<shm>\d+)kB)?"
)
_CHOSEN = b"emory cgroup out of memory: Kill process"


class Evidence:
    """Collects what shows that memory ran out during one run.

    Args:
        pid: The job's main process; None where there is none, or where it is not known yet.
        started_at: When it started, in seconds since the epoch; None for now. An adopted run
            started before this is made, and the kernel's log is read from then on.
        proc: Where the process file system is.
        cgroups: Where the cgroup file systems are.
        kernel_log: The kernel's log.
    """

    def __init__(
        self,
        pid: int | None,
        *,
        started_at: float | None = None,
        proc: Path = PROC,
        cgroups: Path = CGROUPS,
        kernel_log: Path = KERNEL_LOG,
    ) -> None:
        age = 0.0 if started_at is None else max(0.0, time.time() - started_at)
        self._since = time.monotonic() - age - SLACK_S
        self._main = pid
        self._pids = {pid} if pid is not None else set()
        self._proc = proc
        self._kernel_log = kernel_log
        self._group = _group_counter(pid, proc, cgroups)
        self._group_before = _count(self._group)
        self._machine_before = _count(proc / "vmstat")

    def saw(self, pids: Iterable[int]) -> None:
        """Note processes that belong to the job, so that they are known by the kernel's names."""
        self._pids.update(pids)

    def at_end(self) -> KernelEvidence:
        """Return what is known now that the job has ended; takes up to some milliseconds."""
        kills, complete = _read_kills(self._kernel_log, self._since)
        return KernelEvidence(
            main=self._main,
            pids=frozenset(self._pids),
            kills=kills,
            log_complete=complete and _sees_all_pids(self._proc),
            group_kills=_risen(self._group_before, _count(self._group)),
            machine_kills=_risen(self._machine_before, _count(self._proc / "vmstat")),
        )


def kills_in(records: Iterable[bytes], since: float, now: float) -> tuple[OomKill, ...]:
    """Return the processes that records of the kernel's log say were ended for want of memory.

    Args:
        records: As ``/dev/kmsg`` gives them, ``PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT``.
        since: What is older does not count; in seconds of the monotonic clock, as ``now``.
        now: The present, for the ages.
    """
    kills = []
    limited = False
    for record in records:
        if _CHOSEN in record:
            limited = True
        found = _KILL.search(record) if b"Killed process" in record else None
        header = _header(record) if found is not None else None
        # Whoever may write to the log can write such a line; only the kernel has facility 0.
        if found is None or header is None or header[0] >> 3 != 0 or header[1] < since:
            continue
        kills.append(
            OomKill(
                pid=int(found["pid"]),
                name=found["name"].decode("utf-8", "replace"),
                resident=1024 * (int(found["anon"] or 0) + int(found["shm"] or 0)),
                limited=limited or found["limit"] is not None,
                age=max(0.0, now - header[1]),
            )
        )
        limited = False
    return tuple(kills)


def _read_kills(path: Path, since: float) -> tuple[tuple[OomKill, ...], bool]:
    """Return the kills, and whether the log goes back to ``since``."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return (), False
    try:
        records = _records(fd)
    except OSError:
        return (), False
    finally:
        os.close(fd)
    return kills_in(records, since, time.monotonic()), _goes_back(records, since)


def _records(fd: int) -> list[bytes]:
    """Return all records; one read gives one."""
    records: list[bytes] = []
    while True:
        try:
            record = os.read(fd, _KERNEL_RECORD)
        except BlockingIOError:
            return records
        except BrokenPipeError:
            continue  # It was overwritten meanwhile; the next read goes on after it.
        if not record:
            return records
        records.append(record)


def _goes_back(records: list[bytes], since: float) -> bool:
    header = _header(records[0]) if records else None
    # The first record of a boot has number 0: then nothing was overwritten.
    return header is not None and (header[1] <= since or records[0].split(b",", 2)[1] == b"0")


def _header(record: bytes) -> tuple[int, float] | None:
    """Return priority with facility, and seconds since the boot; None for what is no record."""
    parts = record.partition(b";")[0].split(b",")
    try:
        return int(parts[0]), int(parts[2]) / 1e6
    except (IndexError, ValueError):
        return None


def _group_counter(pid: int | None, proc: Path, cgroups: Path) -> Path | None:
    """Return the file that counts the kills of the process's cgroup.

    A process that is gone already, or is not known, is in the cgroup of the agent: jobs inherit it.
    """
    text = _read(proc / str(pid) / "cgroup") if pid is not None else b""
    text = text or _read(proc / "self" / "cgroup")
    for line in text.decode("utf-8", "surrogateescape").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        inside = path.lstrip("/")
        if controllers == "":
            candidates = [cgroups / inside / "memory.events", cgroups / "memory.events"]
        elif "memory" in controllers.split(","):
            folder = cgroups / "memory"
            candidates = [folder / inside / "memory.oom_control", folder / "memory.oom_control"]
        else:
            continue
        # In a container the path is the host's, and the folder's root is the container's group.
        found = next((file for file in candidates if file.exists()), None)
        if found is not None:
            return found
    return None


def _count(path: Path | None) -> int | None:
    found = _COUNTER.search(_read(path)) if path is not None else None
    return int(found[1]) if found is not None else None


def _risen(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)


def _sees_all_pids(proc: Path) -> bool:
    """Say whether pids here are those of the kernel's log, and not a container's own."""
    try:
        return str((proc / "self" / "ns" / "pid").readlink()) == FIRST_PID_NAMESPACE
    except OSError:
        return False


def _read(path: Path) -> bytes:
    """Return a small file of the kernel's, nothing where it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, _PAGE)
    except OSError:
        return b""
    finally:
        os.close(fd)
