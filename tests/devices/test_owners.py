from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch_tui.devices import GpuProcess, Seen
from launch_tui.devices.owners import Owner, Use, attribute, owner_of
from launch_tui.domain.slots import Gpu, Held, HeldGpu, Stranger

G = 1024**3
MARK = "TEST_HANDLE"
NO_PID = 2**22 + 1
"""Above the largest pid that Linux gives out."""


@pytest.fixture
def process():
    started = []

    def start(code="", **variables):
        code = f"{code}\nprint('up', flush=True)\nimport signal; signal.pause()"
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            env={"PATH": os.environ["PATH"], **variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child, child.stdout.readline().split()

    yield start
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_marked_process_is_its_runs(process):
    child, _ = process(**{MARK: "r1.2"})
    owner = owner_of(child.pid, MARK)
    assert (owner.handle, owner.run_id, owner.user) == ("r1.2", "r1", getpass.getuser())


def test_a_child_that_cleared_its_environment_is_its_parents(process):
    code = """
import os
child = os.fork()
if not child:
    os.execve("/bin/sleep", ["sleep", "60"], {})
print(child, end=" ")
"""
    _, (pid, _) = process(code, **{MARK: "r1.2"})
    try:
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
            assert time.monotonic() < deadline
        assert MARK.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert owner_of(int(pid), MARK).run_id == "r1"
    finally:
        os.kill(int(pid), signal.SIGKILL)


def test_a_process_without_a_mark_is_nobodys_run(process):
    child, _ = process()
    owner = owner_of(child.pid, MARK)
    assert (owner.handle, owner.user) == ("", getpass.getuser())
    assert owner.lineage[0][0] == child.pid
    assert owner.lineage[1][0] == os.getpid()


def test_a_process_that_ended_is_gone(process):
    child, _ = process()
    owner = owner_of(child.pid, MARK)
    assert not owner.gone
    child.kill()
    child.wait()
    assert owner.gone


def test_a_pid_of_another_namespace_is_unknown_here():
    assert owner_of(NO_PID, MARK) == Owner(user=None)


def gpu(uuid="GPU-a", used=0):
    return Gpu(uuid=uuid, index=0, name="", memory_total=24 * G, memory_used=used)


def seen(*processes, used=0):
    found = tuple(GpuProcess(pid=pid, memory=memory) for pid, memory in processes)
    return Seen(gpu=gpu(used=used), processes=found)


def held(run_id, *uuids):
    return Held(run_id=run_id, gpus=tuple(HeldGpu(uuid=uuid) for uuid in uuids))


def test_a_holders_processes_are_no_strangers():
    device, uses = attribute(
        seen((5, G), (6, G)),
        {pid: Owner(user="me", handle="r1.1") for pid in (5, 6)},
        [held("r1", "GPU-a")],
    )
    assert device.strangers == ()
    assert uses == (Use(run_id="r1", memory=2 * G),)


def test_everybody_else_is_a_stranger():
    owners = {
        5: Owner(user="eve"),
        6: Owner(user="me", handle="r2.1"),
        7: Owner(user="me", handle="ended.1"),
    }
    runs = [held("r1", "GPU-a"), held("r2", "GPU-b")]
    device, _ = attribute(seen((5, 1), (6, 2), (7, 3)), owners, runs)
    assert device.strangers == (
        Stranger(pid=5, user="eve", memory=1),
        Stranger(pid=6, user="me", memory=2, run_id="r2"),
        Stranger(pid=7, user="me", memory=3),
    )


def test_what_an_ended_run_left_in_the_last_sample_is_passed_over(process):
    child, _ = process(**{MARK: "r1.1"})
    owners = {child.pid: owner_of(child.pid, MARK)}
    assert attribute(seen((child.pid, G)), owners, [])[0].strangers
    child.kill()
    child.wait()
    assert attribute(seen((child.pid, G)), owners, [])[0].strangers == ()


def test_a_process_that_cannot_be_looked_up_is_the_holders_where_there_is_one():
    owners = {NO_PID: Owner(user=None)}
    device, uses = attribute(seen((NO_PID, G)), owners, [held("r1", "GPU-a")])
    assert (device.strangers, uses) == ((), (Use(run_id="r1", memory=G),))
    device, uses = attribute(seen((NO_PID, G)), owners, [])
    assert (device.strangers, uses) == ((Stranger(pid=0, user="", memory=G),), ())


def test_memory_that_no_process_explains_is_somebodys():
    assert attribute(seen(used=2 * G), {}, [])[0].strangers == (
        Stranger(pid=0, user="", memory=2 * G),
    )
    assert attribute(seen(used=2 * G), {}, [held("r1", "GPU-a")])[0].strangers == ()
    assert attribute(seen(used=G // 2), {}, [])[0].strangers == ()


def test_a_process_whose_memory_is_not_told_has_what_is_left():
    owners = {5: Owner(user="eve"), 6: Owner(user="ann")}
    device, _ = attribute(seen((5, G), (6, None), used=4 * G), owners, [])
    assert [each.memory for each in device.strangers] == [G, 3 * G]
