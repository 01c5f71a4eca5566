"""Which GPUs a process may see: what a job is told, and what this process was told itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch_tui.devices.amd import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.slots import Gpu

NVIDIA = "CUDA_VISIBLE_DEVICES"


def visible_devices(gpus: Sequence[str]) -> dict[str, str]:
    """Return the environment variables that show a job these GPUs alone.

    NVIDIA's are named by UUID, because CUDA counts them in another order than nvidia-smi does.
    AMD's runtime takes UUIDs in ``ROCR_VISIBLE_DEVICES``; ``HIP_VISIBLE_DEVICES`` then counts what
    that leaves.

    A job that was given no GPU keeps its environment: who never asks for GPUs has them all as
    without a queue. What it then uses counts as occupied when others ask.

    Args:
        gpus: The UUIDs that were assigned, in order.
    """
    amd = [gpu.removeprefix(PREFIX) for gpu in gpus if gpu.startswith(PREFIX)]
    nvidia = [gpu for gpu in gpus if not gpu.startswith(PREFIX)]
    variables = {NVIDIA: ",".join(nvidia)} if nvidia else {}
    if amd:
        names = [name[1:] if name.startswith("#") else f"GPU-{name}" for name in amd]
        variables["ROCR_VISIBLE_DEVICES"] = ",".join(names)
        variables["HIP_VISIBLE_DEVICES"] = ",".join(str(place) for place in range(len(amd)))
    return variables


def seen_by(gpu: Gpu, environment: Mapping[str, str]) -> bool:
    """Whether a process with this environment may use a GPU of NVIDIA's.

    An agent that was itself given part of a machine, by a scheduler or by hand, hands out no more.
    As CUDA does, the list ends at the first name that is none (``-1``, say).
    """
    told = environment.get(NVIDIA)
    if told is None or gpu.uuid.startswith(PREFIX):
        return True
    for name in (part.strip() for part in told.split(",")):
        if name == str(gpu.index) or (len(name) > 4 and gpu.uuid.startswith(name)):
            return True
        if not (name.isdigit() or name.startswith(("GPU-", "MIG-"))):
            return False
    return False
