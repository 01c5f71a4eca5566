from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from launch_tui.agent.devices import DeviceWatch
from launch_tui.devices import NoDevices, Sample, Seen, feed, record
from launch_tui.devices.nvidia import NvidiaGpus
from launch_tui.domain.slots import (
    Assignment,
    Gpu,
    Held,
    HeldGpu,
    Policy,
    Request,
    Shortage,
    Stranger,
)
from launch_tui.store.paths import Home
from launch_tui.targets.local_process import HANDLE_VARIABLE

_spec = importlib.util.spec_from_file_location(
    "nvml_fixture", Path(__file__).parent.parent / "simulated_nvml" / "nvml_fixture.py"
)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
nvml = _module.nvml

G = 1024**3


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not come"
        threading.Event().wait(0.002)
    return answer


def device(name="a", **changes):
    return {"uuid": f"GPU-{name}", "memory_total": 24 * G, **changes}


def holds(run_id, *names, memory=0, cpus=0.0):
    gpus = tuple(HeldGpu(uuid=f"GPU-{name}", memory=memory) for name in names)
    return Held(run_id=run_id, gpus=gpus, cpus=cpus)


def given(answer):
    assert isinstance(answer, Assignment), answer
    return [part.uuid[4:] for part in answer.gpus]


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def watch(home, nvml):
    started = []

    def start(*, every=0.005, sources=None, wait=True, **arguments):
        if sources is None:
            sources = [NvidiaGpus(nvml.module)]
            sources[0].every = every
        calls = []
        arguments = {"environment": {}, "cpus": 8.0, "memory": 64 * G, **arguments}
        made = DeviceWatch(home, changed=lambda: calls.append(1), sources=sources, **arguments)
        made.calls = calls
        started.append(made)
        made.start()
        if wait:
            until(lambda: made.ready)
        return made

    yield start
    for each in started:
        each.close()


@pytest.fixture
def process():
    started = []

    def start(**variables):
        code = "print('up', flush=True)\nimport signal; signal.pause()"
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            env={"PATH": os.environ["PATH"], **variables},
            stdout=subprocess.PIPE,
        )
        started.append(child)
        child.stdout.readline()
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()


def test_gpus_are_found_and_given(watch, nvml):
    nvml.tell(gpus=[device("a"), device("b")])
    seen = watch()
    assert given(seen.admit(Request(gpus=1), [])) == ["a"]
    assert given(seen.admit(Request(gpus=1), [holds("r1", "a")])) == ["b"]
    assert given(seen.admit(Request(gpus=2), [])) == ["a", "b"]


def test_a_stranger_who_comes_and_goes_is_noticed(watch, nvml, process):
    nvml.tell(gpus=[device("a")])
    seen = watch()
    before = until(lambda: len(seen.calls))
    pid = process().pid
    nvml.tell(gpus=[device("a", processes=[{"pid": pid, "memory": 2 * G}])])
    answer = until(lambda: isinstance(a := seen.admit(Request(gpus=1), []), Shortage) and a)
    assert answer.text.startswith(
        f"waits for GPU: 0 free of 1, needs 1, GPU 0 used by pid {pid} of"
    )
    until(lambda: len(seen.calls) > before)
    nvml.tell(gpus=[device("a")])
    until(lambda: isinstance(seen.admit(Request(gpus=1), []), Assignment))
    assert given(watch(policy=Policy(busy_memory=3 * G)).admit(Request(gpus=1), [])) == ["a"]


def test_the_threshold_and_the_order_can_be_changed_while_it_runs(watch, nvml, process):
    stranger = {"pid": process().pid, "memory": G}
    nvml.tell(gpus=[device("a", processes=[stranger]), device("b")])
    seen = watch()
    assert given(seen.admit(Request(gpus=1), [])) == ["b"]
    seen.configure(policy=Policy(busy_memory=G), cpus=2.0)
    assert given(seen.admit(Request(gpus=1), [])) == ["a"]
    assert seen.can_ever_fit(Request(cpus=3)) == "it asks for 3 CPUs, there are 2"
    seen.configure(policy=Policy(exclude=("0",)))
    assert given(seen.admit(Request(gpus=1), [])) == ["b"]


def test_our_own_runs_are_no_strangers_where_they_were_put(watch, nvml, process):
    pid = process(**{HANDLE_VARIABLE: "r1.1"}).pid
    nvml.tell(gpus=[device("a", processes=[{"pid": pid, "memory": 2 * G}])])
    seen = watch()
    held = [holds("r1", "a", memory=4 * G)]
    share = Request(gpu_memory=4 * G, sharing=True)
    assert given(seen.admit(share, held)) == ["a"]
    answer = seen.admit(share, [holds("r1")])
    assert answer.text.endswith("GPU 0 used by run r1, which was not given it")


def test_a_run_that_has_just_ended_leaves_its_gpu_at_once(watch, nvml, process):
    child = process(**{HANDLE_VARIABLE: "r1.1"})
    nvml.tell(gpus=[device("a", processes=[{"pid": child.pid, "memory": 2 * G}])])
    seen = watch(every=3600)
    child.kill()
    child.wait()
    assert given(seen.admit(Request(gpus=1), [])) == ["a"]


def test_a_change_of_what_is_held_has_the_driver_asked_at_once(watch, nvml):
    nvml.tell(gpus=[device("a")])
    seen = watch(every=3600)
    seen.holding([holds("r1", "a")])
    nvml.tell(gpus=[device("a", utilization=60)])
    seen.holding([])
    until(lambda: seen.machine().gpus[0].utilization == 60)


def test_what_hides_below_our_supervisor_is_ours(watch, nvml, process, home):
    supervisor, attempt = process(), home.attempt("r1", 2)
    attempt.mkdir(parents=True)
    stat = Path(f"/proc/{supervisor.pid}/stat").read_text().rpartition(") ")[2].split()
    start_time, boot = stat[19], Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    identity = f'"pid": {supervisor.pid}, "start_time": {start_time}, "boot_id": "{boot}"'
    above = identity.replace('"pid"', '"supervisor_pid"').replace('"start', '"supervisor_start')
    above = above.replace('"boot', '"supervisor_boot')
    (attempt / "pid").write_text(f"{{{identity}, {above}}}")
    nvml.tell(gpus=[device("a", processes=[{"pid": supervisor.pid, "memory": 2 * G}])])
    seen = watch()
    held = [holds("r1", "a", memory=4 * G)]
    share = Request(gpu_memory=4 * G, sharing=True)
    assert isinstance(seen.admit(share, held), Shortage)
    seen.holding(held)
    until(lambda: isinstance(seen.admit(share, held), Assignment))


def test_the_record_shows_gpus_runs_and_strangers(watch, nvml, process, home):
    mine, other = process(**{HANDLE_VARIABLE: "r1.1"}).pid, process().pid
    gpus = [
        device("a", utilization=90, processes=[{"pid": mine, "memory": 2 * G}]),
        device("b", processes=[{"pid": other, "memory": G}]),
    ]
    nvml.tell(gpus=gpus)
    seen = watch()
    seen.holding([holds("r1", "a")])
    devices = until(lambda: (d := record.read(home)) and d.runs and d)
    assert devices.runs == (record.RunUse(run_id="r1", uuid="GPU-a", assigned=0, used=2 * G),)
    first, second = devices.machine.gpus
    assert (first.utilization, first.strangers) == (90, ())
    assert [(each.pid, each.memory) for each in second.strangers] == [(other, G)]
    assert (devices.machine.cpus, devices.machine.memory) == (8.0, 64 * G)
    assert devices.trouble == ""


def test_the_record_is_written_for_news_only(watch, nvml, home):
    nvml.tell(gpus=[device("a", utilization=50)])
    source = CountingGpus(NvidiaGpus(nvml.module))
    seen = watch(sources=[source])
    until(lambda: record.read(home))
    inode = record.path_of(home).stat().st_ino
    calls = len(seen.calls)
    nvml.tell(gpus=[device("a", utilization=51)])
    asked = source.asked
    until(lambda: source.asked > asked + 3)
    assert record.path_of(home).stat().st_ino == inode
    nvml.tell(gpus=[device("a", utilization=80)])
    until(lambda: record.read(home).machine.gpus[0].utilization == 80)
    assert len(seen.calls) == calls


class CountingGpus:
    every = 0.002

    def __init__(self, source):
        self.source, self.asked = source, 0

    def sample(self):
        self.asked += 1
        return self.source.sample()

    def close(self):
        self.source.close()


def test_a_driver_that_goes_away_makes_runs_wait_and_says_so(watch, nvml, home):
    nvml.tell(gpus=[device("a")])
    seen = watch()
    nvml.tell(error="DRIVER_NOT_LOADED")
    answer = until(lambda: isinstance(a := seen.admit(Request(gpus=1), []), Shortage) and a)
    assert answer == Shortage(
        kind="gpu", text="waits for GPU: the NVIDIA driver does not answer (Driver not loaded)"
    )
    assert seen.can_ever_fit(Request(gpus=1)) == ""
    assert seen.admit(Request(cpus=1), []) == Assignment()
    until(lambda: "does not answer" in record.read(home).trouble)
    nvml.tell(gpus=[device("a")])
    until(lambda: isinstance(seen.admit(Request(gpus=1), []), Assignment))
    assert seen.trouble == ""


def test_a_lost_gpu_is_waited_for_and_the_others_go_on(watch, nvml):
    nvml.tell(gpus=[device("a"), device("b")])
    seen = watch()
    nvml.tell(gpus=[device("a"), device("b", error="GPU_IS_LOST")])
    answer = until(lambda: isinstance(a := seen.admit(Request(gpus=2), []), Shortage) and a)
    assert answer == Shortage(kind="gpu", text="waits for GPU: GPU 1 does not answer (Gpu is lost)")
    assert given(seen.admit(Request(gpus=1), [])) == ["a"]


def test_every_gpu_is_also_the_one_that_does_not_answer_now(watch, nvml):
    nvml.tell(gpus=[device("a"), device("b")])
    seen = watch()
    assert given(seen.admit(Request(every_gpu=True), [])) == ["a", "b"]
    nvml.tell(gpus=[device("a"), device("b", error="GPU_IS_LOST")])
    answer = until(lambda: isinstance(a := seen.admit(Request(every_gpu=True), []), Shortage) and a)
    assert answer == Shortage(kind="gpu", text="waits for GPU: GPU 1 does not answer (Gpu is lost)")
    assert seen.can_ever_fit(Request(every_gpu=True)) == ""


def test_a_driver_in_trouble_from_the_start_is_no_proof_of_no_gpu(watch, nvml):
    nvml.tell(error="DRIVER_NOT_LOADED")
    seen = watch()
    assert seen.can_ever_fit(Request(gpus=1)) == ""
    assert "does not answer" in seen.admit(Request(gpus=1), []).text


def test_a_library_that_breaks_is_survived(watch, nvml, monkeypatch, caplog):
    nvml.tell(gpus=[device("a")])
    seen = watch()
    healthy = nvml.module.nvmlDeviceGetCount
    monkeypatch.setattr(nvml.module, "nvmlDeviceGetCount", lambda: 1 / 0)
    until(lambda: "ZeroDivisionError" in seen.trouble)
    monkeypatch.setattr(nvml.module, "nvmlDeviceGetCount", healthy)
    until(lambda: isinstance(seen.admit(Request(gpus=1), []), Assignment))
    assert "asking for GPUs failed" in caplog.text


def test_without_gpus_it_looks_once_and_rests(watch, nvml, home, monkeypatch):
    monkeypatch.delenv(nvml.module.VARIABLE)
    source = CountingGpus(NvidiaGpus(nvml.module))
    seen = watch(sources=[source])
    assert until(lambda: record.read(home)).machine.gpus == ()
    assert source.asked == 1
    assert seen.can_ever_fit(Request(gpus=1)) == "it asks for 1 GPU, this machine has none"
    answer = seen.admit(Request(gpus=1), [])
    assert answer.kind == "never"
    seen.holding([holds("r1", cpus=7.0)])
    assert seen.admit(Request(cpus=2), [holds("r1", cpus=7.0)]).kind == "cpu"
    assert source.asked == 1


class SlowGpus:
    """A driver that does not answer until it is let."""

    every = 0.002

    def __init__(self):
        self.let = threading.Event()
        self.asked = threading.Event()

    def sample(self):
        self.asked.set()
        self.let.wait()
        return Sample(seen=(Seen(gpu=Gpu(uuid="GPU-a", index=0, name="", memory_total=G)),))

    def close(self):
        pass


def test_nobody_waits_for_a_driver_that_does_not_answer(watch, monkeypatch):
    source = SlowGpus()
    seen = watch(sources=[source], wait=False)
    try:
        assert source.asked.wait(10)
        assert seen.admit(Request(cpus=1), []) == Assignment()
        answer = seen.admit(Request(gpus=1), [])
        assert answer == Shortage(kind="gpu", text="waits for GPU: the driver has not answered yet")
        assert seen.can_ever_fit(Request(gpus=9)) == ""
        source.let.set()
        until(lambda: isinstance(seen.admit(Request(gpus=1), []), Assignment))
        source.let.clear()
        monkeypatch.setattr(feed, "SILENT_S", 0.01)
        answer = until(lambda: isinstance(a := seen.admit(Request(gpus=1), []), Shortage) and a)
        assert answer.text.startswith("waits for GPU: the driver has not answered for")
    finally:
        source.let.set()


def test_an_agent_that_was_given_part_of_the_machine_gives_no_more(watch, nvml):
    nvml.tell(gpus=[device("aaaa"), device("bbbb")])
    seen = watch(environment={"CUDA_VISIBLE_DEVICES": "1"})
    assert given(seen.admit(Request(gpus=1), [])) == ["bbbb"]
    assert seen.can_ever_fit(Request(gpus=2)) == "it asks for 2 GPUs, this machine has 1"


def test_idleness_counts_from_the_assignment_and_needs_all_gpus(watch, nvml):
    nvml.tell(gpus=[device("a", utilization=3), device("b", utilization=95)])
    source = CountingGpus(NvidiaGpus(nvml.module))
    seen = watch(sources=[source])
    until(lambda: seen.idle_for(["GPU-a"], 10) > 0.05)
    asked = source.asked
    until(lambda: source.asked > asked + 2)
    assert seen.idle_for(["GPU-a", "GPU-b"], 10) < seen.idle_for(["GPU-a"], 10)
    assert seen.idle_for(["GPU-a"], 10, running_for=0.01) == 0.01
    before = seen.idle_for(["GPU-a"], 10)
    seen.holding([holds("r1", "a")])
    assert seen.idle_for(["GPU-a"], 10) < before
    assert seen.idle_for([], 10) == 0.0
    assert seen.idle_for(["GPU-unknown"], 10) == 0.0


def test_a_driver_that_is_silent_makes_nobody_idle(watch, nvml):
    nvml.tell(gpus=[device("a", utilization=3)])
    seen = watch()
    until(lambda: seen.idle_for(["GPU-a"], 10) > 0)
    nvml.tell(error="DRIVER_NOT_LOADED")
    until(lambda: seen.trouble)
    until(lambda: seen.idle_for(["GPU-a"], 10) == 0)


def test_without_sources_everything_is_known_at_once(home):
    seen = DeviceWatch(home, changed=lambda: None, sources=[], cpus=2.0, memory=G)
    assert seen.ready
    assert seen.admit(Request(cpus=1), [holds("r", cpus=1.0)]) == Assignment()


def test_strangers_are_judged_by_what_is_held_now(watch, nvml, process):
    pid = process(**{HANDLE_VARIABLE: "r1.1"}).pid
    nvml.tell(gpus=[device("a", processes=[{"pid": pid, "memory": G}])])
    seen = watch(every=3600)
    assert seen.machine([holds("r1", "a")]).gpus[0].strangers == ()
    (stranger,) = seen.machine([]).gpus[0].strangers
    assert stranger == Stranger(pid=pid, user=stranger.user, memory=G)


def test_a_source_that_never_had_a_device_is_not_asked_again():
    class Nothing:
        every = 0.0

        def sample(self):
            raise NoDevices("none")

        def close(self):
            pass

    empty = feed.Feed(Nothing())
    assert empty.ask() == ()
    assert not empty.there
    assert empty.trouble == ""


PROGRAM = """
import sys, threading
from launch_tui.agent.devices import DeviceWatch
from launch_tui.domain.slots import Request
from launch_tui.store.paths import default_home
assert "pynvml" not in sys.modules
came = threading.Event()
watch = DeviceWatch(default_home(sys.argv[1]), changed=came.set)
watch.start()
assert came.wait(30)
print(watch.admit(Request(gpus=1), []).gpus[0].uuid)
watch.close()
"""


def test_a_process_of_its_own_finds_simulated_gpus(nvml, home):
    nvml.tell(gpus=[device("a")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home.root)],
        env={**os.environ, **nvml.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("GPU-a\n", "")
    assert record.read(home).machine.gpus[0].uuid == "GPU-a"
