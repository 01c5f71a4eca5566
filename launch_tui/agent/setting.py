"""What an attempt's resource configuration comes to when it starts: its values, its macros.

An attempt without any configuration costs nothing here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from launch_tui.agent.environment import environment_for, expand_resources, macro_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.job import Environment
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.errors import StartFailed
    from launch_tui.targets.local_process_keys import GpuIdleStop, LocalProcessConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The configuration of one attempt, ready to be used; ``config`` is None without one."""

    config: LocalProcessConfig | None = None
    macros: Mapping[str, str] = field(default_factory=dict)

    @property
    def timeout(self) -> float | None:
        """How long the job may run, in seconds."""
        return self.config.timeout if self.config else None

    @property
    def start_timeout(self) -> float | None:
        """How long it may take until the job runs, in seconds."""
        return self.config.start_timeout if self.config else None

    @property
    def gpu_idle_stop(self) -> GpuIdleStop | None:
        """When idle GPUs end the job."""
        return self.config.gpu_idle_stop if self.config else None

    def environment(self, environment: Environment) -> Environment:
        """Return a job's environment with the Python that the configuration wants."""
        if self.config is None or not self.config.python:
            return environment
        return environment_for(environment, self.config.python)

    async def wrapped(self, command: Sequence[str], name: str) -> tuple[str, ...]:
        """Return the command that starts the job under this configuration."""
        if self.config is None:
            return tuple(command)
        from launch_tui.targets.job_wrapper import wrap

        return await asyncio.to_thread(wrap, command, self.config, name=name, macros=self.macros)

    def start_failure(self, exit_code: int | None, log_tail: str) -> StartFailed | None:
        """Return why the job was never reached, None when its exit status is its own."""
        if self.config is None or not exit_code:
            return None
        from launch_tui.targets.job_wrapper import start_failure

        return start_failure(exit_code, log_tail, self.config)


def setting_of(run: Run, spec: RunSpec, allowed: Sequence[str]) -> Setting:
    """Return the setting of a run's attempt.

    Args:
        run: The run, with the GPUs that it was given.
        spec: Its frozen request.
        allowed: The agent's variables that macros may name.
    """
    if not spec.resources:
        return Setting()
    from launch_tui.targets.local_process_keys import read

    macros = macro_values(run, spec, run.gpus, allowed=allowed)
    return Setting(config=read(expand_resources(spec.resources, macros)), macros=macros)
