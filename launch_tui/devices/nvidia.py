"""NVIDIA's GPUs and MIG devices, through NVML (the library that nvidia-smi uses).

The driver may go away under a running agent (an update, a GPU that falls off the bus) and come
back: after an error of the driver as a whole NVML is initialised anew at the next sample, and a
single GPU that fails is left out with a note. What a GPU does not support is None, never an error.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from launch_tui.devices import DriverGone, GpuProcess, NoDevices, Sample, Seen
from launch_tui.domain.slots import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERY_S = 2.0

MIG_INDEX = 100
"""MIG device 1 of GPU 0 has the index 101, of GPU 3 401: no two devices have the same."""

T = TypeVar("T")


class NvidiaGpus:
    """Asks NVML; made and used on one thread.

    Args:
        nvml: The module to ask, ``pynvml`` unless given.
    """

    every = EVERY_S

    def __init__(self, nvml: Any = None) -> None:  # noqa: ANN401
        self._nvml = nvml
        self._open = False

    def sample(self) -> Sample:
        """Look at all GPUs.

        Raises:
            NoDevices: NVML is not installed.
            DriverGone: The driver does not answer.
        """
        if self._nvml is None:
            import pynvml

            self._nvml = pynvml
        try:
            self._initialise()
            return self._look()
        except self._nvml.NVMLError as error:
            self.close()
            if self._is(error, "NVML_ERROR_LIBRARY_NOT_FOUND"):
                raise NoDevices("NVML is not installed") from error
            raise DriverGone(f"the NVIDIA driver does not answer ({error})") from error

    def close(self) -> None:
        """Let go of the driver."""
        if self._open:
            self._open = False
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _initialise(self) -> None:
        if not self._open:
            self._nvml.nvmlInit()
            self._open = True

    def _look(self) -> Sample:
        seen: list[Seen] = []
        lost: list[str] = []
        count = self._nvml.nvmlDeviceGetCount()
        for index in range(count):
            try:
                seen += self._devices(index)
            except self._nvml.NVMLError as error:
                if self._is(error, "NVML_ERROR_UNINITIALIZED", "NVML_ERROR_DRIVER_NOT_LOADED"):
                    raise
                lost.append(f"GPU {index} does not answer ({error})")
        if lost and not seen:
            raise DriverGone(", ".join(lost))
        return Sample(seen=tuple(seen), note=", ".join(lost))

    def _devices(self, index: int) -> Iterator[Seen]:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        modes = self._told(lambda: self._nvml.nvmlDeviceGetMigMode(handle))
        if not modes or modes[0] != 1:
            yield self._device(handle, index)
            return
        # A GPU in MIG mode runs nothing itself: its instances are the devices.
        for number in range(self._nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
            instance = self._told(self._nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
            if instance is not None:
                yield self._device(instance, MIG_INDEX * (index + 1) + number)

    def _device(self, handle: Any, index: int) -> Seen:  # noqa: ANN401
        nvml = self._nvml
        memory = self._memory(handle)
        rates = self._told(nvml.nvmlDeviceGetUtilizationRates, handle)
        gpu = Gpu(
            uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
            index=index,
            name=_text(self._told(nvml.nvmlDeviceGetName, handle) or "GPU"),
            memory_total=memory.total if memory else 0,
            memory_used=memory.used if memory else 0,
            utilization=rates.gpu if rates else None,
            temperature=self._told(nvml.nvmlDeviceGetTemperature, handle, 0),
        )
        return Seen(gpu=gpu, processes=self._processes(handle))

    def _memory(self, handle: Any) -> Any:  # noqa: ANN401
        # The first version counts what the driver reserves for itself as used.
        version = getattr(self._nvml, "nvmlMemory_v2", None)
        told = self._told(self._nvml.nvmlDeviceGetMemoryInfo, handle, version) if version else None
        return told or self._told(self._nvml.nvmlDeviceGetMemoryInfo, handle)

    def _processes(self, handle: Any) -> tuple[GpuProcess, ...]:  # noqa: ANN401
        found: dict[int, int | None] = {}
        # A process that computes and draws is in both lists, with the same memory.
        for kind in ("Graphics", "Compute"):
            name = f"nvmlDeviceGet{kind}RunningProcesses"
            told = self._told(getattr(self._nvml, name), handle)
            if told is None:
                told = self._told(getattr(self._nvml, f"{name}_v2"), handle)
            for process in told or ():
                found[process.pid] = process.usedGpuMemory
        return tuple(GpuProcess(pid=pid, memory=memory) for pid, memory in sorted(found.items()))

    def _told(self, ask: Callable[..., T], *arguments: object) -> T | None:
        """Return the answer, None where this GPU or driver has no such thing.

        Raises:
            NVMLError: The GPU or the driver is in trouble.
        """
        try:
            return ask(*arguments)
        except self._nvml.NVMLError as error:
            if self._is(error, *_NOT_TOLD):
                return None
            raise
        except self._nvml.NVMLLibraryMismatchError:
            return None  # A driver older than the module, which has older calls.

    def _is(self, error: Any, *names: str) -> bool:  # noqa: ANN401
        return any(error.value == getattr(self._nvml, name, None) for name in names)


_NOT_TOLD = (
    "NVML_ERROR_NOT_SUPPORTED",
    "NVML_ERROR_NO_PERMISSION",
    "NVML_ERROR_NOT_FOUND",
    "NVML_ERROR_INVALID_ARGUMENT",
    "NVML_ERROR_FUNCTION_NOT_FOUND",
    "NVML_ERROR_ARGUMENT_VERSION_MISMATCH",
    "NVML_ERROR_NO_DATA",
)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
