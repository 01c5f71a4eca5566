from __future__ import annotations

import pytest

from launch_tui.devices.visible import seen_by, visible_devices
from launch_tui.domain.slots import Gpu


def test_nvidia_by_uuid():
    assert visible_devices(["GPU-b", "MIG-a"]) == {"CUDA_VISIBLE_DEVICES": "GPU-b,MIG-a"}


def test_amd_by_unique_id_and_counted_anew():
    assert visible_devices(["AMD-ac1b", "AMD-#3"]) == {
        "ROCR_VISIBLE_DEVICES": "GPU-ac1b,3",
        "HIP_VISIBLE_DEVICES": "0,1",
    }


def test_nothing_assigned_changes_nothing():
    assert visible_devices([]) == {}


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        (None, True),
        ("2", True),
        ("0, 2", True),
        ("GPU-abcd", True),
        ("GPU-abcdef", True),
        ("0,1", False),
        ("", False),
        ("-1,2", False),
        ("GPU-x", False),
    ],
)
def test_an_agent_gives_no_gpu_that_it_was_not_given(told, seen):
    gpu = Gpu(uuid="GPU-abcdef", index=2, name="", memory_total=1)
    environment = {} if told is None else {"CUDA_VISIBLE_DEVICES": told}
    assert seen_by(gpu, environment) is seen


def test_cuda_does_not_limit_amd():
    gpu = Gpu(uuid="AMD-abcdef", index=2, name="", memory_total=1)
    assert seen_by(gpu, {"CUDA_VISIBLE_DEVICES": ""})
