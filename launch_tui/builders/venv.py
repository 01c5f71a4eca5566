"""The venv builder: a folder with requirements becomes a cached virtual environment.

An environment is built once for all folders that ask for the same packages, in its final place
(virtual environments cannot be moved), and used only when it is marked as whole. Who comes while it
is being built waits and shows the same output. Killed at any point, the next build starts clean.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.builders import Interpreter
from launch_tui.builders.build_log import BuildLog
from launch_tui.builders.environments import CachedEnvironment, EnvironmentStore
from launch_tui.builders.none import NoBuilder
from launch_tui.builders.recipe import Recipe, summary
from launch_tui.builders.requirements import Requirements, read_requirements
from launch_tui.builders.venv_key import environment_key
from launch_tui.domain.job import Environment, VenvMode
from launch_tui.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path


class VenvBuilder:
    """Builds and finds virtual environments in one directory.

    Args:
        root: Where they are kept (``<home>/envs``).
    """

    def __init__(self, root: Path) -> None:
        self._environments = EnvironmentStore(root)
        self._existing = NoBuilder()

    async def build(
        self,
        source: Path,
        environment: Environment,
        log: Path,
        report: Callable[[str], None],
        *,
        variables: Mapping[str, str] | None = None,
    ) -> Interpreter:
        """Make the environment that the job asks for, or find it made.

        Cancelling ends uv and all it started; what it left is never used.

        Args:
            source: The attempt's working copy.
            environment: Which environment the job version asks for.
            log: The build log; what is done is appended to it as it happens.
            report: Called with one short line at each step.
            variables: The job's captured variables (PATH, proxies, package index), which go
                before this process's own.

        Raises:
            BuildFailed: With the package and the reason as cause.
        """
        if environment.mode is not VenvMode.BUILD:
            return await self._existing.build(source, environment, log, report, variables=variables)
        environ = {**os.environ, **(variables or {})}
        try:
            return await self._find_or_build(source, environment, log, report, environ)
        except OSError as error:
            raise _refused_by_system(error, self._environments.root) from error

    def list_environments(self) -> list[CachedEnvironment]:
        """Return the cached environments, the last used first, unfinished ones too."""
        return self._environments.all()

    def prune(
        self, keep_newer_than: float, in_use: AbstractSet[str], dry_run: bool = False
    ) -> list[CachedEnvironment]:
        """Remove what was last used before ``keep_newer_than`` (seconds since the epoch).

        Unfinished ones go too; those in ``in_use`` (keys) and those being built stay. Returns what
        was removed, or with ``dry_run`` what would be.
        """
        return self._environments.prune(keep_newer_than, in_use, dry_run=dry_run)

    async def _find_or_build(
        self,
        source: Path,
        environment: Environment,
        log: Path,
        report: Callable[[str], None],
        environ: Mapping[str, str],
    ) -> Interpreter:
        requirements = read_requirements(source)
        version = environment.python_version or running_version()
        # Only local projects make the key read whole folders.
        if requirements.local:
            key = await asyncio.to_thread(environment_key, requirements, version)
        else:
            key = environment_key(requirements, version)
        found = self._environments.use(key)
        with BuildLog(log) as out:
            if found is None:
                recipe = Recipe(self._environments, source, requirements, version, key, environ)
                found = await self._build_once(recipe, out, report)
            else:
                out.say(f"environment {key} is there already, {summary(found)}")
                report("environment ready, cached")
        return _activated(found, requirements)

    async def _build_once(
        self, recipe: Recipe, out: BuildLog, report: Callable[[str], None]
    ) -> CachedEnvironment:
        locks = self._environments.locks
        lock = locks.try_take(recipe.key)
        if lock is None:
            out.say(f"environment {recipe.key} is being built for another run; its output follows")
            report("waiting for the same environment, being built for another run")
            lock = await locks.wait(recipe.key, out)
        with lock:
            found = self._environments.use(recipe.key)
            if found is not None:
                out.say(f"environment {recipe.key} is there now, {summary(found)}")
                report("environment ready, built for another run")
                return found
            lock.announce(out.path, out.offset)
            faults.point("build.locked")
            return await recipe.make(out, report)


def running_version() -> str:
    """Return the version ``3.X`` of the Python that runs this program."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _activated(environment: CachedEnvironment, requirements: Requirements) -> Interpreter:
    directory = environment.path / "bin"
    return Interpreter(
        key=environment.key,
        bin=directory,
        python=directory / "python",
        python_path=requirements.python_path,
        variables={"VIRTUAL_ENV": str(environment.path)},
        unset=("PYTHONHOME",),
        wandb=environment.wandb,
    )


def _refused_by_system(error: OSError, root: Path) -> BuildFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BuildFailed(
            f"no space left for the environment in {root}",
            next_step="Free some space, e.g. with `launch-tui env prune`, and rerun",
        )
    return BuildFailed(
        f"the environment cannot be built in {root}: {error}", next_step="Check its permissions"
    )
