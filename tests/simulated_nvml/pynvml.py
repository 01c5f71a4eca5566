"""NVML without a GPU: answers from the JSON file that ``SIMULATED_NVML`` names.

Put this folder on PYTHONPATH and the product finds these GPUs. The file is read at each call, so a
test changes the machine under a running agent by replacing it::

    {"error": "DRIVER_NOT_LOADED",               # the whole driver; absent or "" when it works
     "gpus": [{"uuid": "GPU-aaaa", "name": "Simulated", "memory_total": 25769803776,
               "memory_used": 0, "utilization": 0, "temperature": 40, "error": "GPU_IS_LOST",
               "processes": [{"pid": 4711, "memory": 1073741824}],
               "mig": [{"uuid": "MIG-bbbb", ...}]}]}

Only what the product calls is here, with NVML's own names, numbers and refusals.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

VARIABLE = "SIMULATED_NVML"

NVML_ERROR_UNINITIALIZED = 1
NVML_ERROR_INVALID_ARGUMENT = 2
NVML_ERROR_NOT_SUPPORTED = 3
NVML_ERROR_NO_PERMISSION = 4
NVML_ERROR_NOT_FOUND = 6
NVML_ERROR_DRIVER_NOT_LOADED = 9
NVML_ERROR_LIBRARY_NOT_FOUND = 12
NVML_ERROR_FUNCTION_NOT_FOUND = 13
NVML_ERROR_GPU_IS_LOST = 15
NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25
NVML_ERROR_NO_DATA = 21
NVML_ERROR_UNKNOWN = 999

NVML_TEMPERATURE_GPU = 0
nvmlMemory_v2 = 0x02000028

_initialised = False


class NVMLError(Exception):
    def __init__(self, value):
        super().__init__(value)
        self.value = value

    def __str__(self):
        names = {number: name for name, number in globals().items() if name.startswith("NVML_ERR")}
        return names[self.value].removeprefix("NVML_ERROR_").replace("_", " ").capitalize()


class NVMLLibraryMismatchError(Exception):
    """What the real module raises for a driver that is older than it."""


def _machine():
    path = os.environ.get(VARIABLE)
    if not path:
        raise NVMLError(NVML_ERROR_LIBRARY_NOT_FOUND)
    told = json.loads(Path(path).read_text())
    if told.get("error"):
        raise NVMLError(globals()[f"NVML_ERROR_{told['error']}"])
    return told


def _asked():
    if not _initialised:
        raise NVMLError(NVML_ERROR_UNINITIALIZED)
    return _machine()


def _device(handle):
    device = _asked()["gpus"][handle[0]]
    if device.get("error"):
        raise NVMLError(globals()[f"NVML_ERROR_{device['error']}"])
    return device if handle[1] is None else device["mig"][handle[1]]


def nvmlInit():
    global _initialised
    _machine()
    _initialised = True


def nvmlShutdown():
    global _initialised
    if not _initialised:
        raise NVMLError(NVML_ERROR_UNINITIALIZED)
    _initialised = False


def nvmlDeviceGetCount():
    return len(_asked()["gpus"])


def nvmlDeviceGetHandleByIndex(index):
    _device((index, None))
    return (index, None)


def nvmlDeviceGetUUID(handle):
    return _device(handle)["uuid"]


def nvmlDeviceGetName(handle):
    return _device(handle).get("name", "Simulated")


def nvmlDeviceGetMemoryInfo(handle, version=None):
    device = _device(handle)
    if version and device.get("old_driver"):
        raise NVMLError(NVML_ERROR_FUNCTION_NOT_FOUND)
    if "memory_total" not in device:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    processes = sum(each.get("memory") or 0 for each in device.get("processes", ()))
    used = device.get("memory_used", processes)
    return SimpleNamespace(total=device["memory_total"], used=used)


def nvmlDeviceGetUtilizationRates(handle):
    device = _device(handle)
    if handle[1] is not None or device.get("utilization", 0) is None:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return SimpleNamespace(gpu=device.get("utilization", 0), memory=0)


def nvmlDeviceGetTemperature(handle, sensor):
    if handle[1] is not None:
        raise NVMLError(NVML_ERROR_INVALID_ARGUMENT)
    return _device(handle).get("temperature", 40)


def _processes(handle, but, newest):
    device = _device(handle)
    if newest and device.get("old_driver"):
        raise NVMLLibraryMismatchError
    return [
        SimpleNamespace(pid=each["pid"], usedGpuMemory=each.get("memory"))
        for each in device.get("processes", ())
        if each.get("kind", "compute") != but
    ]


def nvmlDeviceGetComputeRunningProcesses(handle):
    return _processes(handle, "graphics", newest=True)


def nvmlDeviceGetComputeRunningProcesses_v2(handle):
    return _processes(handle, "graphics", newest=False)


def nvmlDeviceGetGraphicsRunningProcesses(handle):
    return _processes(handle, "compute", newest=True)


def nvmlDeviceGetGraphicsRunningProcesses_v2(handle):
    return _processes(handle, "compute", newest=False)


def nvmlDeviceGetMigMode(handle):
    device = _device(handle)
    if "mig" not in device:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return [1, 1]


def nvmlDeviceGetMaxMigDeviceCount(handle):
    return 7 if "mig" in _device(handle) else 0


def nvmlDeviceGetMigDeviceHandleByIndex(handle, index):
    if index >= len(_device(handle)["mig"]):
        raise NVMLError(NVML_ERROR_NOT_FOUND)
    return (handle[0], index)
