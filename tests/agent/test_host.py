from __future__ import annotations

import threading
import time

import pytest

from launch_tui.agent.host import HostWatch
from launch_tui.domain.slots import Gpu, Machine
from launch_tui.sdk.devices import HostFile
from launch_tui.store.paths import Home

G = 1024**3
GPU = Gpu(uuid="GPU-a", index=0, name="A100", memory_total=80 * G, memory_used=5 * G,
          utilization=60, temperature=50)  # fmt: skip


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    made.create()
    return made


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not come"
        threading.Event().wait(0.005)
    return answer


def test_how_the_machine_stands_is_written_down(home):
    (home.runs / "r1").mkdir()
    (home.runs / "r1" / "run-1.wandb").write_bytes(b"x" * 50_000)
    watch = HostWatch(home, lambda: Machine(gpus=(GPU,)), every=0.01)
    watch.start()
    file = HostFile(home)
    until(lambda: file.look() and len(file.looks) > 3 and file.last.folders)
    watch.close()
    last = file.last
    assert abs(last.at - time.time()) < 5
    assert 0 <= last.cpu <= 1
    assert 0 < last.memory_used < last.memory_total
    assert 0 < last.disk_free <= last.disk_total
    assert last.gpus["GPU-a"].busy == 60
    assert last.folders["runs"] >= 50_000
    until(lambda: not watch._thread.is_alive())


def test_when_the_queues_were_polled_is_written_down(home):
    times = iter([None, 1.25])
    watch = HostWatch(home, Machine, polled=lambda: next(times, 7.0), every=0.01)
    watch.start()
    file = HostFile(home)
    until(lambda: file.look() and file.last.polled_at == 7.0)
    watch.close()
    assert [look.polled_at for look in file.looks][:3] == [None, 1.25, 7.0]


def test_sizes_are_known_from_the_agent_before(home):
    for _ in range(2):
        watch = HostWatch(home, Machine, every=0.01)
        watch.start()
        file = HostFile(home)
        until(lambda file=file: file.look() and file.last.folders is not None)
        watch.close()


def test_a_disk_in_trouble_ends_nothing(home, monkeypatch):
    calls = []

    def broken(path):
        calls.append(path)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("launch_tui.devices.host.disk", broken)
    watch = HostWatch(home, Machine, every=0.005)
    watch.start()
    until(lambda: len(calls) > 3)
    assert watch._thread.is_alive()
    watch.close()
