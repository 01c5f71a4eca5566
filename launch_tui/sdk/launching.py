"""From what a person asks for to a run on disk: everything a run needs is decided here, once."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import capture
from launch_tui.domain.given import check_config
from launch_tui.domain.job import (
    AS_IMAGE,
    IN_PLACE,
    CodeSource,
    GitSource,
    ImageSource,
    JobKind,
    JobVersion,
    VenvMode,
    safe_name,
)
from launch_tui.domain.queue import AVAILABLE, DEFAULT_QUEUE, Queue, Resource
from launch_tui.domain.run import check_priority
from launch_tui.domain.spec import RunSpec
from launch_tui.domain.words import merge
from launch_tui.errors import NotAvailable, UsageError
from launch_tui.sdk.checks import check_changes, check_managed_files, check_request
from launch_tui.sdk.jobs import JobRequest, current_interpreter, resolve_environment
from launch_tui.sdk.request import LaunchRequest, command_of
from launch_tui.sdk.resources import own_resources, resolve_resources
from launch_tui.sdk.target_rules import check_target
from launch_tui.store import enqueuing, queues, read, waiting
from launch_tui.store.clock import iso
from launch_tui.store.enqueuing import Enqueued, NewRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.dependency import Dependency
    from launch_tui.domain.job import Environment
    from launch_tui.domain.run import Run
    from launch_tui.sdk.jobs import Jobs
    from launch_tui.sdk.plan import Plan
    from launch_tui.sdk.queues import Queues
    from launch_tui.store.database import Database

_DEFAULT_RETRY_ON = ("failed", "lost", "preempted")
MAX_RETRIES = 100
MAX_BACKOFF_S = 7 * 86400.0
_PLAIN = frozenset({"name", "project", "config", "tags", "note"})


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What one request comes to: one run, or one for each combination of its parameters."""

    news: list[NewRun]
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
        return enqueuing.enqueue(self._db, [new for r in resolved for new in r.news])

    def launch_configs(
        self, request: LaunchRequest, configs: Sequence[Mapping[str, Any]]
    ) -> list[Enqueued]:
        """Enqueue one run for each configuration, as one group, all or none."""
        resolved = self._resolve(request, {}, make=True, configs=configs)
        self.warnings = resolved.warnings
        return enqueuing.enqueue(self._db, resolved.news)

    def plan(self, request: LaunchRequest) -> Plan:
        """Say what ``launch`` would do."""
        return _told(self._resolve(request, {}, make=False))

    def plan_rerun(self, run: Run, changes: LaunchRequest | None) -> Plan:
        """Say what ``rerun`` would do."""
        return _told(self._again(run, changes or LaunchRequest(queue=""), make=False))

    def rerun(self, run: Run, changes: LaunchRequest | None) -> Enqueued:
        """Enqueue a run again with its pinned source and the changes that are given."""
        resolved = self._again(run, changes or LaunchRequest(queue=""), make=True)
        return enqueuing.enqueue(self._db, resolved.news)[0]

    def rerun_group(self, runs: Sequence[Run], changes: LaunchRequest | None) -> list[Enqueued]:
        """Enqueue the runs of a group again, all or none, as a new group."""
        changes = changes or LaunchRequest(queue="")
        again = [self._again(run, changes, make=True).news[0] for run in runs]
        group = new_group()
        return enqueuing.enqueue(self._db, [replace(new, group=group) for new in again])

    def edit(self, run: Run, changes: Mapping[str, Any]) -> None:
        """Change a run that still waits; see ``Runs.edit``."""
        check_changes(changes)
        spec = read.spec(self._db, run.id)
        queue = queues.get(self._db, run.queue)
        resources = {k: changes[k] for k in ("resource_args", "template_variables") if k in changes}
        if resources:
            own = own_resources(queue.resource, resources.get("resource_args", spec.resource_args))
            values = resources.get("template_variables", spec.template_variables)
            spec = replace(
                spec,
                resource_args=own,
                template_variables=dict(values),
                resources=resolve_resources(self._db.home, queue, own, values),
            )
        if "config" in changes:
            check_managed_files(changes["config"], spec)
            self._check_config(run.job, run.version, changes["config"])
        plain = {k: v for k, v in changes.items() if k in _PLAIN}
        with self._db.transaction():
            if plain or resources:
                waiting.edit_waiting(self._db, run.id, {**plain, "spec": spec})
            if (level := changes.get("priority", run.priority)) != run.priority:
                waiting.set_priority(self._db, run.id, check_priority(level, field="priority"))
            if "after" in changes:
                waiting.set_dependencies(self._db, run.id, self._after(changes["after"]))
            if "begin" in changes:
                waiting.set_begin(self._db, run.id, _begin(changes["begin"]))

    def _again(self, run: Run, changes: LaunchRequest, *, make: bool) -> _Resolved:
        check_request(changes)
        spec = read.spec(self._db, run.id)
        if make and isinstance(spec.source, CodeSource) and spec.source.digest:
            # Perhaps only this run refers to it, and somebody is pruning.
            with self._jobs.artifacts.writer() as writer:
                writer.renew(spec.source.digest)
        config = merge(read.given_config(self._db, run.id), changes.config)
        if changes.entry_point:
            command = command_of(changes.entry_point)
            spec = replace(spec, command=command, command_given=True)
        spec = replace(
            spec,
            **_container_again(spec, changes),
            entity=changes.entity or spec.entity,
            tracking=changes.tracking or spec.tracking,
            setenv={**spec.setenv, **changes.setenv},
            pass_env=tuple(dict.fromkeys((*spec.pass_env, *changes.pass_env))),
            secrets=tuple(dict.fromkeys((*spec.secrets, *changes.secrets))),
        )
        queue = self._queue(changes.queue or run.queue, make=make)
        check_target(queue, spec, changes)
        check_managed_files(config, spec)
        if changes.dockerfile:
            self._check_dockerfile(spec)
        self._check_config(run.job, run.version, config)
        same_resource = queue.resource == run.resource
        own = merge(
            spec.resource_args if same_resource else {},
            own_resources(queue.resource, changes.resource_args),
        )
        # The queue may have lost a hole since; what is given now must fit as it is.
        kept = {k: v for k, v in spec.template_variables.items() if k in queue.template_variables}
        values = {**(kept if queue.name == run.queue else {}), **changes.template_variables}
        spec = replace(
            spec,
            resource_args=own,
            template_variables=values,
            resources=resolve_resources(self._db.home, queue, own, values),
            **_retries_again(spec, changes),
        )
        priority = changes.priority or (run.priority if queue.prioritized else "")
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
            **self._order(queue, replace(changes, priority=priority)),
        )
        return _Resolved([new], queue, ())

    def _resolve(
        self,
        request: LaunchRequest,
        known: dict[str, JobVersion],
        *,
        make: bool,
        configs: Sequence[Mapping[str, Any]] | None = None,
    ) -> _Resolved:
        check_request(request)
        if request.params:
            from launch_tui.domain.params import product

            configs = product(request.params)
        job: JobVersion | None = None
        queue = self._queue(request.queue, make=make)
        if request.in_place:
            name, version, spec = self._in_place(request)
            warnings: tuple[str, ...] = ()
        elif request.image:
            name, version, spec = _of_image(request)
            warnings = ()
        else:
            job, warnings = self._job(request.job, known)
            name, version, spec = job.name, job.version, self._spec_of(job, request)
            if configs is None:
                self._check_config(name, version, request.config, job)
        check_target(queue, spec, request)
        check_managed_files(request.config, spec)
        if request.dockerfile:
            self._check_dockerfile(spec)
        own = own_resources(queue.resource, request.resource_args)
        spec = replace(
            spec,
            resource_args=own,
            template_variables=dict(request.template_variables),
            resources=resolve_resources(self._db.home, queue, own, request.template_variables),
            **_retries(request),
        )
        if not request.retries and (request.retry_on or request.backoff is not None):
            flag = "--retry-on" if request.retry_on else "--backoff"
            raise UsageError(flag, "means nothing without retries", allowed="--retries N")
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
            **self._order(queue, request),
        )
        news = [new] if configs is None else self._group(new, configs, job)
        return _Resolved(news, queue, warnings)

    def _group(
        self, new: NewRun, configs: Sequence[Mapping[str, Any]], job: JobVersion | None
    ) -> list[NewRun]:
        """Return one run for each configuration laid on that of ``new``, as one group."""
        group = new_group()
        news = []
        for given in configs:
            config = merge(new.config, given)
            check_config(config)
            check_managed_files(config, new.spec)
            if job is not None:
                self._check_config(new.job, new.version, config, job)
            news.append(replace(new, config=config, group=group))
        return news

    def _order(self, queue: Queue, request: LaunchRequest) -> dict[str, Any]:
        """Return what decides when a run may start."""
        order: dict[str, Any] = {}
        if request.priority:
            waiting.require_priorities(queue.prioritized, queue.name, field="-P")
            order["priority"] = check_priority(request.priority)
        if request.after:
            order["after"] = self._after(request.after)
        if request.begin:
            order["not_before"] = _begin(request.begin)
        return order

    def _after(self, after: Sequence[str]) -> tuple[Dependency, ...]:
        from launch_tui.domain.dependency import Dependency, parse_dependency

        parsed = [parse_dependency(text) for text in after]
        known = {d.run: read.resolve(self._db, d.run, field="--after") for d in parsed}
        found = tuple(Dependency(known[d.run], d.condition) for d in parsed)
        if twice := [d.run for n, d in enumerate(found) if d.run in {e.run for e in found[:n]}]:
            raise UsageError("--after", f"run {twice[0]} is named twice", allowed="each run once")
        return found

    def _check_dockerfile(self, spec: RunSpec) -> None:
        from launch_tui.sdk.image_jobs import require_dockerfile

        if not isinstance(spec.source, ImageSource):
            require_dockerfile(spec.environment, self._jobs.files(spec.source))

    def _queue(self, name: str, *, make: bool) -> Queue:
        if not make and name == DEFAULT_QUEUE and queues.find(self._db, name) is None:
            return Queue(name=DEFAULT_QUEUE, resource=Resource.LOCAL_PROCESS)
        queue = self._queues.get_or_default(name)
        if queue.resource not in AVAILABLE:
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
        command = command_of(request.entry_point) if request.entry_point else job.entry_point
        is_image = job.kind is JobKind.IMAGE
        if not command and not is_image:
            raise UsageError(
                "-E",
                f"job {job.name!r} has no entry point",
                allowed="a command, such as -E 'python train.py', or -- COMMAND",
            )
        return RunSpec(
            kind=job.kind,
            source=job.source,
            command=command if is_image else (*command, *(request.arguments or ())),
            arguments=request.arguments if is_image else None,
            command_given=bool(request.entry_point or request.arguments),
            keep=request.keep,
            environment=_environment(job, request),
            tracking=request.tracking or job.tracking,
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
            command=command_of(request.entry_point),
            environment=environment,
            in_place=str(folder),
            tracking=request.tracking or "required",
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
        if version in (IN_PLACE, AS_IMAGE):
            return
        if job is not None and not (config or job.inputs.get("required")):
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


def new_group() -> str:
    """Return an id for a group of runs; no run's id has a dash."""
    return f"g-{enqueuing.new_id()[:6]}"


def _told(resolved: _Resolved) -> Plan:
    from launch_tui.sdk.plan import plan_of

    return plan_of(resolved.news, resolved.queue, resolved.warnings)


def _begin(text: str | None) -> str | None:
    if not text:
        return None
    from datetime import datetime

    from launch_tui.domain.begin import parse_begin

    return iso(parse_begin(text, now=datetime.now().astimezone()).timestamp())


def _retries(request: LaunchRequest) -> dict[str, Any]:
    """Return what a spec has of retries.

    Raises:
        UsageError: For a number, a kind or a back-off that is none.
    """
    if request.retries is None and request.backoff is None and not request.retry_on:
        return {}
    from launch_tui.domain.failure import parse_retry_on

    retries, backoff = request.retries or 0, request.backoff or 0.0
    if not 0 <= retries <= MAX_RETRIES:
        raise UsageError("--retries", f"{retries} is not possible", allowed=f"0 to {MAX_RETRIES}")
    if not 0 <= backoff <= MAX_BACKOFF_S:
        raise UsageError("--backoff", f"{backoff:g} s is not possible", allowed="0s to 7d")
    return {
        "retries": retries,
        "retry_on": parse_retry_on(request.retry_on) if request.retry_on else _DEFAULT_RETRY_ON,
        "backoff": backoff,
    }


def _retries_again(spec: RunSpec, changes: LaunchRequest) -> dict[str, Any]:
    """Return what a rerun's spec has of retries: what the run had, but for what is given."""
    if changes.retries is None and changes.backoff is None and not changes.retry_on:
        return {}
    return _retries(
        LaunchRequest(
            retries=spec.retries if changes.retries is None else changes.retries,
            retry_on=changes.retry_on or spec.retry_on,
            backoff=spec.backoff if changes.backoff is None else changes.backoff,
        )
    )


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
    environment = job.environment
    if request.from_here and environment.mode is VenvMode.CURRENT:
        environment = replace(environment, interpreter=current_interpreter())
    return _image_of_launch(environment, job.kind, request)


def _image_of_launch(
    environment: Environment, kind: JobKind, request: LaunchRequest
) -> Environment:
    """Return the environment with the image that the launch wants instead of the job's."""
    if not (request.base_image or request.dockerfile):
        return environment
    from launch_tui.sdk.image_jobs import image_of, inside

    flag = "-B" if request.base_image else "-D"
    if kind is JobKind.IMAGE:
        raise UsageError(flag, "the job is an image already", allowed="with a code or git job")
    if request.base_image and request.dockerfile:
        raise UsageError("-B", "cannot stand together with -D: nothing is built")
    if request.base_image:
        return replace(environment, base_image=image_of(request.base_image, "-B"))
    return replace(environment, base_image="", dockerfile=inside(request.dockerfile, "-D"))


def _of_image(request: LaunchRequest) -> tuple[str, str, RunSpec]:
    """Return the name, the version and the spec of an image that runs without a job."""
    from launch_tui.sdk.image_jobs import image_job

    if request.job:
        raise UsageError("-d", f"the job is {request.job!r} already")
    if request.links:
        raise UsageError("--link", "an image has no folder here", allowed="with a code job")
    job, _ = image_job(
        JobRequest(place=request.image, kind=JobKind.IMAGE, entry_point=request.entry_point)
    )
    spec = RunSpec(
        kind=JobKind.IMAGE,
        source=job.source,
        command=job.entry_point,
        arguments=request.arguments,
        command_given=bool(request.entry_point),
        keep=request.keep,
        environment=_image_of_launch(job.environment, JobKind.IMAGE, request),
        tracking=request.tracking or job.tracking,
        **_who_and_where(request),
    )
    return job.name, AS_IMAGE, spec


def _container_again(spec: RunSpec, changes: LaunchRequest) -> dict[str, Any]:
    """Return what a rerun changes about the container that a run runs in."""
    changed: dict[str, Any] = {
        "environment": _image_of_launch(spec.environment, spec.kind, changes),
        "keep": spec.keep or changes.keep,
    }
    if changes.arguments is not None:
        changed["arguments"] = changes.arguments
    return changed


def _who_and_where(request: LaunchRequest) -> dict[str, Any]:
    return {
        "entity": request.entity,
        "author": author(),
        "captured": capture(os.environ),
        "setenv": dict(request.setenv),
        "pass_env": request.pass_env,
        "secrets": request.secrets,
    }


def author() -> str:
    """Return who launches here, as a run remembers it."""
    # Services and containers have no USER; and somebody may have no entry in the password file.
    if name := os.environ.get("USER"):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
