"""What a checked resource configuration of local-container means, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch_tui.domain.limits import GpuIdleStop
    from launch_tui.targets.container_mounts import Device, Volume
    from launch_tui.targets.container_values import Port


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderConfig:
    """What the build of a job's image is told. ``secrets`` are names, which the agent resolves."""

    base_image: str = ""
    accelerator: str = ""
    build_args: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """How the container of a run is made and what it may use.

    Sizes are bytes (``gpu_memory`` for each GPU), times seconds; 0, None and nothing are "not
    said". ``every_gpu`` is ``gpus: all``. -1 in ``memory_swap``, ``cpu_quota`` and ``pids_limit``
    is no limit. ``pull`` is when to pull the image, ``rm`` whether the container goes when the
    outcome is stored.
    """

    env: dict[str, str] = field(default_factory=dict)
    env_file: tuple[str, ...] = ()
    cpus: float = 0.0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    memory: int = 0
    memory_reservation: int = 0
    memory_swap: int | None = None
    shm_size: int = 0
    pids_limit: int | None = None
    ulimit: dict[str, tuple[int, int]] = field(default_factory=dict)
    gpus: int = 0
    every_gpu: bool = False
    gpu_memory: int = 0
    gpu_sharing: bool = False
    device: tuple[Device, ...] = ()
    volume: tuple[Volume, ...] = ()
    mount: tuple[Volume, ...] = ()
    tmpfs: dict[str, str] = field(default_factory=dict)
    network: str = ""
    add_host: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    publish: tuple[Port, ...] = ()
    hostname: str = ""
    user: str = ""
    group_add: tuple[str, ...] = ()
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    label: dict[str, str] = field(default_factory=dict)
    init: bool = True
    ipc: str = ""
    pid: str = ""
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    privileged: bool = False
    platform: str = ""
    pull: str = ""
    rm: bool = True
    timeout: float | None = None
    start_timeout: float | None = None
    gpu_idle_stop: GpuIdleStop | None = None
    wandb: str = ""
    sync: str = ""
    builder: BuilderConfig | None = None
