"""The frozen request of a run: everything an agent needs to carry it out, decided at enqueue.

The spec goes into the store as one JSON text and into ``<run directory>/spec.json`` when the run
starts, so it holds names of secrets and never their values.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from launch_tui.domain.job import (
    CodeSource,
    Environment,
    GitSource,
    ImageSource,
    JobKind,
    Source,
    VenvMode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_SOURCES: dict[JobKind, type[CodeSource] | type[GitSource] | type[ImageSource]] = {
    JobKind.CODE: CodeSource,
    JobKind.GIT: GitSource,
    JobKind.IMAGE: ImageSource,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What was asked for, resolved.

    ``captured`` is the allow-listed part of the submitter's environment, ``setenv`` what
    ``--setenv`` adds, ``pass_env`` and ``secrets`` are names that the agent resolves when the job
    starts. ``in_place`` is a folder to run in as it is, instead of a snapshot.

    ``resources`` is the resource configuration that holds for the run: the queue's with what the
    launch gave laid on it, its template variables filled, its macros not expanded yet.
    ``resource_args`` and ``template_variables`` are the launch's own share of it. ``retries`` is
    how often a failure of one of the kinds ``retry_on`` is tried again, ``backoff`` the seconds
    before the first of them.

    An image's ``command`` is its entry point, empty for the image's own; ``arguments`` are what
    follows, None for the image's own. ``command_given`` says that the command is the launch's and
    not the job's. ``keep`` leaves the container where it is after its end.
    """

    kind: JobKind
    source: Source
    command: tuple[str, ...]
    environment: Environment
    tracking: str = "required"
    links: tuple[str, ...] = ()
    in_place: str = ""
    entity: str = ""
    author: str = ""
    captured: Mapping[str, str] = field(default_factory=dict)
    setenv: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    resource_args: Mapping[str, Any] = field(default_factory=dict)
    template_variables: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    retry_on: tuple[str, ...] = ()
    backoff: float = 0.0
    arguments: tuple[str, ...] | None = None
    command_given: bool = False
    keep: bool = False


_LISTS = ("command", "links", "pass_env", "secrets", "retry_on")


def dump_source(source: Source) -> dict[str, Any]:
    """Return a source as plain JSON values."""
    return _fields(source)


def load_source(kind: JobKind, values: Mapping[str, Any]) -> Source:
    """Return the source that ``dump_source`` wrote."""
    return _SOURCES[kind](**values)


def dump_environment(environment: Environment) -> dict[str, Any]:
    """Return an environment as plain JSON values."""
    return _fields(environment)


def load_environment(values: Mapping[str, Any]) -> Environment:
    """Return the environment that ``dump_environment`` wrote."""
    return Environment(**{**values, "mode": VenvMode(values["mode"])})


def dump_spec(spec: RunSpec) -> str:
    """Return a spec as one JSON text."""
    values = _fields(spec)
    values["source"] = dump_source(spec.source)
    values["environment"] = dump_environment(spec.environment)
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def load_spec(text: str) -> RunSpec:
    """Return the spec that ``dump_spec`` wrote."""
    values = json.loads(text)
    kind = JobKind(values["kind"])
    lists = {name: tuple(values.get(name, ())) for name in _LISTS}
    if values.get("arguments") is not None:
        lists["arguments"] = tuple(values["arguments"])
    return RunSpec(
        **{
            **values,
            **lists,
            "kind": kind,
            "source": load_source(kind, values["source"]),
            "environment": load_environment(values["environment"]),
        }
    )


def _fields(value: Source | Environment | RunSpec) -> dict[str, Any]:
    # ``asdict`` copies every value in depth, which takes longer than all the rest of an enqueue.
    return {name: getattr(value, name) for name in value.__slots__}
