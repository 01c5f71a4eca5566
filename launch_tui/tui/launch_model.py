"""What a launch form is about: the job or run, its fields, and the request that they mean.

Pure of widgets: the form shows what is here and gives back what was typed.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import looks_secret, parse_assignment
from launch_tui.domain.queue import DEFAULT_QUEUE, Queue, Resource
from launch_tui.domain.words import merge, parse_assignments, write_value
from launch_tui.errors import LaunchError, UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.request import command_line, rerun_command_line
from launch_tui.tui.form_fields import (
    Field,
    Kind,
    config_of,
    fields_of,
    read_field,
    text_of,
    value_at,
    without,
)
from launch_tui.tui.order_fields import order_fields, order_values, params_field
from launch_tui.tui.queue_fields import Given, check_kept, queue_fields, queue_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.job import JobVersion
    from launch_tui.domain.run import Run
    from launch_tui.domain.spec import RunSpec
    from launch_tui.sdk import Launch
    from launch_tui.sdk.plan import Plan
    from launch_tui.store.enqueuing import Enqueued

CONFIG = "config"
MORE = "more"
_MASK = "••••"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchModel:
    """One thing to launch.

    ``job`` is the version whose inputs make the form, None for a run whose job is gone; ``run`` is
    what is run again, None for a new launch, and ``spec`` what that run was given. ``given`` is the
    configuration of that run, or of the job's last one where the job has no schema. ``reference``
    is what the launch names, ``queue`` the queue that it begins with.
    """

    reference: str
    job: JobVersion | None
    run: Run | None
    inputs: Mapping[str, Any]
    given: Mapping[str, Any]
    queue: str
    queues: tuple[Queue, ...]
    spec: RunSpec | None = None
    jobs: tuple[str, ...] = ()
    command: str = ""
    setenv: Mapping[str, str] = field(default_factory=dict)

    @property
    def draft_key(self) -> str:
        """What the draft of this form is kept under."""
        return f"rerun {self.run.id}" if self.run else self.reference

    @property
    def title(self) -> str:
        """What is launched, in a few words."""
        if self.run is not None:
            return f"Rerun {self.run.id} of {self.run.job}:{self.run.version}"
        return f"Launch {self.reference}"

    def inputs_and_queue(self) -> list[Field]:
        """Return the fields that come first: the job, its inputs, and which queue."""
        head: list[Field] = []
        if self.run is None and len(self.jobs) > 1:
            head = [
                Field(
                    key="job", label="job", kind=Kind.CHOICE, required=True, always=True,
                    choices=tuple((name, name) for name in self.jobs),
                    begins=self.reference.partition(":")[0],
                )
            ]  # fmt: skip
        params = [params_field()] if self.run is None else []
        return [*head, *self._inputs(), *params, self._queue_field()]

    def of_queue(self, name: str) -> list[Field]:
        """Return the fields that a queue gives."""
        queue = next((queue for queue in self.queues if queue.name == name), None)
        if queue is None:
            return []
        if self.run is None or self.spec is None:
            return queue_fields(queue, Given())
        same_resource = queue.resource == self.run.resource
        given = Given(
            variables=self.spec.template_variables if name == self.run.queue else {},
            resource_args=self.spec.resource_args if same_resource else {},
            priority=self.run.priority,
        )
        return queue_fields(queue, given)

    def order_and_names(self) -> list[Field]:
        """Return the fields that come last: when it starts, how it is named, how it is run."""
        return [*order_fields(self.spec), *self._names()]

    def request(self, values: Mapping[str, Any], fields: Sequence[Field]) -> LaunchRequest:
        """Return what the values of the fields ask for; ``values`` has those that are given."""
        config = config_of([(f, values[f.key]) for f in fields if f.path and f.key in values])
        if CONFIG in values:
            config = dict(values[CONFIG])
        more = values.get(MORE, {})
        return LaunchRequest(
            job=self.reference if self.run is None else "",
            queue=values.get("queue") or ("" if self.run else DEFAULT_QUEUE),
            config=merge(config, more),
            entry_point=values.get("entry_point"),
            name=values.get("name", ""),
            project=values.get("project", ""),
            tags=values.get("tags", ()),
            note=values.get("note", ""),
            setenv=values.get("setenv", {}),
            **queue_values(values),
            **order_values(values),
        )

    def plan(self, launch: Launch, request: LaunchRequest) -> Plan:
        """Return the plan, off the loop; a branch is not looked up again for it."""
        if self.run is not None:
            return launch.plan_rerun(self.run.id, request)
        if self.job is not None:
            request = replace(request, job=f"{self.job.name}:{self.job.version}")
        return launch.plan(request)

    def send(self, launch: Launch, request: LaunchRequest) -> Enqueued:
        """Launch, and forget the draft."""
        if self.run is not None:
            enqueued = launch.rerun(self.run.id, request)
        else:
            enqueued = launch.launch(request)
        launch.drafts.delete(self.draft_key)
        return enqueued

    def command_of(self, request: LaunchRequest) -> str:
        """Return the command that asks for the same."""
        if self.run is not None:
            return rerun_command_line(self.run.id, request)
        return command_line(request)

    def _inputs(self) -> list[Field]:
        fields = fields_of(self.inputs)
        if not fields:
            text = _pretty(self.given)
            remark = "JSON: what wandb.config gets"
            had = self.given if self.run is not None else {}
            area = Field(
                key=CONFIG, label="config", kind=Kind.JSON, description=remark, begins=text,
                always=self.run is None, read=lambda text: _config_object(text, had), apart=True,
            )  # fmt: skip
            return [area]
        rest = {} if self.run is None else without(self.given, [one.path for one in fields])
        more = Field(
            key=MORE, label="more", hint="key=value …", read=lambda text: _more(text, rest),
            description="" if self.run else "anything else for wandb.config",
        )  # fmt: skip
        if self.run is None:
            return [*fields, more]
        fields = [self._prefilled(one) for one in fields]
        words = shlex.join(f"{key}={write_value(value)}" for key, value in rest.items())
        return [*fields, replace(more, begins=words, shown_default=words)]

    def _prefilled(self, one: Field) -> Field:
        known, value = value_at(self.given, one.path)
        if not known:
            return replace(one, required=False, always=False)
        text = text_of(value)
        return replace(one, begins=text, shown_default=text, required=False, always=False)

    def _queue_field(self) -> Field:
        known = [queue.name for queue in self.queues]
        return Field(
            key="queue", label="queue", kind=Kind.CHOICE, apart=True, begins=self.queue,
            choices=tuple(zip(known, map(_shown_queue, self.queues), strict=True)),
            always=self.run is None, required=self.run is None,
        )  # fmt: skip

    def _names(self) -> list[Field]:
        run = self.run
        name = self.reference.partition(":")[0]
        return [
            Field(key="name", label="name", apart=True,
                  shown_default=run.name if run else name),
            Field(key="project", label="project", shown_default=run.project if run else name),
            Field(key="tags", label="tags", shown_default=" ".join(run.tags) if run else "",
                  hint="words", read=lambda text: tuple(text.replace(",", " ").split())),
            Field(key="note", label="note", shown_default=run.note if run else ""),
            Field(key="entry_point", label="entry point", shown_default=self.command,
                  hint="command", read=_command),
            Field(key="setenv", label="setenv", hint="NAME=value …", read=_setenv,
                  shown_default=" ".join(_shown_variables(self.setenv))),
        ]  # fmt: skip


def for_job(launch: Launch, reference: str) -> LaunchModel | None:
    """Return the model of a job's launch; of the one that ran last when none is named.

    None when there is no job at all.
    """
    jobs = launch.jobs.list()
    if not jobs:
        return None
    if not reference:
        newest = launch.runs.list(limit=1)
        names = [job.name for job in jobs]
        reference = newest[0].job if newest and newest[0].job in names else names[0]
    job = launch.jobs.get(reference)
    last = launch.runs.list(job=job.name, limit=1)
    given = dict(last[0].config) if last and not job.inputs else {}
    queues = _queues(launch)
    wanted = last[0].queue if last else queues[0].name
    return LaunchModel(
        reference=reference,
        job=job,
        run=None,
        inputs=job.inputs,
        given=given,
        queue=wanted if wanted in [queue.name for queue in queues] else queues[0].name,
        queues=queues,
        jobs=tuple(one.name for one in jobs),
        command=shlex.join(job.entry_point),
    )


def for_run(launch: Launch, reference: str) -> LaunchModel:
    """Return the model of a rerun."""
    run = launch.runs.get(reference)
    spec = launch.runs.spec(run.id)
    try:
        job = launch.jobs.get(f"{run.job}:{run.version}")
    except LaunchError:
        # The job was deleted since, or the run had none: its spec is all that a rerun needs.
        job = None
    return LaunchModel(
        reference=f"{run.job}:{run.version}",
        job=job,
        run=run,
        spec=spec,
        inputs=job.inputs if job is not None else {},
        given=launch.runs.given_config(run.id),
        queue=run.queue,
        queues=_queues(launch),
        command=shlex.join(spec.command),
        setenv=spec.setenv,
    )


def _queues(launch: Launch) -> tuple[Queue, ...]:
    made = Queue(name=DEFAULT_QUEUE, resource=Resource.LOCAL_PROCESS)
    return tuple(launch.queues.list()) or (made,)


def _shown_queue(queue: Queue) -> str:
    if not queue.created_at:
        return f"{queue.name} (is made: {queue.resource})"
    waits = f" +{queue.depth}" if queue.depth else ""
    paused = " paused" if queue.paused else ""
    return f"{queue.name}  {queue.running}/{queue.max_running}{waits}{paused}"


def _pretty(config: Mapping[str, Any]) -> str:
    return json.dumps(dict(config), indent=2) if config else ""


def _config_object(text: str, had: Mapping[str, Any]) -> dict[str, Any]:
    value = read_field(Field(key=CONFIG, label="config", kind=Kind.JSON), text)
    if not isinstance(value, dict):
        raise UsageError("config", "is no JSON object", allowed='such as {"lr": 0.1}')
    check_kept(CONFIG, had, value)
    return value


def _more(text: str, had: Mapping[str, Any]) -> dict[str, Any]:
    config = parse_assignments(_split("more", text))
    check_kept(MORE, had, config)
    return config


def _setenv(text: str) -> dict[str, str]:
    return dict(parse_assignment(word, field="setenv") for word in _split("setenv", text))


def _command(text: str) -> str:
    _split("entry point", text)
    return text


def _shown_variables(setenv: Mapping[str, str]) -> list[str]:
    return [f"{k}={_MASK if looks_secret(k) else v}" for k, v in setenv.items()]


def _split(name: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(name, f"cannot be read: {error}") from None
