"""How many CPUs and how much memory this process may use.

Less than the machine has where an affinity mask or a cgroup says so: in a container the kernel's
own totals are those of the whole host.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/")
_UNLIMITED = 1 << 60
"""A cgroup of version 1 without a limit tells a number near 2^63."""


def usable_cpus(root: Path = _ROOT) -> float:
    """Return the CPUs by affinity and cgroup quota; a quota may be a fraction."""
    return min([float(len(os.sched_getaffinity(0))), *_cpu_quotas(root)])


def usable_memory(root: Path = _ROOT) -> int:
    """Return the bytes of main memory, of the machine or of this process's cgroup."""
    limits = [limit for limit in _memory_limits(root) if 0 < limit < _UNLIMITED]
    total = total_memory(root)
    return min([total, *limits]) if total else min(limits, default=0)


def _cpu_quotas(root: Path) -> Iterator[float]:
    for folder in cgroups(root, ""):
        quota, _, period = read_text(folder / "cpu.max").partition(" ")
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)
    for folder in cgroups(root, "cpu"):
        quota, period = (
            read_text(folder / "cpu.cfs_quota_us"),
            read_text(folder / "cpu.cfs_period_us"),
        )
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[int]:
    files = [folder / "memory.max" for folder in cgroups(root, "")]
    files += [folder / "memory.limit_in_bytes" for folder in cgroups(root, "memory")]
    for file in files:
        text = read_text(file)
        if text.isdigit():
            yield int(text)


def cgroups(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's cgroup and those around it; ``controller`` is empty for version 2."""
    top = root / "sys/fs/cgroup" / controller
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if controller not in names.split(","):
            continue
        inner = Path(path.lstrip("/"))
        for part in (inner, *inner.parents):
            yield top / part


def total_memory(root: Path) -> int:
    """Return the bytes of memory that the kernel has; 0 where it does not say."""
    for line in read_text(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def read_text(file: Path) -> str:
    """Return what a file of the kernel's says, without the line's end; empty without the file."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
