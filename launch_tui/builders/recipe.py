"""How one environment is made: the uv commands, in order, and the marker at the end.

Between the steps are fault points; whatever is left when the process dies at one of them is an
unmarked directory, which the next build removes.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.builders.build_log import BuildLog, Progress
from launch_tui.builders.environments import CachedEnvironment, EnvironmentStore, measure
from launch_tui.builders.requirements import Kind, Requirements
from launch_tui.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_WANDB_INSTALLED = re.compile(r"^wandb-(?P<version>.+)\.dist-info$")
_INSTALL = {
    Kind.REQUIREMENTS: ("pip", "install", "-r", "requirements.txt"),
    Kind.PROJECT: ("pip", "install", "-r", "pyproject.toml"),
    Kind.LOCK: ("sync", "--frozen", "--no-install-project"),
}


class Recipe:
    """How one environment is made; whoever calls ``make`` holds its lock."""

    def __init__(
        self,
        environments: EnvironmentStore,
        source: Path,
        requirements: Requirements,
        version: str,
        key: str,
        environ: Mapping[str, str],
    ) -> None:
        self.key = key
        self._environments = environments
        self._source = source
        self._requirements = requirements
        self._version = version
        self._environ = environ
        self._path = environments.path(key)

    async def make(self, out: BuildLog, report: Callable[[str], None]) -> CachedEnvironment:
        """Build the environment from nothing and mark it as whole."""
        await asyncio.to_thread(self._environments.clear, self.key)
        faults.point("build.cleared")
        uv = _UvCommands(self._source, self._environ, self._requirements, out, report)
        uv.introduce(f"environment {self.key}: {_plan(self._requirements, self._version)}")
        try:
            report(f"creating an environment with Python {self._version}")
            await uv.create(self._path, self._version)
            faults.point("build.venv.created")
            await uv.install(self._path)
            faults.point("build.installed")
            made = await asyncio.to_thread(self._settle)
        except BuildFailed as error:
            out.say(f"failed: {error}")
            await asyncio.to_thread(self._environments.clear, self.key)
            raise
        faults.point("build.marked")
        out.say(f"environment ready, {summary(made)}")
        if not made.wandb:
            out.say("wandb is not among its packages: a job that calls wandb.init will fail")
        report("environment ready")
        return made

    def _settle(self) -> CachedEnvironment:
        _write_through(self._path)
        names = [path.name for path in self._path.glob("lib/python*/site-packages/*.dist-info")]
        versions = [match["version"] for name in names if (match := _WANDB_INSTALLED.match(name))]
        made = CachedEnvironment(
            key=self.key,
            path=self._path,
            python=self._version,
            made_from=self._requirements.kind,
            packages=len(names),
            wandb=versions[0] if versions else "",
            size=measure(self._path),
            created_at=time.time(),
            last_used_at=time.time(),
            complete=True,
        )
        self._environments.mark(made)
        return made


def summary(environment: CachedEnvironment) -> str:
    """Return what is in an environment, in a few words."""
    count = environment.packages
    return f"{count} package{'' if count == 1 else 's'}, Python {environment.python}"


class _UvCommands:
    """The uv commands of one build, written to its log."""

    def __init__(
        self,
        source: Path,
        environ: Mapping[str, str],
        requirements: Requirements,
        out: BuildLog,
        report: Callable[[str], None],
    ) -> None:
        from launch_tui.builders.uv_process import find_uv, uv_environ

        self._uv = find_uv()
        self._environ = uv_environ(environ)
        self._given = environ
        self._requirements = requirements
        self._source = source
        self._out = out
        self._report = report
        if "--extra-index-url" in requirements.text:
            # What pip does with such a file: the best version of all indexes.
            self._environ.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")

    def introduce(self, plan: str) -> None:
        """Write what is going to be done, and which index settings were taken from pip."""
        from launch_tui.builders.package_index import redacted

        self._out.say(plan)
        for name, value in sorted(self._environ.items()):
            if name.startswith("UV_") and "INDEX" in name and name not in self._given:
                self._out.say(f"{name}={redacted(value)}, as pip would")

    async def create(self, path: Path, version: str) -> None:
        """Make the empty environment with the Python that is there, or that uv can fetch."""
        from launch_tui.builders.failure import explain
        from launch_tui.builders.pythons import find_python, found_versions

        python = find_python(version, self._given)
        for wanted in [str(python), version] if python is not None else [version]:
            status, output = await self._run("venv", "--no-project", "--python", wanted, str(path))
            if status == 0:
                return
            if path.exists():
                # It got as far as writing, so the interpreter was not what it failed for.
                break
        cause, next_step = explain(output, status)
        if "no space left" in cause or python is not None:
            raise BuildFailed(cause, next_step=next_step)
        found = ", ".join(found_versions(self._given)) or "none"
        raise BuildFailed(
            f"Python {version} is not on this machine and could not be fetched (found: {found})",
            next_step="Install it, or create the job with `-r` and one that was found",
        )

    async def install(self, path: Path) -> None:
        """Install what is asked for; nothing, when nothing is."""
        from launch_tui.builders.failure import explain

        if self._requirements.kind is Kind.NOTHING:
            return
        self._report("resolving")
        # uv would take a local project for unchanged as long as its setup.py is.
        refresh = ["--refresh"] if self._requirements.local else []
        self._environ["UV_PROJECT_ENVIRONMENT"] = str(path)
        python = str(path / "bin" / "python")
        status, output = await self._run(
            *_INSTALL[self._requirements.kind], *refresh, "--python", python
        )
        if status != 0:
            cause, next_step = explain(output, status)
            raise BuildFailed(cause, next_step=next_step)

    async def _run(self, *arguments: str) -> tuple[int, str]:
        from launch_tui.builders.child_process import run_child

        self._out.say(f"uv {' '.join(arguments)}")
        before = self._out.size
        status = await run_child(
            [self._uv, *arguments],
            directory=self._source,
            environ=self._environ,
            output=self._out.descriptor,
            look=Progress(self._out, self._report).look,
        )
        return status, self._out.text_from(before)


def _plan(requirements: Requirements, version: str) -> str:
    ignored = " and ".join(requirements.ignored)
    if requirements.kind is not Kind.NOTHING:
        rest = f" ({ignored} is there too and not used)" if ignored else ""
        return f"Python {version} with what {requirements.kind} asks for{rest}"
    if ignored:
        return f"Python {version} without packages, because {ignored} names no project"
    why = "there is neither a requirements.txt nor a pyproject.toml"
    return f"Python {version} without packages, because {why}"


def _write_through(path: Path) -> None:
    # uv syncs nothing. Without this, a power failure could leave the marker and lose the packages.
    import ctypes

    descriptor = os.open(path, os.O_RDONLY)
    try:
        ctypes.CDLL(None, use_errno=True).syncfs(descriptor)
    finally:
        os.close(descriptor)
