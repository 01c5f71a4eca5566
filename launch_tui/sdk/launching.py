"""From what a person asks for to a run on disk: everything a run needs is decided here, once."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import capture, check_variable, looks_secret
from launch_tui.domain.job import CodeSource, GitSource, JobKind, JobVersion, VenvMode, safe_name
from launch_tui.domain.queue import DEFAULT_QUEUE, Queue, Resource
from launch_tui.domain.spec import RunSpec
from launch_tui.domain.words import merge, write_value
from launch_tui.errors import NotAvailable, UsageError
from launch_tui.sdk.jobs import JobRequest, current_interpreter, resolve_environment
from launch_tui.store import queues, read, write
from launch_tui.store.write import Enqueued, NewRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.job import Environment
    from launch_tui.domain.run import Run
    from launch_tui.sdk.jobs import Jobs
    from launch_tui.sdk.queues import Queues
    from launch_tui.store.database import Database

IN_PLACE = "in-place"
"""The version shown for a run without a snapshot."""

_AVAILABLE = frozenset({Resource.LOCAL_PROCESS})
_MASK = "••••"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What a person asks to be run. Empty fields mean the job's or queue's own.

    ``job`` is a reference; ``in_place`` a folder to run in without a snapshot (then ``job`` is not
    needed and ``entry_point`` is). ``config`` reaches ``wandb.config``. ``setenv`` are values;
    ``pass_env`` and ``secrets`` are names, resolved by the agent at start. ``from_here`` says that
    the job is the folder one stands in: an environment of the mode ``current`` is then the one in
    use now, not the one that was in use when the job was made.

    ``resource_args`` overrides the queue's resource configuration key by key, ``template_variables``
    fills its holes (values, or text to be read by the variable's type). ``after`` are runs to wait
    for, ``RUN[:ok|failed|any]``. ``begin`` is the earliest start: ISO time, ``HH:MM``, or ``+2h``.
    ``retries`` tries a failure of one of the kinds ``retry_on`` again, after ``backoff`` seconds,
    doubled each time. ``params`` makes one run for each combination of its values, as one group.
    In a rerun None and empty leave what the run had.
    """

    job: str = ""
    queue: str = DEFAULT_QUEUE
    config: Mapping[str, Any] = field(default_factory=dict)
    entry_point: str | Sequence[str] | None = None
    in_place: str = ""
    name: str = ""
    project: str = ""
    entity: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    setenv: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    from_here: bool = False
    resource_args: Mapping[str, Any] = field(default_factory=dict)
    template_variables: Mapping[str, Any] = field(default_factory=dict)
    priority: str = ""
    after: tuple[str, ...] = ()
    begin: str = ""
    retries: int | None = None
    retry_on: tuple[str, ...] = ()
    backoff: float | None = None
    params: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Exactly what a launch would do. ``environment`` has the values of secrets masked."""

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


@dataclass(frozen=True, slots=True)
class _Resolved:
    new: NewRun
    queue: Queue
    warnings: tuple[str, ...]


class Launcher:
    """Turns requests into runs."""

    def __init__(self, db: Database, jobs: Jobs, queues: Queues) -> None:
        self._db = db
        self._jobs = jobs
        self._queues = queues
        self.warnings: tuple[str, ...] = ()

    def launch(self, requests: Sequence[LaunchRequest]) -> list[Enqueued]:
        """Enqueue runs, all or none; they are on disk when this returns."""
        known: dict[str, JobVersion] = {}
        resolved = [self._resolve(request, known, make=True) for request in requests]
        self.warnings = tuple(dict.fromkeys(w for r in resolved for w in r.warnings))
        return write.enqueue(self._db, [r.new for r in resolved])

    def plan(self, request: LaunchRequest) -> Plan:
        """Say what ``launch`` would do."""
        return _plan(self._resolve(request, {}, make=False))

    def plan_rerun(self, run: Run, changes: LaunchRequest | None) -> Plan:
        """Say what ``rerun`` would do."""
        return _plan(self._again(run, changes or LaunchRequest(queue=""), make=False))

    def rerun(self, run: Run, changes: LaunchRequest | None) -> Enqueued:
        """Enqueue a run again with its pinned source and the changes that are given."""
        resolved = self._again(run, changes or LaunchRequest(queue=""), make=True)
        return write.enqueue(self._db, [resolved.new])[0]

    def _again(self, run: Run, changes: LaunchRequest, *, make: bool) -> _Resolved:
        spec = read.spec(self._db, run.id)
        config = merge(read.given_config(self._db, run.id), changes.config)
        if changes.entry_point:
            spec = replace(spec, command=_command(changes.entry_point))
        spec = replace(
            spec,
            entity=changes.entity or spec.entity,
            setenv={**spec.setenv, **changes.setenv},
            pass_env=tuple(dict.fromkeys((*spec.pass_env, *changes.pass_env))),
            secrets=tuple(dict.fromkeys((*spec.secrets, *changes.secrets))),
        )
        queue = self._queue(changes.queue or run.queue, make=make)
        self._check_config(run.job, run.version, config)
        new = NewRun(
            queue=queue.name,
            job=run.job,
            version=run.version,
            name=changes.name or run.name,
            project=changes.project or run.project,
            spec=spec,
            config=config,
            tags=changes.tags or run.tags,
            note=changes.note or run.note,
        )
        return _Resolved(new, queue, ())

    def _resolve(
        self, request: LaunchRequest, known: dict[str, JobVersion], *, make: bool
    ) -> _Resolved:
        queue = self._queue(request.queue, make=make)
        for name in (*request.pass_env, *request.secrets):
            check_variable(name, field="--pass-env" if name in request.pass_env else "--secret")
        if request.in_place:
            name, version, spec = self._in_place(request)
            warnings: tuple[str, ...] = ()
        else:
            job, warnings = self._job(request.job, known)
            name, version, spec = job.name, job.version, self._spec_of(job, request)
            self._check_config(name, version, request.config, job)
        new = NewRun(
            queue=queue.name,
            job=name,
            version=version,
            name=request.name or name,
            project=request.project or name,
            spec=spec,
            config=request.config,
            tags=request.tags,
            note=request.note,
        )
        return _Resolved(new, queue, warnings)

    def _queue(self, name: str, *, make: bool) -> Queue:
        if not make and name == DEFAULT_QUEUE and queues.find(self._db, name) is None:
            return Queue(name=DEFAULT_QUEUE, resource=Resource.LOCAL_PROCESS)
        queue = self._queues.get_or_default(name)
        if queue.resource not in _AVAILABLE:
            raise NotAvailable("queue", f"{name!r}: target {queue.resource} is not built yet")
        return queue

    def _job(
        self, reference: str, known: dict[str, JobVersion]
    ) -> tuple[JobVersion, tuple[str, ...]]:
        """Return a job version; a git job's branch is looked up again unless a version is named."""
        if not reference:
            raise UsageError("JOB", "no job is given", allowed="a job's name, or -- COMMAND")
        if reference in known:
            return known[reference], ()
        job = self._jobs.get(reference)
        warnings: tuple[str, ...] = ()
        if isinstance(job.source, GitSource) and ":" not in reference:
            refreshed = self._jobs.refreshed(job)
            job, warnings = refreshed.job, refreshed.warnings
        known[reference] = job
        return job, warnings

    def _spec_of(self, job: JobVersion, request: LaunchRequest) -> RunSpec:
        command = _command(request.entry_point) if request.entry_point else job.entry_point
        if not command:
            raise UsageError(
                "-E",
                f"job {job.name!r} has no entry point",
                allowed="a command, such as -E 'python train.py', or -- COMMAND",
            )
        return RunSpec(
            kind=job.kind,
            source=job.source,
            command=command,
            environment=_environment(job, request),
            tracking=job.tracking,
            links=tuple(dict.fromkeys((*job.links, *_links(job, request.links)))),
            **_who_and_where(request),
        )

    def _in_place(self, request: LaunchRequest) -> tuple[str, str, RunSpec]:
        folder = Path(request.in_place).resolve()
        if not folder.is_dir():
            raise UsageError("--in-place", f"{request.in_place} is not a folder")
        if request.links:
            raise UsageError("--link", "--in-place runs in the folder itself, with all it has")
        if not request.entry_point:
            raise UsageError("--in-place", "no command is given", allowed="-- COMMAND or -E")
        environment = resolve_environment(
            JobRequest(place=str(folder), venv="current"), lambda _: None
        )
        spec = RunSpec(
            kind=JobKind.CODE,
            source=CodeSource(digest="", path=str(folder)),
            command=_command(request.entry_point),
            environment=environment,
            in_place=str(folder),
            **_who_and_where(request),
        )
        return safe_name(folder.name or "root"), IN_PLACE, spec

    def _check_config(
        self,
        name: str,
        version: str,
        config: Mapping[str, Any],
        job: JobVersion | None = None,
    ) -> None:
        if not config or version == IN_PLACE:
            return
        from launch_tui.domain.inputs import check_config
        from launch_tui.errors import NotFound

        if job is None:
            try:
                job = self._jobs.get(f"{name}:{version}")
            except NotFound:
                # The job was deleted since; its runs keep their spec and can still be run again.
                return
        if job.inputs:
            check_config(job.inputs, config)


def command_line(request: LaunchRequest) -> str:
    """Return the shell command that launches the same thing."""
    words = ["launch-tui", "launch"]
    if request.job:
        words.append(request.job)
    words += ["-q", request.queue, *_flags(request)]
    if request.in_place:
        words.append("--in-place")
    if request.entry_point:
        command = _command(request.entry_point)
        words += ["-E", shlex.join(command)] if request.job else ["--", *command]
    return shlex.join(words)


def rerun_command_line(run_id: str, changes: LaunchRequest) -> str:
    """Return the shell command that runs a run again with the same changes."""
    words = ["launch-tui", "rerun", run_id]
    words += [*(["-q", changes.queue] if changes.queue else []), *_flags(changes)]
    if changes.entry_point:
        words += ["-E", shlex.join(_command(changes.entry_point))]
    return shlex.join(words)


def _flags(request: LaunchRequest) -> list[str]:
    # What a key=value word would read as something else (a dot, a leading dash) goes by -c.
    plain = all(
        key and not key.startswith("-") and not set(key) & set(".=") for key in request.config
    )
    if plain:
        words = [f"{key}={write_value(value)}" for key, value in request.config.items()]
    else:
        words = ["-c", json.dumps({"overrides": {"run_config": dict(request.config)}})]
    for flag, value in (
        ("--name", request.name),
        ("-p", request.project),
        ("-e", request.entity),
        ("--note", request.note),
    ):
        if value:
            words += [flag, value]
    for flag, values in (
        ("--tag", request.tags),
        ("--setenv", [f"{k}={v}" for k, v in request.setenv.items()]),
        ("--pass-env", request.pass_env),
        ("--secret", request.secrets),
        ("--link", request.links),
    ):
        for value in values:
            words += [flag, value]
    return words


def _plan(resolved: _Resolved) -> Plan:
    new, queue, spec = resolved.new, resolved.queue, resolved.new.spec
    source, build = _describe_source(spec), _describe_build(spec)
    command = shlex.join(spec.command)
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
        warnings=resolved.warnings,
    )


def _command(entry_point: str | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(entry_point, str):
        return tuple(entry_point)
    from launch_tui.sources.entry_point import resolve_entry_point

    return resolve_entry_point(entry_point, lambda _: True)


def _links(job: JobVersion, links: Sequence[str]) -> list[str]:
    """Return what ``--link`` adds to a launch, as paths relative to the job's folder."""
    if not links:
        return []
    if not isinstance(job.source, CodeSource):
        raise UsageError("--link", f"{job.name!r} has no folder here", allowed="with a code job")
    from launch_tui.sources.code import link_path

    folder = Path(job.source.path)
    return [link_path(link, folder) for link in links]


def _environment(job: JobVersion, request: LaunchRequest) -> Environment:
    if request.from_here and job.environment.mode is VenvMode.CURRENT:
        return replace(job.environment, interpreter=current_interpreter())
    return job.environment


def _who_and_where(request: LaunchRequest) -> dict[str, Any]:
    return {
        "entity": request.entity,
        "author": os.environ.get("USER", ""),
        "captured": capture(os.environ),
        "setenv": dict(request.setenv),
        "pass_env": request.pass_env,
        "secrets": request.secrets,
    }


def _describe_source(spec: RunSpec) -> str:
    if spec.in_place:
        return f"run in {spec.in_place} as it is"
    if isinstance(spec.source, GitSource):
        return f"check out {spec.source.url} at {spec.source.commit[:12]}"
    if isinstance(spec.source, CodeSource):
        return f"copy snapshot {spec.source.digest[:12]} ({spec.source.files} files)"
    return f"image {spec.source.image}"


def _describe_build(spec: RunSpec) -> str:
    environment = spec.environment
    return {
        VenvMode.BUILD: f"virtual environment with Python {environment.python_version}",
        VenvMode.CURRENT: f"environment in use, {environment.interpreter or 'no python found'}",
        VenvMode.PYTHON: f"interpreter {environment.interpreter}",
        VenvMode.NONE: "no environment",
    }[environment.mode]
