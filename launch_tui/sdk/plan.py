"""Exactly what a launch would do, told before it is done."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import looks_secret
from launch_tui.domain.job import CodeSource, GitSource, ImageSource, VenvMode
from launch_tui.domain.queue import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.queue import Queue
    from launch_tui.domain.spec import RunSpec
    from launch_tui.store.enqueuing import NewRun

_MASK = "••••"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Exactly what a launch would do. ``environment`` has the values of secrets masked.

    ``resources`` is the resource configuration that holds, ``origins`` says for each of its dotted
    keys who set it: ``queue`` or ``launch``. ``runs`` counts what one launch enqueues: with
    parameters, one run for each combination, and then the rest is said of the first.
    """

    job: str
    version: str
    queue: str
    resource: str
    position: int
    name: str
    project: str
    source: str
    build: str
    command: str
    config: Mapping[str, Any]
    environment: Mapping[str, str]
    steps: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    template_variables: Mapping[str, Any] = field(default_factory=dict)
    priority: str = ""
    after: tuple[str, ...] = ()
    not_before: str | None = None
    retries: int = 0
    retry_on: tuple[str, ...] = ()
    backoff: float = 0.0
    runs: int = 1


def plan_of(news: Sequence[NewRun], queue: Queue, warnings: tuple[str, ...]) -> Plan:
    """Return the plan of runs that one request resolved to, of which the first is described."""
    from launch_tui.domain.resource_config import origins

    new, spec = news[0], news[0].spec
    in_container = queue.resource == Resource.LOCAL_CONTAINER
    source = _describe_source(spec)
    build = _describe_image(spec) if in_container else _describe_build(spec)
    command = _describe_command(spec)
    where = f"run on {queue.name} ({queue.resource}), position {queue.depth + 1}"
    shown = {n: _MASK if looks_secret(n) else v for n, v in spec.setenv.items()}
    shown |= dict.fromkeys((*spec.pass_env, *spec.secrets), _MASK)
    return Plan(
        job=new.job,
        version=new.version,
        queue=queue.name,
        resource=queue.resource,
        position=queue.depth + 1,
        name=new.name,
        project=new.project,
        source=source,
        build=build,
        command=command,
        config=new.config,
        environment={**spec.captured, **shown},
        steps=(source, build, command, where),
        warnings=warnings,
        resources=spec.resources,
        origins=origins(queue.config, spec.resource_args),
        template_variables=spec.template_variables,
        priority=new.priority if queue.prioritized else "",
        after=tuple(str(dependency) for dependency in new.after),
        not_before=new.not_before,
        retries=spec.retries,
        retry_on=spec.retry_on,
        backoff=spec.backoff,
        runs=len(news),
    )


def _describe_source(spec: RunSpec) -> str:
    if spec.in_place:
        return f"run in {spec.in_place} as it is"
    if isinstance(spec.source, GitSource):
        return f"check out {spec.source.url} at {spec.source.commit[:12]}"
    if isinstance(spec.source, CodeSource):
        return f"copy snapshot {spec.source.digest[:12]} ({spec.source.files} files)"
    return f"image {spec.source.image}"


def _describe_command(spec: RunSpec) -> str:
    """Return the command; of an image what it brings itself stands in words."""
    if not isinstance(spec.source, ImageSource):
        return shlex.join(spec.command)
    entry_point = shlex.join(spec.command) or "the image's entry point"
    if spec.arguments is not None:
        return f"{entry_point} {shlex.join(spec.arguments)}".strip()
    return entry_point if spec.command else f"{entry_point} and command"


def _describe_image(spec: RunSpec) -> str:
    """Return where the image of a container comes from."""
    environment = spec.environment
    if isinstance(spec.source, ImageSource):
        return f"pull {spec.source.image}"
    if environment.base_image:
        return f"pull {environment.base_image}, mount the code, build nothing"
    context = f" in {environment.context}" if environment.context else ""
    if environment.dockerfile:
        return f"image from {environment.dockerfile}{context}, unless it exists"
    python = f" with Python {environment.python_version}" if environment.python_version else ""
    if environment.context:
        return f"image from a generated Dockerfile{context}{python}, unless it exists"
    return f"image from Dockerfile.wandb if there is one, else generated{python}, unless it exists"


def _describe_build(spec: RunSpec) -> str:
    environment = spec.environment
    return {
        VenvMode.BUILD: f"virtual environment with Python {environment.python_version}",
        VenvMode.CURRENT: f"environment in use, {environment.interpreter or 'no python found'}",
        VenvMode.PYTHON: f"interpreter {environment.interpreter}",
        VenvMode.NONE: "no environment",
    }[environment.mode]
