"""W&B Launch's functions under their names and with their arguments, for scripts that move over.

    from launch_tui import LaunchAgent, create_run_queue, launch, launch_add

in place of the same names of ``wandb.sdk.launch`` and ``wandb.Api``; the signatures are those of
wandb 0.31. Each is a few lines over ``Launch``. An argument that means nothing here is refused by
its name, with the reason; ``api`` and ``telemetry_recorder`` carry W&B's address and its statistics
and are taken and not looked at, and ``entity`` is kept as the run's own.
"""

from __future__ import annotations

import atexit
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.api.client import Launch
from launch_tui.domain.argument_types import check_types
from launch_tui.domain.queue import DEFAULT_QUEUE, Resource, parse_resource
from launch_tui.errors import LaunchError, NotAvailable, UsageError
from launch_tui.store.paths import default_home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.api.queued_run import QueuedRun
    from launch_tui.domain.queue import Queue

_REFUSED = {
    "project_queue": "queues here belong to no project",
    "version": "it is the commit of a uri; a version of a job is named JOB:v3",
    "run_id": "a run's id is given by launch_tui",
    "build": "images are built by the agent when they are needed",
    "repository": "where images are pushed to is a setting of the agent (builder.destination)",
    "sweep_id": "there are no sweeps; launch_many launches a grid",
    "author": "the author of a run is who launches it",
}

_open: dict[Path, Launch] = {}


def launch_add(
    uri: str | None = None,
    job: str | None = None,
    config: Mapping[str, Any] | None = None,
    template_variables: Mapping[str, Any] | None = None,
    project: str | None = None,
    entity: str | None = None,
    queue_name: str | None = None,
    resource: str | None = None,
    entry_point: Sequence[str] | None = None,
    name: str | None = None,
    version: str | None = None,
    docker_image: str | None = None,
    project_queue: str | None = None,
    resource_args: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    build: bool | None = False,
    repository: str | None = None,
    sweep_id: str | None = None,
    author: str | None = None,
    priority: int | str | None = None,
) -> QueuedRun:
    """Put a run at the end of a queue, as ``wandb.sdk.launch.launch_add``.

    Args:
        uri: A folder or repository, which is made into a job first.
        job: A job.
        config: The run's configuration, or W&B's launch spec (``{"overrides": …}``).
        template_variables: Values for the queue's ``{{holes}}``.
        project: The run's project.
        entity: The run's entity.
        queue_name: The queue; ``default`` if left out.
        resource: The queue's target resource; another one is refused.
        entry_point: The words of the command.
        name: The run's name.
        version: The branch, tag or commit of ``uri``; refused without one.
        docker_image: An image to run without a job.
        project_queue: Refused.
        resource_args: Laid on the queue's resource configuration.
        run_id: Refused.
        build: Refused unless False.
        repository: Refused.
        sweep_id: Refused.
        author: Refused.
        priority: A level, or 0 for critical to 3 for low.

    Raises:
        UsageError: For an argument that is wrong or means nothing here; it is named.
    """
    _refuse(
        version=version if uri is None else None,
        project_queue=project_queue,
        run_id=run_id,
        build=build,
        repository=repository,
        sweep_id=sweep_id,
        author=author,
    )
    return _enqueue(
        uri=uri,
        job=job,
        config=config,
        queue=queue_name,
        resource=resource,
        version=version,
        image=docker_image,
        priority=priority,
        entry_point=entry_point,
        resource_args=resource_args,
        template_variables=template_variables,
        project=project,
        entity=entity,
        name=name,
    )


def launch(
    api: object = None,
    job: str | None = None,
    entry_point: Sequence[str] | None = None,
    version: str | None = None,
    name: str | None = None,
    resource: str | None = None,
    resource_args: Mapping[str, Any] | None = None,
    project: str | None = None,
    entity: str | None = None,
    docker_image: str | None = None,
    config: Mapping[str, Any] | None = None,
    synchronous: bool | None = True,
    run_id: str | None = None,
    repository: str | None = None,
) -> QueuedRun:
    """Run a job, as ``wandb.sdk.launch.launch``: through a queue and the agent of this machine.

    W&B's starts it in this process. Here it goes to the end of the queue ``default``, or of the
    queue called as the resource, which is made if there is none: the agent has to run.

    Args:
        api: Not looked at.
        job: A job.
        entry_point: The words of the command.
        version: Refused.
        name: The run's name.
        resource: ``local-process`` or ``local-container``; the latter for ``docker_image``.
        resource_args: Laid on the queue's resource configuration.
        project: The run's project.
        entity: The run's entity.
        docker_image: An image to run without a job.
        config: The run's configuration, or W&B's launch spec.
        synchronous: Wait until the run has ended.
        run_id: Refused.
        repository: Refused.

    Raises:
        UsageError: For an argument that is wrong or means nothing here; it is named.
        LaunchError: With ``synchronous``, when no agent runs: it would wait for ever.
    """
    _refuse(version=version, run_id=run_id, repository=repository)
    inner = _launch()
    if synchronous and not inner.agent_is_running():
        raise LaunchError("no agent is running here", next_step="launch-tui --agent-only")
    check_types({"resource": resource})
    kind = parse_resource(
        resource or (Resource.LOCAL_CONTAINER if docker_image else Resource.LOCAL_PROCESS),
        field="resource",
    )
    run = _enqueue(
        job=job,
        config=config,
        queue=_queue_for(inner, kind),
        image=docker_image,
        entry_point=entry_point,
        resource_args=resource_args,
        project=project,
        entity=entity,
        name=name,
    )
    if synchronous:
        run.wait_until_finished()
    return run


def create_run_queue(
    name: str,
    type: str,  # noqa: A002 - W&B's name
    entity: str | None = None,
    prioritization_mode: str | None = None,
    config: Mapping[str, Any] | None = None,
    template_variables: Mapping[str, Any] | None = None,
) -> Queue:
    """Make a queue, as ``wandb.Api().create_run_queue``.

    Args:
        name: Its name.
        type: The target resource.
        entity: Not looked at: queues here belong to no entity.
        prioritization_mode: ``V0`` for priority levels.
        config: The default resource configuration.
        template_variables: The declarations of its ``{{holes}}``.

    Raises:
        UsageError: For an argument that is wrong; it is named.
    """
    if prioritization_mode not in (None, "V0"):
        problem = f"{prioritization_mode!r} is none"
        raise UsageError("prioritization_mode", problem, allowed="V0, None")
    check_types({"type": type})
    kind = parse_resource(type, field="type")
    return _launch().queues.create(
        name,
        kind,
        config=config,
        template_variables=template_variables,
        prioritized=prioritization_mode == "V0",
    )


class LaunchAgent:
    """The agent, as ``wandb.sdk.launch.agent.LaunchAgent``: ``asyncio.run(agent.loop())``.

    Args:
        api: Not looked at.
        config: The settings with W&B's keys (``queues``, ``max_jobs``, ...): those of
            ``agent.yaml``, see docs/agent-configuration.md.
        telemetry_recorder: Not looked at.

    Raises:
        UsageError: For a key or value that is wrong.
    """

    def __init__(
        self,
        api: object = None,
        config: Mapping[str, Any] | None = None,
        telemetry_recorder: object = None,
    ) -> None:
        from launch_tui.agent.config import config_of

        self._config = dict(config or {})
        config_of(self._config, Path("config"))

    async def loop(self) -> None:
        """Run until SIGTERM, SIGINT, ``agent stop`` or the end of a drain; in the main thread."""
        from launch_tui.agent.config_file import ConfigFile
        from launch_tui.agent.headless import serve

        home = default_home()
        if not self._config:
            await serve(home, ConfigFile.of(home, None), report=lambda _: None)
            return
        with tempfile.TemporaryDirectory(prefix="launch-tui-") as folder:
            file = Path(folder) / "agent.yaml"
            file.write_text(json.dumps(self._config))
            await serve(home, ConfigFile(file), report=lambda _: None)


def _launch() -> Launch:
    """Return the data directory in use now, which stays open: runs are asked of it later."""
    home = default_home().root
    if home not in _open:
        _open[home] = Launch(home)
        atexit.register(_open[home].close)
    return _open[home]


def _refuse(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise NotAvailable(name, f"is not taken: {_REFUSED[name]}")


def _queue_for(inner: Launch, kind: Resource) -> str:
    """Return the queue of a launch that names only a resource."""
    if kind is Resource.LOCAL_PROCESS:
        return DEFAULT_QUEUE
    if kind not in {queue.name for queue in inner.queues.list()}:
        inner.queues.create(kind, kind)
    return str(kind)


def _enqueue(
    *,
    uri: str | None = None,
    job: str | None,
    config: Mapping[str, Any] | None,
    queue: str | None,
    resource: str | None = None,
    version: str | None = None,
    image: str | None,
    priority: int | str | None = None,
    **options: Any,  # noqa: ANN401
) -> QueuedRun:
    from launch_tui.domain.managed_files import config_of_overrides
    from launch_tui.sdk.launch_spec import level_of, read_spec

    given = [name for name, value in (("uri", uri), ("job", job), ("docker_image", image)) if value]
    if len(given) > 1:
        raise UsageError(given[1], f"cannot stand together with {given[0]}")
    check_types({"config": config, "resource": resource})
    spec, _ = read_spec(dict(config or {}), field="config")
    overrides = spec.get("overrides", {})
    for name in ("resource_args", "template_variables", "project", "entity", "name"):
        options[name] = options.get(name) or spec.get(name)
    options["entry_point"] = options["entry_point"] or overrides.get("entry_point")
    if resource:
        options["resource_args"] = _wrapped(options["resource_args"] or {}, resource)
    if priority is not None:
        options["priority"] = level_of(priority, field="priority")
    inner = _launch()
    reference: Any = job or spec.get("job")
    if uri:
        reference = inner.create_job(uri, ref=version, entry_point=options["entry_point"])
    return inner.launch(
        reference,
        queue or str(spec.get("queue") or DEFAULT_QUEUE),
        config_of_overrides(overrides, field="config"),
        image=image,
        arguments=overrides.get("args"),
        dockerfile=overrides.get("dockerfile"),
        **({"priority": spec.get("priority")} | options),
    )


def _wrapped(resource_args: Mapping[str, Any], resource: str) -> Mapping[str, Any]:
    """Return resource arguments that say which resource they are for."""
    if "resource_args" in resource_args or resource in resource_args:
        return resource_args
    return {"resource_args": {resource: dict(resource_args)}}
