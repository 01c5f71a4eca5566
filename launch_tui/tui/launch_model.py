"""What a launch form is about: the job or run, its fields, and the request that they mean.

Pure of widgets: the form shows what is here and gives back what was typed.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from launch_tui.domain.environment import looks_secret, parse_assignment
from launch_tui.domain.queue import DEFAULT_QUEUE
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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launch_tui.domain.job import JobVersion
    from launch_tui.domain.run import Run
    from launch_tui.sdk import Launch, Plan
    from launch_tui.store.enqueuing import Enqueued

CONFIG = "config"
MORE = "more"
_MASK = "••••"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchModel:
    """One thing to launch.

    ``job`` is the version whose inputs make the form, None for a run whose job is gone; ``run`` is
    what is run again, None for a new launch. ``given`` is the configuration of that run, or of the
    job's last one where the job has no schema. ``reference`` is what the launch names.
    """

    reference: str
    job: JobVersion | None
    run: Run | None
    inputs: Mapping[str, Any]
    given: Mapping[str, Any]
    queue: str
    queues: tuple[tuple[str, str], ...]
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

    def fields(self) -> list[tuple[Field, str]]:
        """Return all fields with the texts that they begin with."""
        inputs = self._inputs()
        head: list[Field] = []
        if self.run is None and len(self.jobs) > 1:
            head = [
                Field(
                    key="job", label="job", kind=Kind.CHOICE, required=True, always=True,
                    choices=tuple((name, name) for name in self.jobs),
                    begins=self.reference.partition(":")[0],
                )
            ]  # fmt: skip
        every = [*head, *inputs, *self._options()]
        return [(one, one.begins) for one in every]

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
            area = Field(
                key=CONFIG, label="config", kind=Kind.JSON, description=remark, begins=text,
                always=self.run is None, read=_config_object, apart=True,
            )  # fmt: skip
            return [area]
        more = Field(
            key=MORE, label="more", hint="key=value …", read=_more,
            description="" if self.run else "anything else for wandb.config",
        )  # fmt: skip
        if self.run is None:
            return [*fields, more]
        fields = [self._prefilled(one) for one in fields]
        rest = without(self.given, [one.path for one in fields])
        words = shlex.join(f"{key}={write_value(value)}" for key, value in rest.items())
        return [*fields, replace(more, begins=words, shown_default=words)]

    def _prefilled(self, one: Field) -> Field:
        known, value = value_at(self.given, one.path)
        if not known:
            return replace(one, required=False, always=False)
        text = text_of(value)
        return replace(one, begins=text, shown_default=text, required=False, always=False)

    def _options(self) -> list[Field]:
        run = self.run
        name = self.reference.partition(":")[0]
        return [
            Field(key="queue", label="queue", kind=Kind.CHOICE, choices=self.queues, apart=True,
                  begins=self.queue, always=run is None, required=run is None),
            Field(key="name", label="name", shown_default=run.name if run else name),
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
    wanted = last[0].queue if last else queues[0][0]
    return LaunchModel(
        reference=reference,
        job=job,
        run=None,
        inputs=job.inputs,
        given=given,
        queue=wanted if wanted in dict(queues) else queues[0][0],
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
        inputs=job.inputs if job is not None else {},
        given=launch.runs.given_config(run.id),
        queue=run.queue,
        queues=_queues(launch),
        command=shlex.join(spec.command),
        setenv=spec.setenv,
    )


def _queues(launch: Launch) -> tuple[tuple[str, str], ...]:
    queues = launch.queues.list()
    if not queues:
        return ((DEFAULT_QUEUE, f"{DEFAULT_QUEUE} (is made: local-process)"),)
    return tuple(
        (q.name, f"{q.name}  {q.running}/{q.max_running}{f' +{q.depth}' if q.depth else ''}"
         f"{' paused' if q.paused else ''}")
        for q in queues
    )  # fmt: skip


def _pretty(config: Mapping[str, Any]) -> str:
    return json.dumps(dict(config), indent=2) if config else ""


def _config_object(text: str) -> dict[str, Any]:
    value = read_field(Field(key=CONFIG, label="config", kind=Kind.JSON), text)
    if not isinstance(value, dict):
        raise UsageError("config", "is no JSON object", allowed='such as {"lr": 0.1}')
    return value


def _more(text: str) -> dict[str, Any]:
    return parse_assignments(_split("more", text))


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
