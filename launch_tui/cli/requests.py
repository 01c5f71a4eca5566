"""From the flags of a launch to the request that the SDK takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_tui.cli.output import notes
from launch_tui.cli.resources import given_resources, joined
from launch_tui.domain.environment import looks_secret, parse_assignment
from launch_tui.domain.managed_files import config_of_overrides
from launch_tui.domain.queue import DEFAULT_QUEUE
from launch_tui.domain.words import merge, parse_assignments
from launch_tui.errors import UsageError
from launch_tui.sdk import LaunchRequest
from launch_tui.sdk.places import is_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from launch_tui.cli.parsing import Arguments
    from launch_tui.sdk import Launch


class Place:
    """Where the files of a launch without a job come from: a folder or a repository."""

    def __init__(self, path: str, *, git: bool = False) -> None:
        self.path = path
        self.git = git


def split_words(words: list[str]) -> tuple[str, list[str]]:
    """Return the job that the words name, empty when none, and the ``key=value`` words."""
    names = [word for word in words if "=" not in word]
    if len(names) > 1:
        raise UsageError(names[1], f"the job is {names[0]!r} already", allowed="key=value words")
    return names[0] if names else "", [word for word in words if "=" in word]


def launch_request(
    arguments: Arguments, words: list[str] | None = None, *, queue: str = DEFAULT_QUEUE
) -> LaunchRequest:
    """Return what the flags and words say; a job that is to be made first is not in it yet.

    Args:
        arguments: The command line.
        words: Its words, where not all of them are a job and ``key=value``.
        queue: The queue where nothing names one.

    Raises:
        UsageError: For flags that contradict each other or cannot be read.
    """
    job, assignments = split_words(arguments.words if words is None else words)
    spec = _spec(arguments)
    overrides = spec.get("overrides", {})
    if job and arguments.on("job"):
        raise UsageError("-j", f"the job is {job!r} already")
    setenv = _variables(arguments)
    _warn_of_secrets(setenv)
    return LaunchRequest(
        job=job or arguments.text("job") or str(spec.get("job", "")),
        queue=arguments.text("queue") or str(spec.get("queue", "")) or queue,
        config=merge(config_of_overrides(overrides, field="-c"), parse_assignments(assignments)),
        entry_point=_entry_point(arguments, spec) or overrides.get("entry_point"),
        name=arguments.text("name") or str(spec.get("name", "")),
        project=arguments.text("project") or str(spec.get("project", "")),
        entity=arguments.text("entity") or str(spec.get("entity", "")),
        tags=arguments.many("tag"),
        note=arguments.text("note"),
        setenv=setenv,
        pass_env=arguments.many("pass_env"),
        secrets=arguments.many("secret"),
        links=arguments.many("link"),
        keep=arguments.on("keep"),
        tracking=arguments.text("tracking"),
        **_image(arguments, spec),
        **_resources(arguments, spec),
        **_order(arguments, spec),
    )


def _variables(arguments: Arguments) -> dict[str, str]:
    """Return what ``--setenv`` sets, each name once."""
    found = dict[str, str]()
    for text in arguments.many("setenv"):
        name, value = parse_assignment(text)
        if name in found:
            raise UsageError("--setenv", f"{name} is given twice")
        found[name] = value
    return found


def retry_kinds(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what ``--retry-on`` names, in its order, each once."""
    kinds = [kind.strip() for text in texts for kind in text.split(",")]
    if not all(kinds):
        raise UsageError("--retry-on", "has an empty kind", allowed="such as failed,lost,oom")
    return tuple(dict.fromkeys(kinds))


def place_of(arguments: Arguments, job: str) -> Place | None:
    """Return where the files come from, None when a job says it.

    Raises:
        UsageError: When nothing says it, or two things do.
    """
    uri = arguments.text("uri")
    if arguments.on("docker_image"):
        for flag, name in (("uri", "-u"), ("in_place", "--in-place")):
            if arguments.on(flag):
                raise UsageError(name, "cannot stand together with -d")
        return None
    if job:
        for flag in ("uri", "in_place"):
            if arguments.on(flag):
                name = "-u" if flag == "uri" else "--in-place"
                raise UsageError(name, f"cannot stand together with the job {job!r}")
        return None
    if uri:
        return Place(uri, git=is_repository(uri))
    if arguments.command is None and not arguments.on("in_place"):
        allowed = "a job's name, -u PATH|GITURL, or -- COMMAND for this folder"
        raise UsageError("JOB", "is missing", allowed=allowed)
    return Place(".")


def create_job(sdk: Launch, arguments: Arguments, place: Place) -> str:
    """Make the job of a place, or a new version if it changed, and return its reference."""
    from launch_tui.domain.job import JobKind
    from launch_tui.sdk.jobs import JobRequest

    # `-u` with -E makes a job that has this entry point; COMMAND belongs to this launch alone.
    entry_point = arguments.text("entry_point") or None
    created = sdk.jobs.create(
        JobRequest(
            place=place.path,
            kind=JobKind.GIT if place.git else JobKind.CODE,
            entry_point=entry_point,
            entry_point_optional=arguments.command is not None and entry_point is None,
            accept_large=arguments.on("yes"),
        )
    )
    notes(created.warnings)
    return f"{created.job.name}:{created.job.version}"


def folder_in_place(place: Place) -> str:
    """Return the folder of ``--in-place``."""
    if place.git:
        raise UsageError("--in-place", "a repository has no folder here", allowed="-u PATH")
    return str(Path(place.path).absolute())


def _spec(arguments: Arguments) -> dict[str, Any]:
    if not arguments.on("config"):
        return {}
    from launch_tui.cli.launch_spec import read_config

    return read_config(arguments.text("config"))


def _resources(arguments: Arguments, spec: dict[str, Any]) -> dict[str, Any]:
    """Return what fills the queue's resource configuration: flags over ``-R`` over the spec."""
    parts: list[tuple[str, Mapping[str, Any]]] = []
    if "resource" in spec:
        parts.append(("-c", {"resource_args": {spec["resource"]: {}}}))
    parts.append(("-c", {"resource_args": spec.get("resource_args", {})}))
    given = dict[str, str]()
    for text in arguments.many("set_var"):
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError("--set-var", f"{text!r} is no VAR=VALUE", allowed="-v VAR=VALUE")
        if name in given:
            raise UsageError("--set-var", f"{name} is given twice")
        given[name] = value
    return {
        "resource_args": joined([*parts, *given_resources(arguments)]),
        "template_variables": {**spec.get("template_variables", {}), **given},
    }


def _order(arguments: Arguments, spec: dict[str, Any]) -> dict[str, Any]:
    """Return what says when a run starts and whether it is tried again."""
    backoff, params = None, dict[str, list[Any]]()
    if arguments.on("param"):
        from launch_tui.domain.params import parse_params

        params = parse_params(arguments.many("param"))
    if arguments.on("backoff"):
        from launch_tui.domain.quantities import parse_duration

        backoff = parse_duration(arguments.text("backoff"), field="--backoff")
    return {
        "priority": arguments.text("priority") or str(spec.get("priority", "")),
        "after": arguments.many("after"),
        "begin": arguments.text("begin"),
        "retries": arguments.number("retries"),
        "retry_on": retry_kinds(arguments.many("retry_on")),
        "backoff": backoff,
        "params": params,
    }


def _image(arguments: Arguments, spec: dict[str, Any]) -> dict[str, Any]:
    """Return which image is meant, and the arguments after its entry point."""
    overrides = spec.get("overrides", {})
    image = _image_of(arguments, spec)
    given = tuple(overrides["args"]) if "args" in overrides else None
    return {
        "image": image,
        "arguments": tuple(arguments.command) if image and arguments.command else given,
        "dockerfile": arguments.text("dockerfile") or str(overrides.get("dockerfile", "")),
        "base_image": arguments.text("base_image"),
    }


def _image_of(arguments: Arguments, spec: dict[str, Any]) -> str:
    return arguments.text("docker_image") or str(spec.get("docker", {}).get("docker_image", ""))


def _entry_point(arguments: Arguments, spec: dict[str, Any]) -> str | tuple[str, ...] | None:
    if arguments.command is None or _image_of(arguments, spec):
        return arguments.text("entry_point") or None
    if arguments.on("entry_point"):
        raise UsageError("-E", "cannot stand together with -- COMMAND")
    if not arguments.command:
        raise UsageError("--", "no command follows", allowed="-- COMMAND ARGUMENT...")
    return tuple(arguments.command)


def _warn_of_secrets(setenv: dict[str, str]) -> None:
    names = [name for name in setenv if looks_secret(name)]
    notes(
        f"{name} looks like a secret: --setenv keeps its value in the store, --pass-env {name}"
        " takes it from the agent's environment"
        for name in names
    )
