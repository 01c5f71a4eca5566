"""How an attempt becomes a container: its image is built or pulled, its run directory mounted.

Paths are the same inside and outside, so that what tracking, logs and the job's own variables say
of its run directory is true in both. Only what the job needs of it is mounted, never the records by
which the agent knows the attempt.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from launch_tui.agent.config_images import destination_of
from launch_tui.agent.container_environment import container_variables
from launch_tui.agent.secret_values import secret_value
from launch_tui.agent.setting import setting_of
from launch_tui.agent.way import Ready, attempt_of
from launch_tui.builders.image_order import ImageOrder
from launch_tui.domain.container import ContainerRequest, Mount
from launch_tui.domain.job import CodeSource, GitSource, ImageSource
from launch_tui.errors import BuildFailed, StartFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from launch_tui.agent.context import Context
    from launch_tui.agent.setting import Setting
    from launch_tui.domain.container import BuiltImage
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.targets.container_config import BuilderConfig, ContainerConfig

CODE = "/mnt/wandb"
"""Where the code of a base-image job is mounted, as in W&B Launch."""


class ContainerWay:
    """Builds or pulls an image and makes the attempt of a container.

    Args:
        context: The agent's.
        run: The run, claimed.
        spec: Its frozen request.
        setting: Its resource configuration, without the name of the image in it.
    """

    def __init__(self, context: Context, run: Run, spec: RunSpec, setting: Setting) -> None:
        self._context = context
        self._run = run
        self._spec = spec
        self._setting = setting
        self._directory = context.db.home.attempt(run.id, run.attempt)

    async def build(self, source: Path, log: Path, say: Callable[[str], None]) -> BuiltImage:
        """Have the image on the engine: pulled, found, or built.

        Raises:
            BuildFailed: With the failed step or the registry's reason as cause.
            EngineDown: The engine does not answer; asking again is right.
        """
        named = self._named_image()
        if named:
            pull = (self._config.pull if self._config else "") or _pull_of(named)
            return await self._context.images.image(
                named, log, say, pull=pull, platform=self._platform()
            )
        if self._context.config().builder.get("type") == "noop":
            kind = self._spec.kind
            raise BuildFailed(
                f"this agent builds no images (builder.type: noop), and {kind} jobs need one",
                next_step="give the job a base image (job create -B IMAGE), or set builder.type "
                "to docker in the agent's settings; then rerun",
            )
        return await self._context.images.build(self._order(source), log, say)

    async def ready(self, source: Path, built: BuiltImage, config: Mapping[str, object]) -> Ready:
        """Return the attempt with its command, its variables and what its container is made from.

        Raises:
            StartFailed: When there is no command, or something is referred to that is not there.
        """
        context, run, spec = self._context, self._run, self._spec
        allowed = context.config().macro_environment
        setting = setting_of(run, spec, allowed, image=built.reference)
        command = self._command(built, setting.container)
        variables = container_variables(
            run, spec, context.db.home, config, setting.container, image=built.reference
        )
        working_directory = self._inside()
        starts_in = setting.container.workdir if setting.container else ""
        starts_in = starts_in or working_directory or built.working_directory
        mounts = self._mounts(source, starts_in, setting.container)
        facts = await context.engine.facts()
        if not facts.rootless and not _is_root(setting.container):
            # An image knows nothing of this user, and many programs want to write at home.
            variables.setdefault("HOME", str(self._directory / "home"))
        request = ContainerRequest(
            image=built,
            options=setting.resources,
            mounts=mounts,
            working_directory=working_directory,
            gpus=run.gpus,
            labels={"launch-tui.queue": run.queue, "launch-tui.job": run.job},
            keep=spec.keep,
        )
        attempt = attempt_of(
            run,
            context.db.home,
            command=command,
            place=self.working_directory(),
            variables=variables,
            container=request,
        )
        changes = {"image": built.reference, "image_digest": built.digest}
        return Ready(attempt=attempt, message=shlex.join(command), changes=changes)

    def working_directory(self) -> Path:
        """Return where the job's own files are on this machine, also of an adopted attempt."""
        if self._has_code_mounted():
            return self._directory / "source" / self._subdirectory()
        return self._directory / "workdir"

    @property
    def _config(self) -> ContainerConfig | None:
        return self._setting.container

    @property
    def _builder(self) -> BuilderConfig | None:
        return self._config.builder if self._config else None

    def _named_image(self) -> str:
        """Return the image of a job that needs no build; empty when one is to be built."""
        source = self._spec.source
        return (
            source.image if isinstance(source, ImageSource) else self._spec.environment.base_image
        )

    def _has_code_mounted(self) -> bool:
        is_image = isinstance(self._spec.source, ImageSource)
        return not is_image and bool(self._spec.environment.base_image)

    def _subdirectory(self) -> str:
        return getattr(self._spec.source, "subdirectory", "")

    def _inside(self) -> str:
        """Return where the command starts inside; empty for the image's own place."""
        if not self._has_code_mounted():
            return ""
        return f"{CODE}/{self._subdirectory()}".rstrip("/")

    def _platform(self) -> str:
        if self._config and self._config.platform:
            return self._config.platform
        return str(self._context.config().builder.get("platform", ""))

    def _order(self, source: Path) -> ImageOrder:
        spec, agent, builder = self._spec, self._context.config(), self._builder
        home = self._context.db.home
        names = builder.secrets if builder else ()
        return ImageOrder(
            source=source,
            source_key=_source_key(spec),
            job=self._run.job,
            entry_point=spec.command,
            environment=spec.environment,
            base_image=builder.base_image if builder else "",
            accelerator=builder.accelerator if builder else "",
            build_args=dict(builder.build_args) if builder else {},
            secrets={name: secret_value(name, home.root, os.environ) for name in names},
            platform=self._platform(),
            destination=destination_of(agent.builder, agent.registry),
            variables={**os.environ, **spec.captured},
        )

    def _command(self, image: BuiltImage, config: ContainerConfig | None) -> tuple[str, ...]:
        """Return the whole command, as ``docker run`` puts entry point and arguments together.

        Another entry point than the image's drops the image's own arguments. An image that was
        built from a Dockerfile with an entry point is started by it, unless the launch gave one.
        """
        spec = self._spec
        entry_point, arguments = image.entry_point, image.command
        if config is not None and config.entrypoint:
            entry_point, arguments = config.entrypoint, ()
        if self._has_own_command(entry_point):
            entry_point, arguments = spec.command, ()
        if spec.arguments is not None:
            arguments = spec.arguments
        if command := (*entry_point, *arguments):
            return command
        raise StartFailed(
            f"image {image.reference} has no entry point and no command",
            next_step="launch it with one: -E 'python train.py', or -- COMMAND",
        )

    def _has_own_command(self, entry_point: Sequence[str]) -> bool:
        """Say whether the job's or launch's command takes the place of the image's entry point."""
        if isinstance(self._spec.source, ImageSource):
            return bool(self._spec.command)
        return self._spec.command_given or not entry_point or self._has_code_mounted()

    def _mounts(
        self, source: Path, inside: str, config: ContainerConfig | None
    ) -> tuple[Mount, ...]:
        """Make what is shared with the container, and return it."""
        home = self._directory / "home"
        shared = self._context.db.home.shared(self._run.id)
        places = [Mount(source=d, target=str(d)) for d in (self._directory / "wandb", shared, home)]
        if self._has_code_mounted():
            root = self._directory / "source"
            places.append(Mount(source=root, target=CODE))
        elif inside.strip("/") and not (source / "wandb").exists():
            # Where a script says dir=".", as Lightning does, wandb writes into ./wandb.
            here = self.working_directory() / "wandb"
            places.append(Mount(source=here, target=f"{inside.rstrip('/')}/wandb"))
        is_other = _is_somebody_else(config)
        for place in places:
            place.source.mkdir(parents=True, exist_ok=True)
            if is_other:
                # The data directory above is closed to everybody else on this machine.
                place.source.chmod(0o777)
        return tuple(places)


def _source_key(spec: RunSpec) -> str:
    source = spec.source
    if isinstance(source, CodeSource):
        return source.digest
    if isinstance(source, GitSource):
        return f"{source.commit}/{source.subdirectory}"
    raise TypeError(f"{spec.kind} jobs are not built")


def _pull_of(image: str) -> str:
    """Return whether to pull: a digest never changes, a tag may have moved."""
    return "missing" if "@sha256:" in image else "always"


def _is_somebody_else(config: ContainerConfig | None) -> bool:
    """Say whether the job runs as neither root, who may write anywhere, nor the agent's user."""
    user = config.user.partition(":")[0] if config else ""
    return user not in ("", "0", "root", str(os.getuid()))


def _is_root(config: ContainerConfig | None) -> bool:
    user = config.user if config else ""
    return user.partition(":")[0] in ("0", "root") if user else os.getuid() == 0
