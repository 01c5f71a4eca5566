"""How a container is given the GPUs that were assigned to its run, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch_tui.engine.facts import EngineFacts

AMD = "AMD-"
"""How the ids of AMD's GPUs begin here."""
CDI = "nvidia.com/gpu="
DEV = Path("/dev")

_TOOLKIT = (
    "Install nvidia-container-toolkit, run `nvidia-ctk runtime configure`, restart Docker, then "
    "rerun"
)


def check_gpus(gpus: Sequence[str], facts: EngineFacts) -> None:
    """Raise unless the engine can hand out these GPUs.

    Raises:
        StartFailed: With what to install.
    """
    if not facts.has_nvidia and any(not gpu.startswith(AMD) for gpu in gpus):
        raise StartFailed("the Docker engine cannot hand out NVIDIA GPUs", next_step=_TOOLKIT)


def gpu_options(gpus: Sequence[str], facts: EngineFacts, dev: Path = DEV) -> dict[str, list[Any]]:
    """Return what is added to the options of a container that is given GPUs.

    AMD's driver shows all GPUs through one device: which of them the job uses is said by its
    variables.

    Args:
        gpus: Their ids, as they were assigned.
        facts: The engine.
        dev: Where devices are.
    """
    nvidia = [gpu for gpu in gpus if not gpu.startswith(AMD)]
    found: dict[str, list[Any]] = {}
    if nvidia and "nvidia" not in facts.runtimes:
        found["DeviceRequests"] = [{"Driver": "cdi", "DeviceIDs": [CDI + gpu for gpu in nvidia]}]
    elif nvidia:
        found["DeviceRequests"] = [{"DeviceIDs": nvidia, "Capabilities": [["gpu"]]}]
    if len(nvidia) < len(gpus):
        places = [dev / "kfd", dev / "dri"]
        found["Devices"] = [
            {"PathOnHost": str(d), "PathInContainer": str(d), "CgroupPermissions": "rwm"}
            for d in places
        ]
        found["GroupAdd"] = sorted(_groups([dev / "kfd", *dev.glob("dri/renderD*")]))
    return found


def _groups(devices: Sequence[Path]) -> set[str]:
    """Return the groups that may use the devices, but for root's."""
    found = set()
    for device in devices:
        try:
            found.add(device.stat().st_gid)
        except OSError:
            continue
    return {str(group) for group in found if group}
