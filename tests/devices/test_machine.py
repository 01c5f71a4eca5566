from __future__ import annotations

import os

import pytest

from launch_tui.devices.machine import usable_cpus, usable_memory

AFFINITY = len(os.sched_getaffinity(0))
G = 1024**3


@pytest.fixture
def root(tmp_path):
    def write(files):
        base = {"proc/meminfo": f"MemTotal:  {16 * G // 1024} kB\nMemFree: 1 kB\n"}
        for name, text in {**base, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text + "\n")
        return tmp_path

    return write


def test_without_limits_it_is_the_machine(root):
    files = {
        "proc/self/cgroup": "0::/user.slice/a",
        "sys/fs/cgroup/user.slice/a/cpu.max": "max 100000",
        "sys/fs/cgroup/user.slice/a/memory.max": "max",
    }
    assert usable_cpus(root(files)) == AFFINITY
    assert usable_memory(root(files)) == 16 * G


def test_the_tightest_cgroup_around_counts(root):
    files = {
        "proc/self/cgroup": "0::/user.slice/a",
        "sys/fs/cgroup/user.slice/a/memory.max": str(8 * G),
        "sys/fs/cgroup/user.slice/cpu.max": "50000 100000",
        "sys/fs/cgroup/user.slice/memory.max": str(4 * G),
    }
    assert usable_cpus(root(files)) == 0.5
    assert usable_memory(root(files)) == 4 * G


def test_cgroups_of_version_1(root):
    files = {
        "proc/self/cgroup": "4:memory:/job\n2:cpu,cpuacct:/job\n1:name=systemd:/",
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": str(2 * G),
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
        "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "25000",
        "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
    }
    assert usable_cpus(root(files)) == 0.25
    assert usable_memory(root(files)) == 2 * G


def test_this_machine_has_some():
    assert 0 < usable_cpus() <= AFFINITY
    assert usable_memory() > 64 * 1024**2
