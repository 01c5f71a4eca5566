"""What a person asks to be run, and the shell command that asks for the same."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.managed_files import join_files, split_files
from launch_tui.domain.queue import DEFAULT_QUEUE
from launch_tui.domain.words import flattened, write_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SUGAR = ("gpus", "gpu_memory", "cpus", "memory", "timeout", "wandb", "sync")
"""Keys of a resource configuration that a launch has a flag of its own for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What a person asks to be run. Empty fields mean the job's or queue's own.

    ``job`` is a reference; ``in_place`` a folder to run in without a snapshot (then ``job`` is not
    needed and ``entry_point`` is). ``config`` reaches ``wandb.config``, and under ``"PATH:"`` the
    file PATH that the job manages. ``setenv`` are values;
    ``pass_env`` and ``secrets`` are names, resolved by the agent at start. ``from_here`` says that
    the job is the folder one stands in: an environment of the mode ``current`` is then the one in
    use now, not the one that was in use when the job was made.

    ``resource_args`` overrides the queue's resource configuration key by key,
    ``template_variables`` fills its holes (values, or text to be read by the variable's type).
    ``after`` are runs to wait for, ``RUN[:ok|failed|any]``. ``begin`` is the earliest start: ISO
    time, ``HH:MM``, or ``+2h``.
    ``retries`` tries a failure of one of the kinds ``retry_on`` again, after ``backoff`` seconds,
    doubled each time. ``params`` makes one run for each combination of its values, as one group.
    In a rerun None and empty leave what the run had.

    ``tracking`` is ``optional`` for a run that need not call ``wandb.init``, ``required`` for one
    that must unless its queue says otherwise; empty leaves the job's own rule.

    ``image`` runs an image without a job. ``arguments`` follow the entry point; of an image None
    leaves its own. ``dockerfile`` and ``base_image`` take the place of the job's own, and ``keep``
    leaves the container where it is after its end.
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
    image: str = ""
    arguments: tuple[str, ...] | None = None
    dockerfile: str = ""
    base_image: str = ""
    keep: bool = False
    tracking: str = ""


def command_line(request: LaunchRequest) -> str:
    """Return the shell command that launches the same thing."""
    words = ["launch-tui", "launch"]
    if request.job:
        words.append(request.job)
    if request.image:
        words += ["-d", request.image]
    words += ["-q", request.queue, *_flags(request)]
    if request.in_place:
        words.append("--in-place")
    if request.entry_point:
        command = command_of(request.entry_point)
        named = request.job or request.image
        words += ["-E", shlex.join(command)] if named else ["--", *command]
    if request.arguments is not None:
        words += ["--", *request.arguments]
    return shlex.join(words)


def rerun_command_line(run_id: str, changes: LaunchRequest) -> str:
    """Return the shell command that runs a run again with the same changes."""
    words = ["launch-tui", "rerun", run_id]
    words += [*(["-q", changes.queue] if changes.queue else []), *_flags(changes)]
    if changes.entry_point:
        words += ["-E", shlex.join(command_of(changes.entry_point))]
    return shlex.join(words)


def _flags(request: LaunchRequest) -> list[str]:
    # What a key=value word would read as something else (a dot, a leading dash) goes by -c.
    config, files = split_files(request.config)
    files = {path: values for path, values in files.items() if values}
    if all(map(_is_plain, config)) and not any(map(_has_odd_keys, files.values())):
        words = [f"{key}={write_value(value)}" for key, value in config.items()]
        words += [f"{k}={write_value(v)}" for k, v in flattened(join_files({}, files))]
    else:
        words = ["-c", json.dumps({"overrides": {"run_config": config, "files": files}})]
    for flag, value in (
        ("--name", request.name),
        ("-p", request.project),
        ("-e", request.entity),
        ("--note", request.note),
        ("-P", request.priority),
        ("--begin", request.begin),
        ("--retries", "" if request.retries is None else str(request.retries)),
        ("--retry-on", ",".join(request.retry_on)),
        ("--backoff", "" if request.backoff is None else f"{request.backoff:g}s"),
        ("-D", request.dockerfile),
        ("-B", request.base_image),
        ("--tracking", request.tracking),
    ):
        if value:
            words += [flag, value]
    for flag, values in (
        ("--tag", request.tags),
        ("--setenv", [f"{k}={v}" for k, v in request.setenv.items()]),
        ("--pass-env", request.pass_env),
        ("--secret", request.secrets),
        ("--link", request.links),
        ("-v", _values(request.template_variables)),
        ("--after", request.after),
        ("--param", [f"{k}={json.dumps(list(v))}" for k, v in request.params.items()]),
    ):
        for value in values:
            words += [flag, value]
    words += ["--keep"] if request.keep else []
    return words + _resource_flags(request.resource_args)


def _is_plain(key: str) -> bool:
    return bool(key) and not key.startswith("-") and not set(key) & set(".=\\")


def _has_odd_keys(values: object) -> bool:
    """Whether a managed file is given what no ``path:key=value`` words can say."""
    return isinstance(values, dict) and not all(
        _is_plain(key) and not (isinstance(value, dict) and _has_odd_keys(value))
        for key, value in values.items()
    )


def _values(template_variables: Mapping[str, Any]) -> list[str]:
    # What follows the first `=` is the value as it stands: quotes would be part of it.
    if not template_variables:
        return []
    from launch_tui.domain.template import as_text

    return [f"{name}={as_text(value)}" for name, value in template_variables.items()]


def _resource_flags(resource_args: Mapping[str, Any]) -> list[str]:
    words = []
    rest = dict(resource_args)
    for key in _SUGAR:
        if isinstance(rest.get(key), str | int | float):
            words += [f"--{key.replace('_', '-')}", str(rest.pop(key))]
    return [*words, "-R", json.dumps(rest)] if rest else words


def command_of(entry_point: str | Sequence[str]) -> tuple[str, ...]:
    """Return the words of an entry point."""
    if not isinstance(entry_point, str):
        return tuple(entry_point)
    from launch_tui.sources.entry_point import resolve_entry_point

    return resolve_entry_point(entry_point, lambda _: True)
