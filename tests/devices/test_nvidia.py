from __future__ import annotations

import pytest

from launch_tui.devices import DriverGone, GpuProcess, NoDevices
from launch_tui.devices.nvidia import NvidiaGpus

G = 1024**3


def one(**changes):
    return {"uuid": "GPU-a", "name": "RTX", "memory_total": 24 * G, **changes}


@pytest.fixture
def source(nvml):
    source = NvidiaGpus(nvml.module)
    yield source
    source.close()


def test_what_the_driver_tells(nvml, source):
    nvml.tell(gpus=[one(utilization=73, temperature=61, memory_used=3 * G), one(uuid="GPU-b")])
    sample = source.sample()
    assert [each.gpu.index for each in sample.seen] == [0, 1]
    gpu = sample.seen[0].gpu
    assert (gpu.uuid, gpu.name, gpu.memory_total) == ("GPU-a", "RTX", 24 * G)
    assert (gpu.memory_used, gpu.utilization, gpu.temperature) == (3 * G, 73, 61)
    assert sample.note == ""


def test_processes_that_compute_and_draw_are_told_once(nvml, source):
    processes = [
        {"pid": 7, "memory": G, "kind": "both"},
        {"pid": 8, "memory": None, "kind": "compute"},
        {"pid": 9, "memory": 5, "kind": "graphics"},
    ]
    nvml.tell(gpus=[one(processes=processes)])
    assert source.sample().seen[0].processes == (
        GpuProcess(pid=7, memory=G),
        GpuProcess(pid=8, memory=None),
        GpuProcess(pid=9, memory=5),
    )


def test_what_a_gpu_does_not_support_is_none(nvml, source):
    nvml.tell(gpus=[{"uuid": "GPU-a", "utilization": None}])
    gpu = source.sample().seen[0].gpu
    assert (gpu.utilization, gpu.memory_total, gpu.memory_used) == (None, 0, 0)


def test_a_driver_older_than_the_module(nvml, source):
    nvml.tell(gpus=[one(old_driver=True, processes=[{"pid": 7, "memory": G}])])
    (seen,) = source.sample().seen
    assert seen.gpu.memory_used == G
    assert seen.processes == (GpuProcess(pid=7, memory=G),)


def test_mig_devices_take_the_place_of_their_gpu(nvml, source):
    parts = [one(uuid="MIG-1", memory_total=5 * G), one(uuid="MIG-2", memory_total=10 * G)]
    nvml.tell(gpus=[one(), one(uuid="GPU-b", mig=parts)])
    gpus = [each.gpu for each in source.sample().seen]
    assert [(gpu.uuid, gpu.index) for gpu in gpus] == [("GPU-a", 0), ("MIG-1", 200), ("MIG-2", 201)]
    assert [gpu.memory_total for gpu in gpus] == [24 * G, 5 * G, 10 * G]
    assert gpus[1].utilization is None
    assert gpus[1].temperature is None


def test_a_lost_gpu_is_left_out_with_a_note(nvml, source):
    nvml.tell(gpus=[one(), one(uuid="GPU-b", error="GPU_IS_LOST")])
    sample = source.sample()
    assert [each.gpu.uuid for each in sample.seen] == ["GPU-a"]
    assert sample.note.startswith("GPU 1 does not answer (Gpu is lost")


def test_a_driver_that_goes_away_and_comes_back(nvml, source):
    nvml.tell(gpus=[one()])
    assert source.sample().seen
    nvml.tell(error="DRIVER_NOT_LOADED")
    with pytest.raises(DriverGone, match="the NVIDIA driver does not answer"):
        source.sample()
    nvml.tell(gpus=[one()])
    assert source.sample().seen


def test_without_the_library_there_are_no_devices(nvml, source, monkeypatch):
    monkeypatch.delenv(nvml.module.VARIABLE)
    with pytest.raises(NoDevices):
        source.sample()


def test_the_simulation_has_the_numbers_and_calls_of_the_real_module(nvml):
    import pynvml

    for name in dir(nvml.module):
        if name.startswith("NVML_") or name == "nvmlMemory_v2":
            assert getattr(pynvml, name) == getattr(nvml.module, name), name
        elif name.startswith("nvml"):
            assert callable(getattr(pynvml, name)), name


def test_the_real_module_finds_gpus_or_says_why_not():
    source = NvidiaGpus()
    try:
        sample = source.sample()
    except (NoDevices, DriverGone) as error:
        refusal = error.cause
    else:
        refusal = ""
        assert all(each.gpu.uuid.startswith(("GPU-", "MIG-")) for each in sample.seen)
    finally:
        source.close()
    assert refusal in ("", "NVML is not installed") or "driver does not answer" in refusal
