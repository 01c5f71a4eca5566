"""What ``launch``, ``launch_many`` and ``rerun`` take beside the job, the queue and the config."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypedDict

from launch_tui.domain.argument_types import check_types, texts
from launch_tui.domain.job import JobVersion
from launch_tui.domain.queue import Queue
from launch_tui.errors import UsageError
from launch_tui.sdk.request import LaunchRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.api.queued_run import RunReference


class LaunchOptions(TypedDict, total=False):
    """Options of a launch. What is left out, or None, leaves what the job or the queue says.

    Attributes:
        entry_point: The command in place of the job's: one text, or its words.
        arguments: Words after the entry point; of an image its own arguments.
        name: The run's name; by default the job's.
        project: The wandb project; by default the job's name.
        entity: The wandb entity.
        tags: Its tags, each 1 to 64 characters without a comma.
        note: A note.
        setenv: Variables of the job. They are stored: use ``secrets`` for secrets.
        pass_env: Names of variables that the agent passes on when the run starts.
        secrets: As ``pass_env``, and never shown.
        links: Paths of the job's folder to link into the working copy.
        resource_args: Laid on the queue's resource configuration, key by key, such as
            ``{"gpus": 2, "memory": "16G", "timeout": "2h"}``; W&B's wrapping is taken too.
        template_variables: Values for the ``{{holes}}`` of the queue's configuration.
        priority: ``critical``, ``high``, ``medium`` or ``low``; on a queue with priorities.
        after: Runs to wait for: a ``QueuedRun`` or ``RUN[:ok|failed|any]``, one or several.
        begin: The earliest start: ISO time, ``HH:MM`` or ``+2h``.
        retries: How often a failure is tried again, 0 to 100.
        retry_on: Which ends are tried again: ``failed``, ``lost``, ``preempted``, or kinds of
            failure such as ``oom``; the first three if left out.
        backoff: Seconds before the first retry, doubled for each further one.
        tracking: ``optional`` for a run that need not call ``wandb.init``; else ``required``.
        dockerfile: Build the image from this Dockerfile of the job.
        base_image: Mount the code into this image and build none.
        keep: Keep the container after its end.
    """

    entry_point: str | Sequence[str] | None
    arguments: Sequence[str] | None
    name: str | None
    project: str | None
    entity: str | None
    tags: Sequence[str] | None
    note: str | None
    setenv: Mapping[str, str] | None
    pass_env: Sequence[str] | None
    secrets: Sequence[str] | None
    links: Sequence[str] | None
    resource_args: Mapping[str, Any] | None
    template_variables: Mapping[str, Any] | None
    priority: str | None
    after: RunReference | Sequence[RunReference] | None
    begin: str | None
    retries: int | None
    retry_on: Sequence[str] | None
    backoff: float | None
    tracking: str | None
    dockerfile: str | None
    base_image: str | None
    keep: bool | None


_NAMES = tuple(LaunchOptions.__annotations__)
_LISTS = ("tags", "pass_env", "secrets", "links", "retry_on", "arguments")


def request_of(
    options: Mapping[str, Any],
    *,
    job: str | JobVersion | None = None,
    queue: str | Queue = "",
    config: Mapping[str, Any] | None = None,
    image: str | None = None,
    in_place: str = "",
) -> LaunchRequest:
    """Return the request that arguments and options mean.

    Raises:
        UsageError: For an option that there is not, and one of the wrong type.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _NAMES:
            near = get_close_matches(name, _NAMES, n=1)
            raise UsageError(name, "is no option of a launch", allowed=", ".join(near or _NAMES))
    queue = queue.name if isinstance(queue, Queue) else queue
    check_types({**given, "config": config, "queue": queue})
    if "after" in given:
        given["after"] = _references(given["after"])
    given |= {name: texts(name, given[name]) for name in _LISTS if name in given}
    if "setenv" in given:
        given["setenv"] = {name: str(value) for name, value in given["setenv"].items()}
    return LaunchRequest(
        job=_job_reference(job),
        queue=queue,
        config=config or {},
        image=image or "",
        in_place=in_place,
        **given,
    )


def _job_reference(job: str | JobVersion | None) -> str:
    if isinstance(job, JobVersion):
        return f"{job.name}:{job.version}"
    if job is not None and not isinstance(job, str):
        raise UsageError("job", f"{job!r} is no job", allowed="a JobVersion, or its name")
    return job or ""


def _references(after: RunReference | Sequence[RunReference]) -> tuple[str, ...]:
    runs = after if isinstance(after, (list, tuple)) else (after,)
    found = [run if isinstance(run, str) else getattr(run, "id", None) for run in runs]
    return texts("after", found)
