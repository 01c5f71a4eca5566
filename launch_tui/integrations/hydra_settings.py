"""The settings of ``hydra.launcher``, which every program of Hydra's reads at its start.

They cannot stand beside the launcher: Hydra executes the modules of ``hydra_plugins`` and does not
make them known, and a dataclass looks its own module up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class LaunchTuiLauncherConf:
    """Settings of ``hydra.launcher``; what is null leaves what the queue says.

    Attributes:
        submitit_folder: Where submitit keeps the function and its result; ``%j`` is the run's id.
        queue: The queue; null for what ``LAUNCH_TUI_QUEUE`` names, else ``default``.
        name: The name of the runs.
        timeout_min: Minutes that a job may take.
        signal_delay_s: Seconds before that at which it is told to checkpoint.
        max_num_timeout: How often a job that can checkpoint may run out of time.
        cpus_per_task: Processors to reserve for each job.
        gpus_per_node: GPUs to reserve for each job.
        mem_gb: GB of memory to reserve for each job.
        priority: Their priority level.
        tags: Their tags.
        project: Their wandb project.
        setenv: Variables of the jobs.
        resource_args: Laid on the queue's resource configuration.
        template_variables: Values for its holes.
    """

    _target_: str = "hydra_plugins.launch_tui_launcher.launcher.LaunchTuiLauncher"
    submitit_folder: str = "${hydra.sweep.dir}/.submitit/%j"
    queue: str | None = None
    name: str | None = "${hydra.job.name}"
    timeout_min: int | None = None
    signal_delay_s: int = 30
    max_num_timeout: int = 0
    cpus_per_task: int | None = None
    gpus_per_node: int | None = None
    mem_gb: float | None = None
    priority: str | None = None
    tags: list[str] = field(default_factory=list)
    project: str | None = None
    setenv: dict[str, str] = field(default_factory=dict)
    resource_args: dict[str, Any] = field(default_factory=dict)
    template_variables: dict[str, Any] = field(default_factory=dict)
