"""How an attempt becomes a process of this machine: its Python is built, its command wrapped."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

from launch_tui.agent.environment import environment_for, variables_of
from launch_tui.agent.wandb_account import online_variables
from launch_tui.agent.way import Ready, attempt_of
from launch_tui.devices.visible import visible_devices
from launch_tui.store.durable import write_atomically
from launch_tui.tracking.wandb_sync import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from launch_tui.agent.context import Context
    from launch_tui.agent.setting import Setting
    from launch_tui.builders import Interpreter
    from launch_tui.domain.job import Environment
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec


class ProcessWay:
    """Builds an interpreter and makes the attempt of a local process.

    Args:
        context: The agent's.
        run: The run, claimed.
        spec: Its frozen request.
        setting: Its resource configuration.
    """

    def __init__(self, context: Context, run: Run, spec: RunSpec, setting: Setting) -> None:
        self._context = context
        self._run = run
        self._spec = spec
        self._setting = setting

    async def build(self, source: Path, log: Path, say: Callable[[str], None]) -> Interpreter:
        """Make the job's environment, or find it made.

        Raises:
            BuildFailed: With the package and the reason as cause.
        """
        return await self._context.builder.build(
            source, self._environment(), log, say, variables=self._spec.captured
        )

    async def ready(self, source: Path, built: Interpreter, config: Mapping[str, object]) -> Ready:
        """Return the attempt with its command and all of its variables."""
        run, spec, home = self._run, self._spec, self._context.db.home
        variables = variables_of(
            run,
            spec,
            built,
            home,
            config,
            resources=self._setting.process,
            devices=visible_devices(run.gpus) if run.gpus else None,
            working_directory=source,
        )
        environ = dict(os.environ)
        variables |= online_variables(spec, variables, home.root, environ)
        self._record_python(built, variables)
        command = built.command(spec.command)
        attempt = attempt_of(run, home, command=command, place=source, variables=variables)
        wrapped = await self._setting.wrapped(command, attempt.handle)
        attempt = attempt_of(run, home, command=wrapped, place=source, variables=variables)
        return Ready(attempt=attempt, message=shlex.join(command))

    def _record_python(self, built: Interpreter, variables: Mapping[str, str]) -> None:
        """Write down with which Python the job starts: its wandb may send the run later."""
        python = built.python or shutil.which("python", path=variables.get("PATH", ""))
        directory = self._context.db.home.attempt(self._run.id, self._run.attempt)
        if python:
            write_atomically(directory / PYTHON, str(python).encode(), sync=False)

    def working_directory(self) -> Path:
        """Return where the job's own files are on this machine, also of an adopted attempt."""
        from pathlib import Path

        home = self._context.db.home
        attempt = home.attempt(self._run.id, self._run.attempt)
        place = Path(self._spec.in_place) if self._spec.in_place else attempt / "source"
        return place / getattr(self._spec.source, "subdirectory", "")

    def _environment(self) -> Environment:
        """Return the job's environment with the Python that the configuration wants."""
        config = self._setting.process
        if config is None or not config.python:
            return self._spec.environment
        return environment_for(self._spec.environment, config.python)
