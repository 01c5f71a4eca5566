"""AMD's GPUs, through ``rocm-smi`` and the kernel's own account of who uses which.

``rocm-smi --showpids`` tells how many GPUs a process uses and not which, so the memory of each
process on each GPU is read from ``/sys/class/kfd``. Where the kernel does not say it, memory in use
that no process explains still shows that a GPU is taken.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.devices import DriverGone, GpuProcess, NoDevices, Sample, Seen
from launch_tui.domain.slots import Gpu

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EVERY_S = 10.0
"""One ``rocm-smi`` starts a Python and takes about half a second of a CPU."""

ANSWER_S = 20.0
"""How long ``rocm-smi`` may take; it hangs when the driver does."""

PREFIX = "AMD-"
"""Before a GPU's unique id, so that nobody takes it for one of NVIDIA's."""

COMMAND = (
    "rocm-smi", "--showid", "--showuniqueid", "--showproductname", "--showmeminfo", "vram",
    "--showuse", "--showtemp", "--showpids", "--json",
)  # fmt: skip

_KFD = Path("/sys/class/kfd/kfd/proc")
_USUAL_PLACE = Path("/opt/rocm/bin/rocm-smi")
_CARD = re.compile(r"card(\d+)\Z")
_NAMES = ("Card Series", "Card series", "Device Name", "Card Model", "Card model")


class AmdGpus:
    """Runs ``rocm-smi``.

    Args:
        kfd: Where the kernel lists the processes that compute.
    """

    every = EVERY_S

    def __init__(self, kfd: Path = _KFD) -> None:
        self._kfd = kfd

    def sample(self) -> Sample:
        """Look at all GPUs.

        Raises:
            NoDevices: There is no ``rocm-smi``, or it knows no GPU.
            DriverGone: It does not answer, or not in a way that can be read.
        """
        program = shutil.which(COMMAND[0]) or (str(_USUAL_PLACE) if _USUAL_PLACE.exists() else "")
        if not program:
            raise NoDevices("there is no rocm-smi")
        answer = _ask(program)
        cards = sorted(
            (int(found[1]), values)
            for name, values in answer.items()
            if (found := _CARD.match(name)) and isinstance(values, dict)
        )
        if not cards:
            raise NoDevices("rocm-smi knows no GPU")
        return Sample(seen=tuple(self._card(index, values) for index, values in cards))

    def close(self) -> None:
        """Nothing is kept open."""

    def _card(self, index: int, values: Mapping[str, Any]) -> Seen:
        unique = str(values.get("Unique ID", "")).lower().removeprefix("0x")
        known = re.fullmatch(r"[0-9a-f]+", unique) and unique.strip("0")
        temperatures = [
            int(number)
            for name, value in values.items()
            if name.startswith("Temperature") and (number := _number(value)) is not None
        ]
        use = _number(values.get("GPU use (%)"))
        gpu = Gpu(
            uuid=f"{PREFIX}{unique}" if known else f"{PREFIX}#{index}",
            index=index,
            name=next((str(values[name]) for name in _NAMES if values.get(name)), "AMD GPU"),
            memory_total=int(_number(values.get("VRAM Total Memory (B)")) or 0),
            memory_used=int(_number(values.get("VRAM Total Used Memory (B)")) or 0),
            utilization=None if use is None else int(use),
            temperature=max(temperatures, default=None),
        )
        return Seen(gpu=gpu, processes=tuple(self._processes(str(values.get("GUID", "")))))

    def _processes(self, gpu_id: str) -> Iterator[GpuProcess]:
        if not gpu_id.isdigit():
            return
        for file in sorted(self._kfd.glob(f"*/vram_{gpu_id}")):
            try:
                memory = int(file.read_text())
            except (OSError, ValueError):
                continue  # It has just ended.
            if memory and file.parent.name.isdigit():
                yield GpuProcess(pid=int(file.parent.name), memory=memory)


def _ask(program: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [program, *COMMAND[1:]],
            capture_output=True,
            check=True,
            timeout=ANSWER_S,
            stdin=subprocess.DEVNULL,
        )
        # Warnings go to the same stream, before the document.
        text = done.stdout.decode(errors="replace")
        answer = json.loads(text[max(text.find("{"), 0) :])
    except subprocess.TimeoutExpired as error:
        raise DriverGone(f"rocm-smi gave no answer within {ANSWER_S:.0f} s") from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise DriverGone(f"rocm-smi failed ({error})") from error
    except ValueError as error:
        raise DriverGone("rocm-smi gave an answer that is no JSON") from error
    return answer if isinstance(answer, dict) else {}


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None
