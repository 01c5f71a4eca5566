from __future__ import annotations

import os

import pytest

from launch_tui.devices import host
from launch_tui.devices.host import CpuTime, Filled, cpu_time, disk, load, memory

G = 1024**3
TICKS = os.sysconf("SC_CLK_TCK")
TIMES = (10, 0, 5, 100, 9, 0, 1, 0, 0, 0)
STAT = "cpu  " + " ".join(str(each * TICKS) for each in TIMES) + "\ncpu0 1\ncpu1 1\nintr 5"


@pytest.fixture
def root(tmp_path):
    def write(files=None):
        base = {
            "proc/meminfo": f"MemTotal:  {16 * G // 1024} kB\nMemFree: 1 kB\n"
            f"MemAvailable:   {12 * G // 1024} kB",
            "proc/stat": STAT,
            "proc/loadavg": "1.25 0.70 0.30 2/300 4711",
            "proc/self/cgroup": "0::/user.slice/a",
        }
        for name, text in {**base, **(files or {})}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text + "\n")
        return tmp_path

    return write


def test_without_a_limit_it_is_the_machine(root):
    assert cpu_time(root()) == CpuTime(busy=16.0, cpus=2.0)
    assert memory(root()) == Filled(4 * G, 16 * G)
    assert load(root()) == 1.25


def test_the_cgroup_with_the_tightest_limit_counts(root):
    files = {
        "sys/fs/cgroup/user.slice/a/cpu.max": "150000 100000",
        "sys/fs/cgroup/user.slice/a/cpu.stat": "usage_usec 7000000\nuser_usec 1",
        "sys/fs/cgroup/user.slice/cpu.max": "max 100000",
        "sys/fs/cgroup/user.slice/a/memory.max": str(4 * G),
        "sys/fs/cgroup/user.slice/a/memory.current": str(3 * G),
        "sys/fs/cgroup/user.slice/a/memory.stat": f"anon 1\ninactive_file {G}",
        "sys/fs/cgroup/user.slice/memory.max": "max",
    }
    assert cpu_time(root(files)) == CpuTime(busy=7.0, cpus=1.5)
    assert memory(root(files)) == Filled(2 * G, 4 * G)


def test_a_part_is_of_all_processors():
    before, after = CpuTime(busy=10, cpus=4), CpuTime(busy=18, cpus=4)
    assert after.part_since(before, 4) == 0.5
    assert after.part_since(before, 1) == 1.0
    assert before.part_since(after, 4) == 0.0
    assert after.part_since(before, 0) == 0.0


def test_what_the_kernel_does_not_tell_is_nothing(tmp_path):
    assert cpu_time(tmp_path) == CpuTime(busy=0, cpus=1)
    assert memory(tmp_path) == Filled(0, 0)
    assert load(tmp_path) == 0


def test_this_machine_has_some(tmp_path):
    assert cpu_time().busy > 0
    assert 0 < memory().used < memory().total
    assert disk(tmp_path).total > 0
    assert host.disk(tmp_path).used <= disk(tmp_path).total
