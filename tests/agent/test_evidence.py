from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch_tui.agent.evidence import CGROUPS, KERNEL_LOG, Evidence, kills_in
from launch_tui.agent.outcome import judge
from launch_tui.domain.attempt import Ended, EndKind
from launch_tui.domain.failure import FailureKind

NOWHERE = Path("/nowhere")
LIMIT = 48 << 20
FILL = "x = bytearray(512 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\n"

LINUX_6 = (
    b"3,424,12247356902,-;Memory cgroup out of memory: Killed process 5093 (python) "
    b"total-vm:318584kB, anon-rss:51584kB, file-rss:5836kB, shmem-rss:0kB, UID:0 pgtables:168kB "
    b"oom_score_adj:0\n"
)
LINUX_6_OTHERS = (
    b"4,346,12247355058,-;python invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0\n",
    b"6,422,12247356863,-;[   5093]     0  5093    79646    14355    12896     1459 python\n",
    b"6,423,12247356868,-;oom-kill:constraint=CONSTRAINT_MEMCG,task=python,pid=5093,uid=0\n",
)
LINUX_5 = (
    b"3,900,7899000000,-;Out of memory: Killed process 7899 (pt_data_worker) total-vm:26184840kB, "
    b"anon-rss:15370088kB, file-rss:0kB, shmem-rss:1024kB, UID:0 pgtables:38964kB\n"
)
LINUX_4 = (
    b"3,70,50000000,-;Memory cgroup out of memory: Kill process 77 (sh) score 900 "
    b"or sacrifice child\n",
    b"3,71,50000100,-;Killed process 78 (a (b) c) total-vm:10kB, anon-rss:8kB, file-rss:0kB\n",
)


def judged(code, log="", evidence=None):
    return judge(
        Ended(kind=EndKind.EXITED, exit_code=code),
        stopped=False,
        tracked=True,
        tracking_required=True,
        wandb_exit=None,
        untracked_reason=None,
        log_tail=log,
        evidence=evidence,
    )


def test_the_kernels_lines_from_linux_4_to_6():
    (kill,) = kills_in((*LINUX_6_OTHERS, LINUX_6), 0, 12250.0)
    assert (kill.pid, kill.name, kill.resident) == (5093, "python", 51584 << 10)
    assert kill.limited
    assert kill.age == pytest.approx(2.643, abs=0.001)
    (kill,) = kills_in((LINUX_5,), 0, 7899.0)
    assert (kill.pid, kill.name, kill.limited) == (7899, "pt_data_worker", False)
    assert kill.resident == (15370088 + 1024) << 10
    (kill,) = kills_in(LINUX_4, 0, 50.0)
    assert (kill.pid, kill.name, kill.limited) == (78, "a (b) c", True)


def test_what_the_kernel_wrote_before_the_run_does_not_count():
    assert kills_in((LINUX_6,), 12247.0, 12250.0)
    assert not kills_in((LINUX_6,), 12248.0, 12250.0)


def test_only_the_kernel_itself_is_believed():
    said_by_a_user = b"11" + LINUX_6[1:]
    assert not kills_in((said_by_a_user, b"", b"no record", b";Killed process 1 (x)"), 0, 12250.0)


def test_an_adopted_run_hears_what_was_logged_since_it_began(tmp_path):
    """A pipe gives one record and then nothing for now, as the kernel's log does."""
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    minute_ago = int((time.monotonic() - 60) * 1e6)
    record = LINUX_6.replace(b"12247356902", str(minute_ago).encode())
    try:
        for age, heard in ((0, False), (50, False), (90, True)):
            os.write(fd, record)
            evidence = Evidence(5093, started_at=time.time() - age, kernel_log=path)
            found = evidence.at_end()
            assert bool(found.kills) is heard
    finally:
        os.close(fd)


def tree(root, *, version, counter, machine=0, path="/user.slice/a"):
    proc, cgroups = root / "proc", root / "cgroup"
    for folder in (proc / "4242", proc / "self" / "ns"):
        folder.mkdir(parents=True, exist_ok=True)
    (proc / "vmstat").write_text(f"nr_free_pages 7\noom_kill {machine}\n")
    line = f"0::{path}\n" if version == 2 else f"4:cpu,memory:{path}\n0::/\n"
    (proc / "4242" / "cgroup").write_text(line)
    name, inside = ("memory.events", "") if version == 2 else ("memory.oom_control", "memory")
    folder = cgroups / inside / path.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"oom 9\noom_kill {counter}\noom_group_kill 5\n")
    return {"proc": proc, "cgroups": cgroups, "kernel_log": NOWHERE}


@pytest.mark.parametrize("version", [1, 2])
def test_the_counters_tell_what_rose_while_it_ran(tmp_path, version):
    evidence = Evidence(4242, **tree(tmp_path, version=version, counter=3, machine=10))
    tree(tmp_path, version=version, counter=4, machine=12)
    found = evidence.at_end()
    assert (found.group_kills, found.machine_kills) == (1, 2)
    assert (found.main, found.pids, found.kills) == (4242, {4242}, ())
    assert not found.log_complete


def test_a_group_that_is_gone_is_unknown_and_no_error(tmp_path):
    places = tree(tmp_path, version=2, counter=3)
    evidence = Evidence(4242, **places)
    (places["cgroups"] / "user.slice/a/memory.events").unlink()
    assert evidence.at_end().group_kills is None


def test_in_a_container_the_folders_root_is_the_containers_group(tmp_path):
    places = tree(tmp_path, version=2, counter=3)
    (places["proc"] / "4242" / "cgroup").write_text("0::/../elsewhere\n")
    (places["cgroups"] / "memory.events").write_text("oom_kill 1\n")
    evidence = Evidence(4242, **places)
    (places["cgroups"] / "memory.events").write_text("oom_kill 2\n")
    assert evidence.at_end().group_kills == 1


def test_where_nothing_can_be_read_nothing_is_known():
    found = Evidence(1, proc=NOWHERE, cgroups=NOWHERE, kernel_log=NOWHERE).at_end()
    assert (found.group_kills, found.machine_kills, found.log_complete) == (None, None, False)
    assert judged(-9, evidence=lambda: found).failure is FailureKind.OOM


def test_processes_that_were_seen_belong_to_the_run():
    evidence = Evidence(None)
    evidence.saw([5, 6])
    assert evidence.at_end().pids == {5, 6}


@contextlib.contextmanager
def small_group():
    """A cgroup of the test's own in which memory runs out soon; its ``cgroup.procs``."""
    v1 = CGROUPS / "memory"
    parent = v1 if (v1 / "memory.limit_in_bytes").exists() else CGROUPS
    group = parent / f"launch-tui-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        limits = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        names = limits if parent == v1 else ("memory.max", "memory.swap.max")
        for name, size in zip(names, (LIMIT, LIMIT if parent == v1 else 0), strict=True):
            if (group / name).exists():
                (group / name).write_text(str(size))
        if not (group / names[0]).exists():
            pytest.skip("no memory controller here")
        yield group / "cgroup.procs"
    finally:
        remove(group)


def remove(group):
    deadline = time.monotonic() + 5
    while True:
        try:
            return group.rmdir()
        except OSError:  # The kernel is not done with its last process.
            if time.monotonic() > deadline:
                raise


def job(program):
    """A process that begins its program when a line is written to it."""
    return subprocess.Popen(
        [sys.executable, "-IS", "-c", f"import sys\nsys.stdin.readline()\n{program}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_job_that_the_kernel_ends_for_memory():
    with small_group() as members, job(FILL) as process:
        members.write_text(str(process.pid))
        whole = Evidence(process.pid)
        counters = Evidence(process.pid, kernel_log=NOWHERE)
        _, error = process.communicate(b"\n")
        assert process.returncode == -signal.SIGKILL, error
        by_counters = judged(-9, evidence=counters.at_end)
        assert counters.at_end().group_kills == 1
        found = whole.at_end()
    assert by_counters.failure is FailureKind.OOM
    assert "cgroup" in by_counters.cause
    if found.log_complete:
        by_log = judged(-9, evidence=lambda: found)
        assert by_log.failure is FailureKind.OOM
        assert f"the kernel ended process {process.pid} (python" in by_log.cause
        assert "at its memory limit" in by_log.cause
        # It said what it saw, and an adopted run that began before hears it as well.
        assert Evidence(process.pid, started_at=time.time() - 60).at_end().kills


def test_a_job_that_somebody_kills_is_not_out_of_memory():
    with job("sys.stdin.read()") as process:
        evidence = Evidence(process.pid)
        process.kill()
        process.communicate()
    found = evidence.at_end()
    if not found.log_complete and found.machine_kills != 0:
        pytest.skip("this kernel does not say whom it ended")
    outcome = judged(process.returncode, evidence=evidence.at_end)
    assert outcome.failure is FailureKind.SIGNAL
    assert outcome.cause == "killed by SIGKILL (exit status 137)"


def test_a_job_that_is_refused_memory_says_so_itself():
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
    with job(limit + "bytearray(1 << 34)\n") as process:
        _, error = process.communicate(b"\n")
    outcome = judged(process.returncode, error.decode())
    assert outcome.failure is FailureKind.OOM
    assert outcome.cause == "exit status 1: out of memory: MemoryError"


@pytest.mark.skipif(not os.access(KERNEL_LOG, os.R_OK), reason="the kernel's log is not readable")
def test_the_kernels_clock_is_ours():
    """What is logged now is neither older than a moment nor in the future."""
    from launch_tui.agent import evidence

    fd = os.open(KERNEL_LOG, os.O_RDONLY | os.O_NONBLOCK)
    try:
        records = evidence._records(fd)
    finally:
        os.close(fd)
    assert records
    newest = evidence._header(records[-1])
    assert newest is not None
    assert newest[1] <= time.monotonic() + evidence.SLACK_S
