from __future__ import annotations

import json
import os

import pytest

from launch_tui.devices import DriverGone, GpuProcess, NoDevices, amd
from launch_tui.devices.amd import AmdGpus

# As ROCm 6 answers; the numbers are those of an MI210 and of a card without a unique id.
ANSWER = {
    "card0": {
        "Device Name": "AMD Instinct MI210",
        "Device ID": "0x740f",
        "GUID": "31915",
        "Unique ID": "0xAC1B58F8C066790F",
        "Temperature (Sensor edge) (C)": "41.0",
        "Temperature (Sensor junction) (C)": "44.0",
        "Temperature (Sensor memory) (C)": "N/A",
        "GPU use (%)": "97",
        "VRAM Total Memory (B)": "68702699520",
        "VRAM Total Used Memory (B)": "15053770752",
        "Card Series": "AMD Instinct MI210",
    },
    "card1": {
        "Unique ID": "N/A",
        "GPU use (%)": "N/A",
        "VRAM Total Memory (B)": "17163091968",
        "VRAM Total Used Memory (B)": "10485760",
    },
    "system": {"PID132174": "llama-server, 2, 15053770752, 0, unknown"},
}


@pytest.fixture
def rocm_smi(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "rocm-smi"

    def answer(text, status=0):
        (folder / "answer").write_text(text)
        script = f'#!/bin/sh\necho "$@" > {folder}/asked\ncat {folder}/answer\nexit {status}\n'
        program.write_text(script)
        program.chmod(0o755)
        return folder

    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return answer


def test_what_rocm_smi_tells(rocm_smi, tmp_path):
    folder = rocm_smi(
        "WARNING: AMD GPU device(s) is/are in a low-power state.\n" + json.dumps(ANSWER)
    )
    kfd = tmp_path / "kfd"
    for pid, memory in ((132174, 15053770752), (9, 0)):
        (kfd / str(pid)).mkdir(parents=True)
        (kfd / str(pid) / "vram_31915").write_text(f"{memory}\n")
    first, second = AmdGpus(kfd).sample().seen
    assert (first.gpu.uuid, first.gpu.index) == ("AMD-ac1b58f8c066790f", 0)
    assert first.gpu.name == "AMD Instinct MI210"
    assert (first.gpu.memory_total, first.gpu.memory_used) == (68702699520, 15053770752)
    assert (first.gpu.utilization, first.gpu.temperature) == (97, 44)
    assert first.processes == (GpuProcess(pid=132174, memory=15053770752),)
    assert (second.gpu.uuid, second.gpu.index) == ("AMD-#1", 1)
    assert (second.gpu.utilization, second.gpu.temperature) == (None, None)
    assert second.processes == ()
    assert (folder / "asked").read_text().split() == list(amd.COMMAND[1:])


def test_no_program_or_no_card_is_no_device(rocm_smi, monkeypatch, tmp_path):
    rocm_smi("{}")
    with pytest.raises(NoDevices):
        AmdGpus().sample()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoDevices):
        AmdGpus().sample()


def test_a_program_that_fails_is_a_driver_in_trouble(rocm_smi):
    rocm_smi("", status=2)
    with pytest.raises(DriverGone, match="rocm-smi failed"):
        AmdGpus().sample()
    rocm_smi("ERROR: no idea")
    with pytest.raises(DriverGone, match="no JSON"):
        AmdGpus().sample()


def test_a_program_that_hangs_is_given_up(rocm_smi, monkeypatch):
    folder = rocm_smi("{}")
    (folder / "rocm-smi").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(amd, "ANSWER_S", 0.05)
    with pytest.raises(DriverGone, match="no answer"):
        AmdGpus().sample()
