"""How busy the machine is: processors, memory, load, and the disk of the data directory.

Where a cgroup gives this process less than the machine has, it is the cgroup that is looked at:
what is full then is what jobs can have, not what the host has. Each look takes a tenth of a
millisecond; nothing is kept here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from launch_tui.devices.machine import cgroups, read_text, total_memory

_ROOT = Path("/")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTime:
    """Seconds of processors that were used since the machine or the cgroup began, of so many."""

    busy: float
    cpus: float

    def part_since(self, before: CpuTime, seconds: float) -> float:
        """Return which part of all processors was in use since then, 0 to 1."""
        if seconds <= 0 or self.cpus <= 0:
            return 0.0
        return min(max((self.busy - before.busy) / (seconds * self.cpus), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Filled:
    """How much of something is in use, both in bytes."""

    used: int
    total: int


def cpu_time(root: Path = _ROOT) -> CpuTime:
    """Return the processor time of the tightest cgroup that has a limit, else of the machine."""
    of_machine = _machine_time(root)
    limited = [found for folder in cgroups(root, "") if (found := _group_time(folder))]
    return min([of_machine, *limited], key=lambda time: time.cpus)


def memory(root: Path = _ROOT) -> Filled:
    """Return how full the memory is, of the tightest cgroup that has a limit, else the machine's.

    What the kernel gives back when it is asked for (page cache) counts as free.
    """
    total = total_memory(root)
    found = [Filled(total - _available(root), total)]
    for folder in cgroups(root, ""):
        limit = read_text(folder / "memory.max")
        if limit.isdigit() and int(limit) < total:
            used = _number(read_text(folder / "memory.current"))
            cache = _field(read_text(folder / "memory.stat"), "inactive_file")
            found.append(Filled(max(used - cache, 0), int(limit)))
    return min(found, key=lambda each: each.total)


def load(root: Path = _ROOT) -> float:
    """Return the load average of the last minute."""
    word = read_text(root / "proc/loadavg").partition(" ")[0]
    return float(word) if word else 0.0


def disk(path: Path) -> Filled:
    """Return how full the disk of a directory is, for who is not root."""
    state = os.statvfs(path)
    free, total = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
    return Filled(total - free, total)


def _machine_time(root: Path) -> CpuTime:
    text = read_text(root / "proc/stat")
    words = text.partition("\n")[0].split()[1:]
    times = [int(word) for word in words if word.isdigit()]
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in the first two.
    busy = sum(times[:3]) + sum(times[5:8])
    cpus = sum(1 for line in text.splitlines() if line.startswith("cpu") and line[3:4].isdigit())
    return CpuTime(busy=busy / _TICKS, cpus=float(cpus or 1))


def _group_time(folder: Path) -> CpuTime | None:
    quota, _, period = read_text(folder / "cpu.max").partition(" ")
    if not (quota.isdigit() and period.isdigit()):
        return None
    used = _field(read_text(folder / "cpu.stat"), "usage_usec")
    return CpuTime(busy=used / 1e6, cpus=int(quota) / int(period))


def _available(root: Path) -> int:
    return _field(read_text(root / "proc/meminfo"), "MemAvailable:") * 1024


def _field(text: str, name: str) -> int:
    """Return the number after a word that begins a line, 0 where there is none."""
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _number(value.split()[0] if value.split() else "")
    return 0


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
