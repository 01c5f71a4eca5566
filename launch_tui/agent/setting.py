"""What an attempt's resource configuration comes to when it starts: its values, its macros.

An attempt without any configuration costs nothing here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.agent.environment import expand_resources, macro_values
from launch_tui.domain.config_keys import read_flag
from launch_tui.domain.queue import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.limits import GpuIdleStop
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.errors import StartFailed
    from launch_tui.targets.container_config import ContainerConfig
    from launch_tui.targets.local_process_keys import LocalProcessConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The configuration of one attempt, ready to be used.

    ``process`` and ``container`` are what it means for the target that it is for; both are None
    without a configuration. ``resources`` is the same as plain values, macros expanded.
    """

    process: LocalProcessConfig | None = None
    container: ContainerConfig | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    macros: Mapping[str, str] = field(default_factory=dict)

    @property
    def timeout(self) -> float | None:
        """How long the job may run, in seconds."""
        return self._config.timeout if self._config else None

    @property
    def start_timeout(self) -> float | None:
        """How long it may take until the job runs, in seconds."""
        return self._config.start_timeout if self._config else None

    @property
    def gpu_idle_stop(self) -> GpuIdleStop | None:
        """When idle GPUs end the job."""
        return self._config.gpu_idle_stop if self._config else None

    @property
    def env(self) -> Mapping[str, str]:
        """The variables that the configuration gives the job."""
        return self._config.env if self._config else {}

    @property
    def _config(self) -> LocalProcessConfig | ContainerConfig | None:
        return self.process or self.container

    async def wrapped(self, command: Sequence[str], name: str) -> tuple[str, ...]:
        """Return the command that starts a process under this configuration."""
        if self.process is None:
            return tuple(command)
        from launch_tui.targets.job_wrapper import wrap

        return await asyncio.to_thread(wrap, command, self.process, name=name, macros=self.macros)

    def start_failure(self, exit_code: int | None, log_tail: str) -> StartFailed | None:
        """Return why the job was never reached, None when its exit status is its own."""
        if self.process is None or not exit_code:
            return None
        from launch_tui.targets.job_wrapper import start_failure

        return start_failure(exit_code, log_tail, self.process)


def keeps_container(spec: RunSpec) -> bool:
    """Say whether a run's container stays after its end: by ``--keep``, or by ``rm: false``."""
    return spec.keep or read_flag(spec.resources.get("rm")) is False


def setting_of(run: Run, spec: RunSpec, allowed: Sequence[str], *, image: str = "") -> Setting:
    """Return the setting of a run's attempt.

    Args:
        run: The run, with the GPUs that it was given.
        spec: Its frozen request.
        allowed: The agent's variables that macros may name.
        image: The image that it runs in, once that is known.
    """
    if not spec.resources:
        return Setting()
    macros = macro_values(run, spec, run.gpus, allowed=allowed, image=image)
    resources = expand_resources(spec.resources, macros)
    if run.resource == Resource.LOCAL_CONTAINER:
        from launch_tui.targets.local_container_keys import read as read_container

        return Setting(container=read_container(resources), resources=resources, macros=macros)
    from launch_tui.targets.local_process_keys import read as read_process

    return Setting(process=read_process(resources), resources=resources, macros=macros)
